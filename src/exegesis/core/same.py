"""Results are equal where all of their values are. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


class ByValue:
    """A dataclass that equals another of its class where all fields hold equal values, as ``same`` says."""

    def __eq__(self, other: object) -> bool:
        return same(self, other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        """Of the texts among its values, which equal results share."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))  # type: ignore[arg-type]
        texts = (value if isinstance(value, str) else getattr(value, "raw", None) for value in values)
        return hash((type(self), *(text for text in texts if isinstance(text, str))))


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal, part by part: arrays by shape and numbers, NaN equal to NaN, lists as tuples."""
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
    numbers = all(np.issubdtype(one.dtype, np.number) for one in (first, second))
    return bool(np.array_equal(first, second, equal_nan=numbers))
