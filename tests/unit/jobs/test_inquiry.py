"""Measures and training texts as rows of a run: those of evaluate and influence, each a question of its own."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.jobs.inquiry import Inquiry
from exegesis.jobs.local import Recipe
from exegesis.jobs.store import Store, written
from tests.unit.jobs.test_runs import TEXTS, content, rows, run, saved

pq = pytest.importorskip("pyarrow.parquet")
TRAIN = [("a fine film", "good"), ("so dull", "bad"), ("a warm , good film", "good"), ("not so good", "bad"),
         ("very bad", "bad")]  # fmt: skip
MEASURES = ["deletion", "faithfulness", "completeness"]
ASKED = {"measures": MEASURES, "influence": ["nearest:k=3", "gradient-similarity"], "train": TRAIN, "top": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return exegesis.load(saved(tmp_path_factory.mktemp("models") / "small"))


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    found = tmp_path_factory.mktemp("stores") / "s"
    texts = [Example.of(text, "good" if "fine" in text else None) for text in TEXTS]
    ran = run(model, found, texts, ["gradient", "lrp"], **ASKED)
    assert (ran.texts, ran.done, ran.failed) == (11, 11 * 7, 0)
    return found


def of(store, kind, method):
    return {row["text"]: row for row in rows(store) if (row["kind"], row["method"]) == (kind, method)}


def numbers(evaluation, text, controls):
    """What an evaluation says of a text: a number for each measure and method, where there is one."""
    place = evaluation.texts.index(text)
    names = [(k, one.name.removesuffix(" (control)")) for k, one in enumerate(evaluation.methods)
             if one.control == controls]  # fmt: skip
    found = {(measure.name, name): evaluation.values[m, k, place]
             for m, measure in enumerate(evaluation.measures) for k, name in names}  # fmt: skip
    return {key: float(value) for key, value in found.items() if not math.isnan(value)}


def test_measures_are_rows_to_the_bit(model, store):
    stored = {name: of(store, "evaluation", name) for name in ("gradient", "lrp", "controls")}
    for start in range(0, len(TEXTS), 4):
        unit = TEXTS[start : start + 4]
        alone = {name: exegesis.evaluate(model, unit, name, MEASURES, controls=False) for name in ("gradient", "lrp")}
        together = exegesis.evaluate(model, unit, ["gradient", "lrp"], MEASURES)
        beside = exegesis.evaluate(model, unit, "leave-one-out", MEASURES)
        for text in unit:
            told = {name: {(m["name"], m["method"]): m["value"] for m in by_text[text]["measures"]}
                    for name, by_text in stored.items()}  # fmt: skip
            assert told["controls"] == numbers(beside, text, True)
            assert {name for _, name in told["controls"]} == {"random", "leave-one-out", "greedy"}
            everything = numbers(together, text, False) | numbers(together, text, True)
            assert {**told["gradient"], **told["lrp"], **told["controls"]} == pytest.approx(everything, abs=1e-5)
            for name in ("gradient", "lrp"):
                assert told[name] == numbers(alone[name], text, False)
                assert ("deletion", name) in told[name]
                assert ("faithfulness", name) in told[name]
                row = stored[name][text]
                explained = of(store, "explanation", name)[text]
                assert [row[key] for key in ("target", "explained", "label", "gold")] == [
                    explained[key] for key in ("target", "explained", "label", "gold")
                ]


def test_training_texts_are_rows_to_the_bit(model, store):
    for name, own in (("nearest", {"k": 3}), ("gradient-similarity", {})):
        found = of(store, "influence", name)
        for start in range(0, len(TEXTS), 4):
            for result in exegesis.influence(model, TRAIN, TEXTS[start : start + 4], name, top=2, **own):
                row = found[result.text.raw]
                assert [tuple(source.values()) for source in row["sources"]] == [s[:4] for s in result.sources]
                assert (row["target"], row["explained"]) == (result.target, result.explained)
                details = json.loads(row["details"])
                assert (details["unit"], details["training_texts"]) == (result.unit, len(TRAIN))
                assert len(row["sources"]) > 0


def test_what_is_new_alone_is_done(model, store):
    before = content(store)
    assert run(model, store, methods=["gradient", "lrp"], **ASKED).done == 0
    assert run(model, store, methods=["gradient"], measures=["deletion"]).done == 11 * 2
    assert run(model, store, methods=["lrp"], measures="deletion").done == 11  # the controls are there
    assert run(model, store, methods=[], influence="nearest:k=3", train=TRAIN, top=2).done == 0
    assert run(model, store, methods=None, influence="nearest:k=3", train=TRAIN[:4], top=2).done == 11
    assert run(model, store, methods=[], influence="nearest:k=3", train=TRAIN, top=1).done == 11
    relabelled = [*TRAIN[:4], ("very bad", "good")]
    assert run(model, store, methods=[], influence="nearest:k=3", train=relabelled, top=2).done == 11
    assert content(store).items() >= before.items()
    keys = [row["key"] for row in rows(store)]
    assert len(keys) == len(set(keys))


def test_word_lists_are_named_by_what_they_hold(model, tmp_path):
    plus, minus = tmp_path / "plus.txt", tmp_path / "minus.txt"
    plus.write_text("fine\ngood\n")
    minus.write_text("dull\nbad\n")
    lists = f"interpretability:positive={plus}:negative={minus}:label=good"
    assert run(model, tmp_path / "s", measures=[lists]).done == 33
    plus.write_text("good\nfine\n")
    assert run(model, tmp_path / "s", measures=[lists]).done == 0
    text = next(text for text in TEXTS if {"good", "fine"} & {*text.split()} and {"dull", "bad"} & {*text.split()})
    (number,) = of(tmp_path / "s", "evaluation", "leave-one-out")[text]["measures"]
    assert number["value"] in (0.0, 1.0)


def test_a_process_asks_the_same(model, tmp_path):
    inquiry = Inquiry.of(["gradient"], MEASURES, "nearest", TRAIN)
    ids = [question.asked.id for question in inquiry.questions(model)]
    folder = saved(tmp_path / "small")
    recipe = pickle.loads(pickle.dumps(Recipe(str(folder), {}, inquiry, ids, 1)))
    assert [question.asked.id for question in recipe.questions()] == ids


def test_wrong_inquiries(model, tmp_path):
    for said, options in {
        "belong together": {"influence": "nearest"}, "name both": {"train": TRAIN},
        "resample draws": {"measures": ["deletion:how=resample"]}, "no marks": {"measures": ["plausibility-f1"]},
        "name a method, too": {"methods": [], "measures": "usual", "influence": "nearest", "train": TRAIN},
        "scores of words": {"measures": "usual", "level": "acd"}, "unknown measure": {"measures": "delete"},
        "one number": {"measures": "usual", "target": "all"}, "of at least 1": {"top": 0},
        "unknown label": {"influence": "nearest", "train": [("a film", "ugly")]},
    }.items():  # fmt: skip
        with pytest.raises(UsageError, match=said):
            run(model, tmp_path / "s", **{"methods": "gradient", **options})
    assert rows(tmp_path / "s") == []


def test_the_summary_has_means_of_measures_and_counts_of_training_texts(model, store):
    found = exegesis.corpus(store, by="label", minimum=1, asked=_first(store))
    assert {one.kind for one in found.answered} == {"explanation", "evaluation", "influence"}
    for method, controls in (("lrp", False), ("leave-one-out", True)):
        by_label: dict[str, list[float]] = {}
        for row in of(store, "evaluation", "controls" if controls else method).values():
            if "faithfulness" in row["setting"].lower():
                by_label.setdefault(row["label"], []).extend(
                    m["value"] for m in row["measures"] if (m["name"], m["method"]) == ("deletion", method)
                )
        told = {one.value: one for one in found.judged if (one.method, one.measure) == (method, "deletion")}
        assert told.keys() == by_label.keys()
        for value, one in told.items():
            assert (one.mean, one.texts) == (pytest.approx(np.mean(by_label[value])), len(by_label[value]))
            assert not one.higher
            assert one.texts < 6 or one.low <= one.mean <= one.high
    counts: dict[tuple[str, int], list[float]] = {}
    for row in of(store, "influence", "gradient-similarity").values():
        for source in row["sources"]:
            counts.setdefault((row["label"], source["number"]), []).append(source["score"])
    leading = {(one.value, one.number): one for one in found.leading if one.method == "gradient-similarity"}
    assert leading.keys() == counts.keys()
    for key, one in leading.items():
        assert one.helps == sum(score > 0 for score in counts[key])
        assert one.hurts == sum(score < 0 for score in counts[key])
        assert one.mean == pytest.approx(np.mean(counts[key]))
        assert (one.text, one.label) == TRAIN[one.number]
    assert exegesis.read(found.save(store.parent / "summary.json")) == found
    page = found.save(store.parent / "summary.html").read_text()
    assert "a warm , good film" in page
    assert "helps and hurts: for how many texts" not in page
    alone = store.parent / "alone"
    run(model, alone, methods=[], influence="nearest", train=TRAIN)
    page = exegesis.corpus(alone).save(store.parent / "alone.html").read_text()
    assert "helps and hurts: for how many texts" in page
    assert "all uses in a slice" not in page
    run(model, store, methods=["gradient"], measures=["deletion"])
    with pytest.raises(UsageError, match=r"several questions.*Deletion"):
        exegesis.corpus(store)


def _first(store) -> list[str]:
    """The questions of the first run: those of these measures and training texts."""
    return list({
        row["asked"] for row in rows(store)
        if row["kind"] == "explanation" or "faithfulness" in row["setting"].lower()
        or (row["setting"].startswith("5 ") and row["setting"].endswith("top 2"))
    } - {
        row["asked"] for row in rows(store) for source in row["sources"] or []
        if (source["text"], source["label"]) == ("very bad", "good")
    })  # fmt: skip


def test_a_store_of_the_first_version_is_read_and_not_written(model, tmp_path):
    place = tmp_path / "s"
    run(model, place)
    expected = exegesis.corpus(place, minimum=1)
    mark = place / "store.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "version": 1}))
    for path in (place / "rows").iterdir():
        old = pq.read_table(path).drop_columns(["kind", "setting", "measures", "sources"])
        path.unlink()
        method, asked, unit, _ = path.stem.rsplit("-", 3)
        Store.open(place).put(method, asked, unit, written(old))
    assert exegesis.corpus(place, minimum=1) == expected
    with pytest.raises(UsageError, match="version 1 of the schema"):
        run(model, place)
