"""Registries that forget what a test registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import exegesis.api
import exegesis.questions.sources
import exegesis.questions.trust.measuring  # noqa: F401 - these register now, or would be forgotten
from exegesis.engine.methods import METHODS
from exegesis.questions.inside.maps import MAPS
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.sources.method import METHODS as SOURCES
from exegesis.questions.trust.measure import MEASURES


@contextmanager
def forgotten() -> Iterator[None]:
    """What is registered inside (methods of any question, searches, measures) is unknown again outside."""
    registries = (METHODS, SEARCHES, MEASURES, MAPS, SOURCES)
    before = [set(registry.names) for registry in registries]
    try:
        yield
    finally:
        for registry, names in zip(registries, before, strict=True):
            for name in set(registry.names) - names:
                registry.remove(name)
