"""Sentences with links from words to others: scopes to their negation, mentions to their antecedents, reflexives."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError
from exegesis.data.treebank import COLUMNS, HEAD, WORD, characters

MISC = 9
CUE, SCOPE = "negcue", "neg"  # tags of the columns of the SFU corpus, behind B_ and I_
CDSCO = 7  # columns of CD-SCO before those of its negations, three each
BRACKETS = re.compile(r"\(([^()\s]+)(\)?)|([^()\s]+)\)")
MALE = ("man", "boy", "king", "father", "uncle", "actor")
FEMALE = ("woman", "girl", "queen", "mother", "aunt", "actress")
VERBS = ("hurt", "blamed", "introduced", "praised")
FRAMES = (  # the antecedent, the other noun, the verb
    "the {a} near the {b} {verb} {self} yesterday",
    "the {a} who met the {b} {verb} {self} yesterday",
    "the {b} said that the {a} {verb} {self} yesterday",
)


class Link(NamedTuple):
    """A word that should look at one of its ``goals``, by their numbers, and not at its ``rivals``.

    ``rules`` are simple ways to find the goal, by name, each with the word that it finds.
    """

    name: str
    source: int
    goals: tuple[int, ...]
    rivals: tuple[int, ...] = ()
    rules: tuple[tuple[str, int], ...] = ()


class Linked(NamedTuple):
    """The words of a text, and the links between them."""

    words: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def text(self) -> str:
        """The words with blanks between."""
        return " ".join(self.words)

    def characters(self) -> list[tuple[int, int]]:
        """The range of characters of each word in ``text``."""
        return characters(self.words)


class Mention(NamedTuple):
    """A mention of an entity: its words, first and behind the last, and the word that heads it."""

    entity: str
    start: int
    stop: int
    head: int


def read_negation(path: str | os.PathLike[str]) -> list[Linked]:
    """Sentences with links from the words of a scope to the cue of its negation.

    Two forms are read: CD-SCO (Morante and Daelemans 2012; columns between tabs, from the eighth on cue, scope and
    event of each negation), and columns of word and tag, ``B_negcue`` and ``I_negcue`` for cues, ``B_neg`` and
    ``I_neg`` for scopes (the SFU corpus), where several cues of a sentence are all goals of its scopes. A part of a
    word counts as the word; a cue inside its own scope is no source. Raises FileError for another form and for a file
    without a scope.
    """
    found = []
    for where, rows in _blocks(path):
        if len({len(row) for row in rows}) > 1:
            raise FileError(f"{path}, line {where}: the rows of a sentence have different numbers of columns")
        width = len(rows[0])
        if width > CDSCO:
            words = tuple(row[3] for row in rows)
            columns = [[row[at : at + 3] for row in rows] for at in range(CDSCO, width - 2, 3)]
            scopes = [([n for n, c in enumerate(cells) if c[0] != "_"], [n for n, c in enumerate(cells) if c[1] != "_"])
                      for cells in columns]  # fmt: skip
        elif width > 1:
            words = tuple(row[0] for row in rows)
            tags = [row[1][2:] if row[1][1:2] in "_-" else "" for row in rows]
            cue, scope = ([n for n, tag in enumerate(tags) if tag == name] for name in (CUE, SCOPE))
            scopes = [(cue, scope)]
        else:
            raise FileError(f"{path}, line {where}: a word has no column of negations")
        links = [
            Link("negation scope", word, tuple(cue))
            for cue, scope in scopes
            if cue
            for word in scope
            if word not in cue
        ]
        if links:
            found.append(Linked(words, tuple(links)))
    if not found:
        raise FileError(
            f"{path}: holds no scope of a negation; give a file of CD-SCO, or of words and tags B_neg, B_negcue"
        )
    return found


def read_coreference(path: str | os.PathLike[str], sentences: int = 3) -> list[Linked]:
    """Texts of some ``sentences`` in a row, with links from the head of a mention to those of its antecedents.

    The file is in CoNLL-U with ``Entity=`` in the last column, as in GUM and CorefUD: ``(e1-person`` opens a mention of
    e1, ``e1)`` closes the latest open one. Mentions in several parts (``e1[1/2]``) are left out. A mention is headed by
    its first word whose own head lies outside. Antecedents, rivals and what the rules find are mentions that begin and
    are headed before it: of "his" in "his house" the house is none. Rules: the nearest such mention, and the nearest
    one whose words are the same (else the nearest). Raises FileError for rows of another form, brackets that do not
    close, and a file without an antecedent.
    """
    found, window = [], list[tuple[list[str], list[Mention]]]()
    for where, rows in _blocks(path, keep=("# newdoc",)):
        if rows[0][0].startswith("# newdoc") or len(window) == sentences:
            found += _window(window)
            window = []
        rows = [row for row in rows if not row[0].startswith("#")]
        for row in rows:
            if len(row) != COLUMNS:
                raise FileError(f"{path}, line {where}: {len(row)} columns, where CoNLL-U has {COLUMNS}")
        window.append(_mentions([row for row in rows if row[0].isdecimal()], f"{path}, line {where}"))
    found += _window(window)
    if not found:
        raise FileError(f"{path}: no mention has an antecedent; give a file in CoNLL-U with Entity= in the last column")
    return found


def reflexives(count: int = 200, seed: int = 0) -> list[Linked]:
    """Sentences with two nouns of different gender, one of which "himself" or "herself" means; the other is a rival.

    Drawn from ``FRAMES``; in a third of them the antecedent is the nearer noun, which is the rule.
    """
    every = [
        (frame, a, b, verb, "himself" if a in MALE else "herself")
        for frame, (own, other), verb in product(FRAMES, ((MALE, FEMALE), (FEMALE, MALE)), VERBS)
        for a, b in product(own, other)
    ]
    made = []
    for frame, a, b, verb, own in random.Random(seed).sample(every, min(count, len(every))):
        words = frame.format(a=a, b=b, verb=verb, self=own).split()
        right, other, source = words.index(a), words.index(b), words.index(own)
        rules = (("nearest noun", max(right, other)),)
        made.append(Linked(tuple(words), (Link("reflexive", source, (right,), (other,), rules),)))
    return made


def _blocks(path: str | os.PathLike[str], keep: tuple[str, ...] = ()) -> Iterator[tuple[int, list[list[str]]]]:
    """The rows of each sentence, in cells, with the number of its first line; of comments only those of ``keep``."""
    rows: list[list[str]] = []
    for number, line in enumerate([*read_text(path).split("\n"), ""], 1):
        line = line.rstrip("\r")
        if not line.strip():
            if any(not row[0].startswith("#") or len(row) > 1 for row in rows):
                yield number - len(rows), rows
            rows = []
        elif not line.startswith("# ") or line.startswith(keep or ("\0",)):
            rows.append(line.split("\t"))


def _mentions(rows: Sequence[Sequence[str]], where: str) -> tuple[list[str], list[Mention]]:
    """The words of a sentence and its mentions."""
    heads = [int(row[HEAD]) - 1 if row[HEAD].isdecimal() else -1 for row in rows]
    opened: list[tuple[str, int]] = []
    found = []

    def closed(entity: str, start: int, stop: int) -> None:
        if "[" not in entity:
            head = next((n for n in range(start, stop) if not start <= heads[n] < stop), start)
            found.append(Mention(entity, start, stop, head))

    for number, row in enumerate(rows):
        told = next((part[7:] for part in row[MISC].split("|") if part.startswith("Entity=")), "")
        for opens, alone, closes in BRACKETS.findall(told):
            if opens:
                entity = opens.split("-")[0]
                if alone:
                    closed(entity, number, number + 1)
                else:
                    opened.append((entity, number))
                continue
            at = next((n for n in range(len(opened) - 1, -1, -1) if opened[n][0] == closes), None)
            if at is None:
                raise FileError(f"{where}: the mention {closes!r} is closed, but was not opened in its sentence")
            entity, start = opened.pop(at)
            closed(entity, start, number + 1)
    if opened:
        raise FileError(f"{where}: the mention {opened[0][0]!r} is not closed in its sentence")
    return [row[WORD] for row in rows], found


def _window(sentences: Sequence[tuple[list[str], list[Mention]]]) -> list[Linked]:
    """The sentences as one text; none if no mention has an antecedent in it."""
    words, mentions = list[str](), list[Mention]()
    for own, told in sentences:
        at = len(words)
        mentions += [Mention(one.entity, one.start + at, one.stop + at, one.head + at) for one in told]
        words += own
    mentions.sort(key=lambda one: (one.start, -one.stop))
    said = {one: " ".join(words[one.start : one.stop]).lower() for one in mentions}
    links = []
    for number, one in enumerate(mentions):
        before = [other for other in mentions[:number] if other.head < one.head]
        goals = sorted({other.head for other in before if other.entity == one.entity})
        if not goals:
            continue
        nearest = max(before, key=lambda other: other.head)
        same = [other for other in before if said[other] == said[one]]
        matched = max(same, key=lambda other: other.head) if same else nearest
        rivals = tuple(sorted({other.head for other in before} - set(goals)))
        rules = (("nearest mention", nearest.head), ("same words, else nearest", matched.head))
        links.append(Link("antecedent", one.head, tuple(goals), rivals, rules))
    return [Linked(tuple(words), tuple(links))] if links else []
