"""Reports: every chapter from the function that it names, slices counted plainly, commands that run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import exegesis
from exegesis.cli import run
from exegesis.core.errors import UsageError
from exegesis.results.behaviour.report import Report
from exegesis.show import document_of
from exegesis.statistics.bootstrap import draw_texts, interval
from exegesis.study.slices import holding, slices

ROWS = [
    ("a fine film by her", "positive"), ("a dull film by her", "negative"),
    ("he made a warm and funny film", "positive"),
    ("she made a tedious film", "negative"), ("he made a tedious mess", "positive"), ("a good film", "positive"),
    ("not a good film", "negative"), ("a flat and awful film", "negative"), ("the cast is moving", "negative"),
    ("Her film is a warm one", "positive"),
]  # fmt: skip
GROUPS = {"women": ["she", "her"], "men": ["he", "his"], "none": ["xyzzy"]}
TITLES = ["Data and accuracy", "The method to recommend", "The words that it goes by", "Typical and odd cases",
          "Wrong predictions", "Slices by words", "Sanity checks", "What was not tested"]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    for name in ("data", "train"):
        (folder / f"{name}.tsv").write_text("text\tlabel\n" + "".join(f"{a}\t{b}\n" for a, b in ROWS))
    for name in ("women", "men"):
        (folder / f"{name}.txt").write_text("".join(f"{word}\n" for word in GROUPS[name]))
    return folder


@pytest.fixture(scope="module")
def found(place) -> Report:
    named = {"model": "bundled", "data": "data.tsv", "train": "train.tsv", "command": "exegesis report <whole>"}
    return exegesis.study.report(
        "bundled", place / "data.tsv", train=place / "train.tsv", groups=GROUPS, methods=["lrp", "reat"], measured=8,
        checked=4, named=named,
    )  # fmt: skip


def test_the_chapters_are_those_of_their_functions(found, place):
    chapters = {chapter.title: chapter for chapter in found.chapters}
    assert list(chapters) == TITLES
    texts = [text for text, _ in ROWS]
    best = exegesis.recommend("bundled", texts[:8], ["lrp", "reat"])
    assert chapters["The method to recommend"].sentences == (str(best).splitlines()[0],)
    measured = exegesis.evaluate("bundled", texts[:8], ["lrp", "reat"])
    (own,) = chapters["The method to recommend"].results
    np.testing.assert_array_equal(own.values, measured.values)
    assert chapters["Wrong predictions"].results[0] == exegesis.study.failures(
        "bundled", place / "data.tsv", train=place / "train.tsv", method=best.method)  # fmt: skip
    assert [one.group for one in chapters["Slices by words"].slices] == list(GROUPS)
    assert "No text holds a word of none." in chapters["Slices by words"].sentences
    assert f"{len(ROWS)} of the texts are also training texts." in chapters["Data and accuracy"].sentences
    kinds = {type(one).__name__ for one in chapters["Typical and odd cases"].results}
    assert kinds == {"Attribution", "Influence"}


def test_every_command_repeats_the_numbers_of_its_chapter(found, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    for chapter in found.chapters:
        repeated = []
        for command in filter(None, chapter.command.split("; ")):
            name, *words = shlex.split(command)
            assert name == "exegesis"
            if words[0] != "report":
                capsys.readouterr()
                assert run([*words, "--json", "again.jsonl" if words[0] == "explain" else "again.json"]) == 0, (
                    command,
                    capsys.readouterr().err,
                )
                again = exegesis.read("again.jsonl" if words[0] == "explain" else "again.json")
                repeated += again if isinstance(again, list) else [again]
        for result in chapter.results:
            if repeated and not isinstance(result, exegesis.Influence):
                assert any(same(result, one) for one in repeated), (chapter.title, type(result))


def same(result, again) -> bool:
    """Whether two results say the same; the account of their time, and the note on a text's place, do not count."""
    if type(result) is not type(again):
        return False
    if isinstance(result, exegesis.Attribution):
        return result.text.raw == again.text.raw and np.allclose(result.scores, again.scores, atol=1e-6)
    if isinstance(result, exegesis.Evaluation):
        return result.values.shape == again.values.shape and np.allclose(
            result.values, again.values, atol=1e-6, equal_nan=True
        )
    return type(result).from_dict(result.to_dict()) == again


@pytest.mark.quick
def test_a_slice_is_counted_as_by_hand():
    golds = ["a", "a", "b", None, "b", "a"]
    predicted = ["a", "b", "b", "a", "a", "a"]
    inside = np.array([True, True, False, True, False, False])
    (one,) = slices(golds, predicted, ["a", "b"], {"g": inside}, samples=200, seed=3)
    assert (one.group, one.texts, one.labelled) == ("g", 3, 2)
    assert one.right.value == 1 / 2
    assert one.labels == {"a": 2 / 3, "b": 1 / 3}
    assert one.difference.value == pytest.approx(1 / 2 - 2 / 3)
    assert one.shift.value == pytest.approx(2 / 3 - 2 / 3)
    counts = draw_texts(6, 200, 3).astype(float)
    first = np.array([p == "a" for p in predicted], dtype=float)
    with np.errstate(invalid="ignore"):
        moved = (counts * inside) @ first / (counts @ inside) - (counts * ~inside) @ first / (counts @ ~inside)
    assert (one.shift.low, one.shift.high) == pytest.approx(interval(moved, 3), nan_ok=True)


@pytest.mark.quick
def test_copies_of_texts_make_a_slice_no_surer():
    """With every text twice, the intervals are those of the texts once."""
    draws = np.random.default_rng(0)
    golds, predicted = (draws.choice(["a", "b"], 20).tolist() for _ in range(2))
    inside = np.arange(20) < 12
    (one,) = slices(golds, predicted, ["a", "b"], {"g": inside}, samples=200)
    (two,) = slices(golds * 2, predicted * 2, ["a", "b"], {"g": np.tile(inside, 2)}, samples=200,
                    owners=np.tile(np.arange(20), 2))  # fmt: skip
    assert two.texts == 2 * one.texts
    for name in ("right", "difference", "shift"):
        assert getattr(two, name) == pytest.approx(getattr(one, name))
        assert getattr(one, name).low < getattr(one, name).high


def test_a_group_is_found_in_whatever_case():
    model = exegesis.load()
    texts = [model.read(text) for text, _ in ROWS]
    assert np.flatnonzero(holding(texts, GROUPS["women"])).tolist() == [0, 1, 3, 9]
    assert np.flatnonzero(holding(texts, ["he"])).tolist() == [2, 4]  # not "the"


def test_the_page_holds_it_all_and_no_text_acts(found, tmp_path):
    drawn = document_of(found)
    assert [section.title for section in drawn.sections] == ["A report", *TITLES]
    for ending in (".html", ".txt", ".csv"):
        found.save(tmp_path / f"r{ending}")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "&lt;whole&gt;" in page
    assert not re.search(r"(?:src|href)\s*=", page)
    assert page.count("To repeat this:") == sum(bool(chapter.command) for chapter in found.chapters)
    assert (tmp_path / "r.csv").read_text("utf-8").count("\n") == 1 + 3 + 3


def test_what_a_model_cannot_serve_is_said(tmp_path):
    model = exegesis.blackbox(lambda texts: [[len(text) % 7 / 7, 1 - len(text) % 7 / 7] for text in texts], ["a", "b"])
    found = exegesis.study.report(model, [text for text, _ in ROWS], measured=4, checked=4)
    chapters = {chapter.title: chapter for chapter in found.chapters}
    assert "Wrong predictions" not in chapters
    assert "Slices by words" not in chapters
    assert chapters["Sanity checks"].sentences[0].startswith("Not possible here: ")
    said = " ".join(chapters["What was not tested"].sentences)
    for part in ("Sanity checks: ", "without labels", "The training data", "Fairness", "calibration"):
        assert part in said


def test_wrong_arguments_are_refused(place):
    with pytest.raises(UsageError, match="measured must be a whole number of at least 2, not 1"):
        exegesis.study.report("bundled", place / "data.tsv", measured=1)


def test_the_command_writes_the_page(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    words = ["report", "--data", "data.tsv", "--words", "women.txt,men.txt", "-M", "lrp", "--measured", "4",
             "--checked", "4", "--limit", "6", "--out", "r.html", "-q"]  # fmt: skip
    assert run(words) == 0, capsys.readouterr().err
    assert "Slices by words" in Path("r.html").read_text("utf-8")
    assert run(["report", "--data", ".", "--out", "r.html"]) == 2
    assert "is a folder; say --split test" in capsys.readouterr().err


def test_a_label_in_a_tuple_is_no_second_text():
    with pytest.raises(UsageError, match=r"is a label, as in \('a fine film by her', 'positive'\); a tuple is a pair"):
        exegesis.study.report("bundled", ROWS)
