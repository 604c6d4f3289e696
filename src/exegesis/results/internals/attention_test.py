"""Tests of whether attention explains a model's predictions, each beside its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Study


class Tested(NamedTuple):
    """One test: a number and its control, each the mean over texts with a 95 % interval, and whether it speaks for
    attention.

    ``name`` and ``question`` say what is tested, ``control_name`` what stands beside it. ``low`` to ``high`` is the
    interval of ``value``; ``apart_low`` to ``apart_high`` that of the difference of value and control, or of what
    decides (NaN if nothing is compared). ``passed`` follows from the interval alone. ``texts`` is the number of texts
    that could be tested.
    """

    name: str
    question: str
    value: float
    low: float
    high: float
    control_name: str
    control: float
    control_low: float
    control_high: float
    apart_low: float
    apart_high: float
    passed: bool
    decides: bool
    texts: int


@dataclass(frozen=True, eq=False)
class AttentionTest(Study):
    """Whether the attention of a model explains its predictions, over a corpus (see ``exegesis.attention_test``).

    ``place`` names the attention, ``pairs`` says that the texts are pairs, ``near`` is how far adversarial weights may
    move the probabilities.
    """

    asked: Asked
    place: str
    pairs: bool
    near: float
    tests: tuple[Tested, ...]

    kind: ClassVar[str] = "attention-test"
    filled: ClassVar[tuple[str, ...]] = ("tests",)

    def of(self, name: str) -> Tested:
        """The test of a name. Raises KeyError for one that was not made."""
        return {test.name: test for test in self.tests}[name]

    @property
    def passed(self) -> tuple[str, ...]:
        """The names of the deciding tests that speak for attention."""
        return tuple(test.name for test in self.tests if test.decides and test.passed)

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the deciding tests that do not."""
        return tuple(test.name for test in self.tests if test.decides and not test.passed)

    @property
    def verdict(self) -> str:
        """One sentence that follows from the tests: at most one failure, a part of them, at most one success."""
        count = len(self.passed) + len(self.failed)
        if len(self.failed) <= 1 < count:
            says = "explains its predictions"
        elif len(self.passed) <= 1:
            says = "does not explain its predictions"
        else:
            says = "explains its predictions in part"
        what = "pairs" if self.pairs else "texts"
        failed = f"; it fails {', '.join(self.failed)}" if self.failed else ""
        return (
            f"On these {self.asked.texts} {what} the attention of {self.asked.model} {says}: it passes "
            f"{len(self.passed)} of {count} tests{failed}."
        )
