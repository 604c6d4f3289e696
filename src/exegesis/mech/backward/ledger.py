"""Relevance that reached no word, booked by name and text."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError


@dataclass(eq=False)
class Book:
    """Amounts by name, for each of ``count`` texts.

    ``nodes`` has the relevance of parts in between, where asked for.
    """

    count: int
    parts: dict[str, Float[Tensor, " b"]] = field(default_factory=dict)
    nodes: dict[str, Tensor] | None = None

    def clear(self) -> None:
        self.parts = {}
        self.nodes = None if self.nodes is None else {}

    def book(self, name: str, amount: Float[Tensor, "*shape"], rows: Int[Tensor, "*shape"]) -> None:
        """Add amounts, element by element of the text that ``rows`` names.

        Raises UnsupportedError where an amount is of no text.
        """
        same = [dim for dim in range(rows.ndim) if rows.stride(dim) == 0 or rows.shape[dim] == 1]
        if same:
            amount = amount.sum(same)
            for dim in reversed(same):
                rows = rows.select(dim, 0)
        rows, amount = rows.reshape(-1).long(), amount.reshape(-1)
        if bool((amount[rows < 0] != 0).any()):
            raise UnsupportedError(
                "a constant that the module keeps beside its words receives relevance, and of which text it is cannot "
                "be told: explain one text at a time, or let the module start from torch.zeros"
            )
        total = amount.new_zeros(self.count).index_add(0, rows.clamp_min(0), amount)
        self.parts[name] = self.parts[name] + total if name in self.parts else total

    def node(self, name: str, relevance: Tensor) -> None:
        if self.nodes is not None:
            self.nodes[name] = relevance
