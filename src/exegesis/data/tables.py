"""Tables from files: TSV, CSV, JSON lines, plain text.

A cell is a string; ``None`` stands for a JSON null or an absent key. Every error names the file and the line, counted
from 1.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from exegesis.core.containers import is_missing, shown
from exegesis.core.errors import FileError, UsageError
from exegesis.core.escapes import escaped
from exegesis.data.encodings import decode
from exegesis.data.separators import long_fields, separator_of

SUFFIXES = (".tsv", ".csv", ".jsonl", ".txt")
TEXT_NAMES = ("sentence", "text", "review", "content", "document", "tweet", "comment", "question")
LABEL_NAMES = ("label", "labels", "gold_label", "class", "polarity", "sentiment", "category", "target")
PAIR_NAMES = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
ID_NAMES = ("id", "idx", "index", "guid", "uid")
_HEADER_WORDS = frozenset((*TEXT_NAMES, *LABEL_NAMES, *chain(*PAIR_NAMES), "split", "id", "idx", "index"))
MAX_CELL = 10_000_000  # characters of a cell; a longer one is no text that a model reads
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


def read_table(
    path: Path,
    header: bool | None = None,
    names: Iterable[str] = (),
    encoding: str | None = None,
    separator: str | None = None,
) -> Table:
    """Read a table by the suffix of its file.

    With ``header=None`` the first row is a header if one of its cells is a usual column name (sentence, text, label,
    ...) or one of ``names``. A ``.txt`` file has one text per line and no header. The cells of a ``.csv`` file are
    separated by commas, of a ``.tsv`` file by tabs, or by what the header or the rows show (``separator_of``; another
    one is logged), or by ``separator``. For ``encoding`` see ``decode``.

    Raises FileError for a missing, empty or ragged file, a NUL byte, another encoding, a doubled header, a cell that is
    too long, or broken JSON; UsageError for another kind of file.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES and path.is_file():
        raise UsageError(f"{path}: unknown kind of file {kind!r}; give one of {', '.join(SUFFIXES)}")
    if separator is not None and (not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n'):
        raise UsageError(f"a separator is one character, such as ';' or a tab, not {shown(separator)}")
    if separator is not None and kind not in (".csv", ".tsv"):
        raise UsageError(f"{path}: a {kind} file has no separator; leave it out")
    content = decode(path, encoding)
    if kind == ".jsonl":
        return _jsonl(path, content)
    if kind == ".txt":
        numbered: list[tuple[int, tuple[str, ...]]] = [(n, (line,)) for n, line in filled(content, str(path))]
        return _build(path, numbered, header=False)
    known = _HEADER_WORDS | {name.lower() for name in names}
    usual, stated = "," if kind == ".csv" else "\t", False
    if separator is None:
        separator, stated = separator_of(content, usual, () if header is False else known)
        if separator != usual:
            _log.warning("%s: its cells are separated by %r", escaped(path), separator)
    rows = list(_tsv(path, content) if separator == usual == "\t" else _csv(path, content, separator))[stated:]
    if header is None and rows:
        header = any(cell.strip().lower() in known for cell in rows[0][1])
    return _build(path, rows, header=bool(header))


def _split(content: str) -> list[str]:
    """Split at line feeds only: U+2028 and the like stay inside their text."""
    return content.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def filled(content: str, source: str) -> list[tuple[int, str]]:
    """The non-blank lines with their numbers; blank lines between them are logged."""
    lines = list(enumerate(_split(content), 1))
    for n, line in lines:
        _check_length(f"{source}, line {n}", line)
    rows = [(n, line) for n, line in lines if line.strip()]
    _log_blank([n for n, line in lines if not line.strip()], rows, source)
    return rows


def _check_length(where: str, cell: str) -> None:
    if len(cell) > MAX_CELL:
        raise FileError(f"{where}: {len(cell):,} characters in one cell, over {MAX_CELL:,}; is it one text a line?")


def _log_blank(blank: Sequence[int], rows: Sequence[tuple[int, object]], source: str) -> None:
    """Log the numbers of blank lines before the last row; blank lines at the end of a file shift no row."""
    skipped = [n for n in blank if rows and n < rows[-1][0]]
    if skipped:
        shown = ", ".join(map(str, skipped[:10])) + (", ..." if len(skipped) > 10 else "")
        _log.warning(
            "%d blank line%s left out (%s, line %s)", len(skipped), "s" * (len(skipped) > 1), escaped(source), shown
        )


def _tsv(path: Path, content: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Tab-separated cells; quotes are taken literally, since treebanks are full of them."""
    for n, line in filled(content, str(path)):
        yield n, tuple(line.split("\t"))


def _csv(path: Path, content: str, separator: str = ",") -> list[tuple[int, tuple[str, ...]]]:
    with long_fields():
        reader = csv.reader(io.StringIO(content, newline=""), strict=True, delimiter=separator)
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
    """A JSON or Arrow value as a cell: strings unchanged, NaN as none, whole floats as integers, the rest as JSON."""
    if is_missing(value) or isinstance(value, str):
        return value if isinstance(value, str) else None
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
        for cell in row:
            _check_length(f"{path}, line {n}", cell)
        if len(row) != width:
            raise FileError(
                f"{path}, line {n}: {len(row)} cell{'s' * (len(row) != 1)} where {width} are expected; mend this line"
            )
    return Table(str(path), columns, tuple(row for _, row in rows), tuple(n for n, _ in rows))
