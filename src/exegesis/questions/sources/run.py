"""The question which training texts made the model say this, answered by a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from exegesis.core.text import Text
from exegesis.engine.answer import Task, answer, array, finite
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask
from exegesis.questions.sources.method import Card, Method, Queries, Training, require
from exegesis.results.header import Origin, Subject
from exegesis.results.influence import Influence, Source, strongest


class _Told(NamedTuple):
    scores: np.ndarray
    details: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Asked:
    """The question, with the training texts and how many of them to name on either side."""

    method: Method
    card: Card
    training: Training
    top: int

    @property
    def name(self) -> str:
        """The method's name."""
        return self.card.name

    @property
    def parameters(self) -> str:
        """The method with its parameters, as code."""
        return repr(self.method)

    def answer(self, task: Task) -> list[_Told]:
        """The scores of all training texts for each text of a batch."""
        told = self.method(task.model, self.training, Queries(task.texts, task.batch, task.raw, task.target))
        finite(told.values.nan_to_num(nan=0.0, posinf=np.inf, neginf=-np.inf), task.model, f"scores of {self.name}")
        details = told.details or [{} for _ in task.texts]
        notes = told.notes or [() for _ in task.texts]
        return [
            _Told(row, dict(detail), tuple(said))
            for row, detail, said in zip(array(told.values), details, notes, strict=True)
        ]

    def result(self, subject: Subject, origin: Origin, body: _Told) -> Influence:
        """The influence of the training texts on one text."""
        sources = tuple(
            Source(n, self.training.texts[n].raw, self.training.examples[n].label or "", float(body.scores[n]))
            for n in strongest(body.scores, self.top)
        )
        return Influence(
            subject, replace(origin, details=body.details), body.scores, sources, self.card.unit, body.notes
        )


def influences(
    model: Classifier, training: Training, texts: Sequence[Text], method: Method, choice: Ask, top: int
) -> Iterator[tuple[int, Influence]]:
    """The influence of training texts on each text, as it is ready, with the number of the text.

    Raises UnsupportedError if the model cannot serve the method, ModelError if outputs or scores are not finite.
    """
    yield from answer(model, texts, Asked(method, require(model, method), training, top), choice)
