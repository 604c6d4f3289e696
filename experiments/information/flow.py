"""How what every layer holds changes while a model is trained (Guan et al. 2019, Figure 9 and the third takeaway).

    python experiments/information/flow.py --data sst2 --texts 16 --epochs 6 --out OUT [--train N]
    python experiments/information/flow.py --data sst2 --texts 4 --states BEFORE AFTER --out OUT

The four-layer LSTM of ``train.sh`` is trained anew, and ``exegesis.information`` measures the texts before the first
epoch (0) and after each, by the hook that ``exegesis train --information`` uses. ``change`` is the mutual information
of a text's words and a layer less that before the training, H₀(X|s) - H(X|s) of Eq. 2, in nats of a dimension of a
word's vector, over the texts in which every word has a minimum at both. Word vectors are trained too, so that H(X) is
not the constant that the paper has: ``beyond scale`` is the change of log(spread of the word vectors / σ), which their
growth leaves alone. With ``--train 704`` an epoch has that many texts, 22 steps, so that the very beginning is seen.
With ``--states`` nothing is trained: folders of one model before and after (a fine-tuned encoder) are measured.
``expansion`` is its change in the first epoch, ``compression`` its change from there to the last.

OUT gets ``flow.jsonl``, ``flow.json`` and ``figure9.svg``; means over texts with 95 % intervals of a bootstrap.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import exegesis
from exegesis.data.splits import read_splits
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.folder import TrainedClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train

sys.path.insert(0, str(Path(__file__).parent))
from corpus import Rows, arguments, interval, sentences, write
from drawings import draw_curves

CONFIG = RecurrentConfig(cell="lstm", bidirectional=True, layers=4, readout="max", embedding=64, hidden=32)


def held(model: Any, raw: str, reference: list[str]) -> dict[str, Any]:
    """Of each layer, the mean over a text's words of log σ (NaN where one has no minimum) and of log(spread / σ)."""
    found = exegesis.information(model, raw, "all", reference=reference)
    whole = np.array([set(states) <= {"minimum", "discarded"} for states in found.states])
    logs = np.where(whole, np.log(found.sigma).mean(1), np.nan)
    return {"layers": found.layers, "log sigma": logs.tolist(), "held": (np.log(found.cap) - logs).tolist()}


def changes(rows: list[list[dict[str, Any]]], name: str, sign: float) -> np.ndarray:
    """The change of a number since the first epoch, ``[epoch, text, layer]``; ``rows`` are those of each epoch."""
    values = np.array([[row[name] for row in epoch] for epoch in rows])
    return sign * (values - values[:1])


def intervals(values: np.ndarray) -> list[list[float]]:
    """The mean over texts of ``[epoch, text]`` with its interval, epoch by epoch."""
    return [interval(row.tolist()) for row in values]


def main() -> None:
    """Train, measuring what is missing, then the numbers and the picture."""
    parser = arguments(__doc__, models="", texts=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--train", type=int, default=None)
    parser.add_argument("--states", nargs="*", type=Path, default=[])
    asked = parser.parse_args()
    splits = read_splits(asked.data, {"dev": None, "test": None})
    parts = [splits[name].examples for name in ("train", "dev", "test")]
    parts[0] = parts[0][: asked.train]
    asked.data = Path(asked.data) / "test.tsv"
    texts, reference = sentences(asked)
    kept, rows = Rows(asked.out / "flow.jsonl"), list[list[dict[str, Any]]]()

    def take(name: str, model: Any) -> None:
        rows.append(kept.measure(name, texts, lambda raw: held(model, raw, reference)))

    def each(number: int, trained: TrainedClassifier) -> None:
        labels, vocabulary = trained.labels, trained.vocabulary
        take(f"epoch {number}", exegesis.wrap(trained.module, vocabulary=vocabulary, labels=labels, name=f"{number}"))

    answer: dict[str, Any] = {"texts": len(texts)}
    for folder in asked.states:
        take(folder.name, exegesis.load(folder))
    if not asked.states:
        options = TrainOptions(epochs=asked.epochs, patience=asked.epochs, minimum_count=2)
        result = train(*parts, config=CONFIG, options=options, each=each)
        answer["development accuracy"] = [one.dev_accuracy for one in result.history]
    layers, since, beyond = rows[0][0]["layers"], changes(rows, "log sigma", -1.0), changes(rows, "held", 1.0)
    for at, layer in enumerate(layers):
        answer[layer] = {
            "change": intervals(since[:, :, at]),
            "beyond scale": intervals(beyond[:, :, at]),
            "expansion": interval(beyond[1, :, at].tolist()),
            "compression": interval((beyond[-1] - beyond[1])[:, at].tolist()),
            "texts": int(np.isfinite(beyond[:, :, at]).all(0).sum()),
        }
    write(asked.out / "flow.json", answer)
    axes = {
        "xlabel": "epochs of training",
        "ylabel": "change of what is held\n(nats of a dimension of a word)",
        "xticks": range(len(rows)),
    }
    draw_curves(asked.out / "figure9.svg", {layer: np.array(answer[layer]["beyond scale"]) for layer in layers}, axes)


if __name__ == "__main__":
    main()
