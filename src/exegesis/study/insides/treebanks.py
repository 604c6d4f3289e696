"""Sentences of a treebank beside the texts that a model reads of them."""

from __future__ import annotations

from exegesis.core.text import Text
from exegesis.data.treebank import Sentence


def owners(sentence: Sentence, text: Text) -> list[int]:
    """The number of the sentence's word to which each piece of the text belongs; -1 for a special piece."""
    ends = sentence.characters()
    found, at = [], 0
    for (start, stop), special in zip(text.offsets, text.special, strict=True):
        if special or start == stop:
            found.append(-1)
            continue
        while at + 1 < len(ends) and ends[at][1] <= start:
            at += 1
        while at and ends[at][0] >= stop:
            at -= 1
        found.append(at)
    return found
