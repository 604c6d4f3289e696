"""Calls of functions counted, as a measure of work that does not depend on the machine's load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(function: Callable[..., Any], *values: Any, **options: Any) -> int:
    """The number of calls, of Python and of C functions, until a function of some values returns."""
    count = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function(*values, **options)
    finally:
        sys.setprofile(before)
    return count
