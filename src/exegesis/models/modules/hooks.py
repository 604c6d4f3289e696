"""Forward hooks that show a running module's recurrent layer, and how its states become outputs.

The hooks watch the parts that the module calls, and everything is recognised by value (see also
``models.modules.readout``). Nothing is assumed from the code or the names of the module, and what is not recognised is
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.overrides import TorchFunctionMode

from exegesis.core.errors import UnsupportedError
from exegesis.models.modules.last_layer import head
from exegesis.models.modules.readout import Pooling, Readout, choices, recognise
from exegesis.nn.lstm_variants import VariantLSTM
from exegesis.nn.recurrent import GATES, Weights, follows, kind_of, stacked, weights_in
from exegesis.protocols.recurrent import Direction, Term, Unrolled


@dataclass
class Recording:
    """The recurrent layers and other parts that ran in a run of a module, with their inputs and outputs.

    ``recurrent`` has each call of a recurrent layer: the layer, its input, its initial state, its output; ``weights``
    has its weights at that time (some modules set weights anew in every call). ``parts`` has, in order, every other
    part that ran after the first of them, and every softmax, with its first input and its output. ``variant`` is the
    kind of a ``VariantLSTM`` that ran.
    """

    recurrent: list[tuple[nn.RNNBase, Any, Any, Any]] = field(default_factory=list)
    weights: list[list[list[list[Tensor | None]]]] = field(default_factory=list)
    variant: str = ""
    parts: list[tuple[object, Any, Any]] = field(default_factory=list)


class _Softmaxes(TorchFunctionMode):
    """Notes the results of softmax functions: weights of attention may be among them."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == "softmax":
            self.recording.parts.append((func, args[0] if args else None, result))
        return result


@contextmanager
def watching(module: nn.Module, *, functions: bool) -> Iterator[Recording]:
    """Record the inputs and outputs of a module's parts for the length of a block; hooks are removed at its end.

    What other threads run meanwhile is not recorded.
    ``functions``: softmax functions are recorded too, so that attention is recorded.
    """
    recording, me = Recording(), get_ident()

    def note(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if get_ident() != me:
            return
        received = [*args, *kwargs.values()]
        first = kwargs.get("input", received[0] if received else None)
        if isinstance(part, nn.RNNBase):
            recording.recurrent.append((part, first, kwargs.get("hx", args[1] if len(args) > 1 else None), result))
            recording.weights.append(weights_in(part))
        elif isinstance(part, VariantLSTM):
            recording.variant = part.kind
        elif recording.recurrent or isinstance(
            part, nn.Softmax
        ):  # what comes before the recurrent layer may weigh its states
            recording.parts.append((part, first, result))

    with ExitStack() as after:
        for part in module.modules():
            after.callback(part.register_forward_hook(note, with_kwargs=True).remove)
        if functions:
            after.enter_context(_Softmaxes(recording))
        yield recording


def unroll(
    recording: Recording, outputs: Float[Tensor, "b c"], lengths: Int[Tensor, " b"], readout: Readout, folded: int = 0
) -> Unrolled:
    """The recurrent pass of a run, ``folded`` linear parts folded into the last one (see ``last_layer.head``).

    Raises UnsupportedError, by name, for a part that is not traceable.
    """
    layers = _layers(recording, lengths)
    weight, bias, read = head(recording.parts, outputs, lengths, folded)
    results = [result for _, _, result in recording.parts]
    terms = recognise(layers[-1], weight, read, results, readout)
    return Unrolled(layers, terms, bias, outputs.to(bias.dtype), folded=folded > 0)


def readouts(
    recording: Recording, outputs: Float[Tensor, "b c"], lengths: Int[Tensor, " b"], folded: int = 0
) -> list[list[Pooling]]:
    """All readouts that fit a run, block by block (see ``readout.choices``)."""
    layers = _layers(recording, lengths)
    _, _, read = head(recording.parts, outputs, lengths, folded)
    return choices(layers, read, [result for _, _, result in recording.parts], _last_cells(recording, layers))


def _layers(recording: Recording, lengths: Int[Tensor, " b"]) -> tuple[tuple[Direction, ...], ...]:
    """All layers of the recurrent part that ran last."""
    if not recording.recurrent and recording.variant:
        raise UnsupportedError(
            f"its recurrent layer is the LSTM variant {recording.variant!r} (Arras et al. 2019, Sec. 11.4), and the "
            "method is defined for nn.LSTM, nn.GRU and nn.RNN"
        )
    if not recording.recurrent:
        raise UnsupportedError("the module runs no nn.LSTM, nn.GRU or nn.RNN")
    part, received, state, result = recording.recurrent[-1]
    if getattr(part, "proj_size", 0):
        raise UnsupportedError("an LSTM with projections (proj_size) has no states h = o tanh(c): drop proj_size")
    own = UnsupportedError(
        f"its recurrent layer ({type(part).__name__}) gives other states than torch makes of its inputs and weights: a "
        "forward of its own, a hook or an operation in place changes them, so its steps are out of sight"
    )
    states = result if isinstance(result, Tensor | PackedSequence) or not isinstance(result, tuple) else result[0]
    if not all(isinstance(value, Tensor | PackedSequence) for value in (received, states)):
        raise own
    if isinstance(received, Tensor) and isinstance(states, Tensor) and received.ndim != states.ndim:
        raise own
    inputs, states = _padded(received, part, lengths), _padded(states, part, lengths)
    kind, weights = kind_of(part), recording.weights[-1]
    start = None if state is None else tuple(state) if isinstance(state, tuple | list) else (state,)
    if not _fit(kind, weights, inputs, states, start):
        raise own
    if start is not None:
        start = tuple(value.detach().reshape(len(value), len(lengths), -1) for value in start)
    layers = stacked(kind, weights, inputs, states, lengths, start)
    if not all(follows(direction) for direction in layers[-1]):
        raise own
    return layers


def _fit(kind: str, weights: Weights, inputs: Tensor, states: Tensor, start: Sequence[Any] | None) -> bool:
    """True if weights, inputs, states and first states have types and shapes that fit a layer of torch."""
    ways, gates = len(weights[0]), len(GATES[kind])
    size, wide = states.shape[-1] // ways, inputs.shape[-1]
    values = [inputs, states, *(start or ())]
    for layer in weights:
        for w_ih, w_hh, b_ih, b_hh in layer:
            if w_ih is None or w_hh is None or (b_ih is None) != (b_hh is None):
                return False
            if w_ih.shape != (gates * size, wide) or w_hh.shape != (gates * size, size):
                return False
            values += [value for value in (w_ih, w_hh, b_ih, b_hh) if value is not None]
        wide = ways * size
    if not all(isinstance(value, Tensor) and value.dtype == inputs.dtype for value in values):
        return False
    rows, count = len(inputs), ways * len(weights)
    fitting = all(len(value) == count and value.numel() == count * rows * size for value in start or ())
    return fitting and (start is None or len(start) == (2 if kind == "lstm" else 1))


def _last_cells(recording: Recording, layers: Sequence[Sequence[Direction]]) -> Float[Tensor, "l b h"] | None:
    """The last cell states of an LSTM, of all layers and directions; None if the layer gives none in torch's shape."""
    result, rows = recording.recurrent[-1][3], layers[-1][0].hidden
    last = result[1] if isinstance(result, tuple) and len(result) == 2 else None
    count = len(layers) * len(layers[0])
    if not isinstance(last, tuple) or len(last) != 2 or not isinstance(last[1], Tensor) or len(last[1]) != count:
        return None
    fits = last[1].numel() == count * len(rows) * rows.shape[-1]
    return last[1].reshape(count, len(rows), -1) if fits else None


def join(parts: Sequence[Unrolled], order: Int[Tensor, " b"]) -> Unrolled:
    """Passes over parts of a batch as one, rows in the order of ``order``, padded on the right to the longest.

    Raises UnsupportedError if the parts read their states in different ways.
    """
    first = parts[0]
    for part in parts[1:]:
        if [_signature(term) for term in part.terms] != [_signature(term) for term in first.terms]:
            raise UnsupportedError("the module reads its states in different ways for texts of different lengths")

    def rows(values: Sequence[Tensor]) -> Tensor:
        if len(values) == 1:
            return values[0][order]
        if values[0].ndim < 3:
            return torch.cat(list(values))[order]
        width = max(value.shape[1] for value in values)
        return torch.cat([torch.nn.functional.pad(v, (0, 0, 0, width - v.shape[1])) for v in values])[order]

    def direction(many: Sequence[Direction]) -> Direction:
        return replace(
            many[0],
            inputs=rows([d.inputs for d in many]),
            hidden=rows([d.hidden for d in many]),
            h0=rows([d.h0 for d in many]),
            c0=None if many[0].c0 is None else rows([d.c0 for d in many if d.c0 is not None]),
            lengths=rows([d.lengths for d in many]),
        )

    layers = tuple(
        tuple(direction([part.layers[i][j] for part in parts]) for j in range(len(layer)))
        for i, layer in enumerate(first.layers)
    )
    terms = tuple(
        replace(term, weights=rows([part.terms[n].weights for part in parts])) for n, term in enumerate(first.terms)
    )
    return replace(first, layers=layers, terms=terms, outputs=rows([part.outputs for part in parts]))


def _signature(term: Term) -> tuple[int, str, int]:
    return term.direction, term.kind, term.weights.shape[-1]


def _padded(value: Any, part: nn.RNNBase, lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t d"]:
    """A recurrent layer's input or output as one padded tensor, texts first."""
    rows, width = len(lengths), int(lengths.max())
    if isinstance(value, PackedSequence):
        padded: Tensor
        padded, packed = pad_packed_sequence(value, batch_first=True)
        if not torch.equal(packed, lengths.cpu()):
            raise UnsupportedError("the packed sequence does not hold the texts in order, one position per piece")
        return padded.detach()
    if not isinstance(value, Tensor) or value.ndim not in ((2, 3) if rows == 1 else (3,)):
        raise UnsupportedError("the recurrent layer reads an unbatched input; it must read [batch, time, size]")
    if value.ndim == 2:
        value = value[None]
    elif not part.batch_first:
        value = torch.transpose(value, 0, 1)
    if value.shape[0] != rows or value.shape[1] < width:
        raise UnsupportedError(
            f"the recurrent layer reads {value.shape[1]} positions of {value.shape[0]} rows for {rows} texts of up to "
            f"{width} pieces: one position per piece is needed"
        )
    cut: Tensor = value[:, :width].detach()
    return cut
