"""Progress of long computations, reported to a listener.

A computation reports the name of its units, how many are done and how many there are; a progress bar listens. Without
a listener nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Listener = Callable[[str, int, int], None]
Item = TypeVar("Item")
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Within the block, call ``listener`` with the units of each report, the number done, and the total."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: int, total: int) -> None:
    """Report progress; at ``total`` the work is done."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)


def counted(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """Yield the items; each counts as done when the next one is requested."""
    tell(what, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        tell(what, done, total)


class Tally:
    """A count to which several parts of a computation add."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0

    def add(self, more: int) -> None:
        """Report ``more`` units done."""
        self.done += more
        tell(self.what, self.done, self.total)
