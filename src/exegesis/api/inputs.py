"""Inputs as users give them: texts, spans, names of methods; one text gives one result, a list gives a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from exegesis.core.errors import SpanError, TextError, UsageError, unknown
from exegesis.core.progress import heard
from exegesis.core.text import Span, Text
from exegesis.data.examples import is_blank, say_skipped
from exegesis.engine.run import Spans
from exegesis.models.tagger import Tagger, default_tagger
from exegesis.protocols.model import Classifier, Raw
from exegesis.questions.phrases.levels import levels_of
from exegesis.results.attribution import LEVELS

One = TypeVar("One")
Advance = Callable[[], object]  # called after each text
Work = Callable[[Sequence[Text], Advance], list[One]]


@runtime_checkable
class Column(Protocol):
    """An array, or a column of a table, of texts."""

    def tolist(self) -> Any: ...


def several(texts: object) -> list[Any] | None:
    """The texts of a list, or of another series (a tuple is a pair): of an array or a column; None for one text."""
    if isinstance(texts, list):
        return texts
    listed = getattr(texts, "tolist", None)
    found = listed() if callable(listed) else None
    return found if isinstance(found, list) else None


def without_blanks(texts: list[Any], skip_blank: bool) -> list[Any]:
    """The texts, where asked for without blank or missing ones, whose numbers the log names."""
    if not skip_blank:
        return texts
    gone = [number for number, text in enumerate(texts, 1) if is_blank(text)]
    say_skipped(gone, len(texts), "number")
    return [text for text in texts if not is_blank(text)]


def read_texts(model: Classifier, raws: Sequence[object]) -> list[Text]:
    """All texts as the model reads them."""
    return [read_text(model, raw, number, len(raws)) for number, raw in enumerate(raws)]


def read_text(model: Classifier, raw: object, number: int = 0, count: int = 1) -> Text:
    """A text as the model reads it. Errors name the text by its number where there are several."""
    where = f"text {number + 1} of {count}: " if count > 1 else ""
    pair = isinstance(raw, tuple) and len(raw) == 2 and all(isinstance(part, str) for part in raw)
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
    if level not in (*LEVELS, "all"):
        raise unknown("level", level, (*LEVELS, "all"))
    if isinstance(spans, str) and spans != "all":
        raise unknown("choice of spans", spans, ("all",))
    pairs = [] if spans is None or isinstance(spans, str) else _pairs(spans)
    names = LEVELS[1:] if level == "all" else () if level == "word" else (level,)
    if not names and spans is None:
        return None

    def find(text: Text) -> list[tuple[str, Span]]:
        found: list[tuple[str, Span]] = []
        if names:
            parts = levels_of(text, tagger or bundled_tagger())
            found += [(name, text.over(span)) for name in names for span in parts[name]]
        count = len(text.words)
        if spans == "all":
            found += [("span", text.over(Span(q, r))) for q in range(count) for r in range(q + 1, count + 1)]
        return found + [("span", text.over(span)) for span in pairs]

    return find


def _pairs(spans: object) -> list[Span]:
    """The user's spans of word numbers. Raises UsageError for anything else."""
    whole = isinstance(spans, Sequence) and all(
        isinstance(one, Sequence) and len(one) == 2 and all(isinstance(edge, int) for edge in one) for one in spans
    )
    if not whole:
        raise UsageError(f"spans are pairs of word numbers (start, stop), as [(0, 2), (3, 4)], or 'all', not {spans!r}")
    return [Span(*one) for one in cast(Sequence[tuple[int, int]], spans)]


def of_each(spans: object) -> list[Any] | None:
    """The lists of spans, where a list for each text is given; None where one is for all texts.

    A span is a pair of numbers, so a list of lists of pairs (some of them empty) is one for each.
    """
    if not isinstance(spans, Sequence) or isinstance(spans, str) or not len(spans):
        return None
    lists = [isinstance(one, Sequence) and not isinstance(one, str) for one in spans]
    inner = [not len(one) or not isinstance(one[0], int) for one, fits in zip(spans, lists, strict=True) if fits]
    return list(spans) if all(lists) and all(inner) else None


def spans_each(level: str, given: Sequence[Any], tagger: Tagger | None, texts: Sequence[Text]) -> Spans:
    """Each text's own spans, beside those of the level.

    Raises UsageError for another number of lists than of texts, SpanError, naming the text, for a span outside it.
    """
    if len(given) != len(texts):
        raise UsageError(
            f"{len(given)} lists of spans are given for {len(texts)} texts; give one list a text, or one list of pairs "
            "for all"
        )
    found = {}
    for number, (text, spans) in enumerate(zip(texts, given, strict=True), 1):
        find = spans_of(level, list(spans), tagger)
        try:
            for span in spans:
                text.over(Span(*span))
        except SpanError as error:
            raise SpanError(f"text {number} of {len(texts)}: {error}") from error
        if find is not None:
            found[id(text)] = find
    return lambda text: found[id(text)](text)


@lru_cache(1)
def bundled_tagger() -> Tagger:
    return default_tagger()


@contextmanager
def bar(shown: bool, total: int, what: str, done: int = 0) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error that is gone at the end; under it, how far the work on the texts at hand is."""
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    inner: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, completed=done)

        def listen(counted: str, over: int, every: int) -> None:
            if over >= every:
                if counted in inner:
                    progress.remove_task(inner.pop(counted))
            elif counted in inner:
                progress.update(inner[counted], completed=over, total=every)
            else:
                inner[counted] = progress.add_task(f"  {counted}", total=every, completed=over)

        with heard(listen):
            yield lambda: progress.advance(task)


def answered(model: Classifier, given: object, work: Work[One], name: str, progress: bool) -> One | list[One]:
    """What ``work`` gives for the texts as the model reads them, under a progress bar of that name."""
    many = several(given)
    read = read_texts(model, [given] if many is None else many)
    with bar(progress, len(read), name) as advance:
        results = work(read, advance)
    return results[0] if many is None else results


def in_order(numbered: Iterable[tuple[int, One]], advance: Advance) -> list[One]:
    """Results that come with the numbers of their texts, in the order of the texts."""
    found: dict[int, One] = {}
    for number, result in numbered:
        found[number] = result
        advance()
    return [found[number] for number in sorted(found)]


def each_method(given: Iterable[str]) -> list[str]:
    """Method names as a user lists them, commas allowed, doubles dropped. Raises UsageError for a list of blanks."""
    listed = list(given)
    names = list(dict.fromkeys(name.strip() for one in listed for name in one.split(",") if name.strip()))
    if listed and not names:
        raise UsageError("the list names no method; give names, as reat,lrp, or leave the option out")
    return names
