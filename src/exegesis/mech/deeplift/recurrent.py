"""PyTorch's recurrent layers and cells under the rescale rule: one autograd Function around ``mech.rescale_steps``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.mech.backward.mode import Call
from exegesis.mech.deeplift.cells import Multipliers, Place, Plan
from exegesis.mech.deeplift.rules import elsewhere, note, other
from exegesis.nn.recurrent import at_end, stacked, weights_of

Weights = Sequence[Sequence[Sequence[Tensor | None]]]


@dataclass(frozen=True, eq=False)
class Run:
    """A layer over one input: x [b, t, d], the states before (h, and c of an LSTM), and what it gave: all states
    [b, t, w], the last h, and the last c of an LSTM.
    """

    x: Float[Tensor, "b t d"]
    starts: Sequence[Float[Tensor, "l b h"]]
    found: Sequence[Tensor]


class ThroughSteps(torch.autograd.Function):
    """All states and the last ones, for the multipliers of ``plan``."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, lengths: Tensor, found: Sequence[Tensor], x: Tensor, *starts: Tensor) -> Any:
        ctx.plan, ctx.lengths = plan, lengths
        return tuple(part.clone() for part in found)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        plan, ways = ctx.plan, len(ctx.plan.layers[0])
        ends: list[dict[Place, Tensor]] = [
            {
                divmod(row, ways): at_end(slope, ctx.lengths, given[0].shape[1])
                for row, slope in enumerate(slopes)
                if bool((slope != 0).any())
            }
            for slopes in given[1:]
        ]
        to_x, starts = plan.back(given[0], ends[0], ends[1] if len(ends) > 1 else {})
        rows = [starts[divmod(row, ways)] for row in range(len(given[1]))]
        return None, None, None, to_x, *(torch.stack(list(each)) for each in zip(*rows, strict=True))


def layers(call: Call) -> tuple[Tensor, ...]:
    """nn.LSTM, nn.GRU and nn.RNN, padded or packed."""
    packed = isinstance(call.args[3], list | tuple)  # else the fourth says whether there are biases
    with torch.no_grad():
        found, found0 = call.native(), elsewhere(call)
    if packed:
        data, sizes, start, flat, biased, count, _, _, both = call.args
        x, lengths = call.mode.run(torch._VF._pad_packed_sequence, data, sizes, True, 0.0, len(sizes))
        every, every0 = (pad_packed_sequence(PackedSequence(f[0], sizes), batch_first=True)[0] for f in (found, found0))
        first = True
    else:
        x, start, flat, biased, count, _, _, both, first = call.args
        x = x if first else call.mode.run(torch.transpose, x, 0, 1)
        every, every0 = (f[0] if first else f[0].transpose(0, 1) for f in (found, found0))
        lengths = torch.full((len(x),), x.shape[1], device=x.device)
    starts = list(start) if isinstance(start, list | tuple) else [start]
    weights = weights_of(call.name, flat, biased, count, 2 if both else 1)
    states = _run(call, weights, lengths, x, starts, (every, *found[1:]), (every0, *found0[1:]))
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
            list(each) if isinstance(each, list | tuple) else [each] for each in (call.native(), elsewhere(call))
        )
    starts = list(start) if isinstance(start, list | tuple) else [start]
    starts = [call.mode.run(torch.unsqueeze, one, 0) for one in starts]
    found, found0 = ((each[0][:, None], *(one[None] for one in each)) for each in (ends, ends0))
    lengths = torch.ones(len(x), dtype=torch.long, device=x.device)
    states = _run(call, [[weights]], lengths, call.mode.run(torch.unsqueeze, x, 1), starts, found, found0)
    given = [call.mode.run(torch.squeeze, state, 0) for state in states[1:]]
    return tuple(given) if len(given) > 1 else given[0]


def _run(
    call: Call,
    weights: Weights,
    lengths: Int[Tensor, " b"],
    x: Tensor,
    starts: list[Tensor],
    found: Sequence[Tensor],
    found0: Sequence[Tensor],
) -> list[Tensor]:
    kind, lengths = call.name.removesuffix("_cell"), lengths.to(x.device)
    base = [other(call, value) for value in (x, *starts)]
    with torch.no_grad():
        each = [
            stacked(kind, weights, x.detach(), found[0], lengths, [start.detach() for start in starts]),
            stacked(kind, weights, base[0], found0[0], lengths, base[1:]),
        ]
        plan = Plan([[Multipliers(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(*each, strict=True)])
    states = ThroughSteps.apply(plan, lengths, tuple(found), x, *starts)  # type: ignore[no-untyped-call]
    for state, at_baseline in zip(states, found0, strict=True):
        note(call, state, at_baseline)
    return list(states)
