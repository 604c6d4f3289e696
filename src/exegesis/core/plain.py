"""Values as plain values for JSON, and read back by the types of their fields."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from exegesis.core.text import Span, refuse_split_pairs

MAX_WHOLE = 2**63  # the largest whole number in a file


def to_plain(value: Any) -> Any:
    """Plain values for JSON: dataclasses and named tuples become objects, a span a pair, arrays and tuples lists.

    Numbers that are not finite become null. Raises TextError for a string with a split surrogate pair.
    """
    if isinstance(value, Span):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: to_plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, np.ndarray | np.generic):
        numbers = value.tolist()
        return numbers if value.dtype.kind in "biu" or np.isfinite(value).all() else to_plain(numbers)
    if isinstance(value, Mapping):
        return {to_plain(str(key)): to_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        refuse_split_pairs("the result", value)
    return value


def from_plain(kind: Any, value: Any, where: str = "") -> Any:
    """The value of type ``kind`` that ``to_plain`` made plain; null is NaN if a number is due.

    ``where`` names the value in errors. Raises TypeError or ValueError, in one line, if something is missing, is of
    another type, or cannot be built.
    """
    if kind is Any:
        return _finite(value, where)
    if kind is np.ndarray or getattr(kind, "array_type", None) is np.ndarray:
        return _array(kind, value, where)
    if kind is Span:
        return Span(*_items((int, int), value, where))
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")):
        return _object(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        rest = [part for part in inner if part is not type(None)]
        return None if value is None and len(rest) < len(inner) else from_plain(rest[0], value, where)
    if origin is tuple:
        return _items(inner, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        plain = _checked(Mapping, "an object", value, where)
        return {_key(inner[0], key): from_plain(inner[1], part, f"{where}.{key}") for key, part in plain.items()}
    return _single(kind, value, where)


def _key(kind: Any, key: str) -> Any:
    """The key of a mapping by ``kind`` (for a union by its first member), which ``parse`` reads if the kind has it."""
    first = (get_args(kind) or (kind,))[0]
    return getattr(first, "parse", first)(key)


def _object(kind: Any, value: Any, where: str) -> Any:
    plain, hints = _checked(Mapping, "an object", value, where), _hints(kind)
    if dataclasses.is_dataclass(kind):
        optional = {field.name: field.default is not dataclasses.MISSING for field in dataclasses.fields(kind)}
    else:
        optional = {name: name in kind._field_defaults for name in kind._fields}
    unknown = sorted(str(name) for name in plain if name not in optional)
    missing = [name for name, default in optional.items() if name not in plain and not default]
    if unknown or missing:
        wrong = f"an unknown field {unknown[0]!r:.40}" if unknown else f"no {missing[0]!r}"
        raise ValueError(f"{where or kind.__name__} has {wrong}")
    prefix = f"{where}." if where else ""
    return kind(**{name: from_plain(hints[name], part, f"{prefix}{name}") for name, part in plain.items()})


@lru_cache(256)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _items(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    plain = _checked(list, "a list", value, where)
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(from_plain(inner[0], part, where) for part in plain)
    if len(plain) != len(inner):
        raise ValueError(f"{where}: {len(inner)} values are due, not {len(plain)}")
    return tuple(from_plain(kind, part, where) for kind, part in zip(inner, plain, strict=True))


def _single(kind: Any, value: Any, where: str) -> Any:
    if kind is float:
        number = math.nan if value is None else float(_checked(int | float, "a number", value, where))
        if math.isinf(number):
            raise ValueError(f"{where}: a finite number is due, not {number}")
        return number
    names = {int: "a whole number", str: "a text", bool: "true or false"}
    if kind is int and abs(_checked(int, names[int], value, where)) > MAX_WHOLE:
        raise ValueError(f"{where}: a whole number is too large ({value!r:.40})")
    return _checked(kind, names.get(kind, getattr(kind, "__name__", str(kind))), value, where)


def _checked(kind: Any, name: str, value: Any, where: str) -> Any:
    """The value as it is. Raises TypeError if it is of another type; true and false are not numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{where or 'the result'}: {name} is due, not {value!r:.40}")
    return value


def _array(kind: Any, value: Any, where: str) -> np.ndarray:
    """Lists of lists of numbers, all lists of a level of equal length; null is NaN."""
    waiting = [_checked(list, "a list", value, where)]
    while waiting:
        for part in waiting.pop():
            if isinstance(part, list):
                waiting.append(part)
            elif part is not None and (type(part) not in (int, float) or math.isinf(part)):
                raise TypeError(f"{where}: a finite number is due, not {part!r:.40}")
    try:
        numbers: np.ndarray = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:  # a list beside a number
        raise ValueError(f"{where}: its rows are not of equal length") from error
    axes = len(kind.dims) if hasattr(kind, "dims") else numbers.ndim
    if numbers.size == 0 and numbers.ndim < axes:
        numbers = numbers.reshape(*numbers.shape, *[0] * (axes - numbers.ndim))
    if numbers.ndim != axes:
        raise ValueError(f"{where}: lists of {axes} levels are due, not of {numbers.ndim}")
    return numbers


def _finite(value: Any, where: str) -> Any:
    """Any plain value as it is. Raises ValueError for a number in it that is not finite."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        waiting += part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
        if type(part) in (int, float) and not math.isfinite(part):  # whole numbers beyond floats raise OverflowError
            raise ValueError(f"{where}: a finite number is due, not {part}")
    return value
