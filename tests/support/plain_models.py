"""A module whose word vectors are an argument, as a model: what ``wrap`` finds out by trials is known here."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exegesis.core.text import text_of_words
from exegesis.nn.frozen import frozen
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.target import Link
from tests.support.torch_toys import WORDS


class Plain:
    """``module.run(vectors [b, t, d], mask)`` gives logits; ``module.embedding`` holds the vectors.

    ``alone``: texts are run one length at a time, for modules that are not exact under padding; a text shorter than
    ``module.least`` is filled up with pad tokens.
    """

    name, link, tokens = "plain", Link.SOFTMAX, {"pad": 0, "unknown": 1}
    labels: tuple[str, ...] = ()

    def __init__(self, module: nn.Module, outputs: int = 3, alone: bool = False) -> None:
        self.module, self.alone = module, alone
        self.labels = tuple(f"c{i}" for i in range(outputs))

    def read(self, raw: str):
        places, start = [], 0
        for word in raw.split():
            start = raw.index(word, start)
            places.append((word, start, start + len(word)))
            start += len(word)
        return text_of_words(raw, places, [WORDS.index(word) for word in raw.split()])

    def encode(self, texts) -> Batch:
        return pad(texts, 0)

    def embed(self, batch: Batch) -> Tensor:
        return self.module.embedding.weight.detach()[batch.ids]

    def outputs(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            return self.outputs_from(self.embed(batch), batch)

    def outputs_from(self, embeds: Tensor, batch: Batch) -> Tensor:
        with frozen(self.module):
            if not self.alone:
                return self.module.run(embeds, batch.mask)
            rows = []
            for row, length in enumerate(batch.lengths.tolist()):
                vectors = embeds[row : row + 1, :length]
                missing = getattr(self.module, "least", 1) - length
                if missing > 0:
                    filling = self.module.embedding.weight[:1].expand(1, missing, -1)
                    vectors = torch.cat([vectors, filling], 1)
                rows.append(self.module.run(vectors, torch.ones(vectors.shape[:2], dtype=torch.bool)))
            return torch.cat(rows)
