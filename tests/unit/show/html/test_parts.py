"""Trees, matrices, tables and charts as HTML: nothing is lost, nothing escapes, notebooks restyle nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings

from exegesis.show.document import (
    Chart,
    Column,
    Curve,
    Document,
    Dot,
    Fact,
    Facts,
    Gauge,
    Heading,
    Matrix,
    Part,
    Section,
    Table,
)
from exegesis.show.html.page import fragment as fragment_of
from exegesis.show.html.page import page as page_of
from exegesis.show.palette import DARK, LIGHT
from tests.support import corpus_samples, matrix_samples, samples
from tests.support import nested_samples as made
from tests.support.pages import Page, fragment, page
from tests.support.pictures import svg
from tests.support.strategies import ink, some, trees

GRID = r"grid-area: [\d /]+|grid-template: (repeat\(\d+, minmax\([\d.]+em, auto\)\) )?auto / repeat\(\d+, auto\)"
few = settings(some, max_examples=12)


def document(*parts: Part, title: str = "A title") -> Document:
    return Document(title, "Test", (Section("A section", parts),))


def styles_of(source: str) -> str:
    return re.search(r"<style>(.*?)</style>", source, re.S)[1]


# trees --------------------------------------------------------------------------------------------------


@few
@given(trees())
def test_every_text_is_shown_as_text(made_by):
    one = made_by()
    source = page(one)
    parsed = Page(source.replace('style="', 'data-style="'))
    shown = "".join(element["text"] for element in parsed.of(**{"class": "w"}))
    assert "".join(shown.split()) == "".join(ink(one.text.raw).split())
    assert len(parsed.of(role="listitem")) >= len(one.parts)
    styles = [element["data-style"] for element in parsed.all if "data-style" in element]
    assert all(re.fullmatch(GRID, s) for s in styles)
    ET.fromstring(svg(one).decode().replace("\ufffe", "").replace("\uffff", ""))


def test_boxes_that_go_on_have_an_ellipsis_and_deep_lines_are_thin():
    assert "… " in page(made.long())
    count = 300
    one = made.tree(" ".join(f"w{i}" for i in range(count)), [(0, stop) for stop in range(2, count)])
    assert "deep" in {cls for e in Page(page(one)).all for cls in (e.get("class") or "").split()}


# matrices -----------------------------------------------------------------------------------------------


def test_a_page_has_a_row_for_each_word_with_the_cells_before_it():
    source = page(matrix_samples.pairs())
    rows = re.findall(r"<tr>(.*?)</tr>", source.split("</table>")[0])
    assert [row.count("<td") for row in rows] == list(range(9))
    words = matrix_samples.pairs().words
    assert [re.findall(r"<bdi>(.*?)</bdi>", row) for row in rows] == [[word] for word in words]
    assert "numbers in the cells" in source
    assert page(matrix_samples.alone()).count("<td") == 0


def test_hostile_words_are_text():
    raw = "\n".join(part.replace(" ", "") for part in samples.HOSTILE)
    for result in (matrix_samples.pairs(raw), matrix_samples.relevance(raw)):
        source = page(result)
        assert not Page(source).of(tag="script")
        assert "<script>alert(1)" not in source
        assert "alert(1)" in source


def test_long_texts_keep_the_words_of_the_strongest_pairs():
    source = page(matrix_samples.long())
    assert re.search(r"The \d+ words of the strongest interactions are drawn, of 135", source)
    assert source.count("<tr>") < 500


def test_a_square_names_rows_and_columns():
    values = np.array([[np.nan, 0.5], [0.25, np.nan]])
    square = Matrix(("reat", "<i>"), ("reat", "<i>"), values, 1.0, signed=False, title="Agreement", digits=2, hue=2)
    parsed = Page(fragment_of(document(square)).replace('style="', 'data-style="'))
    assert [e["text"] for e in parsed.of(tag="th")] == ["reat", "<i>", "reat", "<i>"]
    corner, *cells = parsed.of(tag="td")  # no heading: it would name nothing
    assert corner["text"] == ""
    assert [cell["text"] for cell in cells] == ["", "0.50", "0.25", ""]
    assert [cell["data-style"] for cell in cells] == ["--v:0%", "--v:50%", "--v:25%", "--v:0%"]
    assert {cell["class"] for cell in cells} == {"tint h2"}


# tables -------------------------------------------------------------------------------------------------


def test_a_part_of_an_answer_is_chosen_without_a_script():
    """One radio button for each part, the first chosen, each followed by its own row alone; hostile names are text."""
    result = matrix_samples.generation()
    source = page(result)
    form = re.search(r'<form class="pick">.*?</form>', source, re.S)[0]
    assert form.count('type="radio"') == form.count("<label>") == len(result.steps)
    assert form.count(" checked") == 1
    assert form.index(" checked") < form.index("</label>")
    panels = form.split("<label>")[1:]
    for k, (panel, name) in enumerate(zip(panels, result.steps, strict=True)):
        assert f'<b dir="auto">{name}</b></label>' in panel
        told = re.findall(r'aria-label="([^"]*): [^"]*"', panel)
        before = [
            word for word, span in zip(result.words, result.inputs, strict=True) if span.start < result.outputs[k].start
        ]
        assert told == before
    assert "<script" not in source
    assert source.count(".pick > label:hover + .rows") == 1
    hostile = matrix_samples.generation("a <b>&amp; <script>alert(1)</script> film is dull")
    assert "<script" not in page(hostile)


def test_a_table_has_bars_dots_and_groups():
    rows = (("reat", Gauge("+1.0", 0.5)), ("lime", Gauge("−0.4", -0.2)), ("random", "none"))
    table = Table((Column("method", words=True), Column("score", note="↑ better")), rows, groups=((2, "controls"),),
                  hues=(0, 1, None), rest="2 more")  # fmt: skip
    parsed = Page(fragment_of(document(table)).replace('style="', 'data-style="'))
    assert [e["data-style"] for e in parsed.all if "margin-left" in e.get("data-style", "")] == [
        "margin-left:50%;width:25.0%", "margin-left:40.0%;width:10.0%",
    ]  # fmt: skip
    assert [e["class"] for e in parsed.of(tag="tr") if e.get("class")] == ["h0", "h1", "hk"]
    assert len(parsed.of(**{"class": "dot"})) == 3
    assert [e["text"] for e in parsed.of(**{"class": "group"})] == ["controls"]
    assert "2 more" in [e["text"] for e in parsed.of(tag="p")]


def test_tables_of_one_fold_share_it():
    head = (Column("word", words=True), Column("score"))
    one, two = (Table(head, (("  a", "1"),), fold="Scores as a table") for _ in range(2))
    other = Table(head, (("b", "2"),), fold="Papers")
    parsed = Page(fragment_of(document(one, two, other)))
    assert [e["text"] for e in parsed.of(tag="summary")] == ["Scores as a table", "Papers"]
    assert len(parsed.of(tag="table")) == 3
    assert parsed.of(tag="bdi")[0]["text"] == "  a"  # how deep a phrase lies


# charts -------------------------------------------------------------------------------------------------


def test_a_chart_is_drawn_once_in_the_colours_of_both_grounds():
    dots = Chart("deletion <i>", "", (Dot("reat", "", 0.5, 0.4, 0.6, 0),), tag="↓ better", note="a question?")
    curves = Chart("insertion", "probability", (Curve("reat", ((0, 0.5), (1, 0.75)), 0),))
    source = fragment_of(document(dots, curves))
    parsed = Page(source)
    assert [e["text"] for e in parsed.of(tag="h3")] == ["deletion <i>", "insertion"]
    assert len(parsed.of(tag="svg")) == 2
    assert len(parsed.of(**{"class": "grid"})) == 1
    assert f"light-dark({LIGHT.muted},{DARK.muted})" in source
    assert "0.500" in [e["text"] for e in parsed.of(tag="text")]
    assert not [e for e in parsed.of(tag="text") if "deletion" in e["text"]]  # the title is HTML's
    assert parsed.of(tag="svg")[0]["aria-label"] == "deletion <i>: reat"


@pytest.mark.parametrize("make", [*corpus_samples.EVALUATIONS, *corpus_samples.STUDIES])
def test_pages_of_evaluations_and_studies_are_sound(make):
    source = page(make())
    Page(re.sub(r"<svg.*?</svg>", "", source, flags=re.S))
    assert page(make()) == source
    assert not re.search(r"https?:|//\w|url\(|@import|<script|<link", source)
    for drawing in re.findall(r"<svg.*?</svg>", source, re.S):
        ET.fromstring(drawing)


# pages and fragments ------------------------------------------------------------------------------------


def test_rules_name_their_root_twice_and_outweigh_a_notebook_s():
    """JupyterLab restyles tables, headings and paragraphs by a class and a tag, sometimes two classes."""
    for result in (made.fight(), matrix_samples.pairs(), corpus_samples.evaluation(), samples.models()):
        source = fragment(result)
        (root,) = set(re.findall(r'class="(exegesis-\w+)"', source))
        body = re.sub(r"@media[^{]*\{(.*)\}\s*$", r"\1", styles_of(source), flags=re.M)
        selectors = [part for rule in re.findall(r"([^{}]+)\{[^{}]*\}", body) for part in rule.split(",")]
        assert len(selectors) > 100
        assert not [s for s in selectors if f".{root}.{root}" not in s]


def test_no_fragment_uses_what_notebooks_restyle_beyond_repair():
    """JupyterLab floats ``dt`` and ``dd`` over what follows, and sets marks before list items."""
    for result in (made.fight(), matrix_samples.pairs(), corpus_samples.evaluation(), samples.models()):
        assert not {e["tag"] for e in Page(re.sub(r"<svg.*?</svg>", "", fragment(result), flags=re.S)).all} & {
            "dl", "dt", "dd", "ul", "ol", "li", "h4", "pre", "code", "img", "blockquote",
        }  # fmt: skip


def test_a_style_holds_only_what_is_drawn():
    assert ".tree" in styles_of(fragment(made.fight()))
    assert ".tree" not in styles_of(fragment(samples.pair()))
    assert ".half" in styles_of(fragment(matrix_samples.pairs()))
    first, second = (re.match(r'<div class="([\w-]+)"', fragment(r))[1] for r in (made.fight(), samples.hierarchy()))
    assert first != second


def test_two_fragments_share_a_page_and_keep_to_their_class():
    source = fragment([made.fight(), made.sizes()])
    root = re.match(r'<div class="([\w-]+)"', source)[1]
    for selector in re.findall(r"(?:^|\})\s*([^@{}]+)\{", styles_of(source)):
        assert all(root in part for part in selector.split(",") if part.strip()), selector
    assert root != re.match(r'<div class="([\w-]+)"', samples.hierarchy()._repr_html_())[1]
    assert fragment(made.fight())[:40] == made.fight()._repr_html_()[:40]


def test_a_page_has_one_title():
    plain, headed = document(Facts((Fact("model", "m"),))), document(Heading("Mine", 1), title="Mine")
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", page_of(plain)) == ["A title"]
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", page_of(headed)) == ["Mine"]
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", page_of(headed, title="Yours")) == ["Yours", "Mine"]


def test_switches_stand_where_there_is_something_to_switch():
    assert "scores under the words" in fragment(samples.pair())
    assert 'type="checkbox"' not in fragment_of(document(Facts(())))
    assert 'type="checkbox"' not in fragment(corpus_samples.STUDIES[0]())
    blue = fragment_of(document(*()), palette="blue-orange")
    assert "exegesis-" in blue
