"""Places of a text at which a model with an output for every piece is read, followed through perturbed texts.

A batch carries in ``segments``, beside the part of a pair, for each place whether a piece stands before it, at it or
after it. A text that loses pieces keeps these numbers, so the place is known in every perturbed text. If a text loses
the pieces of the place themselves, the model reads its mask token there (the unknown one, or padding, without a mask).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from exegesis.core.errors import TextError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import PARTS, HuggingFaceClassifier
from exegesis.models.huggingface.windows import fullest, marked
from exegesis.nn.context import ability
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.model import Raw

BEFORE, AT, AFTER = range(3)
ZONES = 3  # of one place
STANDS_IN = ("mask", "unknown", "pad")
_NUMBERED = re.compile(r"(.*)#(\d{1,6})", re.DOTALL)


class PlacedClassifier(HuggingFaceClassifier):
    """A model with an output for every piece, read at the ``places`` of each text.

    A text beyond the limit is read in one of its windows, the one in which the first place has most context.
    """

    @classmethod
    def probes(cls) -> Sequence[Raw]:
        return [
            ("a word", "#0"),
            ("a word or", "#1"),
            ("a word and some", "#2"),
            ("a word and some more of them", "#4"),
        ]

    @ability
    def encode(self, texts: Sequence[Text]) -> Batch:
        """Pad texts on the right; ``segments`` say how each piece stands to the places of its text."""
        batch = pad(texts, self.tokens["pad"])
        zones = torch.zeros_like(batch.segments)
        for row, text in enumerate(texts):
            for number, place in enumerate(text.places):
                zones[row, place.start : place.stop] += AT * ZONES**number
                zones[row, place.stop : len(text)] += AFTER * ZONES**number
        return self._marked(replace(batch, segments=batch.segments + PARTS * zones), texts).to(self.device)

    def windows(self, text: Text) -> tuple[Span, ...]:
        """The pieces of the window in which a text is read at its places; none for a text that is read whole."""
        found = self._windows(text)
        return (fullest(found, text.places[0].start),) if found else ()

    def _windows(self, text: Text) -> tuple[Span, ...]:
        """The pieces of all windows of a text; none for one that is read whole."""
        return super().windows(text)

    def _marked(self, batch: Batch, texts: Sequence[Text]) -> Batch:
        every = [self._windows(text) for text in texts]
        chosen = [next(iter(self.windows(text)), Span(0, 0)) for text in texts]
        return marked(batch, every, self._unit, chosen) if any(every) else batch

    @property
    def _unit(self) -> int:
        return PARTS * int(ZONES**self.count)

    def _filled(self, batch: Batch) -> Batch:
        batch = super()._filled(batch)
        for number in range(self.count):
            batch = _restored(batch, number, self.count, self._stand_in)
        return batch

    @property
    def count(self) -> int:
        """The number of places of a text."""
        return 1

    @property
    def _stand_in(self) -> int:
        return next(self.tokens[role] for role in STANDS_IN if role in self.tokens)

    def _types(self, batch: Batch, parts: tuple[int, int]) -> Int[Tensor, "b t"]:
        return super()._types(replace(batch, segments=batch.segments % PARTS), parts)


def zones_of(batch: Batch, number: int) -> Int[Tensor, "b t"]:
    """How each piece stands to the place of this number."""
    return torch.div(batch.segments, PARTS * ZONES**number, rounding_mode="floor") % ZONES


def places_of(batch: Batch, number: int) -> Int[Tensor, " b"]:
    """The first piece at the place of this number, in each row."""
    return ((zones_of(batch, number) == AT) & batch.mask).to(torch.uint8).argmax(1)


def _restored(batch: Batch, number: int, count: int, piece: int) -> Batch:
    """The batch with a piece at the place of this number in every row that has lost all of its own."""
    zones = zones_of(batch, number)
    lost = ~((zones == AT) & batch.mask).any(1)
    if not bool(lost.any()):
        return batch
    rows, width = batch.ids.shape
    at = torch.where(lost, ((zones == BEFORE) & batch.mask).sum(1), width)[:, None]
    step = torch.arange(width + 1, device=batch.device)[None]
    source = (step - (step > at).long()).clamp_max(width - 1).expand(rows, -1)
    new = (step == at) & lost[:, None]
    inside = torch.where(lost, batch.lengths + 1, batch.lengths)[:, None]
    mask = step < inside
    segments = batch.segments.gather(1, source)
    others = [_near(zones_of(batch, other), at[:, 0], batch) for other in range(count)]
    part = _near(batch.segments % PARTS, at[:, 0], batch)
    own = sum(
        ((AT if other == number else zone) * ZONES**other for other, zone in enumerate(others)), torch.zeros_like(part)
    )
    segments = torch.where(new, (part + PARTS * own)[:, None], segments).masked_fill(~mask, 0)
    ids = batch.ids.gather(1, source).masked_fill(new, piece)
    keep = int(inside.max())
    return Batch(ids[:, :keep], mask[:, :keep], segments[:, :keep], batch.texts)


def _near(values: Int[Tensor, "b t"], at: Int[Tensor, " b"], batch: Batch) -> Int[Tensor, " b"]:
    """The value of the piece that comes at a place, or of the one before it at the end of a row.

    If the piece before stands before another place and the one that comes stands after it, that place is lost here
    too, and the new piece is at it.
    """
    last = (batch.lengths - 1).clamp_min(0)
    after = values.gather(1, torch.minimum(at, last)[:, None])[:, 0]
    before = values.gather(1, (at - 1).clamp(min=0)[:, None].minimum(last[:, None]))[:, 0]
    return torch.where((before == BEFORE) & (after == AFTER), AT, after)


def word_named(text: Text, wanted: str) -> Span:
    """The pieces of the word that a user names: as written, ``word#2`` for its second occurrence, ``#5`` by its number.

    Words are numbered from 0, occurrences from 1. Raises TextError for a word that the text does not have, and for one
    that it has more than once.
    """
    words = text.word_strings()
    found = [number for number, word in enumerate(words) if word == wanted.strip()]
    if len(found) == 1:
        return text.words[found[0]]
    if len(found) > 1:
        raise TextError(f"the text has {wanted!r:.40} {len(found)} times: name one, from '{wanted.strip()}#1' on")
    numbered = _NUMBERED.fullmatch(wanted.strip())
    if numbered is None:
        raise TextError(f"the text has no word {wanted!r:.40}: name one of its words, or '#0' for the first")
    word, number = numbered[1], int(numbered[2])
    places = list(range(len(words))) if not word else [n for n, own in enumerate(words) if own == word]
    number -= bool(word)
    if not 0 <= number < len(places):
        raise TextError(f"{wanted!r:.40} is out of range: the text has {len(places)} such words")
    return text.words[places[number]]
