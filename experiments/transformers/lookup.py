"""Where the truth is known: a small causal model that looks values up, and the pair that each answer comes from.

    python experiments/transformers/lookup.py --out FOLDER [--steps 1500] [--prompts 30]

A prompt has six pairs of a key and a value, drawn at random, and a key that is asked for; nothing but the pair of that
key says the answer. A two-layer Llama learns it, is kept in FOLDER, and is asked about new prompts. ``lookup.json``
says how often each method puts the true pair first, of the prompts that are answered rightly; it is written after every
prompt. A step takes 0.05 s of one core, and training ends before ``--steps`` when nearly all answers are right.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn import functional

import exegesis
from exegesis.models.trained.card import machine

KEYS, VALUES, PAIRS, SEED = 16, 16, 6, 0
RIGHT = 0.995  # of the answers in training, at which it ends
METHODS = ("leave-one-out", "context-cite", "shapley", "gradient-x-input", "integrated-gradients", "lrp")
WORDS = ["<pad>", "<unk>", ".", "?", *(f"k{n}" for n in range(KEYS)), *(f"v{n}" for n in range(VALUES))]


def drawn(draws: np.random.Generator) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Pairs of a key and a value, and the order in which keys are asked for."""
    keys, values = draws.permutation(KEYS)[:PAIRS], draws.permutation(VALUES)[:PAIRS]
    return list(zip(keys.tolist(), values.tolist(), strict=True)), draws.permutation(PAIRS)


def ids_of(pairs: list[tuple[int, int]], order: np.ndarray) -> list[int]:
    """A training text: all pairs, then every key with its value."""
    told = [part for key, value in pairs for part in (4 + key, 4 + KEYS + value, 2)]
    return told + [part for n in order for part in (3, 4 + pairs[n][0], 4 + KEYS + pairs[n][1])]


def trained(folder: Path, steps: int) -> float:
    """Train the model, save it with its tokenizer, and say how often it answers new questions rightly."""
    torch.manual_seed(SEED)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=64, pad_token_id=0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    module, draws = transformers.LlamaForCausalLM(config), np.random.default_rng(SEED)
    optimiser = torch.optim.AdamW(module.parameters(), 2e-3, weight_decay=0.01)
    asked = torch.arange(3 * PAIRS + 1, 6 * PAIRS, 3)  # places of the keys that are asked for
    share, taken = 0.0, 0
    while share < RIGHT and taken < steps:
        taken += 1
        batch = torch.tensor([ids_of(*drawn(draws)) for _ in range(64)])
        logits = module(batch, use_cache=False).logits[:, asked]
        gold = batch[:, asked + 1]
        share = 0.98 * share + 0.02 * float((logits.argmax(-1) == gold).float().mean())
        loss = functional.cross_entropy(logits.flatten(0, 1), gold.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", pad_token="<pad>", model_input_names=["input_ids", "attention_mask"]
    )
    module.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps({"steps": taken, "right in training": round(share, 4)}))
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--prompts", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.out / "model"
    if not (folder / "training.json").exists():
        trained(folder, options.steps)
    model, draws = exegesis.load(folder), np.random.default_rng(SEED + 1)
    first: dict[str, int] = dict.fromkeys(METHODS, 0)
    seconds: dict[str, float] = dict.fromkeys(METHODS, 0.0)
    right, about = 0, {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "seed": SEED}
    trained_so = json.loads((folder / "training.json").read_text())
    for number in range(1, options.prompts + 1):
        pairs, order = drawn(draws)
        true = int(order[0])
        sources, question = [f"k{key} v{value} ." for key, value in pairs], f"? k{pairs[true][0]}"
        for method in METHODS:
            start = time.process_time()
            found: Any = exegesis.citations(
                model, question, sources, method=method, most_pieces=1, trust=False, number="logit"
            )
            seconds[method] += time.process_time() - start
            if found.answer.strip() != f"v{pairs[true][1]}":
                break
            right += method == METHODS[0]
            first[method] += int(np.argmax(found.values[0])) == true
        told = {
            **about,
            **trained_so,
            "prompts": number,
            "answered rightly": right,
            "chance": round(1 / PAIRS, 3),
            "true pair first": first,
            "seconds a prompt": {name: round(value / number, 3) for name, value in seconds.items()},
        }
        (options.out / "lookup.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
