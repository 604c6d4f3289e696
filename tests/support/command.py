"""The command line called in the process of the tests: what it prints, and streams to print to."""

from __future__ import annotations

import io
from typing import NamedTuple

import pytest

from exegesis.cli import run
from exegesis.cli.outputs import show_all

TEXT = "The fight scenes are fun but it grows tedious"


class Said(NamedTuple):
    """The exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def encoded(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: object) -> tuple[int, str]:
    """The exit code and standard output of a command whose standard output has an encoding."""
    with monkeypatch.context() as patch:
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        patch.setattr("sys.stdout", stream)
        show_all()
        code = run([str(argument) for argument in arguments])
        stream.flush()
        return code, stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
