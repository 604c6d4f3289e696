"""Pipelines of transformers and scikit-learn are taken for what they are, or refused with the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import UnsupportedError, UsageError
from tests.support.shape_checks import unchecked

TEXTS = ["a good film", "bad film", "a good good word", "so bad"]


@pytest.fixture(scope="module")
def pipeline():
    transformers = pytest.importorskip("transformers")
    from tests.support.hf_toys import bert, wordpiece

    torch.manual_seed(0)
    module = bert(2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}).float()
    return transformers.pipeline("text-classification", model=module, tokenizer=wordpiece())


def test_a_pipeline_of_transformers(pipeline) -> None:
    own = {one["label"]: one["score"] for one in pipeline(TEXTS[0], top_k=None)}
    model = exegesis.wrap(pipeline)
    assert exegesis.predict(model, TEXTS[0]) == pytest.approx(own, abs=1e-6)
    result = exegesis.explain(pipeline, TEXTS[0])
    assert result.name == "integrated-gradients"
    assert abs(result.gap) < 1e-2
    box = exegesis.blackbox(pipeline)
    assert box.labels == ("bad", "good")
    assert exegesis.predict(box, TEXTS[0]) == pytest.approx(own, abs=1e-6)
    with pytest.raises(UsageError, match=r"taken by exegesis\.wrap\(pipeline\)"):
        unchecked(exegesis.load)(pipeline)


def test_a_pipeline_of_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    golds = ["pro", "con", "pro", "con"]
    fitted = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, golds)
    result = exegesis.explain(fitted, TEXTS[0])
    assert (result.name, result.prediction.label, result.top(1)[0].text) == ("leave-one-out", "pro", "good")
    assert exegesis.blackbox(fitted, labels=["no", "yes"]).labels == ("no", "yes")
    stars = exegesis.blackbox(make_pipeline(CountVectorizer(), Ridge()).fit(TEXTS, [5.0, 1.0, 4.0, 2.0]))
    assert exegesis.explain(stars, TEXTS[1]).target == "output:prediction"
    margins = make_pipeline(CountVectorizer(), LinearSVC()).fit(TEXTS, golds)
    with pytest.raises(UnsupportedError, match=r"calibrate it .*decision_function"):
        exegesis.blackbox(margins)
    with pytest.raises(UsageError, match=r"explain exegesis\.blackbox\(pipeline\)"):
        exegesis.wrap(fitted)
    with pytest.raises(UsageError, match=r"taken by exegesis\.blackbox\(pipeline\)"):
        unchecked(exegesis.load)(fitted)
    with pytest.raises(UsageError, match="needs labels="):
        exegesis.blackbox(len)


def test_labels_of_scikit_learn_that_do_not_exclude_each_other() -> None:
    pytest.importorskip("sklearn")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    texts, golds = ["fun film", "slow film", "slow fun"], [[1, 0], [0, 1], [1, 1]]
    own = make_pipeline(CountVectorizer(), OneVsRestClassifier(LogisticRegression())).fit(texts, golds)
    found = exegesis.predict(exegesis.blackbox(own, ["fun", "slow"]), "slow fun")
    np.testing.assert_allclose([*found.values()], own.predict_proba(["slow fun"])[0], atol=1e-6)
    forest = make_pipeline(CountVectorizer(), RandomForestClassifier(5, random_state=0)).fit(texts, golds)
    found = exegesis.predict(exegesis.blackbox(forest, ["fun", "slow"]), "slow fun")
    np.testing.assert_allclose(
        [*found.values()], [part[0, 1] for part in forest.predict_proba(["slow fun"])], atol=1e-6
    )
    with pytest.raises(UnsupportedError, match="has 2 outputs with classes of their own"):
        exegesis.blackbox(forest)
