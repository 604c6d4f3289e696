"""The gamma and alpha-beta rules of linear and convolution layers, which tell positive from negative contributions.

A contribution is ``a_j w_jk``, a bias one more of them. With P and N the sums of the positive and of the negative ones
into z = P + N, both rules hand each contribution its share of two streams:

- *gamma* (Montavon et al. 2019): z's own sign is favoured, ``(a w + γ (a w)^±) / (z + γ z^± + ε sign z)``, where ± is
  the sign of z. For inputs that are not negative and z > 0 this is the printed rule, ``w + γ w^+``; for others, which
  word vectors are, the printed denominator can vanish and this one cannot.
- *alpha-beta* (Bach et al. 2015): ``α (a w)^+ / (P + ε) - β (a w)^- / (N - ε)``, α - β = 1. A neuron whose
  contributions all have one sign shares by that sign alone.

What ε adds to a denominator is absorbed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.mech.backward.ledger import Book
from exegesis.mech.backward.mode import Call, Rule, Shadow
from exegesis.mech.lrp.cells import away
from exegesis.mech.lrp.functions import ZERO, Shares, apart, carried, weighed

if TYPE_CHECKING:
    from exegesis.mech.lrp.propagate import Propagation

Map = Callable[[Tensor, Tensor], Tensor]  # an input and a weight to sums, no bias


@dataclass(frozen=True, eq=False)
class _Streams:
    """Relevance over denominator: for every contribution, for the positive and for the negative ones besides."""

    plain: Tensor
    positive: Tensor
    negative: Tensor
    absorbed: Tensor


class Signed(torch.autograd.Function):
    """A linear map under the gamma or the alpha-beta rule."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, z: Tensor, run: Map, bias: Tensor | None, rows: Tensor, name: str,
        shares: Shares, book: Book,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, z)
        ctx.weight, ctx.run, ctx.bias, ctx.rows, ctx.name, ctx.shares, ctx.book = (
            weight, run, bias, rows, name, shares, book
        )  # fmt: skip
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        x, z = ctx.saved_tensors
        relevance = given[0] * apart(z)
        ctx.book.node(ctx.name, relevance)
        high, low = ctx.weight.clamp_min(0), ctx.weight.clamp_max(0)
        bias = torch.zeros_like(z) if ctx.bias is None else ctx.bias.expand(z.shape)
        over = _Half.of(x.clamp_min(0), high, low, ctx.run)
        under = _Half.of(x.clamp_max(0), low, high, ctx.run) if bool((x < 0).any()) else None
        positive, negative = over.positive + bias.clamp_min(0), over.negative + bias.clamp_max(0)
        if under is not None:
            positive, negative = positive + under.positive, negative + under.negative
        share = _gamma if ctx.shares.linear == "gamma" else _alpha_beta
        streams = share(relevance, z, positive.detach(), negative.detach(), ctx.shares)
        kept = bias * streams.plain + bias.clamp_min(0) * streams.positive + bias.clamp_max(0) * streams.negative
        if ctx.bias is not None:
            ctx.book.book("biases", kept, ctx.rows)
        ctx.book.book("absorbed by epsilon", streams.absorbed, ctx.rows)
        found = over.back(streams)
        found = found if under is None else torch.where(x >= 0, found, under.back(streams))
        return found, None, None, None, None, None, None, None, None


@dataclass(frozen=True, eq=False)
class _Half:
    """The inputs of one sign, with the sums of the positive and of the negative contributions that they make."""

    inputs: Tensor
    positive: Tensor
    negative: Tensor

    @classmethod
    def of(cls, inputs: Tensor, raising: Tensor, lowering: Tensor, run: Map) -> _Half:
        with torch.enable_grad():
            leaf = inputs.detach().requires_grad_(True)
            return cls(leaf, run(leaf, raising), run(leaf, lowering))

    def back(self, streams: _Streams) -> Tensor:
        """What the weights hand back of both streams, and of that of all contributions."""
        given = [streams.plain + streams.positive, streams.plain + streams.negative]
        (found,) = torch.autograd.grad([self.positive, self.negative], self.inputs, given)
        return found


def _gamma(relevance: Tensor, z: Tensor, positive: Tensor, negative: Tensor, shares: Shares) -> _Streams:
    up = z >= 0
    epsilon = away(z, shares.epsilon)
    plain = _over(relevance, z + shares.gamma * torch.where(up, positive, negative) + epsilon)
    zero = torch.zeros_like(plain)
    more = shares.gamma * plain
    return _Streams(plain, torch.where(up, more, zero), torch.where(up, zero, more), epsilon * plain)


def _alpha_beta(relevance: Tensor, z: Tensor, positive: Tensor, negative: Tensor, shares: Shares) -> _Streams:
    only_up, only_down = negative == 0, positive == 0
    alpha = torch.where(only_up, 1.0, torch.where(only_down, 0.0, shares.alpha)).to(z)
    beta = torch.where(only_up, 0.0, torch.where(only_down, -1.0, shares.beta)).to(z)
    up = _over(alpha * relevance, positive + shares.epsilon)
    down = _over(-beta * relevance, negative - shares.epsilon)
    return _Streams(torch.zeros_like(z), up, down, shares.epsilon * (up - down))


def _over(relevance: Tensor, below: Tensor) -> Tensor:
    """Relevance over its denominator. Raises UsageError where that is zero and relevance is not."""
    zero = below == 0
    if bool((zero & carried(relevance)).any()):
        raise UsageError(ZERO)
    return torch.where(zero, 0.0, relevance / torch.where(zero, 1.0, below))


def signed_map(used: Propagation) -> Rule:
    """The rule of linear and convolution layers that ``used.shares.linear`` names."""

    def rule(call: Call) -> Tensor:
        z, bias, rows = weighed(call)
        x, weight = call.argument(0, "input"), call.argument(1, "weight").detach()
        rest = call.args[3:]
        options = {key: value for key, value in call.kwargs.items() if key not in ("input", "weight", "bias")}

        def run(at: Tensor, by: Tensor) -> Tensor:
            found: Tensor = call.func(at, by, None, *rest, **options)
            return found

        found = Signed.apply(  # type: ignore[no-untyped-call]
            x, weight, z.detach(), run, bias, rows, used.name(call.name), used.shares, used.book
        )
        return call.mode.note(found, Shadow(rows))

    return rule
