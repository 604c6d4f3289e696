"""The method that a saved recommendation names: ``method="best"``, wherever a method is taken."""

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
Place = str | os.PathLike[str] | None  # of a saved recommendation


def best(model: Classifier, recommendation: Place = None, folder: object = None) -> Recommendation:
    """The saved recommendation for a model: of the file given, else of the file that the environment variable
    ``EXEGESIS_RECOMMENDATION`` names, else ``recommendation.json`` in the model's ``folder``, where it has one.

    Raises UsageError where there is none, or where it is of another model; FileError for one that cannot be read.
    """
    place = recommendation or os.environ.get(VARIABLE) or _beside(folder)
    if place is None:
        raise UsageError(
            f"no recommendation to take the {BEST!r} method from: name a file that exegesis recommend wrote "
            f"(recommendation=FILE, --recommendation FILE, {VARIABLE}), or put it into the model's folder as {FILE}"
        )
    found = read_recommendation(place)
    check_recommendation(found, model, os.fspath(place))
    return found


def chosen(
    model: Classifier,
    method: str | Method | None,
    parameters: Mapping[str, Any],
    recommendation: Place = None,
    folder: object = None,
) -> tuple[str | Method | None, dict[str, Any]]:
    """A method with its parameters; in the place of ``best`` those of the saved recommendation, which ``parameters``
    given override. Raises as ``best``, and UsageError for a ``recommendation`` of no use."""
    if isinstance(method, str) and method == BEST:
        found = best(model, recommendation, folder)
        return found.method, {**found.parameters, **parameters}
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
    """As ``chosen``, of several methods and their parameters by name; the recommended one stands once."""
    found = {name: dict(own) for name, own in parameters.items()}
    if not any(isinstance(one, str) and one == BEST for one in methods):
        chosen(model, None, {}, recommendation)
        return list(methods), found
    saved = best(model, recommendation, folder)
    found[saved.method] = {**saved.parameters, **found.pop(BEST, {}), **found.get(saved.method, {})}
    names = [saved.method if isinstance(one, str) and one == BEST else one for one in methods]
    return [one for i, one in enumerate(names) if not isinstance(one, str) or one not in names[:i]], found


def _beside(folder: object) -> Path | None:
    if not isinstance(folder, str | os.PathLike):
        return None
    path = Path(folder) / FILE
    return path if path.is_file() else None
