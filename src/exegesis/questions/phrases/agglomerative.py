"""Agglomerative search: join words into phrases, the strongest first (ACD; Singh, Murdoch and Yu 2019)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from exegesis.core.errors import UsageError
from exegesis.core.parameters import between
from exegesis.core.progress import Tally
from exegesis.core.text import Span
from exegesis.engine.answer import array, finite
from exegesis.engine.methods import Spanning, card_of
from exegesis.mech.removal.coalitions import together
from exegesis.nn.rounding import tie
from exegesis.protocols.batch import Batch
from exegesis.protocols.target import Target
from exegesis.questions.phrases.catalogue import PHRASE_METHODS, Scorer, search
from exegesis.questions.phrases.search import Grown, Mark, Trees

Scores = dict[Span, float]
PERCENTILE = 99.5  # of Singh, Murdoch and Yu on texts
PERCENTILES = {"soc": 90.0, "scd": 90.0}  # of Jin et al.


@search("acd", paper="Singh, Murdoch and Yu 2019", scorers=PHRASE_METHODS, free=True)
@search("soc", paper="Jin et al. 2020", scorers=("soc",))
@search("scd", paper="Jin et al. 2020", scorers=("scd",))
@dataclass(frozen=True)
class Agglomerative:
    """Join words into phrases from below; a phrase has the score that ``scorer``, a method, gives it directly.

    Words are selected in rounds, and adjacent selected words form a group (Algorithm 1, and the authors' code). At
    first a word's priority is the magnitude of its own score. Next to a group it is the magnitude of the group's gain
    in score by the word (``by="gain"``, as in the paper), or of that gain less the word's own score
    (``by="interaction"``); between two groups the larger one counts. Each round selects the words whose priority is at
    or above the ``percentile`` of the words not yet selected, and at least the best one. By default it is the one that
    the authors ran on texts: 99.5, which selects one word per round up to 200 words; with the scorers soc and scd the
    90 of Jin et al. 2020, which lets a text grow in several places. The last round gives the whole text. Ties (to the
    rounding of the model's outputs) are selected together.

    A phrase's ``interaction`` is its score less the sum of its parts' scores (the groups that it joined, and single
    words), its ``step`` is the round in which it was formed. The search deviates from the authors' code in two points:
    its rule to always select two of the last five words is left out; and where a word lies between two groups, the code
    keeps the gain that it computed last, that of the group on the right. Scores are in the units of the scorer.

    Raises UsageError for a scorer that only sums over words.
    """

    scorer: Scorer
    percentile: Annotated[float, between(0, 100)] | None = None
    by: Literal["gain", "interaction"] = "gain"

    def __post_init__(self) -> None:
        if not hasattr(self.scorer, "spans"):
            raise UsageError(
                f"{card_of(self.scorer).name} scores a phrase as the sum of its words, so nothing says which to join: "
                "take a scorer that scores phrases, such as leave-one-out, or the search parse"
            )

    @property
    def share(self) -> float:
        """The percentile of this run."""
        if self.percentile is not None:
            return self.percentile
        return PERCENTILES.get(card_of(self.scorer).name, PERCENTILE)

    @property
    def scored(self) -> str:
        return f"{card_of(self.scorer).name}: {card_of(self.scorer).summary}"

    @property
    def complete(self) -> bool:
        return False

    def passes(self, words: int) -> int | None:
        """Those of the scorer for each word, and for each round the longer groups and the new one."""
        stated = getattr(self.scorer, "passes", None)
        return None if stated is None else stated(4 * words, 1)

    def __call__(self, model: Any, batch: Batch, target: Target, trees: Trees) -> list[Grown]:
        texts, scorer, name = batch.texts, self.scorer, card_of(self.scorer).name
        score: Spanning
        if hasattr(scorer, "prepared"):
            score = scorer.prepared(model, batch, target)
        else:
            score = partial(scorer.spans, model, batch, target)

        def answer(requests: Sequence[list[Span] | None]) -> list[list[float]]:
            spans = [[text.over(span) for span in phrases or ()] for text, phrases in zip(texts, requests, strict=True)]
            return [array(finite(values, model, f"scores of {name}"))[0].tolist() for values in score(spans)]

        tally = Tally("words joined", sum(len(text.words) for text in texts))
        slack = tie(model.outputs(batch)).tolist()
        return together([self._join(len(text.words), slack[row], tally) for row, text in enumerate(texts)], answer)

    def _join(self, words: int, slack: float, tally: Tally) -> Generator[list[Span], list[float], Grown]:
        """The search on one text: yields phrases and receives their scores."""
        scores: Scores = {}
        marks: dict[Span, Mark] = {}
        chosen = np.zeros(words, dtype=bool)
        joined: list[Span] = []  # the groups after the last round, single words included
        step = 0
        yield from _ask([Span(at, at + 1) for at in range(words)], scores)
        for at in range(words):
            marks[Span(at, at + 1)] = Mark(scores[Span(at, at + 1)])
        singles = np.array([scores[Span(at, at + 1)] for at in range(words)])
        while not chosen.all():
            beside = [longer for group in joined for longer in _extended(group, chosen)]
            yield from _ask(beside, scores)
            new = self._selected(chosen, joined, scores, singles, slack)
            chosen |= new
            tally.add(int(new.sum()))
            groups, step = _groups(chosen), step + 1
            yield from _ask(groups, scores)
            for group in groups:
                if group not in marks:
                    parts = [smaller for smaller in joined if group.covers(smaller)]
                    inside = {word for part in parts for word in range(*part)}
                    loose = [Span(word, word + 1) for word in range(*group) if word not in inside]
                    gain = scores[group] - sum(scores[part] for part in (*parts, *loose))
                    marks[group] = Mark(scores[group], gain, step)
            joined = groups
        return Grown(marks, details={"rounds": step})

    def _selected(
        self, chosen: np.ndarray, groups: Sequence[Span], scores: Scores, singles: np.ndarray, slack: float
    ) -> np.ndarray:
        """A flag for each word that the next round selects, without those of earlier rounds."""
        priority, touched = np.abs(singles), set[int]()
        for group in groups:
            for longer in _extended(group, chosen):
                at = longer.start if longer.start < group.start else longer.stop - 1
                gain = abs(scores[longer] - scores[group] - (singles[at] if self.by == "interaction" else 0.0))
                priority[at] = max(priority[at], gain) if at in touched else gain
                touched.add(at)
        lowest = _percentile(priority[~chosen], self.share)
        new: np.ndarray = (priority >= lowest - slack) & ~chosen
        return new


def _percentile(values: np.ndarray, share: float) -> float:
    """The percentile of values, interpolated linearly between two of them."""
    ordered = np.sort(values)
    place = share / 100 * (len(ordered) - 1)
    low, high = int(place), min(int(place) + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def _ask(spans: Sequence[Span], scores: Scores) -> Generator[list[Span], list[float], None]:
    new = [span for span in dict.fromkeys(spans) if span not in scores]
    if new:
        answers = yield new
        scores.update(zip(new, answers, strict=True))


def _groups(chosen: np.ndarray) -> list[Span]:
    """The runs of chosen words."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [Span(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _extended(group: Span, chosen: np.ndarray) -> list[Span]:
    """A group extended by the word before it, and by the word after it, if there are such words."""
    before = [Span(group.start - 1, group.stop)] if group.start > 0 else []
    return [*before, Span(group.start, group.stop + 1)] if group.stop < len(chosen) else before
