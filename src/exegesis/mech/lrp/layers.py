"""Relevance through PyTorch's own recurrent layers and cells, as one autograd function around ``lrp.recurrent``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.backward.mode import Call, Shadow
from exegesis.mech.backward.structural import reduced
from exegesis.mech.lrp.cells import Coefficients
from exegesis.mech.lrp.recurrent import Recorder, descend, slopes, turned
from exegesis.mech.lrp.shares import apart
from exegesis.mech.lrp.state import State, place_in_layer
from exegesis.nn.recurrent import Weights, at_end, stacked, weights_of


@dataclass(eq=False)
class _RecurrentCall:
    """A call of a recurrent layer with all that its backward pass needs; texts first, in the order of the call."""

    kind: str
    weights: Weights
    lengths: Int[Tensor, " b"]
    rows: Int[Tensor, " b"]
    state: State
    part: str
    layers: list[list[Coefficients]] = field(default_factory=list)

    def coefficients(self, x: Tensor, outputs: Tensor, h0: Tensor, c0: Tensor | None) -> list[list[Coefficients]]:
        if not self.layers:  # shared by all targets
            options = replace(self.state.options, spread=False)
            start = (h0,) if c0 is None else (h0, c0)
            unrolled = stacked(self.kind, self.weights, x, outputs, self.lengths, start)
            self.layers = [[Coefficients(direction, options) for direction in layer] for layer in unrolled]
        return self.layers


class ThroughTime(torch.autograd.Function):
    """All states, the last hidden states and, for an LSTM, the last cell states."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "b t d"],
        h0: Float[Tensor, "l b h"],
        c0: Float[Tensor, "l b h"] | None,
        results: Sequence[Tensor],
        call: _RecurrentCall,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, h0, *([] if c0 is None else [c0]), *results)
        ctx.call, ctx.lstm = call, c0 is not None
        return tuple(part.clone() for part in results)

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor) -> Any:
        call, saved = ctx.call, ctx.saved_tensors
        x, h0, c0 = saved[0], saved[1], saved[2] if ctx.lstm else None
        outputs, finals = saved[3 if ctx.lstm else 2], saved[4 if ctx.lstm else 3 :]
        layers = call.coefficients(x, outputs, h0, c0)
        ways = len(layers[0])
        top = (arriving[0] * apart(outputs)).chunk(ways, -1)
        above = [turned(part[:, None], rule.direction) for part, rule in zip(top, layers[-1], strict=True)]
        ends = [
            {
                divmod(row, ways): at_end(slope * apart(value), call.lengths, x.shape[1])[:, None]
                for row, (slope, value) in enumerate(zip(to_ends, values, strict=True))
                if bool((slope != 0).any())
            }
            for to_ends, values in zip(arriving[1:], finals, strict=True)
        ]
        ledger = call.state.ledger
        recorder = Recorder(ends[0], ends[1] if ctx.lstm else {}, {}, None if ledger.states is None else {})
        booked = Ledger(len(x))
        to_x = descend(layers, above, booked, slopes, recorder)[:, 0]
        for name, amount in booked.parts.items():
            ledger.book(name, amount[:, 0], call.rows)
        _note_states(call, layers, recorder)
        starts = _to_starts(call, recorder, ways, (h0, c0), ctx.needs_input_grad[1:3])
        return to_x if ctx.needs_input_grad[0] else None, *starts, None, None


def _to_starts(
    call: _RecurrentCall, recorder: Recorder, ways: int, starts: Sequence[Tensor | None], live: Sequence[bool]
) -> list[Tensor | None]:
    """Relevance over activation for the initial states; relevance of a constant initial state is booked."""
    assert recorder.starts is not None
    arriving: list[Tensor | None] = []
    for stream, start, needed in zip("hc", starts, live, strict=True):
        if start is None:
            arriving.append(None)
            continue
        received = torch.stack([recorder.starts[divmod(row, ways)][stream][:, 0] for row in range(len(start))])
        if not needed:
            call.state.ledger.book("initial states", received.sum((0, 2)), call.rows)
        arriving.append(received / apart(start) if needed else None)
    return arriving


def _note_states(call: _RecurrentCall, layers: Sequence[Sequence[Coefficients]], recorder: Recorder) -> None:
    for way, streams in sorted((recorder.states or {}).items(), reverse=True):  # the last part is noted first
        for stream, values in reversed(streams.items()):
            relevance = turned(values, layers[way[0]][way[1]].direction)[:, 0]
            call.state.ledger.note(place_in_layer(way, stream, call.part), relevance)


def layers(state: State, call: Call) -> tuple[Tensor, ...]:
    """nn.LSTM, nn.GRU and nn.RNN, padded or packed."""
    state.recurs = True
    packed = isinstance(call.args[3], list | tuple)  # otherwise argument 3 says whether there are biases
    with torch.no_grad():
        results = call.native()
    if packed:
        data, sizes, start, flat, biased, count, _, _, both = call.args
        padded, lengths = call.mode.run(torch._VF._pad_packed_sequence, data, sizes, True, 0.0, len(sizes))
        outputs = pad_packed_sequence(PackedSequence(results[0], sizes), batch_first=True)[0]
    else:
        padded, start, flat, biased, count, _, _, both, first = call.args
        padded = padded if first else call.mode.run(torch.transpose, padded, 0, 1)
        outputs = results[0] if first else results[0].transpose(0, 1)
        lengths = torch.full((len(padded),), padded.shape[1])
    weights = weights_of(call.name, flat, biased, count, 2 if both else 1)
    starts = start if isinstance(start, list | tuple) else (start,)
    states = _run(state, call, padded, lengths, list(starts), (outputs, *results[1:]), weights)
    if packed:
        states[0] = call.mode.run(torch._VF._pack_padded_sequence, states[0], lengths.cpu(), True)[0]
    elif not first:
        states[0] = call.mode.run(torch.transpose, states[0], 0, 1)
    return tuple(states)


def cell(state: State, call: Call) -> Any:
    """nn.LSTMCell, nn.GRUCell, nn.RNNCell: a layer over one position."""
    state.recurs = True
    x, start, *weights = call.args
    with torch.no_grad():
        result = call.native()
    after = list(result) if isinstance(result, list | tuple) else [result]
    starts = list(start) if isinstance(start, list | tuple) else [start]
    starts = [call.mode.run(torch.unsqueeze, value, 0) for value in starts]
    values = (after[0][:, None], *(value[None] for value in after))
    lengths = torch.ones(len(x), dtype=torch.long)
    states = _run(state, call, call.mode.run(torch.unsqueeze, x, 1), lengths, starts, values, [[weights]])
    last = [call.mode.run(torch.squeeze, value, 0) for value in states[1:]]
    return tuple(last) if len(last) > 1 else last[0]


def _run(
    state: State,
    call: Call,
    x: Tensor,
    lengths: Tensor,
    starts: list[Tensor],
    results: Sequence[Tensor],
    weights: Weights,
) -> list[Tensor]:
    """The results of ``ThroughTime`` with their shadows."""
    parts = [reduced(call.shadow(x).rows, [1, 2], keep=False)] if call.live(x) else []
    parts += [reduced(call.shadow(start).rows, [0, 2], keep=False) for start in starts if call.live(start)]
    rows = parts[0]
    for part in parts[1:]:
        rows = torch.maximum(rows, part)
    if not call.live(x):
        x = call.mode.constant(x, rows[:, None, None].expand(x.shape))
    kind = call.name.removesuffix("_cell")
    name = str(state.place(call.name if call.name.endswith("_cell") else "recurrent"))
    recurrent = _RecurrentCall(kind, weights, lengths.to(x.device), rows, state, name)
    states = ThroughTime.apply(x, starts[0], starts[1] if kind == "lstm" else None, tuple(results), recurrent)  # type: ignore[no-untyped-call]
    call.mode.note(states[0], Shadow(rows[:, None, None]))
    for value in states[1:]:
        call.mode.note(value, Shadow(rows[None, :, None]))
    return list(states)
