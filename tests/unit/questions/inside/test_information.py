"""Information in the states of real kinds of models: sites, honesty about what was found, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from tests.support.every_model import MODELS, probabilities
from tests.support.torch_toys import WORDS

RAWS = ["w1 w2 w3 w4 w5", "w6 w2", "w3 w1 w9 w7 w4"]
QUICK = {"pairs": 32, "most": 64, "samples": 16, "tolerance": 0.05}


@pytest.fixture(scope="module")
def lstm():
    return MODELS["two bilstms max"][1]()


@pytest.fixture(scope="module")
def results(lstm):
    return exegesis.information(lstm, RAWS, **QUICK)


@pytest.mark.quick
def test_every_layer_and_word_has_a_number_and_the_entropies_add_up(results):
    first = results[0]
    assert first.layers == ("layer 1", "layer 2", "pooled")
    assert first.sigma.shape == (3, 5)
    each = first.width * (0.5 * np.log(2 * np.pi * np.e) + np.log(first.sigma))
    np.testing.assert_allclose(first.entropy, each)
    np.testing.assert_allclose(first.discarded, each.sum(1))
    assert first.lam == pytest.approx(first.rate / first.width)
    assert first.reference == "words drawn from 3 texts"
    assert set(first.states[0]) == {"minimum"}
    noise, spread = np.square(first.error[1]).mean(), np.log(first.sigma[1]).var()
    assert first.agreement[1] == pytest.approx(1 - noise / spread)
    assert first.agreement.min() > 0.97


def test_a_text_in_a_batch_is_the_text_alone(lstm, results):
    alone = exegesis.information(lstm, RAWS[1], reference=RAWS, **QUICK)
    np.testing.assert_allclose(alone.sigma, results[1].sigma, rtol=1e-6)
    turned = exegesis.information(lstm, RAWS[::-1], **QUICK)
    np.testing.assert_allclose(turned[0].sigma, results[2].sigma, rtol=1e-6)


def test_rows_bound_what_runs_at_a_time_and_change_nothing(lstm, results, monkeypatch):
    seen, plain = [], lstm.states_from

    def watched(embeds, batch, sites):
        seen.append(len(embeds))
        return plain(embeds, batch, sites)

    monkeypatch.setattr(lstm, "states_from", watched)
    found = exegesis.information(lstm, RAWS[0], reference=RAWS, rows=7, **QUICK)
    assert max(seen) <= 7
    np.testing.assert_allclose(found.sigma, results[0].sigma, rtol=1e-5)
    with pytest.raises(UsageError, match="rows"):
        exegesis.information(lstm, RAWS[0], rows=0)


def test_sites_by_name_by_step_and_by_path(lstm, results):
    names = ["pooled", "layer 1 step 2", "layer 2 reverse", "rnn", "word vectors"]
    found = exegesis.information(lstm, RAWS[0], names, reference=RAWS, **QUICK)
    assert found.layers == tuple(names)
    np.testing.assert_allclose(found.sigma[0], results[0].sigma[2], rtol=1e-6)
    np.testing.assert_allclose(found.sigma[3], results[0].sigma[1], rtol=1e-6)  # the output of the upper layer
    assert found.dimensions[1] == results[0].dimensions[0] // 5
    with pytest.raises(UsageError, match="no site 'layer 7'; it has word vectors, layer 1, layer 2, pooled"):
        exegesis.information(lstm, RAWS[0], "layer 7", reference=RAWS)


def test_a_large_rate_has_no_minimum_in_a_bounded_state_and_no_entropy(lstm):
    found = exegesis.information(lstm, RAWS[0], "layer 2", reference=RAWS, rate=30.0, **QUICK)
    assert "none" in found.states[0]
    assert not found.converged
    assert np.isnan(found.discarded[0])
    assert found.kept.min() == 0


def test_training_mode_with_dropout_changes_nothing(lstm, results):
    assert lstm.module.training
    assert any(isinstance(part, nn.Dropout) for part in lstm.module.modules())
    again = exegesis.information(lstm, RAWS, **QUICK)
    assert again[0].timeless() == results[0].timeless()
    assert lstm.module.training


def test_a_transformer_in_half_precision_and_one_word():
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    from exegesis.models.huggingface.wrap import wrap_huggingface

    found = []
    for module in (hf_toys.bert().bfloat16(), hf_toys.bert()):
        model = wrap_huggingface(module, hf_toys.wordpiece(), name="bert")
        found.append(
            exegesis.information(
                model, "film", ["layer 1", "layer 2 step 1"], reference=["a good film"], rate=0.01, **QUICK
            )
        )
    assert found[0].sigma.shape == (2, 1)
    assert np.abs(np.log(found[0].sigma / found[1].sigma)).max() < 0.5
    with pytest.raises(UsageError, match="one word only: give texts as the reference"):
        exegesis.information(model, "film")


def test_a_layer_that_does_not_change_discards_every_word():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.fc = nn.Embedding(len(WORDS), 4), nn.Linear(4, 2)
            self.dull = nn.Identity()

        def forward(self, ids):
            vectors = self.emb(ids)
            self.dull(vectors * 0 + 1)
            return self.fc(vectors.sum(1))

    model = exegesis.wrap(Constant(), vocabulary=WORDS, tokenizer=str.split)
    found = exegesis.information(model, RAWS[0], ["dull", "pooled"], **QUICK)
    assert set(found.states[0]) == {"discarded"}
    assert set(found.states[1]) == {"minimum"}
    np.testing.assert_allclose(found.sigma[1], found.sigma[1, 0], rtol=1e-6)  # words of a sum share alike


def test_a_black_box_is_refused():
    model = exegesis.blackbox(probabilities, labels=["a", "b", "c"])
    with pytest.raises(UnsupportedError, match="is not layered: a function of texts"):
        exegesis.information(model, "a film")


def test_bad_parameters_are_named(lstm):
    with pytest.raises(UsageError, match="rate"):
        exegesis.information(lstm, RAWS[0], rate=0)
    with pytest.raises(UsageError, match="unknown parameter of information 'rat'"):
        exegesis.information(lstm, RAWS[0], rat=0.1)
    with pytest.raises(UsageError, match="no layer is named"):
        exegesis.information(lstm, RAWS[0], "")
