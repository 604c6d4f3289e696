"""The figures of the moneybag-and-coins world: features and redistributed rewards of two episodes; learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from learning import interval
from matplotlib.figure import Figure
from world import FEATURES, STEPS, WORDS, Episodes

ORDER = ("prop", "half", "abs", "all")
TITLES = ("Figure 11.6: Coins after the Moneybag", "Figure 11.7: Coins before it, too")


def features(episodes: Episodes, row: int) -> np.ndarray:
    """The four binary features of every step, ``[4, steps]``."""
    words = [WORDS[word] for word in episodes.words[row]]
    marks = ("+bag", "+coin", "left", "right")
    return np.array([[mark in word for word in words] for mark in marks], dtype=float)


def draw_episodes(episodes: Episodes, found: Mapping[str, np.ndarray], path: Path) -> None:
    """Above, the input; below, the relevance of every step by each product rule."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    ratios = [1.2, *[1.0] * len(ORDER)]
    panels = figure.subplots(len(ratios), len(episodes.words), sharex=True, height_ratios=ratios, squeeze=False)
    for row, title in enumerate(TITLES[: len(episodes.words)]):
        seen = features(episodes, row)
        top = panels[0][row]
        top.imshow(seen, cmap="Greys", aspect="auto", vmin=0, vmax=1.4, interpolation="none")
        top.set_yticks(range(len(FEATURES)), FEATURES, fontsize=8)
        top.set_title(f"{title} (return {episodes.returns[row]:g})", fontsize=9)
        for panel, rule in zip(panels[1:, row], ORDER, strict=True):
            colors = ["#c2410c" if bag else "#1d4ed8" if coin else "0.6" for bag, coin in zip(*seen[:2], strict=True)]
            panel.bar(range(STEPS), found[rule][row], color=colors, width=0.8)
            panel.axhline(0, color="0.5", lw=0.6)
            panel.set_ylabel(f"LRP-{rule}", fontsize=8)
            panel.tick_params(labelsize=7)
            panel.spines[["top", "right"]].set_visible(False)
        panels[-1][row].set_xticks(range(0, STEPS, 5))
        panels[-1][row].set_xlabel("step (orange: the Moneybag is taken, blue: a Coin)", fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def draw_curves(curves: Mapping[str, np.ndarray], every: int, best: float, path: Path) -> None:
    """Mean return of the greedy policy over runs, with 95 % intervals."""
    figure = Figure(figsize=(7.4, 3.8), layout="constrained")
    panel = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        episodes = every * np.arange(curve.shape[1])
        low, high = interval(curve)
        style = {"delayed": ("black", "-"), "immediate": ("0.55", "--")}.get(name, (f"C{number - 2}", "-"))
        panel.plot(episodes, curve.mean(0), color=style[0], ls=style[1], lw=1.5, label=name)
        panel.fill_between(episodes, low, high, color=style[0], alpha=0.15, lw=0)
    panel.axhline(best, color="0.8", lw=0.8, zorder=0)
    panel.set_xlabel("episodes", fontsize=9)
    panel.set_ylabel("return of the greedy policy", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8, frameon=False, loc="outside right center")
    figure.savefig(path, dpi=110, metadata={"Software": None})
