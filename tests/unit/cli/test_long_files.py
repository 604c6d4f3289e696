"""Files of many texts: results as they come, runs that go on, rows that keep what the file says of them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import import_module
from pathlib import Path

import pytest

import exegesis
import exegesis.api
from tests.unit.cli.test_wrong_usage import refused

WORDS = ["fine", "dull", "moving", "tedious", "warm"]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = [f"a{number}|A {WORDS[number % 5]} film {number}|{(number + 1) % 2}" for number in range(9)]
    path.write_text("\n".join(["id|text|label", *rows]) + "\n")
    return path


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_ended_early_goes_on(call, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, table = tmp_path / "r.jsonl", tmp_path / "r.csv"
    given = ["explain", "--file", reviews, "--delimiter", "|", "-M", "lrp", "-M", "reat", "--json", out, "--quiet"]
    explain, texts = exegesis.api.Plan.explain, []

    def failing(self, part, advance):
        if len(texts) >= 8:  # those of two methods
            raise KeyboardInterrupt
        texts.extend(part)
        return explain(self, part, advance)

    with monkeypatch.context() as patch:
        patch.setattr(import_module("exegesis.cli.explain"), "PART", 2)
        patch.setattr(exegesis.api.Plan, "explain", failing)
        said = call(*given)
    assert said == (
        130, "", "exegesis: interrupted; 4 of 9 texts are done: the same command with --resume goes on\n"
    )  # fmt: skip
    part = tmp_path / "r.jsonl.partial"
    assert not out.exists()
    part.write_text(part.read_text() + '{"half a line')
    refused(call(*given), 2, "r.jsonl.partial holds results of a run that did not end: go on with --resume")
    refused(call(*given, "--target", "good", "--resume"), 2, "line 1, is of other texts or of a run with other")

    def counting(self, part, advance):
        texts.extend(part)
        return explain(self, part, advance)

    texts.clear()
    monkeypatch.setattr(exegesis.api.Plan, "explain", counting)
    assert call(*given, "--resume", "--csv", table).code == 0
    assert len(texts) == 2 * 5
    assert not part.exists()
    rows = rows_of(out)
    assert [(row["number"], row["id"], row["method"]) for row in rows] == [
        (number + 1, f"a{number}", name) for number in range(9) for name in ("lrp", "reat")
    ]
    assert {row["gold"] for row in rows} == {"bad", "good"}
    assert [result.text.raw for result in exegesis.read(out)] == [row["text"] for row in rows]
    assert len(table.read_text().splitlines()) == 1 + 18 * 4
    texts.clear()
    assert call(*given, "--resume").code == 0  # all of it is there
    assert texts == []


def test_a_page_of_many_is_numbered_searched_and_sorted(call, reviews: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    lines = reviews.read_text() + "".join(f"b{number}|So {word} ,|\n" for number, word in enumerate(WORDS * 3))
    reviews.write_text(lines)
    said = call("explain", "--file", reviews, "--delimiter", "|", "-M", "lrp", "--html", page)
    assert said == (0, "", f"wrote {page}\n")  # nothing but the file for so many texts
    source = page.read_text()
    assert [f"text {number} (a{number - 1})" in source for number in range(1, 10)] == [True] * 9
    assert "(gold: bad)" in source
    assert source.count('data-probability="') == 24
    assert 'value="-1 probability"' in source
    assert "wrong first" not in re.sub(r"<section.*", "", source)  # some texts have no gold label
    script = re.search(r"<script>(.*?)</script>", source, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in source
    assert "<script" not in exegesis.explain("bundled", ["A film ."] * 12, "lrp")._repr_html_()


def test_a_file_is_not_taken_for_a_text(call, reviews: Path) -> None:
    refused(call("explain", reviews), 2, f"{reviews} is a file, not a text; did you mean --file {reviews}?")
    refused(call("explain", "A film", "--delimiter", ";"), 2, "--delimiter belongs to --file")
    refused(call("explain", "A film", "--resume"), 2, "--resume goes on with the --json FILE.jsonl")


def test_predictions_keep_what_the_file_says(call, reviews: Path) -> None:
    rows = [
        json.loads(line) for line in call("predict", "--file", reviews, "--delimiter", "|", "--json").out.splitlines()
    ]
    assert [(row["number"], row["id"], row["gold"]) for row in rows[:2]] == [(1, "a0", "1"), (2, "a1", "0")]
