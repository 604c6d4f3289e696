"""Figure 11.5: words deleted from treebank sentences in the order of their relevance, one curve a method.

    python deletion.py DATA --model FOLDER --out RESULTS

For every test sentence of at least ten words (1,849) each method gives word relevances for the *true* class. From
sentences that the model classifies rightly, words are dropped from the largest relevance down; from those classified
wrongly, from the smallest up. The curves are the accuracy over the two sets after one to five words. Each method's
numbers are saved as soon as they are there; a second run goes on with what is missing, and draws the figure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from treebank import NAMES, Tree, read

import exegesis
from exegesis.core.disk.files import write_whole

WORDS, STEPS, RUNS = 10, 5, 10
PRODUCTS_ALONE = "LRP-prop, 0.2 in products alone"
Relevances = list[np.ndarray]

# name in the figure: method, its parameters, kind of target. Those above the line stand in the paper's figure.
# LRP-prop has 0.2 in linear maps and in products (footnote 9), the other rules 0.001 in both.
METHODS: dict[str, tuple[str, dict[str, Any], str]] = {
    "Gradient": ("gradient", {"norm": "squared"}, "logit"),
    "Gradient x Input": ("gradient-x-input", {}, "logit"),
    "Occlusion f-diff": ("leave-one-out", {"how": "zero"}, "logit"),
    "Occlusion P-diff": ("leave-one-out", {"how": "zero"}, "probability"),
    "LRP-all": ("lrp", {"product": "all"}, "logit"),
    "LRP-prop": ("lrp", {"product": "prop", "epsilon": 0.2}, "logit"),
    "LRP-abs": ("lrp", {"product": "abs"}, "logit"),
    "LRP-half": ("lrp", {"product": "half"}, "logit"),
    "CD": ("contextual-decomposition", {"variant": "original"}, "logit"),
    # added here
    PRODUCTS_ALONE: ("lrp", {"product": "prop"}, "logit"),
    "DeepLIFT": ("deeplift", {}, "logit"),
    "REAT": ("reat", {}, "logit"),
    "Integrated gradients": ("integrated-gradients", {}, "logit"),
    "LIME": ("lime", {"samples": 500}, "probability"),
}


def relevances(model: Any, name: str, trees: Sequence[Tree]) -> Relevances:
    """Each word's relevance for the sentence's true class."""
    method, parameters, kind = METHODS[name]
    found: Relevances = [np.zeros(0)] * len(trees)
    for label, title in enumerate(NAMES):
        rows = [row for row, tree in enumerate(trees) if tree.label == label]
        texts = [trees[row].text for row in rows]
        results = exegesis.explain(model, texts, method, target=f"{kind}:{title}", progress=True, **parameters)
        for row, result in zip(rows, results, strict=True):
            found[row] = result.scores
    return found


def accuracy(model: Any, trees: Sequence[Tree], deleted: Sequence[Sequence[int]]) -> float:
    """Share of the sentences whose true class is predicted without some of their words."""
    texts = [
        " ".join(word for number, word in enumerate(words_of(model, tree)) if number not in set(gone))
        for tree, gone in zip(trees, deleted, strict=True)
    ]
    return float(np.mean(hits(predict(model, texts), trees)))


def hits(predicted: Sequence[dict[str, float]], trees: Sequence[Tree]) -> list[bool]:
    """Whether the label of the largest probability is the true one."""
    return [max(p, key=p.__getitem__) == NAMES[tree.label] for p, tree in zip(predicted, trees, strict=True)]


def predict(model: Any, texts: list[str]) -> list[dict[str, float]]:
    return exegesis.predict(model, texts)


def words_of(model: Any, tree: Tree) -> tuple[str, ...]:
    """The words that the model reads: those of the tree."""
    words: tuple[str, ...] = model.read(tree.text).word_strings()
    return words


def curves(
    model: Any, right: Sequence[Tree], wrong: Sequence[Tree], score: Callable[[Sequence[Tree]], Relevances]
) -> Any:
    """Accuracy after 0 to 5 words, for both sets."""
    found = {}
    for name, trees, sign in (("right", right, -1), ("wrong", wrong, 1)):
        orders = [np.argsort(sign * values, kind="stable") for values in score(trees)]
        found[name] = [
            accuracy(model, trees, [order[:count].tolist() for order in orders]) for count in range(STEPS + 1)
        ]
    return found


def random_curves(model: Any, right: Sequence[Tree], wrong: Sequence[Tree], seed: int) -> Any:
    """The same for random orders: mean and standard deviation over ten runs."""
    draws = np.random.default_rng(seed)
    runs = [
        curves(model, right, wrong, lambda trees: [draws.random(len(words_of(model, tree))) for tree in trees])
        for _ in range(RUNS)
    ]
    found = {side: np.mean([run[side] for run in runs], 0).tolist() for side in ("right", "wrong")}
    return {**found, "std": {side: np.std([run[side] for run in runs], 0).tolist() for side in ("right", "wrong")}}


def accuracies(model: Any, trees: Sequence[Tree]) -> dict[str, float]:
    """Accuracy on whole sentences: of five classes; of two, neutral sentences left out, by the sums of the sides."""
    predicted = predict(model, [tree.text for tree in trees])
    two = [
        (p[NAMES[3]] + p[NAMES[4]] > p[NAMES[0]] + p[NAMES[1]]) == (tree.label > 2)
        for p, tree in zip(predicted, trees, strict=True)
        if tree.label != 2
    ]
    return {"five classes": float(np.mean(hits(predicted, trees))), "two classes": float(np.mean(two))}


def digest(folder: Path) -> str:
    """What tells one model's weights from another's."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]


def draw(results: dict[str, Any], path: Path) -> None:
    """The figure: left sentences classified rightly, right those classified wrongly."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), constrained_layout=True)
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for axis, side in zip(axes, ("right", "wrong"), strict=True):
        for number, name in enumerate([name for name in (*METHODS, "Random") if name in results["curves"]]):
            added = name in (PRODUCTS_ALONE, "DeepLIFT", "REAT", "Integrated gradients", "LIME")
            style = {"color": "black", "linestyle": ":"} if name == "Random" else {"color": colours[number]}
            values = [100 * value for value in results["curves"][name][side]]
            axis.plot(values, label=name, marker="o", markersize=3, **({"linestyle": "--"} if added else {}), **style)
        count = results["sentences"][side]
        axis.set_title(f"{count} sentences classified {'rightly' if side == 'right' else 'wrongly'}", fontsize=10)
        axis.set_xlabel(f"words deleted, {'largest' if side == 'right' else 'smallest'} relevance first")
        axis.set_ylabel("accuracy (%)")
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def table(results: dict[str, Any]) -> str:
    """Accuracy after each number of words, in percent, as Markdown."""
    head = "| method | " + " | ".join(f"{side} {n}" for side in ("right", "wrong") for n in range(1, STEPS + 1)) + " |"
    lines = [head, "|---|" + "---:|" * 2 * STEPS]
    for name in (*METHODS, "Random"):
        if name in results["curves"]:
            values = [100 * v for side in ("right", "wrong") for v in results["curves"][name][side][1:]]
            lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", required=True, help="a folder that exegesis train wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of deletion.json and deletion.png")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--limit", type=int, help="only so many sentences, for a trial")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "deletion.json"
    model = exegesis.load(given.model)
    every = read(given.data, "test")
    trees = [tree for tree in every if len(tree.words) >= WORDS][: given.limit]
    predicted = predict(model, [tree.text for tree in trees])
    hit = hits(predicted, trees)
    right = [tree for tree, is_right in zip(trees, hit, strict=True) if is_right]
    wrong = [tree for tree, is_right in zip(trees, hit, strict=True) if not is_right]
    asked = {"model": digest(Path(given.model)), "seed": given.seed, "limit": given.limit}
    results: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if results.get("asked") != asked:  # of another model: start again
        results = {"asked": asked, "curves": {}, "seconds": {}}
    results |= {
        "accuracy": accuracies(model, every),
        "sentences": {"right": len(right), "wrong": len(wrong)},
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, torch {torch.__version__}",
    }
    for name in ("Random", *given.methods):
        if name in results["curves"]:
            continue
        start = time.perf_counter()
        if name == "Random":
            results["curves"][name] = random_curves(model, right, wrong, given.seed)
        else:
            results["curves"][name] = curves(model, right, wrong, partial(relevances, model, name))
        results["seconds"][name] = round(time.perf_counter() - start, 1)
        write_whole(path, json.dumps(results, indent=1))
        print(f"{name}: {results['seconds'][name]} s", flush=True)
    draw(results, given.out / "deletion.png")
    print(json.dumps(results["accuracy"]))
    print(table(results))


if __name__ == "__main__":
    main()
