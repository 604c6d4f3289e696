"""The gates of recurrent layers: their norms at each word, and those of the derivatives by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.place import DIRECTIONS
from exegesis.core.text import Span, Text
from exegesis.engine.answer import Task, answer, array, finite
from exegesis.mech.gates import NAMES, Reading, gate_slopes
from exegesis.protocols.model import Classifier, Differentiable, missing
from exegesis.protocols.target import Ask
from exegesis.results.header import Origin, Subject
from exegesis.results.internals.gates import GateCurves, Gates


def gate_curves(model: Classifier, texts: Sequence[Text], choice: Ask) -> Iterator[tuple[int, Gates]]:
    """The gates of texts (see ``Gates``) as they are ready, each with the number of its text.

    Raises UnsupportedError for a model without gates that can be seen, UsageError for several numbers at once,
    ModelError if outputs or slopes are not finite, CapacityError if a single text needs too much memory.
    """
    reasons = missing(model, Differentiable)
    if reasons:
        raise UnsupportedError(f"gates need a model with gradients: {next(iter(reasons.values()))}")
    if len(choice.labels) > 1 and choice.kind != "margin":
        raise UsageError("gates explain one number: take one label as the target, not all")
    yield from answer(model, texts, GateSignals(), choice)


@dataclass(frozen=True)
class GateSignals:
    """The question of gates: ||gate_t|| and ||dS / dgate_t|| for every gate and state of every layer and direction.

    S is the explained number, by default the score of the predicted class before the softmax. Its derivatives by a gate
    are whole derivatives: all that later steps and layers make of it is in them. Norms are Euclidean, over the units.
    """

    name: str = "gates"

    @property
    def parameters(self) -> str:
        """The question, as code."""
        return "GateSignals()"

    def passes(self, text: Text, numbers: int) -> int:
        """A forward and a backward pass, step by step."""
        return 3

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of the curves of a layer."""
        return len(text) * 100

    def answer(self, task: Task) -> list[tuple[GateCurves, ...]]:
        """The curves of each text, one text after the other, because steps have no axis of texts."""
        return [self._one(task.row(number)) for number in range(len(task.batch))]

    def _one(self, task: Task) -> tuple[GateCurves, ...]:
        (text,), model = task.texts, cast(Differentiable, task.model)
        found = []
        for reading, part in gate_slopes(model, task.batch, task.target.of):
            for slopes in reading.slopes.values():
                finite(slopes, model, "slopes of the gates")
            found.append(_curves(reading, Span(0, len(text)) if part is None else text.segments[part]))
        return tuple(found)

    def result(self, subject: Subject, origin: Origin, body: tuple[GateCurves, ...]) -> Gates:
        """The gates of one text."""
        return Gates(subject, origin, body)


def _curves(reading: Reading, part: Span) -> GateCurves:
    names = NAMES[reading.cell]
    return GateCurves(
        reading.call + 1,
        reading.layer + 1,
        DIRECTIONS[reading.reverse],
        reading.cell,
        tuple(Span(at, at + 1) for at in range(part.start, part.stop)),
        {name: array(reading.value(letter).norm(dim=-1)) for letter, name in names.items()},
        {name: array(reading.slopes[letter].norm(dim=-1)) for letter, name in names.items()},
    )
