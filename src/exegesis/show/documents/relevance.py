"""Relevance inside a network in every view: the text once for each place, coloured by what its words receive there.

The rows of a place are drawn as those of an explanation (``layout``), all on one scale, since all are in the unit of
the number explained. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from exegesis.results.attribution import Attribution
from exegesis.results.relevance import WORDS, Relevance
from exegesis.results.result import Account, Origin, each
from exegesis.show import latex
from exegesis.show.before.figure import passage as words
from exegesis.show.before.figure.scene import Scene
from exegesis.show.before.html import parts as html
from exegesis.show.tables import cell, written
from exegesis.show.terminal import passage as words_terminal
from exegesis.show.terminal.look import Line, Look
from exegesis.show.wording import MINUS, number, visible

Results = Relevance | Sequence[Relevance]
COLUMNS = ("example", "model", "target", "place", "index", "text", "start", "stop", "relevance")
USUAL = (
    "Lrp(epsilon=0.001, product='all', stabilizer=None, bias='keep', rule='epsilon', gamma=0.25, alpha=2.0, beta=1.0)"
)
WHAT = (
    "Each row is the text at one place of the network; a word's score is the sum over the components of its vector "
    "there, in units of the number explained. A .csv file has every component."
)


def rows(results: Results, minus: str) -> list[Attribution]:
    """What is drawn: an explanation of each text for every place."""
    return [one for result in each(results) for one in _places(result, minus)]


def _places(result: Relevance, minus: str) -> Iterator[Attribution]:
    found = result.at_words()
    for place, scores in found.items():
        first = place == WORDS
        details: dict[str, Any] = {"place": place}
        if first:
            details = {"remarks": tuple(_remarks(result, found, minus))}
        account = {name: (part,) for name, part in _account(result).items()} if first else {}
        yield Attribution(
            result.subject,
            Origin(place, result.method, result.seconds, details),
            result.text.words,
            scores[None],
            remainder=Account(account, first),
        )


def _account(result: Relevance) -> dict[str, float]:
    """What no word's vector received: the account, and pieces that belong to no word."""
    inside = sum(float(result.dimensions[word.start : word.stop].sum()) for word in result.text.words)
    special = float(result.dimensions.sum()) - inside
    return {**result.account, **({"special tokens": special} if any(result.text.special) else {})}


def _remarks(result: Relevance, found: Iterable[str], minus: str) -> list[str]:
    """How it was computed, what a row is, and which places have no vector for each piece of the text."""
    left = [
        f"{visible(name)} ({' x '.join(map(str, state.shape))}), in all {number(float(state.sum()), minus)}"
        for name, state in result.states.items()
        if name not in set(found)
    ]
    more = f"; and {len(left) - 6} more" if len(left) > 6 else ""
    lines = [f"Layer-wise relevance propagation{_settings(result.method)}.", WHAT]
    if left:
        lines.append(f"Not drawn, as their places are not those of the text: {'; '.join(left[:6])}{more}.")
    return lines


def _settings(method: str) -> str:
    """What was set otherwise than by default; the whole of a method that is written in another way."""
    given, usual = (re.findall(r"(\w+)=([^,()]+)", one) for one in (method, USUAL))
    if len(given) != len(usual):
        return f", {visible(method)}"
    changed = [f"{name} {visible(value)}" for name, value in given if (name, value) not in usual]
    return f" with {', '.join(changed)}" if changed else ""


def blocks(results: Results, look: Look, numbers: bool, **options: Any) -> Iterator[list[Line]]:
    """As blocks of lines; options as of ``words_terminal.blocks``."""
    return words_terminal.blocks(rows(results, "-"), look, numbers, **_scaled(options))


def scene(results: Results, **options: Any) -> Scene:
    """As a scene; options as of ``scene.scene``."""
    return words.scene(rows(results, MINUS), **_scaled(options))


def fragment(results: Results, **options: Any) -> str:
    """As one ``<div>`` with its own style, for a notebook or another page."""
    return html.fragment(rows(results, MINUS), **_scaled(options))


def page(results: Results, **options: Any) -> str:
    """As a whole page that loads nothing from elsewhere."""
    return html.page(rows(results, MINUS), **_scaled(options))


def tex(results: Results, **options: Any) -> str:
    """As a LaTeX snippet."""
    return latex.latex(rows(results, "-"), **_scaled(options))


def _scaled(options: dict[str, Any]) -> dict[str, Any]:
    return {"scale": "shared", **options}


def csv(results: Results) -> str:
    """One line a component of every vector: its place, its index there, its piece of the text where it has one.

    ``index`` counts from 0, one number for each axis of the place (piece and component, say), with blanks between;
    ``start`` and ``stop`` are characters. Numbers stand to the last digit, lines end in CR LF (RFC 4180).
    """
    return written(COLUMNS, _lines(each(results)))


def _lines(results: Sequence[Relevance]) -> Iterator[list[Any]]:
    for example, result in enumerate(results):
        known = [example, cell(result.model), cell(result.target)]
        for place, values in ((WORDS, result.dimensions), *result.states.items()):
            axis = 0 if place == WORDS else result.axis(place)
            for index, value in np.ndenumerate(values):
                piece = None if axis is None else index[axis]
                where = " ".join(map(str, index))
                yield [*known, cell(place), where, *_piece(result, piece), repr(float(value))]


def _piece(result: Relevance, piece: int | None) -> list[Any]:
    if piece is None:
        return ["", "", ""]
    start, stop = result.text.offsets[piece]
    return [cell(result.text.raw[start:stop] or result.text.pieces[piece]), start, stop]
