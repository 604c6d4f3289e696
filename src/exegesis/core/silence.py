"""Warnings silenced for a block, one thread after the other, because Python keeps its filters for the whole process."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_silence = threading.RLock()


@contextmanager
def silent(kind: type[Warning] = Warning) -> Iterator[None]:
    """Ignore warnings of a kind for the length of a block."""
    with _silence, warnings.catch_warnings():
        warnings.simplefilter("ignore", kind)
        yield
