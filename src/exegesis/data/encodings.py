"""The characters of a file's bytes: UTF-8, UTF-16 and UTF-32 by their marks, Latin-1, or what the user says."""

from __future__ import annotations

import codecs
import logging
import re
from pathlib import Path

from exegesis.core.containers import shown
from exegesis.core.errors import FileError, UsageError
from exegesis.core.escapes import escaped

MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
_BEYOND_ASCII = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_log = logging.getLogger("exegesis.data")


def decode(path: Path, encoding: str | None = None) -> str:
    """The text of a file in an encoding; by default UTF-8, UTF-16 or UTF-32 with its mark, or else Latin-1.

    A byte-order mark is dropped. Latin-1 is logged as a warning; it is taken only for a file of which nothing beyond
    ASCII is UTF-8. Raises FileError if the file cannot be read, holds a NUL byte, or is not in its encoding, with the
    first line and byte that are not; UsageError for an unknown encoding.
    """
    try:
        return decoded(path.read_bytes(), str(path), encoding)
    except FileError:
        raise
    except (OSError, ValueError) as error:  # a name that holds a NUL is a ValueError
        if isinstance(error, UsageError):
            raise
        raise FileError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); check the path"
        ) from None


def decoded(data: bytes, source: str, encoding: str | None = None) -> str:
    """The text of bytes (see ``decode``); messages name their ``source``."""
    marked = next((name for mark, name in MARKS if data.startswith(mark)), None)
    if encoding is None and marked is None and b"\0" in data:
        raise _nul(source, _line(data, data.find(b"\0")))
    name = _checked(encoding) if encoding is not None else marked or "utf-8"
    try:
        content = data.decode(name)
    except UnicodeDecodeError as error:
        line, byte = _line(data, error.start), f"byte 0x{data[error.start]:02x} ({error.start + 1} of the file)"
        if name != "utf-8":
            raise FileError(f"{source}: damaged {name.upper()} at {byte}; save the file as UTF-8") from None
        if encoding is not None or _BEYOND_ASCII.search(data):
            raise FileError(
                f"{source}, line {line}: {byte} is not UTF-8, as the rest is; mend it, or say the file's encoding, as "
                "encoding='cp1252'"
            ) from None
        _log.warning("%s: line %d is not UTF-8; the file is read as Latin-1", escaped(source), line)
        content = data.decode("latin-1")
    except UnicodeError as error:
        raise FileError(f"{source}: is not {shown(encoding)} ({error!s:.60}); say its encoding") from None
    if "\0" in content:
        raise _nul(source, len(re.findall("\r\n|\r|\n", content[: content.find("\0")])) + 1)
    return content.removeprefix("\ufeff")


def _checked(encoding: str) -> str:
    """The usual name of an encoding. Raises UsageError for one that Python does not know, or that is none of text."""
    try:
        "".encode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, ValueError, TypeError, UnicodeError):
        raise UsageError(
            f"there is no encoding {shown(encoding)}; give one such as utf-8, cp1252 or shift_jis"
        ) from None


def _line(data: bytes, at: int) -> int:
    """The number of the line, from 1, of a byte."""
    return len(_LINE_END.findall(data, 0, at)) + 1


def _nul(source: str, line: int) -> FileError:
    return FileError(
        f"{source}, line {line}: holds a NUL byte; give a text file without NUL bytes (UTF-16 without its mark: say "
        "encoding='utf-16-le')"
    )
