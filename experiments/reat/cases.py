"""The texts of Tables 4 and 5, found by rules among a data set's test texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from exegesis.core.text import Span
from exegesis.models.tagger import Tagger, default_tagger, universal
from exegesis.questions.trust.measuring.people import word_list


@dataclass(frozen=True)
class Case:
    """A text as its words, with two places in it: the two clauses, or the positive and the negative adjective."""

    words: tuple[str, ...]
    first: Span
    second: Span

    def without(self, part: Span) -> str:
        """The text without some of its words."""
        return " ".join((*self.words[: part.start], *self.words[part.stop :]))


def joined_by_but(texts: Sequence[Sequence[str]]) -> list[Case]:
    """Texts with "but" exactly once and a verb (tags VB*, MD) on both sides of it; "but" opens the second clause."""
    found = []
    for words in texts:
        if words.count("but") == 1:
            at, tags = words.index("but"), _tags(words)
            if "VERB" in tags[:at] and "VERB" in tags[at:]:
                found.append(Case(tuple(words), Span(0, at), Span(at, len(words))))
    return found


def of_both_opinions(texts: Sequence[Sequence[str]], lexicon: Path) -> list[Case]:
    """Texts with exactly one adjective (JJ, JJR, JJS) of the positive list and exactly one of the negative list."""
    lists = [word_list(str(lexicon / f"{side}-words.txt")) for side in ("positive", "negative")]
    found = []
    for words in texts:
        if any(word in lists[0] for word in words) and any(word in lists[1] for word in words):
            tags = _tags(words)
            plus, minus = ([i for i, word in enumerate(words) if word in known and tags[i] == "ADJ"] for known in lists)
            if len(plus) == len(minus) == 1 and plus != minus:
                found.append(Case(tuple(words), Span(plus[0], plus[0] + 1), Span(minus[0], minus[0] + 1)))
    return found


@lru_cache(None)
def _tagger() -> Tagger:
    return default_tagger()


@lru_cache(None)
def _tagged(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(universal(tag) for tag in _tagger()(words))


def _tags(words: Sequence[str]) -> tuple[str, ...]:
    """The coarse tags of words."""
    return _tagged(tuple(words))
