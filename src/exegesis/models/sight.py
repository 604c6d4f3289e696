"""Seeing into a module as it runs: its word vectors, its recurrent layer, and how the states become outputs.

Everything is found by forward hooks on the parts that the module calls, by value: a readout is *recognised* when the
vector that the last linear layer reads equals, number by number, a pooling of the recurrent states. Nothing is assumed
from the code or the names of the module, and what is not recognised is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.core.errors import UnsupportedError
from exegesis.core.recurrent import Direction, Term, Unrolled
from exegesis.nn.recurrent import directions, reading_order


@dataclass
class Seen:
    """What one run of a module showed: the calls of its recurrent layers and of all leaf parts, in order."""

    recurrent: list[tuple[nn.RNNBase, tuple[Any, ...], Any]] = field(default_factory=list)
    leaves: list[tuple[nn.Module, Any, Any]] = field(default_factory=list)


@contextmanager
def watching(module: nn.Module) -> Iterator[Seen]:
    """Record what the parts of a module receive and give, for the length of a block; hooks are removed at its end."""
    seen = Seen()

    def on_recurrent(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], given: Any) -> None:
        assert isinstance(part, nn.RNNBase)
        seen.recurrent.append((part, (*args, *kwargs.values()), given))

    def on_leaf(part: nn.Module, args: tuple[Any, ...], given: Any) -> None:
        if seen.recurrent:  # only what comes behind the recurrent layer matters
            seen.leaves.append((part, args[0] if args else None, given))

    handles = []
    try:
        for part in module.modules():
            if isinstance(part, nn.RNNBase):
                handles.append(part.register_forward_hook(on_recurrent, with_kwargs=True))
            else:
                handles.append(part.register_forward_hook(on_leaf))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def replacing(parts: Sequence[nn.Embedding], give: Callable[[int, Tensor, Tensor], Tensor | None]) -> Iterator[None]:
    """Let ``give(number, ids, vectors)`` look at, and replace, what each embedding gives; None leaves it."""
    handles = []
    try:
        for number, part in enumerate(parts):

            def hook(_: nn.Module, args: tuple[Any, ...], given: Tensor, number: int = number) -> Tensor | None:
                return give(number, args[0], given)

            handles.append(part.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def unroll(seen: Seen, outputs: Float[Tensor, "b c"], lengths: Int[Tensor, " b"]) -> Unrolled:
    """The recurrent pass that a run showed. Raises UnsupportedError, by name, where it cannot be seen through."""
    if not seen.recurrent:
        raise UnsupportedError("the module runs no nn.LSTM, nn.GRU or nn.RNN")
    part, args, given = seen.recurrent[-1]
    if getattr(part, "proj_size", 0):
        raise UnsupportedError("an LSTM with projections (proj_size) has no states h = o tanh(c): drop proj_size")
    inputs, states = _padded(args[0], part, lengths), _padded(given[0], part, lengths)
    state = args[1] if len(args) > 1 and args[1] is not None else None
    start = None if state is None else (tuple(state) if isinstance(state, tuple) else (state,))
    layers = directions(part, inputs, states, lengths, start)
    head, read = _head(seen, outputs, lengths)
    terms = _recognise(layers[-1], head.weight, read, seen, lengths)
    bias = head.bias if head.bias is not None else outputs.new_zeros(outputs.shape[1])
    return Unrolled(layers, terms, bias, outputs)


def join(parts: Sequence[Unrolled], order: Int[Tensor, " b"]) -> Unrolled:
    """Passes over parts of a batch as one, rows in the order given, padded on the right to the longest.

    Raises UnsupportedError where the parts read their states in different ways.
    """
    first = parts[0]
    for part in parts[1:]:
        alike = [(t.direction, t.weights.shape[-1]) for t in part.terms] == [
            (t.direction, t.weights.shape[-1]) for t in first.terms
        ]
        if not alike:
            raise UnsupportedError("the module reads its states in different ways for texts of different lengths")

    def rows(values: Sequence[Tensor | None]) -> Tensor:
        known = [value for value in values if value is not None]
        if known[0].ndim < 3:
            return torch.cat(known)[order]
        width = max(value.shape[1] for value in known)
        return torch.cat([torch.nn.functional.pad(v, (0, 0, 0, width - v.shape[1])) for v in known])[order]

    def direction(many: Sequence[Direction]) -> Direction:
        names = ["inputs", "hidden", "h0", "lengths", *(["c0"] if many[0].c0 is not None else [])]
        return replace(many[0], **{name: rows([getattr(d, name) for d in many]) for name in names})

    layers = tuple(
        tuple(direction([part.layers[i][j] for part in parts]) for j in range(len(layer)))
        for i, layer in enumerate(first.layers)
    )
    terms = tuple(
        replace(term, weights=rows([part.terms[n].weights for part in parts])) for n, term in enumerate(first.terms)
    )
    return Unrolled(layers, terms, first.bias, rows([part.outputs for part in parts]))


def _padded(value: Any, part: nn.RNNBase, lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t d"]:
    """A recurrent layer's input or output as one padded tensor, texts first."""
    rows, width = len(lengths), int(lengths.max())
    if isinstance(value, PackedSequence):
        padded: Tensor
        padded, packed = pad_packed_sequence(value, batch_first=True)
        if not torch.equal(packed, lengths.cpu()):
            raise UnsupportedError("the packed sequence does not hold the texts in order, one position a piece")
        return padded
    if not isinstance(value, Tensor) or value.ndim != 3:
        raise UnsupportedError("the recurrent layer reads an unbatched input; it must read [batch, time, size]")
    value = value if part.batch_first else value.transpose(0, 1)
    if value.shape[0] != rows or value.shape[1] < width:
        raise UnsupportedError(
            f"the recurrent layer reads {value.shape[1]} positions of {value.shape[0]} rows for {rows} texts of up to "
            f"{width} pieces: one position a piece is needed"
        )
    return value[:, :width]


def _head(seen: Seen, outputs: Tensor, lengths: Tensor) -> tuple[nn.Linear, Float[Tensor, "b m"]]:
    """The last linear layer, whose result are the outputs, and the vector that it reads."""
    for part, args, given in reversed(seen.leaves):
        if not isinstance(part, nn.Linear) or not isinstance(given, Tensor) or given.shape[-1] != outputs.shape[1]:
            continue
        flat = given.reshape(len(given), -1) if given.ndim == 2 or given.shape[0] == 1 else given
        if given.ndim == 2 and torch.equal(given, outputs):
            return part, args
        if given.ndim == 1 and torch.equal(given[None], outputs):
            return part, args[None]
        if given.ndim == 3 and flat is given and given.shape[0] == len(outputs):
            rows = torch.arange(len(outputs), device=outputs.device)
            last = lengths.to(outputs.device) - 1
            if last.max() < given.shape[1] and torch.equal(given[rows, last], outputs):
                return part, args[rows, last]
    raise UnsupportedError(
        "its outputs are not the result of an nn.Linear called last, so the way from states to logits is out of sight: "
        "end the module in an nn.Linear that reads pooled states"
    )


def _recognise(
    top: Sequence[Direction], weight: Tensor, read: Tensor, seen: Seen, lengths: Int[Tensor, " b"]
) -> tuple[Term, ...]:
    """Cut the vector that the last layer reads into blocks, each a pooling of one direction's states (or of a sum)."""
    size = top[0].hidden.shape[-1]
    if read.ndim != 2 or read.shape[1] % size:
        raise _unseen(list(read.shape), size)
    pools = [_Pools(number, direction, seen) for number, direction in enumerate(top)]
    terms: list[Term] = []
    for start in range(0, read.shape[1], size):
        found = _match(read[:, start : start + size], pools)
        if found is None:
            raise _unseen(list(read.shape), size)
        scale, kind = found[0], found[1]
        columns = scale * weight[:, start : start + size]
        terms += [Term(pool.number, kind.split()[0], pool.weights(kind), columns) for pool in found[2]]
    return tuple(terms)


KINDS = ("last", "mean", "max", "sum", "first")


class _Pools:
    """The poolings of one direction's states, each computed when first asked for."""

    def __init__(self, number: int, direction: Direction, seen: Seen) -> None:
        self.number = number
        self.hidden, self.reverse = direction.hidden, direction.reverse
        self.lengths = direction.lengths.to(self.hidden.device)
        self._seen = seen
        self._weights: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {}

    def kinds(self) -> list[str]:
        return [*KINDS, *self._attentions()]

    def weights(self, kind: str) -> Float[Tensor, "b t u"]:
        if kind not in self._weights and kind in KINDS:
            step = torch.arange(self.hidden.shape[1], device=self.hidden.device)
            mask = (step < self.lengths[:, None])[..., None]
            if kind == "max":
                top = self.hidden.masked_fill(~mask, -torch.inf).argmax(1, keepdim=True)
                found = torch.zeros_like(self.hidden).scatter_(1, top, 1.0)
            elif kind in ("last", "first"):
                place = self.lengths[:, None] - 1 if kind == "last" else torch.zeros_like(self.lengths[:, None])
                found = (step == place)[..., None].to(self.hidden.dtype)
            else:
                found = mask.to(self.hidden.dtype)
                found = found / self.lengths[:, None, None] if kind == "mean" else found
            self._weights[kind] = found
        return self._weights[kind]

    def value(self, kind: str) -> Float[Tensor, "b h"]:
        if kind == "last":
            return self.hidden[torch.arange(len(self.hidden), device=self.hidden.device), self.lengths - 1]
        if kind not in self._values:
            self._values[kind] = (self.weights(kind) * self.hidden).sum(1)
        return self._values[kind]

    def _attentions(self) -> list[str]:
        """Every leaf result that may be weights over positions, under the names ``attention 0``, ``attention 1``."""
        found = []
        rows, width = self.hidden.shape[:2]
        step = torch.arange(width, device=self.hidden.device)
        for number, (_, _, given) in enumerate(self._seen.leaves):
            weights = _attention(given[-1] if isinstance(given, tuple) else given, rows, width)
            if weights is not None:
                turned = reading_order(weights, self.lengths, self.reverse)
                self._weights[f"attention {number}"] = turned * (step < self.lengths[:, None])[..., None]
                found.append(f"attention {number}")
        return found


def _match(block: Tensor, pools: Sequence[_Pools]) -> tuple[float, str, Sequence[_Pools]] | None:
    """The pooling, of one direction or of the sum or mean of both, that equals a block."""
    for kind in pools[0].kinds():
        for pool in pools:
            if kind in pool.kinds() and _equal(block, pool.value(kind)):
                return 1.0, kind, [pool]
        if len(pools) == 2:
            summed = pools[0].value(kind) + pools[1].value(kind)
            for scale in (1.0, 0.5):
                if _equal(block, scale * summed):
                    return scale, kind, pools
    return None


def _attention(value: Any, rows: int, width: int) -> Float[Tensor, "b t 1"] | None:
    """A leaf's result as weights over positions, if that is what it is."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.numel() < rows * width:
        return None
    shape = list(value.shape)
    if shape in ([rows, 1, width], [rows, width]) and width > 0:
        value = value.reshape(rows, width, 1)
    elif shape in ([width, rows], [width, rows, 1]):
        value = value.reshape(width, rows, 1).transpose(0, 1)
    elif shape != [rows, width, 1]:
        return None
    return value if bool((value >= 0).all()) else None


def _equal(block: Tensor, candidate: Tensor) -> bool:
    tight = {torch.float64: 1e-11, torch.float32: 1e-5}.get(block.dtype, 1e-2)
    return torch.allclose(block, candidate, rtol=tight, atol=tight)


def _unseen(shape: list[int], size: int) -> UnsupportedError:
    return UnsupportedError(
        f"the last nn.Linear reads a vector of shape {shape} that is no last, first, mean, max, summed or attention-"
        f"weighted recurrent state (of size {size}): let it read one of these, with attention weights given by a "
        "submodule (for example nn.Softmax), and no layer between"
    )
