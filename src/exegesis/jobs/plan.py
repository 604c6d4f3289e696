"""The plan of a run: the questions, and the texts in units that are answered together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from exegesis.api import read_text
from exegesis.core.errors import MissingExtraError, TextError, UsageError
from exegesis.core.text import Text
from exegesis.data.examples import Example
from exegesis.jobs.rows import EXPLANATION, Answer, Asked, digest, rows_of, text_id
from exegesis.protocols.model import Classifier

Outcome = Answer | str  # an answer, or why there is none
Advance = Callable[..., object]


@dataclass(frozen=True, eq=False)
class Question:
    """A question to one model about each text: ``work`` answers it for texts that the model has read, in their order,
    and rows name it as ``asked``."""

    model: Classifier
    work: Callable[[list[Text]], Sequence[Answer]]
    asked: Asked

    @property
    def name(self) -> str:
        """The method's name, and what is asked of it if that is not its explanation."""
        kind = self.asked.kind
        return self.asked.method if kind == EXPLANATION else f"{kind} of {self.asked.method}"

    def rows(self, unit: Sequence[Example], advance: Advance = lambda _: None) -> tuple[list[dict[str, Any]], int]:
        """The rows of a unit, in order, and how many of its texts failed."""
        found = self.outcomes(unit, advance)
        rows = [row for one, found_ in zip(unit, found, strict=True) for row in rows_of(self.asked, one, found_)]
        return rows, sum(isinstance(one, str) for one in found)

    def outcomes(self, examples: Sequence[Example], advance: Advance = lambda _: None) -> list[Outcome]:
        """The answer for each text, or the reason why there is none.

        The texts are answered together. If that fails, so are their halves, down to the texts that fail alone.
        """
        found: dict[int, Outcome] = {}
        read: list[tuple[int, Text]] = []
        for number, one in enumerate(examples):
            try:
                read.append((number, read_text(self.model, one.text)))
            except Exception as error:
                found[number] = reason(error)
                advance(number)
        waiting = [read] if read else []
        while waiting:
            part = waiting.pop()
            try:
                results: list[Any] = list(self.work([text for _, text in part]))
            except MissingExtraError:
                raise
            except Exception as error:
                if len(part) > 1:
                    waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                    continue
                results = [reason(error)]
            for (number, _), result in zip(part, results, strict=True):
                found[number] = result
                advance(number)
        return [found[number] for number in range(len(examples))]


class Task(NamedTuple):
    """A unit of texts for one question, by their numbers."""

    question: int
    name: str
    texts: tuple[Example, ...]


def unique(examples: Sequence[Example]) -> dict[str, Example]:
    """The first example of each text, by the hash of the text."""
    found: dict[str, Example] = {}
    for one in examples:
        found.setdefault(text_id(one), one)
    return found


def units(texts: Mapping[str, Example], size: int) -> Iterator[tuple[str, dict[str, Example]]]:
    """Texts in units of a size, in order, each with a name made of its texts. A unit depends on the texts alone, so
    that a run that goes on explains the same texts together as one that was never stopped."""
    names = list(texts)
    for start in range(0, len(names), size):
        part = names[start : start + size]
        yield digest(part, size=8), {name: texts[name] for name in part}


def reason(error: Exception) -> str:
    """An error as one line; that of another package with its kind."""
    line = " ".join(str(error).split())[:500]
    kind = (
        ""
        if isinstance(error, UsageError | TextError) or type(error).__module__ == "exegesis"
        else type(error).__name__
    )
    return ": ".join(filter(None, (kind, line))) or type(error).__name__
