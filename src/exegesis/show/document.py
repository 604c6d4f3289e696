"""Documents: the closed set of parts that every kind of result is made of and every medium draws.

``documents/<kind>.py`` makes a document, the media draw it: ``terminal`` (and ``.txt``), ``html``, ``figure`` (SVG,
PNG, PDF), ``latex``. Media never see a result, documents never see a medium. All texts are ``visible`` already (no
control characters) but not escaped for a medium; their numbers have the MINUS SIGN.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.show.layout import Layout
from exegesis.show.wording import decimal, signed
from exegesis.statistics.bootstrap import Spread

Dash = Literal["", "dashed", "dotted", "long"]
FAINT = 0.05  # share of the scale below which a cell needs no number of its own


# sentences ----------------------------------------------------------------------------------------------


class Fact(NamedTuple):
    """A value by its name; a strong one stands out (the prediction)."""

    name: str
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Facts:
    """Values by their names, in as few lines as hold them; ``named`` ones stand after their names in every medium."""

    items: tuple[Fact, ...]
    named: bool = False

    @property
    def texts(self) -> list[tuple[str, bool]]:
        """The values as written in a line, and whether each stands out."""
        return [(f"{name}: {text}" if self.named else text, strong) for name, text, strong in self.items]


@dataclass(frozen=True)
class Prose:
    """A paragraph; ``muted`` explains how to read something, ``lead`` is the one sentence to take away."""

    text: str
    tone: Literal["plain", "muted", "lead"] = "plain"


@dataclass(frozen=True)
class Heading:
    """A heading: level 1 is the title of a section, 2 and 3 are within it."""

    text: str
    level: Literal[1, 2, 3] = 2


# words in colour ----------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """Atoms ``start`` to ``stop`` of a layout with their score; ``share`` of the scale, from -1 to 1, gives the colour.

    A ``marked`` cell, which the document is about, has brackets or an outline around it.
    """

    start: int
    stop: int
    score: float
    share: float
    marked: bool = False


class Row(NamedTuple):
    """Cells that do not overlap, in reading order.

    The text of a ``fine`` row is coloured itself, since each cell covers at most a word; other rows are boxes or
    brackets beside the words, each with its score. ``limit`` is the score of the deepest colour, 0 for the block's.
    """

    level: str
    cells: tuple[Cell, ...]
    fine: bool = True
    limit: float = 0.0

    def cell_at(self, atom: int) -> Cell | None:
        """The cell that covers an atom."""
        at = bisect_right(self.cells, atom, key=attrgetter("start")) - 1
        return self.cells[at] if at >= 0 and atom < self.cells[at].stop else None

    def runs(self, atoms: Iterable[int]) -> list[tuple[Cell | None, list[int]]]:
        """Atoms in the order in which they stand, those of one cell that stand together as one run, others alone."""
        runs: list[tuple[Cell | None, list[int]]] = []
        for i in atoms:
            cell = self.cell_at(i)
            if cell is not None and runs and runs[-1][0] is cell:
                runs[-1][1].append(i)
            else:
                runs.append((cell, [i]))
        return runs


@dataclass(frozen=True)
class Block:
    """The rows of one explanation of a text, finest level first; ``note`` stands beside its label, muted.

    ``limit`` is the score of the deepest colour. Scores speak for (+) or against (-) if ``signed``; else they are
    sizes, which have other colours.
    """

    label: str
    note: str
    rows: tuple[Row, ...]
    limit: float
    signed: bool = True

    def written(self, score: float) -> str:
        """A score as written under its words."""
        return signed(score, self.limit, sign=self.signed)


@dataclass(frozen=True)
class Passage:
    """Words of one text in colour, once for every row of every block; rows stand under each other, line by line.

    A row begins with its ``name``; a block of several rows among several blocks has its label above. A pair's texts are
    numbered 1 and 2. The sign never rests on colour alone: a bar above for, below against (figures, HTML), underlining
    (LaTeX, terminal), or signed numbers (terminal without colour). A score stands under its cell if numbers are asked
    for, and always in rows that are not fine. ``caption`` is a muted line above. An empty text is drawn as "(the text
    is empty)".

    ``pick`` says what the labels of blocks are to be chosen from ("a word of the answer"): a medium that can shows the
    labels in a line and the block of the chosen one below; all others draw all blocks.
    """

    layout: Layout
    blocks: tuple[Block, ...]
    caption: str = ""
    pick: str = ""

    def name(self, block: Block, row: Row) -> str:
        """The name at the start of a row."""
        return block.label if len(self.blocks) > 1 and len(block.rows) == 1 else row.level

    def spoken(self, block: Block, row: Row) -> str:
        """The full name of a row: its block if there are several, its level if the block has several."""
        parts = [block.label] if len(self.blocks) > 1 else []
        return " · ".join([*parts, row.level] if len(block.rows) > 1 or not parts else parts)


class Node(NamedTuple):
    """A phrase as a box over its atoms that fills the rows ``low`` to ``high``; words stand in row 0."""

    cell: Cell
    low: int
    high: int
    interaction: float | None = None


@dataclass(frozen=True)
class Tree:
    """Phrases as boxes that stand on their words, the whole text on top; LaTeX lists them.

    A long text is broken into lines, each with the boxes that stand on it (``stacked``); a box is open at a side at
    which it goes on in another line. A box holds its score; figures write the strongest interaction in brackets after
    it (all of them if numbers are asked for), HTML shows them at the pointer. The score of a word stands under it if
    numbers are asked for, and always in a terminal without colour.
    """

    layout: Layout
    nodes: tuple[Node, ...]
    limit: float
    signed: bool = True

    def stacked(self, line: range) -> tuple[int, list[tuple[Node, int, int]]]:
        """The number of rows on a line of atoms; the nodes that touch the line, lowest first, with the first and last
        row that each fills. Rows in which no phrase of this line begins are left out."""
        nodes = [node for node in self.nodes if node.cell.start < line.stop and line.start < node.cell.stop]
        lows = sorted({node.low for node in nodes})
        rank = {low: row for row, low in enumerate(lows)}
        placed = [(node, rank[node.low], bisect_left(lows, node.high + 1) - 1) for node in nodes]
        return len(lows), sorted(placed, key=lambda entry: (entry[1], entry[0].cell.start))

    @property
    def nested(self) -> list[tuple[int, Node]]:
        """The phrases from left to right, each before its parts, with their depth."""
        entries: list[tuple[int, Node]] = []
        around: list[Node] = []
        for node in sorted(self.nodes, key=lambda node: (node.cell.start, -node.cell.stop)):
            while around and around[-1].cell.stop <= node.cell.start:
                around.pop()
            entries.append((len(around), node))
            around.append(node)
        return entries

    @property
    def strongest(self) -> Node | None:
        """The phrase of the strongest interaction; None if no two parts interact."""
        joints = [node for node in self.nodes if node.interaction]
        return max(joints, key=lambda node: abs(node.interaction or 0.0), default=None)

    def written(self, score: float) -> str:
        """A score as written in its box."""
        return signed(score, self.limit, sign=self.signed)

    def joint(self, node: Node) -> str:
        """An interaction as written; empty for a phrase without one."""
        return "" if node.interaction is None else signed(node.interaction, self.limit)

    def spoken(self, node: Node) -> str:
        """A phrase with its numbers, for the pointer and for screen readers."""
        score = f"{self.layout.surface(node.cell.start, node.cell.stop)}: {self.written(node.cell.score)}"
        return f"{score}; interaction {self.joint(node)}" if node.interaction is not None else score


# numbers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Matrix:
    """Numbers of rows by columns in colour, each its ``share`` of the scale.

    If ``half``, rows and columns are the same words: a word stands at the end of its row, on the diagonal, and row i
    has i cells, so no word is written twice; ``shortened`` leaves the words that fit. Else ``across`` names the columns
    above them. A cell's number is written into it if ``digits`` is set or numbers are asked for; blank if NaN. ``hue``
    is the categorical colour of a matrix that is not signed (None: the palette's colour of sizes). HTML folds a matrix
    with ``fold`` under that name, with its neighbours of the same name; one such fold of a page is open at a time.
    """

    down: tuple[str, ...]
    across: tuple[str, ...]
    values: Float[np.ndarray, "down across"]
    limit: float
    signed: bool = True
    half: bool = False
    title: str = ""
    digits: int | None = None
    hue: int | None = None
    fold: str = ""

    def share(self, row: int, column: int) -> float:
        """The share of the scale, from -1 to 1."""
        return share(float(self.values[row, column]), self.limit)

    def written(self, row: int, column: int) -> str:
        """A number as written in its cell."""
        value = float(self.values[row, column])
        if self.digits is not None or math.isnan(value):
            return decimal(value, self.digits or 0)
        return signed(value, self.limit, sign=self.signed)

    def spoken(self, row: int, column: int) -> str:
        """A number with its names, for the pointer and for screen readers."""
        first, second = (self.across[column], self.down[row]) if self.half else (self.down[row], self.across[column])
        return f"{first} ~ {second}: {self.written(row, column)}"

    def shortened(self, most: int) -> tuple[Matrix, str]:
        """A half matrix of at most ``most`` words, those of the strongest cells, and the sentence that says so; the
        matrix itself and no sentence if all words fit."""
        count, most = len(self.down), max(2, most)
        if count <= most or not self.half:
            return self, ""
        rows, columns = np.tril_indices(count, -1)
        sizes = np.abs(self.values[rows, columns])
        strongest: set[int] = set()
        for at in np.argsort(-sizes, kind="stable")[: most * most]:
            more = strongest | {int(rows[at]), int(columns[at])}
            if not sizes[at] or len(more) > most:
                break
            strongest = more
        places = sorted(strongest)
        words = tuple(self.down[place] for place in places)
        shortened = replace(self, down=words, across=words, values=self.values[np.ix_(places, places)])
        sentence = f"The {len(places)} words of the strongest interactions are drawn, of {count}"
        return shortened, f"{sentence}; a .csv file has every pair."


class Link(NamedTuple):
    """A line of an alignment: the numbers of its words in both rows, and its share of the scale, from -1 to 1."""

    upper: int
    lower: int
    share: float


@dataclass(frozen=True, eq=False)
class Alignment:
    """Two rows of words and a line for each number between them, as wide and deep as its ``share`` of the scale.

    Lines below 5 % of the scale are left out; what is against is dashed. Rows that are too long for a page become two
    columns. A terminal and LaTeX have no lines: they list each word of the ``upper`` row with its strongest partners.
    """

    upper: tuple[str, ...]
    lower: tuple[str, ...]
    values: Float[np.ndarray, "upper lower"]
    limit: float
    signed: bool = True
    title: str = ""

    @property
    def links(self) -> list[Link]:
        """The lines that are drawn, the strongest last, so that it lies on top."""
        every = [Link(i, j, share(float(value), self.limit)) for (i, j), value in np.ndenumerate(self.values)]
        return sorted((link for link in every if abs(link.share) >= FAINT), key=lambda link: abs(link.share))

    def spoken(self, link: Link) -> str:
        """A line with its words and its number, for the pointer and for screen readers."""
        return f"{self.upper[link.upper]} — {self.lower[link.lower]}: {self._written(link)}"

    def listed(self, most: int = 3) -> Table:
        """The words of the upper row, each with at most ``most`` partners from the strongest on."""
        best: dict[int, list[Link]] = {}
        for link in reversed(self.links):
            best.setdefault(link.upper, []).append(link)
        rows = [
            (name, ", ".join(f"{self.lower[link.lower]} {self._written(link)}" for link in best.get(number, [])[:most]))
            for number, name in enumerate(self.upper)
        ]
        return table((self.title or "word", "its strongest lines"), rows, words=2)

    def _written(self, link: Link) -> str:
        return signed(float(self.values[link.upper, link.lower]), self.limit, sign=self.signed)


class Column(NamedTuple):
    """The head of a table's column. ``words``: aligned left, may be cut or folded; numbers are aligned right and never
    cut. ``note`` is a second line of the head (the direction in which a measure is better)."""

    name: str
    words: bool = False
    note: str = ""


class Gauge(NamedTuple):
    """A number with a bar of a ``share`` of the longest: to both sides of zero if ``signed``, else from the left in the
    palette's colour of sizes (in the row's hue if it has one). A share of NaN has no bar."""

    text: str
    share: float
    signed: bool = True


@dataclass(frozen=True)
class Table:
    """Rows under columns; a cell is a text, or a number with a bar.

    A table with ``fold`` is one to look things up in: HTML folds it under that name (neighbours with the same name
    together, of a long one the 400 rows of the largest gauges); a terminal prints its first ``peek`` rows, all of them
    if numbers are asked for; figures and LaTeX leave it out. ``rest`` is a muted line under the rows. ``groups`` puts
    names in lines between rows, each before the row of its number. ``hues`` gives each row a dot in a categorical
    colour. Blanks at the start of a cell are the depth of a phrase. Columns that do not fit stand in further tables.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Gauge, ...], ...]
    fold: str = ""
    peek: int = 0
    rest: str = ""
    groups: tuple[tuple[int, str], ...] = ()
    hues: tuple[int | None, ...] = ()


class Bar(NamedTuple):
    """A bar from 0: its name, a note beside it, its value, the part of it that is drawn full (the rest pale), and its
    colour: 1 for, -1 against."""

    name: str
    note: str
    value: float
    part: float
    side: int = -1

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return (0.0, self.value)


class Box(NamedTuple):
    """A box plot: its name, a note beside it, the spread, single scores to be drawn as dots."""

    name: str
    note: str
    spread: Spread
    dots: tuple[float, ...] = ()

    @property
    def value(self) -> float:
        """The median."""
        return self.spread.median

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return (0.0, self.spread.low, self.spread.high, *self.dots)


class Dot(NamedTuple):
    """A mean with its interval (NaN: none) in a categorical colour (None: muted); ``hollow`` if it is not better than
    chance. ``note`` follows the number where it is spoken (how many texts)."""

    name: str
    note: str
    value: float
    low: float
    high: float
    hue: int | None = None
    hollow: bool = False

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return (self.value, self.low, self.high)


class Curve(NamedTuple):
    """A line through points (x, y) in a categorical colour (None: muted) and a dash."""

    name: str
    points: tuple[tuple[float, float], ...]
    hue: int | None = None
    dash: Dash = ""

    @property
    def numbers(self) -> Sequence[float]:
        """The numbers that the axis must hold."""
        return [y for _, y in self.points]


@dataclass(frozen=True)
class Chart:
    """Rows of bars, boxes, dots or curves (all of one type) on one axis, whose number ``axis`` names.

    ``title`` stands above, ``tag`` at its end, ``note`` muted under it. ``mark`` is a place on the axis that matters,
    ``band`` a grey range of it, ``rule`` the row before which a thin line stands. A ``reverse`` axis runs from right to
    left, so that better is always to the right. Curves have ``axis`` upwards and ``across`` from left to right;
    ``words`` stand in the place of the numbers 1, 2 ... there. Charts of dots or curves stand side by side if there is
    width. A terminal draws bars, boxes and dots with block characters and curves as a table of five points; LaTeX draws
    a table of the numbers.
    """

    title: str
    axis: str
    rows: tuple[Bar, ...] | tuple[Box, ...] | tuple[Dot, ...] | tuple[Curve, ...]
    signed: bool = True
    note: str = ""
    tag: str = ""
    mark: float = math.nan
    band: tuple[float, float] | None = None
    rule: int | None = None
    reverse: bool = False
    across: str = ""
    words: tuple[str, ...] = ()

    @property
    def kind(self) -> type[Bar | Box | Dot | Curve] | None:
        """The type of the rows; None without rows."""
        return type(self.rows[0]) if self.rows else None

    def written(self, value: float) -> str:
        """A value of a row as written: dots to three places, others to as many as the axis makes worth reading."""
        if math.isnan(value):
            return "none"
        if self.kind is Dot:
            return decimal(value, 3 if abs(value) < 10 else 1)
        if self.kind is Bar and float(value).is_integer():
            return decimal(value, 0)
        return signed(value, max(map(abs, self.reach)), sign=self.signed and self.kind is Box)

    @property
    def beside(self) -> bool:
        """True if the chart stands beside its neighbours where there is width."""
        return self.kind in (Dot, Curve)

    @property
    def reach(self) -> tuple[float, float]:
        """The range of the axis: all numbers and, but for dots and curves, 0, with a little room on open sides."""
        values = [value for row in self.rows for value in row.numbers]
        finite = [value for value in (*values, self.mark, *(self.band or ())) if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        if self.kind is Bar:
            return low, high or 1.0
        room = (0.03 if self.kind is Box else 0.04) * ((high - low) or 1.0)
        return low - room, high + room


# what stands under a picture ----------------------------------------------------------------------------


class Scale(NamedTuple):
    """A colour scale: the numbers at its ends (``−1.62``, ``+1.62``; ``−max`` if rows differ in theirs), whether there
    are signed scores and sizes, a note beside it, whether a cell is too faint for a number, what scores speak for."""

    low: str
    high: str
    signs: bool
    sizes: bool
    note: str = ""
    faint: bool = False
    label: str = ""

    @property
    def ramps(self) -> list[tuple[str, str, bool]]:
        """The text before and after each ramp of colours, and whether its scores are signed."""
        label = f" {self.label}" * bool(self.label)
        signed = [(f"against{label} {self.low}", f"{self.high} for{label}", True)] if self.signs else []
        return [*signed, *([("size 0", self.high.lstrip("+"), False)] if self.sizes else [])]


class Note(NamedTuple):
    """A sentence under a picture; its name (empty for none) says which row it is about and stands before it."""

    name: str
    text: str


class Key(NamedTuple):
    """The name of a categorical colour and dash."""

    name: str
    hue: int | None
    dash: Dash = ""


@dataclass(frozen=True)
class Legend:
    """Help for reading the parts above: keys of colours, the colour scale, muted sentences after their names."""

    scale: Scale | None = None
    notes: tuple[Note, ...] = ()
    keys: tuple[Key, ...] = ()


Part = Facts | Prose | Heading | Passage | Tree | Matrix | Alignment | Table | Chart | Legend


@dataclass(frozen=True)
class Section:
    """The parts of one text, study or evaluation, in reading order.

    ``brief`` is the shorter reading for media without pages (terminal, ``.txt``, LaTeX), ``picture`` the one for
    figures; each stands for all parts if it is empty. ``title`` labels the section for screen readers and is not drawn.
    ``keys`` are numbers by which a page of many sections sorts them.
    """

    title: str
    parts: tuple[Part, ...]
    brief: tuple[Part, ...] = ()
    picture: tuple[Part, ...] = ()
    keys: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Document:
    """Sections in order, with a rule or two blank lines between them; ``kind`` says of what ("Explanation").

    ``title`` is the heading of a page, unless a section begins with a heading of level 1.
    """

    title: str
    kind: str
    sections: tuple[Section, ...]


def largest(scores: Sequence[float]) -> float:
    """The largest finite magnitude; 0 if there is none."""
    return max((abs(score) for score in scores if math.isfinite(score)), default=0.0)


def scale_to(limit: float, signs: bool, sizes: bool, note: str = "", faint: bool = False) -> Scale | None:
    """The scale whose deepest colour is the score ``limit``; None if all scores are 0."""
    return Scale(signed(-limit, limit), signed(limit, limit, sign=signs), signs, sizes, note, faint) if limit else None


def facts(items: Mapping[str, str]) -> Facts:
    """Named facts, without those that are empty."""
    return Facts(tuple(Fact(name, text) for name, text in items.items() if text), named=True)


def sentences(lines: Iterable[str]) -> tuple[Note, ...]:
    """Notes without names."""
    return tuple(Note("", line) for line in lines)


def table(names: Sequence[str], rows: Iterable[Sequence[str | Gauge]], words: int = 1, **more: Any) -> Table:
    """A table whose first ``words`` columns hold words; ``more`` are further fields of ``Table``."""
    columns = tuple(Column(name, words=number < words) for number, name in enumerate(names))
    return Table(columns, tuple(map(tuple, rows)), **more)


def share(score: float, limit: float) -> float:
    """A score's share of the scale, from -1 to 1; 0 for NaN."""
    return 0.0 if math.isnan(score) or not limit else max(-1.0, min(1.0, score / limit))
