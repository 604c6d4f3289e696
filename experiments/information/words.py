"""Which words the last layers of models hold (Guan et al. 2019, Figures 5 to 7 and the first two takeaways).

    python experiments/information/words.py MODEL MODEL ... --data sst2/test.tsv --texts 100 --out OUT

For every model and text, the information of each word in the vector that is read out (``pooled``), at one rate. OUT
gets ``words.jsonl``, ``figure5.svg`` (what is held of each word of some sentences), ``figure6.svg`` (the words held
most often), ``figure7.svg`` (one sentence at all layers of every model) and ``words.json``:

- ``content``: what is held of each dimension of nouns, verbs, adjectives and adverbs, less that of other words, in nats
  (are stopwords discarded?);
- ``side by side``: of the third of a text's words that is held most, the share that stands beside another such word,
  less the mean of that share over random orders of the text's values (are they sub-sequences, above 0, or not?);
- ``most``: the words most often in that third, with how often they occur.

Means over texts with 95 % intervals of a bootstrap.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import exegesis
from exegesis.models.tagger import default_tagger, universal

sys.path.insert(0, str(Path(__file__).parent))
from corpus import Rows, arguments, interval, sentences, write
from drawings import draw_counts, draw_sentences

EXAMPLE = "rare bird has more than enough charm to make it memorable ."
CONTENT, SHARE, SHUFFLES, NAMED, DRAWN = ("NOUN", "VERB", "ADJ", "ADV"), 1 / 3, 200, 15, 3


def held_most(values: np.ndarray) -> np.ndarray:
    """The places of the third of a text's words that is held most."""
    return np.argsort(-values, kind="stable")[: max(2, round(SHARE * len(values)))]


def beside(values: np.ndarray) -> float:
    """The share of the words held most that stand beside another of them."""
    top = np.zeros(len(values) + 2, dtype=bool)
    top[1 + held_most(values)] = True
    near = top[:-2] | top[2:]
    return float(near[top[1:-1]].mean())


def summary(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], list[tuple[str, int, int, bool]]]:
    """The numbers of one model; and the words most often held most: how often, how often there, and of content."""
    tag, draws = default_tagger(), np.random.default_rng(0)
    content, runs = list[float](), list[float]()
    most, seen, meant = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        kept, words = np.array(row["kept"]), row["words"]
        kind = np.array([universal(one) in CONTENT for one in tag(words)])
        if kind.any() and not kind.all():
            content.append(float(kept[kind].mean() - kept[~kind].mean()))
        chance = np.mean([beside(draws.permutation(kept)) for _ in range(SHUFFLES)])
        runs.append(beside(kept) - float(chance))
        seen.update(words)
        meant.update(word for word, one in zip(words, kind, strict=True) if one)
        most.update(words[at] for at in held_most(kept))
    states = [state for row in rows for state in row["states"]]
    named = [(word, count, seen[word], 2 * meant[word] > seen[word]) for word, count in most.most_common(NAMED)]
    answer = {
        "texts": len(rows),
        "certified words": states.count("minimum") / len(states),
        "content": interval(content),
        "side by side": interval(runs),
        "most": [f"{word} {count}/{there}" for word, count, there, _ in named],
    }
    return answer, named


def main() -> None:
    """Measure what is missing, then the numbers and the pictures."""
    parser = arguments(__doc__, texts=100)
    parser.add_argument("--layers", default="pooled", help="the vector that is read out")
    asked = parser.parse_args()
    texts, reference = sentences(asked)
    rows, shown, answer = Rows(asked.out / "words.jsonl"), list[Any](), dict[str, Any]()
    found, counts = dict[str, list[dict[str, Any]]](), dict[str, list[tuple[str, int, int, bool]]]()
    for folder in asked.models:
        model = exegesis.load(folder)

        def measured(raw: str, model: Any = model) -> dict[str, Any]:
            held = exegesis.information(model, raw, asked.layers, reference=reference)
            return {
                "words": [word.lower() for word in held.words],
                "kept": held.kept[0].tolist(),
                "states": held.states[0],
            }

        found[folder.name] = rows.measure(folder.name, texts, measured)
        answer[folder.name], counts[folder.name] = summary(found[folder.name])
        example = asked.out / f"figure7-{folder.name}.json"
        if not example.exists():
            exegesis.information(model, EXAMPLE, "all", reference=reference).save(example)
        shown.append(exegesis.read(example))
    write(asked.out / "words.json", answer)
    draw_counts(asked.out / "figure6.svg", counts, len(texts))
    drawn = [dict(zip(found, one, strict=True)) for one in list(zip(*found.values(), strict=True))[:DRAWN]]
    draw_sentences(
        asked.out / "figure5.svg",
        [
            (next(iter(one.values()))["words"], {name: np.array(row["kept"]) for name, row in one.items()})
            for one in drawn
        ],
    )
    exegesis.save(shown, asked.out / "figure7.svg")


if __name__ == "__main__":
    main()
