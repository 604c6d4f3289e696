"""Exegesis explains neural NLP models: why did this model say this about this text?

>>> import exegesis
>>> model = exegesis.load()                      # the bundled sentiment model; or a folder, or a Hugging Face name
>>> result = exegesis.explain(model, "The fight scenes are fun but it grows tedious", "integrated-gradients")
>>> [word.text for word in result.top(2)]
['tedious', 'fun']

Names are imported when first used: reading and showing a saved result never loads torch.
"""

from __future__ import annotations

import exegesis._interrupt  # noqa: F401 - first: the command line begins here

# isort: split
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

from exegesis._version import __version__
from exegesis.show import register

if TYPE_CHECKING:
    from exegesis.api import (
        adversarial,
        attention,
        attributes,
        blackbox,
        chooser,
        citations,
        concepts,
        evaluate,
        explain,
        gates,
        generation,
        hierarchy,
        index,
        influence,
        influence_methods,
        information,
        interactions,
        language,
        load,
        measures,
        methods,
        predict,
        randomisation,
        rationale,
        recommend,
        relevance,
        sensitivity,
        wrap,
    )
    from exegesis.core.errors import (
        CapacityError,
        ExegesisError,
        FileError,
        MissingExtraError,
        ModelError,
        SpanError,
        TextError,
        UnsupportedError,
        UsageError,
    )
    from exegesis.data.examples import Example, read_examples
    from exegesis.jobs.runs import run
    from exegesis.jobs.summary import corpus
    from exegesis.models.tagger import default_tagger, spacy_tagger
    from exegesis.questions.phrases.levels import levels
    from exegesis.results.attribution import Attribution
    from exegesis.results.evaluation import Evaluation
    from exegesis.results.generation import Generation
    from exegesis.results.hierarchy import Hierarchy
    from exegesis.results.influence import Influence
    from exegesis.results.interactions import Interactions
    from exegesis.results.internals.adversary import Adversary
    from exegesis.results.internals.attention import AttentionMaps
    from exegesis.results.internals.attributes import Attributes
    from exegesis.results.internals.decision import ConceptDecision
    from exegesis.results.internals.gates import Gates
    from exegesis.results.internals.information import Information
    from exegesis.results.internals.relevance import Relevance
    from exegesis.results.rationale import Rationale
    from exegesis.results.recommendation import Recommendation
    from exegesis.results.result import save
    from exegesis.results.saved import read
    from exegesis.show import comparison

_HOMES = {  # every public name that does not come from exegesis.api, by module
    "exegesis.core.errors": "CapacityError ExegesisError FileError MissingExtraError ModelError SpanError TextError "
    "UnsupportedError UsageError",
    "exegesis.data.examples": "Example read_examples",
    "exegesis.jobs.runs": "run",
    "exegesis.jobs.summary": "corpus",
    "exegesis.models.tagger": "default_tagger spacy_tagger",
    "exegesis.questions.phrases.levels": "levels",
    "exegesis.results.internals.adversary": "Adversary",
    "exegesis.results.internals.attention": "AttentionMaps",
    "exegesis.results.internals.attributes": "Attributes",
    "exegesis.results.attribution": "Attribution",
    "exegesis.results.evaluation": "Evaluation",
    "exegesis.results.internals.gates": "Gates",
    "exegesis.results.generation": "Generation",
    "exegesis.results.hierarchy": "Hierarchy",
    "exegesis.results.influence": "Influence",
    "exegesis.results.internals.decision": "ConceptDecision",
    "exegesis.results.internals.information": "Information",
    "exegesis.results.interactions": "Interactions",
    "exegesis.results.rationale": "Rationale",
    "exegesis.results.recommendation": "Recommendation",
    "exegesis.results.internals.relevance": "Relevance",
    "exegesis.results.result": "save",
    "exegesis.results.saved": "read",
    "exegesis.show": "comparison",
}
_ADDRESS = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Adversary",
    "AttentionMaps",
    "Attributes",
    "Attribution",
    "CapacityError",
    "ConceptDecision",
    "Evaluation",
    "Example",
    "ExegesisError",
    "FileError",
    "Gates",
    "Generation",
    "Hierarchy",
    "Influence",
    "Information",
    "Interactions",
    "MissingExtraError",
    "ModelError",
    "Rationale",
    "Recommendation",
    "Relevance",
    "SpanError",
    "TextError",
    "UnsupportedError",
    "UsageError",
    "__version__",
    "adversarial",
    "attention",
    "attributes",
    "blackbox",
    "chooser",
    "citations",
    "comparison",
    "concepts",
    "corpus",
    "default_tagger",
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
    "levels",
    "load",
    "measures",
    "methods",
    "predict",
    "randomisation",
    "rationale",
    "read",
    "read_examples",
    "recommend",
    "relevance",
    "run",
    "save",
    "sensitivity",
    "spacy_tagger",
    "study",
    "wrap",
]


import_module("exegesis.results.saved")  # results know how to be read ...
register()  # ... and how to show themselves; each view is loaded when it is first used


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name not in __all__:
        raise AttributeError(f"module 'exegesis' has no attribute {name!r}")
    if name == "study":  # a folder of functions
        return import_module("exegesis.study")
    value = getattr(import_module(_ADDRESS.get(name, "exegesis.api")), name)
    if isinstance(value, FunctionType):
        value.__module__ = "exegesis"  # the one address of a public function, wherever its file lies
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
