"""A module held still while it is looked at, and put back exactly as it was, also after an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def still(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradient to parameters, for the length of a block.

    No process-wide flag is touched. cuDNN refuses the backward pass of a recurrent layer that ran in evaluation
    mode; there the layer alone runs in training mode with its dropout at zero, which computes the same numbers.
    Every training flag, dropout rate and ``requires_grad`` is put back at the end.
    """
    modules = list(module.modules())
    flags = [part.training for part in modules]
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    rates = [(part, part.dropout) for part in modules if isinstance(part, nn.RNNBase)]
    try:
        for part in modules:
            part.training = False
        for weight in trained:
            weight.requires_grad_(False)
        for part, _ in rates:
            if torch.is_grad_enabled() and next(part.parameters()).is_cuda:
                part.training, part.dropout = True, 0.0
        yield
    finally:
        for part, flag in zip(modules, flags, strict=True):
            part.training = flag
        for weight in trained:
            weight.requires_grad_(True)
        for part, rate in rates:
            part.dropout = rate
