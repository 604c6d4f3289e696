"""The contract of a search: trees of phrases that hold every word, add up, and depend on nothing but their text."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from exegesis.api import hierarchy
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.result import save
from exegesis.results.saved import read
from exegesis.testing.toys import TEXTS, recurrent_model
from exegesis.testing.traces import Traces


@dataclass(frozen=True, eq=False)
class Trial:
    """A search on a model and a few texts; the trees are grown once for all checks."""

    name: str
    model: Classifier
    texts: tuple[Raw, ...]
    tolerance: float
    options: dict[str, Any]
    before: Traces  # the model's traces before any call

    @cached_property
    def trees(self) -> list[Hierarchy]:
        """The trees of all texts, searched together."""
        return self.grown(self.texts)

    def grown(self, texts: Sequence[Raw]) -> list[Hierarchy]:
        """The trees of texts that are searched together."""
        return hierarchy(self.model, list(texts), self.name, **self.options)

    def demand(self, holds: bool, complaint: str) -> None:
        """Raise AssertionError, which begins with the search's name, unless a condition holds."""
        if not holds:
            raise AssertionError(f"{self.name}: {complaint}")


@entry
def check_search(
    search: str,
    model: Classifier | None = None,
    texts: Sequence[Raw] = TEXTS,
    *,
    tolerance: float = 1e-9,
    **options: Any,
) -> None:
    """Hold a search to the contract of all searches; ``options`` are those of ``exegesis.hierarchy``.

    Raises AssertionError for the first promise that is broken: every tree holds each word and the whole text, and its
    scores are finite; if the search promises completeness, the words and the account make the number; neighbours in
    a batch, order and repetition change nothing; the model is left as it was; trees are saved and read to the last
    bit. Raises UsageError if the search is not registered.
    """
    model = model or recurrent_model()
    trial = Trial(search, model, tuple(texts), tolerance, options, Traces.of(model))
    for check in CHECKS:
        check(trial)


def whole_trees(trial: Trial) -> None:
    """Every word is a part, and so is the whole text; every score is a finite number."""
    for raw, tree in zip(trial.texts, trial.trees, strict=True):
        spans = {part.span for part in tree.parts}
        words = tree.text.words
        trial.demand(set(words) <= spans, f"{raw!r}: a word is not a part of the tree")
        whole = (words[0].start, words[-1].stop)
        trial.demand(whole in spans, f"{raw!r}: the whole text is not a part of the tree")
        trial.demand(all(np.isfinite(part.score) for part in tree.parts), f"{raw!r}: a score is not finite")


def account_adds_up(trial: Trial) -> None:
    """Words and account make the number if the search promises it."""
    for raw, tree in zip(trial.texts, trial.trees, strict=True):
        words = sum(part.score for part in tree.parts if part.span in tree.text.words)
        gap = float(np.asarray(tree.explained)) - words - sum(float(np.asarray(v)) for v in tree.account.values())
        trial.demand(
            not tree.complete or abs(gap) <= trial.tolerance,
            f"{raw!r}: it promises that words and account make the number, but {gap:.3g} is left over",
        )


def neighbours_change_nothing(trial: Trial) -> None:
    """Texts in reverse order, and the first, the shortest and the longest text alone, get the same trees."""
    lengths = [len(tree.text) for tree in trial.trees]
    for row in sorted({0, lengths.index(min(lengths)), lengths.index(max(lengths))}):
        (alone,) = trial.grown([trial.texts[row]])
        same = _alike(trial.trees[row], alone, trial.tolerance)
        trial.demand(same, f"{trial.texts[row]!r}: the tree depends on the other texts in the batch")
    back = trial.grown(trial.texts[::-1])[::-1]
    for raw, tree, turned in zip(trial.texts, trial.trees, back, strict=True):
        trial.demand(_alike(tree, turned, trial.tolerance), f"{raw!r}: the tree depends on the order of the texts")


def repetition_changes_nothing(trial: Trial) -> None:
    """A second call gives equal trees."""
    for raw, tree, again in zip(trial.texts, trial.trees, trial.grown(trial.texts), strict=True):
        same = _alike(tree, again, 0.0)
        trial.demand(same, f"{raw!r}: a second call gives another tree; draw from a seed and the text")


def model_left_alone(trial: Trial) -> None:
    """Weights, flags, gradients, hooks, attributes and random states are as before a call."""
    trial.grown(trial.texts[:2])
    changed = trial.before.differences(Traces.of(trial.model))
    trial.demand(not changed, f"it changes the model's {', '.join(changed)}")


def saved_and_read(trial: Trial) -> None:
    """Trees are read back equal, to the last bit."""
    with tempfile.TemporaryDirectory() as folder:
        back = cast(list[Hierarchy], read(save(trial.trees, Path(folder) / "trees.jsonl")))
        for raw, tree, copy in zip(trial.texts, trial.trees, back, strict=True):
            trial.demand(tree == copy, f"{raw!r}: the tree that was read is not the one that was saved")


def _alike(first: Hierarchy, second: Hierarchy, tolerance: float) -> bool:
    spans = [part.span for part in first.parts] == [part.span for part in second.parts]
    scores = [[part.score for part in tree.parts] for tree in (first, second)]
    return spans and bool(np.allclose(scores[0], scores[1], rtol=0, atol=tolerance))


CHECKS: tuple[Callable[[Trial], None], ...] = (
    whole_trees,
    account_adds_up,
    neighbours_change_nothing,
    repetition_changes_nothing,
    model_left_alone,
    saved_and_read,
)
