"""Examples and their readers.

A source is a file (TSV, CSV, JSON lines, or plain text with one text per line), a folder that holds such files or
parquet files named after their split, or the name of a Hugging Face dataset (``name`` or ``name:config``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self, SupportsIndex

from exegesis.core.containers import is_missing, shown
from exegesis.core.disk.files import as_path
from exegesis.core.errors import FileError, UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.data.tables import ID_NAMES, LABEL_NAMES, PAIR_NAMES, SUFFIXES, TEXT_NAMES, Cell, Table, read_table

Column = str | SupportsIndex
_log = logging.getLogger("exegesis.data")

SPLIT_NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "valid", "validation", "val"),
    "test": ("test",),
}


@dataclass(frozen=True)
class Example:
    """A text, or a pair of texts, with its gold label if it has one.

    ``id`` is a hash of the content (text and label, 128 bits in hex): equal content has an equal id in any
    file and on any machine. ``number`` counts the examples of its source from 1, ``name`` is what the source calls it
    (a cell of a column such as ``id``); both are no part of the content.
    """

    text: str | tuple[str, str]
    label: str | None
    id: str
    number: int | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, text: str | tuple[str, str], label: str | None = None) -> Self:
        """An example with its id computed."""
        parts = [text] if isinstance(text, str) else list(text)
        content = json.dumps([parts, label])
        return cls(text, label, hashlib.blake2b(content.encode("ascii"), digest_size=16).hexdigest())


def read_examples(
    source: str | Path,
    text: Column | None = None,
    label: Column | None = None,
    pair: Column | None = None,
    split: str | None = None,
    *,
    header: bool | None = None,
    skip_blank: bool = False,
    encoding: str | None = None,
    separator: str | None = None,
) -> list[Example]:
    """Read every example of a source, in order.

    Columns are given by name, or by number counted from 1 (a name wins if a column is called "2"). ``pair`` is the
    column of the second text. By default a table with a header is searched for the usual names (sentence, text, ...;
    label, class, ...; premise and hypothesis, sentence1 and sentence2); a table without a header has its text in
    column 1 and, if it has two columns, its label in column 2. The content of the first row decides if it is a
    header, unless ``header`` is given. ``split`` chooses the file in a folder, or the split of a dataset: train, dev,
    test, or its own name. ``skip_blank`` leaves out rows without text and logs their numbers; without it they are an
    error. ``encoding`` is that of a file, by default UTF-8 or UTF-16 with its mark, else Latin-1 with a warning;
    ``separator`` stands between its cells, by default commas or tabs, or what its header or rows show (the log says
    so).

    Raises FileError (file and line named) for a file that is missing, empty, ragged, damaged or in another encoding, or
    a row without text; UsageError for a column that is not there; MissingExtraError without the data extra.
    """
    read = partial(
        read_table,
        header=header,
        names=[column for column in (text, label, pair) if isinstance(column, str)],
        encoding=encoding,
        separator=separator,
    )
    table = _table(source, split, read)
    first, second, gold = _choose(table, text, label, pair)
    rows = list(range(len(table.rows)))
    if skip_blank:
        places = [first] if second is None else [first, second]
        rows = [i for i in rows if not any(is_blank(table.rows[i][place]) for place in places)]
        skipped = [table.lines[i] for i in sorted(set(range(len(table.rows))) - set(rows))]
        say_skipped(skipped, len(table.rows), f"{table.source}, line")
    named = next((i for i, name in enumerate(table.columns or ()) if name.lower() in ID_NAMES), None)
    named = None if named in (first, second, gold) else named
    names = [None if named is None else table.rows[i][named] for i in rows]
    examples = [_example(table, i, first, second, gold) for i in rows]
    return [replace(one, number=i + 1, name=name) for one, i, name in zip(examples, rows, names, strict=True)]


def is_blank(text: object) -> bool:
    """True if a text, or a part of a pair, is blank or missing (None; NaN, NaT or NA in tables)."""
    if isinstance(text, tuple):
        return any(map(is_blank, text))
    return not text.strip() if isinstance(text, str) else is_missing(text)


def say_skipped(numbers: Sequence[int], count: int, where: str) -> None:
    """Log the numbers of blank texts that are left out. Raises UsageError if all ``count`` texts are blank."""
    if not numbers:
        return
    if len(numbers) == count:
        raise UsageError("every text is blank; give at least one with words")
    shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    _log.warning("%d blank text%s skipped (%s %s)", len(numbers), "s" * (len(numbers) > 1), escaped(where), shown)


def find_split(folder: Path, split: str) -> list[Path]:
    """The files of a folder that hold a split: one table file, or any number of parquet shards, or none.

    Raises UsageError if two table files claim the split.
    """
    stems = SPLIT_NAMES.get(split, (split,))
    tables = [p for stem in stems for suffix in SUFFIXES if (p := folder / f"{stem}{suffix}").is_file()]
    if len(tables) > 1:
        raise UsageError(f"{folder}: {tables[0].name} and {tables[1].name} both hold the {split} split; give one")
    if tables:
        return tables
    return [p for p in sorted(folder.rglob("*.parquet")) if p.name.split(".")[0].split("-")[0] in stems]


def is_dataset_name(source: str) -> bool:
    """True if a source can only be the name of a Hugging Face dataset: no such path exists, and no table suffix."""
    path = Path(source)
    named = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?(:[\w.-]+)?", source) is not None
    return named and not path.exists() and path.suffix.lower() not in (*SUFFIXES, ".parquet")


def _table(source: str | Path, split: str | None, read: Callable[[Path], Table]) -> Table:
    path = as_path(source, "examples are read from a file, a folder or the name of a dataset")
    if path.is_dir():
        return _folder(path, split, read)
    if path.suffix.lower() == ".parquet" and path.exists():
        from exegesis.data.datasets import parquet_table

        return parquet_table([path])
    if isinstance(source, str) and is_dataset_name(source):
        from exegesis.data.datasets import hub_table

        return hub_table(source, split)
    return read(path)


def _folder(folder: Path, split: str | None, read: Callable[[Path], Table]) -> Table:
    from exegesis.data.datasets import parquet_table

    if split is None:
        shards = sorted(folder.rglob("*.parquet"))
        if shards and not any(find_split(folder, name) for name in SPLIT_NAMES):
            return parquet_table(shards)
        raise UsageError(f"{folder} is a folder: say which split of it (train, dev or test), or give a file")
    files = find_split(folder, split)
    if not files:
        wanted = ", ".join(f"{stem}.tsv" for stem in SPLIT_NAMES.get(split, (split,)))
        raise FileError(f"{folder}: no file for the {split} split; expected {wanted} (or .csv, .jsonl, .parquet)")
    return parquet_table(files) if files[0].suffix == ".parquet" else read(files[0])


def _choose(
    table: Table, text: Column | None, label: Column | None, pair: Column | None
) -> tuple[int, int | None, int | None]:
    """Column indices of the text, the second text and the label."""
    first = _find(table, text, "text") if text is not None else None
    second = _find(table, pair, "pair") if pair is not None else None
    gold = _find(table, label, "label") if label is not None else None
    lower = [name.lower() for name in table.columns or ()]
    if first is None and second is None:
        for former, latter in PAIR_NAMES:
            if former in lower and latter in lower:
                first, second = lower.index(former), lower.index(latter)
    taken = {second, gold}
    if first is None:
        first = next((lower.index(n) for n in TEXT_NAMES if n in lower and lower.index(n) not in taken), None)
    if first is None and table.width - len(taken - {None}) <= (1 if label is not None else 2):
        first = next((i for i in range(table.width) if i not in taken), None)
    if first is None:
        raise UsageError(f"{table.source}: say which column holds the text; it has {_columns(table)}")
    if gold is None:
        gold = next((lower.index(n) for n in LABEL_NAMES if n in lower and lower.index(n) != first), None)
    if gold is None and table.columns is None and table.width == 2 and second is None:
        gold = 1 - first
    return first, second, gold


def _find(table: Table, column: Column, role: str) -> int:
    names = table.columns or ()
    if isinstance(column, str) and column in names:
        return names.index(column)
    if not isinstance(column, str):
        column = _whole(column, role)
    if isinstance(column, int) or (column.isascii() and column.isdecimal()):
        if len(str(column)) < 9 and 1 <= int(column) <= table.width:
            return int(column) - 1
        raise UsageError(f"{table.source}: no {role} column {column!s:.60}; it has {_columns(table)}, counted from 1")
    if not names and str(table.source).lower().endswith(".txt"):
        raise UsageError(f"{table.source}: a .txt file has one text per line, no columns; name a table .tsv or .csv")
    if not names:
        raise UsageError(f"{table.source}, line 1: no header with a column {column!r}; give the column's number")
    error = unknown("column", column, names)
    raise UsageError(f"{table.source}, line 1: {error}")


def _whole(column: SupportsIndex, role: str) -> int:
    try:
        return operator.index(column)
    except TypeError:
        raise UsageError(f"the {role} column is a name, or a number from 1, not {shown(column)}") from None


def _columns(table: Table) -> str:
    if table.columns is None:
        return f"{table.width} column{'s' * (table.width > 1)} and no header"
    return "the columns " + ", ".join(table.columns)


def _example(table: Table, row: int, first: int, second: int | None, gold: int | None) -> Example:
    cells = table.rows[row]
    label = cells[gold].strip() if gold is not None and cells[gold] is not None else None  # type: ignore[union-attr]
    raw = _text(table, row, cells[first])
    text = raw if second is None else (raw, _text(table, row, cells[second]))
    return Example.of(text, label or None)


def _text(table: Table, row: int, cell: Cell) -> str:
    if cell is None or not cell.strip():
        raise FileError(f"{table.where(row)}: the text is empty; fill it in or drop the line")
    return cell
