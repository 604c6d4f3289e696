"""Which method should ``exegesis.explain`` take when none is named? Every candidate on seven kinds of model.

    python experiments/default-method/default.py DATA --out FOLDER [--texts 100]

DATA holds ``train.tsv``, ``dev.tsv`` and ``test.tsv`` of SST-2 (sentence and 0 or 1). Trains recurrent models of four
kinds, a CNN and a Transformer, evaluates the candidates on test sentences of each and on the bundled model, and
writes ``default.json``. What is finished is kept in FOLDER; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn

import exegesis
from exegesis.data.examples import Example, read_examples
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.card import machine
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.protocols.model import Classifier

CANDIDATES = ("reat", "lrp", "deeplift", "integrated-gradients", "gradient-x-input", "leave-one-out")
RECURRENT = {
    "LSTM, last state": RecurrentConfig(cell="lstm", readout="last"),
    "GRU, last state": RecurrentConfig(cell="gru", readout="last"),
    "BiLSTM, maximum": RecurrentConfig(cell="lstm", bidirectional=True, readout="max"),
    "BiGRU, attention": RecurrentConfig(cell="gru", bidirectional=True, readout="attention"),
}
SEED = 0


class Convolutional(nn.Module):
    """Kim's CNN: kernels of three widths over word vectors, the maximum over places, a linear layer."""

    def __init__(self, words: int, labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 100, padding_idx=0)
        self.kernels = nn.ModuleList(nn.Conv1d(100, 60, width, padding=width - 1) for width in (2, 3, 4))
        self.dropout, self.output = nn.Dropout(0.5), nn.Linear(180, labels)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embedding(ids).transpose(1, 2)
        found = torch.cat([kernel(vectors).relu().amax(2) for kernel in self.kernels], 1)
        return self.output(self.dropout(found))


class Attentive(nn.Module):
    """Two layers of a Transformer encoder over word vectors and learned positions, the mean of the states."""

    def __init__(self, words: int, labels: int) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(words, 100, padding_idx=0), nn.Embedding(80, 100)
        layer = nn.TransformerEncoderLayer(100, 4, 200, dropout=0.3, batch_first=True)
        self.encoder, self.output = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(100, labels)

    def forward(self, ids: Tensor) -> Tensor:
        padding = ids == 0
        vectors = self.embedding(ids) + self.positions(torch.arange(ids.shape[1]))
        states = self.encoder(vectors, src_key_padding_mask=padding).masked_fill(padding[:, :, None], 0)
        return self.output(states.sum(1) / (~padding).sum(1, keepdim=True))


def fitted(make: Callable[[int, int], nn.Module], parts: Sequence[list[Example]], name: str) -> Classifier:
    """A module of the user's own kind, trained with Adam while the development accuracy rises, and wrapped."""
    torch.manual_seed(SEED)
    texts, dev, _ = parts
    vocabulary = Vocabulary.from_texts([example.text for example in texts])
    labels = sorted({example.label for example in texts})

    def batch(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        rows = [torch.tensor(vocabulary.read(example.text).ids[:80]) for example in examples]
        gold = torch.tensor([labels.index(example.label) for example in examples])
        return nn.utils.rnn.pad_sequence(rows, batch_first=True), gold

    module, best, kept, waited = make(len(vocabulary), len(labels)), 0.0, {}, 0
    optimiser = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(12):
        module.train()
        for rows in torch.randperm(len(texts)).split(64):
            ids, gold = batch([texts[row] for row in rows.tolist()])
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(ids), gold).backward()
            optimiser.step()
        module.eval()
        with torch.no_grad():
            ids, gold = batch(dev)
            share = float((module(ids).argmax(1) == gold).float().mean())
        if share > best:
            best, kept, waited = share, {key: value.clone() for key, value in module.state_dict().items()}, 0
        elif (waited := waited + 1) == 3:
            break
    module.load_state_dict(kept)
    return exegesis.wrap(module.eval(), vocabulary=vocabulary, labels=labels, name=name)


def recurrent(config: RecurrentConfig, parts: Sequence[list[Example]], name: str) -> Classifier:
    """A model as ``exegesis train`` makes it."""
    result = train(parts[0], parts[1], config=config, options=TrainOptions(epochs=6, patience=1, seed=SEED))
    trained = result.model
    return exegesis.wrap(trained.module, vocabulary=trained.vocabulary, labels=trained.labels, name=name)


def evaluated(model: Classifier, test: Sequence[Example], count: int) -> dict[str, Any]:
    """The candidates' measures, ranks and times on the first ``count`` test sentences of two words or more."""
    texts = [example.text for example in test if len(str(example.text).split()) > 1][:count]
    able = {card.name for card in exegesis.methods(model)}
    names = [name for name in CANDIDATES if name in able]
    gold = dict(zip(sorted({str(example.label) for example in test}), model.labels, strict=True))
    right = [
        max(found, key=lambda label: found[label]) == gold[str(example.label)]
        for found, example in zip(exegesis.predict(model, [example.text for example in test]), test, strict=True)
    ]
    result = exegesis.evaluate(model, texts, names)
    tallies = {name: result.above_random(name) for name in names}
    return {
        "accuracy": sum(right) / len(right),
        "ranking": list(result.ranking()),
        "advice": result.advice(),
        "above random": {name: [tally.won, tally.made] for name, tally in tallies.items()},
        "table": result.table(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=100)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sst = [read_examples(options.data / f"{part}.tsv") for part in ("train", "dev", "test")]
    models: dict[str, Callable[[], Classifier]] = {"bundled": exegesis.load}
    for name, config in RECURRENT.items():
        models[name] = partial(recurrent, config, sst, name)
    models["CNN"] = partial(fitted, Convolutional, sst, "CNN")
    models["Transformer"] = partial(fitted, Attentive, sst, "Transformer")
    for name, make in track(models.items(), "models", total=len(models)):
        file = options.out / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(evaluated(make(), sst[2], options.texts), indent=1))
    found = {name: json.loads((options.out / f"{name}.json").read_text()) for name in models}
    about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "texts": options.texts, "seed": SEED}
    (options.out / "default.json").write_text(json.dumps({**about, "models": found}, indent=1))


if __name__ == "__main__":
    main()
