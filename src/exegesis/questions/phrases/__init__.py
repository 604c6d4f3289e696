"""Phrases: nested levels of a text, trees of phrases, interactions; importing this package registers the searches."""

from exegesis.questions.phrases import agglomerative, hedge, interactions, trees

__all__ = ["agglomerative", "hedge", "interactions", "trees"]
