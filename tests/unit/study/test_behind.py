"""Training texts behind the causes of wrong predictions."""

from __future__ import annotations

import numpy as np
import pytest

import exegesis
from exegesis import study
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3, 4, 5])
LABELS = ["no", "yes"] * 4


def test_training_texts_behind_causes(tmp_path):
    """Those whose gradient products with the wrong predictions of a cause, at most three, sum to most."""
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2), ["no", "yes"])
    train = list(zip(TEXTS, LABELS, strict=True))
    options = {"train": TEXTS, "train_labels": LABELS, "method": "leave-one-out"}
    found = study.failures(model, TEXTS, LABELS, sources=2, **options)
    assert found.causes
    for cause in found.causes:
        said = exegesis.predict(model, TEXTS)
        wrong = [n for n, one in enumerate(said) if max(one, key=one.get) != LABELS[n]]
        mine = []
        for n in wrong:
            label = max(said[n], key=said[n].get)
            over = exegesis.explain(model, TEXTS[n], "leave-one-out", target=f"logit:{label}")
            if over.words[int(np.argmax(over.scores))] == cause.word:
                mine.append((TEXTS[n], label))
        assert len(mine) == cause.wrong
        sums = sum(
            exegesis.influence(model, train, text, "gradient-similarity", target=label).scores
            for text, label in mine[:3]
        )
        order = [int(n) for n in np.argsort(-sums)[:2] if sums[n] > 0]
        assert [one.number for one in cause.behind] == order
        for one in cause.behind:
            assert one.score == pytest.approx(sums[one.number])
            assert (one.text, one.label) == train[one.number]
    assert exegesis.read(found.save(tmp_path / "a.json")) == found
    assert "Training texts behind the causes" in found.save(tmp_path / "a.html").read_text()
    assert not any(cause.behind for cause in study.failures(model, TEXTS, LABELS, **options).causes)
    with pytest.raises(exegesis.UsageError, match="give train="):
        study.failures(model, TEXTS, LABELS, method="leave-one-out", sources=2)
