"""Small language models that learn to tell a label and write why, and texts whose label follows from one word."""

from __future__ import annotations

import random
from pathlib import Path

import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from exegesis.data.written import Written
from tests.support import hf_toys

WORDS = {"good": ("warm", "bright"), "bad": ("dull", "grim")}
FILLING = ("a", "film", "with", "some", "long", "scenes", "and", "songs")
MARKS = ("[PAD]", "[UNK]", "[END]")
FRAME = ("explain", "decide", "because", "is", ":", "good:", "bad:", "text", "explanation", "choices", ",")


def rows(count: int, seed: int = 0) -> list[Written]:
    """Texts with one word that decides, and an explanation that names it."""
    draw, found = random.Random(seed), []
    for n in range(count):
        label = ("good", "bad")[n % 2]
        words, own = draw.sample(FILLING, 3), draw.choice(WORDS[label])
        words.insert(draw.randint(0, 3), own)
        found.append(Written(" ".join(words), label, ("bad", "good"), (f"{own} is {label}",)))
    return found


def base(folder: Path, *, two_halves: bool) -> Path:
    """A model without any training, of whole words."""
    every = [*MARKS, *FRAME, *WORDS, *WORDS["good"], *WORDS["bad"], *FILLING]
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(every)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(":", "isolated")]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", eos_token="[END]",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    sizes = {"vocab_size": len(every), "eos_token_id": 2, "pad_token_id": 0}
    if two_halves:
        config = transformers.T5Config(
            d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0, dropout_rate=0.0, **sizes
        )
        kind = transformers.T5ForConditionalGeneration
    else:
        config = transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=2, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, **sizes,
        )  # fmt: skip
        kind = transformers.GPT2LMHeadModel
    transformers.set_seed(0)
    kind(config).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


assert hf_toys.MARKS  # which keeps the hub out of reach
