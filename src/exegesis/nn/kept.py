"""Values that a module keeps on itself from call to call: seen by their change, and begun with anew in every call.

A state kept for the next call, a counter, a list that grows, a buffer that is written into: the outputs of a text must
depend neither on the texts that ran before it nor on the user's own runs.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from exegesis.core.errors import ModelError
from exegesis.nn.frozen import frozen

T = TypeVar("T")
Place = tuple[str, str]  # the path of a part of a module, and the name of a value on it
HOMES = ("__dict__", "_buffers", "_parameters")
INTERNAL = frozenset({*vars(nn.Module()), "forward", "_compiled_call_impl"})  # what torch and ``frozen`` keep on parts
SMALL = 1 << 16  # numbers of a tensor that are compared one by one; of a larger one, torch counts the changes
MOST = 10_000  # values in an attribute; one that holds more (a vocabulary) is data, not a state
ATOMS = (str, bytes, int, float, complex, type(None), torch.device, torch.dtype)
ABSENT = object()


@dataclass(frozen=True)
class Value:
    """A value as it was at rest: a copy, where it stood (nowhere if it did not exist), the object, torch's count of its
    changes.
    """

    copy: Any = ABSENT
    home: str = ""
    itself: Any = None
    version: int = 0


@dataclass(frozen=True)
class Kept:
    """The values at rest of all places that the calls of a module change."""

    values: Mapping[Place, Value] = field(default_factory=dict)

    def put(self, module: nn.Module) -> None:
        """Put copies of the values in their places; for use inside ``frozen``, which puts the module's own back."""
        memo: dict[int, Any] = {}
        for (path, name), value in self.values.items():
            part = module.get_submodule(path)
            for home in HOMES:
                getattr(part, home).pop(name, None)
            if value.home:
                anew = _copied(value.copy, memo)
                anew = nn.Parameter(anew, requires_grad=False) if value.home == "_parameters" else anew
                getattr(part, value.home)[name] = anew

    @contextmanager
    def at_rest(self, module: nn.Module) -> Iterator[None]:
        """The module frozen, with all that it keeps at rest, for the length of a block."""
        with frozen(module):
            self.put(module)
            yield

    @property
    def sizes(self) -> set[int]:
        """The sizes of all tensors among the values: numbers of texts for which a state may have been made."""
        inner = [one for value in self.values.values() for one in _inside(value.copy) or ()]
        return {size for one in inner if isinstance(one, Tensor) for size in one.shape}


class Watch:
    """Runs of a module at rest; ``kept`` are the values that they were seen to change."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.parts = list(module.named_modules())  # others that stand in for them in a call are gone after it
        memo: dict[int, Any] = {}  # one for all: what is one object stays one
        self.rest = {place: _seen(home, value, memo) for place, home, value in _values(self.parts)}
        self.kept = Kept()

    def run(self, call: Callable[[], T]) -> T:
        """Run the module at rest (see ``at_rest``)."""
        with self.at_rest(self.module):
            return call()

    @contextmanager
    def at_rest(self, module: nn.Module) -> Iterator[None]:
        """The watched module frozen, with all that it is known to keep at rest; afterwards it is as it was found.

        Raises ModelError if it writes into large weights.
        """
        changed: dict[Place, Value] = {}
        with frozen(module):
            self.kept.put(module)
            try:
                yield
            finally:
                changed = self._changed()
                anew = {place: Value(value.copy, value.home) for place, value in changed.items()}
                self.kept = Kept({**self.kept.values, **anew})
                for value in changed.values():
                    if value.home and not _same(value.itself, value.copy, {}):
                        _write(value.itself, value.copy)

    def _changed(self) -> dict[Place, Value]:
        now = {place: value for place, _, value in _values(self.parts)}
        places = [place for place in {**self.rest, **now} if place not in self.kept.values]
        changed, known = {}, dict[tuple[int, int], bool]()  # a config may stand on every part
        for place in places:
            before, value = self.rest.get(place, Value()), now.get(place, ABSENT)
            if isinstance(value, Tensor) and value is before.itself and value.numel() > SMALL:
                if _version(value) == before.version:
                    continue
                if isinstance(value, nn.Parameter):
                    raise ModelError(
                        f"the module writes into its weights as it runs ({'.'.join(filter(None, place))}), so that no "
                        "text has outputs of its own: let it keep them as they are in evaluation mode"
                    )
            pair = id(value), id(before.copy)
            if pair not in known:
                known[pair] = _same(value, before.copy, {})
            if not known[pair]:
                changed[place] = before
        return changed


def _values(parts: Iterable[tuple[str, nn.Module]]) -> Iterable[tuple[Place, str, Any]]:
    """All values on the parts of a module, except torch's own, and the rows that an embedding may shorten."""
    for path, part in parts:
        if isinstance(part, torch.jit.ScriptModule):
            continue
        for home in HOMES:
            for name, value in list(getattr(part, home).items()):
                shortened = isinstance(part, nn.Embedding | nn.EmbeddingBag) and part.max_norm is not None
                if name not in INTERNAL and not (shortened and name == "weight"):
                    yield (path, name), home, value


def _seen(home: str, value: Any, memo: dict[int, Any]) -> Value:
    if isinstance(value, nn.Parameter):
        return Value(value if value.numel() > SMALL else _clone(value), home, value, _version(value))
    return Value(_copied(value, memo), home, value, _version(value) if isinstance(value, Tensor) else 0)


def _version(value: Tensor) -> int:
    return 0 if value.is_inference() else value._version


def _clone(value: Tensor) -> Tensor:
    """A copy without a graph; tensors that share memory share it no longer."""
    return value.detach().clone()


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """A copy of a value; what cannot be copied in it, and what is no state (weights, modules, data), stays itself."""
    if id(value) in memo:
        return memo[id(value)]
    inside = _inside(value)
    if inside is None:
        memo[id(value)] = value
        return value
    for one in inside:
        if id(one) in memo:
            continue
        if isinstance(one, Tensor) and not isinstance(one, nn.Parameter):
            memo[id(one)] = _clone(one)
        elif not _is_made_of_values(one) and not isinstance(one, np.ndarray):
            memo[id(one)] = one
    if isinstance(value, Tensor):
        return memo.get(id(value), value)
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # the user's own class
        return value


def _inside(value: Any) -> list[Any] | None:
    """A value with all that it holds, at any depth; None if that is more than ``MOST``."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ATOMS) or id(one) in found:
            continue
        found[id(one)] = one
        waiting += _held(one)
        if len(found) + len(waiting) > MOST:
            return None
    return list(found.values())


def _is_made_of_values(value: Any) -> bool:
    """True for containers, and for objects that are nothing but their attributes."""
    if isinstance(value, dict | list | tuple | set | frozenset | deque):
        return True
    of_python = hasattr(value, "__dict__") and type(value).__flags__ & (1 << 9)  # made by a class statement
    foreign = isinstance(value, nn.Module | Tensor | type) or type(value).__module__.split(".")[0] == "torch"
    return bool(of_python) and not foreign


def _held(value: Any) -> list[Any]:
    if not _is_made_of_values(value):
        return []
    inner = list(vars(value).values()) if hasattr(value, "__dict__") else []
    if isinstance(value, dict):
        return [*inner, *value.keys(), *value.values()]
    return [*inner, *value] if isinstance(value, list | tuple | set | frozenset | deque) else inner


def _same(now: Any, before: Any, met: dict[int, int]) -> bool:
    """True if a value is what it was."""
    if now is before or met.get(id(now)) == id(before):
        return True
    if type(now) is not type(before) and not isinstance(now, nn.Parameter):
        return False
    met[id(now)] = id(before)
    if isinstance(now, Tensor):
        alike = isinstance(before, Tensor) and (now.shape, now.dtype, now.device) == (
            before.shape,
            before.dtype,
            before.device,
        )
        return alike and (before.is_meta or bool(torch.equal(now.detach(), before)))  # offloaded: nothing is here
    if isinstance(now, np.ndarray):
        return now.shape == before.shape and now.dtype == before.dtype and bool((now == before).all())
    if isinstance(now, set | frozenset):
        return bool(now == before)
    if not _is_made_of_values(now):
        return isinstance(now, ATOMS) and bool(now == before)
    ours, theirs = _held(now), _held(before)
    return len(ours) == len(theirs) and all(_same(a, b, met) for a, b in zip(ours, theirs, strict=True))


def _write(itself: Any, before: Any) -> None:
    """Make an object what it was, in place."""
    before = _copied(before, {})
    if isinstance(itself, Tensor):
        itself.data.copy_(before)
    elif isinstance(itself, np.ndarray):
        itself[...] = before
    elif isinstance(itself, list | deque):
        itself.clear()
        itself.extend(before)
    elif isinstance(itself, dict | set):
        itself.clear()
        itself.update(before)
    if hasattr(itself, "__dict__") and not isinstance(itself, Tensor):
        vars(itself).clear()
        vars(itself).update(vars(before))
