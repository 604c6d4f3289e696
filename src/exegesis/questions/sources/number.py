"""The number whose training texts are asked for: by default the log-probability of the predicted label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Real

from jaxtyping import Float
from torch import Tensor

from exegesis.core.containers import scalar
from exegesis.core.errors import UsageError
from exegesis.protocols.labels import number_of
from exegesis.protocols.loss import loss
from exegesis.protocols.target import LOG, Ask, Link, Target, Wish, ask


@dataclass(frozen=True, eq=False)
class LogProbability(Target):
    """The log-probability of a label: the loss of the text with that label, less its sign."""

    def of(self, raw: Float[Tensor, "b c"]) -> Float[Tensor, "b k"]:
        """The numbers, from raw outputs."""
        return -loss(raw, self.index[:, 0].to(raw), self.link)[:, None]

    def names(self, row: int, labels: Sequence[str]) -> tuple[str, ...]:
        """The name of the number of one text: ``log-probability:positive``."""
        return tuple(f"{LOG}:{labels[i]}" for i in self.index[row].tolist())


@dataclass(frozen=True)
class Likelihood(Ask):
    """The log-probability of a label, or of the predicted one, as a user asks for it."""

    def of(self, raw: Float[Tensor, "b c"], link: Link) -> Target:
        """The number of each text, from the model's outputs for it."""
        found = super().of(raw, link)
        return LogProbability(found.kind, found.index, None, link)


def asked(target: Wish, labels: Sequence[str], link: Link, *, plain: bool = False) -> Ask:
    """Read a user's words for a number: None or a label mean its log-probability; else as ``explain`` reads them.

    If ``plain``, all is read as ``explain`` reads it: None or a label mean the logit.

    A regression has its output. Raises UsageError for several numbers at once, and the errors of ``ask``.
    """
    wanted = scalar(target)
    if link is Link.IDENTITY or (plain and not (isinstance(wanted, str) and wanted.startswith(f"{LOG}:"))):
        choice = ask(target, labels, link)
        if choice.count != 1:
            raise UsageError("training texts are scored for one number: take one label as the target, not all")
        return choice
    if wanted is None or wanted == "predicted":
        return Likelihood("logit")
    if not isinstance(wanted, str):
        if isinstance(wanted, Real | Enum):
            return Likelihood("logit", (number_of(wanted, labels),))
        return ask(target, labels, link)
    kind, colon, rest = wanted.partition(":")
    if wanted not in labels and colon and kind == LOG:
        return Likelihood("logit", () if rest == "predicted" else (number_of(rest, labels),))
    if wanted in labels or not colon or kind not in ("logit", "probability", "margin"):
        if wanted == "all":
            raise UsageError("training texts are scored for one number: take one label as the target, not all")
        return Likelihood("logit", (number_of(wanted, labels),))
    choice = ask(target, labels, link)
    if choice.count != 1:
        raise UsageError("training texts are scored for one number: take one label as the target, not all")
    return choice
