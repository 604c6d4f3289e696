"""Registries that forget what a test registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from exegesis.engine.methods import METHODS
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.trust.measure import MEASURES


@contextmanager
def forgotten() -> Iterator[None]:
    """Methods, searches and measures that are registered inside are unknown again outside."""
    registries = (METHODS, SEARCHES, MEASURES)
    before = [set(registry.names) for registry in registries]
    try:
        yield
    finally:
        for registry, names in zip(registries, before, strict=True):
            for name in set(registry.names) - names:
                registry.remove(name)
