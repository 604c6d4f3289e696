"""Measures: one file per family; importing this package registers them all."""

from exegesis.questions.trust.measuring import curves, eraser, people, scores

__all__ = ["curves", "eraser", "people", "scores"]
