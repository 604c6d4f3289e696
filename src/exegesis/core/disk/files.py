"""Files: written completely or not at all, and read from inside their folder."""

from __future__ import annotations

import errno
import os
import platform
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from exegesis.core.containers import shown
from exegesis.core.errors import FileError, UsageError

try:
    import fcntl
except ImportError:  # Windows, where leftovers are not cleared
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".exegesis"  # of temporary files
Put = Callable[[str | bytes], object]


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Put]:
    """Write a file part by part: ``put`` appends to a temporary file beside it, which takes the name at the end of the
    block. After an error nothing is left behind, and a previous file is unchanged; leftovers of a killed process are
    removed by the next that writes the same name (``clear``).

    Text is written as UTF-8; characters that UTF-8 cannot hold (lone surrogates) become ``\\udXXX``. A pipe or a
    device (such as /dev/stdout) is written directly. A link is followed. Raises FileError if the file cannot be
    written.
    """
    target = Path(path)
    with _named(target):
        final = target.resolve()
        direct = final.exists() and not final.is_file()  # a folder is refused by opening it
        handle, temporary = (None, "") if direct else _temporary(final)
        file = final.open("wb") if handle is None else os.fdopen(handle, "wb")
        held = None if handle is None else os.dup(handle)  # keeps the lock until the file has its name
    try:
        yield lambda data: _put(file, data, target)
        with _named(target):
            file.flush()
            if not direct:
                os.fsync(file.fileno())
            file.close()
            if not direct:
                os.chmod(temporary, final.stat().st_mode & 0o777 if final.exists() else 0o666 & ~_umask())
                os.replace(temporary, final)
    finally:
        _discard(file, temporary)
        if held is not None:
            os.close(held)


@contextmanager
def growing(path: str | os.PathLike[str]) -> Iterator[Put]:
    """Write a file part by part that can be gone on with: ``put`` appends to ``partial_of(path)``, which takes the name
    at the end of the block, and stays after an error if it holds anything. Raises FileError if it cannot be written."""
    target = Path(path)
    with _named(target):
        part = partial_of(target)
        file = part.open("ab")

    def put(data: str | bytes) -> None:
        _put(file, data, target)
        file.flush()

    try:
        yield put
        with _named(target):
            os.fsync(file.fileno())
            file.close()
            os.replace(part, target.resolve())
    finally:
        file.close()
        if part.exists() and not part.stat().st_size:
            part.unlink()


def partial_of(path: Path) -> Path:
    """The file that holds what ``growing`` has written of another so far."""
    final = path.resolve()
    return final.with_name(f"{final.name}.partial")


def try_writing(path: str | os.PathLike[str]) -> None:
    """Check before any work that ``writing`` will succeed: a temporary file is made beside the target and removed.

    A pipe or a device is not touched. Raises FileError if the file cannot be written.
    """
    target = Path(path)
    with _named(target):
        final = target.resolve()
        if final.exists() and not final.is_file():
            if final.is_dir() or not os.access(final, os.W_OK):
                raise PermissionError(errno.EACCES, "it is a folder" if final.is_dir() else "permission denied")
            return
        if not final.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder")
        handle, temporary = _temporary(final)
        os.unlink(temporary)
        os.close(handle)


def write_whole(path: str | os.PathLike[str], data: str | bytes) -> Path:
    """Write a file at once, atomically."""
    with writing(path) as put:
        put(data)
    return Path(path)


def as_path(source: object, what: str) -> Path:
    """The path that a user names. Raises UsageError, which says ``what`` is wanted, unless it is a string or a path,
    FileError for a name that no file can have."""
    if not isinstance(source, str | os.PathLike):
        raise UsageError(f"{what}, not {shown(source)}")
    try:
        os.stat(source)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise FileError(f"cannot read {shown(os.fspath(source))} ({error.strerror}); check the path") from None
    except ValueError:  # a NUL in the name
        raise FileError(f"cannot read {shown(os.fspath(source))} (a name holds no NUL); check the path") from None
    return Path(source)


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a whole UTF-8 file. Raises FileError if it is missing or not UTF-8."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from error
    except (OSError, ValueError) as error:  # a name that holds a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"cannot read {path} ({reason}); check the path") from error


def bare(name: str) -> bool:
    """True if a name can only be that of a file in its own folder, on any system: no path, no hidden file."""
    plain = name == PurePosixPath(name).name == PureWindowsPath(name).name
    return bool(name) and plain and not name.startswith(".") and name.isprintable() and ":" not in name


def inside(folder: Path, name: str) -> Path:
    """The path of a file that lies in a folder. Raises FileError for a link that leads out of it.

    The hub's cache keeps its files beside its folders, under ``blobs``; links to there are the folder's own.
    """
    path = folder / name
    try:
        home, real = folder.resolve(strict=True), path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise FileError(f"cannot read {path} ({getattr(error, 'strerror', None) or error}); check the path") from None
    blobs = home.parents[1] / "blobs" if home.parent.name == "snapshots" else None
    if home not in real.parents and real.parent != blobs:
        raise FileError(f"{path} is a link that leads out of its folder: put the file itself there")
    return path


def lock(handle: int, *, wait: bool = False) -> bool:
    """Lock an open file or folder until it is closed or its process ends.

    False if another process holds it, or where there are no locks (on Windows, on some file systems), so that nothing
    is cleared there either.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _put(file: IO[bytes], data: str | bytes, target: Path) -> None:
    with _named(target):
        file.write(data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data)


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Turn system errors into a FileError that names the file, except for a closed pipe."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # a name with a NUL; links in a circle
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"cannot write {target} ({reason}); choose another place") from error


def _discard(file: IO[bytes], temporary: str) -> None:
    with suppress(OSError):
        file.close()
    if temporary and os.path.exists(temporary):
        os.unlink(temporary)


def _temporary(final: Path) -> tuple[int, str]:
    """A temporary file beside the target, locked while it is open; leftovers of dead processes are removed first."""
    prefix = f".{_stem(final)}.{zlib.crc32(platform.node().encode()):08x}."
    clear(final.parent, prefix)
    while True:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=SUFFIX, dir=final.parent)
        lock(handle, wait=True)
        if os.fstat(handle).st_nlink:  # otherwise another process cleared it before it was locked
            return handle, name
        os.close(handle)


def clear(folder: Path, prefix: str) -> None:
    """Remove temporary files of this machine that no process has open: the system releases the locks of dead processes,
    so their locks can be taken."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and name.endswith(SUFFIX):
                with suppress(OSError), (folder / name).open("rb") as file:
                    if lock(file.fileno()):
                        os.unlink(folder / name)


def _stem(path: Path) -> str:
    """The beginning of a file name, so that a temporary name is never too long for the file system."""
    return path.name.encode("utf-8", "surrogateescape")[:100].decode("utf-8", "ignore")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
