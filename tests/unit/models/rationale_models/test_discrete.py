"""Words that are kept by their numbers, counted again plainly: shares, ties, runs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from exegesis.models.rationale_models.discrete import best_window, counts_of, top_words


@pytest.mark.quick
def test_the_first_of_equal_runs_is_kept_whatever_rounding_says() -> None:
    draws = np.random.default_rng(0)
    for _ in range(300):
        count = int(draws.integers(3, 30))
        scores = draws.choice([0.1, 0.2, 0.3, 0.7], count)
        size = max(1, int(0.3 * count))
        sums = [sum(Fraction(str(one)) for one in scores[at : at + size]) for at in range(count - size + 1)]
        padded = torch.tensor([[*scores, *[-torch.inf] * 2]])
        real = torch.arange(count + 2)[None] < count
        kept = best_window(padded, real, torch.tensor([size]))
        first = sums.index(max(sums))
        assert kept[0].nonzero()[:, 0].tolist() == list(range(first, first + size))


def test_shares_are_rounded_down_and_ties_go_to_the_first() -> None:
    real = torch.tensor([[True] * 6, [True] + [False] * 5, [True] * 5 + [False]])
    assert counts_of(real, 0.4).tolist() == [2, 1, 2]  # 2.4; one word is kept; 0.4 x 5 is 2, not 1.99...
    scores = torch.tensor([[0.1, 0.5, 0.5, 0.9, 0.5, 0.0], [-3.0, 9, 9, 9, 9, 9], [0.0] * 5 + [9.0]])
    found = [row.nonzero()[:, 0].tolist() for row in top_words(scores, real, 0.4)]
    assert found == [[1, 3], [0], [0, 1]]
    assert bool((top_words(scores, real, 1.0) == real).all())
