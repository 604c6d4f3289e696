"""Phrase scores against the human labels of the same phrases, on the trees of the treebank.

    python phrases.py DATA --out RESULTS [--model FOLDER]

Every node of two words or more of every fifth test tree (whole sentences left out) is scored in its sentence, for the
margin of positive against negative, and the scores are held against the labels 0 to 4 by Spearman's rank correlation
over all phrases; the interval is the bootstrap's over sentences. *Negations* are nodes of at most eight words that
begin with a negation, whose rest has one polarity and the whole the other, by the labels ("not dislike", "does n't
bore"): how many of them have a score with the sign of the whole, by the method and by adding the scores of the words,
and how many an interaction (the phrase's score less its words') with that sign. ``--negations`` takes those of every
test sentence, and nothing else.
Each method is saved as soon as it is there; a second run goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from treebank import Node, Tree, read

import exegesis
from exegesis.core.disk.files import write_whole
from exegesis.core.text import Span
from exegesis.mech.removal.perturbed import outputs_keeping

NEGATIONS = frozenset(["not", "n't", "never", "no", "without", "nothing", "hardly", "neither", "nor", "barely", "none"])
DRAWS = 1000

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "REAT": ("reat", {}),
    "CD": ("contextual-decomposition", {"variant": "original"}),
    "ACD (its variant of CD)": ("contextual-decomposition", {"variant": "acd"}),
    "SCD": ("scd", {"samples": 5}),
    "SOC": ("soc", {"samples": 5}),
    "HEDGE": ("kept alone", {}),
    "Leave-one-out (drop)": ("leave-one-out", {}),
    "Leave-one-out (pad)": ("leave-one-out", {"how": "pad"}),
    "Gradient x Input": ("gradient-x-input", {}),
    "Integrated gradients": ("integrated-gradients", {}),
    "LRP-all": ("lrp", {}),
    "DeepLIFT": ("deeplift", {}),
}


@dataclass(frozen=True)
class Case:
    """A phrase: its sentence, its words' numbers as the model reads them (half-open), its label, its rest's label."""

    sentence: int
    start: int
    stop: int
    label: int
    rest: int | None


def cases(model: Any, trees: Sequence[Tree]) -> tuple[list[Case], int]:
    """All phrases that begin and end where words of the model do; and how many do not."""
    found, lost = [], 0
    for number, tree in enumerate(trees):
        ends = np.cumsum([len(word) + 1 for word in tree.words]) - 1
        text = model.read(tree.text)
        offsets = [text.characters(word) for word in text.words]
        starts = {first: word for word, (first, _) in enumerate(offsets)}
        stops = {last: word + 1 for word, (_, last) in enumerate(offsets)}
        labels = {(node.start, node.stop): node.label for node in tree.nodes}
        for node in tree.nodes[:-1]:
            first, last = int(ends[node.start] - len(tree.words[node.start])), int(ends[node.stop - 1])
            if node.stop - node.start < 2 or (node.start, node.stop) == (0, len(tree.words)):
                continue
            if first not in starts or last not in stops:
                lost += 1
                continue
            found.append(Case(number, starts[first], stops[last], node.label, _rest(tree, node, labels)))
    return found, lost


def _rest(tree: Tree, node: Node, labels: dict[tuple[int, int], int]) -> int | None:
    """The label of what follows a negation at the head of a phrase of at most eight words (``does n't`` is one)."""
    for head in (1, 2):
        first, rest = (node.start, node.start + head), (node.start + head, node.stop)
        negated = not NEGATIONS.isdisjoint(word.lower() for word in tree.words[first[0] : first[1]])
        if negated and node.stop - node.start <= 8 and first in labels and rest in labels:
            return labels[rest]
    return None


def scores(model: Any, trees: Sequence[Tree], every: Sequence[Case], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The score of every phrase, and the sum of its words' scores."""
    method, parameters = METHODS[name]
    own, added = np.zeros(len(every)), np.zeros(len(every))
    by_sentence: dict[int, list[int]] = {}
    if method == "kept alone":
        own, alone = kept_alone(model, trees, every)
        sums = {key: np.concatenate([[0], values.cumsum()]) for key, values in alone.items()}
        return own, np.array([sums[case.sentence][case.stop] - sums[case.sentence][case.start] for case in every])
    for row, case in enumerate(every):
        by_sentence.setdefault(case.sentence, []).append(row)
    for number, rows in by_sentence.items():
        spans = [(every[row].start, every[row].stop) for row in rows]
        options: dict[str, Any] = {"target": "margin:positive,negative", "spans": spans, **parameters}
        result = exegesis.explain(model, trees[number].text, method, **options)
        words = result.at("word").scores
        own[rows] = result.at("span").scores
        added[rows] = [words[start:stop].sum() for start, stop in spans]
    return own, added


def kept_alone(model: Any, trees: Sequence[Tree], every: Sequence[Case]) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """HEDGE's score of a phrase (Chen et al. 2020, Eq. 5), for the positive side: the margin of positive over negative
    where only the phrase is kept and a pad token stands for every other word. Of all phrases; of each sentence's words.
    """
    own, words = np.zeros(len(every)), {}
    sides = [model.labels.index(name) for name in ("positive", "negative")]
    by_sentence: dict[int, list[int]] = {}
    for row, case in enumerate(every):
        by_sentence.setdefault(case.sentence, []).append(row)
    for number, rows in by_sentence.items():
        batch = model.encode([model.read(trees[number].text)])
        (text,) = batch.texts
        spans = [text.over(Span(every[row].start, every[row].stop)) for row in rows] + list(text.words)
        keep = torch.zeros(len(spans), len(text), dtype=torch.bool)
        for place, span in enumerate(spans):
            keep[place, span.start : span.stop] = True
        raw = outputs_keeping(model, batch, torch.zeros(len(spans), dtype=torch.long), keep, "pad").numpy()
        margins = raw[:, sides[0]] - raw[:, sides[1]]
        own[rows], words[number] = margins[: len(rows)], margins[len(rows) :]
    return own, words


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def interval(values: np.ndarray, labels: np.ndarray, sentence: np.ndarray, seed: int) -> list[float]:
    """95 % of the correlations over sentences drawn with replacement."""
    rows = [np.flatnonzero(sentence == number) for number in np.unique(sentence)]
    draws = np.random.default_rng(seed)
    found = []
    for _ in range(DRAWS):
        some = np.concatenate([rows[i] for i in draws.integers(len(rows), size=len(rows))])
        found.append(spearman(values[some], labels[some]))
    return [float(value) for value in np.percentile(found, [2.5, 97.5])]


def judged(every: Sequence[Case], own: np.ndarray, added: np.ndarray, seed: int) -> dict[str, Any]:
    """All numbers of one method."""
    labels = np.array([case.label for case in every], dtype=float)
    sentence = np.array([case.sentence for case in every])
    found: dict[str, Any] = {
        "correlation": spearman(own, labels),
        "interval": interval(own, labels, sentence, seed),
        "correlation of added words": spearman(added, labels),
    }
    for name, sign in (("good turned bad", -1), ("bad turned good", 1)):
        rows = [i for i, c in enumerate(every) if c.rest is not None and turned(c.rest, c.label) == sign]
        found[name] = {
            "phrases": len(rows),
            "right": int((np.sign(own[rows]) == sign).sum()),
            "right by adding words": int((np.sign(added[rows]) == sign).sum()),
            "interaction right": int((np.sign(own[rows] - added[rows]) == sign).sum()),
        }
    return found


def turned(rest: int, label: int) -> int:
    """1 where a negative rest becomes a positive phrase, -1 for the other way round, 0 for anything else."""
    return 1 if rest < 2 < label else -1 if label < 2 < rest else 0


def table(results: dict[str, Any]) -> str:
    lines = [
        "| method | rank correlation (95 %) | words added | good turned bad: right (by adding, interaction) "
        "| bad turned good: right (by adding, interaction) | s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, found in sorted(results["methods"].items(), key=lambda item: -item[1]["correlation"]):
        low, high = found["interval"]
        turns = [
            f"{found[turn]['right']} ({found[turn]['right by adding words']}, {found[turn]['interaction right']})"
            f" of {found[turn]['phrases']}"
            for turn in ("good turned bad", "bad turned good")
        ]
        words = found["correlation of added words"]
        lines.append(
            f"| {name} | {found['correlation']:.3f} ({low:.3f} to {high:.3f}) | {words:.3f} | {turns[0]} | {turns[1]} "
            f"| {found['seconds']} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="bundled", help="a model of negative and positive")
    parser.add_argument("--out", type=Path, required=True, help="folder of phrases.json")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--every", type=int, default=5, help="take every so manieth test sentence")
    parser.add_argument("--negations", action="store_true", help="only the negations, of every test sentence")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / ("negations.json" if given.negations else "phrases.json")
    model = exegesis.load(given.model)
    trees = read(given.data, "test")[:: 1 if given.negations else given.every]
    every, lost = cases(model, trees)
    if given.negations:
        every = [case for case in every if case.rest is not None and turned(case.rest, case.label)]
    asked = {"model": str(given.model), "seed": given.seed, "every": given.every, "negations": given.negations}
    results: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if results.get("asked") != asked:  # of another run: start again
        results = {"asked": asked, "methods": {}}
    results |= {
        "sentences": len(trees),
        "phrases": len(every),
        "phrases that cut a word": lost,
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, torch {torch.__version__}",
    }
    for name in given.methods:
        if name in results["methods"]:
            continue
        start = time.perf_counter()
        own, added = scores(model, trees, every, name)
        seconds = round(time.perf_counter() - start, 1)
        results["methods"][name] = {**judged(every, own, added, given.seed), "seconds": seconds}
        write_whole(path, json.dumps(results, indent=1))
        print(f"{name}: {seconds} s", flush=True)
    draws = np.random.default_rng(given.seed).random(len(every))
    results["random"] = spearman(draws, np.array([case.label for case in every], dtype=float))
    write_whole(path, json.dumps(results, indent=1))
    print(f"{len(every)} phrases of {len(trees)} sentences ({lost} more cut a word); random {results['random']:.3f}")
    print(table(results))


if __name__ == "__main__":
    main()
