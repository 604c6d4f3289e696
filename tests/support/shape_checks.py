"""The checker that ``conftest`` puts on every function of the package: beartype, with what it cannot know left out."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterator
from typing import Any

from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import config


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its arguments and result checked.

    Three kinds of hint are taken as ``object``: Self (the decorator sees functions, not their class), names that only a
    type checker imports, and protocols (``core.model.offers`` looks at types, where isinstance would look at objects).
    """
    ready: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def checked(*arguments: Any, **named: Any) -> Any:
        if not ready:  # the code that checks is made when a function is first called: most never are in one process
            ready.append(_checked(function))
        return ready[0](*arguments, **named)

    return checked


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    hints: dict[str, Any] = {}
    protocols: dict[Any, Any] = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        parts = list(_parts(hint))
        hints[name] = object if any(isinstance(part, str) or part is typing.Self for part in parts) else hint
        protocols |= {part: object for part in parts if _is_protocol(part)}
    function.__annotations__ = hints
    return beartype(function, conf=BeartypeConf(hint_overrides=FrozenDict(protocols), is_pep484_tower=True))


def _is_protocol(part: Any) -> bool:
    """True for a protocol, also with its parameters filled in."""
    return getattr(part, "_is_protocol", False) and isinstance(typing.get_origin(part) or part, type)


def unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without checks, also of what it calls, to see what it says itself of an argument of a wrong type."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        before = config.jaxtyping_disable
        config.update("jaxtyping_disable", True)
        try:
            return function(*arguments, **named)
        finally:
            config.update("jaxtyping_disable", before)

    return call


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in typing.get_args(hint):
        if isinstance(part, list):  # the arguments of a Callable
            for inner in part:
                yield from _parts(inner)
        else:
            yield from _parts(part)
