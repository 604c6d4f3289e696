"""Matrices as figures: every cell stands where its words say, and nothing leaves the page."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.text import Text

from exegesis.show.document import Document, Matrix, Section
from exegesis.show.figure import paint
from exegesis.show.figure.page import scene as laid_out
from exegesis.show.figure.scene import MARGIN, Scene
from tests.support import matrix_samples as made
from tests.support.pictures import pdf, png, scene, svg

SQUARE = np.array([[np.nan, 0.5, -0.25], [0.5, np.nan, 0.04], [-0.25, 0.04, np.nan]])


def square(**more: object) -> Matrix:
    names = ("reat", "integrated-gradients", "lime")
    return Matrix(names, names, SQUARE, 0.5, **{"title": "Agreement", "digits": 2, **more})


def drawn(*parts: Matrix, **options: object):
    return laid_out(Document("t", "Test", (Section("s", parts),)), **options)


def test_a_cell_stands_left_of_one_word_and_below_the_other():
    result = made.pairs()
    drawing = scene(result)
    words = {word.text: word for word in drawing.words if word.text in result.words}
    assert list(words) == list(result.words)
    cells = {box.title: box for box in drawing.boxes if box.title}
    assert len(cells) == 36
    for pair in result.pairs():
        (cell,) = (box for title, box in cells.items() if title.startswith(f"{pair.first} ~ {pair.second}: "))
        first, second = words[pair.first], words[pair.second]
        assert cell.y <= second.y <= cell.y + cell.height + 0.01
        assert cell.x + cell.width < second.x
        assert cell.x <= first.x <= cell.x + 5
        assert cell.y > first.y


@pytest.mark.parametrize("options", [{}, {"numbers": True}, {"width": 3.0}, {"dark": True, "palette": "blue-orange"}])
@pytest.mark.parametrize("sample", made.PAIRS)
def test_nothing_leaves_the_page(sample, options):
    drawing = scene([sample(), sample()], **options)
    for mark in [*drawing.boxes, *drawing.words]:
        assert mark.x >= MARGIN - 0.01
        assert mark.x + mark.width <= drawing.width - MARGIN + 1.01
    assert max(word.y for word in drawing.words) < drawing.height
    ET.fromstring(svg(sample(), **options))


def test_numbers_are_written_into_cells():
    texts = [word.text for word in scene(made.pairs(), numbers=True).words]
    assert sum(bool(re.fullmatch(r"[+−]\d\.\d\d|0", text)) for text in texts) == 36
    assert not any(re.fullmatch(r"[+−]\d\.\d\d", word.text) for word in scene(made.pairs()).words)


def test_words_that_do_not_fit_are_said_to_be_left_out():
    texts = [word.text for word in scene(made.long()).words]
    assert any(re.match(r"The \d+ words of the strongest interactions are drawn, of 135", text) for text in texts)
    assert not any("are drawn, of" in word.text for word in scene(made.pairs()).words)


def test_what_adds_up_has_cells_all_the_same():
    assert scene(made.pairs("a fine film", scale=0.0)).boxes


def test_a_square_has_names_before_its_rows_and_above_its_columns():
    drawing = drawn(square())
    before = {word.text: word for word in drawing.words if not word.angle and word.text in square().down}
    above = {word.text: word for word in drawing.words if word.angle}
    assert list(before) == list(above) == list(square().down)
    cells = {box.title: box for box in drawing.boxes if box.title}
    assert len(cells) == 9
    for row in square().down:
        for column in square().across:
            (cell,) = (box for title, box in cells.items() if title.startswith(f"{row} ~ {column}: "))
            assert cell.y <= before[row].y <= cell.y + cell.height
            assert cell.x <= above[column].x <= cell.x + cell.width
            assert above[column].y < cell.y
    assert [word.text for word in drawing.words].count("0.50") == 2
    assert "−0.25" in {word.text for word in drawing.words}


def test_a_tint_grows_with_the_number_and_its_text_can_be_read():
    from exegesis.show.palette import DARK, HUES, LIGHT, contrast

    values = np.array([[k / 10 for k in range(11)]])
    for dark, ground in ((False, LIGHT), (True, DARK)):
        for hue in range(len(HUES)):
            row = Matrix(("a",), tuple("bcdefghijkl"), values, 1.0, signed=False, digits=1, hue=hue)
            drawing = drawn(row, dark=dark)
            fills = [box.fill for box in drawing.boxes if box.title and box.fill != ground.line]
            away = [contrast(fill, ground.paper) for fill in fills]
            assert len(fills) == 11
            assert all(a <= b for a, b in pairwise(away))
            inks = [word.colour for word in drawing.words if re.fullmatch(r"\d\.\d", word.text)]
            assert len(inks) == 11
            assert all(contrast(ink, fill) >= 4.5 for ink, fill in zip(inks, fills, strict=True))


def test_small_squares_stand_side_by_side():
    one, two = ({word.y for word in drawn(*parts).words} for parts in ((square(),), (square(), square())))
    assert one == two
    assert len({word.y for word in drawn(square(), square(), width=4.0).words}) > len(one)


def test_turned_names_are_drawn_in_every_picture():
    document = Document("t", "Test", (Section("s", (square(),)),))
    from exegesis.show import MEDIA

    assert "rotate(-48" in MEDIA[".svg"]()(document).decode()
    assert MEDIA[".png"]()(document).startswith(b"\x89PNG")
    assert MEDIA[".pdf"]()(document).startswith(b"%PDF")
    turned = [
        text for text in MEDIA["figure"]()(document).findobj() if getattr(text, "get_rotation", lambda: 0)() == 48
    ]
    assert len(turned) == 3
    assert png(made.pairs())
    assert pdf(made.pairs())


def test_turned_words_of_several_fonts_lie_on_one_line():
    page = Scene(200.0, 100.0)
    page.write(20.0, 90.0, "naïve 日本語 fine", 10.0, "#000000", angle=48.0)
    parts = [text.get_position() for text in paint.figure(page).findobj(Text) if text.get_text()]
    assert len(parts) == 3
    for x, y in parts[1:]:
        assert (90.0 - y) / (x - 20.0) == pytest.approx(math.tan(math.radians(48.0)))
