"""The numbers to explain: a class's logit or probability, or the margin between two classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from numbers import Real
from typing import SupportsIndex

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.containers import scalar, shown
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.protocols.labels import number_of

Wish = str | float | SupportsIndex | Enum | None  # a user's words for a target; labels in the type they were given in
KINDS = ("logit", "probability", "margin")
LOG, OUTPUT = (
    "log-probability",
    "output",
)  # the names of the kind "logit" if outputs are log-probabilities; plain numbers


class Link(Enum):
    """The function that turns a model's raw outputs ``[b, c]`` into probabilities of its labels."""

    SOFTMAX = "softmax"  # one logit per label, probabilities sum to one
    LOG_SOFTMAX = "log-softmax"  # one log-probability per label, whose exponentials sum to one
    SIGMOID = "sigmoid"  # one logit per label, each label on its own (multi-label)
    BINARY = "binary"  # one logit z for two labels: probabilities (1 - sigmoid(z), sigmoid(z))
    IDENTITY = "identity"  # plain numbers (a regression): no probabilities
    PROBABILITY = "probability"  # the model gives probabilities that sum to one, and no logits
    PROBABILITIES = "probabilities"  # the model gives each label's own probability (multi-label), and no logits

    @property
    def hidden(self) -> bool:
        """True if the model gives probabilities and no logits."""
        return self in (Link.PROBABILITY, Link.PROBABILITIES)

    def width(self, labels: int) -> int:
        """The number of raw outputs of a model with so many labels."""
        return 1 if self is Link.BINARY else labels

    def probabilities(self, raw: Float[Tensor, "*b c"]) -> Float[Tensor, "*b l"]:
        """Probabilities of the labels; NaN for a regression."""
        if self in (Link.SOFTMAX, Link.LOG_SOFTMAX):
            return raw.softmax(-1)
        if self is Link.SIGMOID:
            return raw.sigmoid()
        if self is Link.BINARY:
            return torch.cat([(-raw).sigmoid(), raw.sigmoid()], -1)
        return raw if self.hidden else torch.full_like(raw, torch.nan)

    def numbers(self, raw: Float[Tensor, "*b c"]) -> Float[Tensor, "*b l"]:
        """One number for each label: its probability, or the plain number of a regression."""
        return raw if self is Link.IDENTITY else self.probabilities(raw)

    def called(self, kind: str) -> str:
        """The name of a kind of number: a ``logit`` of a model that gives log-probabilities is a log-probability, of a
        regression an output."""
        return {Link.LOG_SOFTMAX: LOG, Link.IDENTITY: OUTPUT}.get(self, kind) if kind == "logit" else kind

    def decide(self, raw: Float[Tensor, "b c"]) -> Int[Tensor, " b"]:
        """The predicted label of each row."""
        if self is Link.BINARY:
            return (raw[:, 0] > 0).long()
        return raw.argmax(1)


@dataclass(frozen=True, eq=False)
class Target:
    """The numbers to explain, k of them for each of b texts.

    ``logit``: the class's raw output (if the model ends in a log-softmax, a log-probability; for a single-output binary
    model z for the second label, -z for the first; for a regression the output). ``margin``: the difference of two
    classes' logits, which for classes that exclude each other is the log odds of one against the other; for independent
    labels, it is the difference of their log odds. ``probability``: the class's probability.
    """

    kind: str
    index: Int[Tensor, "b k"]
    against: Int[Tensor, "b k"] | None
    link: Link

    def of(self, raw: Float[Tensor, "b c"]) -> Float[Tensor, "b k"]:
        """The numbers, from raw outputs."""
        if self.kind == "probability":
            return self.link.probabilities(raw).gather(1, self.index)
        if self.link.hidden:
            return self._margin(raw.gather(1, self.index), raw.gather(1, self._other()))
        if self.link is Link.BINARY:
            return raw * (2.0 * self.index - 1.0).to(raw)
        plain = raw.gather(1, self.index)
        return plain - raw.gather(1, self._other()) if self.kind == "margin" else plain

    def linear(self, width: int) -> Float[Tensor, "b k c"]:
        """The matrix that turns raw outputs into the numbers.

        Raises UnsupportedError for a probability, which no matrix gives.
        """
        if self.kind == "probability" or self.link.hidden:
            raise UnsupportedError(
                "this method decomposes a logit and cannot decompose a probability: take the target logit:LABEL or "
                "margin:LABEL,LABEL"
            )
        if self.link is Link.BINARY:
            return (2.0 * self.index - 1.0)[..., None]
        return (
            _ones(self.index, width) - _ones(self._other(), width)
            if self.kind == "margin"
            else _ones(self.index, width)
        )

    def take(self, rows: Int[Tensor, " n"]) -> Target:
        """The targets of the rows with these numbers (a row may occur often)."""
        rows = rows.to(self.index.device)
        against = None if self.against is None else self.against[rows]
        return replace(self, index=self.index[rows], against=against)

    def only(self, number: int) -> Target:
        """The target with this number of the k, alone."""
        return self.some(torch.tensor([number]))

    def some(self, numbers: Int[Tensor, " n"]) -> Target:
        """The target with these of the k numbers."""
        numbers = numbers.to(self.index.device)
        against = None if self.against is None else self.against[:, numbers]
        return replace(self, index=self.index[:, numbers], against=against)

    @property
    def count(self) -> int:
        """The number of explained numbers per text."""
        return self.index.shape[1]

    def to(self, device: torch.device) -> Target:
        """The target on a device."""
        against = None if self.against is None else self.against.to(device)
        return replace(self, index=self.index.to(device), against=against)

    def names(self, row: int, labels: Sequence[str]) -> tuple[str, ...]:
        """The names of the numbers of one text: ``logit:positive``, ``margin:positive,negative``."""
        kind = self.link.called(self.kind)
        plus = [labels[i] for i in self.index[row].tolist()]
        if self.against is None:
            return tuple(f"{kind}:{label}" for label in plus)
        minus = [labels[i] for i in self.against[row].tolist()]
        return tuple(f"{kind}:{a},{b}" for a, b in zip(plus, minus, strict=True))

    def _margin(self, plus: Float[Tensor, "b k"], minus: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Margins from probabilities. Raises UnsupportedError if one is 0 (or 1, for labels on their own)."""
        independent = self.link is Link.PROBABILITIES
        if bool(((plus <= 0) | (minus <= 0)).any()) or (independent and bool(((plus >= 1) | (minus >= 1)).any())):
            raise UnsupportedError(
                "the model gives a probability of exactly 0 or 1, which has no log odds: explain probability:LABEL"
            )
        return plus.logit() - minus.logit() if independent else plus.log() - minus.log()

    def _other(self) -> Int[Tensor, "b k"]:
        if self.against is None:
            raise UnsupportedError("a model that gives probabilities has no logits: take the target probability:LABEL")
        return self.against


def _ones(index: Int[Tensor, "b k"], width: int) -> Float[Tensor, "b k c"]:
    """A one at each index, zeros elsewhere; rows that are equal, as those of all labels are, share memory."""
    rows = index[:1] if len(index) and bool((index == index[:1]).all()) else index
    return (
        torch.zeros(*rows.shape, width, device=index.device)
        .scatter_(2, rows[..., None], 1.0)
        .expand(len(index), -1, -1)
    )


@dataclass(frozen=True)
class Ask:
    """A target in the form in which a user asks for it, before any text is read.

    ``labels`` is empty for the predicted class.
    """

    kind: str
    labels: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """The number of explained numbers per text."""
        return 1 if self.kind == "margin" else max(1, len(self.labels))

    def of(self, raw: Float[Tensor, "b c"], link: Link) -> Target:
        """The target of each text, from the model's outputs for it."""
        rows = len(raw)
        if not self.labels:
            return Target(self.kind, link.decide(raw)[:, None], None, link)
        index = torch.tensor(self.labels, device=raw.device)
        if self.kind == "margin":
            return Target("margin", index[:1].expand(rows, 1), index[1:].expand(rows, 1), link)
        return Target(self.kind, index.expand(rows, len(self.labels)), None, link)


def ask(target: Wish, labels: Sequence[str], link: Link) -> Ask:
    """Read a user's words for a target.

    None or ``"predicted"``: the predicted class of each text (of a regression, all its numbers). A label in the type in
    which the labels were given, as a scikit-learn model predicts it: that class. If all labels are numbers (1 to 5
    stars), a number is a label; otherwise a whole number is the number of a class, from 0, as ``"#0"`` is for any
    labels. ``"all"``: every class at once. ``"logit:"``, ``"probability:"`` before any of these choose the number;
    ``"margin:A,B"`` is the log odds of A against B. Without a prefix the number is the logit; for a model that gives
    probabilities, the probability; for one that gives log-probabilities, the log-probability (``"log-probability:"``;
    ``"logit:"`` is refused); for a regression, its output (``"output:"``, and ``"logit:"`` all the same).

    Raises UsageError for an unknown label, and for a whole number that is a label and the number of another class;
    UnsupportedError if the model has no such number.
    """
    default = "probability" if link.hidden else "logit"
    wanted = scalar(target)
    if wanted is None:
        return _plain(default, "predicted", labels, link)
    if not isinstance(wanted, str | Real | Enum):
        raise UsageError(
            f"a target is a label, its number, 'all', 'probability:LABEL' or 'margin:A,B', not {shown(target)}"
        )
    if not isinstance(wanted, str) or wanted in labels:
        return Ask(default, (number_of(wanted, labels),))
    kind, colon, rest = wanted.partition(":")
    if colon and kind == LOG:
        if link is not Link.LOG_SOFTMAX:
            raise UnsupportedError("the model does not give log-probabilities: take logit:LABEL or probability:LABEL")
        return _plain("logit", rest, labels, link)
    if colon and kind == OUTPUT and link is Link.IDENTITY:
        return _plain("logit", rest, labels, link)
    if kind == "logit" and colon and link is Link.LOG_SOFTMAX:
        raise UnsupportedError(
            "a model that gives log-probabilities has no logits: take the target log-probability:LABEL"
        )
    if not colon or kind not in KINDS:
        kind, rest = default, wanted
    if kind == "logit" and link.hidden:
        raise UnsupportedError("a model that gives probabilities has no logits: take the target probability:LABEL")
    if kind != "logit" and link is Link.IDENTITY:
        raise UnsupportedError("a regression has no probabilities: take the target output:LABEL, its number")
    if kind == "margin":
        return Ask(kind, _pair(rest, labels))
    return _plain(kind, rest, labels, link)


def _plain(kind: str, rest: str, labels: Sequence[str], link: Link) -> Ask:
    """The target of a plain kind: one class, the predicted one, or all."""
    if rest == "predicted":  # of several plain numbers none is the predicted one
        return Ask(kind, tuple(range(len(labels))) if link is Link.IDENTITY else ())
    if rest == "all" and rest not in labels:
        return Ask(kind, tuple(range(len(labels))))
    return Ask(kind, (number_of(rest, labels),))


def _pair(rest: str, labels: Sequence[str]) -> tuple[int, int]:
    cuts = [i for i, character in enumerate(rest) if character == ","]
    for cut in cuts:  # a label itself may contain a comma
        if rest[:cut].strip() in labels and rest[cut + 1 :].strip() in labels:
            pair = labels.index(rest[:cut].strip()), labels.index(rest[cut + 1 :].strip())
            break
    else:
        if len(cuts) != 1:
            raise UsageError(f"a margin names two labels, as margin:{labels[0]},{labels[-1]}, not {shown(rest)}")
        pair = number_of(rest[: cuts[0]], labels), number_of(rest[cuts[0] + 1 :], labels)
    if pair[0] == pair[1]:
        raise UsageError(f"a margin needs two different labels, not {shown(rest)}")
    return pair
