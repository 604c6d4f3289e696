"""Summaries of stores say what a plain walk over the explanations says."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import FileError, UsageError
from exegesis.data.examples import Example
from exegesis.statistics.agreement import compare

pytest.importorskip("pyarrow")
GOOD, BAD = ("good", "fine", "warm"), ("bad", "dull", "slow")
TEXTS = [f"a {x} film , not {y}" for x in (*GOOD, *BAD) for y in (*GOOD, *BAD)]


def scorer(weight: float):
    """A black box that counts good and bad words."""

    def scores(texts: list[str]) -> np.ndarray:
        balance = [sum(text.split().count(w) for w in GOOD) - weight * sum(text.split().count(w) for w in BAD)
                   for text in texts]  # fmt: skip
        positive = 1 / (1 + np.exp(-np.array(balance)))
        return np.stack([1 - positive, positive], -1)

    return exegesis.blackbox(scores, ["bad", "good"], name="counter")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Two stores: of a black box, and of one that makes more of bad words and reads fewer texts."""
    folder, found = tmp_path_factory.mktemp("stores"), []
    methods = {"leave-one-out": {}, "shapley": {}}
    for number, (weight, texts) in enumerate(((0.5, [*TEXTS, " "]), (3.0, TEXTS[:16]))):
        examples = [Example.of(text, "1" if text.split()[1:2] == ["fine"] else None) for text in texts]
        path = folder / f"store {number}"
        exegesis.run(scorer(weight), examples, path, methods, fingerprint=f"v{number}", level="text", unit=8)
        found.append(path)
    return found


def means(results, minimum):
    found = defaultdict(list)
    for result in results:
        for row in result.rows("word"):
            found[result.target, row.text].append(row.score)
    return {key: (np.mean(scores), len(scores)) for key, scores in found.items() if len(scores) >= minimum}


def test_words_slices_failures_and_agreement(stores):
    found = exegesis.corpus(stores[0], most=100, minimum=3)
    model = scorer(0.5)
    by_method = {name: exegesis.explain(model, TEXTS, name) for name in ("leave-one-out", "shapley")}
    for name, results in by_method.items():
        expected = means(results, 3)
        strong = {(row.value, row.text): (row.mean, row.uses) for row in found.strong if row.method == name}
        assert strong.keys() == expected.keys()
        assert all(np.allclose(strong[key], expected[key]) for key in expected)
        sizes = {row.value: row.rows for row in found.slices if row.method == name}
        assert sizes == {target: sum(r.target == target for r in results) for target in {r.target for r in results}}
    (agreeing,) = found.agreeing
    pairs = [compare(a.words, a.at("word").scores, b.at("word").scores)
             for a, b in zip(*by_method.values(), strict=True)]  # fmt: skip
    assert agreeing.spearman == pytest.approx(np.nanmean([pair.spearman for pair in pairs]))
    assert agreeing.top == pytest.approx(np.mean([pair.top for pair in pairs]))
    assert agreeing.rows == len(TEXTS)
    assert sum(found.failures.values()) == 2
    for one in found.answered:
        assert (one.texts, one.failed, one.labelled) == (37, 1, 6)
        right = [r.prediction.label == "good" for r in by_method["shapley"] if r.words[1] == "fine"]
        assert one.right == sum(right)
    assert exegesis.read(found.save(stores[0].parent / "summary.json")) == found


def test_slices_levels_and_chosen_words(stores):
    found = exegesis.corpus(stores[0], by="label", methods=["shapley"], words=["film", "dull"], minimum=1)
    assert {row.value for row in found.slices} == {"bad", "good"}
    assert {row.text for row in found.strong} == {"film", "dull"}
    assert found.agreeing == ()
    whole = exegesis.corpus(stores[0], level="text", minimum=1, most=100)
    assert {row.text for row in whole.strong} == set(TEXTS)


def test_drift_between_two_stores(stores):
    found = exegesis.corpus(stores[0], against=stores[1], minimum=2, most=100)
    before, after = (means(exegesis.explain(scorer(w), t, "shapley"), 2) for w, t in ((0.5, TEXTS), (3.0, TEXTS[:16])))
    moved = {(row.value, row.text): row for row in found.moved if row.method == "shapley"}
    assert moved.keys() == before.keys() & after.keys()
    assert all(np.allclose((row.here, row.there), (before[key][0], after[key][0])) for key, row in moved.items())
    for row in found.same:
        labels = [[r.prediction.label for r in exegesis.explain(scorer(w), TEXTS[:16], "shapley")] for w in (0.5, 3.0)]
        assert row.rows == 16
        assert row.changed == sum(a != b for a, b in zip(*labels, strict=True)) > 0
    assert sum(row.here for row in found.shifted if row.method == "shapley") == pytest.approx(1)


def test_questions_are_never_mixed(stores, tmp_path):
    store = tmp_path / "s"
    for version in ("v1", "v2"):
        exegesis.run(scorer(0.5), TEXTS[:3], store, "leave-one-out", fingerprint=version)
    with pytest.raises(UsageError, match="several questions") as raised:
        exegesis.corpus(store)
    name = str(raised.value).split("asked: ")[1][:8]
    assert [one.asked for one in exegesis.corpus(store, asked=[name]).answered] == [name]
    for options in ({"by": "colour"}, {"level": "line"}, {"methods": ["lime"]}, {"asked": ["zz"]},
                    {"against": stores[0], "asked": [name]}):  # fmt: skip
        with pytest.raises(UsageError):
            exegesis.corpus(store, **options)
    next((store / "rows").glob("*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(FileError, match="damaged"):
        exegesis.corpus(store)
