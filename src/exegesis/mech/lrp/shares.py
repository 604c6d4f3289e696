"""The options of a run of relevance propagation, and the arithmetic that all rules share.

The epsilon rule shares the relevance R of a sum z among its terms: ``term / (z + ε sign z) R``, with sign 0 = 1; the
share of ε in the denominator is absorbed (Bach et al. 2015; Arras et al. 2019, Sec. 11.3.1). ``stabilized``
is its only implementation: every rule gets its denominators from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.errors import UsageError

EPSILON = 0.001  # the chapter's, in modules that are no transformers
PRODUCTS = ("all", "prop", "abs", "half")
ZERO = "a neuron that received relevance is exactly zero and cannot share it: take epsilon > 0 and stabilizer > 0"


@dataclass(frozen=True)
class LrpOptions:
    """The rules of a run.

    ``product``: a row of Table 11.1 of Arras et al. 2019, with ``stabilizer`` in the denominators of prop and abs.
    ``linear``: the rule of linear and convolution layers, which is epsilon, gamma (with ``gamma``) or alpha-beta.
    ``spread``: the shares of a linear map's bias and of ε are divided evenly among its inputs instead of kept.
    ``attention``: relevance passes through the weights of attention (``propagated``), or they are ``constant``.
    """

    epsilon: float
    product: str
    stabilizer: float
    linear: str = "epsilon"
    gamma: float = 0.25
    alpha: float = 2.0
    beta: float = 1.0
    spread: bool = False
    attention: str = "constant"

    @property
    def exact(self) -> bool:
        """True if sums share in proportion, without ε: then their own slopes carry relevance."""
        return self.epsilon == 0 and not self.spread and self.linear == "epsilon"

    @property
    def through_attention(self) -> bool:
        """True if relevance passes through the weights of attention."""
        return self.attention == "propagated"


def away(value: Float[Tensor, "*shape"], amount: float) -> Float[Tensor, "*shape"]:
    """``amount`` with the sign of ``value`` (zero counts as positive)."""
    return (value >= 0).to(value.dtype).mul_(2 * amount).sub_(amount)


def stabilized(
    value: Float[Tensor, "*shape"], epsilon: float, counts: Bool[Tensor, "*shape"] | None = None
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """The denominator z + ε sign z of the epsilon rule, and its term ε sign z (0 unless z ``counts`` as a sum)."""
    added = away(value, epsilon) if counts is None else away(value, epsilon) * counts
    return value + added, added


def inverse(
    value: Float[Tensor, "*shape"], least: float
) -> tuple[Float[Tensor, "*shape"], Bool[Tensor, "*shape"] | None]:
    """1 / value, zero if that overflows or nearly so, and a flag where it does (None if nowhere).

    No value is nearer to zero than ``least``.
    """
    if least > torch.finfo(value.dtype).tiny:
        return value.reciprocal(), None
    small = value.abs() < torch.finfo(value.dtype).tiny
    return value.masked_fill(small, torch.inf).reciprocal(), small


def quotient(amount: Float[Tensor, "*shape"], denominator: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """amount / denominator, zero for a denominator of zero."""
    zero = denominator == 0
    return torch.where(zero, 0.0, amount / torch.where(zero, 1.0, denominator))


def refuse_zero(blocked: Bool[Tensor, "*shape"]) -> None:
    """Raise UsageError if anything is ``blocked``: has relevance, and a denominator of zero to share it by."""
    if bool(blocked.any()):
        raise UsageError(ZERO)


def apart(value: Tensor) -> Tensor:
    """The value, moved away from zero so far that dividing by it and multiplying again loses nothing.

    Relevance R of a neuron that is exactly zero is carried as R / tiny and becomes R again in the sum that made it.
    """
    tiny = {torch.float64: 1e-150, torch.float32: 1e-18, torch.bfloat16: 1e-18}.get(value.dtype, 1e-4)
    return torch.where(value.abs() < tiny, away(value, tiny), value)


def present(relevance: Tensor) -> Tensor:
    """Mask of elements with relevance, including that of activations that are exactly zero (tiny after ``apart``)."""
    return relevance.abs() > 1e-100 if relevance.dtype == torch.float64 else relevance.abs() > 1e-14
