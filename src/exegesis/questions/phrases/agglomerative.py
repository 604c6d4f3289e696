"""ACD: join words into phrases, the strongest first (Singh, Murdoch and Yu 2019), with any scorer of phrases."""

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
from exegesis.engine.answer import array
from exegesis.engine.methods import Spanning, card_of
from exegesis.mech.removal.coalitions import together
from exegesis.protocols.batch import Batch
from exegesis.protocols.target import Target
from exegesis.questions.phrases.catalogue import PHRASE_METHODS, Scorer, search
from exegesis.questions.phrases.search import Grown, Mark, Trees

Scores = dict[Span, float]


@search("acd", paper="Singh, Murdoch and Yu 2019", scorers=PHRASE_METHODS, free=True)
@search("soc", paper="Jin et al. 2020", scorers=("soc",))
@search("scd", paper="Jin et al. 2020", scorers=("scd",))
@dataclass(frozen=True)
class Agglomerative:
    """A phrase's score is that of ``scorer``, a method that scores phrases directly.

    Words are selected in rounds, and words selected side by side are one group (Algorithm 1, and the authors' code).
    At first a word's priority is the size of its own score. Beside a group it is the size of what the group's score
    gains by the word (``by="gain"``, the paper's), or of that gain less the word's own score (``by="interaction"``); of
    two groups beside it the larger counts. In each round the words not yet selected are taken whose priority is at or
    above the ``percentile`` of theirs, the best one at least: 90 as in the authors' code lets long texts grow in
    several places, 100 takes one word a round. The last round gives the whole text. Ties go together.

    A phrase's ``interaction`` is its score less the sum of its parts' (groups that it joined, and single words), its
    ``step`` the round in which it arose. The authors' rule to always take two of the last five words is left out.

    Raises UsageError for a percentile outside 0 to 100, and for a scorer that only sums over words.
    """

    scorer: Scorer
    percentile: Annotated[float, between(0, 100)] = 90.0
    by: Literal["gain", "interaction"] = "gain"

    def __post_init__(self) -> None:
        if not hasattr(self.scorer, "spans"):
            raise UsageError(
                f"{card_of(self.scorer).name} scores a phrase as the sum of its words, so nothing says which to join: "
                "take a scorer that scores phrases, such as leave-one-out, or the search parse"
            )

    @property
    def scored(self) -> str:
        return f"{card_of(self.scorer).name}: {card_of(self.scorer).summary}"

    @property
    def complete(self) -> bool:
        return False

    def __call__(self, model: Any, batch: Batch, target: Target, trees: Trees) -> list[Grown]:
        texts, scorer = batch.texts, self.scorer
        score: Spanning
        if hasattr(scorer, "prepared"):
            score = scorer.prepared(model, batch, target)
        else:
            score = partial(scorer.spans, model, batch, target)

        def answer(asked: Sequence[list[Span] | None]) -> list[list[float]]:
            spans = [[text.over(span) for span in some or ()] for text, some in zip(texts, asked, strict=True)]
            return [array(values)[0].tolist() for values in score(spans)]

        tally = Tally("words joined", sum(len(text.words) for text in texts))
        return together([self._join(len(text.words), tally) for text in texts], answer)

    def _join(self, words: int, tally: Tally) -> Generator[list[Span], list[float], Grown]:
        """One text's search: asks for phrases, is sent their scores."""
        known: Scores = {}
        marks: dict[Span, Mark] = {}
        chosen = np.zeros(words, dtype=bool)
        joined: list[Span] = []  # the groups after the last round, single words among them
        step = 0
        yield from _ask([Span(at, at + 1) for at in range(words)], known)
        for at in range(words):
            marks[Span(at, at + 1)] = Mark(known[Span(at, at + 1)])
        own = np.array([known[Span(at, at + 1)] for at in range(words)])
        while not chosen.all():
            beside = [one for group in joined for one in _extended(group, chosen)]
            yield from _ask(beside, known)
            taken = self._selected(chosen, joined, known, own)
            chosen |= taken
            tally.add(int(taken.sum()))
            groups, step = _groups(chosen), step + 1
            yield from _ask(groups, known)
            for group in groups:
                if group not in marks:
                    parts = [one for one in joined if group.covers(one)]
                    inside = {word for part in parts for word in range(*part)}
                    loose = [Span(word, word + 1) for word in range(*group) if word not in inside]
                    gain = known[group] - sum(known[part] for part in (*parts, *loose))
                    marks[group] = Mark(known[group], gain, step)
            joined = groups
        return Grown(marks, details={"rounds": step})

    def _selected(self, chosen: np.ndarray, groups: Sequence[Span], known: Scores, own: np.ndarray) -> np.ndarray:
        """The words of the next round, those chosen before aside."""
        priority, touched = np.abs(own), set[int]()
        for group in groups:
            for longer in _extended(group, chosen):
                at = longer.start if longer.start < group.start else longer.stop - 1
                gain = abs(known[longer] - known[group] - (own[at] if self.by == "interaction" else 0.0))
                priority[at] = max(priority[at], gain) if at in touched else gain
                touched.add(at)
        lowest = _percentile(priority[~chosen], self.percentile)
        slack = 1e-6 * max(map(abs, known.values()))  # what rounding may move, so that it decides nothing
        taken: np.ndarray = (priority >= lowest - slack) & ~chosen
        return taken


def _percentile(values: np.ndarray, share: float) -> float:
    """Between two values, linearly."""
    ordered = np.sort(values)
    place = share / 100 * (len(ordered) - 1)
    low, high = int(place), min(int(place) + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def _ask(spans: Sequence[Span], known: Scores) -> Generator[list[Span], list[float], None]:
    new = [span for span in dict.fromkeys(spans) if span not in known]
    if new:
        scores = yield new
        known.update(zip(new, scores, strict=True))


def _groups(chosen: np.ndarray) -> list[Span]:
    """Runs of chosen words."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [Span(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _extended(group: Span, chosen: np.ndarray) -> list[Span]:
    """A group with the word before it, and with the word after it, where there is one (it is not chosen yet)."""
    found = [Span(group.start - 1, group.stop)] if group.start > 0 else []
    return [*found, Span(group.start, group.stop + 1)] if group.stop < len(chosen) else found
