"""An evaluation as lines: methods and controls by measures, each mean with its interval. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exegesis.results.advice import RANDOM
from exegesis.results.evaluation import Evaluation, Measured
from exegesis.show.terminal.look import folded
from exegesis.show.wording import duration, visible

CELL, WIDEST, GAP = 12, 22, 2  # columns of a cell, at least and at most


def txt(results: Sequence[Evaluation], *, width: int = 100) -> str:
    """Every evaluation as a table of at most so many columns, its counts, agreement and advice; ends in a line feed."""
    return "\n".join("\n".join(_lines(result, max(width, 60))) + "\n" for result in results)


def _lines(result: Evaluation, width: int) -> list[str]:
    order = shown(result)
    room = min(max(len(visible(name)) for name in ["method", *order]), width // 3)
    columns = [_seconds(result, order), *(_column(result, one, order) for one in result.measures)]
    what = f"{visible(result.model)}: {len(result.texts)} text{'s' * (len(result.texts) > 1)}"
    lines = [*folded(f"Check by {check(result)}", width), what] if check(result) else [what]
    for part in _packed(columns, width - room):
        sizes = [_size(one) for one in part]
        height = max(len(head) for head, _ in part)
        heads = [[""] * (height - len(head)) + head for head, _ in part]
        lines.append("")
        for level in range(height):
            first = "method" if level == height - 1 else ""
            lines.append(_row(first, [head[level] for head in heads], room, sizes))
        for i, name in enumerate(order):
            if i == len(result.ranking()):
                lines.append(_row("", [], room, []) + "controls")
            lines.append(_row(visible(name), [cells[i] for _, cells in part], room, sizes))
    counts = ""
    if result.counts:
        counts = f"{result.counts.get('asked', 0)} perturbed texts asked for, {result.counts.get('run', 0)} run, in "
        counts += f"{result.counts.get('calls', 0)} pooled calls, {duration(result.seconds)}"
    lines.append("")
    for line in (
        _marks([cell for _, cells in columns for cell in cells]),
        *favoured_lines(result),
        counts,
        agreement_line(result),
        *map(visible, result.notes),
        visible(result.advice()),
    ):
        lines += folded(line, width) if line else []
    return [line.rstrip() for line in lines]


def _marks(cells: Sequence[str]) -> str:
    """What the marks mean that stand in some cell."""
    star = "* better than random scores, at 95 % for all comparisons together"
    half = "± half of the mean's interval"
    if any("*" in cell for cell in cells):
        return f"{star}; {half}" if any("±" in cell for cell in cells) else star
    return f"{half} of 95 % (a paired bootstrap)" if any("±" in cell for cell in cells) else ""


def shown(result: Evaluation) -> list[str]:
    """Methods by rank, then the controls."""
    return [*result.ranking(), *(one.name for one in result.methods if one.control)]


def agreement_line(result: Evaluation) -> str:
    """The two methods that agree most and the two that agree least; empty of one method."""
    own = [one.name for one in result.methods if not one.control]
    pairs = [
        (float(result.agreement[i, j]), own[i], own[j])
        for i in range(len(own))
        for j in range(i)
        if math.isfinite(result.agreement[i, j])
    ]
    if not pairs:
        return ""
    least, most = min(pairs), max(pairs)
    text = f"Mean rank correlation of scores: {visible(most[1])} and {visible(most[2])} {most[0]:.2f}"
    return text + (
        f" (most), {visible(least[1])} and {visible(least[2])} {least[0]:.2f} (least)" if least != most else ""
    )


def favoured_lines(result: Evaluation) -> list[str]:
    """Which methods a measure leaves out of the ranking, where any does."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in result.ranking_by:
        own = tuple(name for name in result.ranking() if result.favoured(one, name))
        if own and len(result.ranking()) > 1:
            found.setdefault(own, []).append(one.name)
    return [
        f"Not counted in the rank of {', '.join(map(visible, own))}, which has the best by definition: "
        f"{', '.join(map(visible, names))}."
        for own, names in found.items()
    ]


def check(result: Evaluation) -> str:
    """What a check of methods asks, behind its name; empty where methods are measured and ranked."""
    return "; ".join(f"{one.name}: {one.question}" for one in result.measures) if result.remark else ""


def direction(measure: Measured) -> str:
    return "\N{UPWARDS ARROW} better" if measure.higher else "\N{DOWNWARDS ARROW} better"


def _column(result: Evaluation, measure: Measured, order: Sequence[str]) -> tuple[list[str], list[str]]:
    cells = []
    for name in order:
        mean = result.mean(measure.name, name)
        if not mean.texts:
            cells.append("")
            continue
        half = f"±{(mean.high - mean.low) / 2:.2f}" if math.isfinite(mean.low) else ""
        above = (
            RANDOM in result.names and name != RANDOM and result.compare(name, RANDOM, measure.name)[0].better == name
        )
        cells.append(f"{mean.value:.3f}{half}{'*' if above else ' '}")
    return [*_broken(measure.name), direction(measure)], cells


def _seconds(result: Evaluation, order: Sequence[str]) -> tuple[list[str], list[str]]:
    seconds = {one.name: one.seconds for one in result.methods}
    return ["time a text"], [duration(seconds[name]) for name in order]


def _broken(name: str) -> list[str]:
    """A name in lines of a cell's width, broken at hyphens and blanks; a part wider than ``WIDEST`` anywhere."""
    lines = [""]
    for part in name.replace("-", "-\0").replace(" ", " \0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > CELL:
            lines.append("")
        lines[-1] += part
    whole = [line.rstrip() for line in lines]
    return [line[i : i + WIDEST] for line in whole for i in range(0, max(len(line), 1), WIDEST)]


def _size(column: tuple[list[str], list[str]]) -> int:
    return max(CELL, *(len(cell) for part in column for cell in part))


def _packed(columns: Sequence[tuple[list[str], list[str]]], room: int) -> list[list[tuple[list[str], list[str]]]]:
    """Columns in groups that fit side by side, one at least."""
    found: list[list[tuple[list[str], list[str]]]] = []
    left = 0
    for column in columns:
        size = _size(column) + GAP
        if not found or size > left:
            found.append([])
            left = room
        found[-1].append(column)
        left -= size
    return found


def _row(first: str, cells: Sequence[str], room: int, sizes: Sequence[int]) -> str:
    name = first if len(first) <= room else first[: room - 1] + "…"
    return name.ljust(room) + "".join(" " * GAP + cell.rjust(size) for cell, size in zip(cells, sizes, strict=True))
