"""The document of relevance inside a network: the text once for each place, coloured by what its words receive there.

All places share one scale, since all are in the unit of the number explained.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from exegesis.results.internals.relevance import WORDS, Relevance
from exegesis.show.document import Document, Legend, Note, Section
from exegesis.show.documents.account import Sum
from exegesis.show.documents.header import assembled, facts, section, together
from exegesis.show.documents.passage import Strand, check_scale, passage, scale_of, tables
from exegesis.show.wording import number, visible

COLUMNS = ("example", "model", "target", "place", "index", "text", "start", "stop", "relevance")
USUAL = (
    "Lrp(epsilon=None, product='all', stabilizer=None, bias='keep', rule='epsilon', gamma=0.25, alpha=2.0, beta=1.0, "
    "attention=None)"
)
READ = (
    "Each row is the text at one place of the network; a word's score is the sum over the components of its vector "
    "there, in units of the number explained. A .csv file has every component."
)
NAMED = 6  # places that cannot be drawn


def document(results: Sequence[Relevance], *, scale: str = "shared") -> Document:
    """Relevance of texts; results on one text share a section. ``scale="each"`` gives each place its own maximum."""
    check_scale(scale)
    sections = [_section(group, scale != "each") for group in together(results)]
    return assembled("Relevance", "texts", sections)


def _section(results: Sequence[Relevance], shared: bool) -> Section:
    strands, notes = list[Strand](), list[Note]()
    for result in results:
        places = result.at_words()
        for place, scores in places.items():
            differs = [result.target] if len(results) > 1 else []
            label = " · ".join(map(visible, [str(place), *differs]))
            strands.append(Strand(label, "", result.text, result.text.words, scores.tolist(),
                                  ("word",) * len(scores), ("word",)))  # fmt: skip
            total = float(scores.sum())
            added = Sum(result.target, result.explained, total, _account(result)).equation()
            notes.append(Note(label, added if place == WORDS else f"its words' scores add up to {number(total)}"))
        notes += [Note("", line) for line in _remarks(result, places)]
    words, asides = passage(strands, shared)
    legend = Legend(scale_of(words), tuple(dict.fromkeys(notes)))
    header = facts(results, [""] * len(results))
    return section(results, (header, words, legend, *tables(words, asides)))


def records(results: Sequence[Relevance]) -> Iterator[Sequence[Any]]:
    """Rows for a file: each component of every vector with its place, its index there, and its piece of the text.

    ``index`` counts from 0, one number for each axis of the place, with blanks between.
    """
    yield COLUMNS
    for example, result in enumerate(results):
        for place, values in ((WORDS, result.dimensions), *result.states.items()):
            axis = 0 if place == WORDS else result.axis(place)
            for index, value in np.ndenumerate(values):
                piece = ("", "", "") if axis is None else _piece(result, index[axis])
                where = " ".join(map(str, index))
                yield (example, result.model, result.target, str(place), where, *piece, float(value))


def _piece(result: Relevance, piece: int) -> tuple[str, int, int]:
    start, stop = result.text.offsets[piece]
    return result.text.raw[start:stop] or result.text.pieces[piece], start, stop


def _account(result: Relevance) -> dict[str, float]:
    """The part that no word's vector received: the account, and pieces that belong to no word."""
    inside = sum(float(result.dimensions[word.start : word.stop].sum()) for word in result.text.words)
    special = float(result.dimensions.sum()) - inside
    return {**result.account, **({"special tokens": special} if any(result.text.special) else {})}


def _remarks(result: Relevance, places: Collection[object]) -> Iterator[str]:
    """The method, what a row is, which places have no vector for each piece of the text."""
    undrawn = [
        f"{visible(str(name))} ({' x '.join(map(str, state.shape))}), in all {number(float(state.sum()))}"
        for name, state in result.states.items()
        if name not in places
    ]
    yield f"Layer-wise relevance propagation{_settings(result.method)}."
    yield READ
    if undrawn:
        more = f"; and {len(undrawn) - NAMED} more" if len(undrawn) > NAMED else ""
        yield f"Not drawn, as their places are not those of the text: {'; '.join(undrawn[:NAMED])}{more}."


def _settings(method: str) -> str:
    """The parameters of the method that are not the usual ones; the whole method if it is written in another way."""
    parameters, usual = (re.findall(r"(\w+)=([^,()]+)", written) for written in (method, USUAL))
    if len(parameters) != len(usual):
        return f", {visible(method)}"
    changed = [f"{name} {visible(value)}" for name, value in parameters if (name, value) not in usual]
    return f" with {', '.join(changed)}" if changed else ""
