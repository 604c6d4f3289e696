"""Baselines: the word vectors to which a text is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError, UnsupportedError
from exegesis.core.parameters import Condition
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

NAMES = ("zero", "pad", "unknown", "mask")
Baseline = Annotated[
    str,
    Condition(
        lambda baseline: baseline in NAMES or baseline.startswith("text:"),
        noun="zero, pad, unknown, mask or text:SOME OTHER TEXT",
        inside=(*NAMES, "text:a dull film"),
        outside=("", "text", "noise"),
    ),
]


def baseline_vectors(
    model: Differentiable, batch: Batch, vectors: Float[Tensor, "b t d"], baseline: str
) -> Float[Tensor, "b t d"]:
    """Zero vectors, the vectors of ``pad``, ``unknown`` or ``mask`` tokens, or those of another text (``text:...``),
    piece by piece, cut or filled up with pad tokens. Special pieces and padding keep their vectors.

    Raises UnsupportedError if the vocabulary has no such token.
    """
    special = torch.zeros_like(batch.mask)
    for row, read in enumerate(batch.texts):
        special[row, : len(read)] = torch.tensor(read.special, dtype=torch.bool)
    keep = special | ~batch.mask
    if baseline == "zero":
        return torch.where(keep[..., None], vectors, torch.zeros_like(vectors))
    if not baseline.startswith("text:"):
        if baseline not in model.tokens:
            raise UnsupportedError(f"the model's vocabulary has no {baseline} token to take as a baseline")
        ids = torch.full_like(batch.ids, model.tokens[baseline])
    else:
        text = model.read(baseline.removeprefix("text:"))
        words = [i for i, flag in zip(text.ids, text.special, strict=True) if not flag]
        ids = torch.full_like(batch.ids, model.tokens["pad"])
        for row in range(len(batch)):
            places = (~keep[row]).nonzero()[: len(words), 0]
            ids[row, places] = torch.tensor(words[: len(places)], device=ids.device)
    return model.embed(replace(batch, ids=torch.where(keep, batch.ids, ids)))


def check_numbers(model: Differentiable, numbers: Float[Tensor, "b k"]) -> None:
    """Raise ModelError if a number at the baseline is NaN or infinite."""
    if not bool(numbers.isfinite().all()):
        raise ModelError(
            f"the model {model.name} gives no number at the baseline (NaN or infinity): take another baseline, such "
            "as baseline='pad' or a text, or a method without one"
        )
