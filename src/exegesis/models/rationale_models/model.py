"""A trained network that selects its words, as a model: a classifier like any other, with its own rationale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.protocols.batch import Batch
from exegesis.protocols.selective import Selection


@dataclass(eq=False, repr=False)
class RationaleClassifier(TorchClassifier):
    """A model that reads only what its selector keeps (see ``protocols.selective.Selective``)."""

    @classmethod
    def of(cls, model: TorchClassifier) -> RationaleClassifier:
        """The model of a wrapped network."""
        return cls(model.module, model.reader, model.profile)

    @property
    def network(self) -> RationaleNetwork:
        """The network."""
        return cast(RationaleNetwork, self.module)

    @property
    def selector(self) -> str:
        """The selector with its parameters, as code."""
        return self.network.config.selector

    @ability
    def select(self, batch: Batch) -> Selection:
        """Return what is kept of each text, and the probability of each piece to be kept."""
        with torch.no_grad(), frozen(self.module):
            return self.network.select(batch.ids, batch.lengths)

    @ability
    def outputs_of(self, batch: Batch, kept: Bool[Tensor, "b t"]) -> Float[Tensor, "b c"]:
        """Return the raw outputs of the classifier for these pieces, whatever the selector would keep."""
        with torch.no_grad(), frozen(self.module):
            gate = (kept & batch.mask).to(self.network.output.weight)
            return self.network.logits_of(batch.ids, gate, batch.lengths)
