"""What the parser of the command line complains of, in our words."""

from __future__ import annotations

import re
from typing import Any

from exegesis.core.errors import unknown

_NUMBERS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_BOUNDS = {"ge": "or more", "gt": "at least, and more", "le": "or less", "lt": "at most, and less"}


def complaint(error: Any) -> str:
    """An error of the parser as one line: the option, what was given, and what is known or asked for."""
    said = str(error.format_message())
    option = next(iter(getattr(getattr(error, "param", None), "opts", None) or ()), "")
    choice = re.search(r"'([^']*)' is not one of (.+)", said, re.DOTALL)
    if choice is not None and option:
        return str(unknown(option, choice[1], re.findall(r"'([^']*)'", choice[2])))
    detail = _detail(error)
    if not option or not detail:
        return said
    return f"{option} {detail['input']}: {_wanted(detail)}" if _wanted(detail) else said


def _detail(error: Any) -> dict[str, Any]:
    """What the check of a value says, in parts, where the parser has it."""
    errors = getattr(getattr(error, "__cause__", None), "errors", None)
    found = errors() if callable(errors) else []
    return dict(found[0]) if found else {}


def _wanted(detail: dict[str, Any]) -> str:
    kind, bounds = str(detail.get("type", "")), dict(detail.get("ctx") or {})
    for key, words in _BOUNDS.items():
        if key in bounds:
            return f"give a number of {bounds[key]} {words}"
    number = _NUMBERS.get(kind.partition("_")[0], "")
    return f"give {number}" if number else ""
