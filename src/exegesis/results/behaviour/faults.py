"""Results of studies of a model's faults: causes of failures, summaries, substitutions that flip, repairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.behaviour.study import Asked, Shown, Study
from exegesis.statistics.bootstrap import Spread

FINDINGS = {
    "unseen": "no training text holds it",
    "rare": "fewer than 10 training texts hold it",
    "imbalanced": "the training texts that hold it have the label it speaks for more often than others (p < 0.01)",
    "giveaway": "at least 20 training texts hold it, and 95 % or more of them have one label",
    "context-blind": "it speaks one way in 90 % of its uses or more, though a quarter or more of those texts are truly "
    "of another label",
    "shortcut": "imbalanced, and texts that hold it are predicted wrongly more often than others (p < 0.05 for all "
    "imbalanced causes together, given the error that made it one)",
}


class Training(NamedTuple):
    """Training texts that hold a word, by their label.

    ``share`` is the share of one label among them, ``base`` its share among all training texts, ``p`` the p-value of a
    two-sided exact binomial test of ``share`` against ``base`` (NaN without texts).
    """

    labels: Mapping[str, int]
    share: float
    base: float
    p: float

    @property
    def texts(self) -> int:
        """The number of training texts that hold the word."""
        return sum(self.labels.values())


class Behind(NamedTuple):
    """A training text that speaks for wrong predictions: its number (from 0), characters, label and score."""

    number: int
    text: str
    label: str
    score: float


class Cause(NamedTuple):
    """A word that carries most of the score of wrong predictions.

    It causes ``wrong`` wrong predictions, most often of ``label``; ``cured`` of them become right when the word alone
    is left out. ``score`` is its mean score for the wrong labels. ``uses`` texts hold the word: ``errors`` of them are
    predicted wrongly, in a share ``same`` the word speaks for ``label``, and a share ``truly`` has that label.
    ``findings`` are keys of ``FINDINGS``. ``behind`` are training texts that speak most for its wrong predictions,
    where they were asked for.
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
    behind: tuple[Behind, ...] = ()


class Leak(NamedTuple):
    """A text that is also a training text: its label in the corpus and its label in training."""

    text: str
    gold: str
    training: str


class Corpora(NamedTuple):
    """The number of right predictions, and a check of the training data (Figure 9 of the REAT paper).

    ``labels`` counts the training texts by label. ``training_accuracy`` is the accuracy on ``sample`` training texts.
    ``leaked`` of the studied texts are also training texts, ``clashing`` of them with another label.
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

    The cause of a wrong prediction is the word with the highest score for the predicted label. ``causes`` are sorted by
    the number of predictions that become right without the cause, then by the number of predictions that it causes.
    ``confusion[gold][predicted]`` counts texts. ``cured`` wrong predictions become right when their cause is left out;
    ``by_chance`` is the number that become right when one random word is left out (the mean of five draws), which the
    causes must exceed.
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
        """The number of wrong predictions."""
        return self.corpora.texts - self.corpora.right


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
    """A confident prediction that does not depend on the words with the highest scores.

    ``top`` is the fall of the probability without the ``removed`` top words, ``random`` the mean fall without as many
    random words.
    """

    text: Shown
    removed: int
    top: float
    random: float


@dataclass(frozen=True, eq=False)
class Summary(Study):
    """A model's behaviour over a corpus: the strongest words of each label, unfaithful explanations, contrary words.

    Scores are for each label less the mean over labels; a word needs ``minimum`` uses. ``confident`` predictions have a
    probability of 0.9 or more. ``doubtful`` of them lose no more without the top fifth of their words than without
    random words; the worst are in ``unfaithful``. Words in ``contrary`` speak against the label that is more frequent
    in their training texts. ``accuracy`` is NaN without labels.
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


class Swap(NamedTuple):
    """A replacement of a word and its effect on the prediction.

    ``sources`` proposed the new word; ``same_tag`` if it has the same part of speech. ``label`` is the prediction after
    the swap, ``probability`` that of the label predicted before, ``flips`` is true if the two labels differ.
    """

    word: str
    sources: tuple[str, ...]
    same_tag: bool
    label: str
    probability: float
    flips: bool


class Pair(NamedTuple):
    """A text before and after a swap; the scores of both are for the label that was predicted before."""

    before: Shown
    after: Shown


class Transfer(NamedTuple):
    """A swap tried in other texts: every ``old`` becomes ``new``.

    ``texts`` texts hold the old word. ``flips`` of their predictions change, ``broken`` of them from right to wrong and
    ``mended`` from wrong to right (0 without labels). ``change`` is the mean change of the probability of the label
    that was predicted before.
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
    """Replacements of a suspected word, their effect on its text and on other texts.

    REAT paper, Sec. 4.8.2, Tables 6 and 7. ``pairs`` show the text before and after each swap that flips its
    prediction, ``transfers`` the same swaps in other texts.
    """

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
        """For each source of words, the number of its swaps that flip the prediction and the number of its swaps."""
        names = dict.fromkeys(name for swap in self.swaps for name in swap.sources)
        sources = {name: [swap for swap in self.swaps if name in swap.sources] for name in names}
        return {name: (sum(swap.flips for swap in swaps), len(swaps)) for name, swaps in sources.items()}


class Added(NamedTuple):
    """A new training text, its label, and the training text from which a swap made it."""

    text: str
    label: str
    origin: str


class Retrained(NamedTuple):
    """Accuracies of three models trained from one seed, on texts with the fault and on the test texts.

    ``before``: trained without the new texts; ``control``: with the originals of the new texts repeated instead;
    ``after``: with the new texts.
    """

    seed: int
    fault_before: float
    fault_control: float
    fault_after: float
    test_before: float
    test_control: float
    test_after: float


class Mean(NamedTuple):
    """The mean change of an accuracy over ``texts`` texts and ``seeds`` trainings, with its 95 % interval.

    The texts were made from ``origins`` different texts. A percentile bootstrap over origins says how far other texts
    may move the mean, Student's t over the trainings' means how far other seeds may move it; the two distances are
    added in squares on either side (Zou & Donner 2008). With one training the interval covers the choice of texts
    alone. The interval is NaN with fewer than six origins.
    """

    value: float
    low: float
    high: float
    texts: int
    origins: int = 0
    seeds: int = 1


@dataclass(frozen=True, eq=False)
class Repair(Study):
    """New training texts against a fault, and the accuracies before and after retraining with them.

    ``swaps`` are pairs of words that can be exchanged without changing the label. ``added`` are the new texts,
    ``training`` is the number of texts before. The fault is measured on test texts changed by the swaps (labels stay);
    none of them is trained on. ``fault`` and ``test`` are the changes of accuracy that the new texts cause, ``beyond``
    is the accuracy on the fault above that of the control; without ``runs`` they are means of no texts.
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
