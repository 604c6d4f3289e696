"""A module held still while it is looked at, and put back exactly as it was, also after an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def still(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradient to parameters, for the length of a block.

    No process-wide flag is touched. cuDNN (and other devices' kernels) refuse the backward pass of a recurrent layer
    that ran in evaluation mode; there the layer alone runs in training mode with its dropout at zero, which computes
    the same numbers.
    At the end every attribute of every submodule is what it was: training flags, dropout rates, what ``forward``
    noted on ``self`` (a hidden state kept for the next call, say), and the rows that an embedding with ``max_norm``
    shortened. What ``forward`` changes in place is out of reach.
    """
    modules = list(module.modules())
    kept = [(part, dict(part.__dict__), _held(part)) for part in modules]
    shortened = [part.weight.data for part in modules if isinstance(part, nn.Embedding) and part.max_norm is not None]
    before = [rows.clone() for rows in shortened]
    every = [weight for part in modules for weight in part._parameters.values() if weight is not None]
    trained = list({id(weight): weight for weight in every if weight.requires_grad}.values())  # tied ones once
    try:
        for weight in trained:
            weight.requires_grad_(False)
        for part in modules:
            part.training = False
            if isinstance(part, nn.RNNBase) and torch.is_grad_enabled() and _elsewhere(part):
                part.training, part.dropout = True, 0.0
        yield
    finally:
        for weight in trained:
            weight.requires_grad_(True)
        for rows, old in zip(shortened, before, strict=True):
            rows.copy_(old)
        for part, attributes, held in kept:
            _put_back(part, attributes, held)


def _elsewhere(layer: nn.RNNBase) -> bool:
    return next(layer.parameters()).device.type != "cpu"


def _held(part: nn.Module) -> list[dict[str, Any]]:
    """What a module holds under names: ``forward`` may set buffers, weights and parts anew. Nothing of a scripted one,
    which has no such names and whose mode is its only attribute that is set here.
    """
    if isinstance(part, torch.jit.ScriptModule):
        return [{"training": part.training}]
    return [dict(part._buffers), dict(part._parameters), dict(part._modules)]


def _put_back(part: nn.Module, attributes: dict[str, object], held: list[dict[str, Any]]) -> None:
    if isinstance(part, torch.jit.ScriptModule):
        part.training = held[0]["training"]
        return
    for name in part.__dict__.keys() - attributes.keys():
        del part.__dict__[name]
    part.__dict__.update(attributes)
    names: list[dict[str, Any]] = [part._buffers, part._parameters, part._modules]
    for now, before in zip(names, held, strict=True):
        now.clear()
        now.update(before)
