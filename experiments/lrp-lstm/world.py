"""The moneybag-and-coins world of Arras et al. 2019, Sec. 11.5.2, and a Markov LSTM that predicts returns in it.

An agent stands on a line of cells and steps left or right. One cell holds the Moneybag. Another holds a Coin, which
lies there again once the agent has left. The return, given at the end alone, is the number of Coins taken after the
Moneybag. The paper leaves sizes open; here 7 cells, start in the middle, Moneybag two cells to the left, Coin two
cells to the right, 20 steps, so that the best return is 8.

A step is four binary features: the Moneybag is taken, a Coin is taken, the action was left, it was right. Eight of
their combinations can occur; as words (``left``, ``right+coin``, ...) they make an episode a text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from exegesis.nn.lstm_variants import VariantLSTM

FEATURES = ("Moneybag", "Coin", "left", "right")
WORDS = ("<pad>", *(f"{a}{m}{c}" for a in ("left", "right") for m in ("", "+bag") for c in ("", "+coin")))
CELLS, START, BAG, COIN, STEPS = 7, 3, 1, 5, 20
BEST = (STEPS - (START - BAG) - (COIN - BAG)) // 2 + 1


@dataclass(frozen=True)
class Episodes:
    """``words[n, t]`` index WORDS; ``cell`` and ``has`` are the state before each action (1: right)."""

    words: np.ndarray
    cell: np.ndarray
    has: np.ndarray
    action: np.ndarray
    returns: np.ndarray

    def texts(self) -> list[str]:
        return [" ".join(WORDS[word] for word in row) for row in self.words.tolist()]


def play(policies: np.ndarray, draws: np.random.Generator) -> Episodes:
    """One episode for each policy, the probabilities of a step to the right: ``[n, steps, cells, has the Moneybag]``,
    or without steps."""
    count = len(policies)
    rows, cell, has = np.arange(count), np.full(count, START), np.zeros(count, dtype=int)
    kept: list[list[np.ndarray]] = [[], [], [], []]
    returns = np.zeros(count)
    for t in range(STEPS):
        policy = policies[:, t] if policies.ndim == 4 else policies
        action = (draws.random(count) < policy[rows, cell, has]).astype(int)
        there = np.clip(cell + 2 * action - 1, 0, CELLS - 1)
        bag, coin = (there == BAG) & (has == 0), (there == COIN) & (cell != COIN)
        for values, value in zip(kept, (1 + 4 * action + 2 * bag + coin, cell, has, action), strict=True):
            values.append(value)
        cell, has = there, has | bag
        returns += coin & (has == 1)
    return Episodes(*(np.stack(values, 1) for values in kept), returns)


def collection(count: int, seed: int) -> Episodes:
    """Episodes of random policies, each state's probability drawn from Beta(1/2, 1/2): many decided, few even."""
    draws = np.random.default_rng(seed)
    return play(draws.beta(0.5, 0.5, (count, CELLS, 2)), draws)


class Forecaster(nn.Module):
    """The return of an episode from the last output of a Markov LSTM (Eqs. 11.12-11.15)."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        features = torch.zeros(len(WORDS), len(FEATURES))
        for number, word in enumerate(WORDS[1:], 1):
            features[number] = torch.tensor(["+bag" in word, "+coin" in word, "left" in word, "right" in word])
        self.features = nn.Embedding.from_pretrained(features)
        self.recurrent = VariantLSTM("markov", len(FEATURES), hidden)
        self.out = nn.Linear(hidden, 1, bias=False)
        with torch.no_grad():  # steps without an event should leave the memory alone: no drift (A2)
            self.recurrent.cells[0].bias_z.copy_(torch.linspace(-3.0, -5.0, hidden))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        states = self.recurrent(self.features(ids), lengths)
        return self.out(states[torch.arange(len(states)), lengths - 1])  # type: ignore[no-any-return]


def fit(
    episodes: Episodes,
    steps: int,
    seed: int,
    path: Path | None = None,
    told: Callable[[int, float], object] | None = None,
) -> Forecaster:
    """Least squares by Adam, the rate falling to zero; ``path`` keeps the state every 100 steps."""
    torch.manual_seed(seed)
    module = Forecaster()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    done = 0
    if path is not None and path.exists():
        kept = torch.load(path, weights_only=True)
        module.load_state_dict(kept["module"])
        optimizer.load_state_dict(kept["optimizer"])
        done = int(kept["done"])
    ids, wanted = torch.from_numpy(episodes.words), torch.from_numpy(episodes.returns).float()
    for step in range(done, steps):
        rows = torch.randint(len(ids), (64,), generator=torch.Generator().manual_seed(seed * 1_000_003 + step))
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / steps)
        lengths = torch.full((len(rows),), STEPS)
        loss = ((module(ids[rows], lengths)[:, 0] - wanted[rows]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        module.recurrent.constrain()
        if told is not None:
            told(step + 1, loss.item())
        if path is not None and ((step + 1) % 100 == 0 or step + 1 == steps):
            fresh = path.with_suffix(".new")
            state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "done": step + 1}
            torch.save(state, fresh)
            fresh.replace(path)
    return module.eval()


@torch.no_grad()
def squared_error(module: Forecaster, episodes: Episodes) -> tuple[float, float]:
    """Mean squared error, and the variance of the returns."""
    found = module(torch.from_numpy(episodes.words), torch.full((len(episodes.words),), STEPS))[:, 0].numpy()
    return float(((found - episodes.returns) ** 2).mean()), float(episodes.returns.var())
