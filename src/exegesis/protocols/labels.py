"""Labels as users give them: names in order, dicts with numbers, scikit-learn's ``classes_``; and one of them named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from numbers import Integral, Real
from typing import Any

from exegesis.core.containers import items, number_in, scalar, shown
from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import refuse_split_pairs

Labels = Iterable[Any] | Mapping[Any, Any]  # names in order, or id2label, or label2id
Label = str | Real | Enum  # in the type in which it was given
LONGEST = 9  # digits of the number of a class


def label_names(labels: Labels) -> tuple[str, ...]:
    """The names of labels in the order of their numbers: of a list, an array, a column of a table, or a dict.

    A label is a word, a number or a truth value. A dict maps numbers to labels (numbers may be words, as in JSON), or
    labels to numbers. Raises UsageError for anything else, and for a dict unless its numbers are 0, 1, 2, ...
    """
    listed = None if isinstance(labels, Mapping) else items(labels, "labels")
    if listed is None and not isinstance(labels, Mapping):
        raise UsageError(f"labels must be a list of names, not {shown(labels)}")
    names = _in_dict(labels) if isinstance(labels, Mapping) else tuple(map(_name, listed or ()))
    refuse_split_pairs("a label", "\n".join(names))
    return names


def number_of(label: Label, labels: Sequence[str]) -> int:
    """The number of the class that a user calls by its label, or by its number.

    If all labels are numbers, a number is a label. Otherwise a whole number, or digits that are no label, are the
    number of a class; so is ``"#0"`` for any labels. Raises UsageError for an unknown label, a number out of range, and
    a whole number that is a label and the number of another class.
    """
    written = _written(label)
    for name in (written, written.strip()) if isinstance(label, str) else ():
        if name in labels:
            return labels.index(name)
        if name.startswith("#"):
            return _in_range(name[1:], labels)
    if not isinstance(label, bool) and all(math.isfinite(number_in(name)) for name in labels):
        return _of_numbers(label, labels)
    if isinstance(label, Integral) and not isinstance(label, bool):
        return _either(int(label), labels)
    if written in labels:
        return labels.index(written)
    if not isinstance(label, str):
        raise unknown("label", shown(label), labels)
    return _in_range(written, labels)


def _of_numbers(label: Label, labels: Sequence[str]) -> int:
    """The number of a class whose label is a number: the label 3.0 is also called 3."""
    if _written(label) in labels:
        return labels.index(_written(label))
    near = [number for number, name in enumerate(labels) if number_in(name) == number_in(label)]
    if len(near) == 1:
        return near[0]
    raise _out_of_range(_written(label), labels)


def _either(number: int, labels: Sequence[str]) -> int:
    """The number of the class that a whole number names, by its label or by its number."""
    names = [_written(number), *([str(bool(number))] if number in (0, 1) else [])]  # True is 1
    named = {labels.index(name): name for name in names if name in labels}
    if 0 <= number < len(labels):
        named.setdefault(number, f"#{number}")
    if not named:
        raise _out_of_range(_written(number), labels)
    if len(named) > 1:
        raise UsageError(
            f"the number {number} may be the label {next(iter(named.values()))!r} or the class number {number}, "
            f"{labels[number]!r}: say the label as a string, or '#{number}' for the class"
        )
    return next(iter(named))


def _in_range(written: str, labels: Sequence[str]) -> int:
    """The number of a class, from digits. Raises UsageError for a word, and out of range."""
    digits = written.strip()
    if not (digits.removeprefix("-").isdecimal() and digits.isascii()):
        raise unknown("label", written, labels)
    number = int(digits) if len(digits) <= LONGEST else -1
    if not 0 <= number < len(labels):
        raise _out_of_range(digits, labels)
    return number


def _out_of_range(number: object, labels: Sequence[str]) -> UsageError:
    listed = ", ".join(labels[:30]) + (", ..." if len(labels) > 30 else "")
    return UsageError(f"label number {number!s:.60} is out of range: the {len(labels)} labels are {listed}")


def _in_dict(labels: Mapping[Any, Any]) -> tuple[str, ...]:
    """The names of labels in a dict, in either direction."""
    readings = []
    for pairs in (labels.items(), [(number, label) for label, number in labels.items()]):
        names = {str(int(n) if isinstance(n, bool) else n): label for n, label in ((scalar(n), v) for n, v in pairs)}
        if names and set(names) == set(map(str, range(len(labels)))):
            readings.append(tuple(_name(names[str(number)]) for number in range(len(labels))))
    if len(set(readings)) > 1:
        raise UsageError("a dict of numbers to numbers can be read in two ways: give labels as a list, in their order")
    if not readings:
        raise UsageError("labels as a dict must number them 0, 1, 2, ...: {0: 'negative', 1: 'positive'}")
    return readings[0]


def _name(label: object) -> str:
    """The name of a label. Raises UsageError unless it is a word, a number or a truth value."""
    plain = scalar(label)
    if not isinstance(plain, str | Real | Enum) or plain != plain:
        raise UsageError(f"a label is a word, a number or a truth value, not {shown(label)}")
    if plain != "" and not _written(plain):
        raise UsageError("a label is a number of too many digits: give it a name")
    return _written(plain)


def _written(label: object) -> str:
    """A label as a string; nothing for a whole number of more digits than Python writes."""
    try:
        return str(label)
    except ValueError:
        return ""
