"""How recurrent states become the outputs of a module, recognised by value.

A readout is *recognised* when the vector that the last linear layer reads equals, number by number, a pooling of the
recurrent states, or several side by side. Others are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear

from exegesis.core.errors import UnsupportedError
from exegesis.core.recurrent import Direction, Term
from exegesis.nn.recurrent import reading_order

Pooling = tuple[tuple[float, int, str], ...]  # what is added for one block: each a scale, a direction, a kind
Readout = tuple[Pooling, ...]  # block by block of the vector that the last layer reads

NO_LINEAR = (
    "its outputs are not the result of an nn.Linear called last, so the way from states to logits is out of sight: "
    "end the module in an nn.Linear that reads pooled states"
)
KINDS = ("last", "mean", "max", "sum", "first")
# poolings of the two directions that may be added: (of the normal one, of the reverse one)
ADDED = (("last", "last"), ("last", "first"), ("first", "last"), ("mean", "mean"), ("max", "max"), ("sum", "sum"))


def head(
    parts: Sequence[tuple[object, Any, Any]], outputs: Float[Tensor, "b c"], lengths: Int[Tensor, " b"]
) -> tuple[nn.Linear, Float[Tensor, "b m"]]:
    """The last linear layer, whose result are the outputs, and the vector that it reads for each text.

    It may have been applied to all steps, of which the last or the mean over the text's own steps was then taken.
    """
    for part, received, given in reversed(parts):
        if not isinstance(part, nn.Linear) or not isinstance(given, Tensor) or not isinstance(received, Tensor):
            continue
        read = _behind(received, given, outputs, lengths.to(outputs.device))
        if read is not None and _equal(linear(read, part.weight, part.bias), outputs):
            return part, read
    raise UnsupportedError(NO_LINEAR)


def _behind(received: Tensor, given: Tensor, outputs: Tensor, lengths: Tensor) -> Float[Tensor, "b m"] | None:
    """What a linear layer received for the outputs, if that is what it gave."""
    rows = len(outputs)
    if given.shape[-1] != outputs.shape[1]:
        return None
    if given.numel() == outputs.numel() and torch.equal(given.reshape(outputs.shape), outputs):
        return received.reshape(rows, -1)
    if given.ndim != 3:
        return None
    index = torch.arange(rows, device=outputs.device)
    for turn in (False, True):
        each, source = (value.transpose(0, 1) if turn else value for value in (given, received))
        if len(each) != rows or each.shape[1] < int(lengths.max()):
            continue
        for place in (lengths - 1, torch.zeros_like(lengths)):
            if torch.equal(each[index, place], outputs):
                return source[index, place]
        inside = (torch.arange(each.shape[1], device=each.device) < lengths[:, None])[..., None]
        if _equal((each * inside).sum(1) / lengths[:, None], outputs):
            return (source * inside).sum(1) / lengths[:, None]
    return None


def choices(top: Sequence[Direction], read: Float[Tensor, "b m"], given: Sequence[Any]) -> list[list[Pooling]]:
    """For each block of the vector that the last layer reads, all poolings that equal it on these texts.

    ``given`` is what the module's other parts gave: attention weights may be among it. Raises UnsupportedError for a
    block that is no pooling.
    """
    pools = [_Pools(direction, given) for direction in top]
    found = [_matches(block, pools) for block in _blocks(read, top)]
    if not all(found):
        raise _unseen(list(read.shape), top[0].hidden.shape[-1])
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
    terms: list[Term] = []
    for number, (block, expected) in enumerate(zip(_blocks(read, top), readout, strict=True)):
        columns = weight[:, number * size : (number + 1) * size]
        fixed = all(kind != "attention" for _, _, kind in expected)
        if fixed and _equal(block, _value(expected, pools)):
            found = expected
        else:
            matches = [one for one in _matches(block, pools) if fixed or _named(one) == expected]
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


def _matches(block: Tensor, pools: Sequence[_Pools]) -> list[Pooling]:
    """All poolings that equal a block: of one direction, then of the sum or mean of both."""
    shared = [kind for kind in pools[0].attentions() if all(kind in pool.attentions() for pool in pools)]
    ways = range(len(pools))
    single: list[Pooling] = [((1.0, way, kind),) for kind in KINDS for way in ways]
    single += [((1.0, way, kind),) for way in ways for kind in pools[way].attentions()]
    pairs = [*ADDED, *((kind, kind) for kind in shared)] if len(pools) == 2 else []
    double: list[Pooling] = [((s, 0, one), (s, 1, other)) for one, other in pairs for s in (1.0, 0.5)]
    return [pooling for pooling in (*single, *double) if _equal(block, _value(pooling, pools))]


def _attention(value: Any, rows: int, width: int) -> list[Float[Tensor, "b t 1"]]:
    """A part's result as weights over positions, in each of the ways in which it can be read so."""
    value = value[-1] if isinstance(value, tuple) and value else value
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.numel() != rows * width or width == 0:
        return []
    shape = [side for side in value.shape if side != 1] or [1]
    whole = [side for side in (rows, width) if side != 1] or [1]
    found = []
    if shape == whole:
        found.append(value.reshape(rows, width, 1))
    if shape == whole[::-1]:
        found.append(value.reshape(width, rows).t()[..., None])
    return [one for one in found if bool((one >= 0).all())]


def _equal(block: Tensor, candidate: Tensor) -> bool:
    if torch.equal(block, candidate):
        return True
    tight = {torch.float64: 1e-11, torch.float32: 1e-5}.get(block.dtype, 1e-2)
    scale = float(block.detach().abs().max()) if block.numel() else 0.0
    return block.shape == candidate.shape and torch.allclose(block, candidate, rtol=tight, atol=tight * scale)


def _unseen(shape: list[int], size: int) -> UnsupportedError:
    return UnsupportedError(
        f"the last nn.Linear reads a vector of shape {shape} that is no last, first, mean, max, summed or attention-"
        f"weighted recurrent state (of size {size} a direction): let it read one of these, no layer between; weights "
        "of attention are seen where a softmax or a part of the module gives them"
    )
