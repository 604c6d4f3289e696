"""What users hold their values in: lists, arrays, columns of tables, scalars of NumPy and torch, missing values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, MappingView, Set
from enum import Enum
from numbers import Real
from typing import Any

from exegesis.core.errors import UsageError

LISTING = ("tolist", "to_pylist", "to_list")  # how arrays, Arrow's columns and other tables' columns become lists
MAX_SHOWN = 60  # characters of a refused value in an error


def items(value: object, what: str) -> list[Any] | None:
    """The items of a list, an array, a column of a table, or anything else that goes through items in an order; None
    for a single value: a string, bytes, or what goes through nothing.

    Raises UsageError, which names ``what`` is wanted, for a set, which has no order, and for mappings and tables.
    """
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, str | bytes | bytearray | type | Real | Enum):
        return None
    if hasattr(value, "columns") or hasattr(value, "column_names") or isinstance(value, Mapping):
        names = f"a {type(value).__name__} of several columns"
        raise UsageError(f"{what} are a list, or one column of a table, as table['text'], not {names}")
    if isinstance(value, Set) and not isinstance(value, MappingView):
        raise UsageError(f"{what} must have an order, as in a list; a {type(value).__name__} has none")
    try:
        listed: Any = next((getattr(value, name)() for name in LISTING if callable(getattr(value, name, None))), value)
        several = isinstance(listed, Iterable) or (hasattr(listed, "__getitem__") and hasattr(listed, "__len__"))
        return list(listed) if several and not isinstance(listed, str | bytes) else None
    except Exception as error:
        line = " ".join(str(error).split())[:MAX_SHOWN]
        raise UsageError(
            f"{what} cannot be listed: {type(value).__name__} raised {type(error).__name__}: {line}"
        ) from error


def scalar(value: Any) -> Any:
    """The plain value of a scalar of NumPy or torch, or of an array of one; any other value as it is."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else str(value)
    item = getattr(value, "item", None)
    if isinstance(value, type) or not callable(item):
        return value
    try:
        return item()
    except Exception:  # an array of several, say
        return value


def nested(value: object, what: str, depth: int = 3) -> Any:
    """Lists, tuples and arrays within each other as lists of plain values, such as pairs of word numbers."""
    listed = items(value, what) if depth else None
    return scalar(value) if listed is None else [nested(part, what, depth - 1) for part in listed]


def is_pair(value: object) -> bool:
    """True for a list of two whole numbers."""
    return isinstance(value, list) and len(value) == 2 and all(type(edge) is int for edge in value)


def is_missing(value: object) -> bool:
    """True for None and for what tables put into empty cells: NaN, NaT, NA."""
    if value is None or isinstance(value, str):
        return value is None
    try:
        unequal = value != value
        return unequal is value or (type(unequal).__name__ in ("bool", "bool_") and bool(unequal))
    except Exception:
        return False


def number_in(text: object) -> float:
    """The number that a text holds, or a number as a float; NaN for any other."""
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def shown(value: object) -> str:
    """A value as code, in one short line for an error."""
    try:
        line = " ".join(repr(str(value) if isinstance(value, str) else value).split())
    except Exception:  # a number of too many digits
        line = type(value).__name__
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}..."
