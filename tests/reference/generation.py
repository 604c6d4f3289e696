"""Steps of an answer by their definition: one call of the module for each piece, each on the pieces before it alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor


def step(module: Any, ids: Sequence[int], vectors: Tensor | None = None, beginning: Sequence[int] = ()) -> Tensor:
    """The log-probabilities of the piece after some pieces; of an encoder-decoder after the ``beginning``."""
    given: dict[str, Any] = {"inputs_embeds": vectors} if vectors is not None else {"input_ids": torch.tensor([ids])}
    if beginning:
        given["decoder_input_ids"] = torch.tensor([list(beginning)])
    return module(**given).logits[0, -1].log_softmax(-1)


def steps(module: Any, ids: Sequence[int], start: int, without: Collection[int] = ()) -> list[float]:
    """The log-probability of every piece from ``start``, given those before it that are not left out."""
    with torch.no_grad():
        return [
            float(step(module, [ids[n] for n in range(t) if n not in without])[ids[t]]) for t in range(start, len(ids))
        ]


def gradient_x_input(module: Any, ids: Sequence[int], start: int) -> Tensor:
    """For every piece from ``start``: the product of each piece's vector with the gradient of its log-probability."""
    table = module.get_input_embeddings().weight.detach()
    rows = []
    for t in range(start, len(ids)):
        vectors = table[torch.tensor(ids[:t])][None].clone().requires_grad_()
        number = step(module, ids[:t], vectors)[ids[t]]
        slope = torch.autograd.grad(number, vectors)[0]
        rows.append(torch.nn.functional.pad((slope * vectors).sum(-1)[0].detach(), (0, len(ids) - t)))
    return torch.stack(rows)
