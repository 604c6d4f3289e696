"""Tables from files: TSV, CSV, JSON lines, plain text.

A cell is a string; ``None`` stands for a JSON null or an absent key. Every error names the file and the line, counted
from 1.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from exegesis.core.errors import FileError, UsageError

SUFFIXES = (".tsv", ".csv", ".jsonl", ".txt")
TEXT_NAMES = ("sentence", "text", "review", "content", "document", "tweet", "comment", "question")
LABEL_NAMES = ("label", "labels", "gold_label", "class", "polarity", "sentiment", "category", "target")
PAIR_NAMES = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
_HEADER_WORDS = frozenset((*TEXT_NAMES, *LABEL_NAMES, *chain(*PAIR_NAMES), "split", "id", "idx", "index"))
_log = logging.getLogger("exegesis.data")

Cell = str | None


@dataclass(frozen=True)
class Table:
    """The rows of a table: ``rows[i]`` are the cells of the row that begins on line ``lines[i]`` of ``source``.

    ``columns`` are the names in the header, or None for a file without a header.
    """

    source: str
    columns: tuple[str, ...] | None
    rows: tuple[tuple[Cell, ...], ...]
    lines: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(self.columns) if self.columns is not None else len(self.rows[0])

    def where(self, row: int) -> str:
        """The file and line of a row, for messages."""
        return f"{self.source}, line {self.lines[row]}"


def read_table(path: Path, header: bool | None = None, names: Iterable[str] = ()) -> Table:
    """Read a table by the suffix of its file.

    With ``header=None`` the first row is a header if one of its cells is a usual column name (sentence, text, label,
    ...) or one of ``names``. A ``.txt`` file has one text per line and no header.
    Raises FileError for a missing, empty or ragged file, a NUL byte, a doubled header, or broken JSON; UsageError for
    another kind of file.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES and path.is_file():
        raise UsageError(f"{path}: unknown kind of file {kind!r}; give one of {', '.join(SUFFIXES)}")
    content = decode(path)
    if kind == ".jsonl":
        return _jsonl(path, content)
    if kind == ".txt":
        numbered: list[tuple[int, tuple[str, ...]]] = [(n, (line,)) for n, line in filled(content, str(path))]
        return _build(path, numbered, header=False)
    rows = list(_csv(path, content) if kind == ".csv" else _tsv(path, content))
    if header is None and rows:
        known = _HEADER_WORDS | {name.lower() for name in names}
        header = any(cell.strip().lower() in known for cell in rows[0][1])
    return _build(path, rows, header=bool(header))


def decode(path: Path) -> str:
    """The text of a file: UTF-8 (a byte-order mark is dropped), UTF-16 with its mark, or else Latin-1.

    Latin-1 is logged as a warning. Raises FileError if the file cannot be read or holds a NUL byte.
    """
    try:
        return decoded(path.read_bytes(), str(path))
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None


def decoded(data: bytes, source: str) -> str:
    """The text of bytes (see ``decode``); messages name their ``source``."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise FileError(f"{source}: damaged UTF-16; save the file as UTF-8") from None
    if (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise FileError(f"{source}, line {line}: holds a NUL byte; give a text file without NUL bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _log.warning("%s: line %d is not UTF-8; the file is read as Latin-1", source, line)
        return data.decode("latin-1")


def _split(content: str) -> list[str]:
    """Split at line feeds only: U+2028 and the like stay inside their text."""
    return content.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def filled(content: str, source: str) -> list[tuple[int, str]]:
    """The non-blank lines with their numbers; blank lines between them are logged."""
    lines = list(enumerate(_split(content), 1))
    rows = [(n, line) for n, line in lines if line.strip()]
    _log_blank([n for n, line in lines if not line.strip()], rows, source)
    return rows


def _log_blank(blank: Sequence[int], rows: Sequence[tuple[int, object]], source: str) -> None:
    """Log the numbers of blank lines before the last row; blank lines at the end of a file shift no row."""
    skipped = [n for n in blank if rows and n < rows[-1][0]]
    if skipped:
        shown = ", ".join(map(str, skipped[:10])) + (", ..." if len(skipped) > 10 else "")
        _log.warning("%d blank line%s left out (%s, line %s)", len(skipped), "s" * (len(skipped) > 1), source, shown)


def _tsv(path: Path, content: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Tab-separated cells; quotes are taken literally, since treebanks are full of them."""
    for n, line in filled(content, str(path)):
        yield n, tuple(line.split("\t"))


def _csv(path: Path, content: str) -> list[tuple[int, tuple[str, ...]]]:
    with _long_fields():
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        first, blank, found = 1, list[int](), list[tuple[int, tuple[str, ...]]]()
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    found.append((first, tuple(row)))
                else:
                    blank.append(first)
                first = reader.line_num + 1
        except csv.Error as error:
            raise FileError(f"{path}, line {first}: broken CSV ({error}); check its quotes") from None
    _log_blank(blank, found, str(path))
    return found


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the csv module's limit on the length of a cell and restore it."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _jsonl(path: Path, content: str) -> Table:
    records: list[tuple[int, dict[str, object]]] = []
    for n, line in filled(content, str(path)):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{path}, line {n}: not JSON ({_first_line(error)}); give one object per line") from None
        if not isinstance(record, dict):
            raise FileError(f"{path}, line {n}: not a JSON object; give one object per line")
        records.append((n, record))
    if not records:
        raise FileError(f"{path}: holds no rows; give at least one text")
    columns = tuple(dict.fromkeys(key for _, record in records for key in record))
    rows = tuple(tuple(as_cell(record.get(name)) for name in columns) for _, record in records)
    return Table(str(path), columns, rows, tuple(n for n, _ in records))


def as_cell(value: object) -> Cell:
    """A JSON or Arrow value as a cell: strings unchanged, whole floats as integers, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, default=str)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _build(path: Path, rows: list[tuple[int, tuple[str, ...]]], *, header: bool) -> Table:
    columns: tuple[str, ...] | None = None
    if header and rows:
        columns = tuple(cell.strip() for cell in rows[0][1])
        for name in columns:
            if columns.count(name) > 1:
                raise FileError(f"{path}, line {rows[0][0]}: two columns are called {name!r}; rename one")
        rows = rows[1:]
    if not rows:
        raise FileError(f"{path}: holds no rows; give at least one text")
    width = len(columns) if columns is not None else len(rows[0][1])
    for n, row in rows:
        if len(row) != width:
            raise FileError(f"{path}, line {n}: {len(row)} cells where {width} are expected; mend this line")
    return Table(str(path), columns, tuple(row for _, row in rows), tuple(n for n, _ in rows))
