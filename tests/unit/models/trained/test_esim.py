"""ESIM: its forward pass against a plain one, pairs read and trained on, attention and gates of both texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import TextError, UsageError
from exegesis.data.examples import Example
from exegesis.mech.attending.layout import layout_of, outputs_with
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.esim import Esim
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from tests.reference import esim as plain

PAIR = ("A kid plays in a garden", "a kid sleeps")
CONFIG = RecurrentConfig("lstm", True, 1, embedding=6, hidden=4, readout="esim", dropout=0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An ESIM trained for an epoch, saved and loaded, in float64."""
    words = ["kid", "dog", "man", "plays", "sleeps", "garden", "runs"]
    examples = [
        Example.of((f"a {one} {verb} in a garden", f"a {one} {other}"), "yes" if verb == other else "no")
        for one in words[:3] for verb in ("plays", "runs") for other in ("plays", "sleeps")
    ]  # fmt: skip
    result = train(examples, examples, config=CONFIG, options=TrainOptions(epochs=1, batch=4, word_dropout=0.1))
    folder = tmp_path_factory.mktemp("esim") / "model"
    save_folder(folder, result.model, "# ESIM\n")
    loaded = exegesis.load(str(folder))
    loaded.module.double()
    draws = torch.Generator().manual_seed(0)
    for weight in loaded.module.parameters():
        weight.data += torch.randn(weight.shape, generator=draws, dtype=torch.float64) * 0.5
    return exegesis.wrap(loaded.module, vocabulary=loaded.reader.vocabulary, labels=["no", "yes"])


def test_forward_is_the_plain_one_and_padding_reaches_nothing(model) -> None:
    pairs = [PAIR, ("dog", "a man runs in a garden in a garden"), ("a man runs", "man")]
    batch = model.encode([model.read(pair) for pair in pairs])
    assert model.plan.pads  # pairs of any lengths share a call
    with torch.no_grad():
        together = model.module.eval()(batch.ids, batch.lengths)
    torch.testing.assert_close(model.outputs(batch), together, rtol=1e-9, atol=1e-12)
    for row, text in enumerate(batch.texts):
        sides = [torch.tensor(text.ids[part.start : part.stop]) for part in text.segments]
        with torch.no_grad():
            torch.testing.assert_close(together[row], plain.logits(model.module, *sides), rtol=1e-9, atol=1e-12)


def test_a_pair_is_two_segments(model) -> None:
    text = model.read(PAIR)
    assert text.word_strings() == tuple(" ".join(PAIR).split())
    assert [text.surface(part) for part in text.segments] == list(PAIR)
    assert [text.pieces[at] for at, special in enumerate(text.special) if special] == ["<pair>"]
    with pytest.raises(TextError, match="second text of the pair is empty"):
        model.read(("a kid", " "))
    with pytest.raises(UsageError, match="reads pairs of texts"):
        model.read("a kid")
    singles = [Example.of("a", "x"), Example.of("b", "y")]
    with pytest.raises(UsageError, match="single texts; give the column of the second"):
        train(singles, singles, config=CONFIG)
    with pytest.raises(UsageError, match="bidirectional"):
        RecurrentConfig("gru", readout="esim")


def test_attention_runs_between_the_texts(model) -> None:
    weights = exegesis.attention(model, PAIR)
    assert [(one.layer, len(one.rows), len(one.columns)) for one in weights.maps] == [(1, 6, 3), (2, 3, 6)]
    text, seen = weights.text, {}
    with torch.no_grad():
        plain.logits(model.module, *(torch.tensor(text.ids[p.start : p.stop]) for p in text.segments), seen)
    for one, dim, turned in ((weights.map(1), 1, False), (weights.map(2), 0, True)):
        expected = torch.softmax(seen["scores"], dim).numpy()
        np.testing.assert_allclose(one.values, expected.T if turned else expected, rtol=1e-9)
    signed = exegesis.attention(model, PAIR, "attention-saliency", form="signed")
    first, second = signed.map(1).values, signed.map(2).values
    np.testing.assert_array_equal(first, second.T)  # both softmaxes read the same scores: the whole derivative
    assert abs(first.sum()) < 1e-12 < np.abs(first).max()
    batch = model.encode([text])
    layout = layout_of(model, batch)
    for i, j in ((0, 1), (4, 2)):  # a score nudged where both softmaxes read it
        ends = []
        for step in (1e-5, -1e-5):

            def change(place, rows, given, i=i, j=j, step=step):
                moved = given.log()
                moved[(0, 0, i, j) if place == 0 else (0, 0, j, i)] += step
                return torch.softmax(moved, -1)

            raw = outputs_with(model, batch, layout, change)
            ends.append(float(raw[0, model.labels.index(signed.prediction.label)]))
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(first[i, j], rel=1e-5, abs=1e-10)
    scaled = exegesis.attention(model, PAIR, "attention-saliency", form="normalised")
    np.testing.assert_allclose(scaled.map(1).values, np.abs(first) / np.abs(first).max())


def test_gates_of_both_layers_texts_and_directions(model) -> None:
    found = exegesis.gates(model, PAIR)
    assert [(one.recurrent, one.direction, len(one.pieces)) for one in found.curves] == [
        (call, way, steps) for call, steps in ((1, 6), (2, 3), (3, 6), (4, 3)) for way in ("forward", "reverse")
    ]
    text, seen = found.text, {}
    with torch.no_grad():
        plain.logits(model.module, *(torch.tensor(text.ids[p.start : p.stop]) for p in text.segments), seen)
    gates = iter(seen["gates"])
    for one in found.curves:
        for _ in one.pieces:
            _, t, i, f, o = next(gates)
            for name, value in (("input", i), ("forget", f), ("output", o)):
                assert one.signals[name][t] == pytest.approx(float(value.norm()), rel=1e-9)
    assert found.names(found.curves[1]) == ("A", "kid", "plays", "in", "a", "garden")


def test_removal_and_gradients_work_on_pairs(model) -> None:
    for method in ("leave-one-out", "integrated-gradients"):
        result = exegesis.explain(model, ("dog", "a man runs"), method, "yes")
        assert len(result.rows()) == 4
    assert isinstance(model.module, Esim)
