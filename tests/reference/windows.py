"""Windows over a long text, written plainly: a module runs on each by itself, and the numbers are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def rows(text: Any, windows: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The pieces of each window by their numbers: those that stand in all windows, and the window's own, in order."""
    divided = range(windows[0][0], windows[-1][1])
    found = []
    for start, stop in windows:
        found.append([n for n in range(len(text.ids)) if n not in divided or start <= n < stop])
    return found


def logits(module: Any, text: Any, row: Sequence[int], **more: Any) -> torch.Tensor:
    """The module's logits for some pieces of a text."""
    ids = torch.tensor([[text.ids[n] for n in row]])
    return module(ids, attention_mask=torch.ones_like(ids), **more).logits[0].detach()


def slopes(module: Any, text: Any, row: Sequence[int], label: int) -> dict[int, float]:
    """Gradient x input of a label's logit for each piece of a window, by the piece's number in the text."""
    ids = torch.tensor([[text.ids[n] for n in row]])
    vectors = module.get_input_embeddings()(ids).detach().requires_grad_()
    answer = module(inputs_embeds=vectors, attention_mask=torch.ones_like(ids)).logits[0, label]
    (gradient,) = torch.autograd.grad(answer, vectors)
    return dict(zip(row, (gradient * vectors)[0].sum(-1).tolist(), strict=True))
