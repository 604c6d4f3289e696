"""Directions that separate the states of a concept's examples from others: logistic regressions, many at once."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError

STEPS, SETTLED = 50, 1e-9  # of Newton's method; the largest slope of the loss that is left
AT_ONCE = 256  # regressions that are solved together
HALVINGS = 20


def directions(
    states: Float[Tensor, "n h"], positive: Int[Tensor, "k m"], negative: Int[Tensor, "k m"], penalty: float
) -> tuple[Float[Tensor, "k h"], Float[Tensor, " k"]]:
    """The unit normals of k linear classifiers between the states of two sets of rows, and their thresholds.

    A direction v and a threshold t: a state h is on the concept's side if h . v > t. They minimise the mean logistic
    loss plus ``penalty / 2`` times the squared norm of the weights, for states that are scaled to a mean squared
    distance of 1 from their mean, so that the scale of a layer changes nothing (Kim et al. 2018 take any linear
    classifier). The threshold is free. Newton's method in the span of the rows; a rotation of the states rotates the
    directions.

    Raises ModelError if all states are the same, which no direction separates.
    """
    states = states.double()
    centred = states - states.mean(0)
    size = centred.square().sum(1).mean().sqrt()
    if not float(size) > 1e-12 * max(1.0, float(states.abs().max())):
        raise ModelError("the states of all examples are the same, so no direction tells a concept from others")
    scaled = centred / size
    normals, thresholds = [], []
    for start in range(0, len(positive), AT_ONCE):
        rows = torch.cat([positive[start : start + AT_ONCE], negative[start : start + AT_ONCE]], 1)
        chosen = scaled[rows]
        signs = torch.ones(rows.shape, dtype=torch.float64)
        signs[:, positive.shape[1] :] = -1.0
        weights, bias = _solved(chosen @ chosen.transpose(1, 2), signs.to(chosen), penalty)
        raw = torch.einsum("km,kmh->kh", weights, chosen)
        norm = raw.norm(dim=1)
        if not bool((norm > 0).all()):
            raise ModelError("two sets of examples have the same states, so no direction tells them apart")
        normal = raw / norm[:, None]
        normals.append(normal)
        thresholds.append(normal @ states.mean(0) - bias / norm * size)
    return torch.cat(normals), torch.cat(thresholds)


def _solved(gram: Float[Tensor, "k m m"], signs: Float[Tensor, "k m"], penalty: float) -> tuple[Tensor, Tensor]:
    """The weights of the rows, and the biases: w = sum_i a_i x_i, found by Newton's method with halved steps."""
    count, size = signs.shape
    a, b = torch.zeros_like(signs), torch.zeros_like(signs[:, 0])
    ones = torch.ones_like(signs)
    value = _loss(gram, signs, a, b, penalty)
    for _ in range(STEPS):
        missed = torch.sigmoid(-signs * _outputs(gram, a, b))
        rest = penalty * a - signs * missed / size
        slope = torch.cat([rest, (signs * missed).sum(1, keepdim=True) / size], 1)
        if bool((slope.abs().amax(1) < SETTLED).all()):
            return a, b
        curved = missed * (1 - missed) / size
        matrix = torch.zeros(count, size + 1, size + 1).to(gram)
        matrix[:, :size, :size] = curved[:, :, None] * gram + penalty * torch.eye(size).to(gram)
        matrix[:, :size, size] = curved
        matrix[:, size, :size] = -torch.einsum("km,kmn->kn", curved, gram)
        matrix[:, size, size] = -curved.sum(1) - 1e-12
        step = torch.linalg.solve(matrix, -slope)
        scale = torch.ones_like(b)
        for _ in range(HALVINGS):
            tried = _loss(gram, signs, a + scale[:, None] * step[:, :size], b + scale * step[:, size], penalty)
            worse = tried > value + 1e-12
            if not bool(worse.any()):
                break
            scale = torch.where(worse, scale / 2, scale)
        a, b = a + scale[:, None] * step[:, :size] * ones, b + scale * step[:, size]
        value = _loss(gram, signs, a, b, penalty)
    return a, b


def _outputs(gram: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.einsum("kmn,kn->km", gram, a) + b[:, None]


def _loss(gram: Tensor, signs: Tensor, a: Tensor, b: Tensor, penalty: float) -> Tensor:
    outputs = _outputs(gram, a, b)
    size = torch.einsum("km,kmn,kn->k", a, gram, a)
    return torch.nn.functional.softplus(-signs * outputs).mean(1) + penalty / 2 * size
