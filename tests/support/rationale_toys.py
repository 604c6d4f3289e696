"""Small classifiers that select their words, and texts of which one word decides."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import torch

from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.text.vocabulary import Vocabulary

GOOD, BAD = ("good", "great", "fine"), ("bad", "dull", "awful")
FILLING = tuple(f"w{n}" for n in range(20))


def shape(selector: str, size: int = 12, dropout: float = 0.0, **more: Any) -> RationaleConfig:
    """A small shape."""
    return RationaleConfig(
        selector=selector,
        **{"rehearsal": 0.0, "encoder": "gru", "embedding": size, "hidden": size, "dropout": dropout, **more},
    )


def examples(count: int, seed: int = 0) -> list[Example]:
    """Texts of fillers with one word that gives the label away."""
    draw, found = random.Random(seed), []
    for n in range(count):
        words = draw.choices(FILLING, k=draw.randint(4, 9))
        words[draw.randrange(len(words))] = draw.choice(GOOD if n % 2 else BAD)
        found.append(Example.of(" ".join(words), "positive" if n % 2 else "negative"))
    return found


def marks(given: list[Example]) -> list[list[bool]]:
    """The words that decide."""
    return [[word in (*GOOD, *BAD) for word in str(one.text).split()] for one in given]


def network(selector: str = "hardkuma", encoder: str = "gru", seed: int = 0, **sizes: Any) -> RationaleNetwork:
    """A network with drawn weights whose selector keeps some words and not others, in float64."""
    torch.manual_seed(seed)
    module = RationaleNetwork(shape(selector, 6, encoder=encoder, hidden=5, **{"vocabulary": 30, **sizes}))
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(2.0)
        module.embedding.weight.normal_()
    return module.double().eval()


def model(selector: str = "bottleneck:share=0.4", encoder: str = "gru") -> RationaleClassifier:
    """A model of such a network."""
    module = network(selector, encoder)
    vocabulary = Vocabulary.from_texts([" ".join((*FILLING, *GOOD, *BAD))])
    module.embedding = torch.nn.Embedding(len(vocabulary), module.embedding.embedding_dim).double()
    torch.nn.init.normal_(module.embedding.weight)
    return RationaleClassifier.of(wrap(module, vocabulary=vocabulary, labels=["negative", "positive"], name="toy"))


def pretrained(folder: Path, kind: str = "AutoModel") -> Path:
    """A folder with a tiny BERT that reads these words, and its tokenizer; some words are two pieces."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import transformers

    marks = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    words = (*marks, *FILLING, *GOOD, *BAD, ".", ",", "!", ")", "fi", "##lm", "##s")
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=24, num_labels=2, id2label={0: "negative", 1: "positive"},
        label2id={"negative": 0, "positive": 1}, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    module = getattr(transformers, kind).from_config(config)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() > 1:
                weight.mul_(5.0)  # words tell
    module.save_pretrained(folder)
    transformers.BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    return folder
