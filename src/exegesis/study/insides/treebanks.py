"""Sentences of a treebank beside the texts that a model reads of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import ExegesisError
from exegesis.core.text import Text
from exegesis.data.links import Linked
from exegesis.data.treebank import Sentence
from exegesis.engine.answer import array
from exegesis.mech.attending.layout import Read
from exegesis.protocols.model import Classifier

OFFSETS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)  # words before and after


def owners(sentence: Sentence | Linked, text: Text) -> list[int]:
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


def read_whole(model: Classifier, sentence: Sentence | Linked, complaints: list[str]) -> Text | None:
    """The text of a sentence if the model reads each of its words; else None, and ``complaints`` gets the reason."""
    try:
        text = model.read(sentence.text)
    except ExegesisError as error:  # longer than the model takes, or nothing that it reads
        complaints.append(str(error))
        return None
    unread = set(range(len(sentence.words))) - set(owners(sentence, text))
    if unread:
        complaints.append(f"of {sentence.text!r:.60} the model reads no piece of {sentence.words[min(unread)]!r:.40}")
        return None
    return text


def because(complaints: Sequence[str]) -> str:
    """The first reason why a sentence was not read, to be put behind a message; nothing without one."""
    return f" (the first: {complaints[0]})" if complaints else ""


def between_words(found: Read, owned: Sequence[int], count: int) -> Float[np.ndarray, "l h w w"]:
    """Attention from word to word: the mean over the pieces of a row, the sum over those of a column."""
    member = np.zeros((count, len(owned)))
    for piece, word in enumerate(owned):
        if word >= 0:
            member[word, piece] = 1.0
    weights = np.stack([array(one) for one in found.weights])
    summed = weights @ member.T
    between: np.ndarray = (member / member.sum(1, keepdims=True)) @ summed
    return between
