"""Classifiers of hidden states: linear, or with one hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Fit = Callable[[Float[Tensor, "n d"], Int[Tensor, " n"], int], "Probe"]
STEPS, SETTLED = 60, 1e-6  # of L-BFGS; the slope and the change at which it ends
BATCH = 128


@dataclass(frozen=True, eq=False)
class Probe:
    """A classifier of states, which are moved to a mean of zero and scaled to a mean square of one number first."""

    mean: Float[Tensor, " d"]
    scale: Float[Tensor, ""]
    network: nn.Module

    @torch.no_grad()
    def logs(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """The log-probabilities of the classes, in nats."""
        scores = cast(Tensor, self.network((states.double() - self.mean) / self.scale))
        return scores.log_softmax(-1)


def _scaled(states: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor, Tensor]:
    """The states, their mean, and the root of the mean square of what is left (1 where nothing is)."""
    states = states.double()
    mean = states.mean(0)
    rest = states - mean
    size = rest.square().mean().sqrt()
    scale = torch.where(size > 0, size, torch.ones_like(size))
    return rest / scale, mean, scale


@torch.enable_grad()
def linear(states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int, penalty: float) -> Probe:
    """Multinomial logistic regression: the weights that minimise the mean cross-entropy plus ``penalty / 2`` times
    their squared norm (biases are free), by torch's L-BFGS."""
    inputs, mean, scale = _scaled(states)
    network = nn.Linear(inputs.shape[1], classes, dtype=torch.float64, device=inputs.device)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=STEPS, tolerance_grad=SETTLED, tolerance_change=1e-12,
                                  history_size=20, line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs), labels) + penalty / 2 * network.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Probe(mean, scale, network.requires_grad_(False))


@torch.enable_grad()
def perceptron(
    states: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int, hidden: int, penalty: float, epochs: int,
    seed: int,
) -> Probe:  # fmt: skip
    """A network with one hidden layer of ReLUs, trained by torch's AdamW over batches of 128 for some epochs."""
    inputs, mean, scale = _scaled(states)
    draws = torch.Generator().manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(inputs.shape[1], hidden, dtype=torch.float64, device=inputs.device), nn.ReLU(),
        nn.Linear(hidden, classes, dtype=torch.float64, device=inputs.device),
    )  # fmt: skip
    for layer in (network[0], network[2]):
        weight = cast(Tensor, layer.weight)
        first = torch.randn(weight.shape, generator=draws, dtype=torch.float64) / weight.shape[1] ** 0.5
        weight.data = first.to(inputs)
        nn.init.zeros_(cast(Tensor, layer.bias))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=penalty)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(inputs), generator=draws), BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(inputs[rows]), labels[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Probe(mean, scale, network.requires_grad_(False))
