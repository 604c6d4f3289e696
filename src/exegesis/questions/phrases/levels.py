"""Levels of a text: words, phrases, clauses, the whole (REAT paper, Sec. 3.3 and Table 1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from exegesis.core.errors import ModelError, TextError
from exegesis.core.text import Span, Text
from exegesis.models.tagger import Tagger, default_tagger, universal
from exegesis.questions.phrases.clauses import clauses

LEVELS = ("word", "phrase", "clause", "text")

_LETTERS = {"VERB": "V", "ADV": "A", "PART": "P", "DET": "D", "NOUN": "N", "ADP": "C", "CONJ": "C"}
# Table 1, with its first expression in two cases (V*A*P*V+P* = V*+A*+P*+V+P* or V+P*) so that a long run of
# adverbs without a verb is not searched again for each way of splitting it
_CHUNK = re.compile(r"V*+A*+P*+V+P*|V+P*|D?(?:N+C)*N+")


def phrases(tags: Sequence[str]) -> tuple[Span, ...]:
    """The phrases of a text from its Penn tags: Table 1's chunks, and every other word alone.

    ``<VERB>*<ADV>*<PART>*<VERB>+<PART>*`` is a verb chunk, ``<DET>?(<NOUN>+<ADP|CONJ>)*<NOUN>+`` a noun chunk, over the
    coarse tags of ``universal``. From the left, the longest match at each word is a phrase, and the search continues
    after it. The paper leaves the other words open; here each of them is a phrase of one word, so that the level
    partitions the text. A text without tags has none.
    """
    letters = "".join(_LETTERS.get(universal(tag), "x") for tag in tags)
    spans, at = [], 0
    while at < len(letters):
        chunk = _CHUNK.match(letters, at)
        stop = chunk.end() if chunk else at + 1
        spans.append(Span(at, stop))
        at = stop
    return tuple(spans)


def levels(words: Sequence[str], tagger: Tagger | None = None) -> dict[str, tuple[Span, ...]]:
    """The four partitions of a text, from fine to coarse, as half-open spans of word numbers.

    The keys in order are word, phrase, clause and text; each level refines the next. If a chunk of Table 1 would cross
    the border of a clause, the clause wins: chunks are sought within each clause. ``tagger`` gives one Penn tag for
    each word of a list; the default is the bundled one.

    Raises TextError for a text without words, ModelError if the tagger returns another number of tags.
    """
    if not words:
        raise TextError("a text without words has no levels; give at least one word")
    tags = list((tagger or default_tagger())(words))
    if len(tags) != len(words):
        raise ModelError(f"the tagger gave {len(tags)} tags for {len(words)} words; it must return one tag per word")
    parts = clauses(words, tags)
    return {
        "word": tuple(Span(at, at + 1) for at in range(len(words))),
        "phrase": tuple(
            Span(part.start + phrase.start, part.start + phrase.stop)
            for part in parts
            for phrase in phrases(tags[part.start : part.stop])
        ),
        "clause": parts,
        "text": (Span(0, len(words)),),
    }


def levels_of(text: Text, tagger: Tagger) -> dict[str, tuple[Span, ...]]:
    """The ``levels`` of a text as a model reads it; no span crosses the border between the two texts of a pair.

    Raises TextError and ModelError as ``levels``.
    """
    words = text.word_strings()
    owner = [next((n for n, part in enumerate(text.segments) if part.covers(word)), 0) for word in text.words]
    edges = [0, *(i for i in range(1, len(words)) if owner[i] != owner[i - 1]), len(words)]
    parts = [(start, levels(words[start:stop], tagger)) for start, stop in pairwise(edges)]
    by_name = {
        name: tuple(Span(at + span.start, at + span.stop) for at, part in parts for span in part[name])
        for name in LEVELS[:-1]
    }
    return {**by_name, "text": (Span(0, len(words)),)}
