"""The assumptions A1-A9 of Arras et al. 2019, Sec. 11.4.1, held against a model as it runs.

They make relevance well defined: nothing is forgotten, contributions to a memory cell are positive and do not drift,
and words reach the cell through its input z alone. Each of the three variants of the LSTM (``nn.variants``) promises
those that speak of parts it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import ModelError, UnsupportedError, UsageError
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.nn.alone import alone
from exegesis.nn.frozen import frozen
from exegesis.nn.lstm_variants import GATES, Trace, VariantCell
from exegesis.protocols.model import Raw

SAYS = {
    "A1": "nothing is forgotten: c_t = c_{t-1} + i_t z_t",
    "A2": "the cell input is positive, z_t >= 0 and a_g > 0, and its bias negative",
    "A3": "the cell output is a_h tanh of the cell state, times the output gate where there is one, with a_h > 0",
    "A4": "the cell input z_t reads x_t alone",
    "A5": "the input gate i_t does not read x_t",
    "A6": "the output gate o_t does not read x_t",
    "A7": "the bias of the input gate is negative",
    "A8": "the bias of the output gate is negative",
    "A9": "the cell state starts from zero, is never negative and never falls",
}
CHANGED = 16  # positions of a text that are exchanged, spread evenly, to find the parts that read them


@dataclass(frozen=True)
class Assumption:
    """An assumption of the LSTM variants, checked on texts.

    ``violation`` is the largest amount, over texts, layers, directions, steps and units, by which a value breaks the
    assumption. It ``holds`` if that is rounding (1e-5 of the largest cell state in float32, 1e-12 in float64), and a
    bias is below zero.
    """

    name: str
    says: str
    violation: float
    holds: bool


def assumptions(model: TorchClassifier, texts: Sequence[Raw]) -> tuple[Assumption, ...]:
    """The assumptions of the model's LSTM variants, each with its largest violation on these texts.

    Raises UnsupportedError for a model without such a layer, UsageError without a text.
    """
    if not texts:
        raise UsageError("there is no text to check the assumptions on; give at least one")
    measured: dict[str, list[tuple[float, bool]]] = {}
    for cell, inputs in _passes(model, texts):
        for name, value, bound in _measured(cell, inputs):
            measured.setdefault(name, []).append((value, value <= bound))
    if not measured:
        raise UnsupportedError(
            f"{model.name} runs no LSTM variant of Sec. 11.4 (exegesis train --arch lstm-markov, ...)"
        )
    return tuple(
        Assumption(
            name, SAYS[name], max(0.0, *(value for value, _ in measured[name])), all(ok for _, ok in measured[name])
        )
        for name in sorted(measured)
    )


def check_assumptions(model: TorchClassifier, texts: Sequence[Raw]) -> tuple[Assumption, ...]:
    """Check all assumptions on these texts; raise ModelError for the first that does not hold."""
    report = assumptions(model, texts)
    for assumption in report:
        if not assumption.holds:
            raise ModelError(
                f"assumption {assumption.name} does not hold ({assumption.says}): off by {assumption.violation:.3g}; "
                "train the model again, or explain it with a method that does not rest on it"
            )
    return report


def _passes(model: TorchClassifier, texts: Sequence[Raw]) -> Iterator[tuple[VariantCell, Float[Tensor, "1 t d"]]]:
    """Each cell with its inputs, one text at a time so that no row is padded."""
    cells = [part for part in model.module.modules() if isinstance(part, VariantCell)]
    for raw in texts:
        passes: list[tuple[VariantCell, Tensor]] = []

        def note(part: nn.Module, args: tuple[Any, ...], _: Tensor, passes: list[Any] = passes) -> None:
            passes.append((cast(VariantCell, part), args[0].detach()))

        with alone(model.module), ExitStack() as after:
            for cell in cells:
                after.callback(cell.register_forward_hook(note).remove)
            model.outputs(model.encode([model.read(raw)]))
        with torch.no_grad(), frozen(model.module):
            yield from passes


def _measured(cell: VariantCell, inputs: Float[Tensor, "1 t d"]) -> Iterator[tuple[str, float, float]]:
    """The name, the violation, and the largest violation with which each assumption holds."""
    a_g, a_h = cell.scales.tolist()
    trace = cell.trace(inputs)
    rounding = (1e-12 if inputs.dtype == torch.float64 else 1e-5) * max(1.0, _most(trace.c.abs()))
    below_zero = -torch.finfo(inputs.dtype).tiny
    added = trace.z if trace.i is None else trace.i * trace.z
    before = torch.cat([torch.zeros_like(trace.c[:, :1]), trace.c[:, :-1]], 1)
    yield "A1", _most((trace.c - before - added)[:, 1:].abs()), rounding
    yield "A2", max(_most(-trace.z), -a_g), 0.0
    yield "A2", _most(cell.bias_z), below_zero
    read = a_h * torch.tanh(trace.c) * (1.0 if trace.o is None else trace.o)
    yield "A3", max(_most((trace.y - read).abs()), -a_h), rounding
    yield from _unread(cell, inputs, trace, rounding)
    for name, gate in (("A7", "i"), ("A8", "o")):
        if gate in GATES[cell.kind]:
            bias = _most(cast(Tensor, getattr(cell, f"bias_{gate}")))
            yield name, bias, below_zero
    first = trace.c[:, 0] - added[:, 0]
    yield "A9", max(_most(first.abs()), _most(-trace.c), _most(before - trace.c)), rounding


def _unread(cell: VariantCell, inputs: Tensor, trace: Trace, rounding: float) -> Iterator[tuple[str, float, float]]:
    """Assumptions A4 to A6: the gates that change if the vector of one position is exchanged."""
    count = inputs.shape[1]
    places = torch.linspace(0, count - 1, min(count, CHANGED)).long()
    rows = inputs.repeat(len(places), 1, 1)
    index = torch.arange(len(places))
    rows[index, places] += 1.0
    changed, step = cell.trace(rows), torch.arange(count)
    elsewhere = (step != places[:, None])[..., None].to(inputs)
    not_later = (step <= places[:, None])[..., None].to(inputs)
    yield "A4", _most((changed.z - trace.z).abs() * elsewhere), rounding
    if trace.i is not None and changed.i is not None:
        yield "A5", _most((changed.i - trace.i).abs() * not_later), rounding
    if trace.o is not None and changed.o is not None:
        yield "A6", _most((changed.o - trace.o).abs() * not_later), rounding


def _most(values: Tensor) -> float:
    """The largest of the values; zero if there are none."""
    return float(values.max()) if values.numel() else 0.0
