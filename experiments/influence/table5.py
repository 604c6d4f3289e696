"""The two sentences of Table 5 of the survey: which training texts make a model look at its word, and which of theirs.

    exegesis train DATA/sst2 --epochs 4 --out FOLDER
    python experiments/influence/table5.py --model FOLDER --data DATA --texts 6920 --out FILE

The salient word of each test text is that of the largest gradient x input for the label that the model predicts. The
training texts are scored by influence on that saliency (Eq. 29), and the words of the five that help most by leaving
each out (Eq. 30): the one that takes most away is marked. FILE is Markdown; it ends with how many of the five hold the
salient word or another form of it (love, loved, likes ...), beside how many of all training texts do.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from judging import arguments, sst2

import exegesis

TEXTS = {"i loved it !": "lov", "it 's not life-affirming -- its vulgar and mean , but i liked it .": "lik"}


def marked(text: str, marks: Any) -> str:
    """A training text with the word in bold that takes most of its score away."""
    best = max(marks, key=lambda mark: mark.score, default=None)
    if best is None or best.score <= 0:
        return text
    return f"{text[: best.start]}**{text[best.start : best.stop]}**{text[best.stop :]}"


def main() -> None:
    parser: argparse.ArgumentParser = arguments(__doc__, texts=6920, most=5)
    parser.add_argument("--model", required=True)
    parser.add_argument("--method", default="influence-functions")
    parser.add_argument("--parameters", default="solver=ek-fac", help="of the method, separated by commas")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, examples = exegesis.load(given.model), sst2(given.data, "train", given.texts)
    parameters = dict(one.split("=", 1) for one in given.parameters.split(",") if one)
    lines: list[str] = []
    for text, stem in TEXTS.items():
        start = time.process_time()
        made = exegesis.influence(
            model, examples, text, given.method, top=given.most, words=True, word="top", **parameters
        )
        seconds = time.process_time() - start
        helping = [one for one in made.sources if one.score > 0][: given.most]
        word = made.subject.text.surface(made.subject.text.words[made.word])
        lines += [f"{text} (*{word}*; {seconds:.0f} s)", ""]
        lines += [f"{number}. {marked(one.text, one.words)} ({one.label})" for number, one in enumerate(helping, 1)]
        held = sum(any(part.startswith(stem) for part in one.text.split()) for one in helping)
        base = sum(any(part.startswith(stem) for part in str(one.text).split()) for one in examples) / len(examples)
        lines += ["", f"{held} of {len(helping)} hold a word with {stem}-, of all training texts {base:.1%}.", ""]
        print("\n".join(lines[-given.most - 4 :]), flush=True)
        Path(given.out).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
