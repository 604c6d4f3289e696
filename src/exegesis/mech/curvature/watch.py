"""A run of a model whose weights are replaced, and in which every use of a weight is noted.

While a ``Watch`` is active it sees every torch function that the model calls. A function that receives a weight gets a
*live* tensor in its place, with a gradient. Where the gradient of one text's weight is made of two things that the run
has, the input of the function and the gradient at its output, the call is noted as a ``Use``: a linear map, a
convolution, a row of a table, a scale, a shift, and each product of a recurrent layer. Functions of weights that have
no such form still carry their gradients, which are then taken one example at a time (``unnoted``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from exegesis.mech.curvature.recurrence import RECURRENT, run_cell, run_layers

Kind = Literal["linear", "rows", "scale", "shift"]
ASIDE = ("requires_grad_", "__set__", "is_inference")  # what is asked of a weight itself, not of its numbers


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a weight. Its gradient is, over positions, the product of ``inputs`` and the gradient at ``out``.

    ``out`` is the tensor whose gradient is asked for, with its features last. ``linear``: inputs are vectors and the
    weight, turned by ``transposed``, is a matrix; ``rows``: inputs are the numbers of rows, ``skipped`` is one without
    a gradient; ``scale``: inputs are multiplied number by number; ``shift``: no inputs. ``features`` is the number of
    last axes of ``out`` that are features. ``order`` has the texts in the order in which ``out`` seems to hold them, if
    that is not the batch's (packed sequences are sorted). ``bias`` is the weight that is added to the output of a
    linear map.
    """

    weight: str
    kind: Kind
    out: Tensor
    inputs: Tensor | None = None
    features: int = 1
    transposed: bool = False
    skipped: int | None = None
    order: Tensor | None = None
    bias: str | None = None


class Watch(TorchFunctionMode):
    """A run of a model on ``rows`` texts with live weights; ``live`` maps names to the tensors that replace them.

    If ``twice``, functions whose kernels have no second derivative (attention) are computed from parts. Vectors that a
    table has for the ids ``words`` are kept in ``vectors``, after they were multiplied by ``shrink``. If only the
    ``last`` linear map is asked for, no other use is kept, nor what it holds in memory.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        live: Mapping[str, Tensor],
        rows: int,
        *,
        twice: bool = False,
        words: Tensor | None = None,
        shrink: float = 1.0,
        last: bool = False,
    ) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in weights.items() if name in live}
        self.live, self.rows, self.twice, self.last = live, rows, twice, last
        self.words, self.shrink = words, shrink
        self.vectors: list[Tensor] = []
        self.sorted: Tensor | None = None  # the rows of the last choice of all rows, as packing makes one
        self.order: Tensor | None = None  # that of the packed sequences that are running
        self.uses: list[Use] = []
        self.used: set[str] = set()
        self.unnoted: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        name = getattr(func, "__name__", "")
        if self.twice and name == "scaled_dot_product_attention":
            return attention(*args, **options)
        if self.twice and name == "multi_head_attention_forward" and options.get("need_weights") is False:
            output, _ = self.__torch_function__(func, types, args, {**options, "need_weights": True})
            return output, None  # torch computes it from parts where weights are asked for
        if name == "index_select" and len(args) > 2 and isinstance(args[2], Tensor) and args[2].numel() == self.rows:
            self.sorted = args[2]
        if name in RECURRENT:
            made = run_layers(self, name, args, options)
            if made is not None:
                return made
        held = self._held((args, options))
        if (not held and (name != "embedding" or self.words is None)) or name in ASIDE:
            return func(*args, **options)
        handler = HANDLERS.get(name)
        before = len(self.uses)
        if handler is not None:
            result = handler(self, *args, **options)
            if result is not None:
                self.used |= held
                return result
            del self.uses[before:]
        args, options = self._swapped(args), self._swapped(options)
        result = func(*args, **options)
        if any(value.requires_grad for value in _tensors(result)):
            self.used |= held
            self.unnoted |= held
        return result

    def name_of(self, value: object) -> str | None:
        """The name of a weight; None for any other value."""
        return self.names.get(id(value)) if isinstance(value, Tensor) else None

    def at(self, value: Any) -> Any:
        """The live tensor of a weight; any other value as it is."""
        name = self.name_of(value)
        return value if name is None else self.live[name]

    def linear(self, inputs: Tensor, weight: Tensor, bias: Tensor | None, *, transposed: bool = False) -> Tensor:
        """A linear map of the last axis, its weights noted."""
        matrix = self.at(weight)
        out = functional.linear(inputs, matrix.t() if transposed else matrix, self.at(bias))
        self.note(weight, "linear", out, inputs, transposed=transposed, bias=self.name_of(bias))
        self.note(bias, "shift", out)
        return out

    def note(self, weight: object, kind: Kind, out: Tensor, inputs: Tensor | None = None, **more: Any) -> None:
        """Note a use of a weight; a value that is no weight is left out."""
        name = self.name_of(weight)
        if name is not None:
            self.used.add(name)
            if self.last:
                if kind != "linear" or inputs is None:
                    return
                self.uses.clear()
            self.uses.append(Use(name, kind, out, inputs, order=self.order, **more))

    def _held(self, value: Any) -> set[str]:
        if isinstance(value, Tensor):
            name = self.names.get(id(value))
            return set() if name is None else {name}
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        return set().union(*map(self._held, parts)) if parts else set()

    def _swapped(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._swapped(part) for key, part in value.items()}
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(map(self._swapped, value))
        return self.at(value)


def _tensors(value: Any) -> list[Tensor]:
    parts = value if isinstance(value, list | tuple) else [value]
    return [part for part in parts if isinstance(part, Tensor)]


def _linear(watch: Watch, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    if input.dim() < 2 or watch.name_of(input) is not None or weight.dim() != 2:
        return None
    return watch.linear(input, weight, bias)


def _matmul(watch: Watch, input: Tensor, other: Tensor) -> Tensor | None:
    if other.dim() != 2 or input.dim() < 2 or watch.name_of(input) is not None:
        return None
    return watch.linear(input, other, None, transposed=True)


def _addmm(watch: Watch, input: Tensor, mat1: Tensor, mat2: Tensor, **options: Any) -> Tensor | None:
    if options or input.dim() != 1 or watch.name_of(mat1) is not None:
        return None
    return watch.linear(mat1, mat2, input, transposed=True)


def _embedding(
    watch: Watch,
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor | None:
    if max_norm is not None or scale_grad_by_freq:
        return None
    if input.dim() == 2 and len(input) == 1 < watch.rows:  # one row of positions for all texts: one for each
        input = input.expand(watch.rows, -1)
    table = watch.at(weight)
    skipped = None if padding_idx is None else padding_idx % len(table)
    out = torch.embedding(table, input, -1 if skipped is None else skipped)
    watch.note(weight, "rows", out, input, skipped=skipped)
    if watch.words is not None and torch.equal(input.reshape(-1), watch.words.reshape(-1)):
        out = out * watch.shrink
        out = out if out.requires_grad else out.requires_grad_()  # the table may be none of the live weights
        watch.vectors.append(out)
    return out


def _layer_norm(
    watch: Watch,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    out = functional.layer_norm(input, normalized_shape, eps=eps)
    return _scaled_and_shifted(watch, out, weight, bias, len(normalized_shape))


def _rms_norm(
    watch: Watch, input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    out = functional.rms_norm(input, normalized_shape, eps=eps)
    return _scaled_and_shifted(watch, out, weight, None, len(normalized_shape))


def _batch_norm(
    watch: Watch,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    if training or running_mean is None:
        return None
    plain = functional.batch_norm(input, running_mean, running_var, eps=eps).movedim(1, -1)
    return _scaled_and_shifted(watch, plain, weight, bias, 1).movedim(-1, 1)


def _scaled_and_shifted(
    watch: Watch, inputs: Tensor, weight: Tensor | None, bias: Tensor | None, features: int
) -> Tensor:
    out = inputs
    if weight is not None:
        out = inputs * watch.at(weight)
        watch.note(weight, "scale", out, inputs, features=features)
    if bias is not None:
        out = out + watch.at(bias)
        watch.note(bias, "shift", out, features=features)
    return out


def _mul(watch: Watch, input: Tensor, other: Any) -> Tensor | None:
    inputs, weight = (other, input) if watch.name_of(input) is not None else (input, other)
    if not _in_last_axes(watch, inputs, weight):
        return None
    return _scaled_and_shifted(watch, inputs, weight, None, weight.dim())


def _add(watch: Watch, input: Tensor, other: Any, *, alpha: float = 1) -> Tensor | None:
    inputs, weight = (other, input) if watch.name_of(input) is not None else (input, other)
    if alpha != 1 or not _in_last_axes(watch, inputs, weight):
        return None
    return _scaled_and_shifted(watch, inputs, None, weight, weight.dim())


def _in_last_axes(watch: Watch, inputs: Any, weight: Any) -> bool:
    """True if a weight meets values that have its shape in their last axes, and further axes before them."""
    if not isinstance(inputs, Tensor) or not isinstance(weight, Tensor) or watch.name_of(inputs) is not None:
        return False
    count = weight.dim()
    return count > 0 and inputs.dim() > count and inputs.shape[-count:] == weight.shape


def _conv(axes: int) -> Callable[..., Tensor | None]:
    def convolved(
        watch: Watch,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor | None:
        """A convolution as a linear map of its windows."""
        if groups != 1 or input.dim() != axes + 2:
            return None
        steps, holes = (_each(value, axes) for value in (stride, dilation))
        if isinstance(padding, str):
            if padding == "same" and any((h * (k - 1)) % 2 for h, k in zip(holes, weight.shape[2:], strict=True)):
                return None
            whole = [h * (k - 1) // 2 for h, k in zip(holes, weight.shape[2:], strict=True)]
            margins = whole if padding == "same" else [0] * axes
        else:
            margins = _each(padding, axes)
        kernel = list(weight.shape[2:])
        if axes == 1:
            input, kernel = input[:, :, None], [1, *kernel]
            steps, holes, margins = [1, *steps], [1, *holes], [0, *margins]
        windows = functional.unfold(
            input, tuple(kernel), dilation=tuple(holes), padding=tuple(margins), stride=tuple(steps)
        ).transpose(1, 2)
        flat = watch.at(weight).reshape(len(weight), -1)
        out = functional.linear(windows, flat, watch.at(bias))
        watch.note(weight, "linear", out, windows, bias=watch.name_of(bias))
        watch.note(bias, "shift", out)
        sizes = [
            (input.shape[2 + n] + 2 * margins[n] - holes[n] * (kernel[n] - 1) - 1) // steps[n] + 1
            for n in range(len(kernel))
        ]
        moved = out.transpose(1, 2)
        return moved if axes == 1 else moved.reshape(len(input), -1, *sizes)

    return convolved


def _each(value: Any, axes: int) -> list[int]:
    return [int(value)] * axes if isinstance(value, int) else [int(part) for part in value] * (axes // len(value))


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Scaled dot-product attention of products and a softmax, which can be differentiated twice."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        causal = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~causal, -torch.inf)
    if attn_mask is not None:
        masked = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if masked else scores + attn_mask
    return scores.softmax(-1).nan_to_num() @ value if attn_mask is not None else scores.softmax(-1) @ value


HANDLERS: Mapping[str, Callable[..., Tensor | None]] = {
    "linear": _linear, "matmul": _matmul, "__matmul__": _matmul, "mm": _matmul, "addmm": _addmm,
    "embedding": _embedding, "layer_norm": _layer_norm, "rms_norm": _rms_norm, "batch_norm": _batch_norm,
    "conv1d": _conv(1), "conv2d": _conv(2), "mul": _mul, "__mul__": _mul, "__rmul__": _mul, "add": _add,
    "__add__": _add, "__radd__": _add, "lstm_cell": run_cell("lstm"), "gru_cell": run_cell("gru"),
    "rnn_tanh_cell": run_cell("rnn_tanh"), "rnn_relu_cell": run_cell("rnn_relu"),
}  # fmt: skip
