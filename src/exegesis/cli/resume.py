"""Results of a long file of texts, line by line, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli.complaints import Interrupted
from exegesis.core.disk.files import partial_of, write_whole
from exegesis.core.errors import ExegesisError, FileError, UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example


@dataclass
class Run:
    """A run over the ``texts`` of a file: a name for the options on which its results depend, and the rows that an
    earlier run has written, ``each`` of them of a text."""

    name: str
    texts: int
    each: int
    rows: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self.done = len(self.rows) // self.each

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Say, where work ends early, how many texts are done, and how to go on."""
        try:
            yield
        except (KeyboardInterrupt, ExegesisError) as error:
            if not self.done:
                raise
            kind = Interrupted if isinstance(error, KeyboardInterrupt) else type(error)
            said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            where = f"{self.done} of {self.texts} texts are done: the same command with --resume goes on"
            raise kind(f"{said}; {where}") from error


def begun(place: Path, resume: bool, options: object, examples: Sequence[Example], each: int) -> Run | None:
    """The run that writes a file of JSON lines; None where no such file can be gone on with (a pipe, a device).

    Raises the errors of ``earlier``.
    """
    if place.exists() and not place.is_file():
        return None
    name = hashlib.blake2b(repr(options).encode(), digest_size=6).hexdigest()
    return Run(name, len(examples), each, earlier(place, resume, name, examples, each))


def earlier(path: Path, resume: bool, run: str, examples: Sequence[Example], each: int) -> list[dict[str, Any]]:
    """The rows of a run that did not end, of whole texts, each of which has ``each`` rows; the rest is cut off.

    Raises UsageError if there are such rows and they are not to be gone on with, or if they are of other texts or of a
    run with other options.
    """
    part = partial_of(path)
    if not resume:
        if part.exists():
            raise UsageError(f"{part} holds results of a run that did not end: go on with --resume, or remove it")
        return []
    source = part if part.exists() else path
    if not source.exists():
        return []
    lines = _lines(source)[: len(examples) * each]
    lines = lines[: len(lines) // each * each]
    rows = []
    for number, line in enumerate(lines):
        row = _row(line)
        text = examples[number // each].text
        if row.get("run") != run or row.get("text") != (text if isinstance(text, str) else "\n".join(text)):
            raise UsageError(
                f"{source}, line {number + 1}, is of other texts or of a run with other options: name another file, or "
                "leave --resume out"
            )
        rows.append(row)
    write_whole(part, b"".join(lines))
    return rows


def _lines(source: Path) -> list[bytes]:
    """The lines that are whole."""
    try:
        return [line for line in source.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    except OSError as error:
        raise FileError(f"cannot read {source} ({error.strerror or error}); check the path") from error


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
