"""Files are written whole or not at all. Imports no torch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from exegesis.core.errors import FileError


def write_whole(path: str | os.PathLike[str], data: str | bytes) -> Path:
    """Write a file through a temporary one beside it, so that a reader sees the old file or the new one.

    Text is written as UTF-8; characters that UTF-8 cannot hold (lone surrogates) become ``\\udXXX``.
    Raises FileError where the place cannot be written.
    """
    target = Path(path)
    raw = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    temporary: str | None = None
    try:
        if target.exists() and not target.is_file():
            # a pipe or a device (such as /dev/stdout) is written directly; a folder is an error
            target.write_bytes(raw)
            return target
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
    return target


def read_text(path: str | os.PathLike[str]) -> str:
    """A whole UTF-8 file. Raises FileError where it is missing or is not UTF-8 text."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
