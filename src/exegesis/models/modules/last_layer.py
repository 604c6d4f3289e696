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
Head = tuple[Float[Tensor, "c m"], Float[Tensor, " c"], Float[Tensor, "b m"]]  # weight, bias, the vector read


def head(
    parts: Sequence[tuple[object, Any, Any]],
    outputs: Float[Tensor, "b c"],
    lengths: Int[Tensor, " b"],
    folded: int = 0,
) -> Head:
    """The last linear layer, whose result is the outputs, and the vector that it reads for each text.

    If it was applied to all steps, the vector is that of the last step, or the mean over the text's own steps.
    ``folded`` linear layers or batch norms directly before it are folded into it: in a row they are one linear layer.
    Raises UnsupportedError if there is none.
    """
    lengths = lengths.to(outputs.device)
    weight, bias, read, before = _linear(parts, outputs, lengths)
    for _ in range(folded):
        inner, shift, read, before = _linear(parts[:before], read, lengths)
        weight, bias = weight @ inner, bias + weight @ shift
    return weight, bias, read


def _linear(
    parts: Sequence[tuple[object, Any, Any]], outputs: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, int]:
    """The last part that is a linear map with the outputs as its result, and the number of parts before it.

    Raises UnsupportedError if there is none.
    """
    for number in reversed(range(len(parts))):
        part, received, result = parts[number]
        if not isinstance(result, Tensor) or not isinstance(received, Tensor):
            continue
        weights = _affine(part)
        read = None if weights is None else _read(received, result, outputs, lengths)
        if weights is not None and read is not None and equal(linear(read, *weights), outputs.to(read.dtype)):
            return *weights, read, number
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


def _read(received: Tensor, result: Tensor, outputs: Tensor, lengths: Tensor) -> Float[Tensor, "b m"] | None:
    """The vectors that a linear layer received for the outputs; None if its result is not the outputs."""
    rows, outputs = len(outputs), outputs.to(result.dtype)  # logits may be cast behind the layer
    if result.shape[-1] != outputs.shape[1]:
        return None
    if result.numel() == outputs.numel() and torch.equal(result.reshape(outputs.shape), outputs):
        return received.reshape(rows, -1)
    if result.ndim == 2 and len(result) % rows == 0:  # all steps of all texts in one row of vectors
        for shape in ((rows, -1), (-1, rows)):
            source, steps = (value.reshape(*shape, value.shape[-1]) for value in (received, result))
            read = _read_at_steps(source, steps, outputs, lengths)
            if read is not None:
                return read
    return _read_at_steps(received, result, outputs, lengths) if result.ndim == 3 else None


def _read_at_steps(received: Tensor, result: Tensor, outputs: Tensor, lengths: Tensor) -> Float[Tensor, "b m"] | None:
    """The vectors that a linear layer received for the outputs if it was applied to all steps."""
    rows = len(outputs)
    index = torch.arange(rows, device=outputs.device)
    for turn in (False, True):
        steps, source = (value.transpose(0, 1) if turn else value for value in (result, received))
        if len(steps) != rows or steps.shape[1] < int(lengths.max()):
            continue
        for step in (lengths - 1, torch.zeros_like(lengths)):
            if torch.equal(steps[index, step], outputs):
                return source[index, step]
        inside = (torch.arange(steps.shape[1], device=steps.device) < lengths[:, None])[..., None]
        if equal((steps * inside).sum(1) / lengths[:, None], outputs):
            return (source * inside).sum(1) / lengths[:, None]
    return None
