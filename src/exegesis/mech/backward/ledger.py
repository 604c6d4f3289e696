"""Relevance that reaches no word, recorded by name and text."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.core.place import Place


@dataclass(eq=False)
class Ledger:
    """Amounts by name, for each of ``count`` texts: vectors [b], or [b, k] for several targets at once.

    ``states`` collects the relevance of inner places; None if it is not requested.
    """

    count: int
    parts: dict[str, Float[Tensor, b * k]] = field(default_factory=dict)
    states: dict[Place, Tensor] | None = None

    def clear(self) -> None:
        """Forget all amounts and states, before the next target."""
        self.parts = {}
        self.states = None if self.states is None else {}

    def add(self, name: str, amount: Float[Tensor, b * k]) -> None:
        """Add an amount per text."""
        self.parts[name] = self.parts[name] + amount if name in self.parts else amount

    def book(self, name: str, amount: Float[Tensor, "*shape"], rows: Int[Tensor, "*shape"]) -> None:
        """Add amounts, each element to the text that the same element of ``rows`` names.

        Raises UnsupportedError if an amount belongs to no text.
        """
        if self.count == 1:  # there is no other text
            self.add(name, amount.sum().reshape(1))
            return
        constant = [dim for dim in range(rows.ndim) if rows.stride(dim) == 0 or rows.shape[dim] == 1]
        if constant and rows.numel():  # a part between two words has nothing in a text of one word
            amount = amount.sum(constant)
            for dim in reversed(constant):
                rows = rows.select(dim, 0)
        rows, amount = rows.reshape(-1).long(), amount.reshape(-1)
        if bool((amount[rows < 0] != 0).any()):
            raise UnsupportedError(
                "a constant that the module keeps beside its words receives relevance, and of which text it is cannot "
                "be told: explain one text at a time, or let the module start from torch.zeros"
            )
        self.add(name, amount.new_zeros(self.count).index_add(0, rows.clamp_min(0), amount))

    def note(self, place: Place, relevance: Tensor) -> None:
        """Record the relevance of a part in between, if it is asked for."""
        if self.states is not None:
            self.states[place] = relevance
