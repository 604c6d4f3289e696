"""One thread at a time in a module, because explaining it changes its mode and hangs hooks on its parts."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from exegesis.core.errors import ModelError

_free = threading.Condition()
_held: dict[int, int] = {}  # the thread that holds each part, by the ids of both
_waiting: dict[int, set[int]] = {}  # the parts that each waiting thread wants


def modules_of(module: nn.Module) -> list[nn.Module]:
    """A module and all inside it, each once, as ``modules()`` finds them, in a fraction of its time."""
    found = {id(module): module}
    for part in (order := [module]):  # which grows meanwhile
        for inner in part._modules.values():
            if inner is not None and id(inner) not in found:
                found[id(inner)] = inner
                order.append(inner)
    return order


def parts_of(thing: object) -> dict[int, object]:
    """A thing, by its id; of a module all that it may share with others: submodules, and weights that are tied."""
    if not isinstance(thing, nn.Module):
        return {} if thing is None else {id(thing): thing}
    modules = modules_of(thing)
    parts: dict[int, object] = {id(part): part for part in modules}
    for part in modules:
        for weight in part._parameters.values():
            if weight is not None:
                parts[id(weight)] = weight
    return parts


@contextmanager
def alone(thing: object, parts: Mapping[int, object] | None = None) -> Iterator[None]:
    """Keep other threads out of a module for the length of a block, and out of all modules that share parts with it.

    Any other thing that bears one thread at a time (a tokenizer, say) is kept alike; None is nothing to keep. A thread
    may enter again. ``parts`` are those of the thing, if they are known. Raises ModelError instead of waiting for a
    thread that waits for this one.
    """
    me, wanted = threading.get_ident(), (parts_of(thing) if parts is None else parts).keys()
    taken: set[int] = set()
    try:
        with _free:
            while any(_held[part] != me for part in wanted & _held.keys()):
                if _waits_for(me, wanted):
                    raise ModelError(
                        "two threads wait for each other's modules, each from code that its own module runs: explain "
                        "no other module from the hooks of a module"
                    )
                _waiting[me] = set(wanted)
                try:
                    _free.wait()
                finally:
                    del _waiting[me]
            taken = wanted - _held.keys()
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
