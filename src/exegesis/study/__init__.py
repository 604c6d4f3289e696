"""What has the model learned, over a corpus? Word classes, one word, failures, substitutions, a summary, repair."""

from exegesis.study.classes import words
from exegesis.study.uses import word

__all__ = ["word", "words"]
