"""Recurrent layers written out step by step, so that the gradient at every gate's argument can be asked for.

The gradient of a recurrent weight is a sum over steps: of W_x, that at the gates' arguments times x_t; of W_h, times
h_{t-1}. All W_x x_t are one product; the rest is a loop. There is a second derivative, which torch's kernels lack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.nn.recurrent import GATES, State, next_state

if TYPE_CHECKING:
    from exegesis.mech.curvature.watch import Watch

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def run_layers(watch: Watch, cell: str, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """The results of torch's recurrent functions, of padded or packed inputs, their weights noted.

    None for a layer that is not of this form (an LSTM with projections), which is left to torch.
    """
    if options or len(args) != 9:
        return None
    packed = isinstance(args[3], list | tuple)
    data, sizes, first, weights = (args[0], args[1], args[2], args[3]) if packed else (args[0], None, *args[1:3])
    biased, count, ways = (
        bool(args[4 if packed else 3]),
        int(args[5 if packed else 4]),
        2 if args[8 - (not packed)] else 1,
    )
    turned = not packed and bool(args[8])
    each = 4 if biased else 2
    if len(weights) != each * count * ways or data.dim() != (2 if packed else 3):
        return None
    if weights[1].shape[1] != len(weights[0]) // len(GATES[cell]):
        return None
    inputs, real = _steps(data, sizes, turned)
    watch.order = watch.sorted if packed else None
    states = first if cell == "lstm" else (first, None)
    ends: list[State] = []
    for layer in range(count):
        outputs = []
        for way in range(ways):
            at = layer * ways + way
            own = [*weights[at * each : (at + 1) * each], *([None, None] if not biased else [])]
            start = (states[0][at], None if states[1] is None else states[1][at])
            made, end = _direction(watch, cell, inputs, real, own, start, reverse=way == 1)
            outputs.append(made)
            ends.append(end)
        inputs = torch.cat(outputs, -1)
    watch.order = None
    if sizes is not None:
        assert real is not None
        inputs = inputs[real]
    elif turned:
        inputs = inputs.transpose(0, 1)
    hidden = torch.stack([end[0] for end in ends])
    if cell != "lstm":
        return inputs, hidden
    return inputs, hidden, torch.stack([end[1] for end in ends if end[1] is not None])


def run_cell(cell: str) -> Callable[..., Any]:
    """The function that replaces torch's single step of a recurrent cell."""

    def step(
        watch: Watch, inputs: Tensor, state: Any, w_x: Tensor, w_h: Tensor, b_x: Any = None, b_h: Any = None
    ) -> Any:
        hidden, memory = state if cell == "lstm" else (state, None)
        if inputs.dim() != 2:
            return None
        from_x, from_h = watch.linear(inputs, w_x, b_x), watch.linear(hidden, w_h, b_h)
        new, memory = next_state(cell, from_x, from_h, hidden, memory)
        return (new, memory) if cell == "lstm" else new

    return step


def _steps(data: Tensor, sizes: Int[Tensor, " t"] | None, turned: bool) -> tuple[Float[Tensor, "t b d"], Tensor | None]:
    """The inputs, time first; of packed ones also which steps are real, in the order of the packed rows."""
    if sizes is None:
        return (data.transpose(0, 1) if turned else data), None
    real = torch.arange(int(sizes[0]), device=data.device) < sizes.to(data.device)[:, None]
    padded = data.new_zeros(*real.shape, data.shape[-1])
    return padded.index_put((real.nonzero()[:, 0], real.nonzero()[:, 1]), data), real


def _direction(
    watch: Watch,
    cell: str,
    inputs: Float[Tensor, "t b d"],
    real: Tensor | None,
    weights: Sequence[Any],
    start: State,
    *,
    reverse: bool,
) -> tuple[Float[Tensor, "t b h"], State]:
    """All states of one direction of one layer, in the order of the text, and the last one."""
    w_x, w_h, b_x, b_h = weights
    from_x = watch.linear(inputs, w_x, b_x)
    hidden, memory = start
    apart = from_x.new_zeros(from_x.shape).requires_grad_()  # its gradient is that at the part from the states
    matrix, bias = watch.at(w_h), watch.at(b_h)
    steps = range(len(inputs))
    before: list[Tensor] = []
    states: list[Tensor] = []
    for t in reversed(steps) if reverse else steps:
        before.append(hidden)
        from_h = torch.nn.functional.linear(hidden, matrix, bias) + apart[t]
        new, kept = next_state(cell, from_x[t], from_h, hidden, memory)
        if real is not None:
            new = torch.where(real[t][:, None], new, hidden)
            kept = None if kept is None or memory is None else torch.where(real[t][:, None], kept, memory)
        hidden, memory = new, kept
        states.append(hidden)
    if reverse:
        before, states = before[::-1], states[::-1]
    watch.note(w_h, "linear", apart, torch.stack(before), bias=watch.name_of(b_h))
    watch.note(b_h, "shift", apart)
    return torch.stack(states), (hidden, memory)
