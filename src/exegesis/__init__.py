"""Exegesis explains neural NLP models: why did this model say this about this text?

>>> import exegesis
>>> model = exegesis.load()                      # the bundled sentiment model; or a folder, or a Hugging Face name
>>> result = exegesis.explain(model, "The fight scenes are fun but it grows tedious", "integrated-gradients")
>>> [word.text for word in result.top(2)]
['tedious', 'fun']

Names are imported when first used: reading and showing a saved result never loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from exegesis._version import __version__
from exegesis.show import register

if TYPE_CHECKING:
    from exegesis.api import (
        blackbox,
        evaluate,
        explain,
        hierarchy,
        interactions,
        language,
        load,
        methods,
        predict,
        randomisation,
        recommend,
        relevance,
        wrap,
    )
    from exegesis.results.attribution import Attribution
    from exegesis.results.evaluation import Evaluation
    from exegesis.results.hierarchy import Hierarchy
    from exegesis.results.interactions import Interactions
    from exegesis.results.recommendation import Recommendation
    from exegesis.results.relevance import Relevance
    from exegesis.results.result import save
    from exegesis.results.saved import read

__all__ = [
    "Attribution",
    "Evaluation",
    "Hierarchy",
    "Interactions",
    "Recommendation",
    "Relevance",
    "__version__",
    "blackbox",
    "evaluate",
    "explain",
    "hierarchy",
    "interactions",
    "language",
    "load",
    "methods",
    "predict",
    "randomisation",
    "read",
    "recommend",
    "relevance",
    "save",
    "study",
    "wrap",
]

_HOMES = {
    "Attribution": "exegesis.results.attribution",
    "Evaluation": "exegesis.results.evaluation",
    "Hierarchy": "exegesis.results.hierarchy",
    "Interactions": "exegesis.results.interactions",
    "Recommendation": "exegesis.results.recommendation",
    "Relevance": "exegesis.results.relevance",
    "save": "exegesis.results.result",
    "read": "exegesis.results.saved",
}


register()  # results know how to show themselves; each view is loaded when it is first used


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name not in __all__:
        raise AttributeError(f"module 'exegesis' has no attribute {name!r}")
    if name == "study":  # a folder of functions
        return import_module("exegesis.study")
    return getattr(import_module(_HOMES.get(name, "exegesis.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
