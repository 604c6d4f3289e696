"""Corpora for studies: texts with their gold labels, explained in parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from exegesis.api import Plan, read_text
from exegesis.core.containers import is_missing, items, scalar
from exegesis.core.containers import shown as as_code
from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.data.examples import Example, read_examples
from exegesis.protocols.labels import Labels, number_of
from exegesis.protocols.model import Classifier, Raw
from exegesis.results.attribution import Attribution
from exegesis.results.behaviour.study import Asked, Shown, Word

MAX_EXPLAINED = 1024  # texts whose explanations are in memory at a time
Data = str | os.PathLike[str] | Iterable[Raw] | Iterable[Example]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Texts and their gold labels, as names of the model's labels (None for a text without one)."""

    raws: tuple[Raw, ...]
    golds: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.raws)

    @classmethod
    def of(cls, data: Data, labels: Labels | None, names: Sequence[str], *, what: str = "texts") -> Corpus:
        """Read texts, examples, or a file of either, with ``labels`` passed separately or the examples' own.

        A label is one of the model's ``names`` or its number (see ``number_of``); a missing one (None, NaN) is none.
        Raises UsageError if there are no texts, if labels and texts differ in number, or if a label is not one of the
        model's.
        """
        raws, own = _texts_and_labels(data)
        golds: list[Any] = list(own)
        if labels is not None:
            listed = items(labels, "labels")
            if listed is None or len(listed) != len(raws):
                given = as_code(labels) if listed is None else len(listed)
                raise UsageError(f"{len(raws)} {what} need as many labels, not {given}")
            golds = listed
        if not raws:
            raise UsageError(f"there are no {what} to study; give at least one")
        if labels is None and all(_has_label(raw, names) for raw in raws):
            way = "a tuple is a pair of texts: give exegesis.Example(text, label), or labels=[...] beside the texts"
            raise UsageError(f"the second of every two {what} is a label, as in {as_code(raws[0])}; {way}")
        return cls(tuple(raws), tuple(_label_name(gold, names) for gold in golds))


def read_data(data: Data) -> list[Example]:
    """Read a user's data as examples. Raises UsageError if there are none."""
    raws, golds = _texts_and_labels(data)
    if not raws:
        raise UsageError("there are no texts to study; give at least one")
    return [Example.of(raw, gold) for raw, gold in zip(raws, golds, strict=True)]


def _texts_and_labels(data: Data) -> tuple[list[Raw], list[str | None]]:
    if isinstance(data, str | os.PathLike):
        data = read_examples(os.fspath(data))
    raws: list[Raw] = []
    golds: list[str | None] = []
    listed = items(data, "texts")
    if listed is None:
        raise UsageError(f"data are a list of texts or examples, or a file, not {as_code(data)}")
    for item in listed:
        raws.append(item.text if isinstance(item, Example) else item)
        golds.append(item.label if isinstance(item, Example) else None)
    return raws, golds


def _has_label(raw: Raw, names: Sequence[str]) -> bool:
    return isinstance(raw, tuple) and len(raw) == 2 and raw[1] in names


def _label_name(gold: Any, names: Sequence[str]) -> str | None:
    plain = scalar(gold)
    if is_missing(plain):
        return None
    try:
        return names[number_of(plain, names)]
    except UsageError as error:
        reason = f"the label {as_code(plain)} is none of the model's ({', '.join(names)}), nor the number of one"
        raise UsageError(str(error) if " may be " in str(error) else reason) from error


def need_labels(corpus: Corpus, what: str) -> None:
    """Raise UsageError if a text has no gold label."""
    missing = sum(gold is None for gold in corpus.golds)
    if missing:
        raise UsageError(f"{missing} of {len(corpus)} texts have no label; {what} need the true label of every text")


def texts_of(model: Classifier, corpus: Corpus) -> Iterator[tuple[int, Text]]:
    """Read each text as the model does, with its number; errors name the text."""
    for number, raw in enumerate(corpus.raws):
        yield number, read_text(model, raw, number, len(corpus))


def explained(
    plan: Plan, texts: Iterator[tuple[int, Text]], advance: Callable[..., object]
) -> Iterator[tuple[int, Attribution]]:
    """Explain numbered texts, at most ``MAX_EXPLAINED`` at a time; each explanation with the number of its text."""
    part: list[tuple[int, Text]] = []

    def explain_part() -> Iterator[tuple[int, Attribution]]:
        results = plan.explain([text for _, text in part], advance)
        return iter([(number, result) for (number, _), result in zip(part, results, strict=True)])

    for numbered in texts:
        part.append(numbered)
        if len(part) == MAX_EXPLAINED:
            yield from explain_part()
            part = []
    if part:
        yield from explain_part()


def single_target(plan: Plan) -> None:
    """Raise UsageError if a plan explains several numbers of a text."""
    if len(plan.choice.labels) > 1 and plan.choice.kind != "margin":
        raise UsageError("a study looks at one number of each text; take one label as the target, not 'all'")


def asked_of(plan: Plan, texts: int, words: int, signed: bool) -> Asked:
    """The header of a study; a target that is each text's own label is called ``logit:predicted``."""
    names = [plan.model.labels[i] for i in plan.choice.labels]
    target = f"{plan.model.link.called(plan.choice.kind)}:{','.join(names) or 'predicted'}"
    return Asked(plan.model.name, repr(plan.method), plan.name, target, texts, words, signed)


def signed(result: Attribution) -> bool:
    """True if the scores of a result have signs."""
    return result.details.get("signed") is not False


def shown(result: Attribution, number: int, gold: str | None, marked: Sequence[int]) -> Shown:
    """A text with its scores for display; ``marked`` holds the numbers of the words that a study is about."""
    over = result.over_words()
    words = tuple(
        Word(word, float(score), i in marked)
        for i, (word, score) in enumerate(zip(over.words, over.scores, strict=True))
    )
    return Shown(words, result.prediction.label, result.prediction.probability, gold or "", number)


def normal(word: Any) -> str:
    """The form in which words are compared and counted: case-folded."""
    return str(word).casefold()
