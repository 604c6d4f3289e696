"""The registry of methods. A method is a frozen dataclass of its parameters that is called with a model."""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError, unknown
from exegesis.core.text import Span
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, members, offers
from exegesis.protocols.target import Target


@dataclass(frozen=True, eq=False)
class Scores:
    """What a method gives: ``values[b, k, t]`` for text b, target k, piece t (zero on padding).

    A word's score is the sum of its pieces'. ``account`` names the parts of the explained numbers that no piece
    carries (the output bias, the value at the baseline). ``details`` has one mapping a text for whatever else the
    method has to say, in plain values.
    """

    values: Float[Tensor, "b k t"]
    account: Mapping[str, Float[Tensor, "b k"]] = field(default_factory=dict)
    details: Sequence[Mapping[str, Any]] = ()


def at_words(found: Sequence[Float[Tensor, "k _"]], batch: Batch) -> Float[Tensor, "b k t"]:
    """Scores of the words of each text as ``values`` of ``Scores``: a word's stands at its first piece."""
    values = found[0].new_zeros(len(batch), len(found[0]), batch.ids.shape[1])
    for row, text in enumerate(batch.texts):
        values[row, :, [word.start for word in text.words]] = found[row]
    return values


class Method(Protocol):
    """Which words? Called with a model, a batch of whole texts and the numbers to explain."""

    def __call__(self, model: Any, batch: Batch, target: Target) -> Scores: ...


class Spanwise(Protocol):
    """A method that scores spans of pieces directly instead of summing over their words."""

    def spans(
        self, model: Any, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> Sequence[Float[Tensor, "k _"]]: ...


Spanning = Callable[[Sequence[Sequence[Span]]], list[Float[Tensor, "k _"]]]


class Prepared(Spanwise, Protocol):
    """One that is asked again and again on the same texts: what is common to all spans is done once."""

    def prepared(self, model: Any, batch: Batch, target: Target) -> Spanning: ...


@dataclass(frozen=True)
class Card:
    """What the methods table says of a method.

    ``complete``: it promises that its account closes. ``signed``: a score below zero speaks against the target; the
    scores of other methods are sizes.
    """

    name: str
    question: str
    summary: str
    paper: str
    year: int
    complete: bool
    signed: bool
    needs: type
    cls: type


BEST = "best"  # the method that a saved recommendation names (``api.choosing``)
_cards: dict[str, Card] = {}
_KINDS = {str: "a word", int: "a whole number", float: "a number", bool: "true or false", type(None): "none"}
T = TypeVar("T", bound=type)


def method(
    name: str,
    *,
    question: str,
    summary: str,
    paper: str,
    year: int,
    complete: bool = False,
    signed: bool = True,
) -> Callable[[T], T]:
    """Register a frozen dataclass as a method. What it needs of a model is read off ``__call__``'s annotation."""

    def register(cls: T) -> T:
        if name in _cards:
            raise UsageError(f"a method named {name!r} is registered already")
        if not dataclasses.is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise UsageError(f"method {name!r} is not a frozen dataclass")
        needs = typing.get_type_hints(cls.__call__).get("model")
        if not isinstance(needs, type) or not members(needs) >= members(Classifier):
            raise UsageError(f"method {name!r}: annotate model with a protocol of exegesis.protocols.model")
        _cards[name] = Card(name, question, summary, paper, year, complete, signed, needs, cls)
        return cls

    return register


def cards() -> tuple[Card, ...]:
    """Every registered method, by name."""
    return tuple(_cards[name] for name in sorted(_cards))


def card_of(method: object) -> Card:
    """The card of a method value."""
    for card in _cards.values():
        if type(method) is card.cls:
            return card
    raise UsageError(f"{method!r} is not a method: take a name ({', '.join(sorted(_cards))}) or a method value")


def make(given: str | Method, parameters: Mapping[str, Any] | None = None) -> Method:
    """A method value from its name, or from another value, with parameters. Raises UsageError for what it does not
    know."""
    if given == BEST:
        raise UsageError(
            f"{BEST!r} stands for the method that exegesis recommend found for a model, which is not looked up here: "
            "name the method itself"
        )
    if isinstance(given, str) and given not in _cards:
        raise unknown("method", given, sorted(_cards))
    card = _cards[given] if isinstance(given, str) else card_of(given)
    fitting = fitted(card.cls, card.name, parameters or {})
    made: Method = card.cls(**fitting) if isinstance(given, str) else dataclasses.replace(given, **fitting)  # type: ignore[type-var]
    return made


def fitted(cls: type, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a dataclass as it declares them. Raises UsageError for one that it lacks, or of another kind."""
    kinds, names = typing.get_type_hints(cls), [f.name for f in dataclasses.fields(cls)]
    for parameter in parameters:
        if parameter not in names:
            raise unknown(f"parameter of {name}", parameter, names)
    return {key: _fit(key, value, kinds[key]) for key, value in parameters.items()}


def _fit(name: str, value: Any, kind: Any) -> Any:
    """A parameter's value as the plain kind that it is declared as. Raises UsageError for another kind."""
    kinds = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    if not set(kinds) <= set(_KINDS):
        return value  # of a kind that the method checks itself
    if isinstance(value, numbers.Real) and not isinstance(value, bool):  # NumPy's numbers count
        plain: Any = int(value) if int in kinds and isinstance(value, numbers.Integral) else float(value)
    else:
        plain = value
    if type(plain) not in kinds or (isinstance(plain, float) and not math.isfinite(plain)):
        raise UsageError(f"the parameter {name} is {' or '.join(_KINDS[one] for one in kinds)}, not {value!r}")
    return plain


def lacking(model: object, card: Card) -> str | None:
    """Why a model cannot serve a method, in words; None where it can.

    A model may explain itself through ``lacks``, a mapping from the name of a protocol to a reason. A method may refuse
    a model that has all members by a static ``lacks(model)``, which gives the reason or None; its ``wants`` then says
    what it needs ("a rule for every part").
    """
    if offers(model, card.needs):
        further = _refuses(model, card)
        wanted = getattr(card.cls, "wants", f"a {card.needs.__name__.lower()} model")
        return None if further is None else f"{card.name} needs {wanted}: {further}"
    reasons: Mapping[str, str] = getattr(model, "lacks", {})
    needed = card.needs.__name__
    missing = sorted(member for member in members(card.needs) if not hasattr(type(model), member))
    reason = reasons.get(needed) or f"it offers no {', '.join(missing)}"
    return f"{card.name} needs a {needed.lower()} model: {reason}"


_refused: weakref.WeakKeyDictionary[object, dict[str, str | None]] = weakref.WeakKeyDictionary()


def _refuses(model: object, card: Card) -> str | None:
    """What the method itself has against a model that offers all it asks for: its ``lacks``, tried once a model."""
    ask = getattr(card.cls, "lacks", None)
    if ask is None:
        return None
    try:
        known = _refused.setdefault(model, {})
    except TypeError:  # a user's model that cannot be told from others by its identity
        known = {}
    if card.name not in known:
        known[card.name] = ask(model)
    return known[card.name]


def require(model: object, method: Method) -> Card:
    """The method's card. Raises UnsupportedError, with the reason, where the model cannot serve it."""
    card = card_of(method)
    reason = lacking(model, card)
    if reason:
        able = [c.name for c in cards() if lacking(model, c) is None]
        raise UnsupportedError(f"{reason}; this model can serve: {', '.join(able) or 'no method'}")
    return card
