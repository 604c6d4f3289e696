"""Policies learned from delayed and from redistributed rewards in the moneybag-and-coins world.

Tabular Q-learning. A state is the cell, whether the agent has the Moneybag, and the step of the episode; the next
action is the better one with probability 0.8, else a random one. After an episode its steps are replayed in order:

    Q(s, a) <- Q(s, a) + α (r + max Q(s', ·) - Q(s, a))

Only the rewards r differ:

- *delayed*: the return, at the last step;
- *redistributed*: what a method says each step contributed to the forecast of the return; what the forecast missed is
  shared evenly by the steps, so that an episode's rewards always sum to its return;
- *immediate*: one for every Coin with the Moneybag, when it is taken: what a world without delay would pay.

All runs (seeds) learn side by side, each with its own table and its own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from world import CELLS, STEPS, Episodes, play

Rewards = Callable[[Episodes], np.ndarray]  # [n, steps]
Told = Callable[[int], object]


@dataclass(frozen=True)
class Learning:
    """``runs`` of ``episodes`` each; ``step`` is α, ``explore`` the share of random actions. The greedy policy is
    measured every ``every`` episodes."""

    runs: int = 20
    episodes: int = 1_000
    step: float = 0.2
    explore: float = 0.2
    every: int = 20


def delayed(episodes: Episodes) -> np.ndarray:
    found = np.zeros(episodes.words.shape)
    found[:, -1] = episodes.returns
    return found


def immediate(episodes: Episodes) -> np.ndarray:
    coin = (episodes.words % 2 == 0) & (episodes.has == 1)
    return coin.astype(float)


def completed(contributions: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Contributions and an even share of what they leave of the return."""
    return contributions + ((returns - contributions.sum(1)) / STEPS)[:, None]


def learn(rewards: Rewards, plan: Learning, seed: int, told: Told | None = None) -> np.ndarray:
    """Returns of each run's greedy policy, ``[runs, 1 + episodes / every]``, the first before any learning."""
    draws = np.random.default_rng(seed)
    values = 1e-3 * draws.standard_normal((plan.runs, STEPS + 1, CELLS, 2, 2))  # ties are broken at random
    values[:, STEPS] = 0.0  # nothing comes after the end
    curve = [_greedy(values)]
    for number in range(plan.episodes):
        right = np.where(values[..., 1] > values[..., 0], 1 - plan.explore / 2, plan.explore / 2)
        episodes = play(right, draws)
        _replay(values, episodes, rewards(episodes), plan.step)
        if (number + 1) % plan.every == 0:
            curve.append(_greedy(values))
            if told is not None:
                told(number + 1)
    return np.stack(curve, 1)


def _replay(values: np.ndarray, episodes: Episodes, rewards: np.ndarray, step: float) -> None:
    runs = np.arange(len(values))
    for t in range(STEPS):
        here = (runs, t, episodes.cell[:, t], episodes.has[:, t], episodes.action[:, t])
        ahead = 0.0
        if t + 1 < STEPS:
            ahead = values[runs, t + 1, episodes.cell[:, t + 1], episodes.has[:, t + 1]].max(-1)
        values[here] += step * (rewards[:, t] + ahead - values[here])


def _greedy(values: np.ndarray) -> np.ndarray:
    """The world is deterministic, so that one episode measures a greedy policy."""
    certain = (values[..., 1] > values[..., 0]).astype(float)
    return play(certain, np.random.default_rng(0)).returns


def interval(values: np.ndarray, seed: int = 0, draws: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    """A 95 % bootstrap interval of the mean over the first axis."""
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    return low, high


def reached(curves: np.ndarray, level: float, every: int) -> np.ndarray:
    """Episodes until each run first reaches a level; infinite where it never does."""
    at = curves >= level
    return np.where(at.any(1), at.argmax(1) * float(every), np.inf)
