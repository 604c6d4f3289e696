"""Language models made of the counts of a corpus: its words, or its pairs of neighbouring words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np

from exegesis.core.errors import UsageError
from exegesis.protocols.language import Filling, Words, generator

EDGE = ""  # the neighbour of the first and of the last word of a text


class CountedLanguageModel:
    """Draws words as often as a corpus holds them; it knows no grammar beyond neighbouring words.

    With ``order=1`` each position is drawn from the words of the corpus, regardless of its neighbours. With ``order=2``
    positions are filled from left to right, word w with weight ``c(l, w) c(w, r) / c(w)``, where l and r are the
    neighbours of the position and c counts words and pairs in the corpus (the ends of a text count as a word); if r is
    still to be filled, the weight is ``c(l, w)``. If no word fits both sides, words that fit one side are drawn (the
    left, then the right), and if none fits, any word of the corpus. Words are compared and drawn in lower case unless
    ``cased``.
    """

    def __init__(self, corpus: Iterable[str | Words], order: int = 1, *, cased: bool = False) -> None:
        """``corpus`` holds texts as strings (split at spaces) or as lists of words. Raises UsageError without words."""
        if order not in (1, 2):
            raise UsageError(f"order must be 1 (single words) or 2 (pairs of neighbours), not {order}")
        self.order, self.cased = order, cased
        self._counts: Counter[str] = Counter()
        self._after: dict[str, Counter[str]] = defaultdict(Counter)
        self._before: dict[str, Counter[str]] = defaultdict(Counter)
        for text in corpus:
            words = [self._cased(word) for word in (text.split() if isinstance(text, str) else text)]
            self._counts.update(words)
            for left, right in pairwise([EDGE, *words, EDGE]) if order == 2 and words else ():
                self._after[left][right] += 1
                self._before[right][left] += 1
        if not self._counts:
            raise UsageError("the corpus holds no words to draw from; give texts")

    @property
    def name(self) -> str:
        kind = "words" if self.order == 1 else "neighbouring words"
        return f"counts of {kind} ({self._counts.total()} words)"

    def __repr__(self) -> str:
        return f"<CountedLanguageModel: {self.name}>"

    def sample(
        self, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
    ) -> list[list[Filling]]:
        """``count`` fillings of each text (see ``protocols.language.LanguageModel``)."""
        fillings = []
        for words, places in zip(texts, positions, strict=True):
            shares = generator(words, places, seed).random((count, len(places)))
            fillings.append([self._fill(words, places, row) for row in shares])
        return fillings

    def _fill(self, words: Words, places: Sequence[int], shares: np.ndarray) -> Filling:
        text: list[str | None] = [EDGE, *(self._cased(word) for word in words), EDGE]
        for place in places:
            text[place + 1] = None
        filling = []
        for place, share in zip(places, shares, strict=True):
            word = _draw(self._weights(text[place] or EDGE, text[place + 2]), float(share))
            text[place + 1] = word
            filling.append(word)
        return tuple(filling)

    def _weights(self, left: str, right: str | None) -> dict[str, float]:
        if self.order == 1:
            return dict(self._counts)
        after = {word: float(n) for word, n in self._after[left].items() if word} if left in self._after else {}
        if right is None or right not in self._before:
            return after or dict(self._counts)
        before = {word: float(n) for word, n in self._before[right].items() if word}
        both = {word: n * before[word] / self._counts[word] for word, n in after.items() if word in before}
        return both or after or before or dict(self._counts)

    def _cased(self, word: str) -> str:
        return word if self.cased else word.lower()


def _draw(weights: dict[str, float], share: float) -> str:
    """Draw a word by the inverse of the cumulative distribution over the sorted words."""
    words = sorted(weights)
    sums = list(accumulate(weights[word] for word in words))
    return words[min(int(np.searchsorted(sums, share * sums[-1], side="right")), len(words) - 1)]
