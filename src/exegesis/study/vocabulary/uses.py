"""Scores of words over all their contexts, several words side by side."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from exegesis.api import Place, Plan, as_model, bar, chosen
from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.engine.methods import Method
from exegesis.nn.context import entry
from exegesis.protocols.labels import Labels
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Wish
from exegesis.results.attribution import Attribution
from exegesis.results.behaviour.study import Absent, Gap, Shown, Uses, WordUses
from exegesis.statistics.bootstrap import median_difference, spread
from exegesis.study.corpus import Corpus, Data, asked_of, explained, normal, shown, signed, single_target, texts_of


@dataclass
class _Collected:
    """Scores of a word collected so far, and the contexts of the ``keep`` lowest and highest."""

    keep: int
    scores: list[float] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    ends: list[tuple[float, int, Shown]] = field(default_factory=list)

    def add(self, result: Attribution, number: int, gold: str | None, places: Sequence[int]) -> None:
        scores = result.over_words().scores[list(places)].tolist()
        self.scores += scores
        self.owners += [number] * len(places)
        self.ends.append((min(scores), number, shown(result, number, gold, places)))
        self.ends.sort(key=lambda context: context[:2])
        if len(self.ends) > 2 * self.keep:
            del self.ends[self.keep]

    def contexts(self) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
        """The lowest and the highest contexts; no context is in both."""
        half = max(1, min(self.keep, len(self.ends) // 2)) if self.keep else 0
        low, high = self.ends[:half], self.ends[half:][-half:][::-1]
        return tuple(text for *_, text in low), tuple(text for *_, text in high)


@entry
def word(
    model: Classifier | str,
    data: Data,
    words: str | Sequence[str],
    method: str | Method | None = None,
    target: Wish = None,
    *,
    labels: Labels | None = None,
    contexts: int = 3,
    samples: int = 1000,
    seed: int = 0,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> WordUses:
    """The scores of one or several words in all their contexts (REAT paper, Figure 8).

    Every occurrence of ``words`` (case is ignored) in ``data`` is scored for the same number in all texts: by default
    the logit of the last label (``positive`` for negative and positive). The texts of the ``contexts`` lowest and
    highest scores are part of the result. Only texts that hold a word are explained. Words that no text holds are
    named in ``absent``. Raises like ``explain``, and UsageError for no texts, no words, or if no text holds any of
    them.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, classifier.labels[-1] if target is None else target)
    single_target(plan)
    distinct = list(dict.fromkeys([words] if isinstance(words, str) else words))
    if not distinct or not all(map(str.strip, distinct)):
        raise UsageError("there is no word to study; give at least one")
    corpus = Corpus.of(data, labels, classifier.labels)
    collected = {normal(word): _Collected(contexts) for word in distinct}
    signs, count = True, 0
    held = list(_holding(texts_of(classifier, corpus), set(collected)))
    absent = _absent(classifier, corpus, held, distinct)
    missing = {entry.word for entry in absent}
    with bar(progress, len(held), plan.name) as advance:
        for number, result in explained(plan, iter(held), advance):
            signs, count = signed(result), count + len(result.words)
            strings = list(map(normal, result.words))
            for key, scores in collected.items():
                places = [i for i, string in enumerate(strings) if string == key]
                if places:
                    scores.add(result, number, corpus.golds[number], places)
    uses = tuple(_uses(word, collected[normal(word)], samples, seed) for word in distinct if word not in missing)
    gaps = tuple(_gap(a, b, samples, seed) for a, b in pairwise(uses))
    return WordUses(asked_of(plan, len(held), count, signs), uses, gaps, absent)


def _holding(texts: Iterator[tuple[int, Text]], words: set[str]) -> Iterator[tuple[int, Text]]:
    return (numbered for numbered in texts if not words.isdisjoint(map(normal, numbered[1].word_strings())))


def _absent(
    model: Classifier, corpus: Corpus, held: Sequence[tuple[int, Text]], words: Sequence[str]
) -> tuple[Absent, ...]:
    """The words that no text holds, each with the nearest word of the texts. Raises UsageError if no word is held."""
    present = {normal(word) for _, text in held for word in text.word_strings()}
    missing = [word for word in words if normal(word) not in present]
    if not missing:
        return ()
    vocabulary = sorted({normal(word) for _, text in texts_of(model, corpus) for word in text.word_strings()})
    near = [next(iter(difflib.get_close_matches(normal(word), vocabulary, n=1)), "") for word in missing]
    if len(missing) < len(words):
        return tuple(map(Absent, missing, near))
    hint = f"; the nearest word that occurs is {near[0]!r}" if near[0] else ""
    raise UsageError(f"no text holds the word {' or '.join(map(repr, missing))}{hint}")


def _uses(word: str, collected: _Collected, samples: int, seed: int) -> Uses:
    scores, owners = np.array(collected.scores), np.array(collected.owners)
    order = np.lexsort((scores, owners))
    low, high = collected.contexts()
    return Uses(word, spread(scores, owners, samples, seed), scores[order], tuple(owners[order].tolist()), low, high)


def _gap(first: Uses, second: Uses, samples: int, seed: int) -> Gap:
    value = first.spread.median - second.spread.median
    return Gap(first.word, second.word, value, *median_difference(_scored(first), _scored(second), samples, seed))


def _scored(uses: Uses) -> tuple[Float[np.ndarray, " n"], np.ndarray]:
    return uses.scores, np.array(uses.texts)
