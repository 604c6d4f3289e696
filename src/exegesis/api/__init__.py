"""The public functions: load or wrap a model, explain texts, look at phrases, trust and predictions.

Each is imported when it is first used, so that explaining a text loads nothing of training or evaluating.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

import exegesis.questions.attributions  # noqa: F401 - registers the methods, here and nowhere else

if TYPE_CHECKING:
    from exegesis.api.adversaries import adversarial
    from exegesis.api.answers import citations, generation
    from exegesis.api.bars import Bar, bar
    from exegesis.api.choices import chooser
    from exegesis.api.decisions import concepts
    from exegesis.api.explanations import Growth, Plan, explain, hierarchy, interactions, predict, relevance
    from exegesis.api.inputs import each_method, lengths_of, read_text
    from exegesis.api.insides import attention, gates
    from exegesis.api.models import as_model, blackbox, bundled_folder, language, load, methods, preferred
    from exegesis.api.rationales import rationale
    from exegesis.api.recommended import Place, best, chosen, each_chosen
    from exegesis.api.states import attributes, information
    from exegesis.api.training_texts import index, influence, influence_methods
    from exegesis.api.trust import candidates, evaluate, measures, randomisation, recommend, refuse_best, sensitivity
    from exegesis.models.modules.wrap import wrap

_HOMES = {
    "exegesis.api.adversaries": "adversarial",
    "exegesis.api.answers": "citations generation",
    "exegesis.api.bars": "Bar bar",
    "exegesis.api.choices": "chooser",
    "exegesis.api.decisions": "concepts",
    "exegesis.api.explanations": "Growth Plan explain hierarchy interactions predict relevance",
    "exegesis.api.inputs": "each_method lengths_of read_text",
    "exegesis.api.insides": "attention gates",
    "exegesis.api.models": "as_model blackbox bundled_folder language load methods preferred",
    "exegesis.api.rationales": "rationale",
    "exegesis.api.recommended": "Place best chosen each_chosen",
    "exegesis.api.states": "attributes information",
    "exegesis.api.training_texts": "index influence influence_methods",
    "exegesis.api.trust": "candidates evaluate measures randomisation recommend refuse_best sensitivity",
    "exegesis.models.modules.wrap": "wrap",
}
_ADDRESS = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Bar",
    "Growth",
    "Place",
    "Plan",
    "adversarial",
    "as_model",
    "attention",
    "attributes",
    "bar",
    "best",
    "blackbox",
    "bundled_folder",
    "candidates",
    "chooser",
    "chosen",
    "citations",
    "concepts",
    "each_chosen",
    "each_method",
    "evaluate",
    "explain",
    "gates",
    "generation",
    "hierarchy",
    "index",
    "influence",
    "influence_methods",
    "information",
    "interactions",
    "language",
    "lengths_of",
    "load",
    "measures",
    "methods",
    "predict",
    "preferred",
    "randomisation",
    "rationale",
    "read_text",
    "recommend",
    "refuse_best",
    "relevance",
    "sensitivity",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _ADDRESS:
        raise AttributeError(f"module 'exegesis.api' has no attribute {name!r}")
    value = getattr(import_module(_ADDRESS[name]), name)
    if isinstance(value, FunctionType):
        value.__module__ = "exegesis"  # the one address of a public function, wherever its file lies
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
