"""A trained classifier as it is, behind a mask: what a word loses is replaced by one learned vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.models.rationale_models.encoders import real
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.selectors.selector import Look
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier


class MaskedNetwork(RationaleNetwork):
    """A frozen recurrent classifier of which the kept words are the vectors of their own, all others one vector.

    Words that are not kept are **blanked**: no bit of the logits depends on which they are, but their number and
    places are seen. The classifier's weights are part of the network and never trained.
    """

    def __init__(self, config: RationaleConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.base = RecurrentClassifier(config.frozen)
        self.chooser = config.chosen.build(config)
        self.blank = nn.Parameter(torch.zeros(config.frozen.embedding, dtype=torch.float32))
        self._group()
        self.base.requires_grad_(False)
        self.base.eval()

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """The classifier's own."""
        return self.base.embedding

    @property
    def output(self) -> nn.Linear:  # type: ignore[override]
        """The classifier's own."""
        return self.base.output

    @property
    def players(self) -> tuple[nn.Module, ...]:
        return (self.base,)

    def train(self, mode: bool = True) -> MaskedNetwork:
        """Set the mode of the probes; the classifier stays in evaluation mode."""
        super().train(mode)
        self.base.eval()
        return self

    def vectors(self, ids: Int[Tensor, "b t"], width: int) -> tuple[Float[Tensor, "b w d"], Float[Tensor, "b w d"]]:
        found = self.base.embedding(ids)[:, :width]
        return found, found

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
        share = gate[..., None]
        masked = share * vectors + (1 - share) * self.blank
        if not gate.requires_grad:
            masked = torch.where(share == 0, self.blank.expand_as(masked), masked)  # no trace of what is gone
        return self.base._read(masked, lengths)

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        return self.decide(self.represent(vectors, gate, lengths))

    def begin(self, texts: Sequence[Int[Tensor, " _"]], classes: Sequence[int]) -> None:
        """The classifier knows the labels already."""

    def decide(self, vector: Float[Tensor, "b h"]) -> Float[Tensor, "b c"]:
        return cast(Tensor, self.base.output(self.base.dropout(vector)))
