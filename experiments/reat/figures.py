"""Figures 4 to 8, Tables 6 and 7 and the checks of Figure 9 of the REAT paper, on the models of ``train.sh``.

    python experiments/reat/figures.py DATA --models runs/reat --out experiments/reat/figures

DATA holds ``sst2``; the models are ``lstm-0``, ``gru-0``, ... ``numbers.json`` is written after every part of every
model; the same command goes on with what is missing. Pictures are drawn at the end. ``figures_report.py`` makes the
tables of FIGURES.md of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import figure_faults as faults
import figure_maps as maps
import figure_swaps as swaps
import figure_words as words

import exegesis
from exegesis.core.disk.files import write_whole
from exegesis.data.examples import Example, read_examples
from exegesis.models.trained.card import machine
from exegesis.models.trained.folder import load_folder


class Texts(NamedTuple):
    """SST-2's parts."""

    train: Sequence[Example]
    dev: Sequence[Example]
    test: Sequence[Example]

    @property
    def all(self) -> list[Example]:
        return [*self.train, *self.dev, *self.test]


def failing(model: Any, texts: Texts) -> dict[str, Any]:
    """Failures, with what the training data and other methods say of them."""
    found = faults.failures(model, texts.test, texts.train)
    known = faults.known_of(model, texts.train)
    return {"failures": faults.failure_numbers(found, known), "cured": faults.cured_by(model, texts.test)}


def found_swaps(model: Any, texts: Texts) -> dict[str, Any]:
    """Swaps of the causes of failures, in their texts and in others."""
    found = faults.failures(model, texts.test, texts.train)
    return {"like": faults.like_cases(model, found), "transfers": faults.transfers(model, found, texts.test)}


PARTS: dict[str, Callable[[Any, Texts], Any]] = {
    "figure4": lambda model, _: maps.methods_on_a_sentence(model),
    "figure5": lambda model, _: maps.one_sentence(model),
    "figure6": lambda model, _: maps.levels(model),
    "figure7": lambda model, texts: words.classes(model, texts.test, "reat"),
    "figure7 by NaiveREAT": lambda model, texts: words.classes(model, texts.test, "naive-reat"),
    "figure8": lambda model, texts: words.use_numbers(model, texts.test, texts.all),
    "table6": lambda model, _: swaps.schweiger(model),
    "table7": lambda model, texts: swaps.extremely(model, texts.test),
    "degrees": lambda model, texts: swaps.degree_swaps(model, swaps.degrees(texts.test)),
    "failing": failing,
    "found swaps": found_swaps,
}
OF_LSTM = ("found swaps",)  # the paper's model; the others would take as long again


def loaded(folder: Path) -> Any:
    """A model of ``train.sh``, its labels 0 and 1 by their names."""
    kept = load_folder(folder)
    return exegesis.wrap(
        kept.module, vocabulary=kept.vocabulary, labels=("negative", "positive"), name=folder.name.upper()
    )


def rounded(value: Any) -> Any:
    """Plain values with six places."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="folder of the models, lstm-0, gru-0, ...")
    parser.add_argument("--out", type=Path, required=True, help="folder of numbers.json and the pictures")
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=list(PARTS))
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "numbers.json"
    texts = Texts(*(read_examples(str(given.data / "sst2" / f"{part}.tsv")) for part in Texts._fields))
    results: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"models": {}}
    results |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine()}
    results["behind"] = words.behind(texts.test)
    results["training"] = swaps.training_counts(texts.train)
    folders = sorted((one.parent for one in given.models.glob("*/model.safetensors")), reverse=True)  # LSTM first
    models = {folder.name: loaded(folder) for folder in folders}
    for name, model in models.items():
        digest = hashlib.sha256((given.models / name / "model.safetensors").read_bytes()).hexdigest()[:16]
        found = results["models"].get(name, {})
        if found.get("digest") != digest:  # other weights: begin again
            found = results["models"][name] = {"digest": digest}
        start = time.perf_counter()
        for part in given.only:
            if part not in found and (part not in OF_LSTM or name.startswith("lstm-")):
                found[part] = PARTS[part](model, texts)
                write_whole(path, json.dumps(rounded(results)) + "\n")
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    maps.pictures(models, given.out)
    words.pictures(rounded(results["models"]), models, texts.all, given.out)
    swaps.pictures(models["lstm-0"], given.out)
    faults.picture(models["lstm-0"], texts.test, texts.train, given.out)


if __name__ == "__main__":
    main()
