"""The network that selects words and then decides by them: embedding, selector, reader of what is kept, linear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.models.rationale_models.encoders import encoder, real
from exegesis.models.rationale_models.gates import share_of
from exegesis.models.rationale_models.selectors.selector import Look, supervised
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.text.vocabulary import PAIR_NUMBER
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.taught import Lesson, Shares
from exegesis.protocols.selective import Selection


class RationaleNetwork(TextClassifier):
    """A selector decides of each word by the whole text; a classifier reads the words that are kept, and nothing else.

    Words that are not kept are removed before the classifier's recurrence, or blanked before its convolution
    (``encoders``), so that with one selection no bit of the logits depends on them, alone or in a batch. Which words
    are kept does depend on the whole text. With nothing kept the logits are those of no words.
    """

    config: RationaleConfig

    def __init__(self, config: RationaleConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding * config.tables)
        self.encoder = encoder(config.encoder, config.embedding, config.hidden)
        self.chooser = config.chosen.build(config)
        self.reader = encoder(config.encoder, config.embedding, config.hidden)
        self._frame(config)

    def start(self, number: int, vector: Tensor) -> None:
        """Give a word a vector from which its training starts, the same for selector and classifier."""
        self.embedding.weight[number] = vector.repeat(self.config.tables)

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of texts padded on the right, of the words that are kept; every length is at least 1."""
        return self.chooser.answer(self, self.look(ids, lengths))[0]

    def select(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Selection:
        """What is kept of each text."""
        selection = self.chooser.answer(self, self.look(ids, lengths))[1]
        return _widened(selection, ids.shape[1])

    def logits_of(
        self, ids: Int[Tensor, "b t"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        """Logits of the words that a given gate leaves, whatever the selector would choose."""
        look = self.look(ids, lengths)
        gate = torch.where(look.border, torch.ones_like(gate[:, : look.real.shape[1]]), gate[:, : look.real.shape[1]])
        return self.read(look.vectors, gate * look.real, lengths)

    def look(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Look:
        """The selector's view of a batch."""
        vectors = self.dropout(self.embedding(ids)[:, : int(lengths.max())])
        own, read = vectors.chunk(2, -1) if self.config.tables == 2 else (vectors, vectors)
        states = self.dropout(self.encoder.states(own, lengths))
        there = real(vectors, lengths)
        border = (ids[:, : vectors.shape[1]] == PAIR_NUMBER) & there
        return Look(states, read, there, border if self.config.pairs else torch.zeros_like(there), lengths)

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        """Logits of what gates leave of texts."""
        return self.decide(self.represent(vectors, gate, lengths))

    def represent(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        """The vector that sums up what gates leave of texts."""
        return self.reader.read(vectors, gate, lengths)

    def decide(self, vector: Float[Tensor, "b h"]) -> Float[Tensor, "b c"]:
        """The logits of what such a vector sums up."""
        return cast(Tensor, self.output(self.dropout(vector)))

    @property
    def players(self) -> tuple[nn.Module, ...]:
        """The parts of the classifier."""
        return self.reader, self.output

    def loss(self, lesson: Lesson) -> Float[Tensor, ""]:
        """The selector's objective, and the marks of people if there are any."""
        look = self.look(lesson.ids, lesson.lengths)
        if lesson.marks is not None:
            lesson = _cut(lesson, look)
        total = self.chooser.loss(self, look, lesson)
        if lesson.marks is None or not self.config.supervision or self.config.chosen.apart:
            return total
        return total + self.config.supervision * supervised(self.chooser.chances(look), lesson.marks, look)

    @torch.no_grad()
    def watch(self, batches: Iterable[tuple[Int[Tensor, "b t"], Int[Tensor, " b"]]]) -> Shares:
        """What is kept of texts: the mean share of words, the share of texts kept whole, that of texts with nothing."""
        shares = []
        for ids, lengths in batches:
            kept = self.select(ids, lengths).kept
            shares.append(share_of(kept.double(), real(ids[..., None].double(), lengths)).cpu())
        every = torch.cat(shares)
        return Shares(*(float(part.double().mean()) for part in (every, every == 1, every == 0)))

    def fits(self, shares: Shares | None) -> bool:
        """True if an epoch with these shares may be the best one (see ``Chooser.fits``)."""
        return shares is None or self.chooser.fits(shares)


def _cut(lesson: Lesson, look: Look) -> Lesson:
    """The lesson with marks as wide as the texts."""
    assert lesson.marks is not None
    return replace(lesson, marks=lesson.marks[:, : look.real.shape[1]])


def _widened(selection: Selection, width: int) -> Selection:
    """The selection with padding up to a width."""
    missing = width - selection.kept.shape[1]
    if not missing:
        return selection
    filled = (nn.functional.pad(part, (0, missing)) for part in (selection.chance, selection.kept, selection.gates))
    chance, kept, gate = filled
    labelled = tuple(_widened(part, width) for part in selection.labelled)
    return Selection(chance, kept, gate, labelled)
