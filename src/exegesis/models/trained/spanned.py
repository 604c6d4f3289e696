"""A trained classifier with attention over spans, as a model: a classifier like any other, with its spans."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.protocols.batch import Batch
from exegesis.protocols.spanned import WeighedSpans


@dataclass(eq=False, repr=False)
class SpanClassifier(TorchClassifier):
    """A model that weighs spans (see ``protocols.spanned.Spanned``)."""

    @classmethod
    def of(cls, model: TorchClassifier) -> SpanClassifier:
        """The model of a wrapped network with the readout spans."""
        return cls(model.module, model.reader, model.profile)

    @ability
    def weighed(self, batch: Batch) -> WeighedSpans:
        """Return the spans of a batch's texts, and what each adds to the outputs."""
        module = self.module
        assert isinstance(module, RecurrentClassifier)
        with torch.no_grad(), frozen(module):
            return module.weighed(batch.ids, batch.lengths)


def weighs_spans(module: nn.Module) -> bool:
    """True for a network of ``exegesis train --readout spans``."""
    return isinstance(module, RecurrentClassifier) and module.config.readout == "spans"
