"""The experiments of Guan et al. 2019: their baselines, and the numbers that say how coherent maps are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from tests.support.torch_toys import WORDS

FOLDER = Path(__file__).parents[2] / "experiments" / "information"
RAW = "w1 w2 w3"


class Weighted(nn.Module):
    """A state that is linear in the words: the second counts three times, the third not at all."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.emb, self.seen, self.fc = nn.Embedding(len(WORDS), 4), nn.Linear(4, 5, bias=False), nn.Linear(5, 2)
        self.share = torch.tensor([1.0, 3.0, 0.0])

    def forward(self, ids):
        vectors = self.emb(ids)
        share = self.share[: vectors.shape[1]]
        return self.fc(self.seen((vectors * share[:, None]).sum(1)))


def test_baselines_of_a_linear_state_are_known():
    import baselines

    module = Weighted()
    model = exegesis.wrap(module, vocabulary=WORDS, tokenizer=str.split)
    vectors = model.embed(model.encode([model.read(RAW)]))[0].detach()
    matrix, share = module.seen.weight.detach(), module.share
    found = {kind: baselines.saliency(model, RAW, "seen", kind, 1.0, torch.zeros(4)) for kind in baselines.BASELINES}
    np.testing.assert_allclose(found["gradient"], matrix.abs().mean() * share, rtol=1e-5)
    each = (matrix @ (vectors * share[:, None]).T).abs().mean(0)  # [words]
    np.testing.assert_allclose(found["integrated gradients"], each, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["lrp"], each, rtol=0.05, atol=1e-7)
    mask = found["perturbation"]
    assert mask[1] > mask[0] > mask[2]
    assert mask[2] < 0.2
    with pytest.raises(ValueError, match="no baseline 'x'"):
        baselines.saliency(model, RAW, "seen", "x", 1.0, torch.zeros(4))


def test_rows_go_on_where_they_were_interrupted(tmp_path):
    import corpus

    asked = list[str]()

    def one(raw):
        asked.append(raw)
        if raw == "c" and len(asked) == 3:
            raise KeyboardInterrupt
        return {"value": raw * 2}

    with pytest.raises(KeyboardInterrupt):
        corpus.Rows(tmp_path / "rows.jsonl").measure("m", ["a", "b", "c"], one)
    rows = corpus.Rows(tmp_path / "rows.jsonl")
    assert [row["value"] for row in rows.measure("m", ["a", "b", "c"], one)] == ["aa", "bb", "cc"]
    assert asked == ["a", "b", "c", "c"]
    assert [row["text"] for row in rows.measure("m", ["c", "a"], one)] == ["c", "a"]
    assert corpus.interval([1.0, float("nan"), 3.0])[0] == 2.0


def test_changes_of_a_training_are_taken_text_by_text():
    import flow

    def epoch(shift):
        return [{"log sigma": [number - shift, float("nan")]} for number in (1, 0)]

    changed = flow.changes([epoch(0.0), epoch(2.0)], "log sigma", -1.0)
    assert changed[1, :, 0].tolist() == [2.0, 2.0]
    assert np.isnan(changed[1, :, 1]).all()


def test_numbers_of_coherence_are_those_of_planted_maps():
    import coherence
    import words

    falls = np.array([[4.0, 3.0], [2.0, 1.5], [1.0, 0.5]])
    jumps = np.array([[1.0, 1.0], [9.0, 8.0], [2.0, 3.0]])
    good, bad = coherence.numbers([falls] * 8), coherence.numbers([jumps] * 8)
    assert good["falls"][0] == 1.0
    assert bad["falls"][0] == 0.5
    assert good["trend"][0] == -1.0
    assert bad["trend"][0] == pytest.approx(1 / 3)
    assert bad["scale"][0] == pytest.approx(8.5)
    assert words.beside(np.array([9.0, 8.0, 1.0, 1.0, 1.0, 1.0])) == 1.0
    assert words.beside(np.array([9.0, 1.0, 1.0, 8.0, 1.0, 1.0])) == 0.0
