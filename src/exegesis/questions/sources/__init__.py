"""Which training texts made the model say this: one file for each method.

Importing it registers the methods in ``method.METHODS``.
"""

from exegesis.questions.sources import functions, nearest, similarity

__all__ = ["functions", "nearest", "similarity"]
