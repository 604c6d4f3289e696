"""Labels and names of models, data and files that act on terminals and pages: plain text in every medium."""

from __future__ import annotations

import html
import json
import logging
import os
import re
from pathlib import Path

import pytest

from exegesis.api import blackbox, explain
from exegesis.cli import run
from exegesis.core import errors
from exegesis.core.errors import ExegesisError
from exegesis.core.escapes import code, escaped, markdown
from exegesis.data.examples import read_examples
from exegesis.jobs.estimate import Estimate
from exegesis.jobs.runs import Ran
from exegesis.results.result import restored
from exegesis.show import written
from exegesis.study.cards import _yaml
from tests.support import every_result

HOSTILE = "so\x1b[31m\u202e<script>alert(1)</script>\n\x9b2J|`*_$\\\\x{}&\x07\ud800"
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NAMES = ("lstm-sst2", "positive", "negative", "friday")  # of models and labels, and a word that is swapped


def acts(text: str) -> str:
    """What would act on a terminal; line feeds and carriage returns at their end are the medium's own."""
    return "".join(ACTING.findall(text.replace("\r\n", "\n")))


def hostile(result: object) -> object:
    """The result with hostile names of its model and labels."""
    plain = json.dumps(result.to_dict())
    text = result.text.raw if hasattr(result, "text") else ""
    for name in NAMES:
        if name not in text:  # "positive" is a share of a spread, too
            place = f'{name}(?!":)' if '"spread"' in plain else name
            plain = re.sub(place, lambda found: found[0] + json.dumps(HOSTILE)[1:-1], plain)
    return restored(json.loads(plain))


@pytest.mark.parametrize("name", every_result.EVERY)
def test_every_result_in_every_medium(name: str) -> None:
    result = hostile(every_result.EVERY[name]())
    assert not acts(repr(result))
    assert not acts(str(result))
    if not hasattr(result, "_repr_html_"):
        return
    for medium in (".html", "notebook", ".svg", ".tex", ".txt", "terminal", ".csv"):
        content = written(result, medium)
        text = content.decode() if isinstance(content, bytes) else content
        assert not acts(text), medium
        assert "<script>alert" not in text or medium in (".tex", ".txt", "terminal", ".csv"), medium
        if medium in (".html", "notebook"):
            assert "onerror" not in html.unescape(text)
        if medium == ".tex":
            assert "\\x{}" not in text


def test_every_error_is_one_plain_line() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ExegesisError)]
    assert len(kinds) >= 9
    for kind in kinds:
        message = str(kind(HOSTILE, HOSTILE, HOSTILE) if kind is errors.MissingExtraError else kind(HOSTILE))
        assert message.isprintable()
        assert "so\\x1b[31m\\x202e<script>" in message
    assert str(errors.unknown("label", HOSTILE, [HOSTILE])).isprintable()


def test_a_model_of_hostile_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, caplog) -> None:
    """Trained, described, asked, refused: neither terminal, card, nor log."""
    monkeypatch.chdir(tmp_path)
    label, name = "so\x1b[31m\u202e<script>|`x`*", "m\x1b[2J\u202e<script>`"
    data = f"d\x1b[2J{name}.tsv"
    Path(data).write_text("".join(f"a fine film {n}\t{label}\n\na bad film {n}\tb_[a](x)\n" for n in range(20)))
    shape = ["--epochs", "1", "--hidden", "4", "--embedding", "4"]
    with caplog.at_level(logging.WARNING):
        read_examples(data)
        assert run(["train", data, "--test", data, "--out", name, "--resume", *shape]) == 0, capsys.readouterr()
        assert run(["train", data, "--out", name, *shape]) == 1
        assert run(["predict", "a fine film", "-m", name]) == 0
        assert run(["explain", "a fine film", "-m", name, "-M", "leave-one-out", "--target", "x\x1b[2J"]) == 2
        assert run(["explain", "a fine film", "-m", name, "-M", "leave-one-out", "--html", f"{name}.html"]) == 0
        os.rename(Path(name, "config.json"), Path(name, "c"))
        assert run(["predict", "a fine film", "-m", name]) == 1
    out, err = capsys.readouterr()
    assert "b_[a](x)" in out
    for text in (out, err, *caplog.messages):
        assert not acts(text), text
    assert caplog.messages
    card = Path(name, "README.md").read_text()
    assert not acts(card)
    assert "<script>" not in re.sub(r"(`+).*?\1", "", card.replace("\\`", ""))
    assert "b\\_\\[a\\](x)" in card
    assert "so\\\\x1b\\[31m\\\\x202e&lt;script&gt;\\|\\`x\\`\\*" in card


def test_a_store_and_a_model_card() -> None:
    """What a run says of its store; names in the lines of a card that no page escapes."""
    assert not acts(str(Ran(HOSTILE, 1, 1, 0, 1, 0, 0, 0.1, Estimate(0, 1, 0, 0, 1, 1, {}))))
    lines = "\n".join(_yaml({"name": HOSTILE, "more": [{"label": HOSTILE}]}))
    assert not acts(lines)
    assert "<" not in lines
    assert lines.count("\\u003cscript>") == 2


def test_escapes() -> None:
    assert escaped("caf\xe9 \u6f22 ok") == "caf\xe9 \u6f22 ok"
    assert escaped("a\n\x1b\u202e") == "a\\x0a\\x1b\\x202e"
    assert markdown("a<b>&|_*") == "a&lt;b&gt;&amp;\\|\\_\\*"
    assert code("a ``b`") == "``` a ``b` ```"
    assert code("a\nb") == "`a\\x0ab`"


def test_names_of_functions_and_modules_in_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """A function is called by its name, which anyone may have given it."""

    def certain(texts: list[str]) -> list[list[float]]:
        return [[0.0, 1.0] for _ in texts]

    with caplog.at_level(logging.WARNING):
        explain(blackbox(certain, ["a", "b"], name=HOSTILE), "w1 w2 w3 w4 w5", "leave-one-out")
    assert caplog.messages
    assert all(message.isprintable() for message in caplog.messages)
