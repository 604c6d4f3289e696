"""Classifiers through concepts on sentences of SST-2: what they reach, and what their concepts are.

python experiments/concepts/sentences.py DATA [FOLDER]

The first 1,500 training sentences, 500 to choose the epoch and 500 to test; six concepts, sizes of compare.py of the
rationales. Each form and seed is kept in FOLDER/sentences.json; what is there is not done again. Kept for each: label
accuracy, the share of excerpts that a fresh classifier assigns to their concept (``study.excerpts``), concepts that are
never or always there, and the names proposed from their commonest words.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch

from exegesis import study
from exegesis.api.models import wrap
from exegesis.core.disk.files import write_whole
from exegesis.data.examples import read_examples
from exegesis.models.concept_models.model import ConceptClassifier
from exegesis.models.concept_models.names import proposed
from exegesis.models.concept_models.shape import FORMS, ConceptConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

SIZES, SEEDS = {"train": 1500, "dev": 500, "test": 500}, range(3)
OPTIONS = {"epochs": 10, "lr": 0.01, "batch": 32, "patience": 3}


def main(data: Path, folder: Path) -> None:
    path = folder / "sentences.json"
    runs = json.loads(path.read_text()) if path.exists() else {}
    parts = {split: read_examples(data / "sst2" / f"{split}.tsv")[:count] for split, count in SIZES.items()}
    for seed, form in product(SEEDS, FORMS):
        name, start = f"{form} seed {seed}", time.process_time()
        if name in runs:
            continue
        shape = ConceptConfig(form=form, concepts=6, embedding=30, hidden=30, dropout=0.1)
        options = TrainOptions(seed=seed, **OPTIONS)
        result = train(parts["train"], parts["dev"], parts["test"], config=shape, options=options)
        wrapped = wrap(result.model.module, vocabulary=result.model.vocabulary, labels=result.model.labels, name=name)
        model = ConceptClassifier.of(wrapped)
        page = study.excerpts(model, parts["test"])
        assert result.test is not None
        runs[name] = {
            "accuracy": result.test.accuracy, "epochs": len(result.history),
            "recognised": page.recognised if np.isfinite(page.recognised) else None,
            "dead": sum(one.state == "dead" for one in page.concepts),
            "always": sum(one.state == "always" for one in page.concepts),
            "names": list(proposed(result.model, parts["train"])), "processor seconds": time.process_time() - start,
        }  # fmt: skip
        write_whole(path, json.dumps(runs, indent=1) + "\n")
        print(name, json.dumps(runs[name]), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)
