"""Gates that are exactly 0 or 1 with a positive probability and have a gradient, and their relaxed kin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

LOWER, UPPER = -0.1, 1.1  # the support of the stretched Kumaraswamy (Bastings et al. 2019, Sec. 3.2)
NODES = 48  # points of the quadrature of a mean
TINY = 1e-6  # uniform draws stay so far from 0 and 1


@dataclass(frozen=True, eq=False)
class HardKumaraswamy:
    """The hard Kumaraswamy distribution of gates (Bastings et al. 2019, Sec. 3.2), with parameters ``a``, ``b`` > 0.

    K has the distribution function F(x) = 1 - (1 - x^a)^b on (0, 1); z = min(1, max(0, l + (r - l) K)) with
    (l, r) = (-0.1, 1.1). Then P(z = 0) = F(-l / (r - l)) and P(z = 1) = 1 - F((1 - l) / (r - l)).
    """

    a: Float[Tensor, "*n"]
    b: Float[Tensor, "*n"]

    def log_above(self, t: Float[Tensor, "*m"] | float) -> Tensor:
        """The logarithm of P(z > t) for 0 <= t < 1: b log(1 - x^a) at x = (t - l) / (r - l)."""
        x = (torch.as_tensor(t, dtype=self.a.dtype, device=self.a.device) - LOWER) / (UPPER - LOWER)
        return self.b * torch.log(-torch.expm1(self.a * torch.log(x)))

    @property
    def zero(self) -> Float[Tensor, "*n"]:
        """P(z = 0)."""
        return -torch.expm1(self.log_above(0.0))

    @property
    def one(self) -> Float[Tensor, "*n"]:
        """P(z = 1)."""
        return torch.exp(self.log_above(1.0))

    def mean(self) -> Float[Tensor, "*n"]:
        """E[z] = the integral of P(z > t) over 0 < t < 1, by Gauss-Legendre quadrature.

        The published code takes the mean of K before it is stretched and clipped, which is another number.
        """
        points, weights = (torch.as_tensor(v, dtype=self.a.dtype, device=self.a.device) for v in _legendre(NODES))
        a, b = self.a[..., None], self.b[..., None]
        return (HardKumaraswamy(a, b).log_above(points).exp() * weights).sum(-1)

    def draw(self) -> Float[Tensor, "*n"]:
        """A gate for each pair of parameters, with a gradient to them where it is between 0 and 1 (Eqs. 8 and 9)."""
        u = torch.rand_like(self.a).clamp(TINY, 1 - TINY)
        k = torch.exp(torch.log(-torch.expm1(torch.log1p(-u) / self.b)) / self.a)
        return (LOWER + (UPPER - LOWER) * k).clamp(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class HardConcrete:
    """The hard concrete distribution of gates (Louizos et al. 2018, Eqs. 10 and 11), with ``logits`` and a temperature.

    s = sigmoid((log u - log(1 - u) + logit) / tau); z = min(1, max(0, l + (r - l) s)). With the support
    (l, r) = (-0.2, 1.0) of De Cao et al. 2020 a gate is exactly 0 with a positive probability, and 1 with none.
    P(z > t) = sigmoid(logit - tau log(x / (1 - x))) at x = (t - l) / (r - l); at t = 0 the odds are -l / r.
    """

    logits: Float[Tensor, "*n"]
    temperature: float = 1 / 3
    lower: float = -0.2
    upper: float = 1.0

    def above(self, t: Float[Tensor, "*m"] | float) -> Tensor:
        """P(z > t) for 0 <= t < 1."""
        x = (torch.as_tensor(t, dtype=self.logits.dtype) - self.lower) / (self.upper - self.lower)
        return torch.sigmoid(self.logits - self.temperature * torch.log(x / (1 - x)).to(self.logits))

    def mean(self) -> Float[Tensor, "*n"]:
        """E[z], as the integral of P(z > t) over 0 < t < 1, which falls steeply at 1: t = 1 - s^3."""
        points, weights = (torch.as_tensor(v, dtype=self.logits.dtype) for v in _legendre(NODES))
        lifted = HardConcrete(self.logits[..., None], self.temperature, self.lower, self.upper)
        return (lifted.above(1 - points**3) * (3 * points**2 * weights).to(self.logits)).sum(-1)

    def draw(self) -> Float[Tensor, "*n"]:
        """A gate for each logit, with a gradient to it where it is between 0 and 1."""
        s = torch.sigmoid((noise(self.logits) + self.logits) / self.temperature)
        return (self.lower + (self.upper - self.lower) * s).clamp(0.0, 1.0)


def noise(like: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Logistic noise, the difference of two Gumbel draws: log u - log(1 - u)."""
    u = torch.rand_like(like).clamp(TINY, 1 - TINY)
    return torch.log(u) - torch.log1p(-u)


def relaxed(logits: Float[Tensor, "*n"], temperature: float) -> Float[Tensor, "*n"]:
    """A draw of the relaxed Bernoulli distribution, between 0 and 1 (Maddison et al. 2017; Jang et al. 2017).

    It is above 1/2 with the probability sigmoid(logit). Its gradient estimates that of a Bernoulli gate with a bias,
    which falls as the temperature falls while the variance grows.
    """
    return torch.sigmoid((logits + noise(logits)) / temperature)


def straight(logits: Float[Tensor, "*n"], temperature: float) -> Float[Tensor, "*n"]:
    """A Bernoulli draw, exactly 0 or 1, with the gradient of ``relaxed`` (straight-through: a biased gradient)."""
    soft = relaxed(logits, temperature)
    return (soft > 0.5).to(soft) + (soft - soft.detach())  # the brackets keep ones exact


def share_of(gate: Float[Tensor, "*s t"], real: Bool[Tensor, "*r t"]) -> Float[Tensor, "*s"]:
    """The mean gate of the words of each text."""
    return (gate * real).sum(-1) / real.sum(-1).clamp(min=1)


def transitions_of(gate: Float[Tensor, "*s t"], real: Bool[Tensor, "*r t"]) -> Float[Tensor, "*s"]:
    """The sum of |z_t - z_{t-1}| over the neighbours in each text (Lei et al. 2016, Eq. 4; survey, Eq. 24)."""
    return ((gate[..., 1:] - gate[..., :-1]).abs() * real[..., 1:]).sum(-1)


@lru_cache(4)
def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of Gauss-Legendre quadrature on (0, 1)."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return (points + 1) / 2, weights / 2
