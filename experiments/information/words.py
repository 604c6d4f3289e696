"""Which words the last layers of models hold (Guan et al. 2019, Figures 5 to 7 and the first two takeaways).

    python experiments/information/words.py MODEL MODEL ... --data sst2/test.tsv --texts 20 --out OUT

For every model and text, the information of each word in the vector that is read out (``pooled``), at one rate. OUT
gets ``words.jsonl`` (at once, so the same command goes on where it was interrupted), ``figure7.svg`` (one sentence at
all layers of every model) and ``words.json``:

- ``content``: what is held of each dimension of nouns, verbs, adjectives and adverbs, less that of other words, in nats
  (are stopwords discarded?);
- ``side by side``: of the third of a text's words that is held most, the share that stands beside another such word,
  less the mean of that share over random orders of the text's values (are they sub-sequences, above 0, or not?);
- ``most``: the words most often in that third, with how often they occur.

Means over texts with 95 % intervals of a bootstrap.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

import exegesis
from exegesis.models.tagger import default_tagger, universal
from exegesis.statistics.bootstrap import spread

EXAMPLE = "rare bird has more than enough charm to make it memorable ."
CONTENT, SHARE, SHUFFLES, DRAWS, NAMED = ("NOUN", "VERB", "ADJ", "ADV"), 1 / 3, 200, 2000, 10


def beside(values: np.ndarray) -> float:
    """The share of the words held most that stand beside another of them."""
    top = np.zeros(len(values) + 2, dtype=bool)
    top[1 + np.argsort(-values, kind="stable")[: max(2, round(SHARE * len(values)))]] = True
    near = top[:-2] | top[2:]
    return float(near[top[1:-1]].mean())


def interval(values: list[float]) -> list[float]:
    """The mean over texts and its 95 % interval."""
    one = spread(np.array(values), np.arange(len(values)), DRAWS, 0)
    return [one.mean, one.mean_low, one.mean_high]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers of one model."""
    tag, draws = default_tagger(), np.random.default_rng(0)
    content, runs = list[float](), list[float]()
    most, seen = Counter[str](), Counter[str]()
    for row in rows:
        kept, words = np.array(row["kept"]), row["words"]
        kind = np.array([universal(one) in CONTENT for one in tag(words)])
        if kind.any() and not kind.all():
            content.append(float(kept[kind].mean() - kept[~kind].mean()))
        chance = np.mean([beside(draws.permutation(kept)) for _ in range(SHUFFLES)])
        runs.append(beside(kept) - float(chance))
        seen.update(words)
        most.update(words[at] for at in np.argsort(-kept, kind="stable")[: max(2, round(SHARE * len(words)))])
    states = [state for row in rows for state in row["states"]]
    return {
        "texts": len(rows),
        "certified words": states.count("minimum") / len(states),
        "content": interval(content),
        "side by side": interval(runs),
        "most": [f"{word} {count}/{seen[word]}" for word, count in most.most_common(NAMED)],
    }


def main() -> None:
    """Measure what is missing, then the numbers and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--longest", type=int, default=20, help="words of a text")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    every = [str(one.text) for one in exegesis.read_examples(asked.data)]
    texts, reference = [raw for raw in every if 8 <= len(raw.split()) <= asked.longest][: asked.texts], every[:100]
    lines, shown = asked.out / "words.jsonl", list[Any]()
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for folder in asked.models:
        name, model = Path(folder).name, exegesis.load(folder)
        done = {row["number"] for row in rows if row["model"] == name}
        for number, raw in enumerate(texts):
            if number in done:
                continue
            held = exegesis.information(model, raw, "pooled", reference=reference)
            rows.append({"model": name, "number": number, "words": [word.lower() for word in held.words],
                         "kept": held.kept[0].tolist(), "states": held.states[0]})  # fmt: skip
            with lines.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
        shown.append(exegesis.information(model, EXAMPLE, "all", reference=reference))
    exegesis.save(shown, asked.out / "figure7.svg")
    names = dict.fromkeys(row["model"] for row in rows)
    answer = {name: summary([row for row in rows if row["model"] == name]) for name in names}
    (asked.out / "words.json").write_text(json.dumps(answer, indent=1) + "\n")
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
