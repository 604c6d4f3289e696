"""Alignments as figures: every line joins its two words, and is as wide as its number."""

from __future__ import annotations

import numpy as np
import pytest

from exegesis.core.errors import UsageError
from exegesis.core.text import Span
from exegesis.results.internals.attention import AttentionMap, AttentionMaps
from exegesis.show import document_of, written
from exegesis.show.document import Alignment, Document, Matrix, Section
from exegesis.show.figure.alignment import THICK, THIN
from exegesis.show.figure.page import scene as laid_out
from exegesis.show.figure.scene import MARGIN, Scene
from exegesis.show.terminal.page import text
from tests.support import matrix_samples as made

UPPER, LOWER = ("A", "kid", "sleeps"), ("The", "child", "is", "asleep")
VALUES = np.array([[0.8, 0.15, 0.03, 0.02], [0.1, 0.9, 0.0, 0.0], [0.0, 0.0, 0.4, -0.6]])


def alignment(**more: object) -> Alignment:
    return Alignment(UPPER, LOWER, VALUES, 0.9, **more)


def drawn(part: Alignment, **options: object) -> Scene:
    return laid_out(Document("t", "Test", (Section("s", (part,)),)), **options)


def middles(scene: Scene, upright: bool) -> dict[str, float]:
    """Where each word stands: across the page in rows, down the page in columns."""
    return {word.text: word.y - 0.36 * word.size if upright else word.x + word.width / 2 for word in scene.words}


@pytest.mark.parametrize("width", [7.0, 2.0])
def test_a_line_joins_its_two_words(width):
    scene = drawn(alignment(), width=width)
    upright = len({word.y for word in scene.words}) > 2
    assert upright == (width == 2.0)  # two rows where they fit, else two columns
    places = middles(scene, upright)
    assert len(scene.lines) == 4  # the others are less than 1.5 times the mean of their upper word
    for line in scene.lines:
        words, number = line.title.rsplit(": ", 1)
        names = words.split(" — ")
        ends = [point[upright] for point in line.points]
        np.testing.assert_allclose(ends, [places[name] for name in names], atol=0.01)
        value = VALUES[UPPER.index(names[0]), LOWER.index(names[1])]
        assert float(number.replace("−", "-")) == pytest.approx(value, abs=0.006)
        assert line.width == pytest.approx(THIN + (THICK - THIN) * abs(value) / 0.9)
        assert line.dash == ("dashed" if value < 0 else "")
    assert [line.width for line in scene.lines] == sorted(line.width for line in scene.lines)  # strongest on top
    for word in scene.words:
        assert MARGIN - 0.01 <= word.x <= word.x + word.width <= scene.width - MARGIN + 0.01


def test_only_what_stands_out_is_drawn():
    even, peak = [0.24, 0.26, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]
    part = Alignment(("even", "peak", "faint"), LOWER, np.array([even, peak, [0.0, 0.0, 0.0, 0.01]]), 0.4, False)
    assert [(link.upper, link.lower) for link in part.links] == [(1, 3)]  # 0.4 is more than 1.5 times 0.25, 0.3 not
    assert "none stands out" in part.listed().rows[0]
    two = Alignment(("a", "b"), ("c", "d"), np.array([[0.5, 0.5], [0.7, 0.3]]), 0.7, False)
    assert len(two.links) == 3  # of two columns, half of the sum is enough
    legend = document_of(made.attention_of_pair(), lines=True).sections[0].parts[-1]
    told = " ".join(note.text for note in legend.notes)
    assert "1.5 times its mean" in told
    assert "A line is the derivative of" in told
    assert "A cell" not in told


def test_words_written_from_right_to_left_stand_so():
    words = ("هذا", "فيلم", "very", "good", "جدا")
    scene = drawn(Alignment(words, ("a", "film", "b", "c", "d"), np.eye(5), 1.0, False))
    places = middles(scene, False)
    at = {word.text: word.x for word in scene.words}
    order = sorted(at, key=lambda word: at[word])
    upper = [word for word in order if word in words or word[::-1] in words]
    assert [w if w in words else w[::-1] for w in upper] == ["جدا", "very", "good", "فيلم", "هذا"]
    for line in scene.lines:  # a line still joins its own two words
        above, below = line.title.split(": ")[0].split(" — ")
        ends = [places.get(above, places.get(above[::-1])), places[below]]
        np.testing.assert_allclose([point[0] for point in line.points], ends, atol=0.01)


def test_long_words_in_columns_are_cut_to_the_page():
    part = Alignment(("w" * 90, "b"), ("c", "v" * 90), np.ones((2, 2)), 1.0, False)
    scene = drawn(part)
    assert all(word.x + word.width <= scene.width - MARGIN + 0.01 for word in scene.words)
    assert any("…" in word.text for word in scene.words)


def test_a_terminal_lists_the_strongest_partners_of_each_word():
    document = Document("t", "Test", (Section("s", (alignment(title="attention 1"),)),))
    shown = text(document).splitlines()
    assert [line.split() for line in shown] == [
        ["attention", "1", "its", "strongest", "lines"],
        ["A", "The", "+0.80"],
        ["kid", "child", "+0.90"],
        ["sleeps", "asleep", "-0.60,", "is", "+0.40"],
    ]


def maps_of_pair() -> AttentionMaps:
    """From every piece of a pair to every other, as a transformer has them: special pieces stand outside both texts."""
    text = made.attention_of_pair().text
    spans = tuple(Span(at, at + 1) for at in range(len(text)))
    values = np.arange(len(spans) ** 2, dtype=float).reshape(len(spans), -1)
    one = made.attention_of_pair()
    return AttentionMaps(
        one.subject, one.origin, (AttentionMap(1, 0, spans, spans, values),), "attention", False, False
    )


def test_a_map_of_a_whole_pair_becomes_lines_from_each_text_to_the_other():
    result = maps_of_pair()
    first, second = result.text.segments
    parts = [part for part in document_of(result, lines=True).sections[0].parts if isinstance(part, Alignment)]
    values = result.maps[0].values
    np.testing.assert_array_equal(parts[0].values, values[first.start : first.stop, second.start : second.stop])
    np.testing.assert_array_equal(parts[1].values, values[second.start : second.stop, first.start : first.stop])
    assert [part.title for part in parts] == [
        "attention 1, first text to second", "attention 1, second text to first",
    ]  # fmt: skip
    assert parts[0].upper == tuple(result.text.pieces[first.start : first.stop])
    assert parts[1].upper == parts[0].lower == tuple(result.text.pieces[second.start : second.stop])


def test_lines_take_the_place_of_heat_maps_only_if_asked_for():
    for lines in (False, True):
        parts = document_of(made.attention_of_pair(), lines=lines).sections[0].parts
        assert any(isinstance(part, Alignment) for part in parts) == lines
        assert any(isinstance(part, Matrix) for part in parts) != lines


def test_interactions_of_a_pair_are_lines_between_its_texts():
    result = made.pair()
    (part,) = (part for part in document_of(result, lines=True).sections[0].parts if isinstance(part, Alignment))
    count = len(part.upper)
    assert part.upper + part.lower == result.words
    np.testing.assert_array_equal(part.values, result.values[:count, count:])
    assert part.limit == np.abs(part.values).max()  # whatever words of one text do together
    assert "polyline" in written(result, ".html", lines=True)
    with pytest.raises(UsageError, match="lines stand between the words of two texts"):
        document_of(made.pairs(), lines=True)
