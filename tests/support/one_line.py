"""Inputs of any kind are served, or refused in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from exegesis.core.errors import ExegesisError

LONGEST = 400  # characters of a line that a terminal can show


@contextmanager
def said_in_one_line() -> Iterator[None]:
    """Let a block pass, or raise an error of the package with one line that is not too long; anything else fails."""
    complaint = "served"
    try:
        yield
    except ExegesisError as error:
        complaint = str(error)
    assert complaint
    assert "\n" not in complaint
    assert len(complaint) <= LONGEST
