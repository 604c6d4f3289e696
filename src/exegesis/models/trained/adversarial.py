"""Adversarial training: a loss with word vectors that have moved to where it grows most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.models.trained.architectures.network import TextClassifier, real_places
from exegesis.nn.adversary import directions, moved, neighbours, steepest, weights_of

Adversaries = Literal["any", "words"]
NEIGHBOURS = 10  # words that a word may move to


@dataclass(eq=False)
class Opponent:
    """Moves the word vectors of a network while it trains.

    ``any``: by ε g / ‖g‖ for each text, g the slope of its loss by its word vectors (Miyato et al. 2017). ``words``: by
    Σ_k α_k d_k with d_k unit vectors to the nearest words (cosine) and α = ε D g / ‖D g‖ (Sato et al. 2018). The papers
    normalise word vectors; here ε is in standard deviations of their components instead, measured anew for each epoch,
    as are the nearest words. ``usable`` are the rows of the embedding that words have.
    """

    module: TextClassifier
    budget: float
    kind: Adversaries
    usable: Bool[Tensor, " v"]
    near: Int[Tensor, "v k"] | None = None
    spread: float = 1.0

    @torch.no_grad()
    def begin(self) -> None:
        """Measure the word vectors anew."""
        table = self.module.embedding.weight.detach()
        words = table[self.usable]
        self.spread = float(words.double().std(correction=0))
        if self.kind == "words":
            rows = torch.arange(len(table), device=table.device)
            self.near = neighbours(table, table, rows, NEIGHBOURS, self.usable)

    @contextmanager
    def watching(self) -> Iterator[list[Tensor]]:
        """The word vectors of the batches that run inside the block, with a gradient."""
        seen: list[Tensor] = []

        def keep(_: Any, __: Any, vectors: Tensor) -> Tensor:
            seen.append(vectors if vectors.requires_grad else vectors.requires_grad_())
            return seen[-1]

        handle = self.module.embedding.register_forward_hook(keep)
        try:
            yield seen
        finally:
            handle.remove()

    def loss(
        self, plain: Float[Tensor, ""], vectors: Float[Tensor, "b t d"], ids: Int[Tensor, "b t"],
        lengths: Int[Tensor, " b"], again: Callable[[], Float[Tensor, ""]],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """The loss ``again`` with moved vectors, where ``plain`` is the loss with ``vectors``."""
        slope = torch.autograd.grad(plain, vectors, retain_graph=True)[0].detach()
        step = self.step(vectors.detach(), slope, ids, lengths)
        handle = self.module.embedding.register_forward_hook(lambda _, __, given: given + step)
        try:
            return again()
        finally:
            handle.remove()

    @torch.no_grad()
    def step(
        self, vectors: Float[Tensor, "b t d"], slope: Float[Tensor, "b t d"], ids: Int[Tensor, "b t"],
        lengths: Int[Tensor, " b"],
    ) -> Float[Tensor, "b t d"]:  # fmt: skip
        """The moves of a batch's word vectors."""
        budget, real = self.budget * self.spread, real_places(vectors, lengths)
        if self.near is None:
            return steepest(slope * real[..., None], budget)
        others = self.module.embedding.weight.detach()[self.near[ids]]
        towards = directions(vectors, others, real & self.usable[ids])
        return moved(weights_of(slope, towards, budget), towards)
