"""What holds for every method that scores training texts, on a model that serves all of them."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import exegesis
from exegesis.models.trained.architectures.config import LandmarkConfig, RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.nn.halves import active
from tests.support import torch_toys

NAMES = [card.name for card in exegesis.influence_methods()]
TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5, 3, 2])
TRAIN = [(text, ["no", "yes"][n % 3 == 0]) for n, text in enumerate(TEXTS)]
ASKED = [TEXTS[0], "w1 w2 w5", TEXTS[3]]
CONFIG = RecurrentConfig("lstm", embedding=4, hidden=4, dropout=0.0, turn_over=True)
INEXACT = {"random-projections": 1e-3, "fast-influence": 1e-3}  # drawn in float32; solved to 1e-4


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A model, and the options that methods need."""
    kept = tmp_path_factory.mktemp("kept")
    examples = [exegesis.Example.of(*pair) for pair in TRAIN]
    options = TrainOptions(epochs=8, batch=4, lr=0.05, patience=8)
    result = train(examples, examples[:2], config=CONFIG, options=options, keep=kept, last=True)
    result.model.module.zero_grad()
    compared = train(examples, examples[:2], config=LandmarkConfig(landmarks=8, hidden=8, dropout=0.0),
                     options=replace(options, epochs=30, patience=30, lr=0.02), last=True)  # fmt: skip
    compared.model.module.zero_grad()
    model = exegesis.wrap(result.model.module.double(), vocabulary=result.model.vocabulary, labels=["no", "yes"])
    needs = {name: {} for name in NAMES}
    needs |= {
        "tracin": {"checkpoints": str(kept)},
        "retrain": {"most": 2, "epochs": 1},
        "influence-functions": {"damping": 0.05, "tolerance": 1e-12},
        "fast-influence": {"damping": 0.05, "k": 99, "agreement": 1},
    }
    by_landmarks = exegesis.wrap(
        compared.model.module.double(), vocabulary=compared.model.vocabulary, labels=["no", "yes"]
    )
    return {name: by_landmarks if name == "landmarks" else model for name in NAMES}, needs


@pytest.mark.quick
@pytest.mark.parametrize("name", NAMES)
def test_every_method(setting, name):
    """One score or NaN a text; the same alone and in any order; the model as it was."""
    models, needs = setting
    model = models[name]
    own, close = needs[name], INEXACT.get(name, 1e-6)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    mode = model.module.training
    together = exegesis.influence(model, TRAIN, ASKED, name, target="yes", **own)
    for text, found in zip(ASKED, together, strict=True):
        assert found.text.raw == text
        assert found.scores.shape == (len(TRAIN),)
        assert found.scored > 0
        assert found.unit
        assert [source.text for source in found.helpful] == [TRAIN[s.number][0] for s in found.helpful]
    alone = exegesis.influence(model, TRAIN, ASKED[1], name, target="yes", **own)
    size = np.nanmax(np.abs(alone.scores))
    if name != "retrain":  # which texts it tries depends on all that is asked
        np.testing.assert_allclose(alone.scores, together[1].scores, atol=close * size)
        turned = exegesis.influence(model, TRAIN[::-1], ASKED[1], name, target="yes", **own)
        np.testing.assert_allclose(turned.scores[::-1], alone.scores, atol=close * size)
    for key, value in model.module.state_dict().items():
        assert torch.equal(value, before[key])
    assert model.module.training == mode
    assert not any(weight.grad is not None for weight in model.module.parameters())
    assert not active()


@pytest.mark.parametrize("name", NAMES)
def test_every_view_says_helps_or_hurts(setting, name, tmp_path):
    """In every medium, for every method, a training text helps or hurts: its sign is never left to be known."""
    models, needs = setting
    found = exegesis.influence(models[name], TRAIN, ASKED[0], name, target="yes", **needs[name])
    assert found.sources
    for ending in (".csv", ".tex", ".svg", ".html"):
        said = found.save(tmp_path / f"result{ending}").read_text("utf-8")
        said = html.unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", said, flags=re.S))
        for sources, verb in ((found.helpful, "help"), (found.harmful, "hurt")):
            told = rf"\b{verb}s\b" if ending == ".csv" else rf"\b{verb} the\b"
            assert bool(re.search(told, " ".join(said.split()))) == bool(sources), ending
    assert {source.effect for source in found.sources} <= {"helps", "hurts"}
    assert all((source.effect == "helps") == (source.score > 0) for source in found.sources)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("nearest", "retrain")])
def test_linear_in_the_number(setting, name):
    """What is said of a margin is the difference of what is said of its two logits."""
    models, needs = setting
    model = models[name]
    ask = lambda target: exegesis.influence(model, TRAIN, ASKED[1], name, target=target, **needs[name]).scores  # noqa: E731
    margin, yes, no = (ask(target) for target in ("margin:yes,no", "logit:yes", "logit:no"))
    np.testing.assert_allclose(margin, yes - no, atol=INEXACT.get(name, 1e-6) * np.nanmax(np.abs(margin)))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "retrain"])
def test_a_text_helps_its_own_label(setting, name):
    models, needs = setting
    model = models[name]
    own = [exegesis.influence(model, TRAIN, text, name, target=label, **needs[name]).scores[n]
           for n, (text, label) in enumerate(TRAIN)]  # fmt: skip
    own = [score for score in own if not np.isnan(score)]  # texts that the method looks at
    assert len(own) >= 8
    assert np.mean(np.array(own) > 0) >= 0.8
