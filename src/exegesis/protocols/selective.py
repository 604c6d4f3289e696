"""What a model offers that selects the words it reads: its own rationale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier


@dataclass(frozen=True, eq=False)
class Selection:
    """What is kept of texts.

    ``chance[b, t]`` is the probability with which a piece is selected, zero on padding; ``kept`` are the pieces that
    the classifier reads; ``gate`` is what their vectors count, 1 unless it is given. ``labelled`` has a selection for
    each label where a model has them.
    """

    chance: Float[Tensor, "b t"]
    kept: Bool[Tensor, "b t"]
    gate: Float[Tensor, "b t"] | None = None
    labelled: tuple[Selection, ...] = ()

    @property
    def gates(self) -> Float[Tensor, "b t"]:
        """The gates of all pieces, zero where a piece is gone."""
        return self.kept.to(self.chance) if self.gate is None else self.gate * self.kept


class Selective(Classifier, Protocol):
    """A model whose classifier reads only the pieces that its selector keeps.

    ``outputs(batch)`` are those of the kept pieces; ``outputs_of`` are those of the classifier for any pieces that
    stand in for the selector's choice. Changing a piece that is not kept, with the same pieces kept, changes no bit.
    """

    @property
    def selector(self) -> str:
        """The selector with its parameters, as code."""
        ...

    def select(self, batch: Batch) -> Selection: ...
    def outputs_of(self, batch: Batch, kept: Bool[Tensor, "b t"]) -> Float[Tensor, "b c"]: ...
