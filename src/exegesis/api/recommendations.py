"""Which method to take for a model: measured once, saved, and used as ``method="best"``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exegesis.api.models import as_model, methods
from exegesis.api.trust import evaluate
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.engine.methods import BEST
from exegesis.protocols.model import Classifier, Raw
from exegesis.questions.trust.recommendations import recommended
from exegesis.results.recommendation import Recommendation

CANDIDATES = ("reat", "lrp", "deeplift", "integrated-gradients", "gradient-x-input", "leave-one-out", "lime")


def recommend(
    model: Classifier | str,
    data: str | os.PathLike[str] | Sequence[Raw | Example],
    methods: Sequence[str] | None = None,
    budget: float | None = None,
    *,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Recommendation:
    """The method that explains a model most faithfully within a budget of ms a text.

    ``data`` is as for ``evaluate``, which runs its usual measures on the ``methods`` (names, by default those of
    ``CANDIDATES`` that the model can serve), with their ``parameters`` by name and further ``options`` of ``evaluate``
    (``seed``, ``target``, ``measures``, ``how``, ``progress``). Methods over the budget, as timed in this very run, are
    left out; of the others the first in ``Evaluation.ranking`` is taken. Times are of texts in batches.

    ``save`` the result as ``recommendation.json`` in the model's folder, and ``explain(..., method="best")`` takes it.
    Raises as ``evaluate`` does, and UsageError where no method is within the budget.
    """
    classifier = as_model(model)
    if budget is not None and not budget > 0:
        raise UsageError(f"a budget is a number of ms a text above 0, not {budget!r}")
    if options.get("explanations") is not None:
        raise UsageError("only methods that can be run are recommended; leave explanations to exegesis.evaluate")
    if methods is not None and (isinstance(methods, str) or not all(isinstance(one, str) for one in methods)):
        raise UsageError("candidates are a list of names of methods; their parameters go into parameters={name: {...}}")
    refuse_best(methods or [])
    names = list(dict.fromkeys(methods)) if methods is not None else candidates(classifier)
    found = evaluate(classifier, data, names, parameters=parameters, **options)
    what = Path(data).name if isinstance(data, str | os.PathLike) else f"{len(found.texts)} texts"
    return recommended(classifier, found, what, budget, parameters)


def refuse_best(names: Sequence[str]) -> None:
    """Raises UsageError where the recommended method is to be its own candidate."""
    if BEST in names:
        raise UsageError(f"{BEST!r} is what a recommendation finds; name the methods to choose from")


def candidates(model: Classifier) -> list[str]:
    """The methods compared by default: those of ``CANDIDATES`` that the model can serve."""
    able = {card.name for card in methods(model)}
    return [name for name in CANDIDATES if name in able]
