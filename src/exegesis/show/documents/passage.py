"""Words of one text as coloured rows: results on the same text cut into the same atoms, so that rows align."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from exegesis.core.errors import unknown
from exegesis.core.text import Span, Text
from exegesis.results.behaviour.study import Shown
from exegesis.show import document as doc
from exegesis.show.layout import Layout, laid_out, parts_of
from exegesis.show.wording import MINUS, visible

LANES = 6  # rows of one level whose spans overlap
FOLD = "Scores as a table"


class Strand(NamedTuple):
    """Scores of spans of a text by level, under one label; ``levels`` names the levels, finest first."""

    label: str
    note: str
    text: Text
    spans: Sequence[Span]
    scores: Sequence[float]
    of_level: Sequence[str]
    levels: Sequence[str]
    signed: bool = True


@dataclass(frozen=True)
class Aside:
    """Scores of a strand that its rows do not hold, by level: those outside the text, and how many weaker spans overlap
    too many others."""

    outside: dict[str, list[tuple[str, float]]]
    hidden: dict[str, int]


def passage(strands: Sequence[Strand], shared: bool) -> tuple[doc.Passage, tuple[Aside, ...]]:
    """The strands on one text as blocks of a passage; ``shared`` gives all blocks one scale."""
    first = strands[0].text
    places = [[strand.text.characters(span) for span in strand.spans] for strand in strands]
    words = [first.characters(word) for word in first.words]
    cuts = {edge for group in (*places, words) for place in group for edge in place}
    starts, layout = laid_out(first.raw, cuts, parts_of(first))
    covers = [[(bisect_left(starts, start), bisect_left(starts, stop)) for start, stop in place] for place in places]
    limits = [_limits(strand, cover) for strand, cover in zip(strands, covers, strict=True)]
    if shared:
        levels = {level for limit in limits for level in limit}
        limits = [{level: max(limit.get(level, 0.0) for limit in limits) for level in levels}] * len(limits)
    blocks = [_block(*entry, layout) for entry in zip(strands, covers, limits, strict=True)]
    return doc.Passage(layout, tuple(block for block, _ in blocks)), tuple(aside for _, aside in blocks)


def _limits(strand: Strand, covers: list[tuple[int, int]]) -> dict[str, float]:
    """The largest score of each level: a clause is more than its words, whose colours would fade beside it."""
    scored = list(zip(strand.of_level, strand.scores, covers, strict=True))
    return {
        level: doc.largest([float(score) for own, score, (start, stop) in scored if own == level and start < stop])
        for level in dict.fromkeys(strand.of_level)
    }


def _block(
    strand: Strand, covers: list[tuple[int, int]], limits: dict[str, float], layout: Layout
) -> tuple[doc.Block, Aside]:
    rows, aside = list[doc.Row](), Aside({}, {})
    for level in strand.levels if len(strand.spans) else ():
        cells = []
        for i, (start, stop) in enumerate(covers):
            if strand.of_level[i] != level:
                continue
            score = float(strand.scores[i])
            if stop > start:
                cells.append(doc.Cell(start, stop, score, doc.share(score, limits[level])))
            else:
                name = visible(" ".join(strand.text.pieces[slice(*strand.spans[i])]))
                aside.outside.setdefault(level, []).append((name, score))
        lanes, hidden = _lanes(cells)
        aside.hidden.update({level: hidden} if hidden else {})
        for lane in lanes or [[]]:
            fine = level == "word" or all(layout.whole(cell.start, cell.stop) for cell in lane)
            rows.append(doc.Row(level, tuple(lane), fine, limits.get(level, 0.0)))
    limit = max(limits.values(), default=0.0)
    return doc.Block(strand.label, strand.note, tuple(rows) or (doc.Row("word", ()),), limit, strand.signed), aside


def _lanes(cells: list[doc.Cell]) -> tuple[list[list[doc.Cell]], int]:
    """Cells in as few rows as hold them without overlap; if these are too many, the strongest, and how many others."""
    lanes: list[list[doc.Cell]] = []
    for cell in sorted(cells, key=lambda c: (c.start, -c.stop)):
        lane = next((lane for lane in lanes if lane[-1].stop <= cell.start), None)
        if lane is None:
            lanes.append([cell])
        else:
            lane.append(cell)
    if len(lanes) <= LANES:
        return lanes, 0
    lanes, hidden = [[] for _ in range(LANES)], 0
    for cell in sorted(cells, key=lambda c: (-abs(c.score), c.start)):
        free = (lane for lane in lanes if all(c.stop <= cell.start or cell.stop <= c.start for c in lane))
        lane = next(free, None)
        hidden += lane is None
        if lane is not None:
            lane.append(cell)
    return [sorted(lane) for lane in lanes if lane], hidden


def check_scale(scale: str | None) -> None:
    """Raises UsageError for an unknown scale."""
    if scale not in (None, "each", "shared"):
        raise unknown("scale", scale, ("each", "shared"))


def scale_of(part: doc.Passage) -> doc.Scale | None:
    """The scale of a passage; None if every score is zero."""
    blocks = [block for block in part.blocks if block.limit]
    if not blocks:
        return None
    signs, sizes = any(block.signed for block in blocks), any(not block.signed for block in blocks)
    fine = [row for block in part.blocks for row in block.rows if row.fine]
    faint = any(abs(cell.share) < doc.FAINT for row in fine for cell in row.cells)
    if len({row.limit or block.limit for block in blocks for row in block.rows if row.cells}) > 1:
        return doc.Scale(f"{MINUS}max", "+max" if signs else "max", signs, sizes, "each row to its own maximum", faint)
    return doc.scale_to(blocks[0].limit, signs, sizes, "one scale for all rows" if len(part.blocks) > 1 else "", faint)


def tables(part: doc.Passage, asides: Sequence[Aside]) -> list[doc.Table]:
    """Every span of every row with its score, to look up."""
    tables = []
    for block, aside in zip(part.blocks, asides, strict=True):
        for at, row in enumerate(block.rows):
            lines = [(part.layout.surface(cell.start, cell.stop), cell.score, cell.share) for cell in row.cells]
            if at + 1 == len(block.rows) or block.rows[at + 1].level != row.level:
                lines += [(name, score, math.nan) for name, score in aside.outside.get(row.level, ())]
            rows = ((text, doc.Gauge(block.written(score), share, block.signed)) for text, score, share in lines)
            tables.append(doc.table((part.spoken(block, row), "score"), rows, fold=FOLD))
    return tables


def marked(shown: Shown, limit: float, signs: bool, caption: str) -> doc.Passage:
    """A text of a study, in which the words that the study is about are marked."""
    texts = [word.text or " " for word in shown.words]
    stops = [stop + at for at, stop in enumerate(accumulate(map(len, texts)))]
    places = [(stop - len(text), stop) for stop, text in zip(stops, texts, strict=True)]
    starts, layout = laid_out(" ".join(texts), {edge for place in places for edge in place})
    cells = []
    for word, place in zip(shown.words, places, strict=True):
        start, stop = (bisect_left(starts, edge) for edge in place)
        if stop > start:
            cells.append(doc.Cell(start, stop, word.score, doc.share(word.score, limit), word.marked))
    row = doc.Row("", tuple(cells))
    return doc.Passage(layout, (doc.Block("", "", (row,), limit, signs),), caption)
