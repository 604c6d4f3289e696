"""Relevance propagation through recurrent layers (Arras et al. 2019, Sec. 11.3), all texts and targets at once.

Three kinds of computation redistribute the relevance that they receive. *Linear maps*, by the epsilon rule: input j of
``z = Σ a_j w_j + b`` gets ``a_j w_j / (z + ε sign z)`` of z's relevance, with sign 0 = 1; the bias keeps its share,
and the share of ε in the denominator is absorbed. *Gated products* share between gate and signal by one of four rules
(Table 11.1). *Accumulations* (``c_t = f_t c_{t-1} + i_t g_t``) are linear maps of their two terms. Elementwise
activations pass relevance on unchanged. Everything that does not reach an input is booked: inputs + biases + initial
states + absorbed = the explained number.

Relevance over denominator passes the weights and is then multiplied by the inputs, so no array of messages between
neurons is built. ``lrp.cells`` has the coefficients; a step is one product with the recurrent weights, and a word's
total needs no product with the input weights, because the word's contribution to each gate is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.lrp.cells import ByStream, Coefficients
from exegesis.mech.lrp.functions import ABSORBED
from exegesis.mech.lrp.shares import LrpOptions, inverse, refuse_zero, stabilized
from exegesis.nn.kernels import linear
from exegesis.nn.recurrent import Way, before, reading_order
from exegesis.protocols.budget import budget_for
from exegesis.protocols.recurrent import Direction, Unrolled


@dataclass(frozen=True, eq=False)
class Recorder:
    """Inputs and outputs of a pass beside the words' totals, by layer and direction, in that direction's order.

    ``hidden`` and ``cells``: relevance that arrives from outside at h_t and c_t. ``starts``, if given, is filled with
    the relevance of h_0 and c_0, which is then not booked. ``states``, if given, is filled with the relevance of h_t
    (and c_t): streams h and c, and ``above``, the part of h_t's that came from above or outside.
    """

    hidden: Mapping[Way, Float[Tensor, "b k t h"]] = field(default_factory=dict)
    cells: Mapping[Way, Float[Tensor, "b k t h"]] = field(default_factory=dict)
    starts: dict[Way, dict[str, Float[Tensor, "b k h"]]] | None = None
    states: dict[Way, dict[str, Float[Tensor, "b k t h"]]] | None = None


def relevance(
    unrolled: Unrolled, target: Float[Tensor, "b k c"], options: LrpOptions, recorder: Recorder | None = None
) -> tuple[Float[Tensor, "b k t *d"], Mapping[str, Float[Tensor, "b k"]]]:
    """The relevance of the vectors that the lowest layer reads, in the text's order, and the account by name.

    Each vector's relevance is summed over its components; with a ``recorder`` it is not, and all targets are computed
    at once. The account has biases, initial states and the amount absorbed by epsilon. ``target`` is the matrix from
    raw outputs to the explained numbers, which are redistributed. Raises UsageError if relevance would be divided by
    zero.
    """
    layers = [[Coefficients(direction, options) for direction in layer] for layer in unrolled.layers]
    if recorder is not None:
        ledger = Ledger(len(target))
        arriving = _read_out(layers[-1], unrolled, target, options, ledger)
        return descend(layers, arriving, ledger, _components, recorder), ledger.parts
    numbers = budget_for("relevance", target.device).numbers
    count = max(1, numbers // max(1, max(rule.direction.hidden.numel() for layer in layers for rule in layer)))
    totals, ledgers = [], []
    for columns in torch.split(target, count, 1):
        ledger = Ledger(len(target))
        totals.append(descend(layers, _read_out(layers[-1], unrolled, columns, options, ledger), ledger, _totals))
        ledgers.append(ledger.parts)
    return torch.cat(totals, 1), {name: torch.cat([parts[name] for parts in ledgers], 1) for name in ledgers[0]}


def descend(
    layers: Sequence[Sequence[Coefficients]],
    arriving: Sequence[Float[Tensor, "b k t h"]],
    ledger: Ledger,
    give: Callable[[Coefficients, Mapping[str, Tensor]], Tensor],
    recorder: Recorder | None = None,
) -> Float[Tensor, "b k t *d"]:
    """Propagate relevance from the top layer's states to the lowest layer's inputs, in the text's order.

    ``arriving`` is the relevance of the top layer's states, each direction in its own order. ``give`` turns the lowest
    layer's streams into results, which are added over directions.
    """
    recorder = recorder or Recorder()
    for number in range(len(layers) - 1, -1, -1):
        received = []
        for side, (rule, above) in enumerate(zip(layers[number], arriving, strict=True)):
            way = number, side
            above = above + recorder.hidden[way] if way in recorder.hidden else above
            streams, start = _backwards(rule, above, recorder.cells.get(way))
            if recorder.starts is None:
                ledger.add("initial states", sum(start.values()).sum(-1))  # type: ignore[union-attr]
            else:
                recorder.starts[way] = start
            if recorder.states is not None:
                recorder.states[way] = {**streams, "above": above}
            for name, coefficients in (("biases", rule.biases), (ABSORBED, rule.absorbed)):
                if coefficients:
                    ledger.add(name, _received(coefficients, streams).sum(-1))
            received.append(turned((give if number == 0 else _components)(rule, streams), rule.direction))
        total = sum(received[1:], received[0])
        if number == 0:
            return total
        below = [rule.direction for rule in layers[number - 1]]
        arriving = [turned(part, side) for part, side in zip(total.chunk(len(below), -1), below, strict=True)]
    raise AssertionError("a recurrent pass has a layer")


def _read_out(
    top: Sequence[Coefficients],
    unrolled: Unrolled,
    target: Float[Tensor, "b k c"],
    options: LrpOptions,
    ledger: Ledger,
) -> list[Float[Tensor, "b k t h"]]:
    """Poolings and the output layer as one linear map from the states to the explained numbers.

    If biases are spread, its inputs are the components of states that some pooling weights.
    """
    number = torch.einsum("bkc,bc->bk", target, unrolled.outputs)
    bias = torch.einsum("bkc,c->bk", target, unrolled.bias)
    denominator, epsilon = stabilized(number, options.epsilon)
    part = number * inverse(denominator, options.epsilon)[0]  # nothing arrives if the number is zero
    shares, read = [], []
    for index, rule in enumerate(top):
        hidden = rule.direction.hidden
        share = hidden.new_zeros(len(hidden), target.shape[1], *hidden.shape[1:])
        places = torch.zeros_like(hidden, dtype=torch.bool)
        for term in unrolled.terms:
            if term.direction == index:
                weight = torch.einsum("bkc,ch->bkh", target, term.linear)
                share = share + weight[:, :, None] * (term.weights * hidden)[:, None]
                places = places | (term.weights != 0)
        shares.append(share)
        read.append(places)
    count = sum(places.flatten(1).sum(1) for places in read)
    assert isinstance(count, Tensor)
    if options.spread and bool((count > 0).all()):
        even = ((bias + epsilon) / count[:, None])[:, :, None, None]
        shares = [share + even * places[:, None] for share, places in zip(shares, read, strict=True)]
    else:
        ledger.add("biases", bias * part)
        ledger.add(ABSORBED, epsilon * part)
    return [share * part[:, :, None, None] for share in shares]


def _backwards(
    rule: Coefficients, arriving: Float[Tensor, "b k t h"], cells: Float[Tensor, "b k t h"] | None = None
) -> tuple[dict[str, Float[Tensor, "b k t h"]], dict[str, Float[Tensor, "b k h"]]]:
    """The relevance of h_t, and of c_t in an LSTM, from the last step to the first; and of the initial states."""
    direction, steps = rule.direction, range(arriving.shape[2])
    weight = rule.weight(rule.onto_h, direction.weight_hh)
    previous = _by_step(before(direction))
    factors = [(stream, _by_step(factor)) for stream, factor in rule.onto_h.values()]
    even = [(stream, _by_step(value)) for stream, value in rule.even_h.items()]
    opened = _by_step(rule.opened) if isinstance(rule.opened, Tensor) else None
    between_cells = None if rule.kept is None else _by_step(rule.kept)
    direct = None if rule.direct is None else _by_step(rule.direct)
    blocked = {stream: _by_step(where) for stream, where in rule.blocked.items()}
    above = arriving.unbind(2)
    beside = None if cells is None else cells.unbind(2)
    back = carried = torch.zeros_like(above[0])
    states: dict[str, list[Tensor]] = {"h": [], "c": []} if between_cells is not None else {"h": []}
    for t in reversed(steps):
        now = {"h": above[t] + back}
        if between_cells is not None:
            carried = carried if beside is None else carried + beside[t]
            now["c"] = carried + now["h"] if opened is None else torch.addcmul(carried, now["h"], opened[t])
            carried = now["c"] * between_cells[t]
        for stream, where in blocked.items():
            refuse_zero((now[stream] != 0) & where[t])
        through = [now[stream] * factor[t] for stream, factor in factors]
        back = linear(through[0] if len(through) == 1 else torch.cat(through, -1), weight, None) * previous[t]
        if direct is not None:
            back = torch.addcmul(back, now["h"], direct[t])
        for stream, value in even:
            back = back + (now[stream] * value[t]).sum(-1, keepdim=True)
        for stream, values in states.items():
            values.append(now[stream])
    start = {"h": back} if between_cells is None else {"h": back, "c": carried}
    return {stream: torch.stack(values[::-1], 2) for stream, values in states.items()}, start


def _received(coefficients: ByStream, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t"]:
    """Coefficients times relevance, summed over units."""
    parts = [torch.einsum("bkth,bth->bkt", streams[stream], value) for stream, value in coefficients.items()]
    return sum(parts[1:], parts[0])


def _totals(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t"]:
    """Relevance of the vectors that the layer reads, components summed."""
    return _received(rule.words, streams)


def slopes(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t d"]:
    """Relevance of each component of the vectors that the layer reads, divided by the component (biases kept)."""
    through = torch.cat([streams[stream] * factor[:, None] for stream, factor in rule.onto_x.values()], -1)
    return linear(through, rule.weight(rule.onto_x, rule.direction.weight_ih), None)


def _components(rule: Coefficients, streams: Mapping[str, Tensor]) -> Float[Tensor, "b k t d"]:
    """Relevance of each component of the vectors that the layer reads."""
    components = slopes(rule, streams) * rule.direction.inputs[:, None]
    return components + _received(rule.even_x, streams)[..., None] if rule.even_x else components


def _by_step(values: Tensor) -> Sequence[Tensor]:
    """Values [b, t, h] step by step, with an axis for targets."""
    return values[:, None].unbind(2)


def turned(values: Float[Tensor, "b k t *n"], direction: Direction) -> Float[Tensor, "b k t *n"]:
    """From the text's order to a direction's own, or back."""
    return reading_order(values.transpose(1, 2), direction.lengths, direction.reverse).transpose(1, 2)
