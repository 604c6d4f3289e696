"""How far work on a text has come, told to whoever listens. Imports no torch.

Whoever works tells the name of what it counts, how many are done and how many there are; a progress bar listens. With
nobody listening nothing happens.
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
    """Within the block, ``listener`` is called with what is counted, how many are done, how many there are."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: int, total: int) -> None:
    """Say how far some work has come; at ``total`` it is over."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)


def counted(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """The items as they are; each counts as done when the next one is asked for."""
    tell(what, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        tell(what, done, total)


class Tally:
    """A count that several parts of some work add to."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0

    def add(self, more: int) -> None:
        """So many more are done."""
        self.done += more
        tell(self.what, self.done, self.total)
