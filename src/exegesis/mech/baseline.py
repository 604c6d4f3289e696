"""Baselines: the word vectors that a text is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
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
    """``zero`` vectors, or those of ``pad``, ``unknown`` or ``mask`` tokens, or of ``text:...``: any text, whose pieces
    stand at the same positions, cut or filled up with pad tokens. Special pieces and padding stand as they are.

    Raises UnsupportedError where the vocabulary has no such token.
    """
    special = torch.zeros_like(batch.mask)
    for row, text in enumerate(batch.texts):
        special[row, : len(text)] = torch.tensor(text.special, dtype=torch.bool)
    keep = special | ~batch.mask
    if baseline == "zero":
        return torch.where(keep[..., None], vectors, torch.zeros_like(vectors))
    if not baseline.startswith("text:"):
        if baseline not in model.tokens:
            raise UnsupportedError(f"the model's vocabulary has no {baseline} token to take as a baseline")
        ids = torch.full_like(batch.ids, model.tokens[baseline])
    else:
        other = model.read(baseline.removeprefix("text:"))
        plain = [i for i, flag in zip(other.ids, other.special, strict=True) if not flag]
        ids = torch.full_like(batch.ids, model.tokens["pad"])
        for row in range(len(batch)):
            places = (~keep[row]).nonzero()[: len(plain), 0]
            ids[row, places] = torch.tensor(plain[: len(places)], device=ids.device)
    return model.embed(replace(batch, ids=torch.where(keep, batch.ids, ids)))
