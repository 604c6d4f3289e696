"""Evaluations: all measures of all methods and controls on all texts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.engine.answer import in_batches
from exegesis.engine.cost import announce, passes_of
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.questions.trust.batches import Marks, Work
from exegesis.questions.trust.controls import CONTROLS, LEFT_OUT, LONGEST, RANDOM, Searched, controls_of
from exegesis.questions.trust.explanations import Explanations
from exegesis.questions.trust.measure import Measure, Score, card_of, title
from exegesis.questions.trust.measuring.agreement import agreement
from exegesis.questions.trust.measuring.curves import GRID, DecisionFlip, FlipRate
from exegesis.questions.trust.pool import stock_of
from exegesis.results.evaluation import Evaluation, Measurand, Measured

MAX_CONTESTED = 3  # texts whose explanations the result keeps
MIN_WORDS = 8  # shorter texts are kept only if there are no longer ones


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
    """Evaluate every measure of every method and control on every text.

    The numbers of a text depend neither on other texts nor on other methods, except for ``resample``, whose words are
    drawn from all texts. Texts run in batches of similar length; within a batch the perturbed texts of all methods and
    measures are one pool. Raises UsageError without texts, methods or measures, for explanations of other texts or
    another model, and for methods that explain different labels of a text.
    """
    _check(texts, explained, measures)
    start = time.perf_counter()
    copies = [replace(text) for text in texts]  # told apart by identity, even if one occurs twice
    work = Work(model, measures, stock_of(copies), marks, controls, seed)
    if counts := searched(measures, copies, controls):
        work.announced = partial(_announced, model, copies, counts)
    labels, values, curves = _measure(work, copies, explained, advance)
    methods = _methods(work, explained)
    useful = _useful(values, len(explained))
    agreed = agreement([method.results for method in explained])
    worst = _worst(agreed.disputes, copies)[:MAX_CONTESTED]
    return Evaluation(
        model=model.name,
        texts=tuple(text.raw for text in copies),
        labels=tuple(labels),
        measures=tuple(_measured(measure) for measure in measures),
        methods=tuple(methods[k] for k in useful),
        values=values[:, useful],
        curves={title(measures[m]): np.nanmean(np.stack(rows)[:, useful], 0) for m, rows in curves.items()},
        grid=tuple(GRID.tolist()),
        agreement=agreed.ranks,
        overlap=agreed.tops,
        disputes=agreed.disputes,
        contested=tuple(
            tuple(result for method in explained if (result := method.results[i]) is not None) for i in worst
        ),
        counts=dict(work.counts),
        seconds=time.perf_counter() - start,
        notes=_notes(explained, work),
        seed=seed,
        samples=samples,
    )


def searched(measures: Sequence[Measure], texts: Sequence[Text], controls: bool) -> list[int] | None:
    """The passes of the model that greedy removal takes on each text; None if it is no control here.

    Raises UsageError for a text that takes more passes than the caller allows.
    """
    question = Searched(measures)
    return passes_of(question, texts, 1) if controls and question.ways else None


def _announced(model: Classifier, texts: Sequence[Text], counts: Sequence[int], batch: Batch, seconds: float) -> None:
    announce(model, Searched.name, batch, texts, counts, seconds)


def _measure(
    work: Work, texts: Sequence[Text], explained: Sequence[Explanations], advance: Callable[[], object]
) -> tuple[list[str], np.ndarray, dict[int, list[np.ndarray]]]:
    """The label of each text, the values ``[measure, method, text]``, and the curves of each measure that has them."""
    number = {id(text): i for i, text in enumerate(texts)}
    labels = [""] * len(texts)
    values = np.full((len(work.measures), len(explained) + len(CONTROLS) * work.controls, len(texts)), math.nan)
    curves: dict[int, list[np.ndarray]] = {}
    empty = np.full(len(GRID), math.nan)

    def batch(part: Sequence[Text]) -> list[tuple[str, list[list[Score]]]]:
        numbers = [number[id(text)] for text in part]
        return work.measured(part, [_part(method, numbers) for method in explained], numbers)

    for i, (label, measured) in in_batches(texts, batch, "evaluate", work.model):
        labels[i] = label
        for m, scores in enumerate(measured):
            values[m, :, i] = [score.value for score in scores]
            if any(score.curve is not None for score in scores):
                rows = [empty if score.curve is None else score.curve for score in scores]
                curves.setdefault(m, []).append(np.stack(rows))
        advance()
    return labels, values, curves


def _methods(work: Work, explained: Sequence[Explanations]) -> list[Measurand]:
    """The methods and controls; a method whose scores are those of leave-one-out everywhere is measured as that."""
    favoured = work.controls and any(card_of(measure).favours for measure in work.measures)
    methods = []
    for k, (name, method) in enumerate(zip(names_of(explained), explained, strict=True)):
        same = favoured and k not in work.others and any(result is not None for result in method.results)
        measured = LEFT_OUT if same else method.name
        methods.append(Measurand(name, method.parameters, False, method.seconds, measured))
    return methods + (controls_of(methods) if work.controls else [])


def _check(texts: Sequence[Text], explained: Sequence[Explanations], measures: Sequence[Measure]) -> None:
    for values, what in ((texts, "texts"), (explained, "methods"), (measures, "measures")):
        if not values:
            raise UsageError(f"there are no {what} to evaluate; give at least one")
    for method in explained:
        if len(method.results) != len(texts):
            raise UsageError(
                f"{method.name} has {len(method.results)} explanations of {len(texts)} texts; give one per text"
            )
        if method.name in CONTROLS[:1]:
            raise UsageError(f"{RANDOM!r} is the name of a control; give the method another")
    titles = [title(measure) for measure in measures]
    if len(set(titles)) < len(titles):
        raise UsageError("the same measure is asked for twice; name it once")


def _part(explanations: Explanations, numbers: Sequence[int]) -> Explanations:
    return replace(
        explanations,
        results=[explanations.results[i] for i in numbers],
        labelled={label: [results[i] for i in numbers] for label, results in explanations.labelled.items()},
    )


def names_of(explained: Sequence[Explanations]) -> list[str]:
    """Names that tell methods apart: with parameters if a name occurs twice, or else with a number."""
    names = [method.name for method in explained]
    long = [m.parameters or m.name if names.count(m.name) > 1 else m.name for m in explained]
    return [f"{name} #{long[:i].count(name) + 1}" if long.count(name) > 1 else name for i, name in enumerate(long)]


def _measured(value: Measure) -> Measured:
    card = card_of(value)
    return Measured(title(value), card.question, card.paper, card.higher, card.ranks, card.favours)


def _useful(values: np.ndarray, methods: int) -> list[int]:
    """The numbers of all methods, and of the controls that have any value."""
    return [k for k in range(values.shape[1]) if k < methods or np.isfinite(values[:, k]).any()]


def _worst(disputes: np.ndarray, texts: Sequence[Text]) -> list[int]:
    """The texts on which methods agree least, worst first.

    Short texts, on which agreement is a matter of chance, are listed only if all texts are short.
    """
    order = [i for i in np.argsort(disputes, kind="stable").tolist() if math.isfinite(disputes[i])]
    return [i for i in order if len(texts[i].words) >= MIN_WORDS] or order


def _notes(explained: Sequence[Explanations], work: Work) -> tuple[str, ...]:
    notes, unchecked = [], work.unchecked
    for method in explained:
        missing = sum(result is None for result in method.results)
        if missing:
            notes.append(f"{method.name} explains {len(method.results) - missing} of {len(method.results)} texts.")
    if unchecked:
        notes.append(
            f"{unchecked} explanations say neither what was predicted nor the number explained: whether they are of "
            "this model could not be checked."
        )
    if work.undecided and any(isinstance(measure, DecisionFlip | FlipRate) for measure in work.measures):
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
