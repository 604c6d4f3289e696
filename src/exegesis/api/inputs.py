"""Inputs as users give them: texts, spans, names of methods; one text gives one result, a list gives a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from exegesis.api.bars import Advance, bar
from exegesis.core.containers import is_missing, is_pair, items, nested, shown
from exegesis.core.errors import SpanError, TextError, UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.data.examples import is_blank, say_skipped
from exegesis.engine.run import Spans
from exegesis.models.tagger import Tagger, default_tagger
from exegesis.protocols.model import Classifier, Raw
from exegesis.questions.phrases.levels import levels_of
from exegesis.results.attribution import LEVELS
from exegesis.results.result import Result, Results

One = TypeVar("One")
Work = Callable[[Sequence[Text], Advance], list[One]]


def lengths_of(texts: Sequence[Text]) -> list[float]:
    """The pieces of each text: the work that it is, if no more is known."""
    return [float(len(text)) for text in texts]


Weigh = Callable[[Sequence[Text]], list[float]]
Column = Iterable[Any]  # an array, or a column of a table, of texts


def several(texts: object) -> list[Any] | None:
    """The texts of a list, an array, a column, or whatever goes through texts; None for a single text (a tuple is a
    pair). Raises UsageError for a table, a dict and a set."""
    return None if isinstance(texts, tuple) else items(texts, "texts")


def without_blanks(texts: list[Any], skip_blank: bool) -> list[Any]:
    """The texts, with ``skip_blank`` without blank and missing ones, whose numbers the log names."""
    if not skip_blank:
        return texts
    blank = [number for number, text in enumerate(texts, 1) if is_blank(text)]
    say_skipped(blank, len(texts), "number")
    return [text for text in texts if not is_blank(text)]


def read_texts(model: Classifier, raws: Sequence[object]) -> list[Text]:
    """All texts as the model reads them. Raises UsageError and TextError, which name a text by its number."""
    return [read_text(model, raw, number, len(raws)) for number, raw in enumerate(raws)]


def read_text(model: Classifier, raw: object, number: int = 0, count: int = 1) -> Text:
    """A text as the model reads it.

    Raises UsageError unless it is a string or a pair of strings, TextError if it has no words; if there are several
    texts, the error names this one by its number.
    """
    where = f"text {number + 1} of {count}: " if count > 1 else ""
    pair = isinstance(raw, tuple) and len(raw) == 2 and all(isinstance(part, str) for part in raw)
    if is_missing(raw) or (isinstance(raw, tuple) and any(map(is_missing, raw))):
        raise TextError(f"{where}the text is missing ({shown(raw)}): fill it in, or leave it out")
    if not isinstance(raw, str) and not pair:
        raise UsageError(f"{where}a text is a string, or a tuple of two for a pair, not {type(raw).__name__}")
    try:
        text = model.read(cast(Raw, raw))
    except (TextError, UsageError) as error:
        raise type(error)(f"{where}{error}") from error
    if not text.words:
        raise TextError(f"{where}the text holds no word that the model reads")
    return text


def spans_of(level: str, spans: object, tagger: Tagger | None) -> Spans | None:
    """A function that finds the further spans of a text, by level and span of pieces; None if only words are scored.

    Raises UsageError for an unknown level and for spans that are not pairs of numbers or ``"all"``.
    """
    if not isinstance(level, str) or level not in (*LEVELS, "all"):
        raise unknown("level", level, (*LEVELS, "all"))
    if isinstance(spans, str) and spans != "all":
        raise unknown("choice of spans", spans, ("all",))
    pairs = [] if spans is None or isinstance(spans, str) else _pairs(spans)
    if tagger is not None and not callable(tagger):
        raise UsageError(f"a tagger is a function from words to their tags, not {shown(tagger)}")
    names = LEVELS[1:] if level == "all" else () if level == "word" else (level,)
    if not names and spans is None:
        return None

    return FurtherSpans(names, isinstance(spans, str), pairs, tagger)


@dataclass(frozen=True, eq=False)
class FurtherSpans:
    """The further spans of a text: those of some levels, ``every`` run of words, and given pairs of word numbers."""

    levels: Sequence[str]
    every: bool
    pairs: Sequence[Span]
    tagger: Tagger | None

    def __call__(self, text: Text) -> list[tuple[str, Span]]:
        levelled: list[tuple[str, Span]] = []
        if self.levels:
            parts = levels_of(text, self.tagger or bundled_tagger())
            levelled += [(name, text.over(span)) for name in self.levels for span in parts[name]]
        count = len(text.words)
        if self.every:
            levelled += [("span", text.over(Span(q, r))) for q in range(count) for r in range(q + 1, count + 1)]
        return levelled + [("span", text.over(span)) for span in self.pairs]

    def count(self, text: Text) -> int:
        """The number of spans, at most."""
        words = len(text.words)
        return len(self.levels) * words + self.every * words * (words + 1) // 2 + len(self.pairs)


@dataclass(frozen=True, eq=False)
class SpansOfEach:
    """The further spans of each of some texts, told apart as objects."""

    finders: Mapping[int, Spans]

    def __call__(self, text: Text) -> Sequence[tuple[str, Span]]:
        return self.finders[id(text)](text)


def _pairs(spans: object) -> list[Span]:
    """The user's spans of word numbers. Raises UsageError for any other value."""
    pairs = nested(spans, "spans")
    if not isinstance(pairs, list) or not all(map(is_pair, pairs)):
        raise UsageError(
            f"spans are pairs of word numbers (start, stop), as [(0, 2), (3, 4)], or 'all', not {shown(spans)}"
        )
    return [Span(*span) for span in pairs]


def of_each(spans: object) -> list[Any] | None:
    """The lists of spans if the user passes a list per text; None if the user passes one list for all texts.

    A span is a pair of numbers, so a list of lists of pairs (some of them empty) is one list per text.
    """
    lists = None if spans is None or isinstance(spans, str) else nested(spans, "spans")
    if not isinstance(lists, list) or not lists or not all(isinstance(part, list) for part in lists):
        return None
    return lists if not any(part and isinstance(part[0], int) for part in lists) else None


def spans_each(level: str, lists: Sequence[Any], tagger: Tagger | None, texts: Sequence[Text]) -> Spans:
    """A function that finds the further spans of each text: those of the level, and the text's own list.

    Raises UsageError if there are not as many lists as texts, SpanError, naming the text, for a span outside it.
    """
    if len(lists) != len(texts):
        raise UsageError(
            f"{len(lists)} lists of spans do not fit {len(texts)} texts; give one list per text, or one list of pairs "
            "for all"
        )
    finders = {}
    for number, (text, spans) in enumerate(zip(texts, lists, strict=True), 1):
        find = spans_of(level, list(spans), tagger)
        try:
            for span in spans:
                text.over(Span(*span))
        except SpanError as error:
            raise SpanError(f"text {number} of {len(texts)}: {error}") from error
        if find is not None:
            finders[id(text)] = find
    return SpansOfEach(finders)


@lru_cache(1)
def bundled_tagger() -> Tagger:
    """The bundled tagger, loaded once."""
    return default_tagger()


def answered(
    model: Classifier, texts: object, work: Work[One], name: str, progress: bool, weigh: Weigh = lengths_of
) -> One | list[One]:
    """The answers of ``work`` for texts as the model reads them, with a progress bar; one answer for one text.

    ``weigh`` tells how much work each text is.
    """
    listed = several(texts)
    read = read_texts(model, [texts] if listed is None else listed)
    with bar(progress, len(read), name, weigh(read) if progress else ()) as advance:
        results = work(read, advance)
    if listed is None:
        return results[0]
    shows_itself = any(isinstance(result, Result) for result in results[:1])
    return cast(list[One], Results(cast(list[Any], results))) if shows_itself else results


def in_order(numbered: Iterable[tuple[int, One]], advance: Advance) -> list[One]:
    """Results that come with the numbers of their texts, in the order of the texts."""
    results: dict[int, One] = {}
    for number, result in numbered:
        results[number] = result
        advance(number)
    return [results[number] for number in sorted(results)]


def each_method(options: Iterable[str]) -> list[str]:
    """The method names in a user's list, commas allowed, without repetitions. Raises UsageError if all are blank."""
    listed = list(options)
    names = list(dict.fromkeys(name.strip() for option in listed for name in option.split(",") if name.strip()))
    if listed and not names:
        raise UsageError("the list names no method; give names, as reat,lrp, or leave the option out")
    return names
