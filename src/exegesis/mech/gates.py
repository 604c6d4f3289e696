"""The gates of LSTMs and GRUs of any module as it runs, and the slopes of a number by them.

A function mode takes the place of torch's recurrent kernels, step by step, so that every gate is a value of its own
with a gradient; what it gives is compared with the kernel's. Which of the calls read the pieces of a text is found by
value, as for attention.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from exegesis.core.errors import ModelError, UnsupportedError
from exegesis.mech.attending.layout import Part, sizes_of, varied, which_part
from exegesis.nn.recurrent import step_of, weights_of
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

NAMES = {
    "lstm": {"i": "input", "f": "forget", "o": "output", "g": "candidate", "c": "cell", "h": "hidden"},
    "gru": {"r": "reset", "z": "update", "n": "candidate", "h": "hidden"},
}


@dataclass(eq=False)
class Reading:
    """One direction of one layer in one call: every gate and state by its letter, a value ``[1, h]`` for each step.

    Steps are in the order of the text, whatever the direction. ``call`` counts the calls of recurrent layers.
    """

    cell: str
    call: int
    layer: int
    reverse: bool
    steps: int
    values: dict[str, list[Tensor]]
    slopes: dict[str, Float[Tensor, "t h"]] = field(default_factory=dict)

    def value(self, letter: str) -> Float[Tensor, "t h"]:
        """A gate or state at all steps."""
        return torch.cat([step.detach() for step in self.values[letter]])


class Unrolling(TorchFunctionMode):
    """Runs LSTMs and GRUs step by step; ``readings`` has every direction of every layer, in order.

    A layer that reads several rows at once runs as it stands and counts as a call without readings.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readings: list[Reading] = []
        self.calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name not in NAMES or len(args) != 9:
            return result
        packed = isinstance(args[1], Tensor) and not args[1].is_floating_point()
        source = args[0]
        if packed:
            inputs, (start, flat, biased, count, _, _, both) = source[None], args[2:]
            single = bool((args[1] == 1).all())
        else:
            start, flat, biased, count, _, _, both, first = args[1:]
            inputs = source if first else source.transpose(0, 1)
            single = len(inputs) == 1
        self.calls += 1
        if not single:
            return result
        starts = [start] if name == "gru" else list(start)
        states, last = self._layers(name, inputs, starts, weights_of(name, flat, biased, count, 1 + both), both)
        made = states[0] if packed else states if first else states.transpose(0, 1)
        if not agree(made.detach(), result[0].detach(), double=1e-9, single=1e-4, half=2e-2):
            raise ModelError(
                "a recurrent layer gives other states than its weights make, so its gates are out of sight"
            )
        return (made, *last)

    def _layers(
        self, cell: str, inputs: Tensor, starts: Sequence[Tensor], weights: Sequence[Any], both: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """The states of the top layer, and the last states (and cells) of all layers and directions."""
        last: list[list[Tensor]] = [[] for _ in starts]
        for layer, ways in enumerate(weights):
            outputs = []
            for way, one in enumerate(ways):
                row = layer * (1 + both) + way
                reading = _read(cell, inputs, [start[row] for start in starts], one, way == 1)
                reading.call, reading.layer = self.calls - 1, layer
                self.readings.append(reading)
                outputs.append(torch.stack(reading.values["h"], 1))
                end = 0 if way else -1
                for kept, letter in zip(last, "hc", strict=False):
                    kept.append(reading.values[letter][end])
            inputs = torch.cat(outputs, -1)
        return inputs, [torch.stack(kept) for kept in last]


def _read(cell: str, inputs: Tensor, starts: list[Tensor], weights: Sequence[Tensor | None], reverse: bool) -> Reading:
    """One direction, step by step, by torch's formulas."""
    w_x, w_h, b_x, b_h = weights
    assert w_x is not None
    assert w_h is not None
    steps = inputs.shape[1]
    from_x = torch.nn.functional.linear(inputs, w_x, b_x)
    state, values = starts, {letter: [torch.empty(0)] * steps for letter in NAMES[cell]}
    for step in range(steps - 1, -1, -1) if reverse else range(steps):
        from_h = torch.nn.functional.linear(state[0], w_h, b_h)
        made = step_of(cell, from_x[:, step], from_h, *state)
        state = [made[letter] for letter in "hc" if letter in made]
        for letter, value in made.items():
            values[letter][step] = value
    return Reading(cell, 0, 0, reverse, steps, values)


_known: weakref.WeakKeyDictionary[object, tuple[Part | str, ...]] = weakref.WeakKeyDictionary()
ELSEWHERE = "elsewhere"


def parts_of(model: Differentiable, batch: Batch) -> tuple[Part | str, ...]:
    """What each call of a recurrent layer reads: a segment's number, None for the whole text, or ``ELSEWHERE``.

    Found on the first text of a batch and remembered. Raises UnsupportedError for a model without an LSTM or a GRU over
    the pieces of a text.
    """
    try:
        known = _known.get(model)
    except TypeError:
        known = None
    if known is not None:
        return known
    row = batch.take(torch.tensor([0]))
    runs, sizes = [_lengths(model, row)], [sizes_of(row)]
    for number, span in enumerate(row.texts[0].segments):
        other, length = varied(row, span, number)
        runs.append(_lengths(model, other))
        sizes.append(length)
    if len({len(run) for run in runs}) > 1:
        raise UnsupportedError(
            f"the model {model.name} calls its recurrent layers another number of times for texts of other lengths"
        )
    found: list[Part | str] = []
    for call in range(len(runs[0])):
        over, part = which_part([run[call] for run in runs], sizes)
        found.append(part if over else ELSEWHERE)
    if all(part == ELSEWHERE for part in found):
        raise UnsupportedError(
            f"the model {model.name} shows no gates: no nn.LSTM or nn.GRU reads the pieces of a text, one a step"
        )
    known = tuple(found)
    try:
        _known[model] = known
    except TypeError:
        return known
    return known


def _lengths(model: Differentiable, batch: Batch) -> list[int]:
    mode = Unrolling()
    with torch.no_grad(), mode:
        model.outputs(batch)
    lengths = [0] * mode.calls
    for reading in mode.readings:
        lengths[reading.call] = reading.steps
    return lengths


def gate_slopes(
    model: Differentiable, batch: Batch, number: Callable[[Float[Tensor, "b c"]], Tensor]
) -> list[tuple[Reading, Part]]:
    """Every reading of the pieces of a batch of one text, with the slopes of the ``number`` made of the outputs.

    Each slope is the whole derivative by a gate, or by a state in all that it reaches. Raises UnsupportedError for a
    model without gates that can be seen.
    """
    parts, mode = parts_of(model, batch), Unrolling()
    vectors = model.embed(batch).detach().requires_grad_()
    with torch.enable_grad(), mode:
        explained = number(model.outputs_from(vectors, batch)).sum()
    if mode.calls != len(parts):
        raise UnsupportedError(f"the model {model.name} calls its recurrent layers in another way for this text")
    chosen = [reading for reading in mode.readings if parts[reading.call] != ELSEWHERE]
    flat = [value for reading in chosen for values in reading.values.values() for value in values]
    try:
        found = iter(torch.autograd.grad(explained, flat, allow_unused=True))
    except RuntimeError as error:
        raise UnsupportedError(f"no gradient reaches the gates of the model {model.name}") from error
    for reading in chosen:
        for letter, values in reading.values.items():
            slopes = [(next(found), value) for value in values]
            reading.slopes[letter] = torch.cat([torch.zeros_like(v) if s is None else s for s, v in slopes])
    return [(reading, part) for reading in chosen for part in [parts[reading.call]] if not isinstance(part, str)]
