"""Neighbours in layers, conformity, and credibility by held-out texts, counted again plainly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.questions.sources.nearest import conformities, own_label
from exegesis.questions.sources.space import Space, states
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5, 3, 4, 2, 5])
LABELS = ["no", "yes", "maybe"]
TRAIN = [(text, LABELS[n % 3]) for n, text in enumerate(TEXTS)]
HELD = [("w1 w2", "yes"), ("w3 w3 w1", "no"), ("w5", "maybe"), ("w2 w5 w1 w1", "no"), ("w4 w2", "yes")]
LAYERS = "layer 1, pooled"  # the mean over the steps, and the last one


@pytest.fixture(scope="module")
def model():
    return torch_toys.model(Shape("lstm", hidden=3, size=2, outputs=3, scale=0.7), LABELS)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    path = tmp_path_factory.mktemp("held") / "held.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in HELD))
    return str(path)


def plainly(model, text, k, layers):
    """The labels of the k nearest training texts in each layer, and the weight of each text."""
    found, weights = [], np.zeros(len(TRAIN))
    for layer in layers:
        (points,), (asked,) = (
            states(model, [model.read(t) for t in some], [layer] if layer else []) for some in (TEXTS, [text])
        )
        distances = [float(torch.sqrt(((asked[0] - point) ** 2).sum())) for point in points]
        order = sorted(range(len(TEXTS)), key=lambda n: (distances[n], n))[:k]
        found += [TRAIN[n][1] for n in order]
        mean = sum(distances[n] for n in order) / k
        total = sum(np.exp(-distances[n] / mean) for n in order)
        for n in order:
            weights[n] += np.exp(-distances[n] / mean) / total / len(layers)
    return found, weights


@pytest.mark.parametrize("asked", ["w1 w2 w5", "w3 w1 w1", "w4", "w5 w5 w2 w3"])
@pytest.mark.parametrize("layers", ["", LAYERS])
def test_conformity_credibility_and_confidence(model, held, layers, asked):
    names = [name.strip() for name in layers.split(",")]
    found = exegesis.influence(model, TRAIN, asked, "nearest", k=4, layers=layers, calibration=held)
    near, weights = plainly(model, asked, 4, names)
    label = found.target.split(":")[1]
    signs = np.array([1 if own == label else -1 for _, own in TRAIN])
    np.testing.assert_allclose(np.nan_to_num(found.scores), weights * signs, atol=1e-9)
    assert np.nansum(np.abs(found.scores)) == pytest.approx(1)
    conformity = {one: near.count(one) / len(near) for one in LABELS}
    own = []
    for text, gold in HELD:
        neighbours, _ = plainly(model, text, 4, names)
        own.append(neighbours.count(gold) / len(neighbours))
    credible = {one: sum(held <= conformity[one] for held in own) / len(own) for one in LABELS}
    assert found.details["conformity"] == pytest.approx(conformity[label])
    assert found.details["credibility"] == pytest.approx(credible[label])
    assert found.details["confidence"] == pytest.approx(1 - max(credible[o] for o in LABELS if o != label))
    assert "by held-out texts" in found.notes[0]


def test_all_texts_are_the_frequencies_of_labels(model):
    found = exegesis.influence(model, TRAIN[:11], "w1", "nearest", k=99, target="maybe", distance="cosine")
    assert found.details["conformity"] == pytest.approx(3 / 11)
    assert "by the training texts themselves" in found.notes[0]
    alone = exegesis.influence(model, TRAIN, TEXTS[0], "nearest", k=12, itself=False)
    assert np.isnan(alone.scores[0])
    assert alone.scored == 11
    with pytest.raises(exegesis.UsageError, match="no site 'layer 7'; it has word vectors, layer 1"):
        exegesis.influence(model, TRAIN, "w1", "nearest", layers="layer 7")
    black = exegesis.blackbox(lambda texts: np.full((len(texts), 3), 1 / 3), LABELS)
    with pytest.raises(exegesis.UnsupportedError, match="nearest needs a model whose weights can be seen"):
        exegesis.influence(black, TRAIN, "w1", "nearest")


def test_a_vector_of_zeros_is_no_nearer_than_one_at_right_angles():
    space = Space(torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]), "cosine", "exact")
    near, order = space.near(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), 4)
    np.testing.assert_allclose(near, [[0, 1, 1, 2], [0, 1, 1, 1]], atol=1e-12)
    assert order.tolist() == [[0, 1, 2, 3], [1, 0, 2, 3]]


def test_equal_shares_of_several_layers_are_equal_numbers():
    """Credibility counts texts that conform no more: rounding must not part 18 of 60 from 7, 8 and 3 of 20."""
    draws = torch.Generator().manual_seed(0)
    spaces = [Space(torch.randn(40, 2, generator=draws), "l2", "exact") for _ in range(3)]
    classes = torch.randint(2, (40,), generator=draws)
    found = own_label(spaces, classes, 20, torch.arange(40))
    for number, label in enumerate(classes.tolist()):
        near = [classes[space.near(space.vectors[[number]], 20, [[number]])[1][0]] for space in spaces]
        assert float(found[number]) == float(conformities(torch.cat(near), 2)[label])


def test_calibration_needs_labels(model, tmp_path):
    (tmp_path / "bare.txt").write_text("w1 w2\n")
    with pytest.raises(exegesis.UsageError, match="calibration text 1 of 1: a training text has no label"):
        exegesis.influence(model, TRAIN, "w1", "nearest", calibration=str(tmp_path / "bare.txt"))


def test_approximate_search_says_what_it_finds(model):
    pytest.importorskip("faiss")
    draws = torch.Generator().manual_seed(0)
    points = torch.randn(300, 8, generator=draws)
    for distance in ("l2", "cosine"):
        exact, graph = Space(points, distance, "exact"), Space(points, distance, "hnsw")
        near, order = graph.near(points[:20] + 0.1, 5, [[n] for n in range(20)])
        right, _ = exact.near(points[:20] + 0.1, 5, [[n] for n in range(20)])
        assert graph.recall(5) > 0.9
        assert exact.recall(5) == 1
        assert not any(n in row for n, row in enumerate(order.tolist()))
        torch.testing.assert_close(near, right, rtol=0.1, atol=1e-3)
    mine = exegesis.influence(model, TRAIN, "w1 w2", "nearest", k=3, search="hnsw")
    np.testing.assert_allclose(mine.scores, exegesis.influence(model, TRAIN, "w1 w2", "nearest", k=3).scores)
    assert mine.details["recall"] == 1
    assert "100.0% of the nearest are found" in mine.notes[0]


def test_without_the_library(model, monkeypatch):
    import builtins

    whole = builtins.__import__

    def without(name, *args, **options):
        if name == "faiss":
            raise ImportError(name)
        return whole(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(exegesis.MissingExtraError, match="faiss-cpu"):
        Space(torch.ones(3, 2), "l2", "hnsw")
