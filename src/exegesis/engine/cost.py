"""The cost of an answer, before the work: passes of the model, time and memory; what cannot end is refused.

A question states the passes of a text (``passes``): how often the model reads a text of its length, about, and at most
where a search may end early; a backward pass counts as two. One pass is timed on the texts themselves. A question that
states nothing is asked all the same.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

import torch

from exegesis.core.errors import CapacityError, UsageError
from exegesis.core.text import Text
from exegesis.protocols.batch import Batch, compact
from exegesis.protocols.budget import budget_for, main_memory
from exegesis.protocols.model import Classifier

MOST = 10_000_000  # passes for one text unless the caller allows more
LONG = 30.0  # seconds from which the time is said
ENDLESS = 7 * 24 * 3600.0  # seconds from which the caller must allow the passes by ``most``
SAMPLE, TRIAL = 32, 2.0  # rows of the pass that is timed, and the seconds that they may take one by one
_log = logging.getLogger("exegesis.cost")
_most: ContextVar[int | None] = ContextVar("most", default=None)


@runtime_checkable
class Priced(Protocol):
    """A question that states its cost for a text of which ``numbers`` are explained; it may have a limit ``most``."""

    name: str

    def passes(self, text: Text, numbers: int) -> int | None:
        """How often the model reads a text of this length; None if that is not known."""
        ...

    def held(self, text: Text, numbers: int) -> int:
        """Bytes of the answer."""
        ...


@contextmanager
def allowed(most: int | None) -> Iterator[None]:
    """Allow so many passes of the model for each text within the block; None leaves the limit as it is.

    Raises UsageError unless ``most`` is a whole number above 0.
    """
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise UsageError(f"most must be a whole number of passes of the model for a text, at least 1, not {most!r}")
    token = _most.set(_most.get() if most is None else most)
    try:
        yield
    finally:
        _most.reset(token)


def passes_of(question: object, texts: Sequence[Text], numbers: int) -> list[int] | None:
    """The passes of each text, None if the question does not state them.

    Raises UsageError, before any work, for a text of too many passes, CapacityError for an answer that is larger than
    the memory.
    """
    if not isinstance(question, Priced):
        return None
    most, counts = getattr(question, "most", None) or _most.get() or MOST, []
    for number, text in enumerate(texts, 1):
        where = f"text {number} of {len(texts)}: " if len(texts) > 1 else ""
        words = f"{len(text.words):,} words"
        size, free = question.held(text, numbers), main_memory()
        if size > free:
            raise CapacityError(
                f"{where}the answer of {question.name} for {words} needs {size / 2**30:,.0f} GB of memory, and "
                f"{free / 2**30:,.0f} GB are free: take fewer spans, fewer labels or a shorter text"
            )
        count = question.passes(text, numbers)
        if count is None:
            return None
        if count > most:
            raise UsageError(
                f"{where}{question.name} runs the model {count:,} times on a text of {words} (at most {most:,} unless "
                "most= says otherwise): take a shorter text, another method or other parameters"
            )
        counts.append(count)
    return counts


def work_of(question: object, texts: Sequence[Text], numbers: int) -> list[float]:
    """The work of each text, in pieces that the model reads; its pieces alone if the question states no passes."""
    counts = [question.passes(text, numbers) if isinstance(question, Priced) else None for text in texts]
    return [float((count or 1) * len(text)) for count, text in zip(counts, texts, strict=True)]


def announce(
    model: Classifier, name: str, batch: Batch, texts: Sequence[Text], counts: Sequence[int], seconds: float
) -> None:
    """Say how long the work on all texts takes if that is long; ``seconds`` is the time of one row of ``batch``.

    Raises UsageError for work that does not end, unless the caller has allowed the passes.
    """
    pieces = sum(count * len(text) for count, text in zip(counts, texts, strict=True)) / batch.ids.shape[1]
    if pieces * seconds < LONG:
        return
    took = pieces * min(seconds, _timed(model, batch, seconds))
    if took > ENDLESS and _most.get() is None:
        raise UsageError(
            f"{name} would take {spoken(took)} here, for {sum(counts):,} passes of the model: take a shorter text, "
            f"another method or other parameters; most={max(counts)} runs it all the same"
        )
    if took >= LONG:
        _log.warning("%s takes %s here, at most, for %s passes of the model", name, spoken(took), f"{sum(counts):,}")


def spoken(seconds: float) -> str:
    """A time in words: less than a second, about 40 seconds, 3 minutes, 5 hours, 12 days."""
    if seconds < 0.5:
        return "less than a second"
    for unit, size, below in (("second", 1, 90), ("minute", 60, 5400), ("hour", 3600, 2 * 86400)):
        if seconds < below:
            count = round(seconds / size)
            return f"about {count} {unit}{'s' if count > 1 else ''}"
    return f"about {math.ceil(seconds / 86400):,} days"


def _timed(model: Classifier, batch: Batch, seconds: float) -> float:
    """Seconds of one of many rows: the longest text without one of its pieces, as often as rows run together.

    No special piece is left out: there are models that refuse a text without its end (UMT5). Of rows that take long, of
    ``seconds`` each alone, fewer are run: the trial must not cost what it measures.
    """
    width = batch.ids.shape[1]
    rows = min(SAMPLE, width, budget_for("perturbed", batch.device).rows_of(width), max(1, int(TRIAL / seconds)))
    longest = batch.take(torch.full((rows,), int(batch.lengths.argmax()), dtype=torch.long))
    keep = longest.mask.clone()
    own = [place for place, special in enumerate(longest.texts[0].special) if not special]
    if len(own) > 1:
        left_out = torch.tensor(own)[torch.linspace(0, len(own) - 1, rows).long()]
        keep[torch.arange(rows), left_out.to(keep.device)] = False
    sample = compact(longest, keep, model.tokens["pad"])
    start = time.perf_counter()
    model.outputs(sample)
    return (time.perf_counter() - start) / rows
