"""Evaluate explanations: ask everything of all texts, methods and measures together, then read the numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.engine.answer import in_batches
from exegesis.protocols.model import Classifier
from exegesis.questions.trust.batches import Marks, Work
from exegesis.questions.trust.controls import CONTROLS, LEFT_OUT, LONGEST, RANDOM, controls_of
from exegesis.questions.trust.explanations import Explanations
from exegesis.questions.trust.measure import Measure, Score, card_of, title
from exegesis.questions.trust.measures.agreement import agreement
from exegesis.questions.trust.measures.curves import GRID, DecisionFlip, FlipRate
from exegesis.questions.trust.pool import stock_of
from exegesis.results.evaluation import Evaluation, Measurand, Measured

CONTESTED = 3  # texts whose explanations are kept
WORDY = 8  # words that they have, if any text has


def evaluate(
    model: Classifier,
    texts: Sequence[Text],
    explained: Sequence[Explanations],
    measures: Sequence[Measure],
    *,
    marks: Marks | None = None,
    controls: bool = True,
    seed: int = 0,
    samples: int = 2000,
    advance: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Every measure of every method and control on every text.

    A text's numbers depend neither on the other texts nor on the other methods, but for ``resample``, whose words are
    drawn from all texts. Texts are worked on in batches of like length; within a batch the perturbed texts of all
    methods and measures are one pool. Raises UsageError for no texts, no methods or no measures, for explanations of
    other texts or another model, and for methods that explain different labels of a text.
    """
    _check(texts, explained, measures)
    start = time.perf_counter()
    own = [replace(text) for text in texts]  # told apart by identity, also where one stands twice
    number = {id(text): i for i, text in enumerate(own)}
    work = Work(model, measures, stock_of(own), marks, controls, seed)
    values = np.full((len(measures), len(explained) + len(CONTROLS) * controls, len(own)), math.nan)
    curves: dict[int, list[np.ndarray]] = {}
    labels = [""] * len(own)

    def batch(some: Sequence[Text]) -> list[tuple[str, list[list[Score]]]]:
        return work.measured(some, [_part(one, [number[id(text)] for text in some]) for one in explained],
                             [number[id(text)] for text in some])  # fmt: skip

    for i, (label, found) in in_batches(own, batch, "evaluate", model):
        labels[i] = label
        for m, scores in enumerate(found):
            values[m, :, i] = [score.value for score in scores]
            if any(score.curve is not None for score in scores):
                empty = np.full(len(GRID), math.nan)
                curves.setdefault(m, []).append(
                    np.stack([empty if score.curve is None else score.curve for score in scores])
                )
        advance()
    names = names_of(explained)
    held = controls and any(card_of(one).favours for one in measures)  # to leave-one-out
    left_out = {
        k
        for k, one in enumerate(explained)
        if held and k not in work.others and any(result is not None for result in one.results)
    }
    methods = [
        Measurand(
            n, one.parameters, False, one.seconds, LEFT_OUT if k in left_out else one.name
        )
        for k, (n, one) in enumerate(zip(names, explained, strict=True))
    ]  # fmt: skip
    if controls:
        methods += controls_of(methods)
    kept = _useful(values, len(explained))
    agreed = agreement([one.results for one in explained])
    worst = _worst(agreed.disputes, own)
    return Evaluation(
        model=model.name,
        texts=tuple(text.raw for text in own),
        labels=tuple(labels),
        measures=tuple(_measured(one) for one in measures),
        methods=tuple(methods[k] for k in kept),
        values=values[:, kept],
        curves={title(measures[m]): np.nanmean(np.stack(found)[:, kept], 0) for m, found in curves.items()},
        grid=tuple(GRID.tolist()),
        agreement=agreed.ranks,
        overlap=agreed.tops,
        disputes=agreed.disputes,
        contested=tuple(
            tuple(result for one in explained if (result := one.results[i]) is not None) for i in worst[:CONTESTED]
        ),
        counts=dict(work.counts),
        seconds=time.perf_counter() - start,
        notes=_notes(explained, work),
        seed=seed,
        samples=samples,
    )


def _check(texts: Sequence[Text], explained: Sequence[Explanations], measures: Sequence[Measure]) -> None:
    for found, what in ((texts, "texts"), (explained, "methods"), (measures, "measures")):
        if not found:
            raise UsageError(f"there are no {what} to evaluate; give at least one")
    for one in explained:
        if len(one.results) != len(texts):
            raise UsageError(f"{one.name} has {len(one.results)} explanations of {len(texts)} texts; give one a text")
        if one.name in CONTROLS[:1]:
            raise UsageError(f"{RANDOM!r} is the name of a control; give the method another")
    titles = [title(one) for one in measures]
    if len(set(titles)) < len(titles):
        raise UsageError("the same measure is asked for twice; name it once")


def _part(one: Explanations, numbers: Sequence[int]) -> Explanations:
    return replace(
        one,
        results=[one.results[i] for i in numbers],
        labelled={label: [results[i] for i in numbers] for label, results in one.labelled.items()},
    )


def names_of(explained: Sequence[Explanations]) -> list[str]:
    """Names that tell methods apart: with the parameters where one name stands twice, else with a number."""
    names = [one.name for one in explained]
    long = [one.parameters or one.name if names.count(one.name) > 1 else one.name for one in explained]
    return [f"{name} #{long[:i].count(name) + 1}" if long.count(name) > 1 else name for i, name in enumerate(long)]


def _measured(value: Measure) -> Measured:
    card = card_of(value)
    return Measured(title(value), card.question, card.paper, card.higher, card.ranks, card.favours)


def _useful(values: np.ndarray, own: int) -> list[int]:
    """All methods, and the controls that have a number at all."""
    return [k for k in range(values.shape[1]) if k < own or np.isfinite(values[:, k]).any()]


def _worst(disputes: np.ndarray, texts: Sequence[Text]) -> list[int]:
    """Texts on which methods agree least, the least first; among those of a few words chance decides, so they come in
    only where there are no others."""
    order = [i for i in np.argsort(disputes, kind="stable").tolist() if math.isfinite(disputes[i])]
    return [i for i in order if len(texts[i].words) >= WORDY] or order


def _notes(explained: Sequence[Explanations], work: Work) -> tuple[str, ...]:
    notes, unchecked = [], work.unchecked
    for one in explained:
        missing = sum(result is None for result in one.results)
        if missing:
            notes.append(f"{one.name} explains {len(one.results) - missing} of {len(one.results)} texts.")
    if unchecked:
        notes.append(
            f"{unchecked} explanations say neither what was predicted nor the number explained: whether they are of "
            "this model could not be checked."
        )
    if work.undecided and any(isinstance(one, DecisionFlip | FlipRate) for one in work.measures):
        notes.append(
            f"{_texts(work.undecided)} explained for a label that is not predicted: decision-flip and flip-rate leave "
            "them out."
        )
    for (name, label), count in work.unlisted.items():
        notes.append(
            f"{_texts(count)} with listed words explained by {name} for another label than {label}: interpretability "
            "leaves them out."
        )
    if work.long:
        notes.append(f"{_texts(work.long)} of more than {LONGEST} words: greedy removal leaves them out.")
    return tuple(notes)


def _texts(count: int) -> str:
    return f"{count} text{'s' * (count != 1)}"
