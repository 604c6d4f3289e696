"""``exegesis explain --interactions`` and ``--relevance``: shown, saved and read again; what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import exegesis
from tests.support.command import TEXT


@pytest.mark.parametrize("kind", ["shapley", "removal", "alone"])
def test_interactions_are_shown_and_saved(call, tmp_path: Path, kind: str) -> None:
    files = [tmp_path / name for name in ("i.json", "i.html", "i.tex")]
    outputs = [part for pair in zip(("--json", "--html", "--figure"), files, strict=True) for part in pair]
    said = call("explain", TEXT, "--interactions", kind, "-p", "how=pad", *outputs, "--no-color")
    assert said.code == 0
    assert said.err.splitlines() == [f"wrote {file}" for file in files]
    assert f" · {kind} interactions · " in said.out
    found = exegesis.read(files[0])
    assert (found.kind, found.how, found.text.raw) == (kind, "pad", TEXT)
    assert all(file.stat().st_size > 500 for file in files)
    assert "~" in said.out


def test_relevance_is_shown_and_saved(call, tmp_path: Path) -> None:
    options = ("--json", tmp_path / "r.json", "--figure", tmp_path / "r.svg", "--no-color", "-t", "bad")
    said = call("explain", TEXT, "--relevance", "-p", "epsilon=0.1", *options)
    assert said.code == 0
    found = exegesis.read(tmp_path / "r.json")
    assert (type(found).__name__, found.target, "epsilon=0.1" in found.method) == ("Relevance", "logit:bad", True)
    for place in found.at_words():
        assert str(place) in said.out
        assert str(place) in (tmp_path / "r.svg").read_text()


def test_attributes_of_a_word_beyond_lists_of_words(call, tmp_path: Path) -> None:
    word, *others = dict.fromkeys(TEXT.split())
    (tmp_path / "some.txt").write_text("\n".join(others))
    asked = ("--inside", "attributes", "--word", word, "--concepts", tmp_path / "some.txt", "--layers", "pooled")
    said = call("explain", TEXT, *asked, "--reading", "gaussian", "-p", "most=32", "--json", tmp_path / "a.json")
    assert (said.code, "is left of" in said.out) == (0, True)
    found = exegesis.read(tmp_path / "a.json")
    assert (found.described, found.concepts, found.layers, found.reading) == (word, ("some",), ("pooled",), "gaussian")
    said = call("explain", TEXT, *asked, "--json", tmp_path / "b.json", "-q")
    assert exegesis.read(tmp_path / "b.json").reading == "substitution"


def test_several_texts(call) -> None:
    said = call("explain", TEXT, "a bad one", "--interactions", "alone", "--json", "-")
    assert said.out.count('"format": "exegesis.interactions"') == 2
    said = call("explain", TEXT, "a bad one", "--relevance", "--no-color")
    assert said.out.count("word vectors") >= 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--interactions", "shaply"), "did you mean 'shapley'"),
        (("--interactions", ""), "unknown kind of interaction ''"),
        (("--interactions", "alone", "-p", "sample=3"), "did you mean 'samples'"),
        (("--inside", "attributes", "--word", "film"), "--inside attributes needs --concepts"),
        (("--lines",), "--lines belongs to --attention and --interactions"),
        (("--interactions", "alone", "--lines"), "lines stand between the words of two texts"),
        (("--inside", "information", "--word", "film"), "--word belongs to --inside attributes"),
        (("--inside", "atributes"), "did you mean 'attributes'"),
        (("--interactions", "alone", "-p", "samples=3"), "an even number"),
        (("--interactions", "shapley", "-p", "samples=abc"), "samples must be an even number of at least 4, not 'abc'"),
        (("--interactions", "alone", "-p", "kind=removal"), "unknown parameter of"),
        (("--relevance", "-p", "epsilon=abc"), "epsilon must be a number of at least 0, or none, not 'abc'"),
        (("--relevance", "-p", "epsilon=-1"), "epsilon must be a number of at least 0, or none, not '-1'"),
        (("--hierarchy", "acd", "-p", "percentile=101"), "percentile must be a number from 0 to 100, or none, not"),
        (("--interactions", "alone", "-t", "all"), "one number"),
        (("--interactions", "alone", "--relevance"), "--relevance does not go with --interactions"),
        (("--interactions", "alone", "-M", "lime"), "--method does not go with --interactions"),
        (("--relevance", "--hierarchy", "acd"), "--hierarchy does not go with --relevance"),
        (("--relevance", "--level", "all"), "--level does not go with --relevance"),
        (("--relevance", "--trust"), "--trust does not go with --relevance"),
        (("--relevance", "-t", "all"), "explains one number"),
    ],
)
def test_what_is_refused(call, options, message: str) -> None:
    said = call("explain", TEXT, *options)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("exegesis: ")
    assert said.err.count("\n") == 1
    assert message in said.err
