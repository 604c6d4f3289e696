"""Frozen values as plain ones for JSON, and back, by the types of their fields. Imports no torch."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

MOST = 2**63  # of a whole number


def to_plain(value: Any) -> Any:
    """Dataclasses and named tuples become objects, arrays and tuples lists, numbers that are not finite null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: to_plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """What ``to_plain`` made of a value of type ``kind``; null is NaN where a number is due.

    Raises KeyError, TypeError or ValueError where something is missing or is of another kind.
    """
    if kind is Any:
        return value
    if getattr(kind, "array_type", None) is np.ndarray:
        return np.array([_simple(float, one) for one in value], dtype=np.float64)
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")):
        return _made(kind, value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        rest = [one for one in inner if one is not type(None)]
        return None if value is None and len(rest) < len(inner) else from_plain(rest[0], value)
    if origin is tuple:
        return _items(inner, value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError(f"an object is due where {value!r:.40} stands")
        return {from_plain(inner[0], key): from_plain(inner[1], one) for key, one in value.items()}
    return _simple(kind, value)


def _made(kind: type, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"an object is due where {value!r:.40} stands")
    hints = get_type_hints(kind)
    if dataclasses.is_dataclass(kind):
        usual = {one.name: one.default is not dataclasses.MISSING for one in dataclasses.fields(kind)}
    else:
        usual = {name: name in kind._field_defaults for name in kind._fields}  # type: ignore[attr-defined]
    due = [name for name, default in usual.items() if name in value or not default]  # a file of before lacks the others
    return kind(**{name: from_plain(hints[name], value[name]) for name in due})


def _items(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"a list is due where {value!r:.40} stands")
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(from_plain(inner[0], one) for one in value)
    return tuple(from_plain(one, part) for one, part in zip(inner, value, strict=True))


def _simple(kind: Any, value: Any) -> Any:
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise TypeError(f"a number is due where {value!r:.40} stands")
        number = math.nan if value is None else float(value)
        if math.isinf(number):
            raise ValueError("a number is infinite")
        return number
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{kind.__name__} is due where {value!r:.40} stands")
    if kind is int and abs(value) > MOST:
        raise ValueError(f"a whole number is too large ({value!r:.40})")
    return value
