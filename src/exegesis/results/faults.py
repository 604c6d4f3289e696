"""What studies find: causes of failures, the summary of a corpus. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.results.study import Asked, Shown, Study
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
