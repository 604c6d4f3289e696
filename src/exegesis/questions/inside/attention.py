"""The maps of attention of texts, by any method of ``maps``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import ModelError, UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.engine.answer import ByMethod, Task, answer
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask
from exegesis.questions.inside.maps import Card, Found, require
from exegesis.results.header import Origin, Subject
from exegesis.results.internals.attention import AttentionMap, AttentionMaps

CELL = 60  # bytes of a cell of a map while a result is put together


def attention_maps(
    model: Classifier,
    texts: Sequence[Text],
    method: Any,
    choice: Ask,
    layer: int | None = None,
    head: int | None = None,
    pieces: bool = False,
) -> Iterator[tuple[int, AttentionMaps]]:
    """The maps of texts (see ``AttentionMaps``) as they are ready, each with the number of its text.

    Raises UnsupportedError if the model cannot serve the method, UsageError for several numbers at once and for a
    layer or head that the model does not have, ModelError for numbers that are not finite, CapacityError if a single
    text needs too much memory.
    """
    card = require(model, method)
    if len(choice.labels) > 1 and choice.kind != "margin":
        raise UsageError("attention explains one number: take one label as the target, not all")
    yield from answer(model, texts, Maps(method, card, layer, head, pieces), choice)


class _Body(NamedTuple):
    maps: tuple[AttentionMap, ...]
    signed: bool
    details: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Maps(ByMethod):
    """The question of the maps of attention, of all layers and heads or of one, over words or over ``pieces``."""

    method: Any
    card: Card
    layer: int | None = None
    head: int | None = None
    pieces: bool = False

    def passes(self, text: Text, numbers: int) -> int | None:
        """The passes that the method states."""
        count: int = self.method.passes(len(text), numbers)
        return count

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of one map."""
        return len(text) ** 2 * CELL

    def answer(self, task: Task) -> list[_Body]:
        """The maps of each text, one text after the other, because rows and columns have no axis of texts."""
        return [self._one(task.row(number)) for number in range(len(task.batch))]

    def _one(self, task: Task) -> _Body:
        (text,) = task.texts
        if any(not _has_words(text, segment) for segment in text.segments):
            raise UsageError("attention between the parts of a pair needs a word in each: this one has an empty side")
        found = self.method(task.model, task.batch, task.target)
        if not all(np.isfinite(one.values).all() for one in found):
            raise ModelError(f"the attention of model {task.model.name} is not finite (NaN or infinity)")
        more = getattr(self.method, "details", None)
        details = {} if more is None else more(task.model, task.batch, found)
        merged = tuple(self._merged(text, one) for one in self._chosen(found))
        return _Body(merged, getattr(self.method, "signed", self.card.signed), details)

    def _chosen(self, found: Sequence[Found]) -> list[Found]:
        """The maps of the wanted layer and head. Raises UsageError if there is none."""
        listed = list(found)
        for name, wanted in (("layer", self.layer), ("head", self.head)):
            if wanted is not None:
                has = list(dict.fromkeys(getattr(one, name) for one in listed))
                listed = [one for one in listed if getattr(one, name) == wanted]
                if not listed:
                    raise unknown(f"{name} of attention", str(wanted), list(map(str, has)))
        return listed

    def _merged(self, text: Text, one: Found) -> AttentionMap:
        """A map over pieces as one over words and special pieces: columns are summed, rows of weights averaged."""
        rows = () if one.down is None else _units(text, one.down, self.pieces)
        columns = _units(text, one.across, self.pieces)
        values = _summed(one.values, columns, one.across.start, 1)
        if one.down is not None:
            values = _summed(values, rows, one.down.start, 0)
            if self.card.weights or self.card.name in ("flow", "norm-weighted"):
                values = values / np.array([[span.width] for span in rows])
        return AttentionMap(one.layer, one.head, rows, columns, values)

    def result(self, subject: Subject, origin: Origin, body: _Body) -> AttentionMaps:
        """The maps of one text."""
        origin = replace(origin, details=body.details)
        return AttentionMaps(subject, origin, body.maps, self.card.name, self.card.weights, body.signed)


def _has_words(text: Text, segment: Span) -> bool:
    return any(segment.covers(word) for word in text.words)


def _units(text: Text, part: Span, pieces: bool) -> tuple[Span, ...]:
    """The words in a part of a text, and every piece outside them alone; or all pieces."""
    if pieces:
        return tuple(Span(at, at + 1) for at in range(part.start, part.stop))
    words = {word.start: word for word in text.words if part.covers(word)}
    found, at = [], part.start
    while at < part.stop:
        span = words.get(at, Span(at, at + 1))
        found.append(span)
        at = span.stop
    return tuple(found)


def _summed(
    values: Float[np.ndarray, "q k"], spans: Sequence[Span], start: int, axis: int
) -> Float[np.ndarray, "rows columns"]:
    """Sums over spans along an axis."""
    edges = [span.start - start for span in spans]
    summed: np.ndarray = np.add.reduceat(values, edges, axis=axis)
    return summed
