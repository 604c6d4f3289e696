"""Train every selector on data with known reasons, and measure what each of them keeps.

    python compare.py DATA OUT.jsonl [--seeds N] [--first S] [--selectors A B ...] [--limit WORDS] [--train N]
        [--test N] [--epochs N] [--patience N] [--silent P] [--unit U] [--collusion]
    python compare.py --table OUT.jsonl

DATA is aspects, shortcuts (made by aspects.py with each seed), sst2, yelp or movies (below the folder that
EXEGESIS_DATA names), pairs (e-SNLI, cut) or beer (a user's own BeerAdvocate, see beer.py; EXEGESIS_DATA/beer). Each row
of OUT is one training: a run that was stopped goes on with what is missing; --first is the first seed. --table prints
means over seeds with 95 % intervals of the mean (Student's t), or the one number that there is. "whole" reads all
words: its sizes, options and seeds are those of the others, so that the difference in accuracy (column cost, by seed)
is the price of selecting.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aspects
import beer
import numpy as np
from scipy import stats

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.data.marks import marks_of
from exegesis.models.modules.wrap import wrap
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.questions.trust.measuring.people import average_precision, runs
from exegesis.results.rationale import Rationale
from exegesis.study.reasons.rationales import collusion, train_selecting

WARM = Path(tempfile.gettempdir()) / "exegesis-rationales"
SIZE, ENCODER = 30, "gru"
SHARES = {  # the part of the words that is wanted
    "aspects": 0.05, "shortcuts": 0.05, "sst2": 0.2, "yelp": 0.2, "movies": 0.1, "pairs": 0.3, "beer": 0.1
}  # fmt: skip
SELECTORS = ("whole", "lei", "lei:kind=sequential", "hardkuma", "bottleneck", "class-wise", "introspective",
             "distribution-matching", "fresh:method=leave-one-out", "diffmask", "diffmask:learned=false")  # fmt: skip
PAIRED = ("matching:share=1.0", "matching:share=0.6", "matching:share=0.3")
FREE = ("whole", "lei", "diffmask")  # that take no wanted share
SPLITS, FILES = ("train", "dev", "test"), {"dev": "val"}
Split = dict[str, list[Example]]


def data_of(name: str, asked: argparse.Namespace, seed: int) -> tuple[Split, list[Any] | None, list[Any] | None]:
    """The texts by split, what is marked in the test texts, and the shortcuts in them."""
    folder = Path(os.environ.get("EXEGESIS_DATA", ""))
    if name in ("aspects", "shortcuts"):
        with tempfile.TemporaryDirectory() as made:
            place = Path(made)
            aspects.write(place, seed, asked.train, 0.9 if name == "shortcuts" else None, asked.silent)
            parts = {split: read_examples(place / f"{split}.tsv", header=False) for split in SPLITS}
            marks = {what: _marks(place / f"test.{what}.jsonl") for what in ("marks", "shortcuts")}
        return parts, marks["marks"], marks["shortcuts"] if name == "shortcuts" else None
    sizes = {"train": asked.train, "dev": asked.test, "test": asked.test}
    if name == "sst2":
        parts = {split: read_examples(folder / "sst2" / f"{split}.tsv")[: sizes[split]] for split in SPLITS}
        return parts, None, None
    if name == "yelp":
        return yelp(folder / "yelp-polarity", sizes), None, None
    if name == "pairs":
        return paired(folder / "esnli", sizes), None, None
    if name == "beer":
        parts, found = beer.read(folder / "beer", beer.ASPECTS[0], sizes, asked.limit)
        return parts, found, None
    both = {split: movies(folder / "movies-eraser", split, sizes[split], asked.limit) for split in SPLITS}
    return {split: rows for split, (rows, _) in both.items()}, both["test"][1], None


def movies(folder: Path, split: str, count: int, limit: int) -> tuple[list[Example], list[list[list[int]]]]:
    """Reviews spread over a split, cut to so many words, with what people marked there as ranges of characters."""
    file = folder / f"{FILES.get(split, split)}.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    found, marks = [], []
    for row in rows[:: max(1, len(rows) // count)][:count]:
        words = (folder / "docs" / row["annotation_id"]).read_text("utf-8").split()[:limit]
        starts = [0, *itertools.accumulate(len(word) + 1 for word in words)]
        spans = [(part["start_token"], min(part["end_token"], len(words)))
                 for group in row["evidences"] for part in group]  # fmt: skip
        found.append(Example.of(" ".join(words), row["classification"]))
        marks.append([[starts[first], starts[last] - 1] for first, last in spans if first < last])
    return found, marks


def yelp(folder: Path, sizes: dict[str, int]) -> Split:
    """Sentences of reviews, as many of each opinion, those of the dev files to train on."""
    found: Split = {split: [] for split in SPLITS}
    for end, label in (("0", "negative"), ("1", "positive")):
        dev, test = ((folder / f"sentiment.{part}.{end}").read_text("utf-8").splitlines() for part in ("dev", "test"))
        cut = {
            "train": dev[: sizes["train"] // 2],
            "dev": dev[-(sizes["dev"] // 2) :],
            "test": test[: sizes["test"] // 2],
        }
        for split, lines in cut.items():
            found[split] += [Example.of(line, label) for line in lines if line.strip()]
    return found


def paired(folder: Path, sizes: dict[str, int]) -> Split:
    """Premises and hypotheses: those of the dev part to train on, its last for development, those of the test part."""
    found = {}
    for split in ("dev", "test"):
        first, second, labels = (
            (folder / f"{name}.{split}").read_text("utf-8").splitlines() for name in ("s1", "s2", "labels")
        )
        rows = zip(first, second, labels, strict=True)
        found[split] = [Example.of((a, b), label) for a, b, label in rows if a.strip() and b.strip()]
    return {"train": found["dev"][: sizes["train"]], "dev": found["dev"][-sizes["dev"] :],
            "test": found["test"][: sizes["test"]]}  # fmt: skip


def _marks(path: Path) -> list[list[bool]]:
    return [json.loads(line)["marks"] for line in path.read_text().splitlines()]


def measured(selector: str, name: str, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """One training and its numbers."""
    parts, marks, shortcuts = data_of(name, asked, seed)
    WARM.mkdir(exist_ok=True)
    options = TrainOptions(epochs=asked.epochs, batch=32, lr=5e-3, patience=asked.patience, seed=seed)
    plain = RecurrentConfig(cell="gru", bidirectional=True, embedding=SIZE, hidden=SIZE)
    start = time.process_time()
    spec = selector if selector.split(":")[0] in FREE or "share=" in selector else f"{selector}:share={SHARES[name]}"
    config = RationaleConfig(selector=spec, encoder=ENCODER, unit=asked.unit, embedding=SIZE, hidden=SIZE, dropout=0.1)
    with tempfile.TemporaryDirectory() as made:
        sizes = (asked.train, asked.limit, asked.epochs, asked.patience, asked.silent, seed)
        support, common = None, WARM / "-".join(map(str, (name, *sizes)))
        if common.is_file():  # what all selectors of a seed start from is trained once
            shutil.copy(common, Path(made) / "state.warm")
        if selector.startswith("diffmask"):
            given = train(parts["train"], parts["dev"], config=plain, options=options).model
            save_folder(Path(made) / "support", given, "A classifier to be masked.")
            support = str(Path(made) / "support")
        result = train_selecting(
            parts["train"], parts["dev"], parts["test"], config=config, options=options, support=support,
            checkpoint=Path(made) / "state", resume=True,
        )  # fmt: skip
        if (Path(made) / "state.warm").is_file():
            shutil.copy(Path(made) / "state.warm", common)
    seconds = time.process_time() - start
    trained = result.model
    wrapped = wrap(trained.module, vocabulary=trained.vocabulary, labels=list(trained.labels), name=selector)
    model = RationaleClassifier.of(wrapped)  # type: ignore[arg-type]
    found = exegesis.rationale(model, [one.text for one in parts["test"]])
    assert result.test is not None
    row: dict[str, Any] = {
        "accuracy": result.test.accuracy,
        "sufficiency": float(np.mean([one.sufficiency for one in found])),
        "comprehensiveness": float(np.mean([one.comprehensiveness for one in found])),
        "share": float(np.mean([one.compactness.share for one in found])),
        "runs": float(np.mean([one.compactness.runs for one in found])),
        "none": float(np.mean([not one.kept for one in found])),
        "whole": float(np.mean([one.compactness.share == 1 for one in found])),
        "epochs": len(result.history),
        "fits": result.history[result.best_epoch - 1].fits,
        "seconds": seconds,
    }
    if marks is not None:
        row |= agreement(found, marks)
    if shortcuts is not None:
        met = [any(given[n] for n in one.kept) for one, given in zip(found, shortcuts, strict=True)]
        row["shortcuts"] = float(np.mean(met))
    if asked.collusion:
        told = collusion(model, parts["train"], parts["dev"], parts["test"], config=plain, options=options)
        row |= {"reader": told.rationale, "complement": told.complement, "majority": told.majority}
    return row


def agreement(found: Sequence[Rationale], marks: Sequence[Any]) -> dict[str, float]:
    """Token F1 over all words, F1 of runs (a match is above a half, intersection over union), average precision.

    Over the texts of which some words are marked, all their words and runs together.
    """
    hits = total = matched = both = 0
    precise = []
    for one, given in zip(found, marks, strict=True):
        theirs = marks_of(one.text, given)
        if not theirs.any():
            continue
        mine = np.isin(np.arange(len(theirs)), one.kept)
        hits, total = hits + int((mine & theirs).sum()), total + int(mine.sum() + theirs.sum())
        own, due = runs(mine), runs(theirs)
        matched += sum(any(_iou(a, b) > 0.5 for b in due) for a in own)
        both += len(own) + len(due)
        if not theirs.all():
            precise.append(average_precision(one.scores, theirs))
    return {"f1": 2 * hits / max(1, total), "iou": 2 * matched / max(1, both), "auprc": float(np.mean(precise)),
            "marked": len(precise)}  # fmt: skip


def _iou(a: Any, b: Any) -> float:
    shared = max(0, min(a.stop, b.stop) - max(a.start, b.start))
    return float(shared / (a.stop - a.start + b.stop - b.start - shared))


def table(path: Path) -> str:
    """Means over seeds, each with its 95 % interval, as Markdown."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    lines = []
    for data in dict.fromkeys(map(_kind, rows)):
        own = [row for row in rows if _kind(row) == data]
        whole = {row["seed"]: row["accuracy"] for row in own if row["selector"].startswith("whole")}
        own = [row | ({"cost": whole[row["seed"]] - row["accuracy"]} if row["seed"] in whole else {}) for row in own]
        names = [name for name in ("accuracy", "cost", "f1", "iou", "auprc", "share", "none", "shortcuts",
                                   "sufficiency", "comprehensiveness", "reader", "complement", "seconds")
                 if any(name in row for row in own)]  # fmt: skip
        lines += ["", f"### {data}", "", "| " + " | ".join(["selector", "seeds", *names]) + " |",
                  "|---|" + "--:|" * (len(names) + 1)]  # fmt: skip
        for selector in dict.fromkeys(row["selector"] for row in own):
            mine = [row for row in own if row["selector"] == selector]
            cells = [_cell([row[name] for row in mine if name in row], name) for name in names]
            lines.append("| " + " | ".join([selector, str(len(mine)), *cells]) + " |")
    return "\n".join(lines[1:]) + "\n"


def _kind(row: dict[str, Any]) -> str:
    """The data of a row, in words."""
    return row["data"] + (f", --silent {row['silent']:g}" if "silent" in row else "")


def _cell(values: list[float], name: str) -> str:
    if not values:
        return ""
    digits = 0 if name == "seconds" else 3
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) < 2:
        return mean
    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean} ± {half:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", nargs="?", choices=SHARES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--selectors", nargs="*", default=None)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--train", type=int, default=800)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--patience", type=int, default=3)
    parser.add_argument("--silent", type=float, default=aspects.SILENT)
    parser.add_argument("--unit", default="word")
    parser.add_argument("--collusion", action="store_true")
    asked = parser.parse_args()
    if asked.table:
        print(table(asked.out), end="")
        return
    done = set()
    if asked.out.exists():
        done = {
            (r["data"], r["selector"], r["seed"], r["unit"], r.get("silent", asked.silent))
            for r in map(json.loads, asked.out.read_text().splitlines())
        }
    usual = ("whole:pairs=true", *PAIRED) if asked.data == "pairs" else SELECTORS
    for seed in range(asked.first, asked.first + asked.seeds):
        for selector in asked.selectors or usual:
            if (asked.data, selector, seed, asked.unit, asked.silent) in done:
                continue
            sizes = {name: getattr(asked, name) for name in ("train", "test", "limit", "epochs", "patience", "unit")}
            if asked.data in ("aspects", "shortcuts"):
                sizes["silent"] = asked.silent
            row = {"data": asked.data, "selector": selector, "seed": seed, **sizes,
                   **measured(selector, asked.data, seed, asked)}  # fmt: skip
            with asked.out.open("a") as stream:
                stream.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
