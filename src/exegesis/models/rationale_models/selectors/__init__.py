"""Selectors, a file for each paper: what chooses the words that a classifier reads, and how it is trained."""

from exegesis.models.rationale_models.selectors import (  # noqa: F401 - each registers itself
    bottleneck,
    classwise,
    diffmask,
    distribution,
    fresh,
    hardkuma,
    introspective,
    lei,
    matching,
    whole,
)
