"""Influence of training texts on a fine-tuned encoder against retraining: the linear datamodelling score.

    python experiments/influence/minilm.py --base MINILM --data DATA --kept FOLDER --out FILE

MiniLM (6 layers, 22 M weights) is fine-tuned on a cut of SST-2 (sentences of at most 15 words), then again on random
halves of it, with the order and the time of each text unchanged: a text that is left out counts nothing in its batch.
Its last ``--layers`` layers, pooler and head are trained, and the layers below them stay as they are, so that what
these make of the texts is computed once and a fine-tuning takes a fifth of the time (``--layers 6`` trains all but the
word vectors). The same weights are those that methods take for free. Each half is trained from several
seeds (of the head and of the order); methods see the model of the first seed and all texts. A method's score and
``ceiling`` are as in ``lds.py``. What is finished is kept in FOLDER and FILE, and the same command goes on. Times are
of the processor, one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judging import Rows, agreement, arguments, bm25, halves_of, interval, noise, scored, sst2, table
from torch import Tensor, nn

import exegesis
from exegesis.data.examples import Example

LONGEST = 15  # words of a sentence
SIDES = ("negative", "positive")
TOP = "bert.pooler classifier"
# ``weights`` of "" stand for all that are trained. Conjugate gradients on those of a whole layer would take hours: a
# product is 120 Gflop for each query, of which there are 20, in some 50 steps.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "nearest": ("nearest", {"k": 100_000}),
    "influence-functions, pooler and head": ("influence-functions", {"weights": TOP}),
    "gradient-similarity": ("gradient-similarity", {"weights": ""}),
    "influence-functions, EK-FAC": ("influence-functions", {"weights": "", "solver": "ek-fac"}),
    "random-projections": ("random-projections", {"weights": "", "width": 16}),
    "gradient-similarity, cosine": ("gradient-similarity", {"weights": "", "measure": "cosine"}),
    "influence-functions, pooler and head, damping / 10": ("influence-functions", {"weights": TOP, "share": 0.01}),
    "fast-influence, pooler and head": ("fast-influence", {"weights": TOP, "k": 500}),
}


class Given(nn.Module):
    """In the place of embeddings: the states that are given, as they are."""

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **_: Any) -> Tensor:
        assert inputs_embeds is not None
        return inputs_embeds


class Encoder:
    """MiniLM with a head for two labels, of which the last layers, the pooler and the head are trained."""

    def __init__(self, base: str, layers: int) -> None:
        import transformers

        self.tokenizer = transformers.AutoTokenizer.from_pretrained(base)
        self.module = transformers.AutoModelForSequenceClassification.from_pretrained(
            base, num_labels=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
            id2label=dict(enumerate(SIDES)), label2id={side: number for number, side in enumerate(SIDES)},
        )  # fmt: skip
        self.module.eval().requires_grad_(False)
        whole = self.module.bert
        self.lower, self.all = whole.embeddings, whole.encoder.layer
        self.under = len(self.all) - layers
        self.upper = nn.ModuleList(list(self.all)[self.under :])
        self.trained = nn.ModuleList([self.upper, whole.pooler, self.module.classifier])
        self.trained.requires_grad_(True)
        self.first = {name: value.clone() for name, value in self.trained.state_dict().items()}

    def weights(self) -> str:
        """The names of what is trained, as methods take them."""
        return " ".join([*(f"bert.encoder.layer.{number}" for number in range(self.under, len(self.all))), TOP])

    def states(self, texts: list[str]) -> list[Tensor]:
        """What the layers that are not trained make of each text."""
        found: list[Tensor] = [torch.empty(0)] * len(texts)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        with torch.no_grad():
            for start in range(0, len(order), 64):
                rows = order[start : start + 64]
                read = self.tokenizer([texts[row] for row in rows], return_tensors="pt", padding=True)
                made = self.module.bert(**read, output_hidden_states=True).hidden_states[self.under]
                for row, state, mask in zip(rows, made, read["attention_mask"], strict=True):
                    found[row] = state[: int(mask.sum())].clone()
        return found

    def outputs(self, states: list[Tensor]) -> Tensor:
        """The logits from states, by the trained part alone."""
        embeds = nn.utils.rnn.pad_sequence(states, batch_first=True)
        mask = nn.utils.rnn.pad_sequence([torch.ones(len(state)) for state in states], batch_first=True)
        whole = self.module.bert
        whole.embeddings, whole.encoder.layer = Given(), self.upper
        try:
            made: Tensor = self.module(inputs_embeds=embeds, attention_mask=mask.long()).logits
        finally:
            whole.embeddings, whole.encoder.layer = self.lower, self.all
        return made

    def fit(
        self, states: list[Tensor], gold: Tensor, absent: frozenset[int], seed: int, given: argparse.Namespace
    ) -> None:
        """Train from the first weights and a new head, by AdamW in batches of 32, without some texts."""
        self.trained.load_state_dict(self.first)
        draws = torch.Generator().manual_seed(seed)
        self.module.classifier.weight.data.normal_(0, 0.02, generator=draws)
        self.module.classifier.bias.data.zero_()
        optimizer = torch.optim.AdamW(self.trained.parameters(), lr=given.rate, weight_decay=0.0)
        for _ in range(given.epochs):
            order = torch.randperm(len(states), generator=draws).tolist()
            for start in range(0, len(order), 32):
                rows = [row for row in order[start : start + 32] if row not in absent]
                if not rows:
                    continue
                raw = self.outputs([states[row] for row in rows])
                loss = nn.functional.cross_entropy(raw, gold[rows], reduction="sum") / 32
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()


def main() -> None:
    parser = arguments(__doc__, texts=2000, queries=20, halves=32, seeds=2, epochs=2, layers=1)
    parser.add_argument("--base", required=True)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop training after so much time of the processor")
    given = parser.parse_args()
    torch.set_num_threads(1)

    def short(part: str, count: int) -> list[Example]:
        found = sst2(given.data, part, count, lambda one: len(str(one.text).split()) <= LONGEST)
        return [Example.of(one.text, SIDES[int(str(one.label))]) for one in found]

    examples, queries = short("train", given.texts), short("test", given.queries)
    asked = [str(one.text) for one in queries]
    gold = torch.tensor([SIDES.index(str(one.label)) for one in examples])
    given.kept.mkdir(parents=True, exist_ok=True)
    whole, store = given.kept / "whole", given.kept / "halves.jsonl"
    encoder = Encoder(given.base, given.layers)
    halves = halves_of(len(examples), given.halves)
    done = [json.loads(line) for line in store.read_text().splitlines()] if store.is_file() else []
    if not (whole / "config.json").is_file() or len(done) < given.halves:
        texts, theirs = encoder.states([str(one.text) for one in examples]), encoder.states(asked)
    if not (whole / "config.json").is_file():
        encoder.fit(texts, gold, frozenset(), 0, given)
        encoder.tokenizer.save_pretrained(whole)
        encoder.module.save_pretrained(whole)
    for number in range(len(done), given.halves):
        start = time.process_time()
        if start > 60 * given.minutes:
            return
        absent = frozenset(range(len(examples))) - frozenset(halves[number].tolist())
        raw = []
        for seed in range(given.seeds):
            encoder.fit(texts, gold, absent, seed, given)
            with torch.no_grad():
                raw.append(encoder.outputs(theirs).double().tolist())
        done.append({"half": number, "outputs": raw, "seconds": time.process_time() - start})
        with store.open("a", encoding="ascii") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(f"half {number + 1} of {given.halves}: {done[-1]['seconds']:.0f} s", flush=True)

    model = exegesis.load(str(whole))
    said = exegesis.predict(model, asked)
    labels = [max(one, key=one.__getitem__) for one in said]
    raw = np.array([one["outputs"] for one in done[: given.halves]])  # [halves, seeds, queries, 2]
    sign = np.array([1.0 if label == SIDES[1] else -1.0 for label in labels])
    margins = ((raw[..., 1] - raw[..., 0]) * sign).swapaxes(0, 1)
    truths = {"log-probability": (-np.logaddexp(0, -margins)).mean(0), "margin": margins.mean(0)}
    rows = Rows(given.out, {
        "texts": len(examples), "queries": len(asked), "halves": given.halves, "seeds": given.seeds,
        "layers": given.layers, "epochs": given.epochs, "rate": given.rate,
        "seconds_of_a_training": float(np.mean([one["seconds"] for one in done])) / given.seeds,
        "right": float(np.mean([label == one.label for label, one in zip(labels, queries, strict=True)])),
        "noise": noise(len(asked), given.halves), "ceiling": interval(agreement(margins)),
    })  # fmt: skip
    print(json.dumps(rows.report), flush=True)
    control = np.random.default_rng(1)
    works: dict[str, Any] = {
        "random": lambda: control.standard_normal((len(asked), len(examples))),
        "BM25": lambda: np.array([bm25(examples, *one) for one in zip(asked, labels, strict=True)]),
    }
    for title, (name, extra) in METHODS.items():
        free = {"weights": encoder.weights()} if extra.get("weights") == "" else {}
        options = {**extra, **free}

        def work(name: str = name, options: dict[str, Any] = options) -> np.ndarray:
            return scored(model, examples, asked, labels, name, options)

        works[title] = work
    for title, work in works.items():
        if rows.has(title):
            continue
        start = time.process_time()
        values = work()
        seconds = (time.process_time() - start) / len(asked)
        rows.add({**table(title, values, halves, truths), "seconds_per_query": seconds})


if __name__ == "__main__":
    main()
