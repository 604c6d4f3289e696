"""From texts to results: read, batch by length, run a method, put its scores on words and spans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from exegesis.core.errors import CapacityError, ModelError, out_of_memory
from exegesis.core.text import Span, Text
from exegesis.engine.methods import Card, Method, Scores, require
from exegesis.protocols.batch import groups
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.attribution import Attribution, Number, Prediction

Spans = Callable[[Text], Sequence[tuple[str, Span]]]
Result = TypeVar("Result")
PIECES, ROWS = 16384, 64


def run(
    model: Classifier, texts: Sequence[Text], method: Method, asked: Ask, spans: Spans | None = None
) -> Iterator[tuple[int, Attribution]]:
    """Explain texts; results come as they are ready, each with the number of its text.

    ``spans`` names further spans of each text (level and span of pieces) to be scored beside its words: by the
    method's own ``spans`` where it has one, else as sums over the words. Batches that run out of memory are tried
    again in halves. Raises UnsupportedError where the model cannot serve the method, ModelError where its outputs or
    the scores are not finite, CapacityError where one text alone is too much.
    """
    card = require(model, method)

    def explained(some: Sequence[Text]) -> list[Attribution]:
        return _explain(model, some, method, card, asked, spans)

    yield from in_batches(texts, explained, card.name)


def in_batches(
    texts: Sequence[Text], work: Callable[[Sequence[Text]], list[Result]], name: str
) -> Iterator[tuple[int, Result]]:
    """Work on texts in batches of like length; each result with the number of its text, as they are ready.

    Batches that run out of memory are tried again in halves. Raises CapacityError, with the ``name`` of the work, where
    one text alone is too much.
    """
    queue = groups([len(text) for text in texts], PIECES, ROWS)
    while queue:
        rows = queue.pop(0)
        try:
            found = work([texts[row] for row in rows])
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(rows) == 1:
                text = texts[rows[0]]
                raise CapacityError(
                    f"{name} needs more memory than there is for a text of {len(text.words)} words "
                    f"({text.raw[:30]!r}...): take a shorter text or another method"
                ) from error
            queue[:0] = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
            continue
        yield from zip(rows, found, strict=True)


def _explain(
    model: Classifier, texts: Sequence[Text], method: Method, card: Card, asked: Ask, spans: Spans | None
) -> list[Attribution]:
    start = time.perf_counter()
    batch = model.encode(texts)
    raw = finite(model.outputs(batch), model, "outputs")
    target = asked.of(raw, model.link)
    scores = method(model, batch, target)
    named = [tuple(spans(text)) if spans else () for text in texts]
    extra = score_spans(method, model, batch, target, scores, [[span for _, span in one] for one in named])
    finite(scores.values, model, f"scores of {card.name}")
    explained = array(target.of(raw))
    probabilities = array(model.link.probabilities(raw))
    decided = model.link.decide(raw).tolist()
    account = {part: array(value) for part, value in scores.account.items()}
    values = array(scores.values)
    seconds = (time.perf_counter() - start) / len(texts)
    marks = {} if getattr(method, "signed", card.signed) else {"signed": False}
    unread = model.tokens.get("unknown")
    results = []
    for b, text in enumerate(texts):
        words = _over_words(values[b], text)
        kept = dict(account)
        special = values[b].sum(-1) - words.sum(-1)
        parts: dict[str, Number] = {part: _number(value[b]) for part, value in kept.items()}
        if any(text.special) and not marks:
            parts["special tokens"] = _number(special)
        every = np.concatenate([words, extra[b]], -1)
        results.append(
            Attribution(
                text=text,
                spans=(*text.words, *(span for _, span in named[b])),
                scores=every[0] if target.count == 1 else every,
                targets=target.names(b, model.labels),
                method=repr(method),
                name=card.name,
                prediction=prediction_of(model, probabilities[b], decided[b]),
                explained=_number(explained[b]),
                levels=("word",) * len(text.words) + tuple(level for level, _ in named[b]),
                account=parts,
                complete=card.complete,
                seconds=seconds,
                model=model.name,
                details={**marks, **_unknown(text, unread), **(scores.details[b] if scores.details else {})},
            )
        )
    return results


def score_spans(
    method: Method,
    model: Classifier,
    batch: object,
    target: Target,
    scores: Scores,
    spans: Sequence[Sequence[Span]],
) -> list[np.ndarray]:
    """Scores ``[k, spans]`` of the spans of each text: the method's own where it has them, else sums of its scores."""
    if not any(spans):
        return [np.zeros((target.count, 0)) for _ in spans]
    direct = getattr(method, "spans", None)
    if direct is not None:
        return [array(found) for found in direct(model, batch, target, spans)]
    values = array(scores.values)
    totals = np.concatenate([np.zeros((*values.shape[:2], 1)), values.cumsum(-1)], -1)
    return [
        np.stack([totals[b][:, s.stop] - totals[b][:, s.start] for s in one], -1)
        if one
        else np.zeros((target.count, 0))
        for b, one in enumerate(spans)
    ]


def _unknown(text: Text, number: int | None) -> dict[str, list[int]]:
    """The words that the model reads as its unknown token alone, by their numbers."""
    found = [n for n, word in enumerate(text.words) if set(text.ids[word.start : word.stop]) == {number}]
    return {"unknown": found} if found else {}


def _over_words(values: np.ndarray, text: Text) -> np.ndarray:
    return np.stack([values[:, word.start : word.stop].sum(-1) for word in text.words], -1)


def prediction_of(model: Classifier, probabilities: np.ndarray, decided: int) -> Prediction:
    each = dict(zip(model.labels, probabilities.tolist(), strict=True))
    label = model.labels[decided]
    return Prediction(label, each[label], each)


def finite(values: Tensor, model: Classifier, what: str) -> Tensor:
    """The values as they are. Raises ModelError where one is NaN or infinite."""
    if not bool(torch.isfinite(values).all()):
        raise ModelError(
            f"the {what} of model {model.name} are not finite (NaN or infinity): check its weights and its input"
        )
    return values


def array(values: Tensor) -> np.ndarray:
    return values.detach().to("cpu", torch.float64).numpy()


def _number(value: np.ndarray) -> Number:
    return float(value[0]) if value.shape == (1,) else value
