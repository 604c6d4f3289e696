"""Tables 4 and 5: which clause and which adjective each method scores higher, for every trained model.

    python experiments/reat/tables.py DATA --models runs/reat --out experiments/reat
    python experiments/reat/tables.py DATA --texts runs/yelp --models runs/reat-yelp --out experiments/reat/yelp

DATA holds ``sst2`` and ``opinion-lexicon``; the models are those of ``train.sh``, the texts those they were tested on.
Table 4: scores of the two clauses
for the predicted class; the probability lost without each clause is kept too, so that Eq. 23 is a choice of one of two
numbers. Table 5: scores of the two adjectives for the positive class (Eq. 24). ``numbers.json`` is written after
every method; the same command goes on with what is missing. ``report.py`` makes the tables of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import norms  # registers path-gradient
import numpy as np
from cases import Case, joined_by_but, of_both_opinions
from methods import SIX

import exegesis
from exegesis.core.disk.files import write_whole
from exegesis.core.text import Text
from exegesis.data.examples import read_examples
from exegesis.engine.methods import make
from exegesis.engine.run import run
from exegesis.models.trained.card import machine
from exegesis.protocols.target import ask

# row of the tables: method, its parameters, kind of number explained; "|...|" are magnitudes. The paper's six first.
METHODS: dict[str, tuple[str, dict[str, Any], str]] = {
    **SIX,
    # added here
    "|InteGrad|": ("integrated-gradients", {}, "logit"),
    "Norm of InteGrad": (norms.NAME, {}, "logit"),
    "REAT (margin)": ("reat", {}, "margin"),
    "LRP-all": ("lrp", {"product": "all"}, "logit"),
    "CD": ("contextual-decomposition", {}, "logit"),
    "DeepLIFT": ("deeplift", {}, "logit"),
    "Leave-one-out": ("leave-one-out", {}, "probability"),
    "Shapley": ("shapley", {"samples": 24}, "probability"),
}
DIRECT = ("CD",)  # scores a clause itself; every other row adds its words, as the paper does


def target(kind: str, label: str, labels: Sequence[str]) -> str:
    """The number explained, as ``explain`` reads it."""
    other = next(one for one in labels if one != label)
    return f"margin:{label},{other}" if kind == "margin" else f"{kind}:{label}"


def scores(model: Any, name: str, cases: Sequence[Case], label: str) -> np.ndarray:
    """What a method gives the two places of each text, for one label: ``[texts, 2]``."""
    method, parameters, kind = METHODS[name]
    texts = [model.read(" ".join(case.words)) for case in cases]
    places = {text.raw: (case.first, case.second) for text, case in zip(texts, cases, strict=True)}

    def spans(text: Text) -> list[tuple[str, Any]]:
        return [("part", text.over(place)) for place in places[text.raw]]

    asked = ask(target(kind, label, model.labels), model.labels, model.link)
    found = np.zeros((len(cases), 2))
    for row, result in run(model, texts, make(method, parameters), asked, spans if name in DIRECT else None):
        if name in DIRECT:
            found[row] = result.at("part").scores
        else:
            words = np.abs(result.scores) if name.startswith("|") else result.scores
            found[row] = [words[slice(*place)].sum() for place in (cases[row].first, cases[row].second)]
    return found


def prepared(model: Any, cases: Sequence[Case]) -> dict[str, Any]:
    """The predicted label of each text, its probability, and what that loses without either clause."""
    parts = [
        exegesis.predict(model, texts)
        for texts in (
            [" ".join(case.words) for case in cases],
            [case.without(case.first) for case in cases],
            [case.without(case.second) for case in cases],
        )
    ]
    labels = [max(chances, key=chances.__getitem__) for chances in parts[0]]
    lost = [
        [round(parts[0][row][label] - parts[side][row][label], 6) for side in (1, 2)]
        for row, label in enumerate(labels)
    ]
    return {"labels": labels, "lost": lost}


def clauses(model: Any, name: str, cases: Sequence[Case], labels: Sequence[str]) -> str:
    """For each text 0 or 1: the clause of the higher score for the predicted label (the first where they are equal)."""
    found = np.zeros(len(cases), dtype=int)
    for label in model.labels:
        rows = [row for row, one in enumerate(labels) if one == label]
        if rows:
            given = scores(model, name, [cases[row] for row in rows], label)
            found[rows] = given[:, 1] > given[:, 0]
    return "".join(map(str, found))


def matches(model: Any, name: str, cases: Sequence[Case], positive: str) -> str:
    """For each text 1 where the positive adjective scores above the negative one, for the positive label."""
    given = scores(model, name, cases, positive)
    return "".join(map(str, (given[:, 0] > given[:, 1]).astype(int)))


def accuracy(model: Any, examples: Sequence[Any]) -> float:
    predicted = exegesis.predict(model, [example.text for example in examples])
    hits = [max(p, key=p.__getitem__) == e.label for p, e in zip(predicted, examples, strict=True)]
    return float(np.mean(hits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=Path, help="folder of the data set, named sst2 or yelp [DATA/sst2]")
    parser.add_argument("--models", type=Path, required=True, help="folder of the models, lstm-0, gru-0, ...")
    parser.add_argument("--out", type=Path, required=True, help="folder of numbers.json")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--limit", type=int, help="only so many texts of either table, for a trial")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "numbers.json"
    source = given.texts or given.data / "sst2"
    tests = read_examples(source, split="test")
    results: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if results.get("limit", given.limit) != given.limit:
        parser.error(f"{path} was made with --limit {results['limit']}; take another --out")
    if results and (made := results.get("texts", "sst2")) != source.name:
        parser.error(f"{path} is of {made}'s texts; take another --out")
    results = {"texts": source.name, "limit": given.limit, "models": {}} | results
    results |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine()}
    for folder in sorted(one.parent for one in given.models.glob("*/model.safetensors")):
        model = exegesis.load(str(folder))
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
        found = results["models"].get(folder.name, {})
        texts = [model.read(example.text).word_strings() for example in tests]
        but = joined_by_but(texts)[: given.limit]
        opinions = of_both_opinions(texts, given.data / "opinion-lexicon")[: given.limit]
        if found.get("digest") != digest:  # other weights: begin again
            found = {"digest": digest, "accuracy": accuracy(model, tests), **prepared(model, but)}
            found |= {"opinions": len(opinions), "clause": {}, "match": {}, "seconds": {}}
            results["models"][folder.name] = found
        for name in given.methods:
            if name not in found["match"]:
                start = time.perf_counter()
                found["clause"][name] = clauses(model, name, but, found["labels"])
                found["match"][name] = matches(model, name, opinions, model.labels[1])
                found["seconds"][name] = round(time.perf_counter() - start, 2)
                write_whole(path, json.dumps(results) + "\n")
        print(f"{folder.name}: {found['accuracy']:.3f}, {sum(found['seconds'].values()):.0f} s", flush=True)


if __name__ == "__main__":
    main()
