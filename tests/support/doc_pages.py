"""Blocks of code in Markdown files, and a folder in which they can run."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    code: str
    line: int


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(text)]


def commands(code: str) -> list[str]:
    """The lines of a shell block, comments aside."""
    return [line for line in code.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def from_scripts(name: str) -> ModuleType:
    """A module of the folder ``scripts``, which is no package."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def furnish(folder: Path) -> None:
    """The files that the pages speak of: reviews, as a table and as splits, texts to write, a classifier."""
    rows = [("a fine film", "positive"), ("a dull , dull film", "negative"), ("not a fine story", "negative")]
    table = "".join(f"{text}\t{label}\n" for text, label in rows * 4)
    (folder / "reviews.tsv").write_text(f"text\tlabel\n{table}", "utf-8")
    (folder / "reviews").mkdir()
    for split in ("train", "dev", "test"):
        (folder / "reviews" / f"{split}.tsv").write_text(f"text\tlabel\n{table}", "utf-8")
    letters = [f"{a} {b} {c}" for a in "abcd" for b in "abcd" for c in "abcd"]
    (folder / "reversed.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t{text[::-1]}\n" for text in letters))
    tiny_bert(folder / "distilbert" / "distilbert-base-uncased-finetuned-sst-2-english")


def tiny_bert(folder: Path) -> None:
    """A DistilBERT classifier with a handful of untrained weights."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from tests.support.hf_toys import UNTYPED, wordpiece

    tokenizer = wordpiece(inputs=UNTYPED)
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=8, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=64,
        id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )  # fmt: skip
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    DistilBertForSequenceClassification(config).save_pretrained(folder)
