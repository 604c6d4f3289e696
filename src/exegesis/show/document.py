"""Documents: the closed set of parts that every kind of result is made of and every medium draws.

``documents/<kind>.py`` makes a document, the media draw it: ``terminal`` (and ``.txt``), ``html``, ``figure`` (SVG,
PNG, PDF), ``latex``. Media never see a result, documents never see a medium. All texts are ``visible`` already (no
control characters) but not escaped for a medium; their numbers have the MINUS SIGN. The parts lie in ``parts``.
"""

from __future__ import annotations

from dataclasses import dataclass

from exegesis.show.parts.alignment import STANDS_OUT, Alignment, Link
from exegesis.show.parts.chart import Bar, Box, Chart, Curve, Dot
from exegesis.show.parts.legend import Dash, Key, Legend, Note, sentences
from exegesis.show.parts.matrix import Matrix
from exegesis.show.parts.passage import Block, Cell, Passage, Row
from exegesis.show.parts.prose import Fact, Facts, Heading, Prose, facts
from exegesis.show.parts.scale import FAINT, Scale, largest, scale_to, share
from exegesis.show.parts.table import Column, Gauge, Table, table
from exegesis.show.parts.tree import Node, Tree

__all__ = [
    "FAINT", "STANDS_OUT", "Alignment", "Bar", "Block", "Box", "Cell", "Chart", "Column", "Curve", "Dash", "Document",
    "Dot", "Fact", "Facts", "Gauge", "Heading", "Key", "Legend", "Link", "Matrix", "Node", "Note", "Part", "Passage",
    "Prose", "Row", "Scale", "Section", "Table", "Tree", "facts", "largest", "scale_to", "sentences", "share",
    "table",
]  # fmt: skip


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
