"""Where the truth is known: a small causal model that looks values up, and the pair that each answer comes from.

    python experiments/transformers/lookup.py --out FOLDER [--steps 1500] [--prompts 100]

A prompt has six pairs of a key and a value, drawn at random, and a key that is asked for; nothing but the pair of that
key says the answer. A two-layer Llama learns it from texts of one to six pairs, is kept in FOLDER, and is asked about
new prompts. ``lookup.json`` says how often each method puts the true pair first, of the prompts that are answered
rightly; it is written after every prompt. A step takes 0.05 s of one core, and training ends before ``--steps`` when
nearly all answers to texts of six pairs are right.

What it needs to learn: weights drawn wide enough for 64 dimensions. With the 0.02 that is usual for wide models,
attention is too even for any key to find its pair, and the loss stays at that of a guess among the values.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from shares import about, share
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn import functional

import exegesis

KEYS, VALUES, PAIRS, SEED = 16, 16, 6, 0
QUESTIONS, WIDTH, WIDE = 6, 64, 0.1  # questions a training text; the standard deviation of the first weights
RIGHT, WARM = 0.995, 50  # answers to texts of six pairs, at which training ends; steps of growing size
METHODS = ("leave-one-out", "context-cite", "shapley", "gradient-x-input", "integrated-gradients", "lrp")
NUMBERS = {"context-cite": "log-odds"}  # what a method is defined for, if not the logit
WORDS = ["<pad>", "<unk>", ".", "?", *(f"k{n}" for n in range(KEYS)), *(f"v{n}" for n in range(VALUES))]


def drawn(draws: np.random.Generator, count: int = PAIRS) -> list[tuple[int, int]]:
    """Pairs of a key and a value."""
    keys, values = draws.permutation(KEYS)[:count], draws.permutation(VALUES)[:count]
    return list(zip(keys.tolist(), values.tolist(), strict=True))


def ids_of(pairs: list[tuple[int, int]], order: np.ndarray) -> list[int]:
    """A training text: all pairs, then the keys that are asked for with their values."""
    told = [part for key, value in pairs for part in (4 + key, 4 + KEYS + value, 2)]
    return told + [part for n in order for part in (3, 4 + pairs[n][0], 4 + KEYS + pairs[n][1])]


def trained(folder: Path, steps: int) -> float:
    """Train the model, save it with its tokenizer, and say how often it answers first questions rightly."""
    torch.manual_seed(SEED)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64, initializer_range=WIDE,
        pad_token_id=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    module, draws = transformers.LlamaForCausalLM(config), np.random.default_rng(SEED)
    optimiser = torch.optim.AdamW(module.parameters(), 3e-3, weight_decay=0.01, betas=(0.9, 0.98))
    speed = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / WARM))
    told, taken = 0.0, 0
    while told < RIGHT and taken < steps:
        taken, count = taken + 1, int(draws.integers(1, PAIRS + 1))
        texts = [ids_of(drawn(draws, count), draws.integers(count, size=QUESTIONS)) for _ in range(64)]
        batch = torch.tensor(texts)
        asked = torch.arange(3 * count + 1, batch.shape[1], 3)  # places of the keys that are asked for
        logits, gold = module(batch, use_cache=False).logits[:, asked], batch[:, asked + 1]
        if count == PAIRS:
            told = 0.9 * told + 0.1 * float((logits.argmax(-1) == gold)[:, 0].float().mean())
        loss = functional.cross_entropy(logits.flatten(0, 1), gold.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        speed.step()
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", pad_token="<pad>", model_input_names=["input_ids", "attention_mask"]
    )
    module.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps({"steps": taken, "right in training": round(told, 4)}))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--prompts", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.out / "model"
    if not (folder / "training.json").exists():
        trained(folder, options.steps)
    model, draws = exegesis.load(folder), np.random.default_rng(SEED + 1)
    first: dict[str, int] = dict.fromkeys(METHODS, 0)
    seconds: dict[str, float] = dict.fromkeys(METHODS, 0.0)
    right, trained_so = 0, json.loads((folder / "training.json").read_text())
    for number in range(1, options.prompts + 1):
        pairs, true = drawn(draws), int(draws.integers(PAIRS))
        sources, question = [f"k{key} v{value} ." for key, value in pairs], f"? k{pairs[true][0]}"
        for method in METHODS:
            start = time.process_time()
            found: Any = exegesis.citations(
                model, question, sources, method=method, most_pieces=1, trust=False, number=NUMBERS.get(method, "logit")
            )
            seconds[method] += time.process_time() - start
            if found.answer.strip() != f"v{pairs[true][1]}":
                break
            right += method == METHODS[0]
            first[method] += int(np.argmax(found.values[0])) == true
        told = {
            **about(seed=SEED),
            **trained_so,
            "prompts": number,
            "answered rightly": share(right, number),
            "chance": round(1 / PAIRS, 3),
            "true pair first": {name: share(count, right) for name, count in first.items()},
            "seconds a prompt": {name: round(value / number, 3) for name, value in seconds.items()},
        }
        (options.out / "lookup.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
