"""Clauses from words and Penn tags: split at cues, then joined until every part has a finite verb.

The rule of ``clauses``, in full:

1. Borders. Before a coordinating conjunction (CC, strength 2), a subordinating one (IN, a word of
   ``SUBORDINATORS``; 4), a relative or question word (WDT, WP, WP$, WRB; 4), and a subject pronoun or
   "there" whose finite verb follows at once or after adverbs ("I think | it works"; 1). A run of these is
   one border, at its first word and as strong as that ("and when", "that he"); "even", "just", "only" and
   "especially" before one belong to it, and so does the preposition before a relative word ("in which").
   After a comma or a closing bracket (2), a colon, semicolon, dash or ellipsis (8) and the end of a
   sentence (16); closing quotation marks stay with the mark before them. Before an opening bracket (2).
   Where several meet, the strongest mark and the conjunction add up.
2. Joining. A part between two borders needs a finite verb (VBD, VBP, VBZ, MD); the paper says "containing
   a verb", and asking for a finite one keeps "funny and touching", "to come and see" whole. From the
   left, a part without one joins the neighbour across the weaker border, the left one if they are
   equal. So every clause has a finite verb, unless the whole text has none and is one clause.
"""

from __future__ import annotations

from collections.abc import Sequence

from exegesis.core.errors import UsageError
from exegesis.core.text import Span

_NAMES = """after although as because before cause cuz if lest once since so that though till unless until
            when whenever where whereas wherever whether while whilst"""
SUBORDINATORS = frozenset(_NAMES.split())
_FOCUS = frozenset({"even", "just", "only", "especially"})
_RELATIVE = frozenset({"WDT", "WP", "WP$", "WRB"})
_SUBJECTS = frozenset({"i", "you", "he", "she", "it", "we", "they", "there"})
_FINITE = frozenset({"VBD", "VBP", "VBZ", "MD", "BES", "HVS"})

_CLOSING = {",": 2, "-RRB-": 2, ")": 2, ":": 8, ".": 16}
_FOLLOWING = frozenset({*_CLOSING, "''", '"', "NFP"})
_OPENING = frozenset({"-LRB-", "("})
_BRACKET, _COORDINATION, _SUBORDINATION, _SUBJECT = 2, 2, 4, 1


def clauses(words: Sequence[str], tags: Sequence[str]) -> tuple[Span, ...]:
    """The clauses of a text as spans of word numbers, a partition of its words, by the rule at the head of this file.

    ``words`` are those of the text, in any capitals, ``tags`` their Penn tags. A text without words has none. Raises
    UsageError if the two differ in length.
    """
    if len(words) != len(tags):
        raise UsageError(f"{len(tags)} tags for {len(words)} words; give one tag per word")
    return _joined(_strengths([word.lower() for word in words], tags), [tag in _FINITE for tag in tags])


def _strengths(words: Sequence[str], tags: Sequence[str]) -> list[int]:
    """The strengths of the borders at each place 0 ... n between words; 0 means that there is none."""
    marks, joints = [0] * (len(words) + 1), [0] * (len(words) + 1)
    covered = 0  # words before this one belong to a border that has been set
    for at, tag in enumerate(tags):
        if tag in _OPENING:
            marks[at] = max(marks[at], _BRACKET)
        if at < covered:
            continue
        if tag in _CLOSING:
            covered = _run_of_marks(tags, at, marks)
        elif strength := _joint(words, tags, at):
            place = _beginning(words, tags, at)
            joints[place] = max(joints[place], strength)
            covered = at + 1
            while covered < len(tags) and tags[covered] != "CC" and _joint(words, tags, covered):
                covered += 1
    return [mark + joint for mark, joint in zip(marks, joints, strict=True)]


def _run_of_marks(tags: Sequence[str], start: int, marks: list[int]) -> int:
    """Set the border after a run of closing marks, as strong as its strongest; return the end of the run."""
    stop = start
    while stop < len(tags) and tags[stop] in _FOLLOWING:
        stop += 1
    marks[stop] = max(_CLOSING.get(tag, 0) for tag in tags[start:stop])
    return stop


def _joint(words: Sequence[str], tags: Sequence[str], at: int) -> int:
    """The strength of a word's border as a conjunction, relative word or subject; 0 for any other word."""
    if tags[at] == "CC":
        return _COORDINATION
    if tags[at] in _RELATIVE or (tags[at] == "IN" and words[at] in SUBORDINATORS):
        return _SUBORDINATION
    return _SUBJECT if _subject(words, tags, at) else 0


def _subject(words: Sequence[str], tags: Sequence[str], at: int) -> bool:
    """True if a word is a subject pronoun whose finite verb follows, adverbs aside."""
    if tags[at] not in ("PRP", "EX") or words[at] not in _SUBJECTS:
        return False
    verb = at + 1
    while verb < len(tags) and tags[verb] == "RB":
        verb += 1
    return verb < len(tags) and tags[verb] in _FINITE


def _beginning(words: Sequence[str], tags: Sequence[str], at: int) -> int:
    """The word at which the border of a conjunction or connective lies."""
    if tags[at] == "CC" or at == 0:
        return at
    if tags[at] in _RELATIVE and tags[at - 1] in ("IN", "TO"):
        return at - 1
    while at > 0 and words[at - 1] in _FOCUS:
        at -= 1
    return at


def _joined(strengths: Sequence[int], finite: Sequence[bool]) -> tuple[Span, ...]:
    """The parts between the borders, each joined to a neighbour until it holds a finite verb."""
    last = len(finite)
    places = [place for place in range(1, last) if strengths[place]] + [last] * (last > 0)
    spans: list[Span] = []
    start = begun = 0  # the start of the open part, and its first word that has not been checked yet
    for stop in places:
        held = any(finite[begun:stop])
        begun = stop
        leftwards = bool(spans) and (stop == last or strengths[start] <= strengths[stop])
        if held or (stop == last and not spans):
            spans.append(Span(start, stop))
        elif leftwards:
            spans[-1] = Span(spans[-1].start, stop)
        else:
            continue
        start = stop
    return tuple(spans)
