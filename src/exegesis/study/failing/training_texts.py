"""Statistics of the training data: words by label, and texts that are evaluated too."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from exegesis.core.text import Text
from exegesis.protocols.model import Classifier
from exegesis.results.behaviour.faults import Leak, Training
from exegesis.study.corpus import Corpus, normal
from exegesis.study.predictions import in_parts


@dataclass(frozen=True, eq=False)
class TrainingTexts:
    """Training texts counted by word and label and by label, and the label of each whole text."""

    words: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, int]
    texts: Mapping[str, str]

    @property
    def total(self) -> int:
        """The number of training texts."""
        return sum(self.labels.values())

    def of(self, word: str, label: str) -> Training:
        """The counts of a word, and the share of ``label`` among them compared with its share among all texts."""
        held = self.words.get(word, {})
        texts, base = sum(held.values()), self.labels.get(label, 0) / self.total
        if not texts:
            return Training({}, math.nan, base, math.nan)
        p = float(stats.binomtest(held.get(label, 0), texts, base).pvalue) if 0 < base < 1 else 1.0
        return Training(dict(held), held.get(label, 0) / texts, base, p)

    def leak(self, text: Text, gold: str) -> Leak | None:
        """The training text equal to this text except for case and spaces, or None."""
        label = self.texts.get(key(text))
        return None if label is None else Leak(text.raw, gold, label)


def read_training(model: Classifier, corpus: Corpus) -> TrainingTexts:
    """Count the words of the training texts, each word once per text."""
    words: dict[str, Counter[str]] = defaultdict(Counter)
    texts: dict[str, str] = {}
    labels: Counter[str] = Counter()
    for start, part in in_parts(model, corpus.raws):
        for number, text in enumerate(part, start):
            gold = corpus.golds[number] or ""
            labels[gold] += 1
            texts[key(text)] = gold
            for word in set(map(normal, text.word_strings())):
                words[word][gold] += 1
    return TrainingTexts(words, labels, texts)


def key(text: Text) -> str:
    """A key that is the same for copies of a text that differ in case and spaces only."""
    return " ".join(map(normal, text.word_strings()))
