"""The error tree. Every message is one line: what was wrong, and what to do.

::

    ExegesisError
    ├── UsageError            the call is wrong: an unknown label, method, level, option (also a ValueError)
    │   ├── TextError         the text cannot be explained: empty, or only blanks
    │   └── SpanError         a span outside the text, or one that cuts a word
    ├── UnsupportedError      the call is sound, but this model cannot serve it (also a TypeError)
    ├── ModelError            the model misbehaves: NaN weights or outputs, a wrong shape
    ├── CapacityError         a text needs more memory than there is (also a MemoryError)
    ├── FileError             a file or folder is missing, damaged, or of another kind (also an OSError)
    └── MissingExtraError     an optional dependency is not installed (also an ImportError)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from exegesis.core.escapes import escaped


class ExegesisError(Exception):
    """The base of all errors of Exegesis. Its message is one line, in which no name or label acts on a terminal."""

    def __str__(self) -> str:
        return escaped(super().__str__())


class UsageError(ExegesisError, ValueError):
    """The call is wrong; the command line exits with 2."""


class TextError(UsageError):
    """The text cannot be explained."""


class SpanError(UsageError):
    """A span lies outside the text or cuts a word."""


class UnsupportedError(ExegesisError, TypeError):
    """The model cannot serve this method; the message names what would be needed."""


class ModelError(ExegesisError):
    """The outputs of a model cannot be explained (NaN, a wrong shape)."""


class CapacityError(ExegesisError, MemoryError):
    """A text needs more memory than there is, even if it is explained alone."""


class FileError(ExegesisError, OSError):
    """A file or folder is missing, damaged, or not what it should be."""


class MissingExtraError(ExegesisError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package}: pip install 'exegesis[{extra}]'")
        self._said = (package, extra, purpose)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        return type(self), self._said


for _error in (ExegesisError, UsageError, TextError, SpanError, UnsupportedError, ModelError, CapacityError, FileError,
               MissingExtraError):  # fmt: skip
    _error.__module__ = "exegesis"  # the address that users know, in tracebacks and pickles


def unknown(kind: str, given: object, known: Iterable[str]) -> UsageError:
    """A UsageError that lists the known names and suggests the nearest."""
    names = list(known)
    near = difflib.get_close_matches(str(given)[:60], names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    return UsageError(f"unknown {kind} {str(given)[:60]!r}{hint} (known: {shown})")


def out_of_memory(error: BaseException) -> bool:
    """True if an error says that memory ran out: Python's, a GPU's, or torch's RuntimeError on the CPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error))
    )


def is_panic(error: BaseException) -> bool:
    """True if an error is the panic of a library in Rust, such as tokenizers: it is no Exception."""
    return type(error).__name__ == "PanicException"
