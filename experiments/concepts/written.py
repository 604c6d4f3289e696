"""What a small language model, trained from nothing, writes about e-SNLI and CoS-E, in four orders.

python experiments/concepts/written.py DATA [FOLDER] [ORDER ...]

DATA holds esnli (its dev and test parts) and cos-e/v1.0 (train and dev). A T5 of two layers on each side, 128 wide,
with whole words of the training texts. TRIED says how many texts train, choose the epoch and are scored: of
label-specific fewer, as an explanation is written for every label of each. Each order is trained and scored once; what
is in FOLDER/written-ORDER.json is not done again, an interrupted training goes on.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from exegesis import study
from exegesis.data.written import Written, read_written
from exegesis.models.explainers.orders import ORDERS, lessons
from exegesis.models.explainers.training import train_explainer
from exegesis.models.huggingface.finetuning import FineTuning

MARKS = ("[PAD]", "[UNK]", "[END]")
COMMON = 3
OPTIONS = FineTuning(epochs=6, batch=16, lr=2e-3, patience=6)
ESNLI, COSE = ("esnli", "dev", "test"), ("cos-e/v1.0", "train", "dev")
TRIED = {  # the data, their parts to train on and to be scored on, and how many texts train, choose and are scored
    "explain-predict": (*ESNLI, 400, 60, 100),
    "predict-explain": (*ESNLI, 400, 60, 100),
    "explain-answer": (*COSE, 400, 60, 100),
    "label-specific": (*ESNLI, 100, 20, 40),
}


def base(rows: list[Written], folder: Path) -> None:
    """A model without any training, and a tokenizer of the words that stand at least three times."""
    core = Tokenizer(models.WordLevel({mark: n for n, mark in enumerate(MARKS)}, unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    counts = Counter[str]()
    for one in rows:
        for order in ORDERS:
            for pair in lessons(order, one):
                for text in pair:
                    lowered = core.normalizer.normalize_str(text)
                    counts.update(word for word, _ in core.pre_tokenizer.pre_tokenize_str(lowered))
    words = [*MARKS, *sorted(word for word, count in counts.items() if count >= COMMON)]
    core.model = models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", eos_token="[END]", model_max_length=256,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    config = transformers.T5Config(
        vocab_size=len(words), d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4, decoder_start_token_id=0,
        eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    transformers.set_seed(0)
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(data: Path, folder: Path, orders: Sequence[str]) -> None:
    for order in orders:
        path = folder / f"written-{order}.json"
        if path.exists():
            continue
        place, learned, scored, train, dev, test = TRIED[order]
        rows = [Written(one.text, one.label, one.choices, one.explanations[:1])
                for one in read_written(data / place, learned)[: train + dev]]  # fmt: skip
        parts = {"train": rows[:train], "dev": rows[train:]}
        work = Path(tempfile.gettempdir()) / "exegesis-written" / f"{place.replace('/', '-')}-{train}"
        if not (work / "base").exists():
            base(parts["train"], work / "base")
        out = work / order
        if not out.exists():
            train_explainer(
                str(work / "base"), parts, out, order, OPTIONS, state=work / f"{order}.state", resume=True,
                card=lambda result: f"# {result.order}\n", told=partial(print, order, flush=True),
            )  # fmt: skip
        found = study.written(out, data / place, split=scored, limit=test)
        found.save(path)
        print(found.table(width=118), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent, sys.argv[3:] or [*TRIED])
