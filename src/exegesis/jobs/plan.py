"""The plan of a run: what is asked of which texts, in units that are explained together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from exegesis._version import __version__
from exegesis.api import Growth, Plan, read_text
from exegesis.core.errors import MissingExtraError, TextError, UsageError
from exegesis.core.text import Text
from exegesis.data.examples import Example
from exegesis.engine.methods import Method, make
from exegesis.jobs.rows import Asked, digest, rows_of, text_id
from exegesis.models.fingerprint import fingerprint
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Wish
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.results.attribution import Attribution
from exegesis.results.hierarchy import Hierarchy

DEFAULT = "integrated-gradients"  # the method of a run that names none
Outcome = Attribution | Hierarchy | str  # an explanation, or why there is none
Advance = Callable[..., object]


@dataclass(frozen=True, eq=False)
class Question:
    """One method on one model: its checked plan, and its name in rows."""

    plan: Plan | Growth
    asked: Asked

    def rows(self, unit: Sequence[Example], advance: Advance = lambda _: None) -> tuple[list[dict[str, Any]], int]:
        """The rows of a unit, in order, and how many of its texts failed."""
        found = outcomes(self.plan, unit, advance)
        rows = [row for one, found_ in zip(unit, found, strict=True) for row in rows_of(self.asked, one, found_)]
        return rows, sum(isinstance(one, str) for one in found)


class Task(NamedTuple):
    """A unit of texts for one question, by their numbers."""

    question: int
    name: str
    texts: tuple[Example, ...]


def questions(
    model: Classifier,
    methods: Mapping[str, Mapping[str, Any]] | Sequence[str | Method],
    target: Wish,
    level: str,
    given: str | None = None,
) -> list[Question]:
    """The question of each method. Raises the errors of ``exegesis.explain`` for them, UsageError for a method that is
    named twice."""
    named = methods.items() if isinstance(methods, Mapping) else [(method, {}) for method in methods]
    values = [make(method, own) for method, own in named]
    if not values:
        raise UsageError("a run needs a method: name at least one")
    own, device = fingerprint(model, given), str(getattr(model, "device", "cpu"))
    found = []
    for value in values:
        plan = _plan(model, value, target, level)
        labels = [model.labels[i] for i in plan.choice.labels] or ["predicted"]
        wish = f"{model.link.called(plan.choice.kind)}:{','.join(labels)}"
        found.append(Question(plan, Asked(model.name, own, device, __version__, plan.name, _code(plan), level, wish)))
    if len({question.asked.id for question in found}) < len(found):
        raise UsageError("a method is named twice with the same parameters; name it once")
    return found


def _plan(model: Classifier, method: Method, target: Wish, level: str) -> Plan | Growth:
    """A method's plan: of explanations at a level, or of the trees of a search, whose phrases it scores. A search with
    a score of its own takes no method but the default one, which it leaves out."""
    if level not in SEARCHES.names:
        return Plan.of(model, method, None, target, level)
    own = not SEARCHES[level].free and method == make(DEFAULT)
    return Growth.of(model, level, None if own else method, None, target)


def _code(plan: Plan | Growth) -> str:
    return repr(plan.method if isinstance(plan, Plan) else plan.search)


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


def outcomes(plan: Plan | Growth, examples: Sequence[Example], advance: Advance = lambda _: None) -> list[Outcome]:
    """The explanation of each text, or the reason why there is none.

    The texts are explained together. If that fails, so are their halves, down to the texts that fail alone.
    """
    found: dict[int, Outcome] = {}
    read: list[tuple[int, Text]] = []
    for number, one in enumerate(examples):
        try:
            read.append((number, read_text(plan.model, one.text)))
        except Exception as error:
            found[number] = _reason(error)
            advance(number)
    waiting = [read] if read else []
    while waiting:
        part = waiting.pop()
        try:
            results: list[Any] = list(plan.explain([text for _, text in part]))
        except MissingExtraError:
            raise
        except Exception as error:
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            results = [_reason(error)]
        for (number, _), result in zip(part, results, strict=True):
            found[number] = result
            advance(number)
    return [found[number] for number in range(len(examples))]


def _reason(error: Exception) -> str:
    """An error as one line; that of another package with its kind."""
    line = " ".join(str(error).split())[:500]
    kind = (
        ""
        if isinstance(error, UsageError | TextError) or type(error).__module__ == "exegesis"
        else type(error).__name__
    )
    return ": ".join(filter(None, (kind, line))) or type(error).__name__
