"""Units of selection: words of one or more pieces, sentences, or spans between punctuation, kept or gone as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

WORD, SENTENCE, SPAN = UNITS = ("word", "sentence", "span")
ENDS = {
    SENTENCE: frozenset(".!?\u3002\uff01\uff1f\u0964"),
    SPAN: frozenset(".!?\u3002\uff01\uff1f\u0964,;:()[]\u2013\u2014\u2026\uff0c\u3001"),
}
LONG_ENDS = {
    SENTENCE: frozenset(("...", "?!", "!!", "??", "\u2026")),
    SPAN: frozenset(("...", "?!", "!!", "??", "--", "-lrb-", "-rrb-")),
}
CLOSERS = frozenset((")", "]", "''", "\u201d", "-rrb-"))
BLANKS = ("\u0120", "\u2581")  # by which pieces of a byte-level or SentencePiece tokenizer begin a word


class Kind(IntFlag):
    """What a piece of the vocabulary is to units."""

    PLAIN = 0
    SPECIAL = 1  # always kept, and part of no unit
    INSIDE = 2  # goes on with the word before it
    END = 4  # ends a unit
    CLOSER = 8  # belongs to a unit that has just ended


def kinds_of(tokens: Sequence[str], unit: str, special: frozenset[int] = frozenset()) -> list[float]:
    """The kind of each piece of a vocabulary, as a number.

    A piece that begins with ``##`` goes on with its word; in vocabularies that mark the beginning of a word (by a
    blank, as \u0120 or \u2581) so does one without the mark that begins with a letter or a digit. ``special`` are the
    numbers of pieces that stand around texts.
    """
    marked = any(token.startswith(BLANKS) for token in tokens)
    found = []
    for number, token in enumerate(tokens):
        kind, plain = Kind.PLAIN, token.lstrip("".join(BLANKS)).lower()
        if number in special:
            kind |= Kind.SPECIAL
        elif special and (token.startswith("##") or (marked and plain == token.lower() and token[:1].isalnum())):
            kind |= Kind.INSIDE
        if unit != WORD and plain and (plain in ENDS[unit] or plain in LONG_ENDS[unit]):
            kind |= Kind.END
        if plain in CLOSERS:
            kind |= Kind.CLOSER
        found.append(float(kind))
    return found


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a batch: the number of the unit of each piece, which pieces are in one, and which are always kept.

    ``real[b, u]`` is true on units, ``counts`` has their number in each text.
    """

    numbers: Int[Tensor, "b t"]
    inside: Bool[Tensor, "b t"]
    always: Bool[Tensor, "b t"]
    real: Bool[Tensor, "b u"]
    counts: Int[Tensor, " b"]

    @classmethod
    def of(
        cls, kinds: Float[Tensor, "b t"], there: Bool[Tensor, "b t"], unit: str, border: Bool[Tensor, "b t"]
    ) -> Units:
        """The units of texts whose pieces have these kinds; the ``border`` of a pair is a unit of its own.

        A sentence ends behind a full stop, a question or exclamation mark (so behind that of an abbreviation too), a
        span behind any mark that parts a text; marks that follow each other, and a closing bracket or quotation mark,
        belong to the same unit.
        """
        found = kinds.long()
        special, ends, closes = (_has(found, kind) for kind in (Kind.SPECIAL, Kind.END, Kind.CLOSER))
        inside = there & ~special
        parted = ~torch.nn.functional.pad(inside[:, :-1], (1, 0)) | border
        parted[:, 1:] |= border[:, :-1]
        if unit == WORD:
            starts = parted | ~_has(found, Kind.INSIDE)
        else:
            starts = parted.clone()
            over = torch.zeros_like(inside[:, 0])
            for t in range(found.shape[1]):
                starts[:, t] |= over & ~(ends | closes)[:, t]
                over = inside[:, t] & (ends[:, t] | (closes[:, t] & over & ~parted[:, t]))
        starts &= inside
        counts = starts.sum(1)
        width = max(int(counts.max()), 1)
        real = torch.arange(width, device=found.device) < counts[:, None]
        return cls((starts.cumsum(1) - 1).clamp(min=0), inside, there & special, real, counts.cpu())

    def pooled(self, states: Float[Tensor, "b t h"]) -> Float[Tensor, "b u h"]:
        """The mean state of the pieces of each unit."""
        width = self.real.shape[1]
        total = states.new_zeros(len(states), width, states.shape[2])
        own = self.inside[..., None].to(states)
        total = total.scatter_add(1, self.numbers[..., None].expand_as(states), states * own)
        sizes = own.new_zeros(len(states), width, 1).scatter_add(1, self.numbers[..., None], own)
        return total / sizes.clamp(min=1.0)

    def spread(self, gate: Float[Tensor, "n u"]) -> Float[Tensor, "n t"]:
        """The gate of each piece, from those of units; n texts, or several gates for each text, one after the other."""
        times = len(gate) // len(self.numbers)
        numbers, inside, always = (part.repeat(times, 1) for part in (self.numbers, self.inside, self.always))
        return torch.where(inside, gate.gather(1, numbers), always.to(gate))

    def marked(self, marks: Float[Tensor, "b t"]) -> Float[Tensor, "b u"]:
        """1 for units that have a marked piece, 0 for others, NaN in texts without marks."""
        told = marks.new_zeros(self.real.shape)
        return told.scatter_reduce(1, self.numbers, marks * self.inside, "amax")


def _has(kinds: Int[Tensor, "b t"], kind: Kind) -> Bool[Tensor, "b t"]:
    return (kinds & int(kind)) != 0
