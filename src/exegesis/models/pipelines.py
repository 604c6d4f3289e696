"""Pipelines of other packages, seen as the models that they hold: those of transformers and of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import nn

from exegesis.core.errors import UnsupportedError, UsageError

MULTILABEL = "multi_label_classification"


class Asked(NamedTuple):
    """A pipeline as a function of texts: what ``BlackBox`` takes."""

    function: Callable[[list[str]], Any]
    labels: Sequence[Any]
    options: dict[str, Any]


def is_pipeline(value: object) -> bool:
    """True for a pipeline of transformers."""
    kinds = [kind for kind in type(value).__mro__ if kind.__module__.startswith("transformers.pipelines")]
    return bool(kinds) and isinstance(getattr(value, "model", None), nn.Module)


def is_estimator(value: object) -> bool:
    """True for what predicts as scikit-learn's estimators do: a pipeline, a search over its parameters."""
    return not callable(value) and callable(getattr(value, "fit", None)) and callable(getattr(value, "predict", None))


def asked_of(value: Any, labels: Any = None) -> Asked:
    """A pipeline as a function of texts, with its own labels unless others are passed.

    Raises UnsupportedError for one that gives no numbers of whole texts, with the way to explain it.
    """
    return _of_pipeline(value, labels) if is_pipeline(value) else _of_estimator(value, labels)


def outputs_of(pipeline: Any) -> str | None:
    """What a transformers pipeline was told that the outputs of its model mean, in the words of ``wrap``."""
    told = getattr(pipeline, "_postprocess_params", {}).get("function_to_apply")
    return "multi-label" if getattr(told, "value", told) == "sigmoid" else None


def _of_pipeline(pipeline: Any, labels: Any) -> Asked:
    config = pipeline.model.config
    if getattr(pipeline, "task", "") not in ("text-classification", "sentiment-analysis"):
        raise UnsupportedError(
            f"a pipeline of {pipeline.task} gives no probabilities of whole texts: explain exegesis.wrap(pipeline)"
        )
    names = [config.id2label[number] for number in sorted(config.id2label)]

    def function(texts: list[str]) -> list[list[float]]:
        rows = [{one["label"]: one["score"] for one in row} for row in pipeline(texts, top_k=None)]
        return [[row[name] for name in names] for row in rows]

    several = outputs_of(pipeline) is not None or getattr(config, "problem_type", None) == MULTILABEL
    return Asked(function, names if labels is None else labels, {"multilabel": True} if several else {})


def _of_estimator(estimator: Any, labels: Any) -> Asked:
    kind, classes = type(estimator).__name__, getattr(estimator, "classes_", None)
    names = labels if labels is not None or classes is None else list(classes)
    if isinstance(classes, list):  # several outputs, each with classes of its own
        return _of_outputs(estimator, classes, labels)
    if hasattr(estimator, "predict_proba"):
        if names is None:
            raise UsageError(f"the {kind} names no classes (classes_): fit it first, or give labels=[...]")
        return Asked(estimator.predict_proba, names, {"multilabel": True} if _several(estimator) else {})
    if classes is not None:
        raise UnsupportedError(
            f"the {kind} gives no probabilities: calibrate it (sklearn.calibration.CalibratedClassifierCV), or explain "
            "its margins: exegesis.blackbox(pipeline.decision_function, labels=[...], regression=True)"
        )
    return Asked(estimator.predict, ["prediction"] if labels is None else labels, {"regression": True})


def _several(estimator: Any) -> bool:
    """True for one against the rest where labels do not exclude each other."""
    last = getattr(estimator, "steps", [("", estimator)])[-1][1]
    return bool(getattr(getattr(last, "best_estimator_", last), "multilabel_", False))


def _of_outputs(estimator: Any, classes: list[Any], labels: Any) -> Asked:
    """A classifier of several outputs as one of labels that do not exclude each other: the second class of each."""
    kind = type(estimator).__name__
    if labels is None or any(len(own) != 2 for own in classes):
        raise UnsupportedError(
            f"the {kind} has {len(classes)} outputs with classes of their own: name them, labels=[...], if each says "
            "yes or no; else explain a function that gives the probabilities of one"
        )

    def function(texts: list[str]) -> list[list[float]]:
        return [[float(row[1]) for row in rows] for rows in zip(*estimator.predict_proba(texts), strict=True)]

    return Asked(function, labels, {"multilabel": True})
