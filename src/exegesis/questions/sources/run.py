"""The question which training texts made the model say this, answered by a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np

from exegesis.core.errors import UnsupportedError
from exegesis.core.text import Text
from exegesis.engine.answer import ByMethod, Task, answer, array, finite
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import METHODS, Card, Method, Queries, Scored, Training, require
from exegesis.questions.sources.words import Salient, Word, word_marks
from exegesis.results.header import Origin, Subject
from exegesis.results.influence import Influence, Mark, Source, strongest


class _Told(NamedTuple):
    """What is told of one text; ``word``, its saliency and those of all words where a word is explained."""

    scores: np.ndarray
    details: dict[str, Any]
    notes: tuple[str, ...]
    marks: tuple[tuple[Mark, ...], ...] = ()
    word: int = -1
    salient: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Asked(ByMethod):
    """The question, with the training texts and how many of them to name on either side.

    ``word`` explains the saliency of a word instead of the number; ``words`` scores the words of the texts named.
    ``pool`` are texts that are scored in the place of the training texts.
    """

    method: Method
    card: Card
    training: Training
    top: int
    word: Word | None = None
    words: bool = False
    pool: Training | None = None

    @property
    def listed(self) -> Training:
        """The texts that are scored."""
        return self.training if self.pool is None else self.pool

    def answer(self, task: Task) -> list[_Told]:
        """The scores of all training texts for each text of a batch."""
        queries = Queries(task.texts, task.batch, task.raw, task.target)
        passes = Passes(cast(Trained, task.model), getattr(self.method, "weights", "").split()) if self.inside else None
        if self.word is not None and passes is not None:
            queries = Salient.of(queries, passes, self.word)
        told = self.method(task.model, self.training, queries)
        if self.pool is not None:
            told = self._of_pool(task.model, told, self.pool)
        finite(told.values.nan_to_num(nan=0.0, posinf=np.inf, neginf=-np.inf), task.model, f"scores of {self.name}")
        details = told.details or [{} for _ in task.texts]
        notes = told.notes or [() for _ in task.texts]
        bodies = [
            _Told(row, dict(detail), tuple(said))
            for row, detail, said in zip(array(told.values), details, notes, strict=True)
        ]
        if self.words and passes is not None:
            bodies = [self._marked(body, passes, told, row) for row, body in enumerate(bodies)]
        if isinstance(queries, Salient):
            pairs = zip(bodies, queries.numbers, queries.scores, strict=True)
            bodies = [body._replace(word=word, salient=tuple(scores.tolist())) for body, word, scores in pairs]
        return bodies

    @property
    def inside(self) -> bool:
        """True if words are asked for, of either side."""
        return self.words or self.word is not None

    def _of_pool(self, model: Classifier, told: Scored, pool: Training) -> Scored:
        """The same products, with the gradients of other texts."""
        if told.vectors is None:
            raise UnsupportedError(f"{self.parameters} scores no pool: its scores are no products of gradients")
        passes = Passes(cast(Trained, model), getattr(self.method, "weights", "").split())
        values = -Losses(passes, pool.texts, pool.gold).products(told.vectors)
        return replace(told, values=values.double().cpu())

    def _marked(self, body: _Told, passes: Passes, told: Scored, row: int) -> _Told:
        """The words of the texts that are named, each with its part of the text's score."""
        if told.vectors is None:
            raise UnsupportedError(f"{self.parameters} gives no scores of words: its scores are no products")
        training = self.listed
        marks = tuple(
            word_marks(passes, training.texts[n], float(training.gold[n]), float(body.scores[n]), told.vectors[row])
            for n in strongest(body.scores, self.top)
        )
        return body._replace(marks=marks)

    def result(self, subject: Subject, origin: Origin, body: _Told) -> Influence:
        """The influence of the training texts on one text."""
        numbers = strongest(body.scores, self.top)
        sources = tuple(
            Source(n, self.listed.texts[n].raw, self.listed.labels[n], float(body.scores[n]), marks)
            for n, marks in zip(numbers, body.marks or [()] * len(numbers), strict=True)
        )
        if body.word >= 0:
            name = f"saliency:{subject.text.surface(subject.text.words[body.word])}"
            subject = replace(subject, targets=(name,), explained=(body.salient[body.word],))
        origin = replace(origin, details=body.details)
        return Influence(subject, origin, body.scores, sources, self.card.unit, body.notes, body.salient, body.word)


def influences(
    model: Classifier,
    training: Training,
    texts: Sequence[Text],
    method: Method,
    choice: Ask,
    top: int,
    word: Word | None = None,
    words: bool = False,
    pool: Training | None = None,
) -> Iterator[tuple[int, Influence]]:
    """The influence of training texts (or of those of a pool) on each text, as it is ready, with the text's number.

    Raises UnsupportedError if the model cannot serve the method, and for words or a pool with a method whose scores are
    no products of gradients; ModelError if outputs or scores are not finite.
    """
    card = require(model, method)
    if (word is not None or words or pool is not None) and not card.products:
        able = ", ".join(card.name for card in METHODS if card.products)
        raise UnsupportedError(f"{card.name} scores no {'words' if pool is None else 'pool'}: take one of {able}")
    yield from answer(model, texts, Asked(method, card, training, top, word, words, pool), choice)
