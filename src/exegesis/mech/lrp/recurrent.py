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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.mech.lrp.cells import Book, Coefficients, Rules, away, inverse
from exegesis.nn.product import linear
from exegesis.nn.recurrent import before, reading_order
from exegesis.protocols.recurrent import Direction, Unrolled

Place = tuple[int, int]  # layer from below, direction
STREAMS = {"h": "", "c": " cells", "above": " from above"}  # how a result names what Watch.states holds
NUMBERS = 1 << 25  # of relevances held for one direction at once; further targets wait for their turn


@dataclass(frozen=True, eq=False)
class Ledger:
    """Relevance that reached no word, for each text and target."""

    parts: dict[str, Float[Tensor, "b k"]] = field(default_factory=dict)

    def book(self, name: str, amount: Float[Tensor, "b k"]) -> None:
        self.parts[name] = self.parts[name] + amount if name in self.parts else amount


@dataclass(frozen=True, eq=False)
class Watch:
    """What a pass takes and gives beside the words' totals, by layer and direction, in that direction's order.

    ``hidden`` and ``cells``: relevance that arrives from outside at h_t and c_t. ``starts``, where given, is filled
    with the relevance of h_0 and c_0, which is then not booked. ``states``, where given, is filled with the relevance
    of h_t (and c_t): streams h and c, and ``above``, the part of h_t's that came from above or outside.
    """

    hidden: Mapping[Place, Float[Tensor, "b k t h"]] = field(default_factory=dict)
    cells: Mapping[Place, Float[Tensor, "b k t h"]] = field(default_factory=dict)
    starts: dict[Place, dict[str, Float[Tensor, "b k h"]]] | None = None
    states: dict[Place, dict[str, Float[Tensor, "b k t h"]]] | None = None


def relevance(
    seen: Unrolled, target: Float[Tensor, "b k c"], rules: Rules, watch: Watch | None = None
) -> tuple[Float[Tensor, "b k t *d"], Mapping[str, Float[Tensor, "b k"]]]:
    """Relevance of the vectors that the lowest layer reads, each summed over its components, in the text's order; and
    what did not reach them, by name (biases, initial states, absorbed by epsilon). With a ``watch`` the components are
    not summed, and all targets go at once.

    ``target`` is the matrix from raw outputs to the explained numbers, which are what is redistributed. Raises
    UsageError where relevance would be divided by zero.
    """
    plan = [[Coefficients(direction, rules) for direction in layer] for layer in seen.layers]
    rows = max(1, NUMBERS // max(1, max(d.direction.hidden.numel() for layer in plan for d in layer)))
    if watch is not None:
        ledger = Ledger()
        arriving = _read_out(plan[-1], seen, target, rules, ledger)
        return descend(plan, arriving, ledger, _components, watch), ledger.parts
    found, ledgers = [], []
    for some in torch.split(target, rows, 1):
        ledger = Ledger()
        found.append(_through(plan, seen, some, rules, ledger))
        ledgers.append(ledger.parts)
    return torch.cat(found, 1), {name: torch.cat([parts[name] for parts in ledgers], 1) for name in ledgers[0]}


def _through(
    plan: Sequence[Sequence[Coefficients]], seen: Unrolled, target: Tensor, rules: Rules, ledger: Ledger
) -> Float[Tensor, "b k t"]:
    return descend(plan, _read_out(plan[-1], seen, target, rules, ledger), ledger, _totals)


def descend(
    plan: Sequence[Sequence[Coefficients]],
    arriving: Sequence[Float[Tensor, "b k t h"]],
    ledger: Ledger,
    give: Callable[[Coefficients, Mapping[str, Tensor]], Tensor],
    watch: Watch | None = None,
) -> Float[Tensor, "b k t *d"]:
    """From relevance that arrives at the top layer's states (each direction in its own order) to what ``give`` makes of
    the lowest layer's, directions added, in the text's order.
    """
    watch = watch or Watch()
    for number in range(len(plan) - 1, -1, -1):
        received = []
        for way, (rule, above) in enumerate(zip(plan[number], arriving, strict=True)):
            place = number, way
            above = above + watch.hidden[place] if place in watch.hidden else above
            streams, start = _backwards(rule, above, watch.cells.get(place))
            if watch.starts is None:
                ledger.book("initial states", sum(start.values()).sum(-1))  # type: ignore[union-attr]
            else:
                watch.starts[place] = start
            if watch.states is not None:
                watch.states[place] = {**streams, "above": above}
            for name, book in (("biases", rule.biases), ("absorbed by epsilon", rule.absorbed)):
                if book:
                    ledger.book(name, _received(book, streams).sum(-1))
            received.append(turned((give if number == 0 else _components)(rule, streams), rule.direction))
        total = sum(received[1:], received[0])
        if number == 0:
            return total
        below = [rule.direction for rule in plan[number - 1]]
        arriving = [turned(part, way) for part, way in zip(total.chunk(len(below), -1), below, strict=True)]
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
    rule: Coefficients, arriving: Float[Tensor, "b k t h"], cells: Float[Tensor, "b k t h"] | None = None
) -> tuple[dict[str, Float[Tensor, "b k t h"]], dict[str, Float[Tensor, "b k h"]]]:
    """The relevance of h_t, and of c_t in an LSTM, from the last step to the first; and that of the start."""
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
    beside = None if cells is None else cells.unbind(2)
    back = carried = torch.zeros_like(above[0])
    held: dict[str, list[Tensor]] = {"h": [], "c": []} if kept is not None else {"h": []}
    for t in reversed(steps):
        now = {"h": above[t] + back}
        if kept is not None:
            carried = carried if beside is None else carried + beside[t]
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
    start = {"h": back} if kept is None else {"h": back, "c": carried}
    return {stream: torch.stack(values[::-1], 2) for stream, values in held.items()}, start


def _received(book: Book, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t"]:
    """Coefficients times relevance, summed over units."""
    parts = [torch.einsum("bkth,bth->bkt", streams[stream], value) for stream, value in book.items()]
    return sum(parts[1:], parts[0])


def _totals(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t"]:
    """What the vectors that the layer reads receive, components summed."""
    return _received(rule.words, streams)


def slopes(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t d"]:
    """What each component of the vectors that the layer reads receives, divided by it (biases kept)."""
    through = torch.cat([streams[stream] * factor[:, None] for stream, factor in rule.onto_x.values()], -1)
    return linear(through, rule.weight(rule.onto_x, rule.direction.weight_ih), None)


def _components(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t d"]:
    """What each component of the vectors that the layer reads receives."""
    found = slopes(rule, streams) * rule.direction.inputs[:, None]
    return found + _received(rule.each_x, streams)[..., None] if rule.each_x else found


def _by_step(values: Tensor) -> Sequence[Tensor]:
    """Values [b, t, h] of each step, for all targets."""
    return values[:, None].unbind(2)


def _refuse_zero(relevance: Tensor, where: Tensor) -> None:
    if bool(((relevance != 0) & where).any()):
        raise UsageError(
            "a neuron that received relevance is exactly zero and cannot share it: take epsilon > 0 and stabilizer > 0"
        )


def turned(values: Float[Tensor, "b k t *n"], direction: Direction) -> Float[Tensor, "b k t *n"]:
    """From the text's order to a direction's own, and back."""
    return reading_order(values.transpose(1, 2), direction.lengths, direction.reverse).transpose(1, 2)


def place_name(place: Place, stream: str) -> str:
    """``layer 1 forward``, ``layer 2 reverse cells``."""
    return f"layer {place[0] + 1} {('forward', 'reverse')[place[1]]}{STREAMS[stream]}"
