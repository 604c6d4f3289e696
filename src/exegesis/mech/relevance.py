"""Layer-wise relevance propagation through recurrent layers (Arras et al. 2019, Sec. 11.3), all texts and targets at
once.

Three kinds of computation redistribute what they received. *Linear maps*, by the epsilon rule: input j of
``z = Σ a_j w_j + b`` gets ``a_j w_j / (z + ε sign z)`` of z's relevance, sign 0 being plus; the bias keeps its share,
and what ε adds to the denominator is absorbed. *Gated products* share between gate and signal by one of four rules
(Table 11.1). *Accumulations* (``c_t = f_t c_{t-1} + i_t g_t``) are linear maps of their two terms. Elementwise
activations pass relevance on as it is. Everything that does not reach an input is booked: inputs + biases + initial
states + absorbed = the explained number.

Relevance over denominator is taken through the weights and then multiplied by the inputs, so no array of messages
between neurons is built. ``mech.rules`` holds the coefficients; a step is one product with the recurrent weights, and
a word's total needs no product with the input weights, because what the word added to each gate is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.recurrent import Direction, Unrolled
from exegesis.mech.rules import Book, Coefficients, Rules, away, inverse
from exegesis.nn.product import linear
from exegesis.nn.recurrent import before, reading_order

NUMBERS = 1 << 25  # of relevances held for one direction at once; further targets wait for their turn


@dataclass(frozen=True, eq=False)
class Ledger:
    """Relevance that reached no word, for each text and target."""

    parts: dict[str, Float[Tensor, "b k"]] = field(default_factory=dict)

    def book(self, name: str, amount: Float[Tensor, "b k"]) -> None:
        self.parts[name] = self.parts[name] + amount if name in self.parts else amount


def relevance(
    seen: Unrolled, target: Float[Tensor, "b k c"], rules: Rules
) -> tuple[Float[Tensor, "b k t"], Mapping[str, Float[Tensor, "b k"]]]:
    """Relevance of the vectors that the lowest layer reads, each summed over its components, in the text's order; and
    what did not reach them, by name (biases, initial states, absorbed by epsilon).

    ``target`` is the matrix from raw outputs to the explained numbers, which are what is redistributed. Raises
    UsageError where relevance would be divided by zero.
    """
    plan = [[Coefficients(direction, rules) for direction in layer] for layer in seen.layers]
    rows = max(1, NUMBERS // max(1, max(d.direction.hidden.numel() for layer in plan for d in layer)))
    found, ledgers = [], []
    for some in torch.split(target, rows, 1):
        ledger = Ledger()
        found.append(_through(plan, seen, some, rules, ledger))
        ledgers.append(ledger.parts)
    return torch.cat(found, 1), {name: torch.cat([parts[name] for parts in ledgers], 1) for name in ledgers[0]}


def _through(
    plan: Sequence[Sequence[Coefficients]], seen: Unrolled, target: Tensor, rules: Rules, ledger: Ledger
) -> Float[Tensor, "b k t"]:
    arriving = _read_out(plan[-1], seen, target, rules, ledger)
    for number in range(len(plan) - 1, -1, -1):
        received = []
        for rule, relevance in zip(plan[number], arriving, strict=True):
            streams = _backwards(rule, relevance, ledger)
            for name, book in (("biases", rule.biases), ("absorbed by epsilon", rule.absorbed)):
                if book:
                    ledger.book(name, _received(book, streams).sum(-1))
            down = _received(rule.words, streams) if number == 0 else _components(rule, streams)
            received.append(_turned(down, rule.direction))
        total = sum(received[1:], received[0])
        if number == 0:
            return total
        below = [rule.direction for rule in plan[number - 1]]
        arriving = [_turned(part, way) for part, way in zip(total.chunk(len(below), -1), below, strict=True)]
    raise AssertionError("a recurrent pass has a layer")


def _read_out(
    top: Sequence[Coefficients], seen: Unrolled, target: Float[Tensor, "b k c"], rules: Rules, ledger: Ledger
) -> list[Float[Tensor, "b k t h"]]:
    """Poolings and the output layer as one linear map from the states to the explained numbers.

    Where biases are spread, its inputs are the components of states that some pooling weighs.
    """
    number = torch.einsum("bkc,bc->bk", target, seen.outputs)
    bias = torch.einsum("bkc,c->bk", target, seen.bias)
    epsilon = away(number, rules.epsilon)
    part = number * inverse(number + epsilon, rules.epsilon)[0]  # nothing arrives where the number is zero
    shares, read = [], []
    for index, rule in enumerate(top):
        hidden = rule.direction.hidden
        share = hidden.new_zeros(len(hidden), target.shape[1], *hidden.shape[1:])
        places = torch.zeros_like(hidden, dtype=torch.bool)
        for term in seen.terms:
            if term.direction == index:
                weight = torch.einsum("bkc,ch->bkh", target, term.linear)
                share = share + weight[:, :, None] * (term.weights * hidden)[:, None]
                places = places | (term.weights != 0)
        shares.append(share)
        read.append(places)
    count = sum(places.flatten(1).sum(1) for places in read)
    assert isinstance(count, Tensor)
    if rules.spread and bool((count > 0).all()):
        each = ((bias + epsilon) / count[:, None])[:, :, None, None]
        shares = [share + each * places[:, None] for share, places in zip(shares, read, strict=True)]
    else:
        ledger.book("biases", bias * part)
        ledger.book("absorbed by epsilon", epsilon * part)
    return [share * part[:, :, None, None] for share in shares]


def _backwards(
    rule: Coefficients, arriving: Float[Tensor, "b k t h"], ledger: Ledger
) -> dict[str, Float[Tensor, "b k t h"]]:
    """The relevance of h_t, and of c_t in an LSTM, from the last step to the first; that of the start is booked."""
    direction, steps = rule.direction, range(arriving.shape[2])
    weight = rule.weight(rule.onto_h, direction.weight_hh)
    previous = _by_step(before(direction))
    factors = [(stream, _by_step(factor)) for stream, factor in rule.onto_h.values()]
    each = [(stream, _by_step(value)) for stream, value in rule.each_h.items()]
    opened = _by_step(rule.opened) if isinstance(rule.opened, Tensor) else None
    kept = None if rule.kept is None else _by_step(rule.kept)
    direct = None if rule.direct is None else _by_step(rule.direct)
    blocked = {stream: _by_step(where) for stream, where in rule.blocked.items()}
    above = arriving.unbind(2)
    back = carried = torch.zeros_like(above[0])
    held: dict[str, list[Tensor]] = {"h": [], "c": []} if kept is not None else {"h": []}
    for t in reversed(steps):
        now = {"h": above[t] + back}
        if kept is not None:
            now["c"] = carried + now["h"] if opened is None else torch.addcmul(carried, now["h"], opened[t])
            carried = now["c"] * kept[t]
        for stream, where in blocked.items():
            _refuse_zero(now[stream], where[t])
        through = [now[stream] * factor[t] for stream, factor in factors]
        back = linear(through[0] if len(through) == 1 else torch.cat(through, -1), weight, None) * previous[t]
        if direct is not None:
            back = torch.addcmul(back, now["h"], direct[t])
        for stream, value in each:
            back = back + (now[stream] * value[t]).sum(-1, keepdim=True)
        for stream, values in held.items():
            values.append(now[stream])
    ledger.book("initial states", (back if kept is None else back + carried).sum(-1))
    return {stream: torch.stack(values[::-1], 2) for stream, values in held.items()}


def _received(book: Book, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t"]:
    """Coefficients times relevance, summed over units."""
    parts = [torch.einsum("bkth,bth->bkt", streams[stream], value) for stream, value in book.items()]
    return sum(parts[1:], parts[0])


def _components(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t d"]:
    """What each component of the vectors that the layer reads receives."""
    through = torch.cat([streams[stream] * factor[:, None] for stream, factor in rule.onto_x.values()], -1)
    found = linear(through, rule.weight(rule.onto_x, rule.direction.weight_ih), None) * rule.direction.inputs[:, None]
    return found + _received(rule.each_x, streams)[..., None] if rule.each_x else found


def _by_step(values: Tensor) -> Sequence[Tensor]:
    """Values [b, t, h] of each step, for all targets."""
    return values[:, None].unbind(2)


def _refuse_zero(relevance: Tensor, where: Tensor) -> None:
    if bool(((relevance != 0) & where).any()):
        raise UsageError(
            "a neuron that received relevance is exactly zero and cannot share it: take epsilon > 0 and stabilizer > 0"
        )


def _turned(values: Float[Tensor, "b k t *n"], direction: Direction) -> Float[Tensor, "b k t *n"]:
    return reading_order(values.transpose(1, 2), direction.lengths, direction.reverse).transpose(1, 2)
