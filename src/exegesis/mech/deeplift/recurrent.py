"""PyTorch's recurrent layers and cells under the rescale rule: one autograd function around ``deeplift.cells``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.mech.backward.mode import Call
from exegesis.mech.deeplift.cells import CellMultipliers, StackMultipliers
from exegesis.mech.deeplift.rules import at_baseline, baseline_of, note
from exegesis.nn.recurrent import Way, Weights, at_end, stacked, weights_of


class ThroughSteps(torch.autograd.Function):
    """All states and the last ones, whose slopes are the multipliers of ``stack``."""

    @staticmethod
    def forward(
        ctx: Any, stack: StackMultipliers, lengths: Tensor, results: Sequence[Tensor], x: Tensor, *starts: Tensor
    ) -> Any:
        ctx.stack, ctx.lengths = stack, lengths
        return tuple(part.clone() for part in results)

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor) -> Any:
        stack, ways = ctx.stack, len(ctx.stack.layers[0])
        ends: list[dict[Way, Tensor]] = [
            {
                divmod(row, ways): at_end(slope, ctx.lengths, arriving[0].shape[1])
                for row, slope in enumerate(slopes)
                if bool((slope != 0).any())
            }
            for slopes in arriving[1:]
        ]
        to_x, starts = stack.back(arriving[0], ends[0], ends[1] if len(ends) > 1 else {})
        rows = [starts[divmod(row, ways)] for row in range(len(arriving[1]))]
        return None, None, None, to_x, *(torch.stack(list(values)) for values in zip(*rows, strict=True))


def layers(call: Call) -> tuple[Tensor, ...]:
    """nn.LSTM, nn.GRU and nn.RNN, padded or packed."""
    packed = isinstance(call.args[3], list | tuple)  # otherwise argument 3 says whether there are biases
    with torch.no_grad():
        results, results0 = call.native(), at_baseline(call)
    if packed:
        data, sizes, start, flat, biased, count, _, _, both = call.args
        x, lengths = call.mode.run(torch._VF._pad_packed_sequence, data, sizes, True, 0.0, len(sizes))
        outputs, outputs0 = (
            pad_packed_sequence(PackedSequence(values[0], sizes), batch_first=True)[0] for values in (results, results0)
        )
        first = True
    else:
        x, start, flat, biased, count, _, _, both, first = call.args
        x = x if first else call.mode.run(torch.transpose, x, 0, 1)
        outputs, outputs0 = (values[0] if first else values[0].transpose(0, 1) for values in (results, results0))
        lengths = torch.full((len(x),), x.shape[1], device=x.device)
    starts = list(start) if isinstance(start, list | tuple) else [start]
    weights = weights_of(call.name, flat, biased, count, 2 if both else 1)
    states = _run(call, weights, lengths, x, starts, (outputs, *results[1:]), (outputs0, *results0[1:]))
    if packed:
        states[0] = call.mode.run(torch._VF._pack_padded_sequence, states[0], lengths.cpu(), True)[0]
    elif not first:
        states[0] = call.mode.run(torch.transpose, states[0], 0, 1)
    return tuple(states)


def cell(call: Call) -> Any:
    """nn.LSTMCell, nn.GRUCell, nn.RNNCell: a layer over one position."""
    x, start, *weights = call.args
    with torch.no_grad():
        ends, ends0 = (
            list(result) if isinstance(result, list | tuple) else [result]
            for result in (call.native(), at_baseline(call))
        )
    starts = list(start) if isinstance(start, list | tuple) else [start]
    starts = [call.mode.run(torch.unsqueeze, value, 0) for value in starts]
    results, results0 = ((last[0][:, None], *(value[None] for value in last)) for last in (ends, ends0))
    lengths = torch.ones(len(x), dtype=torch.long, device=x.device)
    states = _run(call, [[weights]], lengths, call.mode.run(torch.unsqueeze, x, 1), starts, results, results0)
    last = [call.mode.run(torch.squeeze, state, 0) for state in states[1:]]
    return tuple(last) if len(last) > 1 else last[0]


def _run(
    call: Call,
    weights: Weights,
    lengths: Int[Tensor, " b"],
    x: Tensor,
    starts: list[Tensor],
    results: Sequence[Tensor],
    results0: Sequence[Tensor],
) -> list[Tensor]:
    """The results of ``ThroughSteps``, with their values at the baseline noted."""
    kind, lengths = call.name.removesuffix("_cell"), lengths.to(x.device)
    base = [baseline_of(call, value) for value in (x, *starts)]
    with torch.no_grad():
        passes = [
            stacked(kind, weights, x.detach(), results[0], lengths, [start.detach() for start in starts]),
            stacked(kind, weights, base[0], results0[0], lengths, base[1:]),
        ]
        stack = StackMultipliers(
            [[CellMultipliers(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(*passes, strict=True)]
        )
    states = ThroughSteps.apply(stack, lengths, tuple(results), x, *starts)  # type: ignore[no-untyped-call]
    for state, baseline in zip(states, results0, strict=True):
        note(call, state, baseline)
    return list(states)
