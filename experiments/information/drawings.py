"""The pictures of these experiments: maps of layers and words, the words that models hold, and curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLOUR, OTHER, GREY = "#1f5fa8", "#c9762b", "#5a5a5a"


def draw_maps(path: Path, rows: Sequence[str], words: Sequence[str], stacks: Mapping[str, np.ndarray]) -> None:
    """One map ``[row, word]`` beside the other, each from its least to its largest value, which are named."""
    from matplotlib.figure import Figure

    size = (max(2.6, 0.24 * len(words) + 0.6) * len(stacks) + 1.0, 0.34 * len(rows) + 1.9)
    figure = Figure(figsize=size, layout="constrained")
    axes = np.ravel(figure.subplots(1, len(stacks), sharey=True))
    for axis, (name, stack) in zip(axes, stacks.items(), strict=True):
        axis.imshow(stack, cmap="Blues", vmin=stack.min(), vmax=max(stack.max(), stack.min() + 1e-12), aspect="auto")
        axis.set_title(f"{name}\n{stack.min():.3g} to {stack.max():.3g}", fontsize=9)
        axis.set_xticks(range(len(words)), words, rotation=70, ha="right", rotation_mode="anchor", fontsize=8)
        axis.set_yticks(range(len(rows)), rows, fontsize=8)
        axis.tick_params(length=0)
    figure.savefig(path)


def draw_sentences(path: Path, texts: Sequence[tuple[Sequence[str], Mapping[str, np.ndarray]]]) -> None:
    """Sentence below sentence, what each model holds of its words, from the least to the most of the sentence."""
    from matplotlib.figure import Figure

    longest = max(len(words) for words, _ in texts)
    figure = Figure(figsize=(0.62 * longest + 1.6, 1.75 * len(texts)), layout="constrained")
    for axis, (words, held) in zip(np.ravel(figure.subplots(len(texts), 1)), texts, strict=True):
        shares = np.stack([(row - row.min()) / max(np.ptp(row), 1e-12) for row in held.values()])
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
        for (row, at), share in np.ndenumerate(np.stack(list(held.values()))):
            dark = shares[row, at] > 0.7
            axis.text(at, row, f"{share:.2f}", ha="center", va="center", fontsize=7, color="white" if dark else "black")
        axis.set_xticks(range(len(words)), words, rotation=25, ha="right", rotation_mode="anchor", fontsize=9)
        axis.set_yticks(range(len(held)), list(held), fontsize=9)
        axis.set_xlim(-0.5, longest - 0.5)
        axis.tick_params(length=0)
        for side in axis.spines.values():
            side.set_visible(False)
    figure.savefig(path)


def draw_counts(path: Path, models: Mapping[str, Sequence[tuple[str, int, int, bool]]], texts: int) -> None:
    """For each model the words held most often: how often they occur (light) and are held most (dark; content words
    and others by colour)."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    longest = max(map(len, models.values()))
    figure = Figure(figsize=(3.0 * len(models) + 0.4, 0.27 * longest + 1.3), layout="constrained")
    for axis, (name, words) in zip(np.ravel(figure.subplots(1, len(models))), models.items(), strict=True):
        for place, (_, held, seen, content) in enumerate(words):
            colour = COLOUR if content else OTHER
            axis.barh(place, seen, color=colour, alpha=0.25)
            axis.barh(place, held, color=colour)
            axis.text(seen, place, f" {held}/{seen}", va="center", fontsize=8, color=GREY)
        axis.set_yticks(range(len(words)), [word for word, *_ in words], fontsize=9)
        axis.set_xlim(0, 1.25 * max(seen for _, _, seen, _ in words))
        axis.set_ylim(longest - 0.5, -0.5)
        axis.set_title(name, fontsize=10)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.legend(
        handles=[Patch(color=COLOUR, label="content words"), Patch(color=OTHER, label="others"),
                 Patch(color=GREY, alpha=0.25, label=f"all occurrences in {texts} texts")],
        loc="outside lower center", ncols=3, fontsize=8, frameon=False,
    )  # fmt: skip
    figure.savefig(path)


def draw_curves(path: Path, curves: Mapping[str, np.ndarray], axes: Mapping[str, Any]) -> None:
    """A line with its interval for each name, from an array ``[x, (mean, low, high)]``; ``axes`` are labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 3.8), layout="constrained")
    axis = figure.subplots()
    shades = [(0.75 - 0.6 * n / max(len(curves) - 1, 1)) for n in range(len(curves))]
    marks = "osD^vP*X"
    for number, ((name, rows), shade) in enumerate(zip(curves.items(), shades, strict=True)):
        places = np.arange(len(rows))
        colour = (0.12 + 0.5 * shade, 0.3 + 0.45 * shade, 0.5 + 0.4 * shade)
        axis.plot(places, rows[:, 0], marker=marks[number % len(marks)], markersize=4, color=colour, label=name)
        axis.fill_between(places, rows[:, 1], rows[:, 2], color=colour, alpha=0.15, linewidth=0)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set(**axes)
    axis.legend(fontsize=8, frameon=False)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    figure.savefig(path)
