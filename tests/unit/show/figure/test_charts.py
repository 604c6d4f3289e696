"""Charts and tables as figures: marks at the places that the numbers say."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

from exegesis.show import MEDIA
from exegesis.show.document import Bar, Box, Chart, Column, Curve, Document, Dot, Gauge, Heading, Section, Table
from exegesis.show.figure.chart import ticks
from exegesis.show.figure.page import scene
from exegesis.show.figure.scene import MARGIN, Scene
from exegesis.show.palette import LIGHT, PALETTES, hue
from tests.support import corpus_samples as made
from tests.support import pictures

BARS = Chart("Words", "wrong", (Bar("fine", "2 of 3", 30.0, 10.0), Bar("not", "", 20.0, 20.0, 1)), mark=25.0)
BOXES = Chart("Scores", "score", (Box("NN", "noun", made.spread(0.5), (0.1, -0.4)), Box("JJ", "", made.spread(-0.5))))
DOTS = Chart("deletion", "", (Dot("reat", "9 texts", 0.4, 0.3, 0.5, 0), Dot("lime", "9 texts", 0.6, 0.5, 0.7, 1, True),
             Dot("random", "9 texts", 0.7, 0.65, 0.75), Dot("none", "", math.nan, math.nan, math.nan)),
             tag="↓ better", note="a question?", band=(0.65, 0.75), rule=2, reverse=True)  # fmt: skip
CURVES = Chart("insertion", "probability", (Curve("reat", ((0, 0.5), (50, 0.8), (100, 1.0)), 0),
               Curve("random", ((0, 0.5), (50, 0.6), (100, 1.0)), None, "dotted"),
               Curve("broken", ((0, 0.5), (50, math.nan)), 2)), across="words in, %")  # fmt: skip


def document(*parts: object) -> Document:
    return Document("t", "Test", (Section("s", parts),))


def drawn(*parts: object, **options: object) -> Scene:
    return scene(document(*parts), **options)


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)), (-3.0, 30.0, (0.0, 10.0, 20.0, 30.0)), (math.nan, 1.0, ()),
    (5.0, 5.0, (5.0,)),
])  # fmt: skip
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_bars_are_as_long_as_their_numbers():
    boxes = [box for box in drawn(BARS).boxes if box.title]
    assert [box.title for box in boxes] == ["fine: 10 of 30"] * 2 + ["not: 20 of 20"] * 2
    whole, part, other, full = (box.width for box in boxes)
    assert part / whole == pytest.approx(1 / 3)
    assert other / whole == pytest.approx(2 / 3)
    assert other == full
    assert len({box.x for box in boxes}) == 1
    green, red = PALETTES["green-red"].paint(1.0).ground, PALETTES["green-red"].paint(-1.0).ground
    assert [box.fill for box in boxes if box.fill in (green, red)] == [red, green]
    (mark,) = (box for box in drawn(BARS).boxes if box.fill == LIGHT.ink)
    assert mark.x + mark.width / 2 == pytest.approx(boxes[0].x + whole * 25 / 30)
    assert {"0", "10", "20", "30", "wrong", "2 of 3"} <= {word.text for word in drawn(BARS).words}


def test_an_axis_that_does_not_fit_is_folded():
    long = "probability of negative; the line is what it was, and the other colour flips the prediction of the model"
    texts = [word.text for word in drawn(Chart("t", long, BARS.rows), width=5.0).words]
    assert long not in texts
    assert long in " ".join(texts)


def test_a_box_spans_its_quartiles():
    drawing, spread = drawn(BOXES), BOXES.rows[0].spread
    (box,) = (box for box in drawing.boxes if box.title.startswith("NN: median"))
    (other,) = (box for box in drawing.boxes if box.title.startswith("JJ: median"))
    unit = box.width / (spread.q3 - spread.q1)
    assert box.x - other.x == pytest.approx(unit * (spread.q1 - BOXES.rows[1].spread.q1))
    assert box.title == "NN: median +0.50, 40 scores of 30 texts"
    dots = sorted((dot for dot in drawing.boxes if dot.width == dot.height and dot.title), key=lambda dot: dot.x)
    assert [dot.title for dot in dots] == ["−0.40", "+0.10"]
    assert dots[1].x - dots[0].x == pytest.approx(0.5 * unit)
    for dot, value in zip(dots, (-0.4, 0.1), strict=True):
        assert dot.x + dot.width / 2 == pytest.approx(box.x + unit * (value - spread.q1))


def test_very_many_scores_are_thinned():
    row = Box("NN", "", made.spread(0.0), tuple(np.linspace(-1, 1, 5000)))
    drawing = drawn(Chart("t", "score", (row,)))
    assert 300 < sum(box.width == box.height and bool(box.title) for box in drawing.boxes) <= 600


def test_better_means_are_to_the_right():
    drawing = drawn(DOTS)
    place = {box.title.split(":")[0]: box for box in drawing.boxes if box.title and box.width > 5}
    assert place["random"].x < place["lime"].x < place["reat"].x  # less is better
    assert place["reat"].title == "reat: 0.400, interval 0.300 to 0.500, 9 texts"
    assert place["reat"].fill == hue(0)
    assert place["random"].fill == LIGHT.muted
    hollow = [box for box in drawing.boxes if box.fill == drawing.paper]
    assert [box.title.split(":")[0] for box in hollow] == ["lime"]
    assert {"0.400", "none", "↓ better", "a question?"} <= {word.text for word in drawing.words}
    (band,) = (box for box in drawing.boxes if box.height > 60)
    centre = place["random"].x + place["random"].width / 2
    assert band.x + band.width / 2 == pytest.approx(centre)
    forth = drawn(Chart(DOTS.title, "", DOTS.rows))
    place = {box.title.split(":")[0]: box for box in forth.boxes if box.title and box.width > 5}
    assert place["reat"].x < place["lime"].x < place["random"].x


def test_curves_go_through_their_points():
    first, second = drawn(CURVES).lines  # the last is drawn on top
    assert [first.dash, second.dash] == ["dotted", ""]
    assert second.colour == hue(0)
    xs, ys = zip(*second.points, strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert (ys[0] - ys[1]) / (ys[0] - ys[2]) == pytest.approx(0.6)
    assert first.points[0] == second.points[0]
    texts = [word.text for word in drawn(CURVES).words]
    assert [text for text in texts if text in ("0.50", "0.75", "1.00")] == ["0.50", "0.75", "1.00"]
    assert {"probability", "words in, %", "100"} <= set(texts)


def test_means_and_curves_stand_beside_each_other_where_there_is_width():
    for chart in (DOTS, CURVES):
        first, second = (word for word in drawn(chart, chart).words if word.text == chart.title)
        assert first.y == second.y
        assert second.x > first.x + 200
        assert drawn(chart, chart, width=4.0).height > drawn(chart, width=4.0).height * 1.7
    assert drawn(BARS, BARS).height > 1.7 * drawn(BARS).height


@pytest.mark.parametrize("chart", [BARS, BOXES, DOTS, CURVES])
@pytest.mark.parametrize("options", [{}, {"width": 3.0}, {"dark": True}])
def test_no_chart_leaves_the_page(chart, options):
    drawing = drawn(chart, chart, chart, **options)
    for mark in [*drawing.boxes, *drawing.words]:
        assert mark.x >= MARGIN - 1.01
        assert mark.x + mark.width <= drawing.width - MARGIN + 1.01
        assert mark.y <= drawing.height
    for line in drawing.lines:
        assert all(MARGIN <= x <= drawing.width - MARGIN and 0 <= y <= drawing.height for x, y in line.points)


def test_curves_are_lines_in_every_picture():
    from matplotlib.collections import LineCollection

    root = ET.fromstring(MEDIA[".svg"]()(document(CURVES)))
    strokes = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert [stroke.get("stroke-dasharray") for stroke in strokes] == ["1 3", None]
    assert all(stroke.get("fill") == "none" for stroke in strokes)
    (lines,) = MEDIA["figure"]()(document(CURVES)).findobj(LineCollection)
    assert len(lines.get_segments()) == 2
    assert MEDIA[".png"]()(document(CURVES)) == MEDIA[".png"]()(document(CURVES))


# tables -------------------------------------------------------------------------------------------------

HEAD = (Column("name", words=True), Column("score", note="↑ better"), Column("time"))
ROWS = (("reat", Gauge("+1.0", 1.0), "2 ms"), ("a very long name " * 12, Gauge("−0.5", -0.5), "13 ms"))


def test_a_table_aligns_words_left_and_numbers_right():
    drawing = drawn(Table(HEAD, ROWS, groups=((1, "controls"),), rest="2 more"))
    place = {word.text: word for word in drawing.words}
    assert place["name"].x == place["reat"].x == MARGIN
    ends = [place[text].x + place[text].width for text in ("time", "2 ms", "13 ms")]
    assert max(ends) - min(ends) < 0.01
    cut = next(text for text in place if text.startswith("a very long") and text.endswith("…"))
    assert place[cut].x + place[cut].width < place["−0.5"].x
    assert place["reat"].y < place["controls"].y < place[cut].y < place["2 more"].y


def test_bars_of_a_table_go_to_both_sides_or_from_the_left():
    bars = [box for box in drawn(Table(HEAD, ROWS)).boxes if box.title]
    assert [box.title for box in bars] == ["+1.0", "−0.5"]
    assert bars[0].x == pytest.approx(bars[1].x + bars[1].width)
    assert bars[0].width == pytest.approx(2 * bars[1].width)
    sizes = tuple((name, Gauge(text, share, signed=False)) for name, text, share in (("a", "2", 1.0), ("b", "1", 0.5)))
    drawing = drawn(Table(HEAD[:2], sizes, hues=(0, 1)))
    bars = [box for box in drawing.boxes if box.title]
    assert bars[0].x == bars[1].x
    assert [box.fill for box in bars] == [hue(0), hue(1)]
    assert [box.fill for box in drawing.boxes if box.radius == 2.5] == [hue(0), hue(1)]


def test_columns_that_do_not_fit_stand_in_further_tables():
    head = (Column("name", words=True), *(Column(f"a long measure {k}") for k in range(12)))
    drawing = drawn(Table(head, (("reat", *(f"{k}.000" for k in range(12))),)), width=4.0)
    texts = [word.text for word in drawing.words]
    assert {f"{k}.000" for k in range(12)} <= set(texts)
    assert texts.count("reat") > 2
    assert all(word.x + word.width <= drawing.width - MARGIN + 1 for word in drawing.words)
    rows: dict[float, list] = {}
    for word in drawing.words:
        rows.setdefault(round(word.y, 1), []).append((word.x, word.x + word.width))
    assert all(a[1] <= b[0] for row in rows.values() for a, b in pairwise(sorted(row)))


def test_tables_to_look_things_up_in_are_left_out():
    folded = Table(HEAD, ROWS, fold="Scores as a table")
    assert [word.text for word in drawn(Heading("Here"), folded).words] == ["Here"]


# results ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [*made.EVALUATIONS, *made.STUDIES])
def test_evaluations_and_studies_are_drawn_the_same_each_time(make):
    for draw in (pictures.svg, pictures.png, pictures.pdf):
        assert draw(make()) == draw(make())
