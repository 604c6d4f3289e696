"""One word over its contexts, several words side by side."""

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
from exegesis.protocols.model import Classifier
from exegesis.results.attribution import Attribution
from exegesis.results.study import Absent, Gap, Shown, Uses, WordUses
from exegesis.statistics.bootstrap import median_difference, spread
from exegesis.study.texts import Corpus, Data, asked_of, explained, normal, shown, signed, single_target, texts_of


@dataclass
class _Found:
    """Scores of one word so far, and the contexts of the ``keep`` lowest and highest."""

    keep: int
    scores: list[float] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    ends: list[tuple[float, int, Shown]] = field(default_factory=list)

    def add(self, result: Attribution, number: int, gold: str | None, places: Sequence[int]) -> None:
        scores = result.over_words().scores[list(places)].tolist()
        self.scores += scores
        self.owners += [number] * len(places)
        self.ends.append((min(scores), number, shown(result, number, gold, places)))
        self.ends.sort(key=lambda one: one[:2])
        if len(self.ends) > 2 * self.keep:
            del self.ends[self.keep]

    def contexts(self) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
        """The lowest and the highest; no context is in both."""
        half = max(1, min(self.keep, len(self.ends) // 2)) if self.keep else 0
        low, high = self.ends[:half], self.ends[half:][-half:][::-1]
        return tuple(one[2] for one in low), tuple(one[2] for one in high)


def word(
    model: Classifier | str,
    data: Data,
    words: str | Sequence[str],
    method: str | Method | None = None,
    target: str | int | None = None,
    *,
    labels: Sequence[str | int] | None = None,
    contexts: int = 3,
    samples: int = 1000,
    seed: int = 0,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> WordUses:
    """What does the model make of a word? Its scores in all its contexts (REAT paper, Figure 8).

    Every occurrence of ``words`` (one, or several to compare; capitals play no part) in ``data`` is scored for one and
    the same number in all texts: by default the logit of the last label (``positive`` of negative and positive).
    ``contexts`` of the lowest and of the highest scores are kept whole. Only texts that hold a word are explained.
    Words that no text holds are named in ``absent``. Raises as ``explain``, and UsageError for no texts, no words, or
    where no text holds any of them.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, classifier.labels[-1] if target is None else target)
    single_target(plan)
    asked = list(dict.fromkeys([words] if isinstance(words, str) else words))
    if not asked or not all(one.strip() for one in asked):
        raise UsageError("there is no word to study; give at least one")
    corpus = Corpus.of(data, labels, classifier.labels)
    wanted = {normal(one): _Found(contexts) for one in asked}
    signs, seen = True, 0
    held = list(_holding(texts_of(classifier, corpus), set(wanted)))
    absent = _missing(classifier, corpus, held, asked)
    missing = {one.word for one in absent}
    with bar(progress, len(held), plan.name) as advance:
        for number, result in explained(plan, iter(held), advance):
            signs, seen = signed(result), seen + len(result.words)
            strings = [normal(one) for one in result.words]
            for one, found in wanted.items():
                places = [i for i, string in enumerate(strings) if string == one]
                if places:
                    found.add(result, number, corpus.golds[number], places)
    uses = tuple(_uses(one, wanted[normal(one)], samples, seed) for one in asked if one not in missing)
    gaps = tuple(_gap(a, b, samples, seed) for a, b in pairwise(uses))
    return WordUses(asked_of(plan, len(held), seen, signs), uses, gaps, absent)


def _holding(texts: Iterator[tuple[int, Text]], wanted: set[str]) -> Iterator[tuple[int, Text]]:
    return (one for one in texts if not wanted.isdisjoint(map(normal, one[1].word_strings())))


def _missing(
    model: Classifier, corpus: Corpus, held: Sequence[tuple[int, Text]], asked: Sequence[str]
) -> tuple[Absent, ...]:
    """The words that no text holds, with the nearest that one does. Raises UsageError where all are."""
    there = {normal(word) for _, text in held for word in text.word_strings()}
    gone = [one for one in asked if normal(one) not in there]
    if not gone:
        return ()
    known = sorted({normal(word) for _, text in texts_of(model, corpus) for word in text.word_strings()})
    near = [next(iter(difflib.get_close_matches(normal(one), known, n=1)), "") for one in gone]
    if len(gone) < len(asked):
        return tuple(map(Absent, gone, near))
    words = " or ".join(repr(one) for one in gone)
    hint = f"; the nearest that stands in one is {near[0]!r}" if near[0] else ""
    raise UsageError(f"no text holds the word {words}{hint}")


def _uses(word: str, found: _Found, samples: int, seed: int) -> Uses:
    scores, owners = np.array(found.scores), np.array(found.owners)
    order = np.lexsort((scores, owners))
    low, high = found.contexts()
    return Uses(word, spread(scores, owners, samples, seed), scores[order], tuple(owners[order].tolist()), low, high)


def _gap(first: Uses, second: Uses, samples: int, seed: int) -> Gap:
    one, two = _own(first), _own(second)
    value = first.spread.median - second.spread.median
    return Gap(first.word, second.word, value, *median_difference(one, two, samples, seed))


def _own(uses: Uses) -> tuple[Float[np.ndarray, " n"], np.ndarray]:
    return uses.scores, np.array(uses.texts)
