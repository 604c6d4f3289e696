"""Tables from parquet files and from Hugging Face datasets; both need the ``data`` extra."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exegesis.core import hub
from exegesis.core.errors import FileError, MissingExtraError, UsageError
from exegesis.data.tables import Cell, Table, as_cell

_SPLITS = {"dev": ("validation", "dev", "valid", "val"), "train": ("train",), "test": ("test",)}
_PLAIN = ("string", "large_string", "bool", "float", "double", "halffloat")


def parquet_table(paths: Sequence[Path]) -> Table:
    """The rows of parquet shards in order; class numbers become class names if the file lists the names.

    Raises MissingExtraError without pyarrow, FileError for a damaged or empty file.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", "data", "reading parquet files") from None
    try:
        whole = pa.concat_tables([pq.read_table(path) for path in paths])
        keep = [f.name for f in whole.schema if str(f.type) in _PLAIN or "int" in str(f.type)]
        columns = {name: whole[name].to_pylist() for name in keep}
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise FileError(f"{paths[0]}: not a readable parquet file ({_line(error)}); fetch it again") from None
    return _build(str(paths[0]), columns, _class_names((whole.schema.metadata or {}).get(b"huggingface", b"{}")))


def _class_names(metadata: bytes) -> dict[str, list[str]]:
    """The names of classes by column, as Hugging Face's metadata lists them; none if they are damaged."""
    try:
        features = json.loads(metadata)["info"]["features"]
        listed = {name: feature["names"] for name, feature in features.items() if "names" in feature}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    fit = {name for name, names in listed.items() if isinstance(names, list) and all(isinstance(n, str) for n in names)}
    return {name: listed[name] for name in fit}


def hub_table(name: str, split: str | None) -> Table:
    """A split of the Hugging Face dataset ``name`` or ``name:config``, loaded by the datasets package.

    ``dev`` stands for validation too; without a split the dataset must have exactly one. Raises MissingExtraError,
    FileError if the dataset cannot be loaded, UsageError for an unknown split.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("datasets", "data", f"{name!r} is not a file; reading it as a dataset") from None
    repository, _, config = name.partition(":")
    load: Callable[..., Any] = datasets.load_dataset
    try:
        with _offline(not hub.answers(repository, "dataset", "README.md")):
            splits = load(repository, config or None)
    except Exception as error:  # the package raises many kinds, network failures among them
        raise FileError(f"{name}: no such file, and no dataset to be had ({_line(error)}); check the name") from None
    wanted = _SPLITS.get(split, (split,)) if split else tuple(splits) if len(splits) == 1 else ()
    chosen = next((key for key in wanted if key in splits), None)
    if chosen is None:
        raise UsageError(f"{name}: no split {split or '(none given)'!r}; it has {', '.join(splits)}")
    data = splits[chosen]
    names = {key: getattr(feature, "names", None) for key, feature in data.features.items()}
    return _build(f"{name}[{chosen}]", {key: list(data[key]) for key in data.column_names}, names)


@contextmanager
def _offline(wanted: bool) -> Iterator[None]:
    """Load what is stored, and ask nobody, if ``wanted``."""
    places: list[Any] = [sys.modules.get(name) for name in ("datasets.config", "huggingface_hub.constants")]
    known = [(place, place.HF_HUB_OFFLINE) for place in places if wanted and hasattr(place, "HF_HUB_OFFLINE")]
    try:
        for place, _ in known:
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, before in known:
            place.HF_HUB_OFFLINE = before


def _build(source: str, columns: dict[str, list[object]], names: Mapping[str, Sequence[str] | None]) -> Table:
    cells = [[_named(value, names.get(key)) for value in values] for key, values in columns.items()]
    rows = tuple(zip(*cells, strict=True))
    if not rows:
        raise FileError(f"{source}: holds no rows; give at least one text")
    return Table(source, tuple(columns), rows, tuple(range(1, len(rows) + 1)))


def _named(value: object, names: Sequence[str] | None) -> Cell:
    if names and isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else None
    return as_cell(value)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__
