"""Properties of words and sentences that a treebank knows, as labels for probes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from exegesis.data.treebank import Sentence
from exegesis.mech.probing.structure import arcs
from exegesis.study.corpus import normal

DEEP, CONTENT, PARTS = 5, 8, 4  # words of a depth, words of the property content, parts of the property length
OPEN = ("NOUN", "VERB", "ADJ", "ADV", "PROPN")


class Labelled(NamedTuple):
    """Labels of a property: of words ``(sentence, word)``, or of sentences, whose word is -1.

    ``control`` are labels of the control task: those of word types, of a sentence that of its first word.
    """

    name: str
    level: str
    places: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]
    control: tuple[str, ...]


def _words(of: Callable[[Sentence, int], str]) -> Callable[[Sequence[Sentence]], dict[tuple[int, int], str]]:
    return lambda sentences: {
        (number, word): of(sentence, word)
        for number, sentence in enumerate(sentences)
        for word in range(len(sentence.words))
    }


def _depth(sentences: Sequence[Sentence]) -> dict[tuple[int, int], str]:
    found = {}
    for number, sentence in enumerate(sentences):
        for word, depth in enumerate(arcs(sentence.heads)[1].tolist()):
            found[number, word] = str(depth) if depth < DEEP else f"{DEEP} or more"
    return found


def _length(sentences: Sequence[Sentence]) -> dict[tuple[int, int], str]:
    lengths = [len(sentence.words) for sentence in sentences]
    cuts = sorted({int(cut) for cut in np.quantile(lengths, np.arange(1, PARTS) / PARTS)})
    ends = [1, *(cut + 1 for cut in cuts), max(lengths) + 1]
    names = [f"{low} to {high - 1} words" for low, high in pairwise(ends)]
    return {(number, -1): names[sum(length > cut for cut in cuts)] for number, length in enumerate(lengths)}


def _tense(sentences: Sequence[Sentence]) -> dict[tuple[int, int], str]:
    found = {}
    for number, sentence in enumerate(sentences):
        features = sentence.features[sentence.heads.index(-1)] if sentence.features and -1 in sentence.heads else ""
        tense = next((part[6:] for part in features.split("|") if part.startswith("Tense=")), "")
        if tense in ("Past", "Pres"):
            found[number, -1] = {"Past": "past", "Pres": "present"}[tense]
    return found


def _content(sentences: Sequence[Sentence]) -> dict[tuple[int, int], str]:
    """Which one of the most frequent open words a sentence holds, where it holds one of them."""
    words = [{normal(w) for w, tag in zip(s.words, s.tags, strict=True) if tag in OPEN} for s in sentences]
    common = [word for word, _ in Counter(word for own in words for word in sorted(own)).most_common(CONTENT)]
    held = {number: own & set(common) for number, own in enumerate(words)}
    return {(number, -1): min(own) for number, own in held.items() if len(own) == 1}


PROPERTIES: dict[str, Callable[[Sequence[Sentence]], dict[tuple[int, int], str]]] = {
    "tag": _words(lambda sentence, word: sentence.tags[word]),
    "relation": _words(lambda sentence, word: sentence.relations[word]),
    "depth": _depth,
    "length": _length,
    "tense": _tense,
    "content": _content,
}


def labelled(name: str, sentences: Sequence[Sentence], minimum: int, seed: int) -> Labelled | None:
    """The labels of a property, without those that occur less than ``minimum`` times; None if fewer than two are left.

    The control task gives each word type a label at random, with the frequencies of the property's own (Hewitt and
    Liang 2019, Sec. 2.2).
    """
    found = PROPERTIES[name](sentences)
    counts = Counter(found.values())
    places = tuple(place for place, label in found.items() if counts[label] >= minimum)
    labels = tuple(found[place] for place in places)
    if len(set(labels)) < 2:
        return None
    types = [normal(sentences[number].words[max(word, 0)]) for number, word in places]
    draws, known = random.Random(seed), sorted(set(types))
    drawn = dict(zip(known, draws.choices(labels, k=len(known)), strict=True))
    level = "sentence" if places[0][1] < 0 else "word"
    return Labelled(name, level, places, labels, tuple(drawn[one] for one in types))
