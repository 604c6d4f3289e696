"""The public functions: load or wrap a model, explain texts, look at phrases, trust and predictions."""

import exegesis.questions.attributions  # noqa: F401 - registers the methods, here and nowhere else
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

for _name in ("adversarial", "attention", "attributes", "blackbox", "chooser", "citations", "concepts", "evaluate",
              "explain", "gates", "generation", "hierarchy", "influence", "influence_methods", "information",
              "interactions", "language", "load", "measures", "methods", "predict", "randomisation", "rationale",
              "recommend", "relevance", "sensitivity", "wrap"):  # fmt: skip
    globals()[_name].__module__ = "exegesis"  # the address of every public function, whichever file defines it
