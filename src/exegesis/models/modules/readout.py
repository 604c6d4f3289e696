"""How recurrent states become the outputs of a module, recognised by value.

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

Pooling = tuple[tuple[float, int, str], ...]  # what is added for one block: each a scale, a direction, a kind
Readout = tuple[Pooling, ...]  # block by block of the vector that the last layer reads

KINDS = ("last", "mean", "max", "sum", "first")
# poolings of the two directions that may be added: (of the normal one, of the reverse one)
ADDED = (("last", "last"), ("last", "first"), ("first", "last"), ("mean", "mean"), ("max", "max"), ("sum", "sum"))


def choices(
    layers: Sequence[Sequence[Direction]],
    read: Float[Tensor, "b m"],
    given: Sequence[Any],
    cells: Float[Tensor, "l b h"] | None = None,
) -> list[list[Pooling]]:
    """For each block of the vector that the last layer reads, all poolings of the top layer that equal it on these
    texts.

    ``given`` is what the module's other parts gave: attention weights may be among it. Raises UnsupportedError for a
    block that is no pooling; where it is the state of a lower layer, or one of the last ``cells``, that is said.
    """
    top = layers[-1]
    pools = [_Pools(direction, given) for direction in top]
    blocks = _blocks(read, top)
    table, tight = _Table.of(pools, _poolings(pools)), _tight(read)
    found = [table.like(block, tight) for block in blocks]
    if not all(found):
        raise _other([block for block, one in zip(blocks, found, strict=True) if not one], layers, cells) or _unseen(
            list(read.shape), top[0].hidden.shape[-1]
        )
    return [list(dict.fromkeys(_named(one) for one in matches)) for matches in found]


def settle(parts: Sequence[list[list[Pooling]]]) -> Readout:
    """The readout that fits several runs: on one short text a maximum may be the last state, on all of them it is not.

    Raises UnsupportedError where none fits all.
    """
    settled = []
    for block in zip(*parts, strict=True):
        common = [pooling for pooling in block[0] if all(pooling in other for other in block[1:])]
        if not common:
            raise UnsupportedError("the module reads its states in different ways for different texts")
        settled.append(common[0])
    return tuple(settled)


def recognise(
    top: Sequence[Direction],
    weight: Float[Tensor, "c m"],
    read: Float[Tensor, "b m"],
    given: Sequence[Any],
    readout: Readout,
) -> tuple[Term, ...]:
    """The readout found again, its weights taken from these texts.

    Where a block is another pooling than it was, its weights hold for these texts only, as those of attention do, and
    so does its kind. Raises UnsupportedError for a block that is no pooling.
    """
    size = top[0].hidden.shape[-1]
    pools = [_Pools(direction, given) for direction in top]
    tables: dict[Pooling, _Table] = {}
    tight = 0.0  # measured where numbers are not the same to the last bit
    terms: list[Term] = []
    for number, (block, expected) in enumerate(zip(_blocks(read, top), readout, strict=True)):
        columns = weight[:, number * size : (number + 1) * size]
        fixed = all(kind != "attention" for _, _, kind in expected)
        if fixed and equal(block, _value(expected, pools)):
            found = expected
        else:
            if expected not in tables:
                some = [one for one in _poolings(pools) if fixed or _named(one) == expected]
                tables[expected] = _Table.of(pools, some)
            tight = tight or _tight(read)
            matches = tables[expected].like(block, tight)
            if not matches:
                raise _unseen(list(read.shape), size)
            found, fixed = matches[0], False
        for scale, way, kind in found:
            name = kind if fixed else "attention"
            terms.append(Term(way, name, pools[way].weights(kind), scale * columns))
    return tuple(terms)


def _blocks(read: Tensor, top: Sequence[Direction]) -> list[Tensor]:
    size = top[0].hidden.shape[-1]
    if read.shape[1] % size:
        raise _unseen(list(read.shape), size)
    return list(torch.split(read, size, 1))


def _named(pooling: Pooling) -> Pooling:
    """The pooling with plain names: ``attention`` for ``attention 3``."""
    return tuple((scale, way, kind.split()[0]) for scale, way, kind in pooling)


class _Pools:
    """The poolings of one direction's states, each computed when first asked for."""

    def __init__(self, direction: Direction, given: Sequence[Any]) -> None:
        self.hidden, self.reverse = direction.hidden, direction.reverse
        self.lengths = direction.lengths.to(self.hidden.device)
        step = torch.arange(self.hidden.shape[1], device=self.hidden.device)
        self.mask = (step < self.lengths[:, None])[..., None]
        self._given = given
        self._weights: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {}

    def weights(self, kind: str) -> Float[Tensor, "b t u"]:
        if kind not in self._weights:
            step = torch.arange(self.hidden.shape[1], device=self.hidden.device)
            if kind == "max":
                top = self.hidden.masked_fill(~self.mask, -torch.inf).argmax(1, keepdim=True)
                found = torch.zeros_like(self.hidden).scatter_(1, top, 1.0)
            elif kind in ("last", "first"):
                place = self.lengths[:, None] - 1 if kind == "last" else torch.zeros_like(self.lengths[:, None])
                found = (step == place)[..., None].to(self.hidden.dtype)
            else:
                found = self.mask.to(self.hidden.dtype)
                found = found / self.lengths[:, None, None] if kind == "mean" else found
            self._weights[kind] = found
        return self._weights[kind]

    def value(self, kind: str) -> Float[Tensor, "b h"]:
        if kind == "last":
            return self.hidden[torch.arange(len(self.hidden), device=self.hidden.device), self.lengths - 1]
        if kind not in self._values:
            self._values[kind] = (self.weights(kind) * self.hidden.masked_fill(~self.mask, 0.0)).sum(1)
        return self._values[kind]

    def attentions(self) -> list[str]:
        """Whatever the other parts gave that may be weights over positions, as ``attention 0``, ``attention 1``."""
        if not any(kind.startswith("attention") for kind in self._weights):
            rows, width = self.hidden.shape[:2]
            found = [weights for value in self._given for weights in _attention(value, rows, width)]
            for number, weights in enumerate(found):
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
    return [*single, *(((s, 0, one), (s, 1, other)) for one, other in pairs for s in (1.0, 0.5))]


@dataclass(frozen=True, eq=False)
class _Table:
    """Poolings with their values [n, b, h]: a block is held against all of them at once."""

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
        most = self.values.abs().amax((1, 2)) + block.abs().max()
        far = ((self.values - block).abs().amax((1, 2)) > tight * most).tolist()
        return [
            pooling
            for pooling, value, off in zip(self.poolings, self.values, far, strict=True)
            if not off and _close(block, value, tight)
        ]


def _attention(value: Any, rows: int, width: int) -> list[Float[Tensor, "b t 1"]]:
    """A part's result as weights over positions, in each of the ways in which it can be read so."""
    value = value[-1] if isinstance(value, tuple) and value else value
    if not isinstance(value, Tensor) or not value.is_floating_point() or rows * width == 0:
        return []
    if value.numel() != rows * width:
        return _hops(value, rows, width)
    shape = [side for side in value.shape if side != 1] or [1]
    whole = [side for side in (rows, width) if side != 1] or [1]
    found = []
    if shape == whole:
        found.append(value.reshape(rows, width, 1))
    if shape == whole[::-1]:
        found.append(value.reshape(width, rows).t()[..., None])
    return [one for one in found if bool((one >= 0).all())]


def _hops(value: Tensor, rows: int, width: int) -> list[Float[Tensor, "b t 1"]]:
    """Attention of several hops, each of which spreads one over the positions: every hop, their sum and their mean."""
    if value.ndim != 3 or bool((value < 0).any()):
        return []
    found: list[Tensor] = []
    for order in permutations(range(3)):
        turned = value.permute(order)
        if turned.shape[:2] == (rows, width) and equal(turned.sum(1), torch.ones_like(turned[:, 0])):
            found += [*torch.split(turned, 1, 2), turned.sum(2, keepdim=True), turned.mean(2, keepdim=True)]
    return found


def _other(
    blocks: Sequence[Tensor], layers: Sequence[Sequence[Direction]], cells: Tensor | None
) -> UnsupportedError | None:
    """The refusal of blocks that are states of another kind than those of the top layer."""
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
    """Whether two tensors are the same numbers, computed in two ways."""
    return torch.equal(block, candidate) or _close(block, candidate, _tight(block))


def _tight(block: Tensor) -> float:
    return near(block, double=1e-11, single=1e-5)


def _close(block: Tensor, candidate: Tensor, tight: float) -> bool:
    if torch.equal(block, candidate):
        return True
    scale = float(block.detach().abs().max()) if block.numel() else 0.0
    return block.shape == candidate.shape and torch.allclose(block, candidate, rtol=tight, atol=tight * scale)


def _unseen(shape: list[int], size: int) -> UnsupportedError:
    return UnsupportedError(
        f"the last nn.Linear reads a vector of shape {shape} that is no last, first, mean, max, summed or attention-"
        f"weighted recurrent state (of size {size} a direction): let it read one of these, no layer between; weights "
        "of attention are seen where a softmax or a part of the module gives them"
    )
