"""Attributions: a method run on texts, its scores put on words and spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from exegesis.core.errors import UsageError
from exegesis.core.text import Span, Text
from exegesis.engine.answer import ByMethod, Task, answer, array, finite
from exegesis.engine.methods import Card, Method, Scores, require
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.attribution import Attribution
from exegesis.results.header import Account, Origin, Subject

Spans = Callable[[Text], Sequence[tuple[str, Span]]]
SCORE, SPAN = 32, 400  # bytes of a score and of a span while they are put together


def run(
    model: Classifier, texts: Sequence[Text], method: Method, choice: Ask, spans: Spans | None = None
) -> Iterator[tuple[int, Attribution]]:
    """Explain texts; results come as they are ready, each with the number of its text.

    ``spans`` finds further spans of each text (level and span of pieces), which are scored beside its words: by the
    method's own ``spans`` if it has one, else as sums over the words.

    Raises UnsupportedError if the model cannot serve the method, ModelError if its outputs, the scores or the account
    are not finite, CapacityError if a single text needs too much memory.
    """
    yield from answer(model, texts, Words(method, require(model, method), spans), choice)


class _Scored(NamedTuple):
    """The scores of one text: of its words, then of its further spans; ``parts`` has those of its special pieces."""

    spans: tuple[Span, ...]
    levels: tuple[str, ...]
    values: np.ndarray
    parts: Mapping[str, tuple[float, ...]]
    details: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Words(ByMethod):
    """The question which words, and which further ``spans``, carry a number, answered by a method."""

    method: Method
    card: Card
    spans: Spans | None = None

    def passes(self, text: Text, numbers: int) -> int | None:
        """The passes that the method states for a text and its further spans; None if it states none."""
        stated = getattr(self.method, "passes", None)
        if stated is None:
            return None
        more, apart = self._more(text), hasattr(self.method, "spans")
        count: int = stated(len(text.words), numbers) + (stated(more, numbers) if more and apart else 0)
        return count

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of the scores, while they are put together, and of the further spans."""
        more = self._more(text)
        return (len(text.words) + more) * numbers * SCORE + more * SPAN

    def _more(self, text: Text) -> int:
        """The number of further spans, as far as it is known without looking for them."""
        count = getattr(self.spans, "count", None)
        return 0 if count is None else count(text)

    def answer(self, task: Task) -> list[_Scored]:
        """The scores of each text. Raises ModelError if one, or a part of the account, is not finite."""
        model, batch, target = task.model, task.batch, task.target
        scores = self.method(model, batch, target)
        _check_form(self.name, scores, batch, target)
        named = [tuple(self.spans(text)) if self.spans else () for text in task.texts]
        spans = [[span for _, span in row] for row in named]
        extra = score_spans(self.method, model, batch, target, scores, spans)
        finite(scores.values, model, f"scores of {self.name}")
        for values in extra:
            finite(torch.from_numpy(values), model, f"scores of {self.name}")
        for name, part in scores.account.items():
            finite(part, model, f"numbers called {name!r} of {self.name}")
        signed = getattr(self.method, "signed", self.card.signed)
        values, account = array(scores.values), {name: array(part) for name, part in scores.account.items()}
        unread = model.tokens.get("unknown")
        bodies = []
        for b, text in enumerate(task.texts):
            words = _over_words(values[b], text)
            parts = {name: part[b] for name, part in account.items()}
            if any(text.special) and signed:
                parts["special tokens"] = values[b].sum(-1) - words.sum(-1)
            details = {**({} if signed else {"signed": False}), **_unknown(text, unread)}
            bodies.append(
                _Scored(
                    (*text.words, *spans[b]),
                    ("word",) * len(text.words) + tuple(level for level, _ in named[b]),
                    np.concatenate([words, extra[b]], -1),
                    {name: tuple(part.tolist()) for name, part in parts.items()},
                    {**details, **(scores.details[b] if scores.details else {})},
                )
            )
        return bodies

    def result(self, subject: Subject, origin: Origin, body: _Scored) -> Attribution:
        """The attribution of one text."""
        account = Account(body.parts, self.card.complete)
        told = replace(origin, details={**origin.details, **body.details})
        return Attribution(subject, told, body.spans, body.values, body.levels, remainder=account)


def _check_form(name: str, scores: object, batch: Batch, target: Target) -> None:
    """Raise UsageError for what a method returned that is not its answer."""
    form = (len(batch), target.count, batch.ids.shape[1])
    if not isinstance(scores, Scores):
        raise UsageError(f"{name} must return Scores(values), not {type(scores).__name__}")
    if tuple(scores.values.shape) != form:
        given = list(scores.values.shape)
        raise UsageError(f"{name} must return values of the shape [texts, numbers, pieces] = {list(form)}, not {given}")


def score_spans(
    method: Method,
    model: Classifier,
    batch: object,
    target: Target,
    scores: Scores,
    spans: Sequence[Sequence[Span]],
) -> list[np.ndarray]:
    """Scores ``[k, spans]`` of the spans of each text: the method's own if it has them, else sums of its scores."""
    if not any(spans):
        return [np.zeros((target.count, 0)) for _ in spans]
    direct = getattr(method, "spans", None)
    if direct is not None:
        return [array(values) for values in direct(model, batch, target, spans)]
    values = array(scores.values)
    totals = np.concatenate([np.zeros((*values.shape[:2], 1)), values.cumsum(-1)], -1)
    return [
        np.stack([totals[b][:, s.stop] - totals[b][:, s.start] for s in row], -1)
        if row
        else np.zeros((target.count, 0))
        for b, row in enumerate(spans)
    ]


def _unknown(text: Text, number: int | None) -> dict[str, list[int]]:
    """The words that the model reads as its unknown token alone, by their numbers."""
    words = [n for n, word in enumerate(text.words) if set(text.ids[word.start : word.stop]) == {number}]
    return {"unknown": words} if words else {}


def _over_words(values: np.ndarray, text: Text) -> np.ndarray:
    """The scores of the words: sums over their pieces."""
    return np.stack([values[:, word.start : word.stop].sum(-1) for word in text.words], -1)
