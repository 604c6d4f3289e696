"""A store: a folder of parquet shards that are written whole, named by their content, and never changed.

``STORE/rows/METHOD-ASKED-UNIT-SUM.parquet`` holds the rows of one method for the texts of one unit: ASKED is the start
of the hash of what was asked (``rows.Asked``), UNIT a hash of its texts, SUM the start of the SHA-256 of the file, by
which a damaged one is told. ``STORE/store.json`` says that the folder is a store. Reading one loads no torch.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from exegesis.core.disk.checksums import checksum
from exegesis.core.disk.files import as_path, clear, lock, read_text, write_whole
from exegesis.core.disk.folders import sync
from exegesis.core.errors import FileError, UsageError
from exegesis.jobs.rows import FORM, REPEATED, arrow, schema

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT, MARK, ROWS = "exegesis.store", "store.json", "rows"
SHORT = 16  # hex digits of a hash in a name


class Shard(NamedTuple):
    """A file of a store, by the parts of its name."""

    path: Path
    method: str
    asked: str
    unit: str
    sum: str

    @classmethod
    def of(cls, path: Path) -> Shard | None:
        """The shard at a path; None if it has no shard's name."""
        parts = path.stem.rsplit("-", 3)
        return cls(path, *parts) if len(parts) == 4 and path.suffix == ".parquet" else None

    @property
    def whole(self) -> bool:
        """True if the file holds what was written."""
        return self.path.is_file() and checksum(self.path)[:SHORT] == self.sum

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows, of some columns; those that an older version did not write are null. Raises FileError for a file
        that is not readable parquet."""
        package = arrow()
        try:
            if columns is None:
                return package.parquet.read_table(self.path)
            file, types = package.parquet.ParquetFile(self.path), schema()
            with file:
                found = file.read([name for name in columns if name in file.schema_arrow.names])
            for name in set(columns) - set(found.column_names):
                found = found.append_column(name, package.nulls(found.num_rows, types.field(name).type))
            return found.select(list(columns))
        except (package.ArrowException, OSError, ValueError, KeyError) as error:
            first = (str(error).splitlines() or [""])[0][:160]
            raise FileError(f"{self.path}: damaged ({first}); the run that wrote it mends it") from None


@dataclass(frozen=True)
class Store:
    """A folder of rows (see the module)."""

    folder: Path

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, new: bool = False) -> Store:
        """A store to read, or, with ``new``, to write, made if there is none.

        Raises FileError if there is no store of this version, or for a folder that holds something else.
        """
        path = as_path(folder, "a store is the name of a folder")
        mark = path / MARK
        if mark.is_file():
            version = cls._version(path, mark)
            if new and version < FORM:
                raise UsageError(
                    f"{path} was written in version {version} of the schema, whose columns are others than those of "
                    f"{FORM}: it can be read, but name another store for this run"
                )
            return cls(path)
        if not new:
            raise FileError(f"{path} is no store of explanations (no {MARK}): exegesis run writes one")
        if path.exists() and not (
            path.is_dir() and all(one.name == ROWS or one.name[0] == "." for one in path.iterdir())
        ):
            raise FileError(f"{path} holds other files: name a store, or a folder that is empty or does not exist")
        try:
            (path / ROWS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot write {path} ({error.strerror or error}); choose another place") from error
        write_whole(mark, json.dumps({"format": FORMAT, "version": FORM}) + "\n")
        return cls(path)

    @staticmethod
    def _version(path: Path, mark: Path) -> int:
        """The version of the schema of a store. Raises FileError for a mark that is damaged, or of a later version."""
        try:
            said = json.loads(read_text(mark))
            fits = said["format"] == FORMAT and type(said["version"]) is int
        except (ValueError, TypeError, LookupError):
            fits = False
        if not fits:
            raise FileError(f"{mark} is damaged or of another program; write {json.dumps({'format': FORMAT})} anew")
        if said["version"] > FORM:
            raise FileError(f"{path} was written in version {said['version']}, newer than {FORM}: upgrade exegesis")
        return int(said["version"])

    @cached_property
    def rows(self) -> Path:
        """The folder of the shards."""
        return self.folder / ROWS

    def shards(self, asked: str = "") -> list[Shard]:
        """The shards, of one question or of all, in the order of their names."""
        found = filter(None, map(Shard.of, sorted(self.rows.glob("*.parquet")))) if self.rows.is_dir() else ()
        return [shard for shard in found if not asked or shard.asked == asked[:SHORT]]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the store, so that no other process writes to it, and clear what a killed one left.

        Raises FileError if another process holds it. (Windows has no such locks: there nothing is refused.)
        """
        try:
            self.rows.mkdir(exist_ok=True)
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise FileError(f"cannot write {self.folder} ({error.strerror or error}); choose another place") from error
        try:
            if os.name == "posix" and not lock(handle):
                raise FileError(f"{self.folder} is being written by another run: wait for its end, or name another")
            clear(self.rows, ".")
            yield
        finally:
            os.close(handle)

    def add(self, method: str, asked: str, unit: str, table: pa.Table) -> Shard:
        """Write a shard, completely or not at all. Raises FileError if it cannot be written."""
        return self.put(method, asked, unit, written(table))

    def put(self, method: str, asked: str, unit: str, data: bytes) -> Shard:
        """Write the bytes of a shard, as ``add`` does its table."""
        name = f"{method}-{asked[:SHORT]}-{unit}-{checksum(data)[:SHORT]}.parquet"
        path = write_whole(self.rows / name, data)
        sync(self.rows)
        found = Shard.of(path)
        assert found is not None
        return found

    def set_aside(self, shard: Shard, why: str) -> None:
        """Take a shard out of the store; its file stays, under a name that nothing reads."""
        os.replace(shard.path, shard.path.with_suffix(f".{why}"))


def written(table: pa.Table) -> bytes:
    """The bytes of a shard: the same for the same rows. What repeats is written once (a dictionary of parquet)."""
    sink = io.BytesIO()
    package: Any = arrow()
    package.parquet.write_table(table, sink, compression="zstd", use_dictionary=REPEATED)
    return sink.getvalue()
