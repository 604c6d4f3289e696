"""A trained network that decides through concepts, as a model: a classifier like any other, with its concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch

from exegesis.core.errors import UsageError
from exegesis.models.concept_models.network import ConceptNetwork
from exegesis.models.concept_models.shape import EDUCE
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.protocols.batch import Batch
from exegesis.protocols.conceptual import Decision
from exegesis.protocols.model import Differentiable

STEPS = "it says yes or no of each concept, so that its outputs do not move with its word vectors"


@dataclass(eq=False, repr=False)
class ConceptClassifier(TorchClassifier):
    """A model that decides through concepts (see ``protocols.conceptual.Conceptual``)."""

    names: tuple[str, ...] = field(default=(), kw_only=True)

    @classmethod
    def of(cls, model: TorchClassifier, names: Sequence[str] = ()) -> ConceptClassifier:
        """The model of a wrapped network; without ``names`` concepts are numbered. Raises UsageError for other names
        than one for each concept, all different."""
        config, profile = cast(ConceptNetwork, model.module).config, model.profile
        if config.form == EDUCE:
            profile = replace(profile, lacks={**profile.lacks, Differentiable.__name__: STEPS})
        found = checked_names(names or numbered(config.concepts), config.concepts)
        return cls(model.module, model.reader, profile, names=found)

    @property
    def network(self) -> ConceptNetwork:
        """The network."""
        return cast(ConceptNetwork, self.module)

    @property
    def concepts(self) -> tuple[str, ...]:
        """The names of the concepts."""
        return self.names

    @ability
    def decide(self, batch: Batch) -> Decision:
        """Return the excerpts of a batch's texts, and what each concept adds to the outputs."""
        with torch.no_grad(), frozen(self.module):
            return self.network.decide(batch.ids, batch.lengths)


def numbered(count: int) -> tuple[str, ...]:
    """Names of concepts that have none."""
    return tuple(f"concept {number}" for number in range(1, count + 1))


def checked_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    """The names. Raises UsageError unless there is one for each concept, not blank, all different."""
    found = tuple(names)
    if len(found) != count or not all(isinstance(name, str) and name.strip() for name in found):
        raise UsageError(f"{count} concepts need as many names, none of them blank, not {len(found)}")
    if len(set(found)) < count:
        twice = next(name for name in found if found.count(name) > 1)
        raise UsageError(f"two concepts would have the name {twice!r}; give each its own")
    return found
