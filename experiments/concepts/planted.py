"""Classifiers through concepts on planted concepts: are they found, told apart, and the same from seed to seed?

python experiments/concepts/planted.py [FOLDER]

1,500 seeded texts of 6 to 11 fillers; each of three concepts is there with a chance of 0.4, as one of four phrases;
the label says which are there (eight labels). For each form, number of concepts and seed: label accuracy on further
texts, concept accuracy (the share of texts in which a concept's presence is that of the planted one, matched by
assignment), how much of the excerpts a fresh classifier recognises, dead concepts, and how far presences agree with
those of seed 0 after matching. Every run is kept in FOLDER/planted.json; runs that are there are not done again.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from exegesis import study
from exegesis.api.models import wrap
from exegesis.core.disk.files import write_whole
from exegesis.data.examples import Example
from exegesis.models.concept_models.model import ConceptClassifier
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

PLANTED = (
    ("warm bread", "fresh soup", "good cake", "crisp salad"),
    ("slow waiter", "rude staff", "long wait", "cold welcome"),
    ("loud room", "dark hall", "old chairs", "dusty floor"),
)
FILLING = [f"f{number}" for number in range(60)]
SEEDS, COUNTS, FORMS = range(5), (3, 6), ("educe", "conrat")
OPTIONS = {"epochs": 30, "lr": 0.01, "batch": 32, "patience": 30}  # penalties act on after all labels are told


def texts(count: int, seed: int) -> tuple[list[Example], np.ndarray]:
    """Texts with their labels, and which planted concepts are there."""
    draw, found, there = np.random.default_rng(seed), [], []
    for _ in range(count):
        flags = draw.random(3) < 0.4
        words = [FILLING[n] for n in draw.integers(0, 60, draw.integers(6, 12))]
        for concept in np.flatnonzero(flags):
            words.insert(int(draw.integers(0, len(words) + 1)), PLANTED[concept][draw.integers(0, 4)])
        label = "".join("ABC"[c] if flag else "-" for c, flag in enumerate(flags))
        found.append(Example.of(" ".join(words), label))
        there.append(flags)
    return found, np.array(there)


def presences(model: ConceptClassifier, examples: list[Example]) -> np.ndarray:
    """Which concepts are present in each text."""
    decision = model.decide(model.encode([model.read(str(one.text)) for one in examples]))
    return decision.present.numpy()


def agreement(found: np.ndarray, other: np.ndarray) -> tuple[float, list[float]]:
    """The mean and all shares of texts in which matched concepts agree."""
    shares = np.array([[(a == b).mean() for b in other.T] for a in found.T])
    rows, columns = linear_sum_assignment(-shares)
    return float(shares[rows, columns].mean()), shares[rows, columns].tolist()


def main(folder: Path) -> None:
    path = folder / "planted.json"
    runs = json.loads(path.read_text()) if path.exists() else {}
    (training, _), (tests, there) = texts(1500, 0), texts(300, 1)
    base = max(np.mean([one.label == label for one in tests]) for label in {one.label for one in tests})
    first: dict[str, np.ndarray] = {}
    for form, count, seed in product(FORMS, COUNTS, SEEDS):
        name, group = f"{form} {count} seed {seed}", f"{form} {count}"
        if name in runs:
            first.setdefault(group, np.array([[bit == "1" for bit in row] for row in runs[name]["present"].split()]))
            continue
        start = time.process_time()
        shape = ConceptConfig(form=form, concepts=count, longest=2, share=0.06, embedding=32, hidden=32)
        result = train(training, tests[:150], config=shape, options=TrainOptions(seed=seed, **OPTIONS), last=True)
        wrapped = wrap(result.model.module, vocabulary=result.model.vocabulary, labels=result.model.labels, name=name)
        model = ConceptClassifier.of(wrapped)
        page, present = study.excerpts(model, tests[150:]), presences(model, tests)
        first.setdefault(group, present)
        runs[name] = {
            "accuracy": page.accuracy, "majority": float(base),
            "concept accuracy": agreement(there, present)[1],
            "recognised": page.recognised if np.isfinite(page.recognised) else None,
            "dead": sum(one.state == "dead" for one in page.concepts),
            "always": sum(one.state == "always" for one in page.concepts),
            "agrees with seed 0": agreement(first[group], present)[0],
            "epochs": len(result.history), "processor seconds": time.process_time() - start,
            "present": " ".join("".join("01"[bit] for bit in row) for row in present.astype(int)),
        }  # fmt: skip
        write_whole(path, json.dumps(runs, indent=1) + "\n")
        told = {key: value for key, value in runs[name].items() if key != "present"}
        print(name, json.dumps(told, default=float), flush=True)
    for group in dict.fromkeys(f"{form} {count}" for form, count in product(FORMS, COUNTS)):
        own = [runs[f"{group} seed {seed}"] for seed in SEEDS]
        found = np.array([run["concept accuracy"] for run in own])
        print(
            f"{group}: accuracy {np.mean([run['accuracy'] for run in own]):.3f} "
            f"({min(run['accuracy'] for run in own):.3f} to {max(run['accuracy'] for run in own):.3f}), "
            f"planted concepts found (> 0.95): {(found > 0.95).sum()} of {found.size}, "
            f"mean concept accuracy {found.mean():.3f}, agreement with seed 0 "
            f"{np.mean([run['agrees with seed 0'] for run in own[1:]]):.3f}"
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    main(folder)
