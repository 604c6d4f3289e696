r"""Is the source that holds the answer found first? Made-up retrieval prompts with one planted answer each.

    python experiments/transformers/sources.py --model FOLDER --out FOLDER2 \
        [--prompts 40] [--method leave-one-out] [--misleading]

FOLDER is a causal model. Each prompt has six sentences about invented places, and the beginning of one of them below,
which the model goes on with; places and names are drawn from a seed, so that no model can know them. A prompt counts if
the answer holds the planted name; then the source of largest score is either the planted one or not. If the answer is
the name in another source, which it was copied from, that source should be first. Beside it stand the sentence that
shares most words with the question, and chance. With ``--misleading`` that sentence is another one by construction: the
planted one is worded in its own way, and another tells of the same thing elsewhere in the words of the question. Each
prompt is saved in FOLDER2 as it is done, and the same command goes on; ``sources METHOD.json`` sums up.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shares import about

import exegesis

PLACES = ("Vell", "Arden", "Lowick", "Brack", "Hollin", "Quay", "Teal", "Norrin", "Osper", "Dunmere")
FIRST = ("Marta", "Ivo", "Selma", "Tomas", "Greta", "Anton", "Lidia", "Oskar", "Petra", "Viktor")
LAST = ("Oln", "Berg", "Kessler", "Marsh", "Novak", "Thorne", "Weller", "Quist", "Amsel", "Roth")
DEEDS = (
    "The lighthouse of {} was built by",
    "The library of {} was founded by",
    "The chapel of {} was painted by",
    "The bakery of {} is run by",
    "The harbour of {} is kept by",
    "The history of {} was written by",
)
DONE = ("built", "founded", "painted", "ran", "kept", "wrote")  # by the person who did each of the deeds
THINGS = ("lighthouse", "library", "chapel", "bakery", "harbour", "history")
SOURCES, SEED = 6, 0


Prompts = Callable[[int], tuple[list[str], str, str, int]]


def drawn(number: int) -> tuple[list[str], str, str, int]:
    """The sources of a prompt, its question, the planted name, and the number of the source that holds it."""
    draws = np.random.default_rng((SEED, number))
    places, firsts, lasts = (draws.permutation(names)[:SOURCES] for names in (PLACES, FIRST, LAST))
    deeds = draws.permutation(len(DEEDS))[:SOURCES]
    begun = [DEEDS[deed].format(place) for deed, place in zip(deeds, places, strict=True)]
    sources = [f"{start} {first} {last}." for start, first, last in zip(begun, firsts, lasts, strict=True)]
    planted = int(draws.integers(SOURCES))
    question = begun[planted]
    return sources, question, f"{firsts[planted]} {lasts[planted]}", planted


def misleading(number: int) -> tuple[list[str], str, str, int]:
    """The same prompts, of which one source shares more words with the question than the planted one does."""
    sources, _, name, planted = drawn(number)
    start = sources[planted].split()
    deed = THINGS.index(start[1])
    said = f"The person who {DONE[deed]} the {THINGS[deed]} of"
    false = (planted + 1 + int(np.random.default_rng((SEED, number, 1)).integers(SOURCES - 1))) % SOURCES
    place, other = sources[false].split()[3], " ".join(sources[false].strip(".").split()[-2:])
    sources[false] = f"{said} {place} is {other}."
    return sources, f"{said} {start[3]} is", name, planted


def asked(model: Any, number: int, method: str, prompts: Prompts = drawn) -> dict[str, Any]:
    """One prompt: whether it is answered rightly, and which source has the largest score."""
    sources, question, name, planted = prompts(number)
    start = time.process_time()
    result = exegesis.citations(model, question, sources, method=method, most_pieces=6, trust=False)
    words = set(question.lower().strip("?").split())
    named = [" ".join(source.strip(".").split()[-2:]).lower() in result.answer.lower() for source in sources]
    overlap = [len(words & set(source.lower().strip(".").split())) for source in sources]
    return {
        "right": name.lower() in result.answer.lower(),
        "answer": result.answer,
        "first": bool(int(np.argmax(result.values[0])) == planted),
        "rank": int((result.values[0] > result.values[0][planted]).sum()) + 1,
        "copied": named.index(True) if any(named) else None,
        "largest": int(np.argmax(result.values[0])),
        "by words": bool(int(np.argmax(overlap)) == planted),
        "seconds": round(time.process_time() - start, 2),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares over the prompts that are answered rightly, and over those whose answer is the name in any source."""
    right, copied = [row for row in rows if row["right"]], [row for row in rows if row["copied"] is not None]
    return {
        "prompts": len(rows),
        "answered rightly": len(right),
        "planted source first": sum(row["first"] for row in right),
        "most words of the question": sum(row["by words"] for row in right),
        "answered with the name of a source": len(copied),
        "that source first": sum(row["largest"] == row["copied"] for row in copied),
        "chance": round(1 / SOURCES, 3),
        "ranks of the others": sorted(row["rank"] for row in right if not row["first"]),
        "median seconds": float(np.median([row["seconds"] for row in rows])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--method", default="leave-one-out")
    parser.add_argument("--misleading", action="store_true")
    options = parser.parse_args()
    kind, prompts = ("misleading ", misleading) if options.misleading else ("", drawn)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model, rows = exegesis.load(options.model), []
    for number in range(options.prompts):
        file = options.out / f"{kind}{options.method} {number}.json"
        if not file.exists():
            file.write_text(json.dumps(asked(model, number, options.method, prompts)))
        rows.append(json.loads(file.read_text()))
        told = {**about(seed=SEED), "model": Path(options.model).name, "method": options.method, **summary(rows)}
        (options.out / f"{kind}sources {options.method}.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
