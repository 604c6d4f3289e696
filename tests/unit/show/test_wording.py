"""Numbers and sentences, and that nothing stays invisible."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exegesis.show.documents.account import account_line, account_short
from exegesis.show.wording import clipped, duration, folded, percent, signed, target_phrase, visible
from tests.support.samples import FIGHT, hierarchy, result


@given(st.text(st.characters()))
def test_visible_leaves_no_character_that_acts(text):
    shown = visible(text)
    shown.encode("utf-8")
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066\ufeff"]


@given(st.text("abc äöü 日本 😀 שלום"))
def test_visible_leaves_writing_alone(text):
    assert visible(text) == text


def test_visible_shows_what_was_there():
    assert visible("a\x1b[31m\x7f\x9b\udc80\u202e\U0001fffe") == "a␛[31m␡\\x9b\\udc80\\u202e\\U0001fffe"


@pytest.mark.parametrize(
    ("score", "scale", "text"),
    [(2.134, 2.5, "+2.13"), (-0.7, 2.5, "-0.70"), (0.0, 1.0, "0"), (-12.34, 50, "-12.3"), (1234.5, 2000, "+1234"),
     (0.00123, 0.002, "+0.0012"), (1e-9, 2e-9, "+1.00e-09"), (float("nan"), 1, "?"), (float("-inf"), 1, "-∞")],
)  # fmt: skip
def test_scores_have_the_places_that_their_scale_makes_worth_reading(score, scale, text):
    assert signed(score, scale) == text.replace("-", "\N{MINUS SIGN}", text[0] == "-")


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.992, "99.2 %"), (0.9999, "99.99 %"), (1.0, "100 %"), (0.0, "0 %"), (1e-12, "<0.0001 %"), (float("nan"), "")],
)
def test_a_probability_is_never_rounded_to_certainty(probability, text):
    assert percent(probability) == text


@given(st.text("ab cäö日"), st.integers(1, 12))
def test_a_clipped_text_fits_and_says_so(text, room):
    short = clipped(text, room)
    assert len(short) <= room
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
    assert clipped(text, 2 * room, lambda part: 2 * len(part)) == short


@given(st.text("ab cäö日"), st.integers(1, 12))
def test_a_folded_text_loses_nothing(text, room):
    lines = folded(text, room)
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= room or " " not in line for line in lines)


def test_durations():
    assert [duration(s) for s in (0, 0.0031, 1.5, 90)] == ["", "3.1 ms", "1.50 s", "1.5 min"]


def test_targets_as_words():
    assert target_phrase("logit:positive") == "logit of positive"
    assert target_phrase("loss") == "loss"


def test_the_account_of_a_complete_method():
    one = hierarchy()
    assert (
        account_line(one)
        == "The words' scores add up to 1.45; with output bias 0.11 they make the logit of negative, 1.56."
    )
    assert account_short(one) == "logit of negative 1.56 = sum 1.45 + output bias 0.11"


def test_what_is_printed_adds_up():
    one = result("a b", [0.3024, 0.3024], bias=0.1214)
    assert account_line(one).startswith("The scores add up to 0.605; with output bias 0.121 they make the logit of")
    assert account_line(one).endswith(", 0.726.")
    assert account_short(one) == "logit of positive 0.726 = sum 0.605 + output bias 0.121"


def test_a_negative_bias_is_said_with_its_sign():
    one = result("a b", [1.0, 2.0], bias=-0.5)
    assert (
        account_line(one) == "The scores add up to 3.00; with output bias −0.50 they make the logit of positive, 2.50."
    )
    assert account_short(one) == "logit of positive 2.50 = sum 3.00 + output bias −0.50"


def test_a_gap_is_said():
    line = account_line(result("a b", [1.0, 2.0], gap=0.25))
    assert line.endswith("with output bias 0.11 they make the logit of positive, 3.36, but for a gap of 0.25.")
    loose = result("a b", [1.0, 2.0], bias=0, gap=0.25, complete=False)
    assert account_line(loose).endswith("3.00; the logit of positive is 3.25 (this method promises no sum).")
    assert account_short(loose) == "sum 3.00, logit of positive 3.25 (promises no sum)"


def test_the_account_of_a_method_without_a_promise():
    loose = result("a b", [1.0, 2.0], bias=0.5, gap=0.25, complete=False)
    assert account_line(loose) == (
        "The scores add up to 3.00; with output bias 0.50 they make 3.50; the logit of positive is 3.75 "
        "(this method promises no sum)."
    )


def test_scores_that_cancel_are_said_to():
    """The account closes for scores of any size; only their sizes show that nothing is behind them."""
    line = account_line(result("a b c", [60.0, -75.0, 15.75], bias=0))
    assert line.endswith("They cancel: their sizes add up to 151, so believe none before another method agrees.")
    assert "cancel" not in account_line(result("a b c", [6.0, -7.5, 2.0], bias=0))


def test_what_cannot_add_up_is_not_added_up():
    assert "add up" not in account_line(result("a b", [1, 2], complete=False).replace(explained=float("nan")))
    assert "without a sign" in account_line(result("a b", [1, 2], details={"signed": False}))
    empty = result("", [])
    assert account_line(empty) == "There is nothing to score."
    assert np.isfinite(result(FIGHT, [1.0] * 9).explained)
