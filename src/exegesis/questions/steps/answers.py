"""An answer explained part by part, and one answer against another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from exegesis.core.errors import UnsupportedError, UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.engine.answer import one_per_text
from exegesis.engine.methods import Method
from exegesis.engine.run import run
from exegesis.protocols.generative import Generative, Number
from exegesis.protocols.target import Ask
from exegesis.results.generation import Generation
from exegesis.results.header import Account, Prediction

UNITS = ("word", "piece", "answer")
OWN = "its own words"  # what the words of a part do to each other
SPECIAL = "special tokens"


@dataclass(frozen=True)
class Answer:
    """A prompt with an answer behind it; ``first`` is the number of the answer's first word."""

    text: Text
    first: int


def parts_of(answer: Answer, unit: str) -> dict[str, Span]:
    """The parts of an answer by name; what stands in it more than once is numbered. Raises UsageError for a unit."""
    if unit not in UNITS:
        raise unknown("unit", unit, UNITS)
    text, words = answer.text, answer.text.words[answer.first :]
    if unit == "answer":
        words = (Span(words[0].start, words[-1].stop),)
    if unit == "piece":
        words = tuple(Span(n, n + 1) for word in words for n in range(*word))
    names = [text.surface(word) or text.pieces[word.start] for word in words]
    seen: Counter[str] = Counter()
    parts: dict[str, Span] = {}
    for name, word in zip(names, words, strict=True):
        seen[name] += 1
        own = f"{name} ({seen[name]})" if seen[name] > 1 else name
        while own in parts:
            own += "'"
        parts[own] = word
    return parts


def explained(model: Generative, answer: Answer, method: Method, number: Number, unit: str = "word") -> Generation:
    """Every part of an answer against every word before it.

    All parts share the passes of the model: one, and backward ones, for gradients; one for each removed word. Raises
    the errors of ``engine.run``.
    """
    text = answer.text
    parts = parts_of(answer, unit)
    choice = Ask("logit", tuple(range(len(parts))))
    (scores,) = one_per_text(run(model.steps(text, parts, number), [text], method, choice))
    values = np.array(scores.at("word").values)
    own = np.zeros(len(parts))
    for k, part in enumerate(parts.values()):
        for i, word in enumerate(text.words):
            if word.start >= part.start:
                own[k] += values[k, i] if word.start < part.stop else 0.0
                values[k, i] = 0.0
    account = {**scores.remainder.parts, **({OWN: tuple(own.tolist())} if own.any() else {})}
    written = text.surface(Span(text.words[answer.first].start, text.words[-1].stop))
    chance = float(np.exp(sum(scores.subject.explained))) if number == "log-probability" else float("nan")
    subject = replace(
        scores.subject,
        model=model.name,
        prediction=Prediction(written, chance, {}),
        targets=tuple(f"{number}:{name}" for name in parts),
    )
    return Generation(
        subject,
        scores.origin,
        text.words,
        tuple(parts.values()),
        values,
        answer.first,
        unit,
        remainder=Account(account, scores.complete),
    )


def contrasted(one: Generation, other: Generation) -> Generation:
    """Why one answer rather than another, as wholes: the difference of their numbers, and of the prompt's scores.

    Raises UnsupportedError for a method without signs, whose scores have no difference.
    """
    if not one.signed:
        raise UnsupportedError(f"the scores of {one.name} are sizes, which have no contrast; take a signed method")
    if one.first != other.first or one.text.words[: one.first] != other.text.words[: other.first]:
        raise UsageError("only answers to one prompt can be contrasted")
    kind = one.targets[0].partition(":")[0]
    accounts: dict[str, float] = {}
    for sign, result in ((1.0, one), (-1.0, other)):
        for name, part in _named(result).items():
            accounts[name] = accounts.get(name, 0.0) + sign * part
    number = one.subject.explained[0] - other.subject.explained[0]
    subject = replace(one.subject, targets=(f"{kind}:{one.answer} - {other.answer}",), explained=(number,))
    prompt = slice(0, one.first)
    return replace(
        one,
        subject=subject,
        origin=replace(one.origin, seconds=one.seconds + other.seconds),
        inputs=one.inputs[prompt],
        values=one.values[:, prompt] - other.values[:, prompt],
        remainder=Account({name: (part,) for name, part in accounts.items()}, one.complete),
    )


def _named(result: Generation) -> Mapping[str, float]:
    return {name: part[0] for name, part in result.remainder.parts.items()}
