"""Influence of training texts on a fine-tuned encoder against retraining: the linear datamodelling score.

    python experiments/influence/minilm.py --base MINILM --data DATA --kept FOLDER --out FILE

MiniLM (6 layers, 22 M weights) is fine-tuned on a cut of SST-2 (sentences of at most 15 words), then again on random
halves of it, with the first weights, the order and the time of each text unchanged: a text that is left out counts
nothing in its batch. A method's score is as in ``lds.py``. What is finished (the weights, and the outputs of the models
of each half) is kept in FOLDER, and the same command goes on. Times are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judging import bm25, halves_of, noise, table

import exegesis
from exegesis.data.examples import Example, read_examples

LONGEST = 15  # words of a sentence
LAST = "bert.encoder.layer.5 bert.pooler classifier"
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "gradient-similarity": ("gradient-similarity", {}),
    "gradient-similarity, cosine": ("gradient-similarity", {"measure": "cosine"}),
    "nearest": ("nearest", {"k": 100_000}),
    "random-projections": ("random-projections", {"width": 16}),
    "influence-functions, last layer": ("influence-functions", {"weights": LAST}),
    "influence-functions, last layer, EK-FAC": ("influence-functions", {"weights": LAST, "solver": "ek-fac"}),
    "influence-functions, EK-FAC": ("influence-functions", {"solver": "ek-fac"}),
    "fast-influence, last layer": ("fast-influence", {"weights": LAST}),
}


def finetuned(base: str, examples: list[Example], absent: frozenset[int], seed: int, epochs: int) -> Any:
    """MiniLM with a new head, trained by AdamW (5e-5, batches of 32, no dropout) without some texts."""
    import transformers

    torch.manual_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    module = transformers.AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label={0: "negative", 1: "positive"}, label2id={"negative": 0, "positive": 1},
    )  # fmt: skip
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-5, weight_decay=0.0)
    draws = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(examples), generator=draws).tolist()
        for start in range(0, len(order), 32):
            rows = [row for row in order[start : start + 32] if row not in absent]
            if not rows:
                continue
            read = tokenizer([str(examples[row].text) for row in rows], return_tensors="pt", padding=True)
            gold = torch.tensor([int(examples[row].label == "positive") for row in rows])
            raw = module(**read).logits
            loss = torch.nn.functional.cross_entropy(raw, gold, reduction="sum") / 32
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return module.eval(), tokenizer


def outputs(module: Any, tokenizer: Any, asked: list[str]) -> np.ndarray:
    with torch.no_grad():
        made: np.ndarray = module(**tokenizer(asked, return_tensors="pt", padding=True)).logits.double().numpy()
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--halves", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--train-only", action="store_true", help="stop when the models of the halves are trained")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)

    def short(part: str, count: int) -> list[Example]:
        read = read_examples(str(given.data / "sst2" / f"{part}.tsv"))
        kept = [one for one in read if len(str(one.text).split()) <= LONGEST][:count]
        return [Example.of(one.text, ["negative", "positive"][int(str(one.label))]) for one in kept]

    examples, queries = short("train", given.texts), short("test", given.queries)
    asked = [str(one.text) for one in queries]
    given.kept.mkdir(parents=True, exist_ok=True)
    whole = given.kept / "whole"
    if not (whole / "config.json").is_file():
        start = time.process_time()
        module, tokenizer = finetuned(given.base, examples, frozenset(), 0, given.epochs)
        print(f"fine-tuned in {time.process_time() - start:.0f} s", flush=True)
        tokenizer.save_pretrained(whole)
        module.save_pretrained(whole)
    store = given.kept / "halves.jsonl"
    done = [json.loads(line) for line in store.read_text().splitlines()] if store.is_file() else []
    halves = halves_of(len(examples), given.halves)
    for number in range(len(done), given.halves):
        start = time.process_time()
        absent = frozenset(range(len(examples))) - frozenset(halves[number].tolist())
        raw = outputs(*finetuned(given.base, examples, absent, 0, given.epochs), asked)
        done.append({"half": number, "outputs": raw.tolist(), "seconds": time.process_time() - start})
        with store.open("a", encoding="ascii") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(f"half {number + 1} of {given.halves}: {done[-1]['seconds']:.0f} s", flush=True)
    if given.train_only:
        return

    model = exegesis.load(str(whole))
    said = exegesis.predict(model, asked)
    labels = [max(one, key=one.__getitem__) for one in said]
    raw = np.array([one["outputs"] for one in done])  # [halves, queries, 2]
    mine = np.array([int(label == "positive") for label in labels])
    margins = np.take_along_axis(raw, mine[None, :, None], 2)[..., 0] - np.take_along_axis(
        raw, 1 - mine[None, :, None], 2)[..., 0]  # fmt: skip
    truths = {"log-probability": -np.logaddexp(0, -margins), "margin": margins}
    report: dict[str, Any] = {
        "texts": len(examples), "queries": len(asked), "halves": given.halves, "seeds": 1,
        "seconds_of_a_training": float(np.mean([one["seconds"] for one in done])),
        "right": float(np.mean([label == one.label for label, one in zip(labels, queries, strict=True)])), "rows": [],
    }  # fmt: skip
    control = np.random.default_rng(1)
    works: dict[str, Any] = {
        "random": lambda _: control.standard_normal((len(asked), len(examples))),
        "BM25": lambda _: np.array([bm25(examples, *one) for one in zip(asked, labels, strict=True)]),
    }
    for title, (name, extra) in METHODS.items():

        def scored(kind: str, name: str = name, extra: dict[str, Any] = extra) -> np.ndarray:
            against = {"positive": "negative", "negative": "positive"}
            found = np.zeros((len(asked), len(examples)))
            for label in against:
                rows = [row for row, one in enumerate(labels) if one == label]
                if not rows:
                    continue
                target = label if kind == "log-probability" else f"margin:{label},{against[label]}"
                made = exegesis.influence(model, examples, [asked[row] for row in rows], name, target=target, **extra)
                found[rows] = np.nan_to_num([one.scores for one in made])
            return found

        works[title] = scored
    for title, work in works.items():
        start = time.process_time()
        values = work("margin")
        seconds = (time.process_time() - start) / len(asked)
        report["rows"].append({**table(title, values, halves, truths), "seconds_per_query": seconds})
        print(json.dumps(report["rows"][-1]), flush=True)
        report["noise"] = noise(len(asked), given.halves)
        given.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
