"""Rules as values, and the one autograd function that applies them: gradients carry relevance over activation.

A rule receives the arriving value at its output (relevance over the output), the inputs and the output. It returns the
arriving value for each input, so that ``input * arriving`` is the input's relevance, and the amounts that it keeps, by
name. Its weights are fields. ``Propagated`` runs a rule in the backward pass, books the kept amounts for the texts that
``rows`` names, and notes the output's relevance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from exegesis.core.place import Place
from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.lrp.shares import apart, present, quotient, refuse_zero, stabilized

TINY = 1e-18  # a quotient by what is larger needs no care
ABSORBED = "absorbed by epsilon"


@dataclass(frozen=True, eq=False)
class Shared:
    """The relevance of an output after a rule has shared it.

    ``arriving``: relevance over activation for each input (None: the input gets nothing). ``kept``: amounts that reach
    no input, by name. ``relevance``: that of the output, for rules of parts that have a place of their own.
    """

    arriving: Sequence[Tensor | None]
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    relevance: Tensor | None = None


class ShareRule(Protocol):
    """The way in which one function shares the relevance of its output among its inputs.

    A rule with an attribute ``reads`` of False is given neither inputs nor output again, which are not kept for it.
    """

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        """Share the value that arrives at ``output``, relevance over activation, among ``inputs``."""
        ...


class Propagated(torch.autograd.Function):
    """The output of a function, whose backward pass is a rule's."""

    @staticmethod
    def forward(
        ctx: Any,
        rule: ShareRule,
        ledger: Ledger,
        rows: Tensor | None,
        place: Place | None,
        output: Tensor,
        *inputs: Tensor,
    ) -> Tensor:
        ctx.rule, ctx.ledger, ctx.rows, ctx.place = rule, ledger, rows, place
        if not getattr(rule, "reads", True):
            return output.detach()
        ctx.save_for_backward(output, *inputs)
        return output.clone()

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor) -> Any:
        output, *inputs = ctx.saved_tensors or (None,)
        shared = ctx.rule.shared(arriving[0], inputs, output)
        if shared.relevance is not None and ctx.place is not None:
            ctx.ledger.note(ctx.place, shared.relevance)
        for name, amount in shared.kept.items():
            ctx.ledger.book(name, amount, ctx.rows)
        return None, None, None, None, None, *shared.arriving


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant beside live values keeps all that it receives. Its input is an anchor that receives nothing."""

    name: str

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        amount = apart(output) * arriving
        return Shared([None], {self.name: torch.where(present(amount), amount, 0.0)})


@dataclass(frozen=True, eq=False)
class Epsilon:
    """The epsilon rule of a sum z = Σ a w + b, if it ``counts`` as a sum. Its input is z, as torch computes it."""

    epsilon: float
    bias: Tensor | None = None
    counts: Tensor | None = None

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        z = apart(output)
        denominator, added = stabilized(z, self.epsilon, self.counts)
        idle = arriving == 0  # also if z is infinite, after a mask
        part = torch.where(idle, 0.0, arriving * (z / denominator))
        amounts = {ABSORBED: added * part}
        if self.bias is not None:
            amounts["biases"] = self.bias * part
        return Shared([part], amounts, torch.where(idle, 0.0, z * arriving))


@dataclass(frozen=True, eq=False)
class EvenMap:
    """A linear layer whose bias and ε are shared evenly by its n inputs (``bias="spread"``):

    R_j = Σ_s (a_j w_sj + (b_s + ε_s) / n) / (z_s + ε_s) R_s

    Nothing is kept, and an input receives its part even if it is exactly zero.
    """

    epsilon: float
    weight: Tensor
    bias: Tensor | None

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        z, x = apart(output), inputs[0]
        denominator, added = stabilized(z, self.epsilon)
        part = arriving * (z / denominator)
        extra = added if self.bias is None else self.bias + added
        even = (extra * part).sum(-1, keepdim=True) / x.shape[-1]
        return Shared([part @ self.weight + even / apart(x)], {}, z * arriving)


@dataclass(frozen=True, eq=False)
class EvenSum:
    """A sum or difference (``sign`` -1) of two terms, each of which receives half of the share of ε."""

    epsilon: float
    sign: int

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        first, second = inputs
        z = apart(output)
        denominator, added = stabilized(z, self.epsilon, (first != 0) & (second != 0))  # with a zero there is no sum
        part = arriving * (z / denominator)
        terms = [
            (part * (sign + added / 2 / apart(term))).sum_to_size(term.shape)
            for sign, term in ((1, first), (self.sign, second))
        ]
        return Shared(terms, {}, z * arriving)


@dataclass(frozen=True, eq=False)
class Activation:
    """An elementwise function passes its relevance on unchanged: the quotient output / input, at zero its limit.

    ``exact``: without epsilon, relevance of an output that is not zero while its input is cannot be passed on.
    """

    function: Callable[[Tensor], Tensor]
    exact: bool

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        x, y = inputs[0], output
        if bool((x.abs() >= TINY).all()):
            return Shared([arriving * (y / x)])
        if self.exact:
            refuse_zero((x == 0) & (y != 0) & (arriving != 0))
        ratio = y / apart(x)
        if bool(((x == 0) & (y == 0)).any()):
            with torch.enable_grad():
                leaf = x.detach().requires_grad_(True)
                (slope,) = torch.autograd.grad(self.function(leaf).sum(), leaf)
            ratio = torch.where((x == 0) & (y == 0), slope, ratio)
        return Shared([torch.where(arriving == 0, 0.0, arriving * ratio)])


@dataclass(frozen=True, eq=False)
class Proportional:
    """A product by Table 11.1, prop and abs: shares in proportion to the factors' values before activation."""

    before: tuple[Tensor, Tensor]
    absolute: bool
    stabilizer: float

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        a, b = inputs
        first, second = (value.abs() if self.absolute else value for value in self.before)
        denominator, added = stabilized(first + second, self.stabilizer)
        refuse_zero((denominator == 0) & (a * b * arriving != 0))
        factor = quotient(arriving, denominator)
        to_a, to_b = first * factor * b, second * factor * a
        parts = [to_a.sum_to_size(a.shape), to_b.sum_to_size(b.shape)]
        return Shared(parts, {ABSORBED: added * factor * a * b})
