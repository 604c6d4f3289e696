"""Contracts of methods, searches, measures and models as functions, for people who write their own.

>>> from exegesis.testing import check_method
>>> check_method("leave-one-out")

Each function checks everything that Exegesis demands of its built-in values, and raises AssertionError with one
sentence about the promise that is broken. No test framework is needed.
"""

from exegesis.testing.measures import check_measure
from exegesis.testing.methods import check_method
from exegesis.testing.models import check_model
from exegesis.testing.searches import check_search
from exegesis.testing.toys import TEXTS, bag_of_words, recurrent_model

__all__ = [
    "TEXTS",
    "bag_of_words",
    "check_measure",
    "check_method",
    "check_model",
    "check_search",
    "recurrent_model",
]
