"""What a Hugging Face model's outputs mean: what its user says, else its config, by the numbers that they give."""

from __future__ import annotations

from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import UsageError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.target import Link
from tests.support.hf_toys import bert, wordpiece

TEXT = "a fine film"


@pytest.mark.parametrize(
    ("outputs", "count", "labels", "link"),
    [
        (None, 1, ["no", "yes"], Link.BINARY),
        ("logits", 1, ["no", "yes"], Link.BINARY),
        (None, 1, ["stars"], Link.IDENTITY),
        ("regression", 3, None, Link.IDENTITY),
        ("multi-label", 3, {"a": 0, "b": 1, "c": 2}, Link.SIGMOID),
        ("logits", 2, [1, 2], Link.SOFTMAX),
    ],
)
def test_what_the_user_says(outputs: str | None, count: int, labels: Any, link: Link) -> None:
    """The numbers of ``predict`` are those of the module's own logits, by the link that was said."""
    module, tokenizer = bert(count), wordpiece()
    module.config.problem_type = None if count == 1 else "single_label_classification"
    own = module(**tokenizer(TEXT, return_tensors="pt")).logits[0].detach().double()
    by_link = {
        Link.BINARY: torch.cat([(-own).sigmoid(), own.sigmoid()]),
        Link.IDENTITY: own,
        Link.SIGMOID: own.sigmoid(),
    }
    for model in (
        exegesis.wrap(module, tokenizer=tokenizer, labels=labels, outputs=outputs),
        wrap_huggingface(module, tokenizer, labels, outputs=outputs),
    ):
        assert isinstance(model, HuggingFaceClassifier)
        assert model.link is link
        expected = by_link.get(link, own.softmax(0)).tolist()
        assert list(exegesis.predict(model, TEXT).values()) == pytest.approx(expected, abs=1e-5)


def test_load_takes_labels_and_outputs(tmp_path: Path) -> None:
    bert(1).save_pretrained(tmp_path)
    wordpiece().save_pretrained(tmp_path)
    number = exegesis.predict(exegesis.load(tmp_path), TEXT)["LABEL_0"]
    yes = exegesis.predict(exegesis.load(tmp_path, labels=["no", "yes"]), TEXT)["yes"]
    assert yes == pytest.approx(1 / (1 + np.exp(-number)), abs=1e-6)
    bundled = exegesis.load(labels=["down", "up"], outputs="multi-label")
    assert (bundled.labels, bundled.link) == (("down", "up"), Link.SIGMOID)
    for options, message in (
        ({"labels": ["a", "b", "c"]}, r"labels=\[no, yes\] for a sigmoid, one label for a regression"),
        ({"outputs": "odds"}, "must be 'logits'"),
        ({"outputs": "probabilities"}, "one of logits"),
        ({"labels": [["a"]]}, "a label is a word"),
    ):
        with pytest.raises(UsageError, match=rf"^[^\n]*{message}[^\n]*$"):
            unwrap(exegesis.load)(tmp_path, **options)


def test_a_regression_of_several_numbers_is_explained_and_measured() -> None:
    module = bert(3)
    module.config.problem_type = "regression"
    model = exegesis.wrap(module, tokenizer=wordpiece())
    result = exegesis.explain(model, TEXT, "leave-one-out")
    assert list(result.explained) == pytest.approx(list(exegesis.predict(model, TEXT).values()))
    assert "prediction" not in result._repr_html_()  # of several numbers none is the predicted one
    evaluated = exegesis.evaluate(model, [TEXT, "good film"], ["leave-one-out"], target="LABEL_1", samples=20)
    assert not any("not predicted" in note for note in evaluated.notes)
    with pytest.raises(exegesis.UnsupportedError, match="predicts no label"):
        exegesis.explain(model, TEXT, "input-reduction")
