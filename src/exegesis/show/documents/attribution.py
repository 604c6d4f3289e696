"""What every view draws: results on one text as panels of blocks of rows of cells. Imports no torch.

All results on the same text share a panel, so that methods, models and targets stand under each other as in the
paper's Figures 4 and 5; the levels of one result are rows of its block, as in Figure 6. The text is cut into atoms
at every blank and at every boundary of a word or span of any of the results, and each cell covers a run of atoms:
so rows align although models cut the text differently.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from exegesis.core.errors import unknown
from exegesis.core.text import Text
from exegesis.results.attribution import Attribution
from exegesis.show.wording import common, model_name, prediction_phrase, target_phrase, visible

Scale = Literal["each", "shared"]
LONGEST = 24  # characters of an atom; a longer word is cut, so that a view can break it over lines
LANES = 6  # rows of one level whose spans overlap

_INK = re.compile(r"[^ \t\n\r\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


class Atom(NamedTuple):
    """A piece of text that no row divides. ``glued``: it continues the atom before, both parts of one long word."""

    text: str
    space: bool
    part: int
    glued: bool


class Cell(NamedTuple):
    """Atoms ``start`` to ``stop`` with their score; ``share`` of the row's scale, from -1 to 1."""

    start: int
    stop: int
    score: float
    share: float


class Row(NamedTuple):
    """Cells that do not overlap, in reading order. ``hidden`` counts those that no row had room for."""

    level: str
    cells: tuple[Cell, ...]
    hidden: int = 0
    outside: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Block:
    """One result of one target: its rows, finest level first, and the score that is drawn in the deepest colour."""

    label: str
    note: str
    result: Attribution
    rows: tuple[Row, ...]
    limit: float

    @property
    def signed(self) -> bool:
        """Whether scores speak for or against; False where the method says in its details that they are sizes."""
        return self.result.details.get("signed") is not False


@dataclass(frozen=True)
class Panel:
    """Everything known about one text. ``parts`` is 2 for a pair; ``shared`` says that all blocks have one scale."""

    atoms: tuple[Atom, ...]
    blocks: tuple[Block, ...]
    parts: int
    shared: bool
    rtl: bool

    def fine(self, row: Row) -> bool:
        """Whether a row scores single words, so that its text itself is coloured; else its spans are drawn as boxes."""
        return row.level == "word" or all(
            all(atom.glued for atom in self.atoms[cell.start + 1 : cell.stop]) for cell in row.cells
        )

    def owners(self, row: Row | None) -> list[Cell | None]:
        """For each atom, the cell of a row that covers it."""
        owners: list[Cell | None] = [None] * len(self.atoms)
        for cell in row.cells if row else ():
            owners[cell.start : cell.stop] = [cell] * (cell.stop - cell.start)
        return owners

    def surface(self, cell: Cell) -> str:
        """The text under a cell, as drawn."""
        atoms = self.atoms[cell.start : cell.stop]
        return "".join((" " if atom.space and i else "") + atom.text for i, atom in enumerate(atoms))


def panels(results: Attribution | Sequence[Attribution], scale: Scale | None = None) -> tuple[Panel, ...]:
    """The panels of some results, in the order in which their texts first come.

    ``scale="each"`` gives each block its own maximum, ``"shared"`` one to all blocks of a panel; without it, blocks of
    one method share a scale and those of several methods, whose units differ, do not. Levels of a result always share.
    """
    if scale not in (None, "each", "shared"):
        raise unknown("scale", scale, ("each", "shared"))
    several = [results] if isinstance(results, Attribution) else list(results)
    groups: dict[str, list[Attribution]] = {}
    for result in several:
        groups.setdefault(result.text.raw, []).extend(result.each_target())
    return tuple(_panel(group, scale) for group in groups.values())


def _panel(results: list[Attribution], scale: Scale | None) -> Panel:
    raw = results[0].text.raw
    places = [[result.text.characters(span) for span in result.spans] for result in results]
    words = [result.text.characters(word) for result in results[:1] for word in result.text.words]
    cuts = {edge for group in (*places, words) for place in group for edge in place}
    starts, atoms = atoms_of(raw, cuts, parts_of(results[0].text))
    shared = scale == "shared" or (scale is None and len({result.name for result in results}) == 1)
    blocks = [
        Block(label, note, result, _rows(result, place, starts), 0.0)
        for result, place, (label, note) in zip(results, places, _labels(results), strict=True)
    ]
    limits = [_largest(block) for block in blocks]
    if shared:
        limits = [max(limits, default=0.0)] * len(limits)
    scaled = tuple(_scaled(block, limit) for block, limit in zip(blocks, limits, strict=True))
    return Panel(tuple(atoms), scaled, 1 + max((a.part for a in atoms), default=0), shared, rtl_of(raw))


def atoms_of(raw: str, cuts: Iterable[int], parts: list[int]) -> tuple[list[int], list[Atom]]:
    edges, starts, atoms = sorted(cuts), [], []
    for ink in _INK.finditer(raw):
        inside = edges[bisect_right(edges, ink.start()) : bisect_left(edges, ink.end())]
        for i, (start, stop) in enumerate(zip([ink.start(), *inside], [*inside, ink.end()], strict=True)):
            part = max(0, bisect_right(parts, start) - 1)
            for j, piece in enumerate(_pieces(raw[start:stop])):
                starts.append(start)
                atoms.append(Atom(visible(piece), i == j == 0, part, j > 0))
                start += len(piece)
    return starts, atoms


def _pieces(word: str) -> list[str]:
    """A long word in pieces, none of which begins with a character that joins the one before."""
    pieces = []
    while len(word) > LONGEST:
        cut = LONGEST
        while 0 < cut < len(word) and _joins(word[cut - 1], word[cut]):
            cut -= 1
        cut = cut or LONGEST
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def _joins(first: str, second: str) -> bool:
    return unicodedata.category(second)[0] == "M" or "\u200d" in (first, second) or 0x1F3FB <= ord(second) <= 0x1F3FF


def parts_of(text: Text) -> list[int]:
    """Where each part of the text begins, in characters."""
    if len(text.segments) < 2:
        return [0]
    places = [text.characters(segment) for segment in text.segments]
    return sorted({start for start, stop in places if stop > start}) or [0]


def _rows(result: Attribution, places: list[tuple[int, int]], starts: list[int]) -> tuple[Row, ...]:
    rows: list[Row] = []
    for level in result.level_names if result.spans else ():
        cells, outside = [], []
        for i, (start, stop) in enumerate(places):
            if result.levels[i] != level:
                continue
            score = float(result.scores[i])
            cell = Cell(bisect_left(starts, start), bisect_left(starts, stop), score, 0.0)
            if cell.stop > cell.start:
                cells.append(cell)
            else:
                outside.append((visible(" ".join(result.text.pieces[slice(*result.spans[i])])), score))
        lanes, hidden = _lanes(cells)
        rows += [Row(level, tuple(lane)) for lane in lanes] or [Row(level, ())]
        rows[-1] = rows[-1]._replace(hidden=hidden, outside=tuple(outside))
    return tuple(rows) or (Row("word", ()),)


def _lanes(cells: list[Cell]) -> tuple[list[list[Cell]], int]:
    """Cells in as few rows as hold them without overlap; beyond the last lane the weakest are left out and counted."""
    lanes: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda c: (c.start, -c.stop)):
        lane = next((lane for lane in lanes if lane[-1].stop <= cell.start), None)
        if lane is None:
            lanes.append([cell])
        else:
            lane.append(cell)
    if len(lanes) <= LANES:
        return lanes, 0
    return _strongest(cells)


def _strongest(cells: list[Cell]) -> tuple[list[list[Cell]], int]:
    lanes: list[list[Cell]] = [[] for _ in range(LANES)]
    hidden = 0
    for cell in sorted(cells, key=lambda c: (-abs(c.score), c.start)):
        free = (lane for lane in lanes if all(c.stop <= cell.start or cell.stop <= c.start for c in lane))
        lane = next(free, None)
        if lane is None:
            hidden += 1
        else:
            lane.append(cell)
    return [sorted(lane) for lane in lanes if lane], hidden


def _largest(block: Block) -> float:
    scores = (abs(cell.score) for row in block.rows for cell in row.cells)
    return max((score for score in scores if math.isfinite(score)), default=0.0)


def _scaled(block: Block, limit: float) -> Block:
    def share(score: float) -> float:
        if math.isnan(score) or not limit:
            return 0.0
        return max(-1.0, min(1.0, score / limit))

    rows = tuple(row._replace(cells=tuple(c._replace(share=share(c.score)) for c in row.cells)) for row in block.rows)
    return replace(block, rows=rows, limit=limit)


def _labels(results: list[Attribution]) -> list[tuple[str, str]]:
    """A name for each block, of what differs between them, and its prediction where models differ."""
    names = [visible(result.name) for result in results]
    methods = [visible(result.method) for result in results]
    models = [model_name(result) for result in results]
    targets = [target_phrase(result.target) for result in results]
    predictions = [prediction_phrase(result) for result in results]
    if common(names) and not common(methods):
        names = methods
    columns = [column for column in (models, names, targets) if len(results) > 1 and not common(column)]
    columns = columns or [names]
    notes = [""] * len(results) if common(predictions) or len(results) == 1 else predictions
    labels = [" · ".join(filter(None, parts)) for parts in zip(*columns, strict=True)]
    return list(zip(labels, notes, strict=True))


def rtl_of(raw: str) -> bool:
    """Whether the first letter with a direction is written from right to left."""
    for character in raw:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False
