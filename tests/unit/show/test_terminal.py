"""The terminal view: what it says, with colour and without, and what it never sends."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from rich.cells import cell_len

from exegesis.show import render
from tests.support import matrix_samples, nested_samples, samples
from tests.support.counted import calls
from tests.support.strategies import results, some

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def plain(one, **options):
    return render(one, color=False, width=100, **options)


@some
@given(results())
def test_only_colours_are_sent(made):
    one = made()
    for color in (False, True):
        drawn = render(one, color=color, width=60, numbers=True)
        bare = STYLE.sub("", drawn) if color else drawn
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", bare)


@some
@given(results())
def test_lines_fit_the_width(made):
    one = made()
    bare = STYLE.sub("", render(one, color=True, width=70))
    assert all(cell_len(line) <= 70 or " " not in line.strip() for line in bare.splitlines()[2:])


def test_without_colour_the_strong_words_carry_signed_scores():
    drawn = render(samples.models(), color=False, width=150)
    gru, lstm, _ = drawn.splitlines()[2:5]
    assert gru.startswith("gru (positive 51.6 %)")
    assert "fun(+1.20)" in gru
    assert "tedious(-1.15)" in gru
    assert "fun(+2.60)" in lstm
    assert re.search(r"but ", lstm)  # below 5 % of the largest
    assert gru.index("tedious") == lstm.index("tedious")
    assert "\x1b" not in drawn


def test_phrases_are_brackets_under_their_words():
    lines = plain(samples.hierarchy()).splitlines()
    words = next(line for line in lines if line.startswith("word"))
    phrases = next(line for line in lines if line.startswith("phrase"))
    assert re.findall(r"[+-]\d\.\d\d", phrases) == ["+0.33", "+1.54", "-0.48"]
    assert phrases.index("└") == words.index("The")
    assert [m.start() for m in re.finditer("└", phrases)][1] == words.index("does")
    assert [m.start() for m in re.finditer("└", phrases)][2] == words.index("lot")


def test_with_colour_words_are_bare_and_those_against_underlined(monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    drawn = render(samples.models(), color=True, width=100)
    assert "(+" not in STYLE.sub("", drawn).replace("(positive", "")
    styles = {word: style for style, word in re.findall(r"\x1b\[([0-9;]*)m(fun|tedious)\x1b", drawn)}
    assert "4" in styles["tedious"].split(";")[:3]
    assert "4" not in styles["fun"].split(";")[:3]
    assert "48;2;" in drawn
    monkeypatch.setenv("COLORTERM", "")
    assert "48;5;" in render(samples.models(), color=True, width=100)


def test_dark_and_light_differ(monkeypatch):
    monkeypatch.setenv("COLORFGBG", "0;15")
    assert render(samples.pair(), color=True) == render(samples.pair(), color=True, dark=False)
    assert render(samples.pair(), color=True) != render(samples.pair(), color=True, dark=True)
    assert render(samples.pair(), color=True) != render(samples.pair(), color=True, palette="blue-orange")


@pytest.mark.parametrize(
    ("environment", "tty", "coloured"),
    [({}, True, True), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, True, False), ({}, False, False)],
)
def test_colour_where_the_terminal_has_it(monkeypatch, environment, tty, coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in render(samples.hierarchy())) is coloured


def test_the_header_and_the_account():
    drawn = plain(samples.hierarchy())
    assert drawn.startswith("negative 99.5 % · logit of negative 1.56 · reat · lstm-sst2\n")
    assert "The words' scores add up to 1.45; with output bias 0.11 they make the logit of negative, 1.56." in drawn


def test_the_worst_standard_error_is_told():
    one = samples.result("a b c", [1.0, 2.0, 3.0], details={"standard_error": [0.01, 0.25, 0.02]})
    assert "standard errors up to 0.25" in plain(one)
    assert "standard errors" not in plain(samples.result("a b c", [1.0, 2.0, 3.0]))


def test_numbers_are_a_table_with_signed_bars():
    table = plain(samples.hierarchy(), numbers=True).split("\nword ")[2].splitlines()[1:]
    bars = {line.split("  ")[0]: line for line in table if line}
    assert bars["n't"].endswith("│██████████")
    assert bars["laughs"].rstrip().endswith("█████│")
    assert bars["."].endswith("│▍")
    assert "does n't serve up" in bars


def test_a_pair_names_its_parts():
    lines = plain(samples.pair()).splitlines()
    assert any(line.startswith("word [1]") and "embracing" in line for line in lines)
    assert any(line.startswith("word [2]") and "sisters" in line for line in lines)


def test_several_targets_and_methods_are_rows():
    drawn = plain(samples.targets())
    assert re.findall(r"^logit of (\w+) +The", drawn, re.M) == ["positive", "neutral", "negative"]
    drawn = plain(samples.methods())
    assert re.findall(r"^([a-z-]+) +It", drawn, re.M) == [one.name for one in samples.methods()]
    assert "promises no sum" in drawn


def test_phrases_alone_stand_under_the_plain_text():
    lines = plain(samples.hierarchy().at("phrase")).splitlines()
    assert lines[2].startswith("text")
    assert lines[3].startswith("phrase")


def test_texts_are_apart():
    assert plain([samples.hierarchy(), samples.pair()]).count("scores add up") == 2
    assert "(the text is empty)" in plain(samples.result("", []))
    assert plain([]) == ""


@pytest.mark.parametrize("color", [True, False])
def test_the_work_grows_with_the_words(color):
    few, many = samples.long(1_000), samples.long(10_000)
    render(few, color=color, width=100)  # fills caches
    work = [calls(render, result, color=color, width=100) for result in (few, many)]
    assert work[1] < 15 * work[0]  # ten times the words; quadratic work would be a hundred times
    assert STYLE.sub("", render(many, color=color)).count("word96") == many.text.raw.count("word96")


@pytest.mark.parametrize(
    "made", [samples.hierarchy, nested_samples.fight, matrix_samples.pairs, matrix_samples.relevance]
)
def test_two_blank_lines_part_two_texts(made):
    one = made()
    two = one.replace(text=replace(one.text, raw=one.text.raw.swapcase()))
    drawn = [plain(result, numbers=True) for result in (one, two)]
    assert plain([one, two], numbers=True) == "\n\n".join(drawn)


def test_scores_speak_for_a_named_label_and_signs_stand_apart():
    drawn = plain(samples.hierarchy())
    assert "word(+) speaks for negative, word(-) against it" in drawn
    text = samples.text_of_words("fine.", [("fine", 0, 4), (".", 4, 5)], [0, 1])
    assert "fine(+1.00) .(+0.50)" in plain(samples.result(text, [1.0, 0.5]))


def test_a_gap_below_the_digits_that_are_written_is_not_said():
    assert "gap" not in plain(samples.result("a b", [1.0, 2.0], bias=0.5, gap=1e-5))
    assert "gap of 0.0100" in plain(samples.result("a b", [1.0, 2.0], bias=0.5, gap=0.01))
