"""Standard output and standard error as terminals, pipes that break, full disks and poor encodings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer

from exegesis.cli import command_line, run
from tests.support.command import TEXT, Terminal, encoded


def named(command, name: str = ""):
    """Every command that does something, by its full name."""
    for key, part in getattr(command, "commands", {}).items():
        yield from named(part, f"{name} {key}".strip())
    if not hasattr(command, "commands"):
        yield name


@pytest.mark.parametrize("verb", list(named(typer.main.get_command(command_line()))))
def test_examples_stay_whole_in_eighty_columns(call, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    said = call(*verb.split(), "--help")
    assert said.code == 0
    lines = said.out.splitlines()
    examples = [at for at, line in enumerate(lines) if f" exegesis {verb} " in line and "Usage" not in line]
    assert examples
    assert all(lines[at].count('"') % 2 == 0 for at in examples)
    for at in examples:  # none goes on in the next line
        assert not lines[at + 1].strip() or lines[at + 1].lstrip().startswith("exegesis ")


def test_a_reader_of_the_view_that_leaves(call, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(Terminal):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert call("explain", TEXT) == (0, "", "")


def test_terminals(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["explain", TEXT, "--model", str(folder)]
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    for variable, colours in (("EXEGESIS_NOTHING", True), ("NO_COLOR", False)):
        monkeypatch.setenv(variable, "1")
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            assert run(given) == 0
        assert ("38;5" in terminal.getvalue()) == colours
        assert "tedious" in terminal.getvalue()
    monkeypatch.setenv("COLUMNS", "30")
    code, out = encoded(monkeypatch, "ascii", *given)
    assert code == 0
    assert "\x1b" not in out
    assert out.isascii()
    assert max(len(line.replace("\\xb7", ".")) for line in out.splitlines()) <= 30


def test_standard_output_stays_clean_of_progress(call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a terminal for messages only, results still go where they should."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    said = call("explain", TEXT, TEXT, "--json", "-")
    assert [json.loads(line)["text"] for line in said.out.splitlines()] == [TEXT, TEXT]
    assert "integrated-gradients" in terminal.getvalue()  # the progress bar


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_places_that_cannot_be_written(call, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        said = call("explain", TEXT)
    assert (said.code, said.err) == (
        1, "exegesis: cannot read or write standard output (No space left on device)\n"
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("view", [["--level", "all"], ["--hierarchy", "acd"], ["--numbers"]])
def test_where_the_encoding_has_no_box_characters_rows_stand_as_in_others(
    monkeypatch: pytest.MonkeyPatch, view: list[str], encoding: str
) -> None:
    drawn = []
    for name in ("utf-8", encoding):
        code, out = encoded(monkeypatch, name, "explain", f"{TEXT} \u4e2d", *view)
        assert code == 0
        drawn.append([line for line in out.splitlines() if " ms" not in line])
    whole, plain = drawn
    assert [len(line.replace("\u4e2d", "\\u4e2d")) for line in whole] == list(map(len, plain))
    assert "\\u4e2d" in "".join(plain)  # a character that has no likeness is escaped
    assert "\\u25" not in "".join(plain)
    assert any("+--" in line or "|#" in line or "#|" in line for line in plain)
