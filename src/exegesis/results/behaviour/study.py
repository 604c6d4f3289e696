"""Studies: results about a model's behaviour over a corpus."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.shown import drawn
from exegesis.results.result import Result
from exegesis.statistics.bootstrap import Spread

TAG_NAMES = {
    "CC": "conjunction", "CD": "number", "DT": "determiner", "EX": "existential there", "FW": "foreign word",
    "IN": "preposition", "JJ": "adjective", "JJR": "comparative adjective", "JJS": "superlative adjective",
    "MD": "modal", "NN": "noun", "NNS": "plural noun", "NNP": "name", "NNPS": "plural name", "PDT": "predeterminer",
    "POS": "possessive ending", "PRP": "pronoun", "PRP$": "possessive pronoun", "RB": "adverb",
    "RBR": "comparative adverb", "RBS": "superlative adverb", "RP": "particle", "TO": "to", "UH": "interjection",
    "VB": "verb", "VBD": "past tense", "VBG": "gerund", "VBN": "past participle", "VBP": "present tense",
    "VBZ": "present, third person", "WDT": "wh-determiner", "WP": "wh-pronoun", "WP$": "possessive wh-pronoun",
    "WRB": "wh-adverb", "NOUN": "noun", "VERB": "verb", "ADV": "adverb", "ADJ": "adjective", "DET": "determiner",
    "ADP": "preposition", "CONJ": "conjunction", "PART": "particle", "PRON": "pronoun", "NUM": "number",
    "INTJ": "interjection", "SYM": "symbol", "PUNCT": "punctuation", ".": "end of sentence", ",": "comma",
    ":": "colon, dash", "``": "opening quote", "''": "closing quote", "HYPH": "hyphen", "NFP": "ornament",
    "AFX": "affix", "LS": "list mark", "-LRB-": "opening bracket", "-RRB-": "closing bracket", "ADD": "address",
    "GW": "part of a word", "X": "other", "XX": "unknown", "$": "currency",
}  # fmt: skip


class Asked(NamedTuple):
    """The subject of a study: the model, the method and its parameters, the explained number, and the corpus's size.

    ``texts`` and ``words`` are counts; ``signed`` if the method's scores can speak against the target.
    """

    model: str
    method: str
    name: str
    target: str
    texts: int
    words: int
    signed: bool


class Word(NamedTuple):
    """A word of a text to draw: its characters and score; ``marked`` if the study is about it."""

    text: str
    score: float
    marked: bool


class Shown(NamedTuple):
    """A text with its scores, its number in the corpus, the prediction, and its gold label (empty without one)."""

    words: tuple[Word, ...]
    label: str
    probability: float
    gold: str
    number: int

    @property
    def raw(self) -> str:
        """The words joined by spaces."""
        return " ".join(word.text for word in self.words)


class Study(Result):
    """The abilities that all results of studies share. ``kind`` names the study in files."""

    form: ClassVar[str] = "exegesis.study"
    noun: ClassVar[str] = "study"
    aside: ClassVar[tuple[str, ...]] = ("study",)
    kind: ClassVar[str] = ""
    filled: ClassVar[tuple[str, ...]] = ()  # fields that are not empty in any study of this kind

    def __init_subclass__(cls) -> None:
        cls.__repr__ = Study.__repr__  # type: ignore[method-assign]  # else a dataclass writes all its fields
        super().__init_subclass__()

    def __repr__(self) -> str:
        asked = getattr(self, "asked", None)
        told = f" of {asked.texts} texts: {asked.name} of {asked.model}" if isinstance(asked, Asked) else ""
        return f"<{type(self).__name__}{escaped(told)}>"

    def __post_init__(self) -> None:
        for name in self.filled:
            if not getattr(self, name):
                raise UsageError(f"{name} must not be empty")
        waiting: list[Any] = list(vars(self).values())
        while waiting:
            part = waiting.pop()
            if isinstance(part, Word) and not math.isfinite(part.score):
                raise UsageError(f"the score of {part.text!r:.40} must be finite, not {part.score}")
            waiting += part if isinstance(part, tuple) else ()

    @classmethod
    def kind_of(cls, values: Mapping[str, Any]) -> type[Study]:
        kinds = cls.kinds()
        if values["study"] not in kinds:
            raise unknown("study", values["study"], kinds)
        return kinds[values["study"]]

    @classmethod
    def kinds(cls) -> dict[str, type[Study]]:
        """Every kind of study by its name."""
        return {kind.kind: kind for kind in Study.__subclasses__()}

    def table(self, **options: Any) -> str:
        """The whole result as plain lines; ``width`` is the number of columns."""
        return str(drawn([self], ".txt", **options))

    def readable(self) -> dict[str, Any]:
        """The name of the study, which is saved beside its fields."""
        return {"study": self.kind}


class WordClass(NamedTuple):
    """The scores of all words of one part of speech, and its commonest words."""

    tag: str
    spread: Spread
    common: tuple[str, ...]

    @property
    def meaning(self) -> str:
        """The part of speech in words; empty for a tag of no known set."""
        return TAG_NAMES.get(self.tag, "")


@dataclass(frozen=True, eq=False)
class WordClasses(Study):
    """The scores of all words of a corpus by part of speech (REAT paper, Sec. 4.7, Figure 7).

    ``classes`` are sorted by their medians, the highest first. ``tags`` names the tag set: ``merged`` (Penn tags with
    the six verb tags, VB to VBZ, merged into VB, as in the paper), ``penn`` or ``universal``.
    """

    asked: Asked
    tags: str
    tagger: str
    classes: tuple[WordClass, ...]

    kind: ClassVar[str] = "words"
    filled: ClassVar[tuple[str, ...]] = ("classes",)

    def of(self, tag: str) -> WordClass:
        """The class of a tag. Raises UsageError for a tag that no word of the corpus has."""
        for part in self.classes:
            if part.tag == tag:
                return part
        raise unknown("tag of this corpus", tag, [part.tag for part in self.classes])


class Uses(NamedTuple):
    """The uses of a word over its contexts: the spread of its scores, all scores, and the extreme contexts.

    ``scores[i]`` belongs to text ``texts[i]``; ``lowest`` and ``highest`` are texts with their scores, the most
    extreme first.
    """

    word: str
    spread: Spread
    scores: Float[np.ndarray, " uses"]
    texts: tuple[int, ...]
    lowest: tuple[Shown, ...]
    highest: tuple[Shown, ...]


class Absent(NamedTuple):
    """A word that no text holds, and the corpus's word nearest to it in spelling (empty if none is near)."""

    word: str
    nearest: str


class Gap(NamedTuple):
    """The difference of the median scores of two words, with its bootstrap interval over texts."""

    first: str
    second: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class WordUses(Study):
    """The distribution of words' scores over their contexts, side by side (REAT paper, Figure 8).

    ``absent`` are the requested words that no text holds.
    """

    asked: Asked
    uses: tuple[Uses, ...]
    gaps: tuple[Gap, ...]
    absent: tuple[Absent, ...] = ()

    kind: ClassVar[str] = "word"
    filled: ClassVar[tuple[str, ...]] = ("uses",)

    def of(self, word: str) -> Uses:
        """The uses of a word. Raises UsageError for a word that is not in the study."""
        for uses in self.uses:
            if uses.word == word:
                return uses
        raise unknown("word of this study", word, [uses.word for uses in self.uses])
