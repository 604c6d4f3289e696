"""An evaluation as a user requests it: choose measures, run methods, read explanations and marks, measure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exegesis.core.containers import items, shown
from exegesis.core.errors import UsageError, unknown
from exegesis.core.text import Span, Text
from exegesis.data.marks import marks_of, read_marks
from exegesis.engine.methods import Method, card_of, make, require
from exegesis.engine.run import Spans, run
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Wish, ask
from exegesis.questions.trust.explanations import Explanations, place, read_explanations
from exegesis.questions.trust.measure import WAYS, Measure
from exegesis.questions.trust.measure import make as make_measure
from exegesis.questions.trust.measuring.eraser import Faithfulness, units
from exegesis.questions.trust.measuring.people import Interpretability
from exegesis.questions.trust.run import evaluate as measured
from exegesis.questions.trust.run import searched
from exegesis.results.attribution import Attribution
from exegesis.results.evaluation import Evaluation

USUAL = (
    "faithfulness",
    "deletion",
    "insertion",
    "aopc-comprehensiveness",
    "aopc-sufficiency",
    "decision-flip",
    "monotonicity",
    "infidelity",
    "completeness",
)
PLAUSIBLE = ("plausibility-f1", "plausibility-iou", "plausibility-auprc")
Given = Sequence[Attribution] | Mapping[str, Sequence[Attribution | None]] | str | os.PathLike[str] | None


def evaluate(
    model: Classifier,
    texts: Sequence[Text],
    methods: Sequence[str | Method],
    measures: Sequence[str | Measure] | None = None,
    *,
    how: Sequence[str] = (),
    explanations: Given = None,
    target: Wish = None,
    marks: Sequence[Any] | str | os.PathLike[str] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    controls: bool = True,
    seed: int = 0,
    samples: int = 2000,
    advance: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Evaluate methods and explanations on texts that the model has read; ``exegesis.evaluate`` has the arguments.

    ``advance`` is called after each text and method.
    """
    chosen = choose(measures, how, marks is not None, regression=model.link is Link.IDENTITY)
    built = [
        make(method, (parameters or {}).get(method, {}) if isinstance(method, str) else None) for method in methods
    ]
    for method in built:
        require(model, method)
    searched(chosen, texts, controls)  # refused before the methods run
    marked = _marks(texts, marks)
    passed = _given(texts, explanations, target)
    computed = [explained(model, texts, method, target, chosen, advance) for method in built]
    return measured(
        model,
        texts,
        [*computed, *passed],
        chosen,
        marks=marked,
        controls=controls,
        seed=seed,
        samples=samples,
        advance=advance,
    )


def choose(
    measures: Sequence[str | Measure] | None, how: Sequence[str] = (), marked: bool = False, regression: bool = False
) -> list[Measure]:
    """The measures of an evaluation, by default the usual ones, each once per way in ``how``.

    Raises UsageError for an unknown measure or way of removing words.
    """
    names = measures if measures is not None else [*USUAL, *(PLAUSIBLE if marked else ())]
    if measures is None and regression:
        names = [name for name in names if name != "decision-flip"]
    for way in how:
        if way not in WAYS:
            raise unknown("way of removing", way, WAYS)
    chosen: list[Measure] = []
    for name in names:
        value = make_measure(name)
        chosen += [replace(value, how=way) for way in how] if value.how and how else [value]  # type: ignore[type-var]
    return chosen


def explained(
    model: Classifier,
    texts: Sequence[Text],
    method: Method,
    target: Wish,
    measures: Sequence[Measure],
    advance: Callable[[], object] = lambda: None,
) -> Explanations:
    """The explanations of all texts by a method, with the spans that measures remove, and for the label of word lists
    those of texts with words of both."""
    results: list[Attribution | None] = [None] * len(texts)
    for row, result in run(model, texts, method, ask(target, model.labels, model.link), _spans(measures)):
        results[row] = result
        advance()
    labelled: dict[str, list[Attribution | None]] = {}
    for label in dict.fromkeys(measure.label for measure in measures if isinstance(measure, Interpretability)):
        lists = [m for m in measures if isinstance(m, Interpretability) and m.label == label]
        rows = [i for i, text in enumerate(texts) if any(measure.concerns(text) for measure in lists)]
        labelled[label] = [None] * len(texts)
        for number, result in run(model, [texts[i] for i in rows], method, ask(label, model.labels, model.link)):
            labelled[label][rows[number]] = result
    return Explanations(card_of(method).name, results, repr(method), labelled)


def _spans(measures: Sequence[Measure]) -> Spans | None:
    """The units that faithfulness removes, as spans for methods that score spans directly."""
    removed = {measure.unit for measure in measures if isinstance(measure, Faithfulness)} - {"word"}
    if not removed:
        return None

    def find(text: Text) -> list[tuple[str, Span]]:
        return [(unit, text.over(span)) for unit in sorted(removed) for span in units(text, unit)]

    return find


def _given(texts: Sequence[Text], explanations: Given, target: Wish) -> list[Explanations]:
    """The explanations that a user passes, in the order of the texts."""
    if explanations is None:
        return []
    if isinstance(explanations, str | os.PathLike):
        return read_explanations(Path(explanations), texts, target if isinstance(target, str) else None)
    if isinstance(explanations, Mapping) and all(isinstance(results, Iterable) for results in explanations.values()):
        return [Explanations(name, list(results)) for name, results in explanations.items()]
    rows: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        rows.setdefault(text.raw, []).append(i)
    by_method: dict[tuple[str, str], list[Attribution | None]] = {}
    for result in items(explanations, "explanations") or [explanations]:
        if not isinstance(result, Attribution):
            raise UsageError(f"explanations are results of explain or a file of them, not {type(result).__name__}")
        if result.text.raw not in rows:
            raise UsageError(f"an explanation of a text that is not among those evaluated: {result.text.raw[:40]!r}")
        place(by_method.setdefault((result.name, result.method), [None] * len(texts)), rows[result.text.raw], result)
    return [Explanations(name, results, method) for (name, method), results in by_method.items()]


def _marks(texts: Sequence[Text], marks: Sequence[Any] | str | os.PathLike[str] | None) -> list[Any] | None:
    if marks is None:
        return None
    if isinstance(marks, str | os.PathLike):
        listed: list[Any] | None = read_marks(Path(marks), [text.raw for text in texts])
    else:
        listed = items(marks, "marks")
    if listed is None:
        raise UsageError(f"marks are a list with the marked words of each text, or a file, not {shown(marks)}")
    if len(listed) != len(texts):
        raise UsageError(f"{len(listed)} marks of {len(texts)} texts; give one list per text, or None")
    return [
        None if words is None else marks_of(text, words, f"text {i + 1}")
        for i, (text, words) in enumerate(zip(texts, listed, strict=True))
    ]
