"""Passages, blocks, rows and cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from exegesis.core.errors import UsageError
from exegesis.core.text import Span, Text
from exegesis.show.document import Cell, Row
from exegesis.show.documents.passage import LANES
from exegesis.show.layout import laid_out
from tests.support import samples
from tests.support.drawn import panels
from tests.support.strategies import ink, results, some


def surface(panel, cell):
    return panel.passage.layout.surface(cell.start, cell.stop)


@some
@given(results())
def test_atoms_hold_the_whole_text_and_cells_their_words(made):
    one = made()
    (panel,) = panels(one)
    assert ink("".join(atom.text for atom in panel.passage.layout.atoms)) == ink(one.text.raw)
    (block,) = panel.passage.blocks
    cells = [cell for row in block.rows for cell in row.cells]
    surfaces = {ink(one.text.surface(span)) for span in one.spans}
    assert all(ink(surface(panel, cell)) in surfaces for cell in cells)
    drawn = sum(len(table.rows) for table in panel.tables)
    hidden = sum(int(text.split()[0]) for text in panel.lines if "weaker overlapping spans" in text)
    assert len(cells) <= drawn
    assert drawn + hidden == len(one.spans)
    assert all(-1 <= cell.share <= 1 for cell in cells)


def test_methods_and_models_stand_in_one_panel():
    one, two = panels([*samples.methods(), *samples.models()])
    assert [block.label for block in one.passage.blocks][-2:] == ["naive-reat", "reat"]
    assert [(block.label, block.note) for block in two.passage.blocks] == [
        ("gru", "positive 51.6 %"), ("lstm", "positive 96.2 %"), ("bigru", "negative 62.7 %"),
    ]  # fmt: skip


def test_several_methods_have_their_own_scales_and_one_method_shares():
    one, two = panels([*samples.methods(), *samples.models()])
    assert len({block.limit for block in one.passage.blocks}) == 6
    assert all(max(abs(cell.share) for cell in block.rows[0].cells) == 1 for block in one.passage.blocks)
    assert two.legend.scale.note == "one scale for all rows"
    assert {block.limit for block in two.passage.blocks} == {2.6}
    assert {block.limit for block in panels(samples.models(), "each")[0].passage.blocks} == {1.2, 2.6, 1.6}
    assert len({block.limit for block in panels(samples.methods(), "shared")[0].passage.blocks}) == 1
    assert one.legend.scale.note == "each row to its own maximum"
    assert two.legend.scale.low == "−2.60"


def test_an_unknown_scale_is_refused():
    with pytest.raises(UsageError, match="unknown scale"):
        panels(samples.models(), "both")


def test_levels_are_rows_on_the_same_words():
    (panel,) = panels(samples.hierarchy())
    (block,) = panel.passage.blocks
    assert [row.level for row in block.rows] == ["word", "phrase", "clause", "text"]
    phrases = [surface(panel, cell) for cell in block.rows[1].cells]
    assert phrases == ["The movie", "does n't serve up", "lot of laughs"]
    assert [row.fine for row in block.rows] == [True, False, False, False]
    assert block.limit == 1.62


def test_each_target_is_a_block():
    (panel,) = panels(samples.targets())
    assert [block.label for block in panel.passage.blocks] == [
        "logit of positive",
        "logit of neutral",
        "logit of negative",
    ]
    assert panel.legend.scale.note == "one scale for all rows"
    assert [text for _, text in panel.notes][1] == "logit of neutral 1.40 = sum 1.30 + output bias 0.10"


def test_a_pair_has_two_parts():
    (panel,) = panels(samples.pair())
    assert panel.passage.layout.parts == 2
    second = [atom.text for atom in panel.passage.layout.atoms if atom.part == 1]
    assert second == ["The", "sisters", "are", "hugging", "goodbye", "."]
    lines = panel.passage.layout.lines([1.0] * len(panel.passage.layout.atoms), 1.0, 1000.0)
    assert lines == [range(5), range(5, 11)]


def test_spans_of_special_pieces_stand_outside():
    pair = samples.pair()
    one = pair.replace(
        spans=(Span(0, 1), *pair.spans), levels=("word", *pair.levels), scores=np.array([0.5, *pair.scores])
    )
    (panel,) = panels(one)
    assert ("[CLS]", "+0.50") in [(text, gauge.text) for text, gauge in panel.tables[0].rows]
    assert ("", "Outside the text: [CLS] +0.50.") in panel.notes


def test_words_that_the_model_does_not_know_are_named_once():
    one = samples.result("a zorp and a blick zorp", [0.1] * 6, details={"unknown": [1, 4, 5]})
    (panel,) = panels(one)
    assert panel.notes[-1] == ("", "Unknown to the model: “zorp”, “blick”.")
    (both,) = panels([one, samples.result("a zorp and a blick zorp", [0.2] * 6, name="lime", details=one.details)])
    assert both.notes[-1] == ("", "Unknown to the model: “zorp”, “blick”.")
    assert len(both.notes) == 3
    (parted,) = panels([one, samples.result("a zorp and a blick zorp", [0.2] * 6, name="lime")])
    assert parted.notes[-1] == ("reat", "Unknown to the model: “zorp”, “blick”.")
    assert len(parted.notes) == 3


def test_rows_align_where_models_cut_the_text_differently():
    raw = "unbelievably good"
    words = samples.words_of(raw)
    pieces = Text(raw, ("un", "believ", "ably", "good"), (0, 1, 2, 3), ((0, 2), (2, 8), (8, 12), (13, 17)),
                  (Span(0, 3), Span(3, 4)), (Span(0, 4),), (False,) * 4)  # fmt: skip
    coarse = samples.result(words, [1.0, 2.0], model="words")
    fine = samples.result(pieces, [0, 0], model="pieces").replace(spans=tuple(Span(i, i + 1) for i in range(4)),
                   levels=("piece",) * 4, scores=np.array([1.0, 2.0, -1.0, 0.5]))  # fmt: skip
    (panel,) = panels([coarse, fine])
    assert [atom.text for atom in panel.passage.layout.atoms] == ["un", "believ", "ably", "good"]
    assert [surface(panel, cell) for cell in panel.passage.blocks[0].rows[0].cells] == ["unbelievably", "good"]
    assert [surface(panel, cell) for cell in panel.passage.blocks[1].rows[0].cells] == ["un", "believ", "ably", "good"]


def test_overlapping_spans_take_lanes_and_the_weakest_are_counted():
    words = samples.words_of(samples.FIGHT)
    every = [("phrase", a, b, float(b - a)) for a in range(9) for b in range(a + 2, 10)]
    (panel,) = panels(samples.result(words, [1.0] * 9, spans=every))
    lanes = panel.passage.blocks[0].rows[1:]
    assert len(lanes) == LANES
    drawn = [cell for row in lanes for cell in row.cells]
    (left,) = (int(text.split()[0]) for text in panel.lines if "are not drawn" in text)
    assert len(drawn) + left == len(every)
    assert max(cell.score for cell in drawn) == 9
    for row in lanes:
        assert all(a.stop <= b.start for a, b in zip(row.cells, row.cells[1:], strict=False))


def test_spans_that_overlap_a_little_do_not_share_a_row():
    spans = [("phrase", 0, 3, 1.0), ("phrase", 1, 4, 2.0), ("phrase", 3, 5, 3.0)]
    (panel,) = panels(samples.result("a b c d e", [1.0] * 5, spans=spans))
    drawn = [[surface(panel, cell) for cell in row.cells] for row in panel.passage.blocks[0].rows[1:]]
    assert drawn == [["a b c", "d e"], ["b c d"]]


def test_text_that_no_word_covers_is_kept():
    text = samples.text_of_words("so … good", [("so", 0, 2), ("good", 5, 9)], [0, 1])
    (panel,) = panels(samples.result(text, [1.0, 2.0]))
    assert [atom.text for atom in panel.passage.layout.atoms] == ["so", "…", "good"]
    assert panel.passage.blocks[0].rows[0].cell_at(1) is None


def test_the_header_holds_what_all_share():
    (panel,) = panels(samples.models())
    assert panel.facts == {"method": "reat"}
    (panel,) = panels(samples.hierarchy())
    assert panel.facts["prediction"] == "negative 99.5 %"


def test_nothing_to_draw():
    (panel,) = panels(samples.result("", []))
    assert panel.passage.layout.atoms == ()
    assert panels([]) == ()


@some
@given(results())
def test_lines_hold_every_atom_once_and_fit(made):
    one = made()
    (panel,) = panels(one)
    widths = [float(len(atom.text)) for atom in panel.passage.layout.atoms]
    lines = panel.passage.layout.lines(widths, 1.0, 40.0)
    assert [i for line in lines for i in line] == list(range(len(panel.passage.layout.atoms)))
    for line in lines:
        used = sum(widths[i] for i in line) + sum(panel.passage.layout.atoms[i].space for i in line if i > line.start)
        assert used <= 40 or len(line) == 1


def test_atoms_of_a_cell_that_stand_together_are_one_run():
    first, second = Cell(0, 2, 1.0, 1.0), Cell(3, 4, -1.0, -1.0)
    row = Row("word", (first, second))
    assert row.runs(range(5)) == [(first, [0, 1]), (None, [2]), (second, [3]), (None, [4])]
    assert row.runs([1, 3, 0]) == [(first, [1]), (second, [3]), (first, [0])]  # in the order in which they stand
    assert [row.cell_at(atom) for atom in (1, 2, 4)] == [first, None, None]


def test_words_join_what_was_cut_and_texts_of_a_pair_stay_apart():
    _, layout = laid_out("so " + "x" * 60 + "\nno", [], [0, 64])
    assert layout.words(layout.texts[0]) == [(False, "so"), (True, "x" * 60)]
    assert layout.words(layout.texts[1]) == [(False, "no")]
    assert [part for text in layout.texts for part in text] == list(range(len(layout.atoms)))


def test_words_keep_their_colour_beside_clauses():
    (panel,) = panels(samples.hierarchy())
    strongest = {row.level: max(abs(cell.share) for cell in row.cells) for row in panel.passage.blocks[0].rows}
    assert set(strongest.values()) == {1.0}
    assert len(strongest) == 4
