"""One thread at a time in a module, because explaining it changes its mode and hangs hooks on its parts."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from exegesis.core.errors import ModelError

_free = threading.Condition()
_held: dict[int, int] = {}  # the thread that holds each part, by the ids of both
_waiting: dict[int, set[int]] = {}  # the parts that each waiting thread wants


def parts_of(thing: object) -> dict[int, object]:
    """A thing, by its id; of a module all that it may share with others: submodules, and weights that are tied."""
    modules = list(thing.modules()) if isinstance(thing, nn.Module) else [thing]
    weights = [weight for part in modules if isinstance(part, nn.Module) for weight in part._parameters.values()]
    return {id(part): part for part in (*modules, *weights) if part is not None}


@contextmanager
def alone(thing: object) -> Iterator[None]:
    """Keep other threads out of a module for the length of a block, and out of all modules that share parts with it.

    Any other thing that bears one thread at a time (a tokenizer, say) is kept alike; None is nothing to keep. A thread
    may enter again. Raises ModelError instead of waiting for a thread that waits for this one.
    """
    me, parts = threading.get_ident(), parts_of(thing)
    taken: set[int] = set()
    try:
        with _free:
            while any(_held.get(part, me) != me for part in parts):
                if _waits_for(me, parts):
                    raise ModelError(
                        "two threads wait for each other's modules, each from code that its own module runs: explain "
                        "no other module from the hooks of a module"
                    )
                _waiting[me] = set(parts)
                try:
                    _free.wait()
                finally:
                    del _waiting[me]
            taken = parts.keys() - _held.keys()
            _held.update(dict.fromkeys(taken, me))
        yield
    finally:
        if taken:
            with _free:
                for part in taken:
                    _held.pop(part, None)
                _free.notify_all()


def _waits_for(me: int, parts: Iterable[int]) -> bool:
    """True if a holder of one of the parts waits, itself or through others, for a part that this thread holds."""
    seen: set[int] = set()
    ahead = {_held[part] for part in parts if part in _held} - {me}
    while ahead:
        thread = ahead.pop()
        seen.add(thread)
        holders = {_held[part] for part in _waiting.get(thread, ()) if part in _held}
        if me in holders:
            return True
        ahead |= holders - seen
    return False
