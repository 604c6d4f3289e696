"""Registries that forget what a test registers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from exegesis.engine import methods
from exegesis.questions.trust import measure


@contextmanager
def forgotten() -> Iterator[None]:
    """Methods and measures that are registered inside are unknown again outside."""
    tables = [methods._cards, measure._cards]
    before = [dict(table) for table in tables]
    try:
        yield
    finally:
        for table, cards in zip(tables, before, strict=True):
            table.clear()
            table.update(cards)
