"""Section 4.8.1 and Figure 9: wrong predictions by the words that caused them, and swaps of these found by a rule."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import exegesis
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.results.behaviour.faults import FINDINGS, Failures, Substitution
from exegesis.study.corpus import Corpus
from exegesis.study.failing.training_texts import TrainingTexts, read_training

ALL = 10**6
SURE, SAMPLE, CAUSES = 0.9, 60, 5


def failures(model: Any, tests: Sequence[Example], train: Sequence[Example]) -> Failures:
    """Every cause of every wrong prediction, with the checks of the training data."""
    return exegesis.study.failures(model, tests, train=train, method="reat", most=ALL, examples=ALL)


def known_of(model: Any, train: Sequence[Example]) -> TrainingTexts:
    return read_training(model, Corpus.of(train, None, model.labels))


def failure_numbers(found: Failures, known: TrainingTexts) -> dict[str, Any]:
    """What is wrong, what the causes and any words of the same texts have in the training data, the first causes."""
    wrong = [(cause.word, one) for cause in found.causes for one in cause.examples]
    kept = found.corpora._asdict() | {
        "labels": dict(found.corpora.labels),
        "leaks": [one.text for one in found.corpora.leaks],
    }
    return {
        "wrong": found.wrong, "cured": found.cured, "by_chance": found.by_chance, "corpora": kept,
        "confusion": {gold: dict(row) for gold, row in found.confusion.items()},
        "findings": {name: sum(one.wrong for one in found.causes if name in one.findings) for name in FINDINGS},
        "leaning": sum(leans(known, word, one.label) for word, one in wrong),
        "leaning_any": float(sum(np.mean([leans(known, w.text, one.label) for w in one.words]) for _, one in wrong)),
        "causes": [
            {
                "word": one.word, "label": one.label, "wrong": one.wrong, "cured": one.cured, "uses": one.uses,
                "errors": one.errors, "training": dict(one.training.labels) if one.training else {},
                "findings": list(one.findings),
            }
            for one in found.causes[:20]
        ],
    }  # fmt: skip


@cache
def leans(known: TrainingTexts, word: str, label: str) -> bool:
    """Whether the training texts that hold a word have a label more often than others (exact binomial, p < 0.01)."""
    held = known.of(word.casefold(), label)
    return held.texts > 0 and held.p < 0.01 and held.share > held.base


def cured_by(model: Any, tests: Sequence[Example]) -> dict[str, int]:
    """How many wrong predictions come right without the word that each method names as the cause."""
    return {
        name: exegesis.study.failures(model, tests, method=name, most=0, examples=0).cured
        for name in ("reat", "naive-reat", "leave-one-out")
    }


def drawn(model: Any, text: str, word: str, **options: Any) -> Substitution | None:
    """A word replaced by words that the bundled language model draws for its place; None where it draws no other."""
    try:
        return exegesis.study.substitute(model, text, word, language="bundled", method="reat", **options)
    except UsageError:
        return None


def like_cases(model: Any, found: Failures) -> list[dict[str, Any]]:
    """``SAMPLE`` of the sure wrong predictions: REAT's cause, NaiveREAT's, and any other word, each replaced by drawn
    words of its part of speech: the word, how many were tried, how many of them turn the prediction, three that do."""
    wrong = [(cause.word, one) for cause in found.causes for one in cause.examples]
    wrong = sorted((pair for pair in wrong if pair[1].probability >= SURE), key=lambda pair: pair[1].number)
    random.Random(0).shuffle(wrong)
    naive = exegesis.explain(model, [one.raw for _, one in wrong[:SAMPLE]], "naive-reat", "predicted")
    kept = []
    for (cause, one), other in zip(wrong, naive, strict=False):
        rows = sorted(other.rows("word"), key=lambda row: -row.score)
        rest = [word.text for word in one.words if is_letters(word.text) and word.text not in (cause, rows[0].text)]
        words = {"reat": cause, "naive-reat": rows[0].text, "any": random.Random(one.number).choice(rest or [cause])}
        row: dict[str, Any] = {"number": one.number, "label": one.label, "probability": round(one.probability, 6)}
        for name, word in words.items():
            study = drawn(model, one.raw, word)
            same = [swap for swap in study.swaps if swap.same_tag] if study else []
            turned = [swap.word for swap in same if swap.flips]
            row[name] = [word, len(same), len(turned), turned[:3]]
        kept.append(row)
    return kept


def transfers(model: Any, found: Failures, tests: Sequence[Example]) -> list[dict[str, Any]]:
    """The surest text of each of the first causes: do the swaps that turn it do so in other test texts?"""
    kept = []
    for cause in [one for one in found.causes if one.cured and is_letters(one.word)][:CAUSES]:
        text = max(cause.examples, key=lambda one: one.probability)
        study = drawn(model, text.raw, cause.word, data=tests)
        moved = [list(one[:6]) for one in study.transfers] if study else []
        kept.append({"word": cause.word, "number": text.number, "said": text.label, "transfers": moved})
    return kept


def is_letters(word: str) -> bool:
    return any(map(str.isalpha, word))


def picture(model: Any, tests: Sequence[Example], train: Sequence[Example], out: Path) -> None:
    """The causes of one model's failures."""
    exegesis.study.failures(model, tests, train=train, method="reat").save(out / "failures.svg")
