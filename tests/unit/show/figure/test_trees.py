"""Trees as figures: every box stands on its words and inside the page, and every mark is explained."""

from __future__ import annotations

import re

import pytest

from exegesis.show import document_of
from exegesis.show.document import Tree
from exegesis.show.figure.scene import MARGIN
from tests.support import nested_samples as made
from tests.support.pictures import scene


def tree_of(result) -> Tree:
    (section,) = document_of(result).sections
    (tree,) = (part for part in section.parts if isinstance(part, Tree))
    return tree


def written(result, **options) -> list[str]:
    return [word.text for word in scene(result, **options).words]


@pytest.mark.parametrize("sample", made.EVERY)
@pytest.mark.parametrize("numbers", [False, True])
def test_figures_hold_every_box_inside_the_page(sample, numbers):
    tree = tree_of(sample())
    for width in (3.0, 7.0):
        drawing = scene(sample(), numbers=numbers, width=width)
        titles = {box.title for box in drawing.boxes if box.title}
        assert titles == {tree.spoken(node) for node in tree.nodes}
        for box in drawing.boxes:
            assert box.width >= 0
            assert box.height > 0
            assert box.x >= -0.01
            assert box.x + box.width <= drawing.width + 0.01 or width == 3.0
            assert box.y + box.height <= drawing.height
        tops = [word.y for word in drawing.words if word.text]
        assert max(tops) <= drawing.height
        assert min(word.x for word in drawing.words) >= MARGIN - 8


def test_boxes_stand_on_their_words():
    """In a line no two boxes of one row overlap, and a phrase's box spans its words' boxes."""
    drawing = scene(made.fight(), width=9)
    tree = tree_of(made.fight())
    place = {box.title: box for box in drawing.boxes if box.title}
    boxes = {node.cell[:2]: place[tree.spoken(node)] for node in tree.nodes}
    for (start, stop), box in boxes.items():
        words = [boxes[(i, i + 1)] for i in range(start, stop)]
        assert box.x == pytest.approx(words[0].x)
        assert box.x + box.width == pytest.approx(words[-1].x + words[-1].width)
        for (a, b), other in boxes.items():
            apart = b <= start or stop <= a
            over = box.y < other.y + other.height and other.y < box.y + box.height
            assert apart or (a, b) == (start, stop) or not over


def test_numbers_in_a_figure_add_interactions_and_words():
    plain, full = set(written(made.fight(), width=12)), set(written(made.fight(), width=12, numbers=True))
    root = made.fight().root
    score, joint = (f"{value:+.2f}".replace("-", "\N{MINUS SIGN}") for value in (root.score, root.interaction))
    assert score in plain
    assert f"{score} ({joint})" in full
    word = next(phrase for phrase in made.fight() if phrase.text == "tedious")
    assert f"{word.score:+.2f}".replace("-", "\N{MINUS SIGN}") in full - plain


def test_a_figure_holds_the_interaction_that_it_names():
    """However narrow the phrase; with all interactions if numbers are asked for. What brackets are is said."""
    tree = made.tree("a b , and some more words", [(0, 2), (3, 7)], scores=[0.1] * 7 + [-3.25, 0.5, 1.0])
    texts = written(tree)
    assert "−3.25 (−1.62)" in texts
    assert not any("(" in text and "−3.25" not in text for text in texts if re.match("[+−]", text))
    every = written(tree, numbers=True)
    assert {"−3.25 (−1.62)", "+0.50 (+0.25)", "+1.00 (+0.50)"} <= set(every)
    for texts_of_one in (texts, every):
        assert "In brackets after a score: the interaction of the phrase." in texts_of_one
    assert not any("brackets" in text for text in written(made.closed(), numbers=True))


def test_marks_are_explained_once_for_each_text():
    assert sum("brackets" in text for text in written([made.fight(), made.closed(), made.fight()])) == 2


def test_boxes_that_go_on_are_labelled_on_every_line():
    tree = made.long()
    lines = [line for line in written(tree) if re.fullmatch(r"… [+−]\d\.\d\d", line)]
    assert f"… {tree.root.score:+.2f}".replace("-", "−") in lines
    assert len(lines) > 20


def test_rows_that_cannot_be_read_are_said_to_be_in_the_table():
    deep = made.tree(" ".join(map(str, range(70))), [(0, stop) for stop in range(2, 70)])
    assert "Where rows are too low for their scores, a .csv file has them." in written(deep)
    assert not any("too low" in text for text in written(made.long()))


def test_long_and_deep_texts_are_drawn():
    count = 300
    one = made.tree(" ".join(f"w{i}" for i in range(count)), [(0, stop) for stop in range(2, count)])
    assert scene(one).height < 72 * 120
