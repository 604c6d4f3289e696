"""A module held still while it is looked at, and put back exactly as it was, also after an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


@contextmanager
def still(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradient to parameters, for the length of a block.

    No process-wide flag is touched. cuDNN refuses the backward pass of a recurrent layer that ran in evaluation
    mode; there the layer alone runs in training mode with its dropout at zero, which computes the same numbers.
    At the end every attribute of every submodule is what it was: training flags, dropout rates, what ``forward``
    noted on ``self`` (a hidden state kept for the next call, say), and the rows that an embedding with ``max_norm``
    shortened. What ``forward`` changes in place is out of reach.
    """
    modules = list(module.modules())
    with ExitStack() as after:
        for part in modules:
            after.callback(_put_back, part, dict(part.__dict__), dict(part._buffers))
            if isinstance(part, nn.Embedding) and part.max_norm is not None:
                after.callback(part.weight.data.copy_, part.weight.data.clone())
        for weight in module.parameters():
            if weight.requires_grad:
                after.callback(weight.requires_grad_, True)
                weight.requires_grad_(False)
        for part in modules:
            part.training = False
            if isinstance(part, nn.RNNBase) and torch.is_grad_enabled() and next(part.parameters()).is_cuda:
                part.training, part.dropout = True, 0.0
        yield


def _put_back(part: nn.Module, attributes: dict[str, object], buffers: dict[str, torch.Tensor | None]) -> None:
    for name in part.__dict__.keys() - attributes.keys():
        del part.__dict__[name]
    part.__dict__.update(attributes)
    part._buffers.clear()
    part._buffers.update(buffers)
