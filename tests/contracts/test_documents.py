"""Every kind of result and every part of a document in every medium: something, with its words, escaped."""

from __future__ import annotations

import csv
import html
import io
import re
import typing
import zlib
from dataclasses import fields
from functools import lru_cache

import numpy as np
import pytest

from exegesis.core.errors import FileError, UsageError
from exegesis.results.behaviour.corpus import CorpusSummary
from exegesis.results.behaviour.study import Study
from exegesis.results.header import TextResult
from exegesis.results.result import Result
from exegesis.show import DOCUMENTS, MEDIA, document_of, written
from exegesis.show.document import (
    Alignment,
    Bar,
    Block,
    Box,
    Cell,
    Chart,
    Column,
    Curve,
    Document,
    Dot,
    Fact,
    Facts,
    Gauge,
    Heading,
    Key,
    Legend,
    Matrix,
    Node,
    Note,
    Part,
    Passage,
    Prose,
    Row,
    Scale,
    Section,
    Table,
    Tree,
)
from exegesis.show.figure.fonts import spelled
from exegesis.show.layout import laid_out
from exegesis.show.wording import visible
from tests.support import (
    corpus_samples,
    influence_samples,
    matrix_samples,
    nested_samples,
    rationale_samples,
    samples,
)
from tests.support.strategies import ink

HOSTILE = "<b>&amp;\x1b[31m$x_{1}%\\z"  # markup, a control character, TeX
SEEN = visible(HOSTILE)
ENDINGS = [medium for medium in MEDIA if medium.startswith(".")]
STARTS = {".html": b"<!DOCTYPE", ".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".tex": b"% "}
RESULTS = {
    **{f"words {make.__name__}": make for make in (samples.hierarchy, samples.pair, samples.targets)},
    **{f"tree {make.__name__}": make for make in (nested_samples.fight, nested_samples.pair, nested_samples.single)},
    **{f"pairs {make.__name__}": make for make in (matrix_samples.pairs, matrix_samples.estimated)},
    **{f"inside {make.__name__}": make for make in (matrix_samples.relevance, matrix_samples.of_pair)},
    **{f"inside {make.__name__}": make for make in (matrix_samples.attention_of_pair, matrix_samples.gates)},
    **{f"answers {make.__name__}": make for make in (matrix_samples.generation, matrix_samples.contrast)},
    **{f"training texts {make.__name__}": make for make in (influence_samples.influence, influence_samples.nothing)},
    **{f"rationales {make.__name__}": make for make in (rationale_samples.rationale, rationale_samples.nothing)},
    "inside information_of_pair": matrix_samples.information_of_pair,
    "inside adversary": matrix_samples.adversary,
    "inside attributes": matrix_samples.attributes,
    "inside decision": matrix_samples.decision,
    **{f"trust {make.__name__}": make for make in corpus_samples.EVALUATIONS},
    **{f"study {make.__name__}": make for make in corpus_samples.STUDIES},
}


# every part ---------------------------------------------------------------------------------------------


def passage(*rows: Row, caption: str = "", signed: bool = True) -> Passage:
    _, layout = laid_out(f"so {HOSTILE} said", [])
    rows = rows or (Row("word", (Cell(1, 2, -1.5, -1.0, marked=True), Cell(2, 3, 0.75, 0.5))),)
    return Passage(layout, (Block(f"lrp {HOSTILE}"[: len(SEEN)].replace("\x1b", "␛"), "", rows, 1.5, signed),), caption)


def tree() -> Tree:
    _, layout = laid_out(f"not {HOSTILE}", [])
    words = [Node(Cell(i, i + 1, 0.5 - i, 0.5 - i), 0, 0) for i in range(2)]
    return Tree(layout, (*words, Node(Cell(0, 2, 1.0, 1.0), 1, 1, -0.25)), 1.0)


def matrix(half: bool, **more: object) -> Matrix:
    return Matrix((SEEN, "b"), (SEEN, "b"), np.array([[0.0, 0.5], [0.5, np.nan]][:2]), 0.5, half=half, **more)


SPREAD = corpus_samples.spread(0.5)
PARTS: dict[str, Part] = {
    "facts": Facts((Fact("prediction", SEEN, True), Fact("model", "m"))),
    "named facts": Facts((Fact("model", SEEN),), named=True),
    "prose": Prose(SEEN),
    "muted prose": Prose(SEEN, "muted"),
    "lead": Prose(SEEN, "lead"),
    "heading": Heading(SEEN, 1),
    "lesser heading": Heading(SEEN, 3),
    "passage": passage(),
    "sizes": passage(signed=False),
    "captioned passage": passage(caption="A caption"),
    "phrases": passage(Row("phrase", (Cell(0, 2, 1.0, 0.6), Cell(2, 3, -1.0, -0.6)), fine=False)),
    "tree": tree(),
    "half matrix": matrix(True),
    "matrix": matrix(False, title="A title", signed=False, digits=2, hue=0),
    "alignment": Alignment((SEEN, "b"), ("c", SEEN, "d"), np.array([[0.5, 0.1, 0.0], [0.0, 0.4, 0.2]]), 0.5, False),
    "signed alignment": Alignment((SEEN, "b"), ("c",), np.array([[-0.5], [0.5]]), 0.5, title="A title"),
    "table": Table((Column("name", words=True), Column("score", note="↑ better")),
                   ((SEEN, Gauge("+1.0", 1.0)), ("b", Gauge("0.2", 0.2, signed=False)), ("c", "none")),
                   groups=((1, "controls"),), hues=(0, None, 1), rest="2 more"),
    "bars": Chart("Bars", "wrong", (Bar(SEEN, "a note", 3.0, 1.0), Bar("b", "", 2.0, 2.0, 1)), mark=2.5),
    "boxes": Chart("Boxes", "score", (Box(SEEN, "a note", SPREAD, (0.1, -0.2)), Box("b", "", SPREAD))),
    "dots": Chart("Dots", "", (Dot(SEEN, "2 texts", 0.5, 0.4, 0.6, 0), Dot("b", "", np.nan, np.nan, np.nan)),
                  tag="↓ better", note="A question?", band=(0.1, 0.2), rule=1, reverse=True),
    "curves": Chart("Curves", "probability", (Curve(SEEN, ((0, 1.0), (50, 0.6), (100, 0.1)), 1),
                    Curve("b", ((0, 1.0), (50, 0.2), (100, 0.1)), None, "dashed")), across="words gone, %"),
    "legend": Legend(Scale("−1.5", "+1.5", True, True, "one scale", True), (Note("", SEEN), Note("lrp", "a = b")),
                     (Key("reat", 0), Key("random", None, "dashed"))),
}  # fmt: skip
SILENT = {".csv"}  # media that draw no document


def media() -> dict[str, object]:
    """The media that draw documents."""
    return {medium: load for medium, load in MEDIA.items() if medium not in SILENT}


@lru_cache
def empty(medium: str) -> str:
    """A document without a part in a medium."""
    return drawn(medium)


def drawn(medium: str, *parts: Part) -> str:
    """Parts in a medium, as text; pictures as the text that they hold."""
    return text_of(MEDIA[medium]()(Document("A title", "Test", (Section("A section", parts),))))


def text_of(content: object) -> str:
    if not isinstance(content, str | bytes):  # a matplotlib Figure
        return " ".join(text.get_text() for text in content.findobj() if hasattr(text, "get_text"))
    return content if isinstance(content, str) else content.decode("latin-1" if content[:1] != b"<" else "utf-8")


def said(medium: str, content: str) -> str:
    """The text of a medium as a reader sees it, without blanks."""
    if medium in (".html", "notebook", ".svg"):
        content = html.unescape(re.sub(r"<style.*?</style>|<[^>]*>", "", content, flags=re.S))
    if medium == ".tex":
        content = re.sub(r"\\(?:textbackslash|textless|textgreater|ensuremath)\{\}", "", content)
    return ink(content)


def test_every_part_is_tried():
    assert {type(part) for part in PARTS.values()} == set(typing.get_args(Part))
    rows = {type(row) for part in PARTS.values() if isinstance(part, Chart) for row in part.rows}
    assert rows == {Bar, Box, Dot, Curve}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("medium", [medium for medium in media() if medium != ".pdf"])
def test_every_part_is_drawn_in_every_medium(medium, name):
    content = drawn(medium, PARTS[name])
    assert len(content) > len(empty(medium))
    if medium in (".png", "figure"):
        return  # pictures of text, whose words test_figure reads
    assert "\x1b[31m" not in content
    assert "<b>" not in content or medium in (".txt", "terminal", ".tex")
    if medium in (".html", "notebook", ".svg", ".txt", "terminal"):
        text = said(medium, content)  # figures write control characters out, as few fonts have pictures of them
        assert ink(SEEN) in text or (medium == ".svg" and ink(spelled(SEEN)) in text) or "…" in content


def test_every_part_is_drawn_in_one_pdf():
    """The picture of each is tried above; a PDF takes as long as many of them, because fonts are cut for it."""
    assert len(drawn(".pdf", *PARTS.values())) > 2 * len(empty(".pdf"))


# every kind of result -----------------------------------------------------------------------------------


def kinds_of_results(kind: type[Result] = Result) -> set[type[Result]]:
    """Every class of results that has no class of its own below it."""
    return {leaf for below in kind.__subclasses__() for leaf in kinds_of_results(below)} or {kind}


def test_every_kind_of_result_has_a_document():
    import exegesis.results.saved  # noqa: F401 - which imports every class of results

    kinds = kinds_of_results()
    assert all(any(issubclass(kind, known) for known in DOCUMENTS) for kind in kinds)
    assert {type(make()) for make in RESULTS.values()} == kinds


@lru_cache(1)
def one_of_each_kind() -> set[str]:
    """The first sample of each kind of result, by name."""
    first: dict[type[Result], str] = {}
    for name, make in RESULTS.items():
        first.setdefault(type(make()), name)
    return set(first.values())


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("medium", MEDIA)
def test_every_result_is_drawn_in_every_medium(medium, name):
    """In PDFs, which take as long as all other media together, one of each kind; the others are drawn as pictures."""
    if medium == ".pdf" and name not in one_of_each_kind():
        return
    result = RESULTS[name]()
    content = written(result, medium)
    if medium in STARTS:
        assert (content if isinstance(content, bytes) else content.encode()).startswith(STARTS[medium])
    text = text_of(content)
    assert len(text) > 40
    if medium in (".html", "notebook", ".txt", "terminal"):
        for word in words_of(result):
            assert ink(word) in said(medium, text)
    if medium == ".csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) == 1
        assert len(rows) > 1


def words_of(result: Result) -> list[str]:
    """Words that a reader looks for."""
    if isinstance(result, TextResult):
        return list(result.text.word_strings())
    if isinstance(result, CorpusSummary):
        return [row.text for row in result.strong]
    if isinstance(result, Study):
        return [result.asked.model] if getattr(result, "asked", None) else [result.added[0].text]
    return list(result.names)


@pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS.keys())
def test_a_document_has_nothing_to_hide(make):
    """All texts of a document are visible, and every part is one of the closed set."""
    document = document_of(make())
    for section in document.sections:
        for part in (*section.parts, *section.brief, *section.picture):
            assert isinstance(part, Part)
            assert "\x1b" not in repr([getattr(part, field.name) for field in fields(part)])


@pytest.mark.parametrize("medium", ENDINGS)
def test_an_unknown_option_is_named(medium):
    for make in (samples.hierarchy, corpus_samples.evaluation):
        with pytest.raises(UsageError, match=f"a {medium} file has no option 'fancy'; leave it out"):
            written(make(), medium, fancy=1)


def test_results_of_two_kinds_and_unknown_endings_are_refused():
    with pytest.raises(UsageError, match="save each kind apart"):
        written([samples.hierarchy(), nested_samples.fight()], ".txt")
    with pytest.raises(FileError, match=r"no way to save as '\.xyz'; known endings: \.json, \.jsonl, \.csv, \.html"):
        written(samples.hierarchy(), ".xyz")


def test_a_picture_is_of_something():
    """A PNG that holds more than its ground."""
    data = written(corpus_samples.evaluation(), ".png")
    chunks = re.findall(rb"IDAT(.*?)(?=....IDAT|....IEND|....[a-z]EXt)", data, re.S)
    assert len(zlib.compress(b"".join(chunks))) > 5_000
