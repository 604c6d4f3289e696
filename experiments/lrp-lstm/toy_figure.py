"""Table 11.2 as a figure: correlations and shares of relevance, ours and the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

TITLES = {"rho a": "correlation with the first number", "rho b": "with the second", "share": "share of relevance there"}


def draw(result: dict[str, Any], paper: dict[str, Any], path: Path) -> None:
    """One row a task, one panel a column of the table; lines are standard deviations over models."""
    tasks = [task for task in paper if task in result]
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panels = figure.subplots(len(tasks), len(TITLES), squeeze=False, sharey=True)
    for row, task in zip(panels, tasks, strict=True):
        rows = result[task]["table"]
        places = range(len(rows))
        for panel, (number, column) in zip(row, enumerate(TITLES), strict=True):
            own = [rows[name][column] for name in rows]
            theirs = [paper[task][name][number] for name in rows]
            for shift, mark, label, means, spreads in (
                (-0.15, "o", "here", [one["mean"] for one in own], [one["std"] for one in own]),
                (0.15, "s", "paper", [one[0] for one in theirs], [one[1] for one in theirs]),
            ):
                panel.errorbar(
                    means, [place + shift for place in places], xerr=spreads, fmt=mark, ms=4, lw=1, label=label,
                    mfc="none" if label == "paper" else None,
                )  # fmt: skip
            panel.set_xlim((-5, 108) if column == "share" else (-112, 112))
            panel.axvline(0, color="0.8", lw=0.8, zorder=0)
            panel.set_yticks(list(places), list(rows), fontsize=8)
            panel.tick_params(axis="x", labelsize=8)
            panel.set_title(TITLES[column] + " (%)" if task == tasks[0] else "", fontsize=9)
            panel.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(task)
    panels[0][0].invert_yaxis()  # of all: they share it
    panels[0][0].legend(fontsize=8, frameon=False, loc="lower left")
    figure.savefig(path, dpi=110, metadata={"Software": None})
