"""Checks of parameters by the annotations of a dataclass, for Python values and for text.

A type carries its constraint, and every way to a value goes through it::

    samples: Annotated[int, at_least(4), even] = 100
    features: Annotated[int, at_least(1)] | None = None
    norm: Literal["l2", "squared", "mean-absolute"] = "l2"

``checked`` makes a class check the values that it is built with, ``fitted`` checks values by name, ``parsed`` reads
a name with parameters from text. All errors are a UsageError of one line: what must hold, and what was given.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import math
import numbers
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from exegesis.core.errors import UsageError, unknown
from exegesis.core.silence import silent

T = TypeVar("T", bound=type)
MAX_SHOWN = 60  # characters of a refused value in an error

_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None, "null": None}
_NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
_REFUSED = object()
_CALL = re.compile(r"\s*([A-Za-z_][\w.-]*)\((.*)\)\s*", re.DOTALL)
_COLON = re.compile(r":(?=[A-Za-z_]\w*=)")  # before the next parameter; other colons belong to a value


class Argument(str):
    """A parameter's value as a user wrote it, ``500`` of ``samples=500``, to be read by the parameter's type."""

    __slots__ = ()


@dataclass(frozen=True)
class Condition:
    """A condition on a value beside its type, for use in ``Annotated``.

    ``holds`` is asked about a value that already has the type. In errors ``noun`` replaces the words for the type ("an
    even number") and ``words`` follow them ("of at least 4"). ``inside`` and ``outside`` are values just within and
    just beyond the condition, from which ``examples`` makes tests.
    """

    holds: Callable[[Any], bool]
    words: str = ""
    noun: str = ""
    inside: tuple[Any, ...] = ()
    outside: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Opener:
    """A function that turns a name, or a ``Call`` with parameters, into the value of a parameter; for ``Annotated``."""

    open: Callable[[Any], Any]


class Call(NamedTuple):
    """A name and its parameters, as read from text."""

    name: str
    parameters: dict[str, Any]


def at_least(bound: float) -> Condition:
    """The condition that a number is not below ``bound``."""
    outside = (bound - 1, math.nextafter(bound, -math.inf))
    return Condition(lambda value: bool(value >= bound), f"of at least {bound:g}", inside=(bound,), outside=outside)


def at_most(bound: float) -> Condition:
    """The condition that a number is not above ``bound``."""
    outside = (bound + 1, math.nextafter(bound, math.inf))
    return Condition(lambda value: bool(value <= bound), f"of at most {bound:g}", inside=(bound,), outside=outside)


def above(bound: float) -> Condition:
    """The condition that a number is larger than ``bound``."""
    inside = (math.nextafter(bound, math.inf),)
    return Condition(lambda value: bool(value > bound), f"above {bound:g}", inside=inside, outside=(bound, bound - 1))


def below(bound: float) -> Condition:
    """The condition that a number is smaller than ``bound``."""
    inside = (math.nextafter(bound, -math.inf),)
    return Condition(lambda value: bool(value < bound), f"below {bound:g}", inside=inside, outside=(bound, bound + 1))


def between(low: float, high: float) -> Condition:
    """The condition that a number lies from ``low`` to ``high``, both included."""
    outside = (low - 1, high + 1, math.nextafter(low, -math.inf), math.nextafter(high, math.inf))
    words = f"from {low:g} to {high:g}"
    return Condition(lambda value: bool(low <= value <= high), words, inside=(low, high), outside=outside)


even = Condition(lambda value: value % 2 == 0, noun="an even number", outside=(1001,))
filled = Condition(lambda value: bool(value.strip()), "that is not blank", inside=("a",), outside=("", " "))


def checked(cls: T) -> T:
    """Make a dataclass check and convert the values that it is built with, by its annotations, before they are set.

    The class is changed in place and returned; a second call changes nothing. From then on building a value raises
    UsageError for a parameter that is missing or does not fit. Defaults are checked once, here.
    """
    if getattr(vars(cls).get("__init__"), "checks", False):
        return cls
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING:
            _fit(f"{cls.__name__}: {field.name}", hints(cls)[field.name], field.default)
    build = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(build)

    @functools.wraps(build)
    def init(self: Any, *values: Any, **named: Any) -> None:
        arguments = dict(signature.bind_partial(self, *values, **named).arguments)
        del arguments[next(iter(signature.parameters))]
        check_complete(cls, cls.__name__, arguments)
        build(self, **fitted(cls, cls.__name__, arguments))

    init.checks = True  # type: ignore[attr-defined]
    cls.__init__ = init  # type: ignore[misc]
    return cls


def fitted(cls: type, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of parameters of a dataclass, converted to the types that it declares.

    Python values must have the type (NumPy's numbers count as Python's, whole numbers as numbers); an ``Argument`` is
    read by it. ``name`` is what errors call the dataclass. Raises UsageError for a parameter that the dataclass does
    not have and for a value that does not fit.
    """
    known = hints(cls)
    for parameter in values:
        if parameter not in known:
            raise unknown(f"parameter of {name}", parameter, known)
    return {key: _fit(f"{name}: {key}", known[key], value) for key, value in values.items()}


def fitting(name: str, hint: Any, value: Any) -> Any:
    """A value as its type has it: NumPy's numbers as Python's. Raises UsageError, which begins with the ``name``."""
    return _fit(name, hint, value)


def check_complete(cls: type, name: str, values: Mapping[str, Any]) -> None:
    """Raise UsageError if a parameter without a default has no value."""
    due = [
        field.name
        for field in dataclasses.fields(cls)
        if field.init and field.default is field.default_factory is dataclasses.MISSING
    ]
    missing = [parameter for parameter in due if parameter not in values]
    if missing:
        raise UsageError(f"{name} needs {joined(due, 'and')}; give {joined(missing, 'and')}")


@functools.cache
def hints(cls: type) -> dict[str, Any]:
    """The parameters of a dataclass with their types, constraints included, in order."""
    types_of = get_type_hints(cls, include_extras=True)
    return {field.name: types_of[field.name] for field in dataclasses.fields(cls) if field.init}


def wording(hint: Any) -> str:
    """The requirement of a type in words: "an even number of at least 4, or none"."""
    parts = []
    for kind, conditions in _alternatives(hint):
        if get_origin(kind) is Literal:
            noun = joined([str(value) for value in get_args(kind)], "or")
        else:
            noun = _NOUNS.get(kind, "a value")
        noun = next((condition.noun for condition in conditions if condition.noun), noun)
        words = [condition.words for condition in conditions if condition.words]
        parts.append(" ".join([noun, " and ".join(words)] if words else [noun]))
    return ", or ".join(dict.fromkeys(parts))


def examples(hint: Any) -> tuple[list[Any], list[Any]]:
    """Values at the edges of a type that fit it, and values that do not, for tests."""
    fitting: list[Any] = []
    refused = [object(), math.nan, math.inf, "no such value", 2.5, True, None, -7, [1]]
    for kind, conditions in _alternatives(hint):
        fitting += [True, False] if kind is bool else [None] if kind is type(None) else []
        fitting += get_args(kind) if get_origin(kind) is Literal else []
        for condition in conditions:
            fitting += condition.inside
            refused += condition.outside
    return [value for value in fitting if fits(hint, value)], [value for value in refused if not fits(hint, value)]


def fits(hint: Any, value: Any) -> bool:
    """True if a value, or an ``Argument``, fits a type and its constraints."""
    try:
        _fit("", hint, value)
    except UsageError:
        return False
    return True


def parsed(text: str) -> Call:
    """Read ``deletion:words=5`` or ``Lrp(epsilon=0.001)`` as a name with parameters. Nothing is evaluated.

    Values after a colon are kept as ``Argument``. Values in parentheses are Python literals, bare words, or calls. A
    text without parameters is a name. Raises UsageError for anything else.
    """
    call = _CALL.fullmatch(text)
    if call:
        return Call(call[1], _parenthesised(text, call[2]))
    name, *rest = _COLON.split(text)
    if ":" in name:
        start = name.partition(":")[0]
        raise UsageError(f"{text!r}: write {start}:parameter=value, such as {start}:how=pad")
    pairs = (part.partition("=") for part in rest)
    return Call(name, {key: Argument(value) for key, _, value in pairs})


def joined(words: list[str], last: str) -> str:
    """Words as a list in a sentence: "a, b or c"."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _fit(where: str, hint: Any, value: Any) -> Any:
    """The value as its type has it. Raises UsageError, which begins with ``where``."""
    openers = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Opener)]
    if openers and isinstance(value, str | Call):
        return openers[0].open(str(value) if isinstance(value, str) else value)
    for kind, conditions in _alternatives(hint):
        plain = _read(kind, value) if isinstance(value, Argument) else _convert(kind, value)
        if plain is not _REFUSED and all(condition.holds(plain) for condition in conditions):
            return plain
    raise UsageError(f"{where} must be {wording(hint)}, not {_shown(value)}{_nearest(hint, value)}")


def _alternatives(hint: Any) -> Iterator[tuple[Any, tuple[Condition, ...]]]:
    """The types that a value may have, each with its conditions."""
    if get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from _alternatives(part)
    elif get_origin(hint) is Annotated:
        own = [part for part in hint.__metadata__ if isinstance(part, Condition)]
        for kind, conditions in _alternatives(get_args(hint)[0]):
            yield kind, (*conditions, *own)
    else:
        yield hint, ()


def _convert(kind: Any, value: Any) -> Any:
    """A Python value as a plain value of a type, or ``_REFUSED``; types without a rule take everything."""
    if get_origin(kind) is Literal:
        return next((one for one in get_args(kind) if type(one) is type(value) and one == value), _REFUSED)
    if kind is type(None):
        return None if value is None else _REFUSED
    if kind is bool:
        return bool(value) if isinstance(value, bool | np.bool_) else _REFUSED
    if kind is str:
        return str(value) if isinstance(value, str) else _REFUSED
    if kind in (int, float):
        number = isinstance(value, numbers.Integral if kind is int else numbers.Real)
        return _number(kind, value) if number and not isinstance(value, bool) else _REFUSED
    return value


def _number(kind: type, value: Any) -> Any:
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        return _REFUSED
    return number if math.isfinite(number) else _REFUSED


def _read(kind: Any, text: str) -> Any:
    """Text as a plain value of a type, or ``_REFUSED``. A word may stand in quotation marks."""
    if kind in (int, float):
        return _number(kind, text)
    if kind is bool or kind is type(None):
        return _convert(kind, _CONSTANTS.get(text, text))
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return _convert(kind, text[1:-1] if quoted else str(text))


def _shown(value: Any) -> str:
    text = " ".join(repr(str(value) if isinstance(value, str) else value).split())
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _nearest(hint: Any, value: Any) -> str:
    """The suggestion of a name that is spelt nearly like the value."""
    names = [name for kind, _ in _alternatives(hint) if get_origin(kind) is Literal for name in get_args(kind)]
    near = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _parenthesised(text: str, arguments: str) -> dict[str, Any]:
    """The keyword arguments of a call in text."""
    try:
        with silent():  # about odd literals, which are refused or kept
            return _call(ast.parse(f"f({arguments})", mode="eval").body).parameters
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        name = text.partition("(")[0].strip()
        raise UsageError(f"{_shown(text)}: write {name}(parameter=value, ...) with plain values") from None


def _call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise ValueError("not a name with parameters")
    if node.args or any(part.arg is None for part in node.keywords):
        raise ValueError("a parameter without its name")
    return Call(node.func.id, {str(part.arg): _value(part.value) for part in node.keywords})


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return Argument(node.id) if node.id not in _CONSTANTS else _CONSTANTS[node.id]
    return _call(node) if isinstance(node, ast.Call) else ast.literal_eval(node)
