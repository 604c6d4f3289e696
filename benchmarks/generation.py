"""Gradients of every piece of an answer beside inseq, in one run: the time of the processor, and the same numbers.

    python benchmarks/generation.py --model FOLDER --out benchmarks/results/generation.json [--pieces 50]

FOLDER is a causal model, whose own likeliest answer of so many pieces is explained: gradient times input of the logit
of each piece, to every piece before it (``pip install inseq`` for the other side). Beside both stand the passes of
the model alone, a forward pass over prompt and answer and a backward pass from one number: gradients of n numbers
cannot cost less than one and n of them, unless backward passes are run together. Removal has its own line: leave-one-
out of every word of prompt and answer, for all pieces of the answer, by whole texts and from the states before the
word.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentiment import heading, report

import exegesis
from exegesis.models.huggingface.views.steps import Steps

PROMPT = "The lighthouse on the island was built in 1874 by an engineer who had seen"


def timed(call: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """The least processor seconds of some runs, and what the last one gave."""
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        found = call()
        seconds.append(time.process_time() - start)
    return min(seconds), found


def by_inseq(folder: str) -> Callable[[str, str], np.ndarray]:
    """Gradient times input of each answer's piece ``[piece, answer's piece]`` as inseq has it."""
    import inseq

    model = inseq.load_model(folder, "input_x_gradient")

    def attributed(prompt: str, whole: str) -> np.ndarray:
        found = model.attribute(prompt, whole, attributed_fn="logit", show_progress=False)[0]
        return found.target_attributions.sum(-1).numpy()

    return attributed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pieces", type=int, default=50)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = exegesis.load(options.model)
    answer = exegesis.generation(model, PROMPT, None, "gradient-x-input", unit="answer", most_pieces=options.pieces)
    text, first = answer.text, answer.text.segments[1].start
    ids = torch.tensor([text.ids])
    table = model.module.get_input_embeddings()

    def passes() -> tuple[float, float]:
        vectors = table(ids).detach().requires_grad_()
        start = time.process_time()
        logits = model.module(inputs_embeds=vectors, use_cache=False).logits
        middle = time.process_time()
        torch.autograd.grad(logits[0, -2, text.ids[-1]], vectors)
        return middle - start, time.process_time() - middle

    def ours(method: str) -> Any:
        return exegesis.generation(model, PROMPT, text.raw[len(PROMPT) :], method, unit="piece", number="logit")

    passes()
    forward, backward = passes()
    found: dict[str, Any] = {**heading(), "model": Path(options.model).name}
    found |= {"prompt_pieces": first, "answer_pieces": len(text) - first, "forward_s": forward, "backward_s": backward}
    seconds, mine = timed(lambda: ours("gradient-x-input"), options.runs)
    found["gradient times input"] = {"ours_s": seconds, "one by one_s": forward + (len(text) - first) * backward}
    other = by_inseq(options.model)
    seconds, theirs = timed(lambda: other(PROMPT, text.raw), options.runs)
    found["gradient times input"] |= {
        "inseq_s": seconds,
        "inseq_over_ours": seconds / found["gradient times input"]["ours_s"],
    }
    if theirs.shape == (len(text), len(text) - first):
        words = [theirs[word.start : word.stop].sum(0) for word in mine.inputs]
        told = np.array([[column[k] for column in words] for k in range(len(mine.outputs))])
        inside = np.array([[word.stop <= part.start for word in mine.inputs] for part in mine.outputs])
        difference = np.abs((mine.values - np.nan_to_num(told))[inside]).max()
        found["gradient times input"] |= {
            "largest_difference": float(difference),
            "largest": float(np.abs(mine.values).max()),
        }
    report(found, options.out)
    seconds, mine = timed(lambda: ours("leave-one-out"), options.runs)
    found["leave-one-out"] = {"words": len(mine.inputs), "ours_s": seconds}
    Steps._continues = False  # type: ignore[assignment, method-assign]
    seconds, whole = timed(lambda: ours("leave-one-out"), options.runs)
    found["leave-one-out"] |= {
        "whole texts_s": seconds,
        "whole_over_ours": seconds / found["leave-one-out"]["ours_s"],
        "largest_difference": float(np.abs(mine.values - whole.values).max()),
    }
    report(found, options.out)


if __name__ == "__main__":
    main()
