"""The method that a saved recommendation names, for ``method="best"``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exegesis.core.errors import UsageError
from exegesis.engine.methods import BEST, Method
from exegesis.protocols.model import Classifier
from exegesis.questions.trust.recommendations import check_recommendation
from exegesis.results.recommendation import Recommendation, read_recommendation

FILE, VARIABLE = "recommendation.json", "EXEGESIS_RECOMMENDATION"
Place = str | os.PathLike[str] | None  # the file of a saved recommendation


def best(model: Classifier, recommendation: Place = None, folder: object = None) -> Recommendation:
    """The saved recommendation for a model.

    It is read from the file ``recommendation``, else from the file that the environment variable
    ``EXEGESIS_RECOMMENDATION`` names, else from ``recommendation.json`` in the model's ``folder``.

    Raises UsageError if there is none, or if it belongs to another model; FileError if it cannot be read.
    """
    place = recommendation or os.environ.get(VARIABLE) or _beside(folder)
    if place is None:
        raise UsageError(
            f"no recommendation to take the {BEST!r} method from: name a file that exegesis recommend wrote "
            f"(recommendation=FILE, --recommendation FILE, {VARIABLE}), or put it into the model's folder as {FILE}"
        )
    saved = read_recommendation(place)
    check_recommendation(saved, model, os.fspath(place))
    return saved


def chosen(
    model: Classifier,
    method: str | Method | None,
    parameters: Mapping[str, Any],
    recommendation: Place = None,
    folder: object = None,
) -> tuple[str | Method | None, dict[str, Any]]:
    """A method with its parameters; ``best`` is replaced by the method and parameters of the saved recommendation.

    ``parameters`` override those of the recommendation. Raises the errors of ``best``, and UsageError for a
    ``recommendation`` with another method.
    """
    if isinstance(method, str) and method == BEST:
        saved = best(model, recommendation, folder)
        return saved.method, {**saved.parameters, **parameters}
    if recommendation is not None:
        raise UsageError(f"recommendation=FILE belongs to method={BEST!r}")
    return method, dict(parameters)


def each_chosen(
    model: Classifier,
    methods: Sequence[str | Method],
    parameters: Mapping[str, Mapping[str, Any]],
    recommendation: Place = None,
    folder: object = None,
) -> tuple[list[str | Method], dict[str, dict[str, Any]]]:
    """Several methods with their parameters by name; ``best`` becomes the recommended method, which appears only once.

    Raises the errors of ``chosen``.
    """
    by_name = {name: dict(values) for name, values in parameters.items()}
    if not any(isinstance(method, str) and method == BEST for method in methods):
        chosen(model, None, {}, recommendation)
        return list(methods), by_name
    saved = best(model, recommendation, folder)
    by_name[saved.method] = {**saved.parameters, **by_name.pop(BEST, {}), **by_name.get(saved.method, {})}
    names = [saved.method if isinstance(method, str) and method == BEST else method for method in methods]
    return [name for i, name in enumerate(names) if not isinstance(name, str) or name not in names[:i]], by_name


def _beside(folder: object) -> Path | None:
    if not isinstance(folder, str | os.PathLike):
        return None
    path = Path(folder) / FILE
    return path if path.is_file() else None
