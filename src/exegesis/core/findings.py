"""What studies find: causes of failures, substitutions that flip a prediction, the summary of a corpus. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.core.spread import Spread
from exegesis.core.studies import Asked, Shown, Study

FINDINGS = {
    "unseen": "no training text holds it",
    "rare": "fewer than 10 training texts hold it",
    "imbalanced": "the training texts that hold it have the label it speaks for more often than others (p < 0.01)",
    "giveaway": "at least 20 training texts hold it, and 95 % or more of them have one label",
    "context-blind": "it speaks one way in 90 % of its uses or more, though a quarter or more of those texts are truly "
    "of another label",
    "shortcut": "imbalanced, and texts that hold it are predicted wrongly more often than others (p < 0.05)",
}


class Training(NamedTuple):
    """Training texts that hold a word, by their label; ``share`` is that of one label among them, ``base`` its share
    among all training texts, ``p`` the two-sided exact binomial test of the first against the second (NaN of none)."""

    labels: Mapping[str, int]
    share: float
    base: float
    p: float

    @property
    def texts(self) -> int:
        return sum(self.labels.values())


class Cause(NamedTuple):
    """A word that carries most of the score of wrong predictions.

    ``wrong`` is how many, ``label`` what it made the model say (most often), ``cured`` how many of them come right when
    the word alone is left out; ``score`` is its mean score for the wrong labels. Of the ``uses`` texts that hold it
    ``errors`` are predicted wrongly; it speaks for ``label`` in a share ``same`` of them, and a share ``truly`` of them
    has that label. ``findings`` are keys of ``FINDINGS``.
    """

    word: str
    label: str
    wrong: int
    cured: int
    score: float
    uses: int
    errors: int
    same: float
    truly: float
    training: Training | None
    findings: tuple[str, ...]
    examples: tuple[Shown, ...]


class Leak(NamedTuple):
    """A text that stands among the training texts too, with its label there."""

    text: str
    gold: str
    training: str


class Corpora(NamedTuple):
    """Right predictions, and the check of the training data (Figure 9 of the REAT paper).

    ``labels`` counts the training texts by label. ``training_accuracy`` is that of ``sample`` training texts. Of the
    texts studied ``leaked`` are training texts too, ``clashing`` of them with another label.
    """

    right: int
    texts: int
    labels: Mapping[str, int]
    training_accuracy: float
    sample: int
    leaked: int
    clashing: int
    leaks: tuple[Leak, ...]


@dataclass(frozen=True, eq=False)
class Failures(Study):
    """Wrong predictions by the words that caused them (REAT paper, Sec. 4.8.1), with the checks of its Figure 9.

    The cause of a wrong prediction is the word of the highest score for the label that was predicted. Causes
    without which most predictions come right stand first, then those of most predictions;
    ``confusion[gold][predicted]`` counts texts.
    ``cured`` wrong predictions come right when their cause is left out; ``by_chance`` is how many do when one word
    drawn at random is (the mean of five draws), which is what the causes must beat.
    """

    asked: Asked
    corpora: Corpora
    confusion: Mapping[str, Mapping[str, int]]
    cured: int
    by_chance: float
    causes: tuple[Cause, ...]

    kind: ClassVar[str] = "failures"

    @property
    def wrong(self) -> int:
        return self.corpora.texts - self.corpora.right


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

    @property
    def flips(self) -> tuple[Swap, ...]:
        """The swaps that flip the prediction."""
        return tuple(swap for swap in self.swaps if swap.flips)


class TopWord(NamedTuple):
    """A word and the spread of its scores for one label."""

    word: str
    label: str
    spread: Spread


class Contrary(NamedTuple):
    """A word that speaks against the label that its training texts have more often than others."""

    word: str
    label: str
    spread: Spread
    training: Training


class Unfaithful(NamedTuple):
    """A text that the model is sure of, though the words of the highest scores can go: ``top`` is how far the
    probability falls without them, ``random`` the mean fall without as many words drawn at random."""

    text: Shown
    removed: int
    top: float
    random: float


@dataclass(frozen=True, eq=False)
class Summary(Study):
    """What a model does over a corpus: each label's strongest words, texts whose explanation is no reason, words that
    act differently from their training statistics.

    Scores are for each label less the mean over labels. ``minimum`` is how many uses a word needs. ``confident`` texts
    have a probability of 0.9 or more; of these ``doubtful`` lose no more by their top fifth of words than by random
    ones, the worst stand in ``unfaithful``. ``accuracy`` is NaN without labels.
    """

    asked: Asked
    labels: Mapping[str, int]
    accuracy: float
    minimum: int
    words: tuple[TopWord, ...]
    confident: int
    doubtful: int
    unfaithful: tuple[Unfaithful, ...]
    contrary: tuple[Contrary, ...]
    trained: int

    kind: ClassVar[str] = "summary"


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
    """The mean change of an accuracy over seeds, with its 95 % interval: a paired bootstrap over ``texts`` texts."""

    value: float
    low: float
    high: float
    texts: int


@dataclass(frozen=True, eq=False)
class Repair(Study):
    """New training texts against a fault, and what retraining with them changes.

    ``swaps`` are words that may stand for each other with the same label. ``added`` are the new texts, ``training`` how
    many there were. The fault is measured on test texts changed by the swaps (their labels stay). ``fault`` and
    ``test`` are the changes that the new texts make, ``beyond`` is how far the fault's accuracy lies above that of the
    control; without runs they are of no texts.
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
