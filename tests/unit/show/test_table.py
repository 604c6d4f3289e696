"""CSV, plain text, and how far two explanations agree."""

from __future__ import annotations

import csv as reader
import io

from hypothesis import given

from exegesis.show import comparison, render, written
from exegesis.show.documents.attribution import COLUMNS
from tests.support import samples
from tests.support.strategies import results, some


def csv_of(results) -> str:
    return written(results, ".csv")


def rows_of(source: str) -> list[dict[str, str]]:
    return list(reader.DictReader(io.StringIO(source, newline="")))


@some
@given(results())
def test_csv_reads_back_and_runs_nothing(made):
    one = made()
    rows = rows_of(csv_of(one))
    assert len(rows) == len(one.spans)
    for row, score, span in zip(rows, one.scores, one.spans, strict=True):
        assert tuple(row) == COLUMNS
        assert row["score"] == repr(float(score))
        assert (int(row["start"]), int(row["stop"])) == one.text.characters(span)
        for name in ("model", "text", "target"):
            assert len(row[name]) < 2 or row[name][0] not in "=+-@\t\r"


def test_csv_holds_every_result_target_and_level():
    rows = rows_of(csv_of([samples.hierarchy(), samples.targets()]))
    assert [row["level"] for row in rows[:14]] == ["word"] * 10 + ["phrase"] * 3 + ["clause"]
    assert {row["target"] for row in rows if row["example"] == "1"} == {
        "logit:positive",
        "logit:neutral",
        "logit:negative",
    }
    assert len(rows) == 15 + 27
    assert rows[11]["text"] == "does n't serve up"


def test_a_formula_is_defused_and_a_dash_is_not():
    rows = rows_of(csv_of(samples.result("=SUM(A1) -", [1.0, -2.0])))
    assert [row["text"] for row in rows] == ["'=SUM(A1)", "-"]
    assert rows[1]["score"] == "-2.0"


def test_text_is_the_view_without_colour():
    assert written(samples.hierarchy(), ".txt") == render(samples.hierarchy(), color=False, width=100, numbers=True)


def test_a_comparison_says_how_far_two_agree():
    methods = samples.methods()
    drawn = comparison(methods[5].compare(methods[3]), names=("reat", "li\x1bme"), color=False, limit=4)
    lines = drawn.splitlines()
    assert lines[0] == "reat and li␛me"
    assert lines[2].startswith("rank correlation")
    assert "100 %" in lines[4]
    assert lines[7].startswith("word")
    assert len([line for line in lines if "│" in line]) == 4
    assert f"{len(methods[0].words) - 4} words on which they differ less are not shown" in drawn
    assert "\x1b[" in comparison(methods[5].compare(methods[3]), color=True)


def test_a_comparison_sends_no_control_character():
    one = samples.result("\x1b[31mred \udc80", [1.0, -1.0])
    assert not set("\x1b\udc80") & set(comparison(one.compare(one), color=False))


def test_a_comparison_of_one_word_says_what_it_cannot():
    one = samples.result("fun", [1.0])
    assert "none" in comparison(one.compare(one), color=False)
    assert repr(comparison(one.compare(one), color=False)) == comparison(one.compare(one), color=False)  # at a prompt
