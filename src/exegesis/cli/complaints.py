"""Errors of the parser of the command line, in the words of Exegesis."""

from __future__ import annotations

from typing import Any

from exegesis.core.errors import ExegesisError

_NUMBERS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


class Interrupted(ExegesisError):
    """The user ended the work; the message says how to go on."""


def complaint(error: Any) -> str:
    """An error of the parser as one line: the option, the value, and what would be right; else the parser's words."""
    option = next(iter(getattr(getattr(error, "param", None), "opts", None) or ()), "")
    errors = getattr(getattr(error, "__cause__", None), "errors", None)  # the check of a value by its type
    if option and callable(errors):
        detail = dict(errors()[0])
        bound, number = (detail.get("ctx") or {}).get("ge"), _NUMBERS.get(str(detail["type"]).partition("_")[0])
        wanted = number if bound is None else f"a number of {bound} or more"
        if wanted is not None:
            return f"{option} {detail['input']}: give {wanted}"
    return str(error.format_message())
