"""Stores of training texts: the same numbers as without one, after a kill too, and never for another model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import exegesis
from exegesis.questions.sources import store as module
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5, 3, 4, 2])
TRAIN = [(text, ["no", "yes"][n % 2]) for n, text in enumerate(TEXTS)]
ASKED = ["w1 w2 w5", TEXTS[3]]


def toy(seed=0):
    return torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2), ["no", "yes"])


@pytest.fixture
def blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)


def files(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name != ".lock"}


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("nearest", {"k": 3}),
        ("nearest", {"k": 3, "layers": "pooled, layer 1"}),
        ("fast-influence", {"k": 4, "sample": 99, "damping": 0.1}),
        ("random-projections", {"width": 4, "damping": 0.5}),
    ],
)
def test_the_same_numbers(tmp_path, method, options):
    model = toy()
    where = exegesis.index(model, TRAIN, tmp_path / "kept", layers=["pooled", "layer 1"], gradients=4)
    kept = exegesis.influence(model, TRAIN, ASKED, method, index=str(where), **options)
    whole = exegesis.influence(model, TRAIN, ASKED, method, **options)
    for one, other in zip(kept, whole, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-3, atol=1e-6)  # kept in float32
        assert [source.text for source in one.sources] == [source.text for source in other.sources]


def test_products_are_kept(tmp_path):
    model = toy()
    where = exegesis.index(model, TRAIN, tmp_path / "kept")
    options = {"method": "fast-influence", "index": str(where), "k": 3}
    first, again, other = (exegesis.influence(model, TRAIN, "w1 w2", sample=size, **options) for size in (6, 6, 5))
    np.testing.assert_array_equal(first.scores, again.scores)
    assert first.details["prepared"] == again.details["prepared"] != other.details["prepared"]
    assert len(list(where.glob("kept-*.f32"))) == 2
    for path in where.glob("kept-*.f32"):
        path.write_bytes(path.read_bytes()[4:])
    with pytest.raises(exegesis.FileError, match="is missing or damaged: delete the files kept-"):
        exegesis.influence(model, TRAIN, "w1 w2", sample=6, **options)


def test_calibration_is_kept(tmp_path, monkeypatch):
    from exegesis.questions.sources import nearest

    model, own = toy(), tmp_path / "held.tsv"
    own.write_text("text\tlabel\nw1 w2\tno\nw3\tyes\nw5 w4\tno\n")
    where = exegesis.index(model, TRAIN, tmp_path / "kept")
    ask = lambda **options: exegesis.influence(model, TRAIN, "w1 w2 w5", "nearest", k=3, **options)  # noqa: E731
    first = ask(index=str(where), calibration=str(own))
    assert first.details["credibility"] == ask(calibration=str(own)).details["credibility"]

    def refuse(*_: object) -> None:
        raise AssertionError("calibrated again")

    monkeypatch.setattr(nearest.Nearest, "_calibrated", refuse)
    assert ask(index=str(where), calibration=str(own)).details == first.details
    own.write_text("text\tlabel\nw1 w2\tno\nw3\tno\nw5 w4\tno\n")
    with pytest.raises(AssertionError, match="calibrated again"):
        ask(index=str(where), calibration=str(own))


@pytest.mark.usefixtures("blocks")
def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    model = toy()
    exegesis.index(model, TRAIN, tmp_path / "whole", gradients=4)
    made, calls = module.Store._made, []

    def killed(self, *args):
        calls.append(1)
        if len(calls) == 4:  # the first tries one text before the folder is made
            raise KeyboardInterrupt
        return made(self, *args)

    monkeypatch.setattr(module.Store, "_made", killed)
    with pytest.raises(KeyboardInterrupt):
        exegesis.index(model, TRAIN, tmp_path / "kept", gradients=4)
    with pytest.raises(exegesis.FileError, match="is unfinished: give the command of exegesis index again"):
        exegesis.influence(model, TRAIN, "w1", "nearest", index=str(tmp_path / "kept"))
    exegesis.index(model, TRAIN, tmp_path / "kept", gradients=4)
    assert len(calls) == 5  # the third block again, nothing else
    assert files(tmp_path / "kept") == files(tmp_path / "whole")
    exegesis.index(model, TRAIN, tmp_path / "kept", gradients=4)
    assert len(calls) == 5


def test_other_models_and_texts_are_refused(tmp_path):
    model, folder = toy(), str(tmp_path / "kept")
    exegesis.index(model, TRAIN, folder)
    ask = lambda train=TRAIN, **options: exegesis.influence(model, train, "w1", index=folder, **options)  # noqa: E731
    with pytest.raises(exegesis.FileError, match="a store of other training texts, or in another order"):
        ask(TRAIN[::-1], method="nearest")
    with pytest.raises(exegesis.FileError, match="holds no layer 'pooled'"):
        ask(method="nearest", layers="pooled")
    with pytest.raises(exegesis.FileError, match="holds no gradients: index it with --gradients"):
        ask(method="random-projections")
    with pytest.raises(exegesis.FileError, match="name another folder, or ask for the same"):
        exegesis.index(model, TRAIN, folder, gradients=3)
    with pytest.raises(exegesis.FileError, match="is no store of training texts"):
        exegesis.influence(model, TRAIN, "w1", "nearest", index=str(tmp_path))
    with pytest.raises(exegesis.FileError, match="holds other files: name a store"):
        exegesis.index(model, TRAIN, tmp_path)
    with pytest.raises(exegesis.UsageError, match="training text 2 of 2: unknown label 'maybe'"):
        exegesis.index(model, [TRAIN[0], ("w1", "maybe")], tmp_path / "new")
    (array,) = (tmp_path / "kept").glob("last*.f32")
    content = array.read_bytes()
    array.write_bytes(content[:-4])
    with pytest.raises(exegesis.FileError, match="is damaged: delete"):
        ask(method="nearest")
    array.unlink()
    with pytest.raises(exegesis.FileError, match="is missing, as in an index of an older version, or deleted: delete"):
        ask(method="nearest")
    array.write_bytes(content)
    with torch.no_grad():
        next(model.module.parameters()).add_(1e-3)
    with pytest.raises(exegesis.FileError, match="a store of another model, or the model has changed"):
        ask(method="nearest")
    head = tmp_path / "kept" / "index.json"
    head.write_text(json.dumps({**json.loads(head.read_text()), "version": 99}))
    with pytest.raises(exegesis.FileError, match="written in version 99, newer than 1"):
        ask(method="nearest")


def test_projections_over_several_models(tmp_path):
    """Both factors are means over the models (Park et al. 2023, Eq. 13)."""
    from safetensors.torch import save_file

    model = toy()
    own = {name: value.detach().clone() for name, value in model.module.state_dict().items()}
    other = {name: value + 0.3 * torch.randn_like(value) if value.is_floating_point() else value
             for name, value in own.items()}  # fmt: skip
    (tmp_path / "other").mkdir()
    save_file(other, tmp_path / "other" / "model.safetensors")
    options = {"width": 4, "damping": 0.5, "target": "yes"}
    both = exegesis.influence(model, TRAIN, "w1 w2", "random-projections", models=str(tmp_path / "other"), **options)
    assert both.details["models"] == 2
    parts = []
    for weights in (own, other):
        model.module.load_state_dict(weights)
        alone = exegesis.influence(model, TRAIN, "w1 w2", "random-projections", **options).scores
        chances = [exegesis.predict(model, text)[label] for text, label in TRAIN]
        missed = 1 - np.array(chances)
        parts.append((alone / missed, missed))
    expected = np.mean([span for span, _ in parts], 0) * np.mean([missed for _, missed in parts], 0)
    np.testing.assert_allclose(both.scores, expected, rtol=1e-4, atol=1e-9)
    with pytest.raises(exegesis.UsageError, match=r"holds no \.safetensors"):
        exegesis.influence(model, TRAIN, "w1", "random-projections", models=str(tmp_path / "none"))
