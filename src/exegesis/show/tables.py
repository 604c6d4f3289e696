"""Results as plain tables: CSV, and how far two explanations agree. Imports no torch."""

from __future__ import annotations

import csv as writer
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from exegesis.results.attribution import Attribution
from exegesis.results.result import each
from exegesis.show.palette import Palette
from exegesis.show.terminal.bars import HALF, bar
from exegesis.show.terminal.look import MUTED, Line, Look, clipped, look_for, printed
from exegesis.show.wording import signed, visible
from exegesis.statistics.agreement import Comparison

COLUMNS = ("example", "model", "method", "target", "level", "text", "start", "stop", "score")
FORMULA = ("=", "+", "-", "@")


def csv(results: Attribution | Sequence[Attribution]) -> str:
    """One line a result, target and span: every score to the last digit, ``start`` and ``stop`` in characters.

    A text that a spreadsheet would run as a formula has an apostrophe before it; characters that do not print are made
    visible. Lines end in CR LF (RFC 4180).
    """
    return written(COLUMNS, _lines(each(results)))


def _lines(results: Sequence[Attribution]) -> Iterator[list[Any]]:
    for number, result in enumerate(results):
        for part in result.each_target():
            known = [cell(part.model), cell(part.name), cell(part.target)]
            for span, level, score in zip(part.spans, part.levels, part.scores, strict=True):
                start, stop = part.text.characters(span)
                text = part.text.raw[start:stop] or " ".join(part.text.pieces[slice(*span)])
                yield [number, *known, cell(level), cell(text), start, stop, repr(float(score))]


def written(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Lines as CSV under the names of their columns, each ending in CR LF (RFC 4180)."""
    out = io.StringIO()
    rows = writer.writer(out)
    rows.writerow(columns)
    rows.writerows(lines)
    return out.getvalue()


def cell(text: str) -> str:
    shown = visible(text.replace("\r\n", "\n").replace("\n", " "))
    return f"'{shown}" if len(shown) > 1 and shown.startswith(FORMULA) else shown


def comparison(
    compared: Comparison,
    *,
    names: tuple[str, str] = ("first", "second"),
    color: bool | None = None,
    palette: str | Palette = "green-red",
    width: int | None = None,
    limit: int = 20,
    dark: bool | None = None,
) -> str:
    """How far two explanations agree: the measures, then the words on which they differ most, each with two bars.

    Scores are shares of the largest of their side, as in the Comparison. ``limit`` words are shown.
    """
    look = look_for(color, palette, width, dark)
    first, second = (visible(name) for name in names)
    lines: list[Line] = [[Segment(f"{first} and {second}", Style(bold=True))], []]
    lines += [
        [Segment(f"{name:<21}", MUTED), Segment(f"{value:>7}  "), Segment(what, MUTED)]
        for name, value, what in _measures(compared)
    ]
    shown = compared.differences[: max(0, limit)]
    if shown:
        lines += [[], *_differences(shown, (first, second), look)]
    rest = len(compared.differences) - len(shown)
    if rest:
        lines += [[], [Segment(f"{rest} words on which they differ less are not shown", MUTED)]]
    return printed(lines, look.color)


def _measures(compared: Comparison) -> list[tuple[str, str, str]]:
    def plain(value: float, places: int = 2) -> str:
        return "none" if math.isnan(value) else f"{value:.{places}f}"

    return [
        ("rank correlation", plain(compared.spearman), "Spearman's rho, -1 to 1"),
        ("", plain(compared.kendall), "Kendall's tau-b, -1 to 1"),
        (
            f"top {compared.k} in common",
            "none" if math.isnan(compared.top) else f"{100 * compared.top:.0f} %",
            "of the words of largest size",
        ),
        (
            "same sign",
            "none" if math.isnan(compared.signs) else f"{100 * compared.signs:.0f} %",
            "of the words that both score",
        ),
    ]


def _differences(shown: Sequence[tuple[str, float, float]], names: tuple[str, str], look: Look) -> list[Line]:
    """Word, then for each side its score and its bar."""
    words = [visible(" ".join(word.split())) for word, _, _ in shown]
    column = 2 * HALF + 1 + 7
    room = max(6, min(look.width - 2 * column - 4, max([cell_len("word"), *map(cell_len, words)])))
    head = f"{clipped('word', room)}  {clipped(names[0], column)}  {clipped(names[1], column)}"
    lines: list[Line] = [[Segment(head, MUTED)]]
    for word, (_, *scores) in zip(words, shown, strict=True):
        line = [Segment(clipped(word, room))]
        for score in scores:
            share = 0.0 if math.isnan(score) else max(-1.0, min(1.0, score))
            colour = look.paint(math.copysign(1.0, share)).mark
            line += [Segment(f"  {signed(score, 1.0):>5}  "), Segment(bar(share), Style(color=colour))]
        lines.append(line)
    return lines
