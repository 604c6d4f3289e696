"""What the experiments with training texts share: planted scores are judged right, and what a file has is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import exegesis
from exegesis.data.examples import Example
from tests.support import torch_toys
from tests.support.torch_toys import Shape

FOLDER = Path(__file__).parents[2] / "experiments" / "influence"


def test_scores_that_made_the_truth_are_found(tmp_path):
    import judging

    draws = np.random.default_rng(3)
    true, halves = draws.standard_normal((6, 40)), judging.halves_of(40, 25)
    assert all(len(half) == 20 for half in halves)
    said = np.array([true[:, half].sum(1) for half in halves])
    assert judging.ranks(true, halves, said) == pytest.approx([1.0] * 6)
    assert judging.ranks(-true, halves, said) == pytest.approx([-1.0] * 6)
    assert judging.table("it", true, halves, {"margin": said})["margin"]["low"] == pytest.approx(1.0)
    first = [0.5, 0.7, 0.9, 0.4, 0.6, 0.8]
    made = judging.difference(first, [one - gain for one, gain in zip(first, [0.1, 0.2, 0.3] * 2, strict=True)])
    assert made["lds"] == pytest.approx(0.2)  # of pairs: far surer than either alone
    assert 0.05 <= made["low"] <= 0.2 <= made["high"] <= 0.35
    other = draws.standard_normal((6, 40))
    assert abs(np.mean(judging.ranks(other, halves, said))) < 4 * judging.noise(6, 25)
    seeds = np.stack([said, said + 1e3, 2 * said, said])  # of two seeds each, with the same order
    assert judging.agreement(seeds) == pytest.approx([1.0] * 6)


def test_rows_of_a_file_are_kept(tmp_path):
    import judging

    path, head = tmp_path / "a.json", {"texts": 3}
    rows = judging.Rows(path, head)
    rows.add({"method": "one", "lds": 0.5})
    again = judging.Rows(path, head)
    assert again.has("one")
    assert not again.has("two")
    assert again.report == {"texts": 3, "rows": [{"method": "one", "lds": 0.5}]}
    assert not judging.Rows(path, {"texts": 4}).has("one")  # of other sizes


def test_queries_are_asked_about_their_own_label():
    import judging

    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2))
    first, second = model.labels
    examples = [Example.of(text, model.labels[row % 2]) for row, text in enumerate(torch_toys.texts([3, 4, 2, 5]))]
    asked, labels = ["w1 w2", "w2 w3", "w4"], [second, first, second]
    made = judging.scored(model, examples, asked, labels, "gradient-similarity", {})
    for row, (text, label) in enumerate(zip(asked, labels, strict=True)):
        alone = exegesis.influence(model, examples, text, "gradient-similarity", target=label)
        np.testing.assert_allclose(made[row], alone.scores, rtol=1e-6)
    few = judging.scored(model, examples, asked, labels, "nearest", {"k": 1})
    assert (np.count_nonzero(few, axis=1) == 1).all()


def test_bm25_is_signed_by_labels():
    import judging

    examples = [Example.of("a fine film", "1"), Example.of("a fine plot", "0"), Example.of("dull", "0")]
    found = judging.bm25(examples, "fine film", "1")
    assert found[0] > 0 > found[1]
    assert found[0] > -found[1]
    assert found[2] == 0
