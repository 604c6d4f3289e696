"""The header that all answers about one text share: the text and its numbers, the call, and the account."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.plain import to_plain
from exegesis.core.text import Text
from exegesis.core.values import ByValue
from exegesis.results.result import Result

Number = float | Float[np.ndarray, " targets"]


class Prediction(NamedTuple):
    """The label that a model predicts for a text, its probability, and the probabilities by label.

    ``probability`` is NaN for a model whose output is not a distribution (a regression). ``probabilities`` holds all
    labels up to a hundred, else the ten likeliest; ``labels`` is how many labels the model has (0 if not known).
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    labels: int = 0


@dataclass(frozen=True, eq=False)
class Subject(ByValue):
    """A text as one model reads it, its prediction, and the numbers that are explained, one for each target."""

    text: Text
    model: str
    prediction: Prediction
    targets: tuple[str, ...]
    explained: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.targets or len(self.explained) != len(self.targets):
            raise UsageError(f"{len(self.targets)} targets need as many explained numbers, not {len(self.explained)}")


@dataclass(frozen=True, eq=False)
class Origin(ByValue):
    """The call that gave an answer: a method's ``name``, its ``parameters`` as code, and the seconds for one text.

    ``details`` are plain values besides the answer. Views know some of them: ``unknown`` (a list of word numbers),
    ``reduced`` (a list), ``standard_error`` (numbers), ``windows`` (ranges of words that were read apart). Raises
    UsageError if these have another type or are not finite.
    """

    name: str
    parameters: str
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_finite("seconds", self.seconds)
        words, reduced, errors = (self.details.get(name) for name in ("unknown", "reduced", "standard_error"))
        if words is not None and not (isinstance(words, list | tuple) and all(map(_is_number_of_a_word, words))):
            raise UsageError(f"details: unknown must be a list of numbers of words, not {words!r:.40}")
        if reduced is not None and not isinstance(reduced, list | tuple):
            raise UsageError(f"details: reduced must be a list, not {reduced!r:.40}")
        if errors is not None:
            require_finite("details: standard_error", errors)


@dataclass(frozen=True, eq=False)
class Account(ByValue):
    """The parts of the explained numbers that no span carries, by name, each one number for each target.

    ``complete``: the method promises that nothing else is left.
    """

    parts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    complete: bool = False


EXAMPLE = ("number", "id", "gold")  # what is kept of an example beside its text
_PLACES = {
    **{name: ("subject", name) for name in ("text", "model", "prediction", "targets", "explained")},
    **{name: ("origin", name) for name in ("name", "seconds", "details")},
    "method": ("origin", "parameters"),
    "account": ("remainder", "parts"),
    "complete": ("remainder", "complete"),
}


@dataclass(frozen=True, eq=False)
class TextResult(Result):
    """An answer about one text: the text and its numbers in ``subject``, the call in ``origin``."""

    subject: Subject
    origin: Origin

    apart: ClassVar[bool] = True

    @property
    def text(self) -> Text:
        """The text as the model reads it."""
        return self.subject.text

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        """The range of characters of each word in ``text.raw``."""
        return tuple(self.text.characters(word) for word in self.text.words)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.subject.model

    @property
    def prediction(self) -> Prediction:
        """The model's prediction for the text."""
        return self.subject.prediction

    @property
    def targets(self) -> tuple[str, ...]:
        """The numbers explained, by name: ``logit:positive``."""
        return self.subject.targets

    @property
    def target(self) -> str:
        """The number explained, by name: ``logit:positive``; several are joined by commas."""
        return ", ".join(self.targets)

    @property
    def explained(self) -> Any:
        """The explained number; with several targets an array, in the order of ``targets``."""
        return self._number(self.subject.explained)

    @property
    def name(self) -> str:
        """The method's name."""
        return self.origin.name

    @property
    def method(self) -> str:
        """The method with its parameters, as code that rebuilds it."""
        return self.origin.parameters

    @property
    def seconds(self) -> float:
        """Seconds for this text; in a batch, the mean over its texts."""
        return self.origin.seconds

    @property
    def details(self) -> Mapping[str, Any]:
        """Plain values that the method gives besides its numbers."""
        return self.origin.details

    @property
    def example(self) -> Mapping[str, Any]:
        """What the source of the text says of it, if it came from a file: its ``number`` there, ``id`` and ``gold``."""
        told = self.details.get("example")
        return {name: told[name] for name in EXAMPLE if name in told} if isinstance(told, Mapping) else {}

    def replace(self, **changes: Any) -> Self:
        """The result with other values, by the names of its properties: ``result.replace(model="b", seconds=0.0)``.

        Raises UsageError for a name that the result does not have, and if the values do not fit each other.
        """
        if "target" in changes:
            changes["targets"] = (changes.pop("target"),)
        if "explained" in changes:
            changes["explained"] = _row(changes["explained"])
        if "account" in changes:
            changes["account"] = {name: _row(part) for name, part in changes["account"].items()}
        names = [field.name for field in dataclasses.fields(self)]
        allowed = [*names, *(name for name, (place, _) in _PLACES.items() if place in names)]
        values: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            if name not in allowed:
                raise unknown(f"value of this {type(self).__name__}", name, allowed)
            place, inner = _PLACES.get(name, ("", name))
            values.setdefault(place, {})[inner] = value
        fields = values.pop("", {})
        header = {name: dataclasses.replace(getattr(self, name), **inner) for name, inner in values.items()}
        return dataclasses.replace(self, **fields, **header)

    def timeless(self) -> Self:
        """The result without its seconds, so that the same explanation gives the same file."""
        return self.replace(seconds=0.0)

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: ``words`` and ``offsets`` are parallel lists."""
        several = len(self.targets) > 1
        values: dict[str, Any] = to_plain(
            {
                "text": self.text.raw,
                "prediction": self.prediction,
                "target": self.targets if several else self.target,
                "parameters": self.method,
                "model": self.model,
                "words": self.text.word_strings(),
                "offsets": self.offsets,
                "explained": self.explained,
                "seconds": self.seconds,
                "details": self.details,
            }
        )
        return {**values, **dict(self.example)}

    def _number(self, values: Sequence[float]) -> Number:
        return values[0] if len(self.targets) == 1 else np.array(values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Accounted(TextResult):
    """An answer that splits the explained numbers: the parts that it does not give to the text are in ``remainder``."""

    remainder: Account = field(default_factory=Account, kw_only=True)

    def __post_init__(self) -> None:
        for name, part in self.remainder.parts.items():
            if len(part) != len(self.targets):
                raise UsageError(f"{name!r} of the account needs {len(self.targets)} numbers, not {len(part)}")
        require_finite("the account", *self.account.values())

    def _carried(self) -> Float[np.ndarray, " targets"]:
        """The part of each explained number that the answer gives to the text."""
        raise NotImplementedError

    @property
    def account(self) -> Mapping[str, Any]:
        """The parts of the explained number that no word carries, by name; with several targets, arrays."""
        return {name: self._number(part) for name, part in self.remainder.parts.items()}

    @property
    def complete(self) -> bool:
        """True if the method promises that the gap is rounding, or below its stated tolerance."""
        return self.remainder.complete

    @property
    def residual(self) -> Any:
        """The explained number less the sum of the words' scores."""
        return self._number(self._left().tolist())

    def _left(self) -> Float[np.ndarray, " targets"]:
        """The residual of each target."""
        left: np.ndarray = np.array(self.subject.explained) - self._carried()
        return left

    @property
    def gap(self) -> Any:
        """The residual less the sum of the account: the part that no term accounts for."""
        total = self._left()
        for part in self.remainder.parts.values():
            total = total - np.asarray(part, dtype=np.float64)
        return self._number(total.tolist())

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs, with the account."""
        account = {name: getattr(self, name) for name in ("residual", "account", "gap", "complete")}
        return {**super().readable(), **to_plain(account)}


def require_finite(name: str, *values: Any) -> None:
    """Raise UsageError unless all numbers, also those in arrays and nested lists, are finite."""
    try:
        fit = all(np.isfinite(np.asarray(value, dtype=np.float64)).all() for value in values)
    except (TypeError, ValueError, OverflowError):
        fit = False
    if not fit:
        raise UsageError(f"{name} must be finite numbers, not {', '.join(map(repr, values)):.40}")


def require_one_target(result: TextResult) -> None:
    """Raise UsageError unless a result explains exactly one finite number."""
    if len(result.targets) != 1:
        raise UsageError(f"a {type(result).__name__} explains one number, not {len(result.targets)}")
    require_finite("explained", result.explained)


def _row(value: Number | Sequence[float]) -> tuple[float, ...]:
    """The numbers of all targets as a tuple, from a single number or a sequence."""
    return tuple(np.atleast_1d(np.asarray(value, dtype=np.float64)).tolist())


def _is_number_of_a_word(value: object) -> bool:
    return type(value) is int and value >= 0
