"""Attention maps: what each part of a model looks at, on one text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.place import Place
from exegesis.core.text import Span, Text
from exegesis.core.values import ByValue, published
from exegesis.results.header import TextResult, require_finite, require_one_target


class Link(NamedTuple):
    """A cell of a map: the texts of its row and column, its value, and the place of its map."""

    row: str
    column: str
    value: float
    place: Place


@dataclass(frozen=True, eq=False)
class AttentionMap(ByValue):
    """The numbers of one layer, or of one head of it: ``values[i, j]`` from row i to column j.

    ``rows`` and ``columns`` are spans of pieces: a word, or a special piece alone. A map of attention that pools the
    whole text into one vector has one row and no ``rows``. ``layer`` and ``head`` count from 1; a ``head`` of 0 stands
    for all heads together.

    Raises UsageError if the values do not fit the rows and columns, or are not finite.
    """

    layer: int
    head: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    values: Float[np.ndarray, "rows columns"]

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        if values.shape != (max(len(self.rows), 1), len(self.columns)) or not len(self.columns):
            raise UsageError(f"a map of {len(self.rows)} rows and {len(self.columns)} columns cannot be {values.shape}")
        if self.layer < 1 or self.head < 0:
            raise UsageError(f"layers count from 1 and heads from 0, not {self.layer} and {self.head}")
        require_finite("attention", values)

    @property
    def place(self) -> Place:
        """The place of the map: ``attention 3 head 1``, ``attention 3`` for all heads."""
        return Place("attention", self.layer, self.head)

    @property
    def pools(self) -> bool:
        """True if the map has a single row, which pools the text into one vector."""
        return not self.rows


@published
@dataclass(frozen=True, eq=False)
class AttentionMaps(TextResult):
    """The maps of a method of attention (see ``exegesis.attention``) on one text, by layer and head.

    ``maps`` are in order of layers and heads. ``kind`` is the method's name. If ``weights``, every row sums to 1; if
    ``signed``, a number below zero speaks against the target. A map is found by its place, ``result["attention 2 head
    1"]``, or by numbers: ``result.map(2, 1)``. Special pieces ([CLS]) are kept, so that rows keep their sums.

    Raises UsageError for maps that lie outside the text or stand twice.
    """

    maps: tuple[AttentionMap, ...]
    kind: str
    weights: bool
    signed: bool

    form: ClassVar[str] = "exegesis.attention"
    noun: ClassVar[str] = "result of exegesis.attention"

    def __post_init__(self) -> None:
        require_one_target(self)
        places = [one.place for one in self.maps]
        if not places or len(set(places)) < len(places):
            raise UsageError("attention needs at least one map, and one for each place")
        for one in self.maps:
            if any(not 0 <= span.start < span.stop <= len(self.text) for span in (*one.rows, *one.columns)):
                raise UsageError(f"rows and columns of {one.place} lie in the text of {len(self.text)} pieces")

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    @property
    def layers(self) -> tuple[int, ...]:
        """The numbers of the layers, from 1."""
        return tuple(dict.fromkeys(one.layer for one in self.maps))

    def heads(self, layer: int) -> tuple[int, ...]:
        """The numbers of the heads of a layer, 0 for a map of all of them together."""
        return tuple(one.head for one in self.maps if one.layer == layer)

    def map(self, layer: int, head: int = 0) -> AttentionMap:
        """The map of a layer and head. Head 0 is the mean over the heads where there is none of all together.

        Raises UsageError for a layer or head that the result does not have.
        """
        inside = [one for one in self.maps if one.layer == layer]
        if not inside:
            raise unknown("layer", str(layer), list(map(str, self.layers)))
        found = next((one for one in inside if one.head == head), None)
        if found is None and head:
            raise unknown(f"head of layer {layer}", str(head), [str(one.head) for one in inside])
        if found is not None:
            return found
        return AttentionMap(layer, 0, inside[0].rows, inside[0].columns, np.mean([one.values for one in inside], 0))

    def __getitem__(self, place: Place | str) -> AttentionMap:
        """The map of a place, by its name. Raises UsageError for one that the result does not have."""
        parsed = Place.parse(place)
        if parsed.kind != "attention" or not parsed.layer:
            raise unknown("place", str(place), [str(one.place) for one in self.maps])
        return self.map(parsed.layer, parsed.head)

    def names(self, spans: Sequence[Span]) -> tuple[str, ...]:
        """Rows or columns as written: the user's characters, the piece itself if it has none; "output" for no row."""
        return tuple(_name(self.text, span) for span in spans) or ("output",)

    def top(self, k: int = 5) -> tuple[Link, ...]:
        """The k cells of the largest magnitude over all maps."""
        found = [
            (abs(float(value)), number, at, float(value))
            for number, one in enumerate(self.maps)
            for at, value in np.ndenumerate(one.values)
        ]
        found.sort(key=lambda cell: -cell[0])
        return tuple(
            Link(self.names(one.rows)[row], self.names(one.columns)[column], value, one.place)
            for _, number, (row, column), value in found[:k]
            for one in [self.maps[number]]
        )

    def received(self, layer: int, head: int = 0) -> Float[np.ndarray, " words"]:
        """What each word of the text receives in a map: the mean over its rows; NaN for a word without a column."""
        one = self.map(layer, head)
        columns = dict(zip(one.columns, one.values.mean(0), strict=True))
        return np.array([columns.get(word, np.nan) for word in self.text.words])

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: each map with the names of its rows and columns."""
        return {**super().readable(), "attention": list(self._readable())}

    def _readable(self) -> Iterator[Mapping[str, Any]]:
        for one in self.maps:
            yield {"place": str(one.place), "rows": self.names(one.rows), "columns": self.names(one.columns)}

    def __repr__(self) -> str:
        count = len(self.maps)
        best = self.top(1)[0]
        return escaped(
            f"<AttentionMaps {self.kind} of {self.target}={self.explained:.4g}: {count} map{'s' * (count > 1)}; "
            f"{best.row} → {best.column} {best.value:.3g} at {best.place}>"
        )


def _name(text: Text, span: Span) -> str:
    return text.surface(span) or " ".join(text.pieces[span.start : span.stop])
