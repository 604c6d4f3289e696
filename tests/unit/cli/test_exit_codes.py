"""Similar mistakes have one exit code, are said in our words, and are found before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TEXTS = "text\tlabel\na fine film\t1\nnot a bad one\t0\nfun but it grows tedious\t0\n"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_text(TEXTS)
    return path


def refused(said, code: int, *parts: str) -> None:
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1), said
    for part in parts:
        assert part in said.err


@pytest.mark.parametrize(
    "command",
    [["explain", "-f"], ["predict", "-f"], ["evaluate", "-f"], ["recommend", "-f"], ["study", "words"],
     ["study", "failures"], ["train", "--out", "m"]],
)  # fmt: skip
def test_an_unknown_kind_of_file_is_wrong_usage(call, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.pdf").write_text("x")
    refused(call(*command, "t.pdf"), 2, "t.pdf: unknown kind of file '.pdf'; give one of .tsv")


def test_a_method_that_does_not_go_with_a_search(call):
    refused(
        call("explain", "a fine film", "-m", "bundled", "--hierarchy", "acd", "-M", "lrp"), 2,
        "lrp scores a phrase as the sum of its words", "or the search parse",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["train", "x", "--out", "m", "--arch", "foo"], "unknown --arch 'foo' (known: esim, "),
        (["train", "x", "--out", "m", "--arch", "bigr"], "unknown --arch 'bigr'; did you mean 'bigru'?"),
        (["train", "x", "--out", "m", "--readout", "foo"], "unknown --readout 'foo' (known: last, first, mean, max"),
        (["train", "x", "--out", "m", "--epochs", "2.5"], "--epochs 2.5: give a whole number"),
        (["train", "x", "--out", "m", "--lr", "fast"], "--lr fast: give a number"),
        (["explain", "x", "--limit", "0"], "--limit 0: give a number of 1 or more"),
        (["explain", "x", "--limit", "many"], "--limit many: give a whole number"),
    ],
)
def test_the_parser_speaks_in_our_words(call, given, message):
    refused(call(*given), 2, message)
    assert "Value error" not in call(*given).err
    assert "Input should" not in call(*given).err


@pytest.fixture
def shut(tmp_path):
    """A folder that the system lets nobody write to, whoever runs the tests."""
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc")
    return Path("/proc")


@pytest.mark.parametrize(
    "command",
    [
        ["explain", "a fine film", "--json", "{}.json"],
        ["explain", "a fine film", "--json", "{}.jsonl"],
        ["explain", "a fine film", "--html", "{}.html"],
        ["explain", "a fine film", "--figure", "{}.svg"],
        ["compare", "a fine film", "--json", "{}.json"],
        ["compare", "a fine film", "--report", "{}.html"],
        ["evaluate", "a fine film", "--json", "{}.json"],
        ["evaluate", "a fine film", "--report", "{}.html"],
        ["recommend", "a fine film", "--out", "{}.json"],
        ["study", "words", "DATA", "--json", "{}.json"],
        ["study", "words", "DATA", "--report", "{}.html"],
        ["study", "words", "DATA", "--figure", "{}.png"],
        ["study", "repair", "DATA", "--swap", "a=b", "--new", "{}.tsv"],
        ["train", "DATA", "--out", "{}"],
        ["train", "DATA", "--out", "{}/deeper"],
    ],
)
def test_a_place_that_cannot_be_written_is_known_before_the_work(call, command, data, shut, monkeypatch):
    import exegesis.api
    import exegesis.models.trained.training
    import exegesis.study

    def worked(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr(exegesis.api, "load", worked)
    monkeypatch.setattr(exegesis.models.trained.training, "train", worked)
    monkeypatch.setattr(exegesis.study, "repair", worked)
    given = [str(data) if one == "DATA" else one.format(shut / "exegesis") for one in command]
    refused(call(*given), 1, "exegesis", "choose another place")


def test_trying_leaves_nothing_behind(call, data, tmp_path):
    out = tmp_path / "out.json"
    out.write_text("before")
    refused(call("explain", "a fine film", "-M", "reap", "--json", out), 2, "unknown method")
    assert out.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == ["data.tsv", "out.json"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["train", "DATA", "--out", "m", "--selector", "lei"], "--selector belongs to --arch rationale"),
        (["train", "DATA", "--out", "m", "--concepts", "3"], "--concepts belongs to --arch concepts"),
        (["train", "DATA", "--out", "m", "--order", "explain-predict"], "--order belongs to --arch explainer:FOLDER"),
        (["train", "DATA", "--out", "m", "--arch", "hf:m", "--layers", "2"], "--layers does not belong to --arch hf:"),
        (["train", "DATA", "--out", "m", "--adversary", "words"], "--adversary does nothing without --adversarial 5"),
        (["train", "DATA", "--out", "m", "--hops", "2"], "--hops does nothing without --readout structured"),
        (["train", "DATA", "--out", "m", "--span", "2"], "--span does nothing without --readout spans"),
        (["influence", "x", "--train", "DATA", "--saliency", "l2"], "--saliency belongs to --word"),
        (["index", "DATA", "--out", "m", "--weights", "output"], "--weights belongs to --gradients"),
        (["index", "DATA", "--out", "m", "--layers", "layer 9"], "the model has no site 'layer 9'"),
        (["run", "DATA", "--store", "m", "--gpus", "1"], "--gpus belongs to --engine ray; leave it out"),
        (["report", "--data", "DATA", "--out", "m.html", "-M", "lrq"], "unknown method 'lrq'; did you mean 'lrp'?"),
        (["study", "amend", "DATA", "--test", "DATA", "--arch", "explainer:m"], "trained by 'exegesis train' alone"),
        (["serve", "--token", ""], "--token is empty"),
        (["study", "concepts", "DATA", "--concepts", "DATA", "--concepts", "DATA"], "two files name the concept"),
        (["study", "concepts", "DATA", "--concepts", "DATA", "--within", "--sentences"], "two kinds of examples"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused_and_nothing_is_written(call, data, given, message, monkeypatch):
    monkeypatch.chdir(data.parent)
    refused(call(*(str(data) if word == "DATA" else word for word in given)), 2, message)
    assert [one.name for one in data.parent.iterdir()] == ["data.tsv"]


def test_what_the_bundled_model_is_not_is_said_with_the_way(call, data):
    refused(call("explain", "a fine film", "--rationale"), 1, "does not select its words: name a method", "(-M ")
    refused(call("study", "excerpts", str(data)), 1, "does not decide through concepts", "--arch concepts")
    bare = data.with_name("bare.txt")
    bare.write_text("a fine film\n")
    parts = ("--test", str(bare), "--held", str(data))
    refused(call("study", "calibrate", str(data), *parts), 2, "test text 1 of 1 has no label; give its column")
    refused(call("serve", "--train", "missing.tsv", "--port", "0"), 1, "missing.tsv: cannot be read")


def test_a_concept_is_renamed_once_and_to_something(call, tmp_path, data):
    tiny = ["--arch", "concepts", "--concepts", "2", "--embedding", "4", "--hidden", "4", "--epochs", "1", "-q"]
    out = str(tmp_path / "through")
    assert call("train", str(data), "--dev", str(data), "--out", out, *tiny).code == 0
    before = (tmp_path / "through" / "concepts.json").read_bytes()
    refused(call("rename", out, "1=food", "1=place"), 2, "1=place: concept 1 is named twice; name it once")
    refused(call("rename", out, "2= "), 2, "2= : the name is blank")
    assert (tmp_path / "through" / "concepts.json").read_bytes() == before
