"""Scores of every word of a corpus by part of speech."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exegesis.api import Place, Plan, as_model, bar, chosen
from exegesis.core.errors import unknown
from exegesis.core.text import Text
from exegesis.engine.methods import Method
from exegesis.models.tagger import Tagger, default_tagger, universal
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Wish
from exegesis.results.behaviour.study import WordClass, WordClasses
from exegesis.statistics.bootstrap import spread
from exegesis.study.corpus import Corpus, Data, asked_of, explained, normal, signed, single_target, texts_of

TAGS = ("merged", "penn", "universal")
VERBS = ("VB", "VBD", "VBG", "VBN", "VBP", "VBZ")
MAX_COMMON = 4  # words named per class


@entry
def words(
    model: Classifier | str,
    data: Data,
    method: str | Method | None = None,
    target: Wish = None,
    *,
    tags: str = "merged",
    tagger: Tagger | None = None,
    samples: int = 1000,
    seed: int = 0,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> WordClasses:
    """Scores by part of speech: the kinds of words that the model goes by (REAT paper, Sec. 4.7, Figure 7).

    Every word of ``data`` (texts, examples, or the path of a file) is scored for each text's predicted label, or for
    ``target``, and falls under the tag that ``tagger`` (the bundled one) gives it in its text; each part of a pair is
    tagged alone. ``tags``: see ``WordClasses``. ``method`` and ``parameters`` as for ``explain``. Raises like
    ``explain``, and UsageError for no texts or a target of several numbers.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, target)
    single_target(plan)
    if tags not in TAGS:
        raise unknown("choice of tags", tags, TAGS)
    corpus = Corpus.of(data, None, classifier.labels)
    assign = tagger or default_tagger()
    scores: dict[str, array[float]] = {}
    owners: dict[str, array[int]] = {}
    common: dict[str, Counter[str]] = {}
    signs = True
    with bar(progress, len(corpus), plan.name) as advance:
        for number, result in explained(plan, texts_of(classifier, corpus), advance):
            signs = signed(result)
            over = result.over_words()
            word_tags = _tags(result.text, assign, tags)
            for word, score, tag in zip(over.words, over.scores.tolist(), word_tags, strict=True):
                scores.setdefault(tag, array("d")).append(score)
                owners.setdefault(tag, array("l")).append(number)
                common.setdefault(tag, Counter())[normal(word)] += 1
    classes = [
        WordClass(tag, spread(np.array(values), np.array(owners[tag]), samples, seed), _common(common[tag]))
        for tag, values in scores.items()
    ]
    classes.sort(key=lambda word_class: (-word_class.spread.median, word_class.tag))
    count = sum(map(len, scores.values()))
    return WordClasses(asked_of(plan, len(corpus), count, signs), tags, repr(assign), tuple(classes))


def _tags(text: Text, tagger: Tagger, tags: str) -> list[str]:
    """The tag of each word of a text; each part of a pair is tagged separately."""
    strings = text.word_strings()
    part = [next((n for n, s in enumerate(text.segments) if s.covers(word)), 0) for word in text.words]
    penn: list[str] = []
    for number in sorted(set(part)):
        penn += tagger([word for word, n in zip(strings, part, strict=True) if n == number])
    return [_converted(tag, tags) for tag in penn]


def _converted(tag: str, tags: str) -> str:
    if tags == "universal":
        return universal(tag)
    return "VB" if tags == "merged" and tag in VERBS else tag


def _common(counts: Mapping[str, int]) -> tuple[str, ...]:
    ranked: Sequence[str] = sorted(counts, key=lambda word: (-counts[word], word))
    return tuple(ranked[:MAX_COMMON])
