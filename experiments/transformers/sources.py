r"""Is the source that holds the answer found first? Made-up retrieval prompts with planted answers, and XQuAD.

    python experiments/transformers/sources.py --model FOLDER --out FOLDER2 \
        [--prompts 40] [--method leave-one-out] [--misleading] [--xquad DATA/xquad]

FOLDER is a causal model. Each prompt has six sentences about invented places, and the beginning of one of them below,
which the model goes on with; places and names are drawn from a seed, so that no model can know them. A prompt counts if
the answer holds the planted name; then the source of largest score is either the planted one or not. If the answer is
the name in another source, which it was copied from, that source should be first. Beside it stand the sentence that
shares most words with the question, and chance. With ``--misleading`` that sentence is another one by construction: the
planted one is worded in its own way, and another tells of the same thing elsewhere in the words of the question.

With ``--xquad`` the sources are the sentences of a paragraph, and the question, a drawn one of its own whose answer
stands in a single sentence, is asked below them in a chat; an answer is right that holds the gold one. Paragraphs of
four to eight sentences and at most 120 words take part, each once. Each prompt is saved in FOLDER2 as it is done, and
the same command goes on; ``sources METHOD.json`` sums up.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shares import about, share

import exegesis
from exegesis.questions.steps.cited import prompt_of

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


SENTENCES, LONGEST, MOST = range(4, 9), 120, 24  # sentences and words of a paragraph, pieces of an answer
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def paragraphs(file: Path) -> list[tuple[list[str], str, str, int]]:
    """For each paragraph, in drawn order: its sentences, a question, the answer, the number of the sentence with it."""
    found, draws = [], np.random.default_rng(SEED)
    for article in json.loads(file.read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            sentences = _END.split(paragraph["context"].strip())
            asked = [(one["question"], one["answers"][0]["text"]) for one in paragraph["qas"]]
            single = [(q, a) for q, a in asked if sum(a.lower() in sentence.lower() for sentence in sentences) == 1]
            if single and len(sentences) in SENTENCES and len(paragraph["context"].split()) <= LONGEST:
                question, answer = single[int(draws.integers(len(single)))]
                place = next(n for n, sentence in enumerate(sentences) if answer.lower() in sentence.lower())
                found.append((sentences, question, answer, place))
    return [found[n] for n in draws.permutation(len(found))]


def own_answer(model: Any, sources: Sequence[str], question: str) -> str:
    """What the model answers in a chat."""
    prompted = model.prompted([{"role": "user", "content": prompt_of(sources, question)}])
    text = model.continued(prompted, None, MOST)
    return str(model.tokenizer.decode(text.ids[len(prompted) :]))


def asked(model: Any, number: int, method: str, prompts: Prompts = drawn, chat: bool = False) -> dict[str, Any]:
    """One prompt: whether it is answered rightly, and which source has the largest score."""
    sources, question, name, planted = prompts(number)
    start = time.process_time()
    if chat:
        answer = own_answer(model, sources, question)
        if name.lower() not in answer.lower():
            return {"right": False, "answer": answer, "gold": name, "copied": None, "sources": len(sources)}
    else:
        answer = None
    result = exegesis.citations(model, question, sources, answer, method=method, most_pieces=6, trust=False, chat=chat)
    words = set(question.lower().strip("?").split())
    last = [" ".join(source.strip(".").split()[-2:]).lower() for source in sources]
    named = [not chat and one in result.answer.lower() for one in last]
    overlap = [len(words & set(source.lower().strip(".").split())) for source in sources]
    return {
        "right": name.lower() in result.answer.lower(),
        "answer": result.answer,
        "first": bool(int(np.argmax(result.values[0])) == planted),
        "rank": int((result.values[0] > result.values[0][planted]).sum()) + 1,
        "copied": named.index(True) if any(named) else None,
        "largest": int(np.argmax(result.values[0])),
        "by words": bool(int(np.argmax(overlap)) == planted),
        "sources": len(sources),
        "seconds": round(time.process_time() - start, 2),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares over the prompts that are answered rightly, and over those whose answer is the name in any source."""
    right, copied = [row for row in rows if row["right"]], [row for row in rows if row["copied"] is not None]
    chance = float(np.mean([1 / row.get("sources", SOURCES) for row in right])) if right else None
    return {
        "prompts": len(rows),
        "answered rightly": len(right),
        "planted source first": share(sum(row["first"] for row in right), len(right)),
        "most words of the question": share(sum(row["by words"] for row in right), len(right)),
        "answered with the name of a source": len(copied),
        "that source first": share(sum(row["largest"] == row["copied"] for row in copied), len(copied)),
        "chance": chance and round(chance, 3),
        "ranks of the others": sorted(row["rank"] for row in right if not row["first"]),
        "median seconds": float(np.median([row["seconds"] for row in rows if "seconds" in row] or [np.nan])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--method", default="leave-one-out")
    parser.add_argument("--misleading", action="store_true")
    parser.add_argument("--xquad", type=Path)
    options = parser.parse_args()
    kind, prompts = ("misleading ", misleading) if options.misleading else ("", drawn)
    count = options.prompts
    if options.xquad is not None:
        own = paragraphs(options.xquad / "xquad.en.json")
        kind, prompts, count = "xquad ", own.__getitem__, min(count, len(own))
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model, rows = exegesis.load(options.model), []
    for number in range(count):
        file = options.out / f"{kind}{options.method} {number}.json"
        if not file.exists():
            found = asked(model, number, options.method, prompts, chat=options.xquad is not None)
            file.write_text(json.dumps(found))
        rows.append(json.loads(file.read_text()))
        told = {**about(seed=SEED), "model": Path(options.model).name, "method": options.method, **summary(rows)}
        (options.out / f"{kind}sources {options.method}.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
