"""What studies of faults find: substitutions that flip a prediction, repairs. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.study import Asked, Shown, Study


class Swap(NamedTuple):
    """One replacement of the word: where it comes from, whether it is of the same part of speech, what the model says
    then, the probability of the label that was predicted before, and whether the prediction flips."""

    word: str
    sources: tuple[str, ...]
    same_tag: bool
    label: str
    probability: float
    flips: bool


class Pair(NamedTuple):
    """A text before and after; scores of both are for the label that was predicted before."""

    before: Shown
    after: Shown


class Transfer(NamedTuple):
    """The same swap in other texts: ``old`` becomes ``new`` wherever it stands.

    Of ``texts`` texts that hold it ``flips`` change their prediction, ``broken`` from right to wrong and ``mended``
    from wrong to right (0 without labels); ``change`` is the mean change of the probability of the label predicted
    before.
    """

    old: str
    new: str
    texts: int
    flips: int
    broken: int
    mended: int
    change: float
    examples: tuple[Pair, ...]


@dataclass(frozen=True, eq=False)
class Substitution(Study):
    """A suspected word replaced by others: which flip the prediction, and whether the swap does so in other texts
    (REAT paper, Sec. 4.8.2, Tables 6 and 7). ``pairs`` are the text before and after the swaps that flip it."""

    asked: Asked
    word: str
    before: Shown
    swaps: tuple[Swap, ...]
    pairs: tuple[Pair, ...]
    transfers: tuple[Transfer, ...]

    kind: ClassVar[str] = "substitute"
    filled: ClassVar[tuple[str, ...]] = ("swaps",)

    @property
    def flips(self) -> tuple[Swap, ...]:
        """The swaps that flip the prediction."""
        return tuple(swap for swap in self.swaps if swap.flips)

    @property
    def by_source(self) -> dict[str, tuple[int, int]]:
        """Of each source of words: how many of its swaps flip the prediction, and how many there are."""
        names = dict.fromkeys(name for swap in self.swaps for name in swap.sources)
        own = {name: [swap for swap in self.swaps if name in swap.sources] for name in names}
        return {name: (sum(swap.flips for swap in swaps), len(swaps)) for name, swaps in own.items()}


class Added(NamedTuple):
    """A new training text, its label, and the training text that it was made from by a swap."""

    text: str
    label: str
    origin: str


class Retrained(NamedTuple):
    """Accuracies of three models trained from one seed, where the fault shows and on the test texts: without the new
    texts; with the texts that they were made from given once more in their place (a control); with the new texts."""

    seed: int
    fault_before: float
    fault_control: float
    fault_after: float
    test_before: float
    test_control: float
    test_after: float


class Mean(NamedTuple):
    """The mean change of an accuracy over ``texts`` texts and ``seeds`` trainings, with its 95 % interval.

    The texts were made from ``origins`` different ones. A percentile bootstrap that draws whole origins gives how far
    other texts may move the mean, Student's t of the trainings' means how far other seeds may; the two distances are
    added in squares on either side (Zou & Donner 2008). Of one training the interval holds the texts' part alone. NaN
    for fewer than six origins.
    """

    value: float
    low: float
    high: float
    texts: int
    origins: int = 0
    seeds: int = 1


@dataclass(frozen=True, eq=False)
class Repair(Study):
    """New training texts against a fault, and what retraining with them changes.

    ``swaps`` are words that may stand for each other with the same label. ``added`` are the new texts, ``training`` how
    many there were. The fault is measured on test texts changed by the swaps (their labels stay), none of which is
    trained on. ``fault`` and ``test`` are the changes that the new texts make, ``beyond`` is how far the fault's
    accuracy lies above that of the control; without runs they are of no texts.
    """

    trained: str
    swaps: tuple[tuple[str, str], ...]
    added: tuple[Added, ...]
    training: int
    runs: tuple[Retrained, ...]
    fault: Mean
    beyond: Mean
    test: Mean

    kind: ClassVar[str] = "repair"
