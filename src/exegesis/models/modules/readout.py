"""Readouts: the ways from recurrent states to the outputs of a module, recognised by value.

A readout is *recognised* when the vector that the last linear layer reads equals, number by number, a pooling of the
recurrent states, or several side by side. Others are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.nn.recurrent import reading_order
from exegesis.nn.rounding import near
from exegesis.protocols.recurrent import Direction, Term

Pooling = tuple[tuple[float, int, str], ...]  # the summands of one block: each a scale, a direction, a kind
Readout = tuple[Pooling, ...]  # block by block of the vector that the last layer reads

KINDS = ("last", "mean", "max", "sum", "first")
# poolings of the two directions that may be added: (of the normal one, of the reverse one)
ADDED = (("last", "last"), ("last", "first"), ("first", "last"), ("mean", "mean"), ("max", "max"), ("sum", "sum"))


def choices(
    layers: Sequence[Sequence[Direction]],
    read: Float[Tensor, "b m"],
    results: Sequence[Any],
    cells: Float[Tensor, "l b h"] | None = None,
) -> list[list[Pooling]]:
    """All poolings of the top layer that equal a block of the vector that the last layer reads, for each block.

    ``results`` are those of the module's other parts: attention weights may be among them. Raises UnsupportedError for
    a block that is not a pooling; it says so if the block is the state of a lower layer, or one of the last ``cells``.
    """
    top = layers[-1]
    pools = [_Pools(direction, results) for direction in top]
    blocks = _blocks(read, top)
    table, tight = _Table.of(pools, _poolings(pools)), _tight(read)
    matches = [table.like(block, tight) for block in blocks]
    if not all(matches):
        unmatched = [block for block, poolings in zip(blocks, matches, strict=True) if not poolings]
        raise _other_states(unmatched, layers, cells) or _unrecognised(list(read.shape), top[0].hidden.shape[-1])
    return [list(dict.fromkeys(_named(pooling) for pooling in poolings)) for poolings in matches]


def settle(parts: Sequence[list[list[Pooling]]]) -> Readout:
    """The readout that fits several runs: on one short text a maximum may be the last state, on all of them it is not.

    Raises UnsupportedError if none fits all.
    """
    readout = []
    for block in zip(*parts, strict=True):
        common = [pooling for pooling in block[0] if all(pooling in poolings for poolings in block[1:])]
        if not common:
            raise UnsupportedError("the module reads its states in different ways for different texts")
        readout.append(common[0])
    return tuple(readout)


def recognise(
    top: Sequence[Direction],
    weight: Float[Tensor, "c m"],
    read: Float[Tensor, "b m"],
    results: Sequence[Any],
    readout: Readout,
) -> tuple[Term, ...]:
    """Recognise the readout again, and take its weights from these texts.

    If a block is another pooling than before, its weights hold for these texts only, as those of attention do, and
    so does its kind. Raises UnsupportedError for a block that is not a pooling.
    """
    size = top[0].hidden.shape[-1]
    pools = [_Pools(direction, results) for direction in top]
    tables: dict[Pooling, _Table] = {}
    tight = 0.0  # measured only if numbers are not the same to the last bit
    terms: list[Term] = []
    for number, (block, expected) in enumerate(zip(_blocks(read, top), readout, strict=True)):
        columns = weight[:, number * size : (number + 1) * size]
        fixed = all(kind != "attention" for _, _, kind in expected)
        if fixed and equal(block, _value(expected, pools)):
            pooling = expected
        else:
            if expected not in tables:
                candidates = [pooling for pooling in _poolings(pools) if fixed or _named(pooling) == expected]
                tables[expected] = _Table.of(pools, candidates)
            tight = tight or _tight(read)
            matches = tables[expected].like(block, tight)
            if not matches:
                raise _unrecognised(list(read.shape), size)
            pooling, fixed = matches[0], False
        for scale, way, kind in pooling:
            name = kind if fixed else "attention"
            terms.append(Term(way, name, pools[way].weights(kind), scale * columns))
    return tuple(terms)


def _blocks(read: Tensor, top: Sequence[Direction]) -> list[Tensor]:
    size = top[0].hidden.shape[-1]
    if read.shape[1] % size:
        raise _unrecognised(list(read.shape), size)
    return list(torch.split(read, size, 1))


def _named(pooling: Pooling) -> Pooling:
    """The pooling with plain names: ``attention`` for ``attention 3``."""
    return tuple((scale, way, kind.split()[0]) for scale, way, kind in pooling)


class _Pools:
    """The poolings of one direction's states, each computed when it is first needed."""

    def __init__(self, direction: Direction, results: Sequence[Any]) -> None:
        self.hidden, self.reverse = direction.hidden, direction.reverse
        self.lengths = direction.lengths.to(self.hidden.device)
        step = torch.arange(self.hidden.shape[1], device=self.hidden.device)
        self.mask = (step < self.lengths[:, None])[..., None]
        self._results = results
        self._weights: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {}

    def weights(self, kind: str) -> Float[Tensor, "b t u"]:
        if kind not in self._weights:
            step = torch.arange(self.hidden.shape[1], device=self.hidden.device)
            if kind == "max":
                top = self.hidden.masked_fill(~self.mask, -torch.inf).argmax(1, keepdim=True)
                weights = torch.zeros_like(self.hidden).scatter_(1, top, 1.0)
            elif kind in ("last", "first"):
                place = self.lengths[:, None] - 1 if kind == "last" else torch.zeros_like(self.lengths[:, None])
                weights = (step == place)[..., None].to(self.hidden.dtype)
            else:
                weights = self.mask.to(self.hidden.dtype)
                weights = weights / self.lengths[:, None, None] if kind == "mean" else weights
            self._weights[kind] = weights
        return self._weights[kind]

    def value(self, kind: str) -> Float[Tensor, "b h"]:
        if kind == "last":
            return self.hidden[torch.arange(len(self.hidden), device=self.hidden.device), self.lengths - 1]
        if kind not in self._values:
            self._values[kind] = (self.weights(kind) * self.hidden.masked_fill(~self.mask, 0.0)).sum(1)
        return self._values[kind]

    def attentions(self) -> list[str]:
        """The results of other parts that may be weights over positions, named ``attention 0``, ``attention 1``."""
        if not any(kind.startswith("attention") for kind in self._weights):
            rows, width = self.hidden.shape[:2]
            candidates = [weights for value in self._results for weights in _attention(value, rows, width)]
            for number, weights in enumerate(candidates):
                turned = reading_order(weights, self.lengths, self.reverse)
                self._weights[f"attention {number}"] = turned.masked_fill(~self.mask, 0.0)
        return [kind for kind in self._weights if kind.startswith("attention")]


def _value(pooling: Pooling, pools: Sequence[_Pools]) -> Tensor:
    first, *rest = [scale * pools[way].value(kind) for scale, way, kind in pooling]
    return sum(rest, first)


def _poolings(pools: Sequence[_Pools]) -> list[Pooling]:
    """All poolings that a block may be: of one direction, then the sum or mean of both."""
    shared = [kind for kind in pools[0].attentions() if all(kind in pool.attentions() for pool in pools)]
    ways = range(len(pools))
    single: list[Pooling] = [((1.0, way, kind),) for kind in KINDS for way in ways]
    single += [((1.0, way, kind),) for way in ways for kind in pools[way].attentions()]
    pairs = [*ADDED, *((kind, kind) for kind in shared)] if len(pools) == 2 else []
    return [*single, *(((s, 0, normal), (s, 1, reverse)) for normal, reverse in pairs for s in (1.0, 0.5))]


@dataclass(frozen=True, eq=False)
class _Table:
    """Poolings with their values [n, b, h], so that a block is compared with all of them at once."""

    poolings: list[Pooling]
    values: Tensor

    @classmethod
    def of(cls, pools: Sequence[_Pools], poolings: list[Pooling]) -> _Table:
        return cls(
            poolings, torch.stack([_value(pooling, pools) for pooling in poolings]) if poolings else torch.empty(0)
        )

    def like(self, block: Tensor, tight: float) -> list[Pooling]:
        """The poolings that equal a block."""
        if self.values.shape[1:] != block.shape or block.numel() == 0:
            return []
        scale = self.values.abs().amax((1, 2)) + block.abs().max()
        far = ((self.values - block).abs().amax((1, 2)) > tight * scale).tolist()
        return [
            pooling
            for pooling, value, off in zip(self.poolings, self.values, far, strict=True)
            if not off and _close(block, value, tight)
        ]


def _attention(value: Any, rows: int, width: int) -> list[Float[Tensor, "b t 1"]]:
    """A part's result as weights over positions, in every way in which it can be read so."""
    value = value[-1] if isinstance(value, tuple) and value else value
    if not isinstance(value, Tensor) or not value.is_floating_point() or rows * width == 0:
        return []
    if value.numel() != rows * width:
        return _hops(value, rows, width)
    shape = [side for side in value.shape if side != 1] or [1]
    whole = [side for side in (rows, width) if side != 1] or [1]
    readings = []
    if shape == whole:
        readings.append(value.reshape(rows, width, 1))
    if shape == whole[::-1]:
        readings.append(value.reshape(width, rows).t()[..., None])
    return [weights for weights in readings if bool((weights >= 0).all())]


def _hops(value: Tensor, rows: int, width: int) -> list[Float[Tensor, "b t 1"]]:
    """Multi-hop attention, each hop's weights summing to one: every hop, and the sum and the mean of all hops."""
    if value.ndim != 3 or bool((value < 0).any()):
        return []
    readings: list[Tensor] = []
    for order in permutations(range(3)):
        turned = value.permute(order)
        if turned.shape[:2] == (rows, width) and equal(turned.sum(1), torch.ones_like(turned[:, 0])):
            readings += [*torch.split(turned, 1, 2), turned.sum(2, keepdim=True), turned.mean(2, keepdim=True)]
    return readings


def _other_states(
    blocks: Sequence[Tensor], layers: Sequence[Sequence[Direction]], cells: Tensor | None
) -> UnsupportedError | None:
    """The error for blocks that are states of another kind than those of the top layer; None if none is."""
    lower = [_Pools(direction, ()).value(kind) for layer in layers[:-1] for direction in layer for kind in KINDS]
    for block in blocks:
        if any(equal(block, state) for state in lower):
            return UnsupportedError(
                "the last nn.Linear reads states of a recurrent layer below the top one (all of h_n, say): let it read "
                "the top layer's alone (h_n[-1], of two directions h_n[-2:])"
            )
        if cells is not None and any(equal(block, cell) for cell in cells):
            return UnsupportedError(
                "the last nn.Linear reads the cell state c_n of an LSTM, which no output gate has weighed: let it read "
                "the hidden state h_n"
            )
    return None


def equal(block: Tensor, candidate: Tensor) -> bool:
    """True if two tensors are the same numbers, computed in two ways."""
    return torch.equal(block, candidate) or _close(block, candidate, _tight(block))


def _tight(block: Tensor) -> float:
    return near(block, double=1e-11, single=1e-5)


def _close(block: Tensor, candidate: Tensor, tight: float) -> bool:
    if torch.equal(block, candidate):
        return True
    scale = float(block.detach().abs().max()) if block.numel() else 0.0
    return block.shape == candidate.shape and torch.allclose(block, candidate, rtol=tight, atol=tight * scale)


def _unrecognised(shape: list[int], size: int) -> UnsupportedError:
    return UnsupportedError(
        f"the last nn.Linear reads a vector of shape {shape} that is not a last, first, mean, max, summed or "
        f"attention-weighted recurrent state (of size {size} per direction): let it read one of these, no layer "
        "between; weights of attention are seen where a softmax or a part of the module gives them"
    )
