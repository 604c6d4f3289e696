"""What the heads of an encoder make of links between words: scopes, antecedents, reflexives; beside simple rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Rule(NamedTuple):
    """A simple way to find the right word: the share of links for which it does, with its 95 % interval.

    ``apart_low`` to ``apart_high`` is the interval of the head's share less this one.
    """

    name: str
    share: float
    low: float
    high: float
    apart_low: float
    apart_high: float


class Linking(NamedTuple):
    """A kind of link and the head that follows it best.

    ``accuracy`` is the share of links whose source's most attended word is a goal. ``confusion`` is the cross-entropy
    (nats) of attention between goals and rivals, normalised over both, at the head of ``clear_layer`` and
    ``clear_head``, which has the least (Lin et al. 2019); ``chance`` that of equal attention. Heads and the best offset
    are chosen on every other text, all numbers are of the rest, with 95 % intervals over texts; NaN for links without
    rivals. ``words`` is the number of links on the rest.
    """

    link: str
    words: int
    layer: int
    head: int
    accuracy: float
    low: float
    high: float
    rules: tuple[Rule, ...]
    clear_layer: int
    clear_head: int
    confusion: float
    confusion_low: float
    confusion_high: float
    chance: float

    @property
    def better(self) -> bool:
        """True if the head is surely better than every rule."""
        return all(rule.apart_low > 0 for rule in self.rules)


@dataclass(frozen=True, eq=False)
class LinkStudy(Study):
    """What the heads of a model make of links between words (see ``exegesis.study.links``)."""

    asked: Asked
    links: tuple[Linking, ...]

    kind: ClassVar[str] = "links"
    filled: ClassVar[tuple[str, ...]] = ("links",)

    def of(self, link: str) -> Linking:
        """The row of a kind of link. Raises KeyError for one that is not there."""
        return {row.link: row for row in self.links}[link]
