"""Methods and their registry. A method is a frozen dataclass of its parameters that is called with a model."""

from __future__ import annotations

import typing
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.registry import Registry
from exegesis.core.text import Span
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, members, missing, parts_of
from exegesis.protocols.target import Target


@dataclass(frozen=True, eq=False)
class Scores:
    """The answer of a method for one batch: ``values[b, k, t]`` for text b, target k and piece t, zero on padding.

    The score of a word is the sum over its pieces. ``account`` names the parts ``[b, k]`` of the explained numbers that
    no piece carries (the output bias, the value at the baseline). ``details`` has one mapping of plain values per text
    for whatever else the method reports, or is empty.
    """

    values: Float[Tensor, "b k t"]
    account: Mapping[str, Float[Tensor, "b k"]] = field(default_factory=dict)
    details: Sequence[Mapping[str, Any]] = ()


def at_words(scores: Sequence[Float[Tensor, "k _"]], batch: Batch) -> Float[Tensor, "b k t"]:
    """Scores of the words of each text ``[k, words]`` as ``values`` of ``Scores``, each at the word's first piece."""
    values = scores[0].new_zeros(len(batch), len(scores[0]), batch.ids.shape[1])
    for row, text in enumerate(batch.texts):
        values[row, :, [word.start for word in text.words]] = scores[row]
    return values


BACKWARD = 2  # a backward pass in passes of the model


class Method(Protocol):
    """A method: called with a model, a batch of whole texts and the numbers to explain, it scores their pieces.

    It may state its cost by ``passes(words, numbers)``: how often the model reads a text of so many words of which so
    many numbers are explained (about, or at most; a backward pass counts as ``BACKWARD``). For a method that scores
    spans directly, a span counts as a word.
    """

    def __call__(self, model: Any, batch: Batch, target: Target) -> Scores: ...


class Spanwise(Protocol):
    """A method that also scores spans of pieces directly, instead of summing over their words.

    ``spans`` takes a list of spans per text and returns their scores ``[k, spans]`` per text, for k targets.
    """

    def spans(
        self, model: Any, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> Sequence[Float[Tensor, "k _"]]: ...


Spanning = Callable[[Sequence[Sequence[Span]]], list[Float[Tensor, "k _"]]]


class Prepared(Spanwise, Protocol):
    """A spanwise method that scores many lists of spans of the same texts and computes what they share only once.

    ``prepared`` returns a function with the argument and the result of ``spans``.
    """

    def prepared(self, model: Any, batch: Batch, target: Target) -> Spanning: ...


@dataclass(frozen=True)
class Card:
    """The public facts about a method, from which the methods table is made.

    ``question`` is the question that the method answers, ``summary`` says what its scores are, ``paper`` and ``year``
    name its source. ``complete``: the method promises that words and account add up to the explained number.
    ``signed``: a score below zero speaks against the target; the scores of other methods are sizes. ``needs`` is the
    ability that a model must offer, or a combination of several.
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

    @property
    def abilities(self) -> tuple[str, ...]:
        """The names of the abilities that the method needs of a model."""
        return tuple(ability.__name__ for ability in parts_of(self.needs))

    @property
    def wanted(self) -> str:
        """The needed abilities as words before "model": recurrent, "layered and attentive"."""
        return " and ".join(name.lower() for name in self.abilities)

    @property
    def needed(self) -> str:
        """The needed abilities in the words of users: gradients, "an LSTM or GRU"; those of others by their names."""
        return " and ".join(NEEDS.get(name, name.lower()) for name in self.abilities)


NEEDS = {  # of a model, in the words of users, by the name of the ability
    "Classifier": "any model",
    "Differentiable": "gradients",
    "Recurrent": "an LSTM, GRU or RNN",
    "Gated": "an LSTM or GRU",
    "Selective": "a selector of its own",
    "Conceptual": "concepts of its own",
    "Spanned": "attention over spans",
}
BEST = "best"  # the method that a saved recommendation names (``api.recommended``)
KNOWN_AS = {  # the names that other tools have, or that say what somebody looks for
    **dict.fromkeys(("shap", "kernelshap", "kernel-shap"), "did you mean 'shapley'?"),
    **dict.fromkeys(("saliency", "grad"), "did you mean 'gradient'?"),
    **dict.fromkeys(("ig", "integrated_gradients"), "did you mean 'integrated-gradients'?"),
    **dict.fromkeys(("loo", "occlusion", "erasure"), "did you mean 'leave-one-out'?"),
    **dict.fromkeys(("cd", "agcd"), "did you mean 'contextual-decomposition'?"),
    "attention": "attention is shown by its own question: explain --attention, exegesis.attention",
}
METHODS: Registry[Card] = Registry("method", KNOWN_AS)
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
    """Register a frozen dataclass as a method; its parameters are checked by their annotations from then on.

    What the method needs of a model is read off the annotation of ``model`` in ``__call__``. The arguments are those of
    ``Card``. Raises UsageError if the name is taken, if the class is not a frozen dataclass, or if ``model`` is not
    annotated with a protocol.
    """

    def register(cls: T) -> T:
        needs = typing.get_type_hints(cls.__call__).get("model")
        if not isinstance(needs, type) or not members(needs) >= members(Classifier):
            raise UsageError(
                f"method {name!r}: annotate model with Classifier, Differentiable, Recurrent, Gated or another "
                "protocol that has their members"
            )
        METHODS.add(Card(name, question, summary, paper, year, complete, signed, needs, cls))
        return cls

    return register


def cards() -> tuple[Card, ...]:
    """The cards of all registered methods, by name."""
    return tuple(METHODS)


def card_of(method: object) -> Card:
    """The card of a method value. Raises UsageError for any other value."""
    return METHODS.of(method)


def make(spec: object, parameters: Mapping[str, Any] | None = None) -> Method:
    """Build a method value from a name, from text such as "lime:samples=500", or from another value.

    ``parameters`` are added to those of the text or value, or replace them. Raises UsageError for an unknown name or
    parameter, for a value that does not fit, and for ``best``, which only the public functions look up.
    """
    if isinstance(spec, str) and spec == BEST:
        raise UsageError(
            f"{BEST!r} is the method that exegesis recommend chose for a model, which is not looked up here: "
            "name the method itself"
        )
    built: Method = METHODS.make(spec, parameters)
    return built


def lacking(model: object, card: Card) -> str | None:
    """The reason why a model cannot serve a method, in words; None if it can.

    A model gives its own reasons in ``lacks``, a mapping from the names of abilities. A method may refuse a model that
    has all abilities by a static ``lacks(model)``, which returns the reason or None; its ``wants`` then says what it
    needs ("a rule for every part").
    """
    article = "an" if card.wanted[0] in "aeiou" else "a"
    needed = f"{article} {card.wanted} model"
    reasons = missing(model, card.needs)
    if not reasons:
        objection = _refuses(model, card)
        return None if objection is None else f"{card.name} needs {getattr(card.cls, 'wants', needed)}: {objection}"
    if len(card.abilities) == 1:
        return f"{card.name} needs {needed}: {next(iter(reasons.values()))}"
    listed = "; ".join(f"this one is not {name.lower()}, because {reason}" for name, reason in reasons.items())
    return f"{card.name} needs {needed}: {listed}"


_refused: weakref.WeakKeyDictionary[object, dict[str, str | None]] = weakref.WeakKeyDictionary()


def _refuses(model: object, card: Card) -> str | None:
    """The method's own objection to a model that has all abilities: its ``lacks``, tried once per model."""
    ask = getattr(card.cls, "lacks", None)
    if ask is None:
        return None
    try:
        reasons = _refused.setdefault(model, {})
    except TypeError:  # a user's model without an identity to remember
        reasons = {}
    if card.name not in reasons:
        reasons[card.name] = ask(model)
    return reasons[card.name]


def require(model: object, method: Method) -> Card:
    """The card of a method that a model can serve. Raises UnsupportedError, with the reason, if it cannot."""
    card = card_of(method)
    reason = lacking(model, card)
    if reason:
        able = [c.name for c in cards() if lacking(model, c) is None]
        raise UnsupportedError(f"{reason}; this model can serve: {', '.join(able) or 'no method'}")
    return card
