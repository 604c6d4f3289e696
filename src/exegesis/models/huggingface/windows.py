"""Windows over texts with more pieces than a model takes: where they lie, and their outputs as those of one text.

A text that fits is read whole, as if there were no windows. The windows of a longer one begin and end between words,
neighbours share as many whole words as fit into the stated overlap, and all are of one length as nearly as words allow.
Special pieces stand in each. Of a pair one part is divided, the other stands in each window too.

A batch carries in ``segments``, above what a model notes there, in which windows of the whole text a piece stands. A
text that loses pieces keeps these numbers: its windows stay where they were, and one that loses a word in a single
window differs in that window alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import TextError, UsageError
from exegesis.core.text import Span, Text
from exegesis.protocols.batch import Batch, distinct

OUTSIDE = 3  # the zone of pieces that a single window leaves out
MANY = 2**20  # more than there are zones


@dataclass(frozen=True)
class Windows:
    """Windows of at most ``limit`` pieces whose neighbours share at most ``overlap``.

    Raises UsageError for an overlap that is no whole number, below 0 or above half of the limit.
    """

    limit: int
    overlap: int

    def __post_init__(self) -> None:
        most = self.limit // 2
        if type(self.overlap) is not int or not 0 <= self.overlap <= most:
            raise UsageError(
                f"windows is the number of pieces that neighbouring windows share, a whole number from 0 to {most}, "
                f"not {self.overlap!r:.40}"
            )

    def over(self, text: Text, part: int | None = None) -> tuple[Span, ...]:
        """The pieces of each window of a text, without those that stand in all; none for a text that fits.

        ``part`` is the part of a pair that is divided, by default the longer one. Raises TextError if the other part
        leaves too little room, or if a word is longer than a window.
        """
        if len(text) <= self.limit:
            return ()
        parts = [_inner(text, segment) for segment in text.segments]
        chosen = max(parts, key=lambda span: span.width) if part is None else parts[part]
        room = self.limit - (len(text) - chosen.width)
        if room < max(1, 2 * self.overlap):
            raise TextError(
                f"the text has {len(text)} pieces and the model takes {self.limit}: {self.limit - room} stand in every "
                f"window, which leaves {max(0, room)}, too few for windows that share {self.overlap}: shorten "
                f"{'the other part' if len(parts) > 1 else 'it'}"
            )
        starts = [word.start for word in text.words if chosen.covers(word)]
        borders = [chosen.start, *starts[1:], chosen.stop]
        words = [Span(*pair) for pair in pairwise(borders)]
        widest = max(words, key=lambda word: word.width)
        if widest.width > room:
            raise TextError(
                f"the word {text.surface(widest)!r:.40} has {widest.width} pieces, more than a window of the model "
                f"({room}): shorten it"
            )
        return _even(words, room, self.overlap)


def fullest(windows: Sequence[Span], piece: int) -> Span:
    """The window in which a piece has most context on its poorer side (as in BERT's SQuAD, Devlin et al. 2019)."""
    holding = [window for window in windows if window.start <= piece < window.stop]
    return max(holding, key=lambda window: min(piece - window.start, window.stop - 1 - piece), default=windows[0])


def marked(batch: Batch, windows: Sequence[Sequence[Span]], unit: int, chosen: Sequence[Span] | None = None) -> Batch:
    """A batch that knows the windows of each text; ``unit`` is above all that ``segments`` say besides.

    A text of which one window is ``chosen`` is read in that one. A piece in all windows has the zone 0, one in window w
    alone 2 w + 1, one in w and the next 2 w + 2.
    """
    marks = torch.zeros_like(batch.segments)
    for row, spans in enumerate(windows):
        zones = marks[row]
        if chosen is not None and spans:
            zones[spans[0].start : spans[-1].stop] = OUTSIDE
            zones[chosen[row].start : chosen[row].stop] = 0
        else:
            for number, span in enumerate(spans):
                own = zones[span.start : span.stop]
                own.copy_(torch.where(own > 0, own + 1, 2 * number + 1))
        zones += MANY * (min(len(spans), 1) if chosen is not None else len(spans)) * batch.mask[row]
    return replace(batch, segments=batch.segments + unit * marks)


@dataclass(frozen=True, eq=False)
class Windowed:
    """The windows of a batch as rows of their own: ``batch``, where each row's pieces stand, and the windows of each.

    ``rows[r, 1]`` and ``pieces[r, t]`` are the row and the pieces of the whole batch from which row r comes.
    """

    batch: Batch
    rows: Int[Tensor, "r 1"]
    pieces: Int[Tensor, "r t"]
    counts: tuple[int, ...]

    def taken(self, embeds: Float[Tensor, "b t d"]) -> Float[Tensor, "r s d"]:
        """The vectors of the windows' pieces."""
        return embeds[self.rows, self.pieces]

    def distinct(self) -> tuple[Int[Tensor, " u"], Int[Tensor, " r"]]:
        """The first of equal rows, and the number of each row among these; a removed word leaves most windows equal."""
        return distinct(torch.cat([self.batch.ids, self.batch.segments, self.batch.mask.long()], 1))

    def merged(self, outputs: Float[Tensor, "r c"]) -> Float[Tensor, "b c"]:
        """The outputs of each text: the mean of those of its windows."""
        if len(outputs) == len(self.counts):
            return outputs
        parts = torch.split(outputs, list(self.counts))
        return torch.stack([part[0] if len(part) == 1 else part.mean(0) for part in parts])


def windowed(batch: Batch, unit: int, pad_id: int) -> Windowed | None:
    """The windows of a batch as rows of their own; None if every text of it is read whole."""
    marks = torch.div(batch.segments, unit, rounding_mode="floor").masked_fill(~batch.mask, 0)
    if not bool(marks.any()):
        return None
    counts = torch.div(marks, MANY, rounding_mode="floor").amax(1).clamp_min(1)
    rows = torch.arange(len(batch), device=batch.device).repeat_interleave(counts)
    number = torch.arange(len(rows), device=batch.device) - (counts.cumsum(0) - counts)[rows]
    zones = (marks % MANY)[rows]
    place = zones - 2 * number[:, None]
    keep = batch.mask[rows] & ((zones == 0) | ((place >= 0) & (place < OUTSIDE)))
    order = torch.argsort((~keep).to(torch.uint8), dim=1, stable=True)
    lengths = keep.sum(1)
    order = order[:, : max(int(lengths.max()), 1)]
    mask = torch.arange(order.shape[1], device=batch.device) < lengths[:, None]
    ids, segments = batch.ids[rows].gather(1, order), (batch.segments % unit)[rows].gather(1, order)
    own = Batch(ids.masked_fill(~mask, pad_id), mask, segments.masked_fill(~mask, 0))
    return Windowed(own, rows[:, None], order, tuple(counts.tolist()))


def _inner(text: Text, segment: Span) -> Span:
    """The pieces of a part between the special ones at its ends."""
    inside = [n for n in range(segment.start, segment.stop) if not text.special[n]]
    return Span(inside[0], inside[-1] + 1) if inside else Span(segment.start, segment.start)


def _even(words: Sequence[Span], room: int, overlap: int) -> tuple[Span, ...]:
    """As few windows as their room allows, of the least length that needs no more of them."""
    found = _filled(words, room, overlap)
    total = words[-1].stop - words[0].start
    for size in range(math.ceil((total + (len(found) - 1) * overlap) / len(found)), room):
        tried = _filled(words, size, overlap)
        if tried and len(tried) <= len(found):
            found = tried
            break
    return tuple(Span(words[first].start, words[stop - 1].stop) for first, stop in found)


def _filled(words: Sequence[Span], size: int, overlap: int) -> list[tuple[int, int]]:
    """Windows of words one after the other, each as long as it can be; none if a word is longer than a window.

    No word stands in three windows, and each has a word that the one before has not.
    """
    windows: list[tuple[int, int]] = []
    first = 0
    while True:
        stop = first
        while stop < len(words) and words[stop].stop - words[first].start <= size:
            stop += 1
        if stop == first:
            return []
        windows.append((first, stop))
        if stop == len(words):
            return windows
        least = max(first + 1, windows[-2][1] if len(windows) > 1 else 0)
        start, end = words[stop].start, words[stop].stop
        first = stop
        while first > least and start - words[first - 1].start <= overlap and end - words[first - 1].start <= size:
            first -= 1
