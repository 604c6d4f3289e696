"""Relevance through PyTorch's own recurrent layers and cells, as one autograd Function around ``mech.relevance``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.mech.backward.mode import Call, Rule, Shadow
from exegesis.mech.backward.structural import reduced
from exegesis.mech.lrp.cells import Coefficients, Rules
from exegesis.mech.lrp.functions import apart
from exegesis.mech.lrp.recurrent import Ledger, Watch, descend, place_name, slopes, turned
from exegesis.nn.recurrent import at_end, stacked, weights_of

if TYPE_CHECKING:
    from exegesis.mech.lrp.propagate import Propagation

Weights = Sequence[Sequence[Sequence[Tensor | None]]]


@dataclass(eq=False)
class _Layers:
    """What a call of a recurrent layer needs on its way back; texts first, in the order of the call."""

    kind: str
    weights: Weights
    lengths: Int[Tensor, " b"]
    rows: Int[Tensor, " b"]
    used: Propagation
    name: str
    plan: list[list[Coefficients]] = field(default_factory=list)

    def coefficients(self, x: Tensor, outputs: Tensor, h0: Tensor, c0: Tensor | None) -> list[list[Coefficients]]:
        if not self.plan:  # the same for all targets
            shares = self.used.shares
            rules = Rules(shares.epsilon, shares.product, shares.stabilizer, False)
            state = (h0,) if c0 is None else (h0, c0)
            seen = stacked(self.kind, self.weights, x, outputs, self.lengths, state)
            self.plan = [[Coefficients(direction, rules) for direction in layer] for layer in seen]
        return self.plan


class ThroughTime(torch.autograd.Function):
    """All states, the last hidden states and, of an LSTM, the last cell states."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "b t d"],
        h0: Float[Tensor, "l b h"],
        c0: Float[Tensor, "l b h"] | None,
        found: Sequence[Tensor],
        layers: _Layers,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, h0, *([] if c0 is None else [c0]), *found)
        ctx.layers, ctx.lstm = layers, c0 is not None
        return tuple(part.clone() for part in found)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        layers, saved = ctx.layers, ctx.saved_tensors
        x, h0, c0 = saved[0], saved[1], saved[2] if ctx.lstm else None
        outputs, finals = saved[3 if ctx.lstm else 2], saved[4 if ctx.lstm else 3 :]
        plan = layers.coefficients(x, outputs, h0, c0)
        ways = len(plan[0])
        top = (given[0] * apart(outputs)).chunk(ways, -1)
        arriving = [turned(part[:, None], rule.direction) for part, rule in zip(top, plan[-1], strict=True)]
        ends = [
            {
                divmod(row, ways): at_end(slope * apart(value), layers.lengths, x.shape[1])[:, None]
                for row, (slope, value) in enumerate(zip(slopes_, values, strict=True))
                if bool((slope != 0).any())
            }
            for slopes_, values in zip(given[1:], finals, strict=True)
        ]
        book = layers.used.book
        watch = Watch(ends[0], ends[1] if ctx.lstm else {}, {}, None if book.nodes is None else {})
        ledger = Ledger()
        to_x = descend(plan, arriving, ledger, slopes, watch)[:, 0]
        for name, amount in ledger.parts.items():
            book.book(name, amount[:, 0], layers.rows)
        _note_states(layers, plan, watch)
        assert watch.starts is not None
        to_starts: list[Tensor | None] = []
        for stream, start, live in (("h", h0, ctx.needs_input_grad[1]), ("c", c0, ctx.needs_input_grad[2])):
            if start is None:
                to_starts.append(None)
                continue
            received = torch.stack([watch.starts[divmod(row, ways)][stream][:, 0] for row in range(len(start))])
            if not live:
                book.book("initial states", received.sum((0, 2)), layers.rows)
            to_starts.append(received / apart(start) if live else None)
        return to_x if ctx.needs_input_grad[0] else None, *to_starts, None, None


def _note_states(layers: _Layers, plan: Sequence[Sequence[Coefficients]], watch: Watch) -> None:
    for (number, way), streams in sorted((watch.states or {}).items(), reverse=True):  # the last part is noted first
        for stream, values in reversed(streams.items()):
            found = turned(values, plan[number][way].direction)[:, 0]
            layers.used.book.node(layers.name + place_name((number, way), stream), found)


def layers(used: Propagation) -> Rule:
    """nn.LSTM, nn.GRU and nn.RNN, padded or packed."""

    def rule(call: Call) -> tuple[Tensor, ...]:
        packed = isinstance(call.args[3], list | tuple)  # else the third is whether there are biases
        with torch.no_grad():
            found = call.native()
        if packed:
            data, sizes, start, flat, biased, count, _, _, both = call.args
            padded, lengths = call.mode.run(torch._VF._pad_packed_sequence, data, sizes, True, 0.0, len(sizes))
            every = pad_packed_sequence(PackedSequence(found[0], sizes), batch_first=True)[0]
        else:
            padded, start, flat, biased, count, _, _, both, first = call.args
            padded = padded if first else call.mode.run(torch.transpose, padded, 0, 1)
            every = found[0] if first else found[0].transpose(0, 1)
            lengths = torch.full((len(padded),), padded.shape[1])
        weights = weights_of(call.name, flat, biased, count, 2 if both else 1)
        starts = start if isinstance(start, list | tuple) else (start,)
        states = _run(used, call, padded, lengths, list(starts), (every, *found[1:]), weights)
        if packed:
            states[0] = call.mode.run(torch._VF._pack_padded_sequence, states[0], lengths.cpu(), True)[0]
        elif not first:
            states[0] = call.mode.run(torch.transpose, states[0], 0, 1)
        return tuple(states)

    return rule


def cell(used: Propagation) -> Rule:
    """nn.LSTMCell, nn.GRUCell, nn.RNNCell: a layer over one position."""

    def rule(call: Call) -> Any:
        x, start, *weights = call.args
        with torch.no_grad():
            found = call.native()
        after = list(found) if isinstance(found, list | tuple) else [found]
        starts = list(start) if isinstance(start, list | tuple) else [start]
        starts = [call.mode.run(torch.unsqueeze, one, 0) for one in starts]
        values = (after[0][:, None], *(one[None] for one in after))
        one = torch.ones(len(x), dtype=torch.long)
        states = _run(used, call, call.mode.run(torch.unsqueeze, x, 1), one, starts, values, [[weights]])
        given = [call.mode.run(torch.squeeze, state, 0) for state in states[1:]]
        return tuple(given) if len(given) > 1 else given[0]

    return rule


def _run(
    used: Propagation,
    call: Call,
    x: Tensor,
    lengths: Tensor,
    starts: list[Tensor],
    found: Sequence[Tensor],
    weights: Weights,
) -> list[Tensor]:
    """The Function's results with their shadows."""
    rows = [reduced(call.shadow(x).rows, [1, 2], keep=False)] if call.live(x) else []
    rows += [reduced(call.shadow(one).rows, [0, 2], keep=False) for one in starts if call.live(one)]
    of = rows[0]
    for other in rows[1:]:
        of = torch.maximum(of, other)
    if not call.live(x):
        x = call.mode.fixed(x, of[:, None, None].expand(x.shape))
    kind = call.name.removesuffix("_cell")
    name = used.name(call.name) if call.name.endswith("_cell") else used.name("recurrent")
    layers = _Layers(kind, weights, lengths.to(x.device), of, used, f"{name} ")
    states = ThroughTime.apply(x, starts[0], starts[1] if kind == "lstm" else None, tuple(found), layers)  # type: ignore[no-untyped-call]
    call.mode.note(states[0], Shadow(of[:, None, None]))
    for state in states[1:]:
        call.mode.note(state, Shadow(of[None, :, None]))
    return list(states)
