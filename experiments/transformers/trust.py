r"""Which method for a fine-tuned encoder? Every method on test texts, beside its controls.

    python experiments/transformers/trust.py --model FOLDER --data DATA/sst2/test.tsv --out FOLDER2 \
        [--texts 48] [--seeds 3] [--methods NAME ...]

FOLDER is an encoder that ``finetune.sh`` makes. DATA is its test file: sentences, pairs (with a column ``sentence2``),
or, of a tagger, sentences with a word and its tag in each line. The number that is explained is the margin of the
predicted label over the next one; for tags that of an entity's tag, where the model tells it rightly, over ``O``. Each
seed draws texts of its own, the random explanations, and the noise of SmoothGrad. Texts are evaluated in portions; what
is finished is kept in FOLDER2, and the same command goes on. It ends with ``trust.json``: for every measure and method
the mean over all texts with its 95 % interval, the means of each seed, and the processor's seconds per text.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shares import about

import exegesis
from exegesis.authoring import SCORES, Answers, Case, Given, Score, Way, bits, measure
from exegesis.data.examples import read_examples
from exegesis.data.tagged import read_tagged
from exegesis.statistics.bootstrap import spread

OUTSIDE = "O"  # the tag of no entity
METHODS = (
    "lrp",
    "lrp:attention=constant",
    "integrated-gradients",
    "deeplift",
    "gradient-x-input",
    "gradient",
    "smoothgrad",
    "attention-relevance",
    "leave-one-out",
)
MEASURES = ("masked", "masked:how=drop")
PORTION = 8


@measure("masked", question="does the probability fall without the top words?", paper="", higher=True, controls=SCORES)
@dataclass(frozen=True)
class Masked:
    """The label's probability less its mean without the top 10, 20, 30 and 50 % of words, at least one each."""

    how: Way = "mask"

    def asks(self, case: Case, given: Given) -> list[int]:
        counts = [max(1, round(share * case.count)) for share in (0.1, 0.2, 0.3, 0.5)]
        return [bits(given.order()[count:]) for count in counts]

    def score(self, case: Case, given: Given, answers: Answers) -> Score:
        return Score(case.chance - float(answers.chance.mean()))


Raw = str | tuple[str, str]
SHORTEST = 4  # words of a text


def texts_of(file: Path) -> list[Raw]:
    """Sentences, or pairs of them, without the shortest."""
    with file.open(encoding="utf-8") as lines:
        paired = "sentence2" in next(lines).rstrip().split("\t")
    rows = read_examples(file, text="sentence1", pair="sentence2", header=True) if paired else read_examples(file)
    parts = [(row.text, row.text if isinstance(row.text, tuple) else (row.text,)) for row in rows]
    return [text for text, own in parts if min(len(part.split()) for part in own) >= SHORTEST]


def entities(file: Path, model: Any, draws: np.random.Generator, count: int) -> list[Raw]:
    """Sentences with a word that belongs to an entity and is tagged so, in drawn order."""
    found: list[Raw] = []
    rows = [row for row in read_tagged(file) if len(row.words) >= SHORTEST and set(row.tags) != {OUTSIDE}]
    for row in (rows[n] for n in draws.permutation(len(rows))):
        text, words = " ".join(row.words), [n for n, tag in enumerate(row.tags) if tag != OUTSIDE]
        word = words[int(draws.integers(len(words)))]
        start = len(" ".join(row.words[:word])) + bool(word)
        read = model.read((text, "#0"))
        places = [n for n, own in enumerate(read.words) if read.characters(own)[0] == start]
        if len(found) < count and places and top(model, (text, f"#{places[0]}"))[0] == row.tags[word]:
            found.append((text, f"#{places[0]}"))
    return found


def top(model: Any, text: Raw) -> tuple[str, str]:
    """The predicted label and the one it is held against: ``O`` for a tag, the next most probable one otherwise."""
    (told,) = exegesis.predict(model, [text])
    first, second = sorted(told, key=lambda label: -told[label])[:2]
    return first, OUTSIDE if OUTSIDE in told and first != OUTSIDE else second


def portion(model: Any, texts: Sequence[Raw], seed: int, methods: Sequence[str]) -> dict[str, Any]:
    """The numbers of texts by measure and method, and what each method took."""
    numbers: dict[str, dict[str, list[float]]] = {}
    tops = [top(model, text) for text in texts]
    for labels in sorted(set(tops)):
        own = [text for text, told in zip(texts, tops, strict=True) if told == labels]
        target = f"margin:{labels[0]},{labels[1]}"
        result = exegesis.evaluate(model, own, list(methods), list(MEASURES), target=target, seed=seed)
        names = [*methods, *(control.name for control in result.methods[len(methods) :])]
        for told in result.measures:
            for name, method in zip(names, result.methods, strict=True):
                found = result.of(told.name, method.name).tolist()
                numbers.setdefault(told.name, {}).setdefault(name, []).extend(found)
    seconds = {}
    for method in methods:
        start = time.process_time()
        exegesis.explain(model, list(texts), method)
        seconds[method] = (time.process_time() - start) / len(texts)
    return {"numbers": numbers, "seconds": seconds, "texts": len(texts), "seed": seed}


def summary(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means with intervals over the sentences of all portions."""
    told: dict[str, Any] = {}
    for name in parts[0]["numbers"]:
        told[name] = {}
        for method in parts[0]["numbers"][name]:
            of_seeds: dict[int, list[float]] = {}
            for part in parts:
                of_seeds.setdefault(part["seed"], []).extend(part["numbers"][name].get(method, []))
            values = np.array([value for own in of_seeds.values() for value in own])
            values = values[np.isfinite(values)]
            found = spread(values, np.arange(len(values)), seed=0)
            told[name][method] = {
                "mean": [round(number, 4) for number in (found.mean, found.mean_low, found.mean_high)],
                "of seeds": [round(float(np.nanmean(own)), 4) for own in of_seeds.values()],
            }
    methods = parts[0]["seconds"]
    seconds = {method: round(float(np.median([part["seconds"][method] for part in parts])), 4) for method in methods}
    return {"means": told, "seconds per text": seconds, "texts": sum(part["texts"] for part in parts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model, each, parts = exegesis.load(options.model), options.texts // options.seeds, []
    tagged = OUTSIDE in model.labels
    rows = [] if tagged else texts_of(options.data)
    drawn: list[list[Raw]] = []
    for seed in range(options.seeds):
        draws = np.random.default_rng(seed)
        drawn.append(
            entities(options.data, model, draws, each) if tagged else [rows[n] for n in draws.permutation(len(rows))]
        )
    for at in range(0, each, PORTION):
        for seed, texts in enumerate(drawn):
            file = options.out / f"seed {seed}, portion {at}.json"
            if not file.exists():
                found = portion(model, texts[at : min(at + PORTION, each)], seed, options.methods)
                file.write_text(json.dumps(found))
            parts.append(json.loads(file.read_text()))
            told = {**about(seeds=options.seeds), "model": Path(options.model).name, **summary(parts)}
            (options.out / "trust.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
