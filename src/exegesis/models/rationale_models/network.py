"""The network that selects words and then decides by them: embedding, selector, reader of what is kept, linear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from exegesis.models.rationale_models.encoders import Encoder, real
from exegesis.models.rationale_models.gates import share_of
from exegesis.models.rationale_models.selectors.selector import Look, supervised
from exegesis.models.rationale_models.selectors.whole import part_loss
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.rationale_models.units import Kind, Units, kinds_of
from exegesis.models.text.vocabulary import PAIR_NUMBER
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.taught import Lesson, Shares
from exegesis.protocols.selective import Selection


class RationaleNetwork(TextClassifier):
    """A selector decides of each word by the whole text; a classifier reads the words that are kept, and nothing else.

    Words that are not kept are removed before the classifier's recurrence or its attention, or blanked before its
    convolution (``encoders``, ``pretrained``), so that with one selection no bit of the logits depends on them, alone
    or in a batch. Which words are kept does depend on the whole text. With nothing kept the logits say the labels'
    shares of the training texts (``Chooser.silence``), so that silence says nothing (an encoder of transformers reads
    its special pieces then). What is kept or gone as a whole is a word, a sentence or a span (``units``).
    """

    config: RationaleConfig
    encoder: Encoder | None
    kinds: Tensor
    prior: Tensor

    def __init__(self, config: RationaleConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding * config.tables)
        self.encoder = None if config.blind else config.new_encoder()
        self.chooser = config.chosen.build(config)
        self.reader = config.new_encoder()
        self._frame(config)
        self._group()
        self.register_buffer("prior", torch.zeros(len(config.labels), dtype=torch.float32))

    def begin(self, texts: Sequence[Int[Tensor, " _"]], classes: Sequence[int]) -> None:
        counts = torch.tensor([max(1, sum(one == label for one in classes)) for label in range(len(self.prior))])
        self.prior.copy_(self.chooser.silence(counts / counts.sum()))

    def _group(self) -> None:
        """Make room for what each piece of the vocabulary is to units, where these are not simply pieces."""
        if self.config.grouped:
            self.register_buffer("kinds", torch.zeros(self.config.vocabulary, dtype=torch.float32))

    def meet(self, tokens: Sequence[str], special: frozenset[int]) -> None:
        if self.config.grouped:
            self.kinds.copy_(torch.tensor(kinds_of(tokens, self.config.unit, special)))

    def start(self, number: int, vector: Tensor) -> None:
        """Give a word a vector from which its training starts, the same for selector and classifier."""
        self.embedding.weight[number] = vector.repeat(self.config.tables)

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of texts padded on the right, of the words that are kept; every length is at least 1."""
        return self.chooser.answer(self, self.look(ids, lengths))[0]

    def select(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Selection:
        """What is kept of each text."""
        look = self.look(ids, lengths)
        return _widened(_over_pieces(self.chooser.answer(self, look)[1], look), ids.shape[1])

    def logits_of(
        self, ids: Int[Tensor, "b t"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        """Logits of the words that a given gate leaves, whatever the selector would choose."""
        vectors = self.vectors(ids, int(lengths.max()))[1]
        there = real(vectors, lengths)
        always = self.border(ids, there)
        if self.config.grouped:
            always = always | ((self.kinds[ids[:, : there.shape[1]]].long() & int(Kind.SPECIAL)) != 0)
        gate = torch.where(always, torch.ones_like(gate[:, : there.shape[1]]), gate[:, : there.shape[1]])
        return self.read(vectors, gate * there, lengths)

    def vectors(self, ids: Int[Tensor, "b t"], width: int) -> tuple[Float[Tensor, "b w d"], Float[Tensor, "b w d"]]:
        """The vectors of the first pieces that the selector looks at, and those that the classifier would read."""
        vectors = self.dropout(self.embedding(ids)[:, :width])
        if self.config.tables == 1:
            return vectors, vectors
        own, read = vectors.chunk(2, -1)
        return own, read

    def border(self, ids: Int[Tensor, "b t"], there: Bool[Tensor, "b w"]) -> Bool[Tensor, "b w"]:
        """True on what stands between the texts of pairs."""
        if not self.config.pairs:
            return torch.zeros_like(there)
        return (ids[:, : there.shape[1]] == PAIR_NUMBER) & there

    def look(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Look:
        """The selector's view of a batch."""
        own, read = self.vectors(ids, int(lengths.max()))
        states = own if self.encoder is None else self.dropout(self.encoder.states(own, lengths))
        return self.seen(states, read, ids, lengths)

    def seen(
        self, states: Float[Tensor, "b w h"], vectors: Float[Tensor, "b w d"], ids: Int[Tensor, "b t"],
        lengths: Int[Tensor, " b"],
    ) -> Look:  # fmt: skip
        """The view of units whose pieces have these states."""
        there = real(vectors, lengths)
        border = self.border(ids, there)
        if not self.config.grouped:
            return Look(states, vectors, there, border, lengths, lengths)
        units = Units.of(self.kinds[ids[:, : there.shape[1]]], there, self.config.unit, border)
        edges = units.marked(border.to(states)) > 0
        return Look(units.pooled(states), vectors, units.real, edges, units.counts, lengths, units)

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        """Logits of what gates leave of texts; of nothing the ``prior``, with the gradient of a first word."""
        logits = self.decide(self.represent(vectors, gate, lengths))
        empty = (gate == 0).all(1, keepdim=True)
        if not bool(empty.any()):
            return logits
        return torch.where(empty, self.prior + (logits - logits.detach()), logits)

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
            lesson = replace(lesson, marks=look.marked(lesson.marks))
        total = self.chooser.loss(self, look, lesson)
        if self.config.rehearsal:
            total = total + self.config.rehearsal * part_loss(self, look, lesson)
        if lesson.marks is None or not self.config.supervision or self.config.chosen.apart:
            return total
        return total + self.config.supervision * supervised(self.chooser.chances(look), lesson.marks, look)

    @torch.no_grad()
    def watch(self, batches: Iterable[tuple[Int[Tensor, "b t"], Int[Tensor, " b"]]]) -> Shares:
        """What is kept of texts: the mean share of units, the share of texts kept whole, that of texts with nothing."""
        shares = []
        for ids, lengths in batches:
            look = self.look(ids, lengths)
            kept = self.chooser.answer(self, look)[1].kept
            shares.append(share_of(kept.double(), look.real).cpu())
        every = torch.cat(shares)
        return Shares(*(float(part.double().mean()) for part in (every, every == 1, every == 0)))

    def fits(self, shares: Shares | None) -> bool:
        """True if an epoch with these shares may be the best one (see ``Chooser.fits``)."""
        return shares is None or self.chooser.fits(shares)


def _over_pieces(selection: Selection, look: Look) -> Selection:
    """The selection of pieces, from that of units."""
    if look.units is None:
        return selection
    chance, kept = look.units.spread(selection.chance), look.units.spread(selection.kept.to(selection.chance)) > 0
    gate = None if selection.gate is None else look.units.spread(selection.gate)
    return Selection(chance, kept, gate, tuple(_over_pieces(part, look) for part in selection.labelled))


def _widened(selection: Selection, width: int) -> Selection:
    """The selection with padding up to a width."""
    missing = width - selection.kept.shape[1]
    if not missing:
        return selection
    filled = (nn.functional.pad(part, (0, missing)) for part in (selection.chance, selection.kept, selection.gates))
    chance, kept, gate = filled
    labelled = tuple(_widened(part, width) for part in selection.labelled)
    return Selection(chance, kept, gate, labelled)
