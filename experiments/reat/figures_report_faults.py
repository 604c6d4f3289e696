"""The tables of section 4.8 as Markdown; see ``figures_report.py``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from figure_swaps import OTHERS
from figure_words import NAMES
from figures_report import grid, mean, of

PUT = ("terribly", "extremely", "very")


def table6(models: Mapping[str, Any]) -> Iterator[str]:
    for form in ("sst", "paper"):
        rows = []
        for cell, name in NAMES.items():
            kept = [one["table6"][form] for one in of(models, cell)]
            cells = [", ".join(f"{100 * one['negative'][word]:.1f}" for one in kept) for word in PUT]
            ranks = [
                ", ".join(str(one["ranks"][method]["rank"]) for one in kept)
                for method in ("reat", "naive-reat", "leave-one-out")
            ]
            rows.append([name, *cells, *ranks])
        head = [f"Table 6 ({form})", *(f"P(negative) with “{w}”, %" for w in PUT), "rank of “terribly”: REAT"]
        yield grid([*head, "NaiveREAT", "leave-one-out"], rows)


def table7(models: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for cell, name in NAMES.items():
        kept = [one["table7"] for one in of(models, cell)]
        counts: dict[str, list[str]] = {"terribly": [], "very": []}
        for one in kept:
            tests = [row for row in one[:-1] if row["before"][0] == "positive"]
            for word, found in counts.items():
                found.append(f"{sum(row['swaps'][word][0] == 'negative' for row in tests)}/{len(tests)}")
        cells = [", ".join(found) for found in counts.values()]
        cells += [
            ", ".join(f"{positive(one[at], 'before')}→{positive(one[at], 'terribly')}" for one in kept)
            for at in (0, -1)  # the paper's two texts
        ]
        rows.append([name, *cells])
    head = [
        "Table 7",
        "test texts: positive→negative with “terribly”",
        "with “very”",
        "effective: P(positive)",
        "acted",
    ]
    yield grid(head, rows)


def positive(row: Mapping[str, Any], word: str) -> str:
    label, chance = row["before"]
    if word == "before":
        return f"{100 * (chance if label == 'positive' else 1 - chance):.0f}"
    own = row["swaps"][word][1]  # of the label predicted before
    return f"{100 * (own if label == 'positive' else 1 - own):.0f}"


def degrees(models: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for word in OTHERS:
        cells = [word]
        for cell in NAMES:
            kept = [one["degrees"][word] for one in of(models, cell)]
            cells += [mean([100 * row[side + 1] / (row[side] or math.nan) for row in kept], 1) for side in (0, 2)]
        rows.append(cells)
    first = of(models, "lstm")[0]["degrees"]
    yield f"Degrees: texts { ({w: [first[w][0], first[w][2]] for w in OTHERS}) } of LSTM 0 (positive, negative)"
    yield grid(["put in", *(f"{n}: {s}" for n in NAMES.values() for s in ("to negative, %", "to positive, %"))], rows)


def failures(models: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    if not all("failing" in one for one in models.values()):
        return
    for cell, name in NAMES.items():
        kept = [one["failing"] for one in of(models, cell)]
        own = [one["failures"] for one in kept]
        wrong = [one["wrong"] for one in own]

        def share(values: list[float], of: list[int] = wrong) -> str:
            return mean([100 * a / b for a, b in zip(values, of, strict=True)], 1)

        rows.append(
            [
                name,
                mean(wrong, 0),
                *(share([one["cured"][m] for one in kept]) for m in ("reat", "naive-reat", "leave-one-out")),
                share([one["by_chance"] for one in own]),
                *(share([one["findings"][f] for one in own]) for f in ("unseen", "rare", "imbalanced", "shortcut")),
                share([one["leaning_any"] for one in own]),
                mean([100 * one["corpora"]["training_accuracy"] for one in own], 1),
                str(own[0]["corpora"]["leaked"]),
            ]
        )
        often = Counter(cause["word"] for one in own for cause in one["causes"])
        yield f"{name}: causes that stand among the first 20 in 3 seeds or more: " + ", ".join(
            f"{word} ({n})" for word, n in often.most_common() if n > 2
        )
    head = ["", "wrong", "right without the cause, %: REAT", "NaiveREAT", "leave-one-out", "any word", "unseen", "rare"]
    yield grid([*head, "imbalanced", "shortcut", "any word imbalanced", "training accuracy", "leaked"], rows)


def found_swaps(models: Mapping[str, Any]) -> Iterator[str]:
    kept = [one["found swaps"] for one in of(models, "lstm") if "found swaps" in one]
    if not kept:
        return
    likes = [[like([one["like"] for one in kept], method)] for method in ("reat", "naive-reat", "any")]
    yield "LSTM: texts that some swap turns, of those with a swap; share of swaps"
    yield grid(["REAT", "NaiveREAT", "any"], [[row[0] for row in likes]])
    yield grid(
        ["swap", "direction", "texts", "flips", "broken", "mended"], moved("LSTM", [o["transfers"] for o in kept])
    )


def like(kept: list[Any], method: str) -> str:
    rows = [row[method] for one in kept for row in one if row[method][1]]
    turned = sum(row[2] > 0 for row in rows)
    share = 100 * sum(row[2] for row in rows) / sum(row[1] for row in rows)
    return f"{turned}/{len(rows)} = {100 * turned / len(rows):.0f} %; {share:.1f} %"


def moved(name: str, kept: list[Any]) -> list[list[str]]:
    """Swaps of the causes in other texts, in the direction that turned the first and back."""
    found: dict[str, list[int]] = {"same": [0] * 5, "back": [0] * 5}
    for case in (case for one in kept for case in one):
        for old, _, *counts in case["transfers"]:
            row = found["same" if old == case["word"] else "back"]
            for i, value in enumerate([1, *counts]):
                row[i] += value
    rows = []
    for way, (swaps, texts, flips, *rest) in found.items():
        share = f"{flips} ({100 * flips / max(texts, 1):.1f} %)"
        rows.append([f"{name}, {swaps} swaps", way, str(texts), share, *map(str, rest)])
    return rows


FAULTS = (table6, table7, degrees, failures, found_swaps)
