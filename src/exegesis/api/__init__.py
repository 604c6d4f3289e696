"""The public functions: load or wrap a model, explain texts, look at phrases, trust and predictions."""

from exegesis.api.choosing import Place, best, chosen, each_chosen
from exegesis.api.explaining import Plan, explain, predict, relevance
from exegesis.api.models import as_model, blackbox, bundled_folder, language, load, methods, preferred
from exegesis.api.phrases import Growth, hierarchy, interactions
from exegesis.api.randomising import randomisation
from exegesis.api.reading import bar, each_method, read_text
from exegesis.api.recommending import candidates, recommend, refuse_best
from exegesis.api.trust import evaluate
from exegesis.models.modules.wrapping import wrap

__all__ = [
    "Growth",
    "Place",
    "Plan",
    "as_model",
    "bar",
    "best",
    "blackbox",
    "bundled_folder",
    "candidates",
    "chosen",
    "each_chosen",
    "each_method",
    "evaluate",
    "explain",
    "hierarchy",
    "interactions",
    "language",
    "load",
    "methods",
    "predict",
    "preferred",
    "randomisation",
    "read_text",
    "recommend",
    "refuse_best",
    "relevance",
    "wrap",
]
