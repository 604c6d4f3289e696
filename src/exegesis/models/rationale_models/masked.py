"""A trained classifier as it is, behind a mask: what a word loses is replaced by one learned vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.models.rationale_models.encoders import real
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.selectors.diffmask import DiffMask
from exegesis.models.rationale_models.selectors.selector import Look
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier


class Masked(RationaleNetwork):
    """A frozen classifier of which the kept words are the vectors of their own, all others one learned vector.

    Words that are not kept are **blanked**: no bit of the logits depends on which they are, but their number and
    places are seen. The classifier's weights are part of the network and never trained; ``width`` is that of its word
    vectors.
    """

    base: nn.Module

    def __init__(self, config: RationaleConfig, base: nn.Module, width: int) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.base = base
        self.chooser = config.chosen.build(config)
        learned = cast(DiffMask, config.chosen).learned
        self.blank = nn.Parameter(torch.zeros(width, dtype=torch.float32), requires_grad=learned)
        self._group()
        base.requires_grad_(False)
        base.eval()

    @property
    def players(self) -> tuple[nn.Module, ...]:
        return (self.base,)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the probes; the classifier stays in evaluation mode."""
        super().train(mode)
        self.base.eval()
        return self

    def begin(self, texts: Sequence[Int[Tensor, " _"]], classes: Sequence[int]) -> None:
        """The classifier knows the labels already."""

    def vectors(self, ids: Int[Tensor, "b t"], width: int) -> tuple[Float[Tensor, "b w d"], Float[Tensor, "b w d"]]:
        found = self.embedding(ids)[:, :width]
        return found, found

    def blanked(self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        """What gates leave of vectors, with the learned vector for the rest."""
        share = gate[..., None]
        masked = share * vectors + (1 - share) * self.blank
        if gate.requires_grad:
            return masked
        return torch.where(share == 0, self.blank.expand_as(masked), masked)  # no trace of what is gone

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        return self.decide(self.represent(vectors, gate, lengths))


class MaskedNetwork(Masked):
    """A frozen recurrent classifier behind a mask."""

    base: RecurrentClassifier

    def __init__(self, config: RationaleConfig) -> None:
        super().__init__(config, RecurrentClassifier(config.frozen), config.frozen.embedding)

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """The classifier's own."""
        return self.base.embedding

    @property
    def output(self) -> nn.Linear:  # type: ignore[override]
        """The classifier's own."""
        return self.base.output

    def look(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Look:
        vectors = self.vectors(ids, int(lengths.max()))[0]
        states = self.base._run(vectors, lengths)[0]
        if isinstance(states, PackedSequence):
            states = pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])[0]
        there = real(vectors, lengths)
        both = torch.cat([vectors, states], -1).masked_fill(~there[..., None], 0.0)
        return self.seen(both, vectors, ids, lengths)

    def represent(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        return self.base._read(self.blanked(vectors, gate), lengths)

    def decide(self, vector: Float[Tensor, "b h"]) -> Float[Tensor, "b c"]:
        return cast(Tensor, self.base.output(self.base.dropout(vector)))
