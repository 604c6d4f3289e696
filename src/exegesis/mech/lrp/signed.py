"""The gamma and alpha-beta rules of linear and convolution layers, which tell positive from negative contributions.

A contribution is ``a_j w_jk``; a bias is one more contribution. With P and N the sums of the positive and of the
negative contributions to z = P + N:

- *gamma* (Montavon et al. 2019): z's own sign is favoured, ``(a w + γ (a w)^±) / (z + γ z^± + ε sign z)``, where ± is
  the sign of z. For inputs that are not negative and z > 0 this is the printed rule, ``w + γ w^+``; for other inputs,
  such as word vectors, the printed denominator can vanish and this one cannot.
- *alpha-beta* (Bach et al. 2015): ``α (a w)^+ / (P + ε) - β (a w)^- / (N - ε)``, α - β = 1. A neuron whose
  contributions all have one sign shares by that sign alone.

What ε adds to a denominator is absorbed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from exegesis.mech.lrp.functions import ABSORBED, Shared
from exegesis.mech.lrp.shares import LrpOptions, apart, present, quotient, refuse_zero, stabilized

LinearMap = Callable[[Tensor, Tensor], Tensor]  # an input and a weight to sums, without bias


@dataclass(frozen=True, eq=False)
class SignedMap:
    """A linear map under the gamma or the alpha-beta rule, which ``options.linear`` names."""

    options: LrpOptions
    weight: Tensor
    bias: Tensor | None
    function: LinearMap

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        x, z = inputs[0], output
        relevance = arriving * apart(z)
        high, low = self.weight.clamp_min(0), self.weight.clamp_max(0)
        bias = torch.zeros_like(z) if self.bias is None else self.bias.expand(z.shape)
        over = _Half.of(x.clamp_min(0), high, low, self.function)
        under = _Half.of(x.clamp_max(0), low, high, self.function) if bool((x < 0).any()) else None
        positive, negative = over.positive + bias.clamp_min(0), over.negative + bias.clamp_max(0)
        if under is not None:
            positive, negative = positive + under.positive, negative + under.negative
        share = _gamma if self.options.linear == "gamma" else _alpha_beta
        streams = share(relevance, z, positive.detach(), negative.detach(), self.options)
        amounts = {}
        if self.bias is not None:
            signed = bias.clamp_min(0) * streams.positive + bias.clamp_max(0) * streams.negative
            amounts["biases"] = bias * streams.plain + signed
        amounts[ABSORBED] = streams.absorbed
        back = over.back(streams)
        back = back if under is None else torch.where(x >= 0, back, under.back(streams))
        return Shared([back], amounts, relevance)


@dataclass(frozen=True, eq=False)
class _Streams:
    """Relevance over denominator: for every contribution, and in addition for positive and for negative ones."""

    plain: Tensor
    positive: Tensor
    negative: Tensor
    absorbed: Tensor


@dataclass(frozen=True, eq=False)
class _Half:
    """The inputs of one sign, with the sums of the positive and of the negative contributions that they make."""

    inputs: Tensor
    positive: Tensor
    negative: Tensor

    @classmethod
    def of(cls, inputs: Tensor, raising: Tensor, lowering: Tensor, function: LinearMap) -> _Half:
        with torch.enable_grad():
            leaf = inputs.detach().requires_grad_(True)
            return cls(leaf, function(leaf, raising), function(leaf, lowering))

    def back(self, streams: _Streams) -> Tensor:
        """The relevance that the weights propagate back from both signed streams and from the unsigned one."""
        arriving = [streams.plain + streams.positive, streams.plain + streams.negative]
        (back,) = torch.autograd.grad([self.positive, self.negative], self.inputs, arriving)
        return back


def _gamma(relevance: Tensor, z: Tensor, positive: Tensor, negative: Tensor, options: LrpOptions) -> _Streams:
    up = z >= 0
    favoured = z + options.gamma * torch.where(up, positive, negative)
    _, added = stabilized(z, options.epsilon)
    plain = _over(relevance, favoured + added)
    zero = torch.zeros_like(plain)
    more = options.gamma * plain
    return _Streams(plain, torch.where(up, more, zero), torch.where(up, zero, more), added * plain)


def _alpha_beta(relevance: Tensor, z: Tensor, positive: Tensor, negative: Tensor, options: LrpOptions) -> _Streams:
    only_up, only_down = negative == 0, positive == 0
    alpha = torch.where(only_up, 1.0, torch.where(only_down, 0.0, options.alpha)).to(z)
    beta = torch.where(only_up, 0.0, torch.where(only_down, -1.0, options.beta)).to(z)
    up = _over(alpha * relevance, positive + options.epsilon)
    down = _over(-beta * relevance, negative - options.epsilon)
    return _Streams(torch.zeros_like(z), up, down, options.epsilon * (up - down))


def _over(relevance: Tensor, denominator: Tensor) -> Tensor:
    """Relevance over its denominator. Raises UsageError if that is zero and relevance is not."""
    refuse_zero((denominator == 0) & present(relevance))
    return quotient(relevance, denominator)
