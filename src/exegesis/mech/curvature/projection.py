"""Random projections of the gradients of single texts, which keep their products in expectation.

The gradient of a matrix, a sum over positions of δ ⊗ a, is projected on both sides: Σ (Pδ) ⊗ (Qa) is itself a random
projection of it, and costs no more than projecting two vectors (Choe et al. 2024, LoGra). A side that is no wider than
its projection is left as it is.
"""

from __future__ import annotations

import zlib

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.mech.curvature.factors import Factors, Layout, Part


class Projection:
    """A linear map from gradients to vectors of at most ``width`` numbers for each weight, drawn by a ``seed``."""

    def __init__(self, layout: Layout, width: int, seed: int) -> None:
        self.layout, self.width, self.seed = layout, width, seed
        self.side = max(1, int(width**0.5))
        self._drawn: dict[tuple[str, str], Tensor | None] = {}

    def of(self, factors: Factors) -> Float[Tensor, "k b f"]:
        """The projected gradients of every text."""
        features = []
        for name, shape in self.layout.shapes.items():
            parts = [part for part in factors.parts if part.weight == name]
            if parts and all(part.kind in ("linear", "rows") for part in parts) and len(shape) > 1:
                found = torch.stack([self._sides(part, factors.texts, shape) for part in parts]).sum(0)
            else:
                found = self._flat(name, factors.each(name).flatten(2))
            features.append(found)
        return torch.cat(features, 2)

    def _sides(self, part: Part, texts: int, shape: tuple[int, ...]) -> Float[Tensor, "k b f"]:
        """Σ (Pδ) ⊗ (Qa) of each text."""
        assert part.inputs is not None
        delta = self._turned(part.weight, "out", part.delta)
        if part.kind == "rows":
            table = self._matrix(part.weight, "in", shape[0], part.delta)
            inputs = (
                torch.nn.functional.one_hot(part.inputs, shape[0]).to(delta) if table is None else table[part.inputs]
            )
        else:
            inputs = self._turned(part.weight, "in", part.inputs)
        first, second = part.padded(delta, texts), part.padded(inputs[None], texts)[0]
        return torch.einsum("kbto,bti->kboi", first, second).flatten(2)

    def _flat(self, name: str, gradients: Float[Tensor, "k b f"]) -> Float[Tensor, "k b g"]:
        matrix = self._matrix(name, "flat", gradients.shape[-1], gradients, self.width)
        return gradients if matrix is None else gradients @ matrix

    def _turned(self, name: str, end: str, values: Float[Tensor, "... d"]) -> Float[Tensor, "... r"]:
        matrix = self._matrix(name, end, values.shape[-1], values)
        return values if matrix is None else values @ matrix

    def _matrix(
        self, name: str, end: str, size: int, like: Tensor, width: int | None = None
    ) -> Float[Tensor, "d r"] | None:
        """The random matrix of one end of a weight; None for one that is not wider than its projection."""
        rank = width or self.side
        if size <= rank:
            return None
        if (name, end) not in self._drawn:
            number = zlib.crc32(f"{self.seed}\0{name}\0{end}".encode())
            drawn = torch.randn(size, rank, generator=torch.Generator().manual_seed(number), dtype=torch.float32)
            self._drawn[name, end] = drawn.to(like) / rank**0.5
        return self._drawn[name, end]
