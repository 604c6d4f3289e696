"""The contract of every registered measure: better explanations get better numbers."""

from __future__ import annotations

import pytest

from exegesis.questions.trust.measure import measures
from exegesis.testing import check_measure
from exegesis.testing.toys import LABELS, WEIGHTS

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("name", [card.name for card in measures() if card.name != "interpretability"])
def test_the_contract_is_kept(name):
    check_measure(name)


@pytest.mark.parametrize(
    "measure", ["deletion:words=5", "deletion:how=pad", "insertion:words=3", "faithfulness:unit=phrase"]
)
def test_the_contract_is_kept_with_parameters(measure):
    check_measure(measure)


def test_the_contract_is_kept_with_word_lists(tmp_path):
    for name, sign in (("plus", 1), ("minus", -1)):
        words = [word for word, weight in WEIGHTS.items() if sign * weight > 0.3]
        (tmp_path / name).write_text("\n".join(words))
    lists = f"positive={tmp_path / 'plus'}:negative={tmp_path / 'minus'}"
    check_measure(f"interpretability:{lists}:label={LABELS[1]}")
