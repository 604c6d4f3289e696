"""Runs over a corpus: rows are those of explain, and nothing that happens to a run changes what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.disk import files
from exegesis.core.errors import FileError, ModelError, TextError, UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.jobs import local
from exegesis.jobs.inquiry import Inquiry
from exegesis.jobs.plan import Task, unique, units
from exegesis.jobs.rows import rows_of, schema
from exegesis.jobs.store import Store
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.folder import TrainedClassifier, save_folder

pq = pytest.importorskip("pyarrow.parquet")
WORDS = ["a", "fine", "dull", "warm", "film", "not", "so", "good", "bad", ",", "very"]
TEXTS = [" ".join(WORDS[(i * 7 + j * (i + 1)) % len(WORDS)] for j in range(2 + i % 5)) for i in range(11)]


def saved(path: Path, seed: int = 3) -> Path:
    torch.manual_seed(seed)
    words = Vocabulary.from_texts([" ".join(WORDS)] * 2)
    shape = RecurrentConfig(cell="gru", embedding=4, hidden=3, vocabulary=len(words), labels=("bad", "good"))
    save_folder(path, TrainedClassifier(RecurrentClassifier(shape).eval(), words), "# A card\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def model(folder):
    return exegesis.load(folder)


def run(model, store, texts=TEXTS, methods="leave-one-out", **options):
    return exegesis.run(model, texts, store, methods, unit=4, **options)


def content(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((store / "rows").iterdir())}


def rows(store: Path) -> list[dict]:
    return [row for path in sorted((store / "rows").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def quiet(model, tmp_path_factory) -> Path:
    """The store of a run that nothing happened to."""
    store = tmp_path_factory.mktemp("quiet") / "store"
    run(model, store)
    return store


@pytest.mark.quick
def test_rows_are_the_results_of_explain_to_the_bit(model, tmp_path):
    texts = [Example.of(text, "good") for text in TEXTS]
    ran = run(model, tmp_path / "s", texts, {"lime": {"samples": 20}}, target="all", level="all")
    assert (ran.given, ran.texts, ran.present, ran.done, ran.failed) == (11, 11, 0, 11, 0)
    found = {(row["text"], row["target"]): row for row in rows(tmp_path / "s")}
    assert len(found) == 22
    for _, unit in units(unique(texts), 4):
        results = exegesis.explain(model, [one.text for one in unit.values()], "lime", "all", level="all", samples=20)
        for one, result in zip(unit.values(), results, strict=True):
            for part in result.each_target():
                row = found[one.text, part.target]
                assert row["words"] == list(part.words)
                assert np.array_equal(row["scores"], part.at("word").scores)
                further = [(s.level, s.text, s.score) for level in part.level_names[1:] for s in part.rows(level)]
                stored = [(span["level"], span["text"], span["score"]) for span in row["spans"]]
                assert sorted(stored) == sorted(further)
                assert row["explained"] == part.explained
                assert row["gap"] == part.gap
                assert {part["name"]: part["value"] for part in row["account"]} == dict(part.account)
                assert row["probabilities"] == list(part.prediction.probabilities.values())
                assert (row["label"], row["gold"]) == (part.prediction.label, "good")
                assert (row["method"], row["parameters"]) == ("lime", part.method)
                assert [row["text"][a:b] for a, b in zip(row["starts"], row["stops"], strict=True)] == row["words"]


def test_rows_are_read_without_this_package(quiet):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(quiet / "rows")
    assert list(frame.columns) == schema().names
    assert frame["key"].is_unique
    assert set(frame["text"]) == set(TEXTS)
    assert [len(scores) for scores in frame["scores"]] == [len(text.split()) for text in frame["text"]]


def test_a_run_again_does_only_what_is_missing(model, quiet, tmp_path):
    before = content(quiet)
    ran = run(model, quiet)
    assert (ran.present, ran.done, ran.estimate.rows) == (11, 0, 0)
    assert content(quiet) == before
    store = tmp_path / "s"
    run(model, store, TEXTS[:6])
    assert run(model, store, [*TEXTS, TEXTS[0]]).done == 5
    assert run(model, store, TEXTS, ["leave-one-out", "gradient"]).done == 11
    assert sorted(row["text"] for row in rows(store) if row["method"] == "leave-one-out") == sorted(TEXTS)
    assert len({row["key"] for row in rows(store)}) == len(rows(store)) == 22


def test_another_model_target_or_level_has_other_keys(model, quiet, tmp_path):
    other = exegesis.load(saved(tmp_path / "small", seed=4))
    store = tmp_path / "s"
    run(model, store)
    for ran in (run(other, store), run(model, store, target="good"), run(model, store, level="text")):
        assert (ran.present, ran.done) == (0, 11)
    assert content(store).items() >= content(quiet).items()
    assert run(model, store).done == 0
    with torch.no_grad():
        other.module.embedding.weight[3, 0] += 2**-20
    assert run(other, store).done == 11


def test_damaged_shards_are_done_again(model, quiet, tmp_path):
    store = tmp_path / "s"
    run(model, store)
    first, second, _ = sorted((store / "rows").glob("*.parquet"))
    flipped = bytearray(first.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    first.write_bytes(flipped)
    second.write_bytes(second.read_bytes()[:-3])
    ran = run(model, store)
    assert (ran.damaged, ran.present + ran.done) == (2, 11)
    assert ran.done >= 7
    assert {name: data for name, data in content(store).items() if name.endswith("parquet")} == content(quiet)


def test_a_kill_loses_the_unit_in_work_alone(folder, model, quiet, tmp_path):
    store = tmp_path / "s"
    code = (
        "import sys, exegesis; from tests.unit.jobs.test_runs import TEXTS; "
        "import exegesis.jobs.store as s, time; add = s.Store.add; "
        "s.Store.add = lambda *a: (add(*a), print('done', flush=True), time.sleep(60)); "
        f"exegesis.run({str(folder)!r}, TEXTS, {str(store)!r}, 'leave-one-out', unit=4)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert process.stdout is not None
    assert process.stdout.readline() == b"done\n"
    with pytest.raises(FileError, match="another run"):
        run(model, store)
    process.kill()
    process.wait()
    process.stdout.close()
    (store / "rows" / ".half.exegesis").write_bytes(b"PAR1")  # what a kill in the middle of writing leaves
    ran = run(model, store)
    assert (ran.present, ran.done) == (4, 7)
    assert content(store) == content(quiet)


def test_an_end_at_any_write_leaves_no_half_shard(model, quiet, tmp_path, monkeypatch):
    store, replace = tmp_path / "s", os.replace
    for before in (True, False) * 2:

        def ended(*paths, before=before):
            if not str(paths[1]).endswith(".parquet"):
                return replace(*paths)
            if not before:
                replace(*paths)
            raise KeyboardInterrupt

        monkeypatch.setattr(files.os, "replace", ended)
        with pytest.raises(KeyboardInterrupt):
            run(model, store)
        assert content(store).items() <= content(quiet).items()
        monkeypatch.setattr(files.os, "replace", replace)
    run(model, store)
    assert content(store) == content(quiet)


def test_processes_leave_the_same_bytes(folder, quiet, tmp_path, monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr("exegesis.jobs.runs.os.cpu_count", lambda: 2 * threads)
    ran = run(folder, tmp_path / "s", processes=2)
    assert (ran.done, ran.estimate.processes) == (11, 2)
    assert content(tmp_path / "s") == content(quiet)


@pytest.mark.skipif(not local.THREADS.is_dir(), reason="only Linux lists the threads of a process")
@pytest.mark.parametrize("alone", [True, False])
def test_processes_share_a_model_that_started_no_threads(folder, model, quiet, tmp_path, monkeypatch, alone):
    if not alone:
        monkeypatch.setattr(local, "ONE_THREAD", {})
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    inquiry = Inquiry.of("leave-one-out", None, None, None)
    asked = [question.asked.id for question in inquiry.questions(model)]
    recipe = local.Recipe(str(folder), {}, inquiry, asked, torch.get_num_threads())
    texts, store = unique([Example.of(text) for text in TEXTS]), Store.open(tmp_path / "s", new=True)
    with local.Workers(recipe, store, 1) as workers:
        done = list(workers.explain(Task(0, name, tuple(unit.values())) for name, unit in units(texts, 4)))
    assert (workers.shared, [one.texts for one in done]) == (alone, [4, 4, 3])
    assert content(tmp_path / "s") == content(quiet)
    if alone:
        left = local.Workers(recipe, store, 1).__enter__()
        left._connection.close()  # as if the process that asks had been killed while the model loads
        left._keeper.join(60)
        left._keeper.kill()
        assert left._keeper.exitcode == 0
        other = replace(recipe, ids=["other"])
        with local.Workers(other, store, 1) as workers, pytest.raises(ModelError, match="changed"):
            next(workers.explain(iter(())))


def test_what_fails_has_a_row_with_the_reason(model, tmp_path):
    store, broken = tmp_path / "s", {"on": True}
    texts = [*TEXTS[:5], "  ", "a bad \ud800 film"]

    def scores(texts: list[str]) -> np.ndarray:
        if broken["on"] and "a very good day" in texts:
            raise ValueError("out\nof order")
        return np.array([[0.25, 0.75]] * len(texts))

    box = exegesis.blackbox(scores, ["bad", "good"])
    with pytest.raises(UnsupportedError, match="fingerprint"):
        run(box, store, texts)
    options = {"fingerprint": "v1"}
    ran = run(box, store, [*texts, "a very good day"], **options)
    assert (ran.done, ran.failed) == (8, 2)
    errors = {row["text"]: row["error"] for row in rows(store) if row["error"]}
    assert set(errors) == {"  ", "a very good day"}
    assert "out of order" in errors["a very good day"]
    assert all(not row["scores"] and row["target"] is None for row in rows(store) if row["error"])
    assert "a bad \\ud800 film" in {row["text"] for row in rows(store)}
    assert run(box, store, [*texts, "a very good day"], **options).done == 0
    broken["on"] = False
    ran = run(box, store, [*texts, "a very good day"], retry=True, **options)
    assert (ran.done, ran.failed) == (4, 1)
    assert len(rows(store)) == len({row["key"] for row in rows(store)}) == 8
    with pytest.raises(TextError):
        run(model, tmp_path / "none", ["", " "])


def test_an_estimate_alone_writes_no_row(model, tmp_path):
    said = []
    ran = run(model, tmp_path / "s", said=said.append, only_estimate=True)
    assert said == [ran.estimate]
    assert (ran.done, ran.estimate.rows, ran.estimate.sample) == (0, 11, 4)
    assert ran.estimate.seconds > 0
    assert rows(tmp_path / "s") == []
    run(model, tmp_path / "s")
    size = sum(map(len, content(tmp_path / "s").values()))
    assert size / 2 < ran.estimate.bytes < size * 2


def test_wrong_calls(model, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    for wanted, options in {
        "processes": {"processes": 0}, "unit": {"unit": True}, "name or folder": {"processes": 2},
        "named twice": {"methods": ["reat", "reat"]}, "a method": {"methods": []},
    }.items():  # fmt: skip
        with pytest.raises(UsageError, match=wanted):
            exegesis.run(model, TEXTS, tmp_path / "s", **options)
    with pytest.raises(FileError, match="other files"):
        run(model, tmp_path / "other")
    with pytest.raises(FileError, match="no store"):
        Store.open(tmp_path / "none")
    store = tmp_path / "newer"
    store.mkdir()
    (store / "store.json").write_text(json.dumps({"format": "exegesis.store", "version": 99}))
    with pytest.raises(FileError, match="newer"):
        run(model, store)


def test_a_row_is_named_by_all_that_determines_it(model):
    (question,) = Inquiry.of("lime", None, None, None).questions(model)
    (other,) = Inquiry.of({"lime": {"seed": 1}}, None, None, None).questions(model)
    one, labelled = Example.of("a film"), Example.of("a film", "good")
    keys = [next(rows_of(q.asked, e, "failed"))["key"] for q, e in
            ((question, one), (question, labelled), (other, one), (question, Example.of(("a", "film"))))]  # fmt: skip
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_full_disk_stops_a_run_between_shards(model, tmp_path):
    """No file may grow past a size, as on a disk that is full: what is written stays, and the same call goes on."""
    resource = pytest.importorskip("resource")
    long = [f"{text} {'fine film ' * 60}{i}" for i, text in enumerate(TEXTS)]
    run(model, tmp_path / "quiet", [*TEXTS[:4], *long])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    run(model, tmp_path / "full", TEXTS[:4])
    first = content(tmp_path / "full")
    size = max(map(len, first.values()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(FileError, match=r"cannot write .* \(File too large\); choose another place"):
            run(model, tmp_path / "full", [*TEXTS[:4], *long])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert content(tmp_path / "full") == first
    run(model, tmp_path / "full", [*TEXTS[:4], *long])
    assert content(tmp_path / "full") == content(tmp_path / "quiet")


@pytest.mark.parametrize("name", ["polars", "duckdb"])
def test_other_readers_find_the_same_rows(model, tmp_path, name):
    package = pytest.importorskip(name)
    run(model, tmp_path / "s", [*TEXTS, " "], level="all")
    place = f"{tmp_path / 's' / 'rows'}/*.parquet"
    if name == "polars":
        found = package.read_parquet(place).to_dicts()
    else:
        read = package.sql(f"select * from '{place}'")
        found = [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]
    expected = {row["key"]: row for row in rows(tmp_path / "s")}
    assert {row["key"]: row for row in found} == expected
    assert sum(row["error"] is not None for row in found) == 1


def test_trees_are_rows(model, tmp_path):
    run(model, tmp_path / "s", level="acd")
    units = [TEXTS[start : start + 4] for start in range(0, len(TEXTS), 4)]
    found = [exegesis.hierarchy(model, unit, "acd", method="leave-one-out") for unit in units]
    trees = {tree.text.raw: tree for part in found for tree in part}
    for row in rows(tmp_path / "s"):
        tree = trees[row["text"]]
        phrases = [part for part in tree.parts if part.children]
        assert (row["method"], row["level"], row["target"]) == ("acd", "acd", tree.target)
        assert row["scores"] == [float(part.score) for part in tree.parts if not part.children]
        assert [entry["score"] for entry in row["spans"]] == [float(part.score) for part in phrases]
        assert [entry["text"] for entry in row["spans"]] == [tree.text.surface(part.span) for part in phrases]
        assert json.loads(row["details"])["interactions"] == [part.interaction for part in phrases]
    assert run(model, tmp_path / "s", level="acd").done == 0
    assert run(model, tmp_path / "s", level="word").done == len(TEXTS)
    with pytest.raises(UsageError, match="the search hedge has a score of its own"):
        run(model, tmp_path / "h", level="hedge")
