"""Which training texts made the model say this: one file for each method.

Importing it registers the methods in ``method.METHODS``.
"""

from exegesis.questions.sources import (
    fast,
    functions,
    landmarks,
    nearest,
    projected,
    retrain,
    similarity,
    tracin,
    turnover,
)

__all__ = ["fast", "functions", "landmarks", "nearest", "projected", "retrain", "similarity", "tracin", "turnover"]
