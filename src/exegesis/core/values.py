"""Values: equal by their parts, built again when they are unpickled, public under one address."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import numpy as np

T = TypeVar("T")


class ByValue:
    """A dataclass that equals another of its class if all fields hold equal values (see ``same``)."""

    def __eq__(self, other: object) -> bool:
        return same(self, other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        """A hash of the class and of the texts among the fields, which equal values share."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))  # type: ignore[arg-type]
        texts = (value if isinstance(value, str | ByValue) else getattr(value, "raw", None) for value in values)
        return hash((type(self), *(text for text in texts if isinstance(text, str | ByValue))))

    def __reduce__(self) -> tuple[Any, ...]:
        """The class and its fields, so that a pickled value is built and checked as any other."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return _built, (
            type(self),
            {
                name: dict(value) if isinstance(value, types.MappingProxyType) else value
                for name, value in fields.items()
            },
        )


def _built(kind: type[T], fields: Mapping[str, Any]) -> T:
    return kind(**fields)


def published(public: T) -> T:
    """Give a class or a function the address ``exegesis.NAME``, which tracebacks and pickles show.

    The annotations of a class are resolved first, because ``typing.get_type_hints`` looks up their names in the module
    that the class names.
    """
    if isinstance(public, type):
        hints = get_type_hints(public, include_extras=True)
        public.__annotations__ = {name: hints[name] for name in vars(public).get("__annotations__", {})}
    public.__module__ = "exegesis"
    return public


def same(first: Any, second: Any) -> bool:
    """Check if two values are equal, part by part: arrays by shape and numbers, NaN equals NaN, lists equal tuples."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return _same_arrays(np.asarray(first), np.asarray(second))
    if isinstance(first, ByValue) and type(first) is type(second):
        names = [field.name for field in dataclasses.fields(first)]  # type: ignore[arg-type]
        return all(same(getattr(first, name), getattr(second, name)) for name in names)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, float) and isinstance(second, float) and first != first:
        return second != second
    return bool(first == second)


def _same_arrays(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    numbers = all(np.issubdtype(array.dtype, np.number) for array in (first, second))
    return bool(np.array_equal(first, second, equal_nan=numbers))
