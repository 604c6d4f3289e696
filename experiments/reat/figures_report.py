"""The tables of FIGURES.md as Markdown from ``numbers.json``.

    python experiments/reat/figures_report.py experiments/reat/figures/numbers.json

Numbers are means over seeds, their standard deviation in brackets; "5/5" counts seeds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from figure_maps import FUN, LAUGHS, LIKABLE, SARA
from figure_words import NAMES, WORDS, is_word, over_seeds
from methods import SIX
from scipy import stats

Kept = Sequence[Mapping[str, Any]]
TAGS = ("RBS", "JJR", "JJ", "JJS", "NN", "NNS", "VB", "RB")


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def mean(values: Sequence[float], digits: int = 2, sign: bool = False) -> str:
    spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):{'+' if sign else ''}.{digits}f} ({spread:.{digits}f})"


def of(models: Mapping[str, Any], cell: str) -> list[Any]:
    return [one for name, one in sorted(models.items()) if name.startswith(f"{cell}-")]


def word(scores: Sequence[Sequence[Any]], name: str) -> float:
    """The score of the first word of that name."""
    return next(float(score) for one, score in scores if one == name)


def figure4(models: Mapping[str, Any]) -> Iterator[str]:
    named = ("enormously", "likable", "aware", "grasp", "absurd", "partly", "it", ",")
    for cell in NAMES:
        kept = [one["figure4"] for one in of(models, cell)]
        yield f"Figure 4, {NAMES[cell]}: P(positive) {mean([100 * one['positive'] for one in kept], 1)} %"
        rows = []
        for method in SIX:
            own = [one["scores"][method] for one in kept]
            largest = [max(abs(score) for _, score in scores) for scores in own]
            cells = []
            for name in named:
                shares = [word(scores, name) / most for scores, most in zip(own, largest, strict=True)]
                cells.append(f"{sum(share > 0 for share in shares)}/{len(shares)}, {np.mean(shares):+.2f}")
            rows.append([method, *cells])
        yield grid([LIKABLE[:10] + "...: seeds above 0, share of the largest", *(f"“{one}”" for one in named)], rows)


def figure5(models: Mapping[str, Any]) -> Iterator[str]:
    rows, shares, said = [], [], []
    for cell, name in NAMES.items():
        kept = [one["figure5"] for one in of(models, cell)]
        plus = [sum(score > 0 for _, score in one["scores"]) for one in kept]
        shares += plus
        said += [one["positive"] for one in kept]
        rows.append(
            [
                name,
                ", ".join(f"{100 * one['positive']:.1f}" for one in kept),
                mean([word(one["scores"], "fun") for one in kept], sign=True),
                mean([word(one["scores"], "tedious") for one in kept], sign=True),
                ", ".join(map(str, plus)),
            ]
        )
    yield grid([FUN, "P(positive), %, by seed", "“fun”", "“tedious”", "words above 0, of 9"], rows)
    yield f"Words above 0 and P(positive) over {len(said)} models: {rank(shares, said)}"


def rank(first: Sequence[float], second: Sequence[float]) -> str:
    found = stats.spearmanr(first, second)
    return f"Spearman {found.statistic:+.2f} (p = {found.pvalue:.2g})"


def figure6(models: Mapping[str, Any]) -> Iterator[str]:
    kept = [one["figure6"] for one in of(models, "lstm")]
    for text in (LAUGHS, SARA):
        own = [one["texts"][text] for one in kept]
        rows = []
        for method in ("reat", "leave-one-out"):
            phrases = [dict(one[method]["phrase"]) for one in own]
            cells = [mean([word(one[method]["word"], name) for one in own], sign=True) for name in ("does", "n't")]
            cells += [
                mean([one[name] for one in phrases], sign=True) for name in ("does n't serve up", "lot of laughs")
            ]
            rows.append([method, *cells])
        said = ", ".join(f"{100 * one['negative']:.1f}" for one in own)
        yield grid([f"{text} (P(negative): {said})", "does", "n't", "does n't serve up", "lot of laughs"], rows)
    for name in kept[0]["clauses"]:
        yield f"REAT of “{name}”: " + ", ".join(f"{one['clauses'][name]:+.2f}" for one in kept)


def figure7(models: Mapping[str, Any]) -> Iterator[str]:
    spreads = {cell: [one["figure7"] for one in of(models, cell)] for cell in NAMES}
    rows = []
    for tag in TAGS:
        cells = [tag, str(spreads["gru"][0][tag]["size"])]
        for kept in spreads.values():
            ranks = [sorted(order(one), key=lambda t, o=one: -o[t]["median"]).index(tag) + 1 for one in kept]  # type: ignore[misc]
            cells += [mean([one[tag]["median"] for one in kept], 3, True), ", ".join(map(str, ranks))]
        rows.append(cells)
    yield f"Figure 7: {len(order(spreads['gru'][0]))} parts of speech"
    yield grid(["", "words", *(f"{name}: {what}" for name in NAMES.values() for what in ("median", "rank"))], rows)
    for cell, kept in spreads.items():
        yield f"{NAMES[cell]}, by the mean median: " + " ".join(over_seeds(kept))
        yield f"{NAMES[cell]}, the first by seed: " + ", ".join(
            " ".join(sorted(order(one), key=lambda t, o=one: -o[t]["median"])[:3])
            for one in kept  # type: ignore[misc]
        )
    naive = {cell: [one["figure7 by NaiveREAT"] for one in of(models, cell)] for cell in NAMES}
    for method, given in (("REAT", spreads), ("NaiveREAT", naive)):
        rows = [likeness(given, *two) for two in pairs() if two[0] != two[1] or len(given[two[0]]) > 1]
        yield grid([f"{method}: Spearman of the medians", "mean", "least", "most"], rows)
    rows = []
    for method, given in (("REAT", spreads), ("NaiveREAT", naive)):
        for cell, kept in given.items():
            above = sum(one["JJ"]["median_low"] > one["NN"]["median_high"] for one in kept)
            medians = [mean([one[tag]["median"] for one in kept], 3) for tag in ("JJ", "NN")]
            rows.append([f"{method}, {NAMES[cell]}", *medians, f"{above}/{len(kept)}"])
    yield grid(["median", "JJ", "NN", "JJ surely above NN"], rows)


def order(one: Mapping[str, Any]) -> list[str]:
    return [tag for tag, row in one.items() if is_word(tag) and row["size"] >= 10]


def places(results: Mapping[str, Any]) -> Iterator[str]:
    """Do the parts of speech that stand near the end have the higher medians?"""
    for (part, method), cell in product((("figure7", "REAT"), ("figure7 by NaiveREAT", "NaiveREAT")), NAMES):
        found = []
        for one in of(results["models"], cell):
            tags = order(one[part])
            rows = [[one[part][tag]["median"] for tag in tags], [results["behind"][tag] for tag in tags]]
            found.append(float(stats.spearmanr(*rows).statistic))
        yield f"{method}, {NAMES[cell]}: medians and the words behind, Spearman {mean(found, 2, True)}"


def pairs() -> list[tuple[str, str]]:
    return [*((cell, cell) for cell in NAMES), *combinations(NAMES, 2)]


def likeness(spreads: Mapping[str, Kept], first: str, second: str) -> list[str]:
    """How alike the order of parts of speech is in two networks (or in two seeds of one)."""
    two = combinations(spreads[first], 2) if first == second else product(spreads[first], spreads[second])
    found = []
    for one, other in two:
        tags = order(one)
        medians = [[each[tag]["median"] for tag in tags] for each in (one, other)]
        found.append(float(stats.spearmanr(*medians).statistic))
    name = f"{NAMES[first]}, two seeds" if first == second else f"{NAMES[first]} and {NAMES[second]}"
    return [name, f"{np.mean(found):+.2f}", f"{min(found):+.2f}", f"{max(found):+.2f}"]


def figure8(models: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for cell, part in product(NAMES, ("test", "all")):
        kept = [one["figure8"][part] for one in of(models, cell)]
        cells = []
        for name in WORDS:
            below = [100 * float(np.mean(np.array(one[name]) < 0)) for one in kept]
            medians = [float(np.median(one[name])) for one in kept]
            cells.append(f"{np.mean(below):.0f} % ({min(below):.0f} to {max(below):.0f}), {np.mean(medians):+.2f}")
        rows.append([f"{NAMES[cell]}, {part}", *cells])
    sizes = {part: [len(of(models, "lstm")[0]["figure8"][part][name]) for name in WORDS] for part in ("test", "all")}
    yield f"Figure 8: uses below 0 (least to most of the seeds), mean median; uses: {sizes}"
    yield grid(["", *WORDS], rows)


def main() -> None:
    from figures_report_faults import FAULTS

    results = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    makers: list[Callable[[Mapping[str, Any]], Iterator[str]]] = [figure4, figure5, figure6, figure7, figure8, *FAULTS]
    for make in makers:
        for block in make(results["models"]):
            print(block, end="\n\n")
    print(*places(results), sep="\n")
    print({word: f"{a} negative, {b} positive" for word, (a, b) in results["training"].items()})


if __name__ == "__main__":
    main()
