"""The last linear layer of a module, and the vector that it reads for each text, recognised by value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear

from exegesis.core.errors import UnsupportedError
from exegesis.models.modules.readout import equal

NO_LINEAR = (
    "its outputs are not the result of an nn.Linear called last, so the way from states to logits is out of sight: "
    "end the module in an nn.Linear that reads pooled states"
)
Head = tuple[Float[Tensor, "c m"], Float[Tensor, " c"], Float[Tensor, "b m"]]  # weight, bias, what it reads


def head(
    parts: Sequence[tuple[object, Any, Any]],
    outputs: Float[Tensor, "b c"],
    lengths: Int[Tensor, " b"],
    depth: int = 0,
) -> Head:
    """The last linear layer, whose result are the outputs, and the vector that it reads for each text.

    It may have been applied to all steps, of which the last or the mean over the text's own steps was then taken. With
    a ``depth`` that many linear layers or batch norms that stand directly before it are folded into it: what they do
    one after the other is one linear layer. Raises UnsupportedError where there is none.
    """
    lengths = lengths.to(outputs.device)
    weight, bias, read, before = _linear(parts, outputs, lengths)
    for _ in range(depth):
        inner, shift, read, before = _linear(parts[:before], read, lengths)
        weight, bias = weight @ inner, bias + weight @ shift
    return weight, bias, read


def _linear(
    parts: Sequence[tuple[object, Any, Any]], outputs: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, int]:
    """The last part that is a linear map with the outputs as its result, and how many ran before it.

    Raises UnsupportedError where there is none.
    """
    for number in reversed(range(len(parts))):
        part, received, given = parts[number]
        if not isinstance(given, Tensor) or not isinstance(received, Tensor):
            continue
        held = _affine(part)
        read = None if held is None else _behind(received, given, outputs, lengths)
        if held is not None and read is not None and equal(linear(read, *held), outputs):
            return *held, read, number
    raise UnsupportedError(NO_LINEAR)


def _affine(part: object) -> tuple[Tensor, Tensor] | None:
    """Weight and bias of a linear layer, or of a batch norm that takes its means and variances from training."""
    if isinstance(part, nn.Linear):
        weight = part.weight.detach()
        return weight, weight.new_zeros(len(weight)) if part.bias is None else part.bias.detach()
    if not isinstance(part, nn.BatchNorm1d) or part.running_mean is None or part.running_var is None:
        return None
    scale = (part.running_var + part.eps).rsqrt()
    scale = scale if part.weight is None else scale * part.weight.detach()
    bias = -part.running_mean * scale
    return torch.diag(scale), bias if part.bias is None else bias + part.bias.detach()


def _behind(received: Tensor, given: Tensor, outputs: Tensor, lengths: Tensor) -> Float[Tensor, "b m"] | None:
    """What a linear layer received for the outputs, if that is what it gave."""
    rows = len(outputs)
    if given.shape[-1] != outputs.shape[1]:
        return None
    if given.numel() == outputs.numel() and torch.equal(given.reshape(outputs.shape), outputs):
        return received.reshape(rows, -1)
    if given.ndim == 2 and len(given) % rows == 0:  # all steps of all texts in one row of vectors
        for shape in ((rows, -1), (-1, rows)):
            source, each = (value.reshape(*shape, value.shape[-1]) for value in (received, given))
            read = _at_steps(source, each, outputs, lengths)
            if read is not None:
                return read
    return _at_steps(received, given, outputs, lengths) if given.ndim == 3 else None


def _at_steps(received: Tensor, given: Tensor, outputs: Tensor, lengths: Tensor) -> Float[Tensor, "b m"] | None:
    """The same of a layer that was applied to all steps."""
    rows = len(outputs)
    index = torch.arange(rows, device=outputs.device)
    for turn in (False, True):
        each, source = (value.transpose(0, 1) if turn else value for value in (given, received))
        if len(each) != rows or each.shape[1] < int(lengths.max()):
            continue
        for place in (lengths - 1, torch.zeros_like(lengths)):
            if torch.equal(each[index, place], outputs):
                return source[index, place]
        inside = (torch.arange(each.shape[1], device=each.device) < lengths[:, None])[..., None]
        if equal((each * inside).sum(1) / lengths[:, None], outputs):
            return (source * inside).sum(1) / lengths[:, None]
    return None
