"""Classifiers by landmarks: kernels, the Nyström layer, relevance with its account, and the sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import exegesis
from exegesis.models.trained.architectures.config import LandmarkConfig
from exegesis.models.trained.architectures.landmarks import LandmarkClassifier
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

QUESTIONS = [
    ("What is the capital of California", "LOC"), ("What is the capital of Peru", "LOC"),
    ("Where is the river Nile", "LOC"), ("What city is near the river", "LOC"),
    ("Who wrote the book", "HUM"), ("Who is the president of Peru", "HUM"),
    ("Who painted the river", "HUM"), ("Which president wrote the book", "HUM"),
    ("How many people live in Peru", "NUM"), ("How many books did he write", "NUM"),
    ("How long is the river Nile", "NUM"), ("How far is California", "NUM"),
]  # fmt: skip
EXAMPLES = [exegesis.Example.of(*pair) for pair in QUESTIONS]


@pytest.fixture(scope="module", params=["overlap", "rbf"])
def result(request):
    config = LandmarkConfig(kernel=request.param, landmarks=9, hidden=12, embedding=6, dropout=0.0)
    options = TrainOptions(epochs=60, batch=4, lr=0.02, patience=60)
    return train(EXAMPLES, EXAMPLES[:3], config=config, options=options, last=True)


def begun(kernel, count):
    torch.manual_seed(0)
    texts = [torch.tensor(ids) for ids in ([2, 3, 4], [2, 3, 5, 3], [6, 1100], [4, 4, 7], [5, 8], [2, 3, 4])]
    config = LandmarkConfig(kernel=kernel, landmarks=count, hidden=4, embedding=5, dropout=0.0, vocabulary=1200)
    module = LandmarkClassifier(config).double()
    module.begin(texts, [0, 1, 0, 1, 0, 1])
    return module, texts


@pytest.mark.parametrize("kernel", ["overlap", "rbf"])
def test_features_give_the_kernel_back(kernel):
    """φ(l_i) · φ(l_j) = K(l_i, l_j) before training, and K is what its formula says."""
    module, texts = begun(kernel, 5)  # all that are different
    ids, lengths = module.landmark_ids()
    chosen = [tuple(row[:length].tolist()) for row, length in zip(ids, lengths, strict=True)]
    assert set(chosen) == {tuple(text.tolist()) for text in texts}
    made = module.kernel(ids, lengths).detach()
    features = made @ module.nystrom.weight.t()
    torch.testing.assert_close(features @ features.t(), made, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(made.diagonal(), torch.ones(5, dtype=torch.float64), atol=1e-6, rtol=0)
    rarity = {word: math.log(7 / (1 + sum(word in text for text in texts))) + 1 for word in range(1200)}
    for i, one in enumerate(chosen):
        for j, other in enumerate(chosen):
            if kernel == "overlap":
                size = lambda words: math.sqrt(sum(rarity[w] ** 2 for w in set(words)))  # noqa: E731
                both = sum(rarity[w] ** 2 for w in set(one) & set(other))
                expected = both / size(one) / size(other)
            else:
                table = module.embedding.weight.detach()
                apart = (table[list(one)].mean(0) - table[list(other)].mean(0)).square().sum()
                expected = math.exp(-float(module.gamma * apart))
            assert float(made[i, j]) == pytest.approx(expected, abs=1e-6)
    assert module.cut == 0
    with pytest.raises(exegesis.UsageError, match=r"5 different training texts .* and 6 landmarks: ask for fewer"):
        begun(kernel, 6)
    with pytest.raises(exegesis.UsageError, match="1 landmarks are too few, as every label is among them"):
        begun(kernel, 1)  # of which no kernel has a width


def test_relevance_closes_its_account(result):
    model = exegesis.wrap(result.model.module, vocabulary=result.model.vocabulary, labels=result.model.labels)
    text = "What is the capital of Zimbabwe"
    for target, epsilon in (("logit:LOC", 1e-6), ("logit:HUM", 0.1), ("margin:LOC,HUM", 1e-6)):
        found = exegesis.influence(model, QUESTIONS, text, "landmarks", target=target, epsilon=epsilon)
        told = found.details
        total = np.nansum(found.scores) + told["biases"] + told["absorbed"]
        assert total == pytest.approx(told["logit"], abs=1e-6)
        assert told["logit"] == pytest.approx(found.explained, abs=1e-5)
        assert found.scored == told["landmarks"] == 9
    small = exegesis.influence(model, QUESTIONS, text, "landmarks", target="logit:LOC", epsilon=0.0)
    module = result.model.module  # without epsilon it is the gradient times the input, layer by layer
    ids = torch.tensor([result.model.vocabulary.read(text).ids])
    kernel = module.kernel(ids, torch.tensor([ids.shape[1]])).detach().requires_grad_()
    values = module.nystrom(kernel)
    for layer in module.layers:
        values = torch.relu(layer(values))
    logit = module.output(values)[0, model.labels.index("LOC")]
    (slope,) = torch.autograd.grad(logit, kernel)
    scores = small.scores[np.isfinite(small.scores)]
    np.testing.assert_allclose(np.sort(scores), np.sort((slope * kernel).detach()[0].numpy()), atol=1e-5)


@pytest.mark.quick
def test_the_sentence(result, tmp_path):
    save_folder(tmp_path / "model", result.model, "# A model\n", half=True)
    again = load_folder(tmp_path / "model").module
    for one, other in zip(again.landmark_ids(), result.model.module.landmark_ids(), strict=True):
        assert torch.equal(one, other)
    model = exegesis.load(tmp_path / "model")
    found = exegesis.influence(model, QUESTIONS, "What is the capital of Zimbabwe", "landmarks", target="LOC", named=1)
    best = max((s for s in found.sources if s.label == "LOC"), key=lambda s: s.score)
    assert found.notes[0].startswith(
        f"It refers to LOC, since it recalls me of “{best.text}”, which also refers to LOC"
    )
    worst = min((s for s in found.sources if s.label != "LOC"), key=lambda s: s.score, default=None)
    if worst is not None and worst.score < -0.05 * best.score:
        assert f"although it recalls me of “{worst.text}”, which refers to {worst.label}." in found.notes[0]
    with pytest.raises(exegesis.UsageError, match="landmarks are not among the training texts"):
        exegesis.influence(model, QUESTIONS[:5], "Who is he", "landmarks")


def test_another_model_is_refused():
    from tests.support import torch_toys
    from tests.support.torch_toys import Shape

    with pytest.raises(exegesis.UnsupportedError, match="train one with exegesis train --arch landmarks"):
        exegesis.influence(torch_toys.model(Shape("lstm", outputs=2), ["a", "b"]), [("w1", "a")], "w1", "landmarks")
