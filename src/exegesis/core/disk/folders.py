"""Folders replaced as a whole: at no moment does a half-written folder bear the name."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from exegesis.core.disk.files import SUFFIX, lock

_NEW, _OLD = "new-", "old-"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A fresh folder beside ``target``, which takes its name at the end of the block.

    A folder of that name is moved aside and then removed; for an instant between two renames none has the name. After
    an error it is back, and the fresh folder is gone. What a killed process left is put right by ``recover``.
    """
    recover(target)
    with _hidden(target, _NEW) as fresh:
        yield fresh
        sync(fresh)
        if not target.exists():
            fresh.rename(target)
        else:
            with _hidden(target, _OLD) as aside:
                _swap(fresh, target, aside / target.name)
        sync(target.parent)


def recover(target: Path) -> None:
    """Put right what a process that was killed while it replaced a folder left: the previous folder gets its name back
    if none has it, and hidden folders are removed. Those of a process that still runs are left alone."""
    with suppress(OSError):
        for path in sorted(target.parent.iterdir()):
            if not (path.name.startswith(_prefix(target)) and path.name.endswith(SUFFIX)) or not _dead(path):
                continue
            if (path / target.name).is_dir() and not (target.exists() or target.is_symlink()):
                (path / target.name).rename(target)
            shutil.rmtree(path, ignore_errors=True)


def sync(folder: Path) -> None:
    """Flush the entries of a folder to the disk, if the system can open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(fresh: Path, target: Path, aside: Path) -> None:
    target.rename(aside)
    try:
        fresh.rename(target)
    except BaseException:
        aside.rename(target)
        raise


@contextmanager
def _hidden(target: Path, kind: str) -> Iterator[Path]:
    """A hidden folder beside another, locked while the block runs, then removed."""
    path, handle = _locked(target, kind)
    try:
        yield path
    finally:
        try:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            if handle is not None:
                os.close(handle)


def _locked(target: Path, kind: str) -> tuple[Path, int | None]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_prefix(target) + kind, suffix=SUFFIX, dir=target.parent))
        if os.name != "posix":  # Windows opens no folders
            return path, None
        handle = os.open(path, os.O_RDONLY)
        lock(handle, wait=True)
        if path.exists():  # otherwise another process cleared it before it was locked
            return path, handle
        os.close(handle)


def _dead(path: Path) -> bool:
    """True if no process holds a hidden folder of this machine."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            return lock(handle)
        finally:
            os.close(handle)
    return False


def _prefix(target: Path) -> str:
    """The beginning of the names of hidden folders of this machine for a folder."""
    whose = hashlib.blake2b(f"{platform.node()}\0{target.name}".encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f".{target.name.encode('utf-8', 'surrogateescape')[:100].decode('utf-8', 'ignore')}-{whose}."
