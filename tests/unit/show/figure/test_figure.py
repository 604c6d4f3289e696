"""The figures: what stands where, text as text, the same bytes each time, no warning and no global state."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.text import Text
from PIL import Image

from exegesis.show.figure import paint
from exegesis.show.figure.fonts import BOX, shaped, spelled
from exegesis.show.figure.paint import png as png_of
from exegesis.show.figure.scene import Scene
from exegesis.show.layout import laid_out, leftward
from exegesis.show.wording import visible
from tests.support import samples
from tests.support.pictures import figure, pdf, png, scene, svg
from tests.support.strategies import results, some

SVG = "{http://www.w3.org/2000/svg}"
MIXED = "שלום עולם hello big world זה טוב 日本語 😀 naïve"


def texts(source: bytes) -> list[str]:
    return [e.text for e in ElementTree.fromstring(source).iter(f"{SVG}text")]


@some
@given(results())
def test_svg_is_sound_and_holds_every_word(made):
    one = made()
    root = ElementTree.fromstring(svg(one))
    assert {e.tag for e in root.iter()} <= {f"{SVG}{tag}" for tag in ("svg", "title", "rect", "g", "text")}
    drawn = "".join(e.text for e in root.iter(f"{SVG}text"))
    for word in one.words:
        assert spelled(visible(word)[:24]) in drawn
    assert not [name for e in root.iter() for name in e.attrib if name.startswith("on") or "href" in name]


@settings(some, max_examples=12)
@given(results())
def test_pictures_of_hostile_texts(made):
    assert png(made(), width=3.0).startswith(b"\x89PNG")


@pytest.mark.parametrize("draw", [svg, png, pdf])
def test_the_same_bytes_in_another_process(draw, tmp_path):
    script = (
        "import sys; from tests.support import pictures, samples;"
        f"sys.stdout.buffer.write(pictures.{draw.__name__}([samples.hierarchy(), *samples.models()]))"
    )
    root = str(Path(__file__).parents[4])
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    made = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True).stdout
    assert made == draw([samples.hierarchy(), *samples.models()])


def test_files_are_what_they_say_and_hold_no_date():
    assert png(samples.pair()).startswith(b"\x89PNG")
    document = pdf(samples.pair())
    assert document.startswith(b"%PDF")
    assert b"CreationDate" not in document
    assert b"/FontFile2" in document  # TrueType, so text stays text
    picture = matplotlib.image.imread(BytesIO(png(samples.methods(), width=4)))
    assert 780 <= picture.shape[1] <= 800
    assert matplotlib.image.imread(BytesIO(png(samples.hierarchy()))).shape[1] < 1200


@pytest.mark.parametrize("options", [{}, {"numbers": True}, {"dark": True, "palette": "blue-orange"}, {"width": 3.3}])
def test_nothing_overlaps_and_nothing_leaves_the_page(options):
    every = [*samples.methods(), samples.hierarchy(), *samples.models(), samples.pair(), samples.targets()]
    drawn = scene(every, **options)
    rows: dict[float, list[tuple[float, float]]] = {}
    for word in drawn.words:
        assert word.x >= 0
        assert word.x + word.width <= drawn.width + 0.01
        assert 0 < word.y < drawn.height
        rows.setdefault(round(word.y, 2), []).append((word.x, word.x + word.width))
    for places in rows.values():
        ordered = sorted(places)
        assert all(a[1] <= b[0] + 0.01 for a, b in pairwise(ordered))


def test_each_box_spans_its_words():
    drawn = scene(samples.hierarchy())
    boxes = {box.title: box for box in drawn.boxes if box.title}
    phrase = boxes["does n't serve up: +1.54"]
    inside = [
        w.text
        for w in drawn.words
        if w.size == 10 and phrase.x < w.x < phrase.x + phrase.width and phrase.y < w.y < phrase.y + 16
    ]
    assert inside == ["does", "n't", "serve", "up"]
    assert boxes["does: −0.55"].x == pytest.approx(phrase.x)
    assert boxes["up: +0.12"].x + boxes["up: +0.12"].width == pytest.approx(phrase.x + phrase.width)
    assert [w.text for w in drawn.words if w.text in ("word", "phrase", "clause", "text")] == [
        "word",
        "phrase",
        "clause",
        "text",
    ]


def test_methods_and_models_are_named_rows():
    found = texts(svg(samples.methods()))
    assert [text for text in dict.fromkeys(found) if text in {one.name for one in samples.methods()}] == [
        one.name for one in samples.methods()
    ]
    assert {"gru", "positive 51.6 %", "bigru", "negative 62.7 %"} <= set(texts(svg(samples.models())))


def test_the_sum_and_the_scale_are_said():
    found = texts(svg(samples.hierarchy()))
    assert "The words' scores add up to 1.45; with output bias 0.11 they make the logit of negative, 1.56." in found
    assert {"against negative −max", "+max for negative", "+1.54"} <= set(found)


def test_dollars_are_not_mathematics():
    one = samples.result("costs $x^2$ $\\frac{$ _a_", [1.0, -1.0, 0.5, 0.2])
    drawn = [words.get_text() for words in figure(one).findobj(Text) if not words.get_parse_math()]
    assert {"$x^2$", "$\\frac{$"} <= set(drawn)
    assert png(one)  # as mathematics the third word would be an error
    assert "$x^2$" in texts(svg(one))


def test_characters_without_a_font_warn_of_nothing():
    count = len(MIXED.split())
    one = samples.result(MIXED, np.linspace(-1, 1, count))
    assert png(one)
    assert pdf(one)
    assert "日本語" in texts(svg(one))
    drawn = figure(one)
    drawn.savefig(BytesIO(), format="png")


def test_right_to_left_words_stand_in_their_order():
    for text, order in (
        (MIXED, ["naïve", "😀", "日本語", "טוב", "זה", "hello", "big", "world", "עולם", "שלום"]),
        ("one שלום עולם two", ["one", "עולם", "שלום", "two"]),
    ):
        _, layout = laid_out(text, [])
        assert [layout.atoms[i].text for i in layout.visual(range(len(layout.atoms)))] == order
    assert leftward("12", True)
    assert shaped("שלום", False) == "םולש"
    assert shaped("שלום", True) == shaped("שלום", True) == "שלום"


def test_no_state_of_matplotlib_changes():
    before = dict(matplotlib.rcParams)
    png(samples.pair())
    svg(samples.pair())
    figure(samples.pair())
    assert dict(matplotlib.rcParams) == before


def test_a_reader_s_settings_change_nothing():
    plain = png(samples.pair())
    with matplotlib.rc_context(
        {"text.usetex": True, "font.size": 40, "savefig.bbox": "tight", "figure.autolayout": True}
    ):
        assert png(samples.pair()) == plain


def test_long_words_and_empty_texts():
    drawn = scene(samples.result("x" * 500, [1.0]), width=3)
    assert sum(len(w.text) for w in drawn.words if set(w.text) == {"x"}) == 500
    assert "(the text is empty)" in texts(svg(samples.result("", [])))
    assert png([]).startswith(b"\x89PNG")


def test_control_characters_are_written_out():
    """No font at hand has their pictures at a size that can be read."""
    drawn = [one.text for one in scene(samples.result("a\x07b \x1b[3m \x7f \x00", [1, -1, 2, 3])).words]
    assert {"a\\x07b", "\\x1b[3m", "\\x7f", "\\x00"} <= set(drawn)
    assert not any("\u2400" <= letter <= "\u2421" or letter == BOX for text in drawn for letter in text)
    one = scene(samples.result("\x07\x07\x07\x07 fine", [1, -1]))
    box, word = next(b for b in one.boxes if b.title), next(w for w in one.words if "x07" in w.text)
    assert box.x <= word.x
    assert word.x + word.width <= box.x + box.width


def test_a_picture_shows_what_a_figure_does():
    """Words laid on the boxes stand where matplotlib puts a text each, but for the part of a pixel."""
    one = samples.methods()[-1]
    out = BytesIO()
    with matplotlib.rc_context():
        figure(one).savefig(out, format="png", dpi=200)
    both = (out.getvalue(), png(one))
    theirs, ours = (np.asarray(Image.open(BytesIO(data)).convert("L"), dtype=float) for data in both)
    assert theirs.shape == ours.shape
    near = [(i, j) for i in range(-2, 3) for j in range(-2, 3)]
    blurred = [sum(np.roll(each, at, (0, 1)) for at in near) / 25 for each in (theirs, ours)]
    assert np.abs(blurred[0] - blurred[1]).max() < 60
    assert np.abs(theirs - ours).mean() < 6
    assert np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1] > 0.98


def test_a_picture_lays_out_no_text_by_itself(monkeypatch):
    """One text each, as of ``figure``, is what makes long pictures slow."""
    monkeypatch.setattr(paint, "Writing", lambda *_, **__: pytest.fail("a text of its own"))
    assert png(samples.result(" ".join(samples.LONG.split() * 3), np.linspace(-1, 1, 3 * len(samples.LONG.split()))))


def test_words_at_the_edge_are_cut():
    page = Scene(20.0, 10.0)
    for x, y in ((-30.0, 5.0), (18.0, 5.0), (5.0, -40.0), (5.0, 300.0), (-3.0, 8.0)):
        page.write(x, y, "entertaining", 10.0, "#000000")
    pixels = np.asarray(Image.open(BytesIO(png_of(page))))
    assert pixels.shape[2] == 3
    assert pixels.min() < 100


def test_a_bar_above_is_for_and_one_below_against():
    drawing = scene(samples.result("good bad", [1.0, -1.0]))
    for cell, low in zip([box for box in drawing.boxes if box.title], (False, True), strict=True):
        (bar,) = [box for box in drawing.boxes if box.height == 1.4 and box.x == cell.x]
        assert bar.y == pytest.approx(cell.y + low * (cell.height - bar.height))


def test_a_rule_parts_two_texts():
    for count in (1, 2, 3):
        drawing = scene([samples.result(f"text {n}", [1.0, -1.0]) for n in range(count)])
        assert sum(box.height == 0.6 for box in drawing.boxes) == count - 1
