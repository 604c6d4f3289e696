"""The texts of a corpus store, for a page that lets its user pick one, and what the store says as a whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from exegesis.core.errors import FileError
from exegesis.jobs.rows import arrow
from exegesis.jobs.store import Store
from exegesis.jobs.summary import corpus

PAGE = 30  # texts of one answer
COLUMNS = ("text", "pair", "gold", "label", "probability", "error")


class Shelf:
    """The different texts of a store, in order; shards are read as pages need them. Raises FileError for no store."""

    def __init__(self, folder: str | Path) -> None:
        self.store = Store.open(folder)
        arrow()
        self._rows = lru_cache(maxsize=16)(self._read)
        self._said = lru_cache(maxsize=4)(self._summary)
        self._alone = threading.Lock()

    def page(self, start: int, find: str = "") -> dict[str, Any]:
        """Up to ``PAGE`` texts from number ``start`` of those that hold ``find``, and whether more follow."""
        seen: set[tuple[str, str | None]] = set()
        found: list[dict[str, Any]] = []
        at = 0
        for shard in self.store.shards():
            try:
                rows = self._rows(shard.path.name)
            except FileError:  # damaged; the next run mends it
                continue
            for row in rows:
                key = (row["text"], row["pair"])
                if key in seen or find.lower() not in f"{row['text']} {row['pair'] or ''}".lower():
                    continue
                seen.add(key)
                if at >= start:
                    if len(found) == PAGE:
                        return {"texts": found, "start": start, "more": True}
                    found.append(row)
                at += 1
        return {"texts": found, "start": start, "more": False}

    def summary(self, by: str) -> dict[str, Any]:
        """The summary of ``exegesis.corpus`` as plain values, made anew when the store has changed. Raises its errors:
        for a column that is not there, and for a store that holds several questions by one method."""
        with self._alone:  # who asks second finds it made
            return self._said(by, tuple(shard.path.name for shard in self.store.shards()))

    def _summary(self, by: str, _: tuple[str, ...]) -> dict[str, Any]:
        found = corpus(self.store.folder, by=by)
        return replace(found, store=self.store.folder.name).to_dict()  # where it lies is nobody's business

    def _read(self, name: str) -> list[dict[str, Any]]:
        shard = next(one for one in self.store.shards() if one.path.name == name)
        rows: list[dict[str, Any]] = shard.read(COLUMNS).to_pylist()
        return [row for row in rows if row["error"] is None]
