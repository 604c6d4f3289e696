"""The names that authors of methods, searches, kinds of interactions and measures need.

A file that registers a class by ``method``, ``search``, ``interaction`` or ``measure`` adds it to all public functions
once it is imported. The examples are ``docs/example_method.py``, ``example_search.py`` and ``example_measure.py``.
"""

from __future__ import annotations

import exegesis.api
import exegesis.questions.trust.measuring  # noqa: F401 - likewise its measures
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
    unknown,
)
from exegesis.core.nested import Nest, nest
from exegesis.core.parameters import Condition, above, at_least, at_most, below, between, even, filled
from exegesis.core.progress import Tally, counted
from exegesis.core.text import Span, Text
from exegesis.data.examples import Example
from exegesis.engine.methods import Card, Method, Prepared, Scores, Spanning, Spanwise, at_words, method
from exegesis.mech.baseline import Baseline, baseline_vectors
from exegesis.mech.removal.coalitions import Game
from exegesis.mech.removal.perturbed import How
from exegesis.models.tagger import Tagger
from exegesis.protocols.batch import Batch
from exegesis.protocols.draws import generator
from exegesis.protocols.language import Language, LanguageModel
from exegesis.protocols.model import Classifier, Differentiable, Gated, Recurrent, offers
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link, Target
from exegesis.questions.phrases.catalogue import PHRASE_METHODS, Scorer, SearchCard, search
from exegesis.questions.phrases.interactions import interaction
from exegesis.questions.phrases.search import Grown, Mark, Search, Trees
from exegesis.questions.trust.measure import (
    DELETION,
    NONE,
    SCORES,
    Answers,
    Case,
    Given,
    Measure,
    MeasureCard,
    Score,
    Way,
    bits,
    measure,
)

__all__ = [
    "DELETION",
    "NONE",
    "PHRASE_METHODS",
    "SCORES",
    "Answers",
    "Baseline",
    "Batch",
    "CapacityError",
    "Card",
    "Case",
    "Classifier",
    "Condition",
    "Differentiable",
    "Example",
    "ExegesisError",
    "FileError",
    "Game",
    "Gated",
    "Given",
    "Grown",
    "How",
    "Language",
    "LanguageModel",
    "Link",
    "Mark",
    "Measure",
    "MeasureCard",
    "Method",
    "MissingExtraError",
    "ModelError",
    "Nest",
    "Prepared",
    "Recurrent",
    "Score",
    "Scorer",
    "Scores",
    "Search",
    "SearchCard",
    "Span",
    "SpanError",
    "Spanning",
    "Spanwise",
    "Tagger",
    "Tally",
    "Target",
    "Text",
    "TextError",
    "Trees",
    "Unrolled",
    "UnsupportedError",
    "UsageError",
    "Way",
    "above",
    "at_least",
    "at_most",
    "at_words",
    "baseline_vectors",
    "below",
    "between",
    "bits",
    "counted",
    "even",
    "filled",
    "generator",
    "interaction",
    "measure",
    "method",
    "nest",
    "offers",
    "search",
    "unknown",
]
