"""``explain``, ``predict`` and ``methods``: every option, and the JSON as it is promised."""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import exegesis
from tests.support.command import TEXT


def lines(said) -> list[dict]:
    assert said.code == 0, said.err
    assert said.err == ""
    return [json.loads(line) for line in said.out.splitlines()]


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_the_fields_of_json(call) -> None:
    (row,) = lines(call("explain", TEXT, "--json", "-"))
    wanted = ["text", "prediction", "target", "method", "words", "offsets", "scores", "explained", "residual"]
    assert set(wanted) <= set(row)
    assert row["text"] == TEXT
    assert set(row["prediction"]) >= {"label", "probability"}
    assert row["prediction"]["label"] in ("bad", "good", "so-so")
    assert row["target"] == "logit:" + row["prediction"]["label"]
    assert row["method"] == "integrated-gradients"
    assert row["words"] == TEXT.split()
    assert [TEXT[a:b] for a, b in row["offsets"]] == row["words"]
    assert row["explained"] - sum(row["scores"]) == pytest.approx(row["residual"], abs=1e-12)
    assert row["residual"] == pytest.approx(row["account"]["value at the baseline"] + row["gap"], abs=1e-6)


@pytest.mark.parametrize("level", ["word", "phrase", "clause", "text", "all"])
def test_spans_of_a_level(call, level: str) -> None:
    (row,) = lines(call("explain", TEXT, "--level", level, "--json", "-"))
    held = {span["level"] for span in row["spans"]}
    assert held == ({"word", "phrase", "clause", "text"} if level == "all" else {"word", level})
    for span in row["spans"]:
        start, stop = span["offset"]
        assert TEXT[start:stop] == span["text"]
        inside = [s for (a, b), s in zip(row["offsets"], row["scores"], strict=True) if start <= a and b <= stop]
        assert span["score"] == pytest.approx(sum(inside), abs=1e-6)  # REAT adds up


def test_methods_and_parameters(call) -> None:
    given = ["--method", "lime,gradient", "-M", "reat", "-M", "lime", "--param", "samples=20", "-p", "norm=squared"]
    rows = lines(call("explain", TEXT, "a fine film", *given, "--json", "-"))
    assert [(row["text"], row["method"]) for row in rows] == [
        (text, method) for text in (TEXT, "a fine film") for method in ("lime", "gradient", "reat")
    ]
    assert "samples=20" in rows[0]["parameters"]
    assert "'squared'" in rows[1]["parameters"]


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("good", "logit:good"),
        ("2", "logit:so-so"),
        ("logit:bad", "logit:bad"),
        ("probability:good", "probability:good"),
        ("probability:1", "probability:good"),
        ("margin:good,bad", "margin:good,bad"),
        ("all", ["logit:bad", "logit:good", "logit:so-so"]),
        ("probability:all", ["probability:bad", "probability:good", "probability:so-so"]),
    ],
)
def test_targets(call, target: str, named: str | list[str]) -> None:
    (row,) = lines(call("explain", TEXT, "--target", target, "--method", "leave-one-out", "--json", "-"))
    assert row["target"] == named
    if isinstance(named, list):
        assert np.shape(row["scores"]) == (3, len(row["words"]))
        gaps = np.array(row["explained"]) - np.sum(row["scores"], 1) - row["residual"]
        assert np.abs(gaps).max() < 1e-12


def test_reading_back_what_was_written(call, tmp_path: Path) -> None:
    one, several, stream = tmp_path / "one.json", tmp_path / "several.json", tmp_path / "stream.jsonl"
    said = call("explain", TEXT, "--level", "all", "--json", one)
    assert (said.code, said.err) == (0, f"wrote {one}\n")
    call("explain", TEXT, "bad", "-M", "reat,lime", "-p", "samples=9", "--json", several)
    call("explain", TEXT, "bad", "-M", "reat,lime", "-p", "samples=9", "--json", stream)
    single = exegesis.read(one)
    assert isinstance(single, exegesis.Attribution)
    assert single.to_dict() == json.loads(one.read_text())
    for path in (several, stream):
        assert [(r.text.raw, r.name) for r in exegesis.read(path)] == [
            (TEXT, "reat"), (TEXT, "lime"), ("bad", "reat"), ("bad", "lime")
        ]  # fmt: skip
    for first, second in zip(exegesis.read(several), exegesis.read(stream), strict=True):
        assert first.scores.tobytes() == second.scores.tobytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.json", "several.json", "stream.jsonl"]


def test_pages_and_figures(call, tmp_path: Path) -> None:
    for ending, mark in [(".svg", b"<svg"), (".png", b"PNG"), (".pdf", b"%PDF"), (".tex", b"\\")]:
        page, figure, saved = tmp_path / f"p{ending}.html", tmp_path / f"f{ending}", tmp_path / f"r{ending}.json"
        given = ["--html", page, "--figure", figure, "--json", saved, "--palette", "blue-orange", "--numbers"]
        said = call("explain", TEXT, *given, "--level", "all")
        assert (said.code, said.err) == (0, f"wrote {saved}\nwrote {page}\nwrote {figure}\n")
        assert mark in figure.read_bytes()[:200]
        numbers = {} if ending == ".tex" else {"numbers": True}
        exegesis.read(saved).save(tmp_path / f"same{ending}", palette="blue-orange", **numbers)
        assert figure.read_bytes() == (tmp_path / f"same{ending}").read_bytes()  # colours and numbers reach the figure
        exegesis.read(saved).save(tmp_path / "same.html", palette="blue-orange")
        assert page.read_text() == (tmp_path / "same.html").read_text()


def test_the_view(call) -> None:
    plain = call("explain", TEXT)
    assert all(word in plain.out for word in TEXT.split())
    assert "\x1b" not in plain.out
    assert "\x1b[" in call("explain", TEXT, "--color").out
    assert call("explain", TEXT, "--color").out != call("explain", TEXT, "--color", "--palette", "blue-orange").out
    assert len(call("explain", TEXT, "--numbers").out) > len(plain.out)
    assert call("explain", TEXT, "--quiet") == (0, "", "")


def test_the_view_and_lines_together(call, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    assert "integrated-gradients" in call("explain", TEXT, "--json", path).out
    assert call("explain", TEXT, "--json", path, "--quiet") == (0, "", "")
    rows = lines(call("explain", TEXT, "--json", "-", "--quiet"))
    assert len(rows) == len(exegesis.read(path)) == 1


def test_files_of_texts(call, tmp_path: Path) -> None:
    contents = {
        "a.txt": "a fine film\r\n\n  a bad film\n",
        "a.tsv": "id\tsentence\tlabel\n1\ta fine film\t1\n2\t  a bad film\t0\n",
        "a.csv": 'sentence,label\n"a fine film",1\n  a bad film,0\n',
        "a.jsonl": '{"text": "a fine film", "x": 1}\n\n{"text": "  a bad film"}\n',
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        rows = lines(call("explain", "--file", tmp_path / name, "--json", "-"))
        assert [row["text"] for row in rows] == ["a fine film", "  a bad film"]
        (row,) = lines(call("explain", "-f", tmp_path / name, "--limit", 1, "--json", "-"))
        assert row["text"] == "a fine film"
        out = call("predict", "--file", tmp_path / name).out.splitlines()
        assert len(out) == 2
        assert out[0].endswith("a fine film")
    (row, _) = lines(call("explain", "--file", tmp_path / "a.tsv", "--column", "label", "--json", "-"))
    assert row["text"] == "1"
    (row, _) = lines(call("explain", "--file", tmp_path / "a.tsv", "--column", "2", "--json", "-"))
    assert row["text"] == "a fine film"


def test_other_encodings(call, tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "t.txt").write_bytes("naïve film\nbad".encode(encoding))
        rows = lines(call("explain", "--file", tmp_path / "t.txt", "--json", "-"))
        assert [row["text"] for row in rows] == ["naïve film", "bad"]


@pytest.mark.parametrize("dash", [True, False])
def test_standard_input(call, monkeypatch: pytest.MonkeyPatch, dash: bool) -> None:
    feed(monkeypatch, b"\xef\xbb\xbfa fine film\r\n\n bad \xc3\xbf one\n")
    rows = lines(call("explain", *["-"] * dash, "--json", "-"))
    assert [row["text"] for row in rows] == ["a fine film", " bad \xff one"]
    feed(monkeypatch, b"a fine film\n")
    assert call("predict", *["-"] * dash).out.endswith("a fine film\n")


def test_pairs(call, pairs: Path, tmp_path: Path) -> None:
    given = ["--model", pairs, "--json", "-"]
    (row,) = lines(call("explain", "a word", "--pair", "a fine film", *given, "--target", "entailment"))
    assert row["target"] == "logit:entailment"
    assert row["words"] == ["a", "word", "a", "fine", "film"]
    assert [row["text"][a:b] for a, b in row["offsets"]] == row["words"]
    assert row["explained"] - sum(row["scores"]) == pytest.approx(row["residual"], abs=1e-12)
    (tmp_path / "p.tsv").write_text("premise\thypothesis\na word\ta fine film\nfilm\tword\n")
    named = ["--column", "premise", "--pair-column", "hypothesis"]
    first, _ = lines(call("explain", "--file", tmp_path / "p.tsv", *named, *given, "-t", "entailment"))
    assert first["scores"] == pytest.approx(row["scores"], abs=1e-6)
    assert "a word | a fine film" in call("predict", "a word", "--pair", "a fine film", "--model", pairs).out
    (row,) = lines(call("predict", "a word", "--pair", "film", "--model", pairs, "--json"))
    assert row["text"] == ["a word", "film"]


def test_a_long_pair_is_cut_on_request(call, pairs: Path) -> None:
    long = "film " * 400
    said = call("explain", long, "--model", pairs, "--method", "leave-one-out")
    assert said.code == 2
    assert "truncate" in said.err
    assert call("explain", long, "--model", pairs, "--method", "gradient", "--truncate", "-q").code == 0


def test_predict(call) -> None:
    rows = lines(call("predict", "a fine film", "bad", "--json"))
    assert [row["text"] for row in rows] == ["a fine film", "bad"]
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["probability"] == max(row["probabilities"].values()) == row["probabilities"][row["label"]]
    said = call("predict", "a\tfine\x1b[2J film")
    label = rows[0]["label"]
    assert said.out.startswith(label + " ")
    assert "\x1b" not in said.out
    assert call("predict", "a", "b", "--limit", "1").out.count("\n") == 1


def test_predictions_of_a_regression(call, tmp_path: Path) -> None:
    from tests.support.hf_toys import bert, wordpiece

    model = bert(labels=1)
    model.save_pretrained(tmp_path)
    wordpiece().save_pretrained(tmp_path)
    (row,) = lines(call("predict", "a fine film", "--json", "--model", tmp_path))
    assert row["probability"] is None
    number = row["numbers"]["LABEL_0"]
    assert call("predict", "a fine film", "--model", tmp_path).out == f"LABEL_0 {number:.4g}  a fine film\n"
    (row,) = lines(call("explain", "a fine film", "--json", "-", "--model", tmp_path, "-M", "gradient-x-input"))
    assert row["prediction"]["probability"] is None


def test_methods(call, folder: Path, pairs: Path) -> None:
    every = [row["name"] for row in lines(call("methods", "--json"))]
    assert {"reat", "naive-reat", "gradient", "leave-one-out", "lime", "input-reduction"} <= set(every)
    able = [row["name"] for row in lines(call("methods", "--json", "--for", folder))]
    others = {"attention-relevance", "concepts", "rationale", "spans"}  # the model neither attends nor selects
    assert able == [name for name in every if name not in others]
    served = [row["name"] for row in lines(call("methods", "--json", "--for", pairs))]
    assert "reat" not in served
    assert "integrated-gradients" in served
    out = call("methods").out
    assert all(f"\n{name} " in f"\n{out}" for name in every)  # no name is broken
    row = next(row for row in lines(call("methods", "--json")) if row["name"] == "lime")
    assert {"question", "summary", "paper", "year", "needs"} <= set(row)
    assert row["parameters"]["samples"] == 1000


def test_many_texts_come_in_parts(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"a {'fine ' * (n % 5)}film {n}" for n in range(23)]
    (tmp_path / "t.txt").write_text("\n".join(texts))
    whole = call("explain", "--file", tmp_path / "t.txt", "-M", "reat,leave-one-out", "--json", tmp_path / "w.jsonl")
    monkeypatch.setattr(import_module("exegesis.cli.explain"), "PART", 4)
    given = ["--json", tmp_path / "p.jsonl", "--html", tmp_path / "p.html"]
    parts = call("explain", "--file", tmp_path / "t.txt", "-M", "reat,leave-one-out", *given)
    for first, second in zip(exegesis.read(tmp_path / "w.jsonl"), exegesis.read(tmp_path / "p.jsonl"), strict=True):
        assert (first.text, first.name, first.targets) == (second.text, second.name, second.targets)
        np.testing.assert_allclose(first.scores, second.scores, atol=1e-6)
    assert whole.out.count("\n\n") == parts.out.count("\n\n")
    assert (tmp_path / "p.html").read_text().count('class="facts"') == 23


def test_the_bundled_model(call) -> None:
    (row,) = lines(call("explain", "An utterly charming and hilarious film!", "--json", "-", "--model", "bundled"))
    assert row["model"] == "bundled"
    assert row["prediction"]["label"] == "positive"
    assert row["explained"] - sum(row["scores"]) == pytest.approx(row["residual"], abs=1e-12)
