"""The table of an evaluation: headers break between words, lines fit, whatever the width."""

from __future__ import annotations

import numpy as np
import pytest

from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.show.document import Column
from exegesis.show.terminal.table import _head

NAMES = (
    "faithfulness (unit=clause)", "deletion", "aopc-comprehensiveness", "aopc-sufficiency (resample)", "decision-flip",
    "plausibility-auprc", "interpretability (positive-words.txt, negative-words.txt, positive)",
    "parameter-randomisation",
)  # fmt: skip


@pytest.fixture(scope="module")
def result():
    methods = tuple(Measurand(name, "", False, 0.001) for name in ("integrated-gradients", "contextual-decomposition"))
    values = np.random.default_rng(0).normal(size=(len(NAMES), 2, 8))
    measures = tuple(Measured(name, "?", "p", True) for name in NAMES)
    return Evaluation(
        "m", ("t",) * 8, ("l",) * 8, measures, methods, values,
        agreement=np.eye(2), overlap=np.eye(2), disputes=np.full(8, 0.5),
    )  # fmt: skip


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 160])
def test_headers_break_between_words(result, width):
    lines = result.table(width=width).splitlines()
    assert max(map(len, lines)) <= width
    heads = {word for line in lines for word in line.split()}
    for name in NAMES:
        for part in name.replace("-", "- ").split():
            assert part in heads or any(part in one for one in heads), part
    assert "comprehensiveness" in heads
    assert "randomisation" in heads


def test_numbers_stand_under_their_headers(result):
    lines = result.table(width=100).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("method"):
            ends = [i for i, c in enumerate(line) if c == "r" and line[i - 5 : i + 1] == "better"]
            row = lines[number + 1]
            for end in ends:  # a number ends there, or its mark does one column before
                assert row[end - 1] != " " or row[end] != " ", (line, row)


def test_blanks_of_a_name_stay():
    def head(name):
        return _head(Column(name), 0)

    assert head("deletion") == ["deletion"]
    assert head("flip (pad)") == ["flip (pad)"]
    assert head("decision-flip (pad)") == ["decision-", "flip (pad)"]
    assert head("aopc-comprehensiveness") == ["aopc-", "comprehensiveness"]
