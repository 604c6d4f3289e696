"""A second device, in this machine's own memory: what is on it and what is not is told apart as with a GPU.

``torch.device("elsewhere")`` behaves as CUDA does where a library goes wrong about devices. Operations over tensors of
both devices raise (but for a number without dimensions, an index on the CPU, and what packing wants on the CPU), a
tensor there has no ``numpy()``, a CPU generator draws nothing there, the backward pass runs on a thread of its own.
The recurrent kernels are cuDNN's in three ways: they refuse the backward pass of a layer that ran in evaluation mode,
they round the factors of their float32 products to TF32 (11 bits) where ``torch.backends.cudnn.allow_tf32`` says so,
as it does by default, and they cannot be differentiated twice. Arithmetic is the CPU's own in every other respect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "elsewhere"
_doubles = True


@contextmanager
def without_doubles() -> Iterator[None]:
    """For a while the device has no float64, as Apple's has none."""
    global _doubles
    _doubles = False
    try:
        yield
    finally:
        _doubles = True


class _Backend(_DummyBackendModule):
    """What ``torch.elsewhere`` offers, as ``torch.cuda`` does."""

    def get_rng_state(self, device: object = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: object = None) -> None:
        torch.set_rng_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


_setup_privateuseone_for_python_backend(NAME, _Backend())
DEVICE = torch.device(NAME, 0)
OTHERS = [NAME, *(["cuda"] if torch.cuda.is_available() else [])]


class There(Tensor):
    """A tensor of the second device; its values are in ``raw``, an ordinary one."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> There:
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, raw.size(), raw.stride(), raw.storage_offset(), dtype=raw.dtype, device=DEVICE
        )

    def __init__(self, raw: Tensor) -> None:
        if raw.dtype == torch.float64 and not _doubles:
            raise TypeError(f"Cannot convert a tensor to float64: {NAME} does not support it, use float32 instead")
        self.raw = raw.detach()

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError(f"can't convert {NAME}:0 device type tensor to numpy. Use Tensor.cpu() first")
        return self.raw.numpy()

    def tolist(self) -> Any:
        return self.raw.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"There({self.raw!r})"


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation on the values, once all its tensors are found where they have to be."""
    name = func.name().removeprefix("aten::").split(".")[0]
    given = list(_leaves((*args, *kwargs.values())))
    _check(name, args, kwargs, given)
    owners = {id(value.raw): value for value in given if isinstance(value, There)}
    raw_args, raw_kwargs = _mapped(_raw, args), {key: _mapped(_raw, value) for key, value in kwargs.items()}
    to = raw_kwargs.get("device")
    if to is not None:
        raw_kwargs["device"] = torch.device("cpu")
    found = func(*raw_args, **raw_kwargs)
    if to is not None and torch.device(to).type == "cpu":
        return found
    if name == "copy_":
        return args[0]
    if name in {"_pack_padded_sequence", "_pad_packed_sequence"}:
        return There(found[0]), found[1]
    return _mapped(lambda value: _own(value, owners), found)


def _leaves(values: Iterable[Any]) -> Iterator[Any]:
    """What stands in lists and tuples, at any depth: operations take nothing else that holds tensors."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _leaves(value)
        else:
            yield value


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)([_mapped(change, one) for one in value])
    return change(value)


def _own(value: Any, owners: dict[int, There]) -> Any:
    """What was changed in place is the argument itself; a new tensor is made one of the device."""
    if not isinstance(value, Tensor):
        return value
    return owners[id(value)] if id(value) in owners else There(value)


def _raw(value: Any) -> Any:
    return value.raw if isinstance(value, There) else value


MOVES = {"copy_", "_to_copy"}
SIZES_ON_CPU = {"_pack_padded_sequence", "_pad_packed_sequence", "_pack_padded_sequence_backward"}


def _check(name: str, args: Any, kwargs: dict[str, Any], given: list[Any]) -> None:
    generator = kwargs.get("generator")
    if generator is not None and generator.device.type == "cpu":
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")
    if name in MOVES:
        return
    if name == "_pack_padded_sequence" and isinstance(args[1], There):
        raise RuntimeError("'lengths' argument should be a 1D CPU int64 tensor")
    if name in SIZES_ON_CPU or (name in {"index", "index_put_", "index_put"} and isinstance(args[0], There)):
        given = [value for place, value in enumerate(args) if place != 1]
    if any(isinstance(value, Tensor) and not isinstance(value, There) and value.dim() for value in given):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found {DEVICE} and cpu ({name})")


# recurrent layers -------------------------------------------------------------------------------------------------


def tf32(values: Tensor) -> Tensor:
    """Float32 numbers rounded to the 11 bits that TF32 keeps of them."""
    return ((values.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return tf32(rows) @ tf32(weight).t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        rows, weight = ctx.saved_tensors
        return tf32(grad) @ tf32(weight), tf32(grad).t() @ tf32(rows)


def _product(rows: Tensor, weight: Tensor) -> Tensor:
    if rows.dtype != torch.float32 or not torch.backends.cudnn.allow_tf32:
        return rows @ weight.t()
    found: Tensor = _Product.apply(rows, weight)  # type: ignore[no-untyped-call]
    return found


def _lstm(x: Tensor, h: Tensor, c: Tensor, w: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    i, f, g, o = (x + _product(h, w[1]) + sum(w[3:])).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru(x: Tensor, h: Tensor, c: Tensor, w: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    own = _product(h, w[1]) + sum(w[3:])
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, -1), own.chunk(3, -1)
    z, n = (xz + hz).sigmoid(), (xn + (xr + hr).sigmoid() * hn).tanh()
    return (1 - z) * n + z * h, c


def _rnn(act: Callable[[Tensor], Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    return lambda x, h, c, w: (act(x + _product(h, w[1]) + sum(w[3:])), c)


CELLS = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _rnn(torch.tanh), "rnn_relu": _rnn(torch.relu)}


def _layers(
    kind: str, x: Tensor, alive: Tensor, h0: Tensor, c0: Tensor, weights: Sequence[Tensor], biases: bool, ways: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Time-first inputs through stacked layers; ``alive[t, b]`` says whether a step is in the text."""
    each, last_h, last_c = 4 if biases else 2, [], []
    for layer in range(len(weights) // each // ways):
        outputs = []
        for way in range(ways):
            at = layer * ways + way
            w = weights[at * each : (at + 1) * each]
            first = _product(x.flatten(0, 1), w[0]).view(*x.shape[:2], -1) + (w[2] if biases else 0)
            h, c, states = h0[at], c0[at], [x.new_empty(0)] * len(x)
            for step in reversed(range(len(x))) if way else range(len(x)):
                new_h, new_c = CELLS[kind](first[step], h, c, w)
                h = torch.where(alive[step][:, None], new_h, h)
                c = torch.where(alive[step][:, None], new_c, c)
                states[step] = torch.where(alive[step][:, None], new_h, 0.0)
            outputs.append(torch.stack(states))
            last_h.append(h)
            last_c.append(c)
        x = torch.cat(outputs, -1)
    return x, torch.stack(last_h), torch.stack(last_c)


class _Kernel(torch.autograd.Function):
    """A recurrent layer in one node of the graph, as cuDNN is one."""

    @staticmethod
    def forward(ctx: Any, kind: str, train: bool, biases: bool, ways: int, sizes: Any, first: bool, *given: Tensor):  # type: ignore[no-untyped-def]
        ctx.train = train
        with torch.enable_grad():
            leaves = [_raw(value).detach().clone().requires_grad_() for value in given]
            x, h0, c0, *weights = leaves
            if sizes is not None:
                x, lengths = torch.nn.utils.rnn.pad_packed_sequence(PackedSequence(x, sizes))
            else:
                x = x.transpose(0, 1) if first else x
                lengths = torch.full((x.shape[1],), len(x))
            alive = torch.arange(len(x))[:, None] < lengths
            y, h, c = _layers(kind, x, alive, h0, c0, weights, biases, ways)
            if sizes is not None:
                y = torch.nn.utils.rnn.pack_padded_sequence(y, lengths).data
            elif first:
                y = y.transpose(0, 1)
        ctx.leaves, ctx.found = leaves, [value for value in (y, h, c) if value.requires_grad]
        return There(y), There(h), There(c)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor):  # type: ignore[no-untyped-def]
        if not ctx.train:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        raw = [_raw(grad) for grad in grads][: len(ctx.found)]
        found = torch.autograd.grad(ctx.found, ctx.leaves, raw, retain_graph=True, allow_unused=True)
        return (None,) * 6 + tuple(None if value is None else There(value) for value in found)


def _library_layer(kind: str, packed: bool) -> Callable[..., Any]:
    def layer(x: Tensor, *rest: Any) -> Any:
        sizes = None
        if packed:
            sizes, *rest = rest
        hx, weights, biases, _, dropout, train, both, *first = rest
        if train and dropout:
            raise NotImplementedError("dropout between the layers of the second device")
        h0, c0 = hx if kind == "lstm" else (hx, hx)
        for value in (x, h0, c0, *weights):
            if not isinstance(value, There):
                raise RuntimeError("Input and parameter tensors are not at the same device")
        y, h, c = _Kernel.apply(kind, train, biases, 1 + both, sizes, bool(first and first[0]), x, h0, c0, *weights)  # type: ignore[no-untyped-call]
        return (y, h, c) if kind == "lstm" else (y, h)

    return layer


def _lstm_cell(x: Tensor, hx: Sequence[Tensor], w: Tensor, u: Tensor, b: Any = None, d: Any = None) -> Any:
    i, f, g, o = (torch.nn.functional.linear(x, w, b) + torch.nn.functional.linear(hx[0], u, d)).chunk(4, -1)
    c = f.sigmoid() * hx[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_cell(x: Tensor, h: Tensor, w: Tensor, u: Tensor, b: Any = None, d: Any = None) -> Tensor:
    from_x, from_h = torch.nn.functional.linear(x, w, b).chunk(3, -1), torch.nn.functional.linear(h, u, d).chunk(3, -1)
    r, z = (from_x[0] + from_h[0]).sigmoid(), (from_x[1] + from_h[1]).sigmoid()
    return (1 - z) * (from_x[2] + r * from_h[2]).tanh() + z * h


_fallback = torch.library.Library("_", "IMPL")
_fallback.fallback(lambda func, *args, **kwargs: _run(func, args, kwargs), "PrivateUse1")
_kernels = torch.library.Library("aten", "IMPL")
for _kind in CELLS:
    for _form in ("input", "data"):
        _kernels.impl(f"{_kind}.{_form}", _library_layer(_kind, _form == "data"), "AutogradPrivateUse1")
_kernels.impl("copy_", lambda *given: _run(torch.ops.aten.copy_.default, given, {}), "PrivateUse1")  # torch.tensor's
_kernels.impl("lstm_cell", _lstm_cell, "AutogradPrivateUse1")
_kernels.impl("gru_cell", _gru_cell, "AutogradPrivateUse1")
