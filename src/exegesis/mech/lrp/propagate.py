"""Relevance propagation through any module made of parts with a rule, as one backward pass with other slopes.

What flows backwards is relevance over activation, so that a word's relevance is its vector times what arrives there.
A linear map hands on its own slope times ``z / (z + ε sign z)``; an activation the quotient output / input; poolings,
sums over positions and products with constants their own slopes. The rules of this method are the table ``rules``;
what is shared with other methods is ``mech.modified`` and ``mech.structure``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ExegesisError, UnsupportedError
from exegesis.core.text import text_of_words
from exegesis.mech.backward.ledger import Book
from exegesis.mech.backward.mode import Call, Mode, Rule, Shadow, named
from exegesis.mech.backward.structural import STRUCTURE, broadcast, merged
from exegesis.mech.lrp.einsum import einsum
from exegesis.mech.lrp.functions import Activation, Kept, Product, Shares, Stabilized, apart, weighed
from exegesis.mech.lrp.layers import cell, layers
from exegesis.mech.lrp.signed import signed_map
from exegesis.mech.lrp.spreading import spreading
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

ACTIVATIONS = (
    "relu relu6 tanh sigmoid gelu silu mish leaky_relu elu selu celu softplus hardtanh hardswish hardsigmoid softsign "
    "logsigmoid prelu clamp clamp_min clamp_max abs square sqrt pow exp expm1 log1p tanhshrink softshrink hardshrink"
)


class Propagation:
    """The table of rules for one run, and what was booked in its backward pass."""

    def __init__(self, shares: Shares, texts: int, anchor: Tensor) -> None:
        self.shares, self.book, self.anchor = shares, Book(texts), anchor
        self._names: dict[str, int] = {}

    def rules(self) -> dict[str, Rule]:
        weights = ("linear", "conv1d", "conv2d")
        return {
            **dict.fromkeys(ACTIVATIONS.split(), self._activation),
            **dict.fromkeys(weights, self._linear if self.shares.linear == "epsilon" else signed_map(self)),
            **dict.fromkeys(("add", "sub", "rsub"), self.sum),
            **dict.fromkeys(("matmul", "mm", "bmm", "mv", "rmatmul"), self._matmul),
            **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), layers(self)),
            **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), cell(self)),
            "mul": self._product,
            "softmax": self._softmax,
            "einsum": self._einsum,
            **(spreading(self) if self.shares.spread else {}),
        }

    def fixed(self, value: Tensor, rows: Tensor, name: str) -> Tensor:
        found: Tensor = Kept.apply(self.anchor, value, rows, name, self.book)  # type: ignore[no-untyped-call]
        return found

    def name(self, kind: str) -> str:
        """A name for the relevance of one part's results: conv1d 1, conv1d 2, ..."""
        self._names[kind] = self._names.get(kind, 0) + 1
        return f"{kind} {self._names[kind]}"

    def stabilized(
        self, z: Tensor, bias: Tensor | None, rows: Tensor, name: str, counts: Tensor | None = None
    ) -> Tensor:
        found: Tensor = Stabilized.apply(z, bias, rows, self.shares.epsilon, self.book, name, counts)  # type: ignore[no-untyped-call]
        return found

    def _linear(self, call: Call) -> Tensor:
        """Linear and convolution layers: input, weight, bias."""
        z, bias, rows = weighed(call)
        return call.mode.note(self.stabilized(z, bias, rows, self.name(call.name)), Shadow(rows))

    def _activation(self, call: Call) -> Tensor:
        x = call.argument(0, "input")
        rest, options = call.args[1:], {key: value for key, value in call.kwargs.items() if key != "input"}
        if any(call.live(value) for value in (*rest, *options.values())):
            raise UnsupportedError(f"the module computes with {named(call.func)} whose parameters depend on the words")
        y = call.native().detach()
        if self.shares.spread:  # a neuron that is zero receives relevance too
            y = torch.where((y == 0) & (x != 0), apart(y), y)
        found: Tensor = Activation.apply(x, y, lambda at: call.func(at, *rest, **options), self.shares.epsilon == 0)  # type: ignore[no-untyped-call]
        return call.mode.note(
            found, Shadow(call.shadow(x).rows, before=x, gate=call.name in ("sigmoid", "hardsigmoid"))
        )

    def sum(self, call: Call) -> Any:
        """Of two live terms by the epsilon rule; 1 - gate is the gate of minus its value before activation.

        Where a term is exactly zero there is no sum: in a loop over padded steps, ``keep * new + (1 - keep) * old``.
        """
        one, two = call.argument(0, "input"), call.argument(1, "other")
        one, two = (two, one) if call.name == "rsub" else (one, two)
        if call.live(one) and call.live(two):
            found = STRUCTURE["add"](call)
            rows = call.shadow(found).rows
            counts = ((one != 0) & (two != 0)).expand(found.shape)
            return call.mode.note(self.stabilized(found, None, rows, self.name("sum"), counts), Shadow(rows))
        opened = call.shadow(two) if call.live(two) else None
        if call.name != "add" and opened is not None and opened.gate and opened.before is not None and _is_one(one):
            closed = call.mode.run(torch.neg, opened.before)
            return call.mode.run(torch.sigmoid, closed)
        return NotImplemented

    def _softmax(self, call: Call) -> Tensor:
        """Weights of attention are constants of this text."""
        found: Tensor = call.native().detach()
        return found

    def _product(self, call: Call) -> Any:
        one, two = call.argument(0, "input"), call.argument(1, "other")
        if not (call.live(one) and call.live(two)):
            one, two = self._signal(call, one, two), self._signal(call, two, one)
        if not (call.live(one) and call.live(two)):
            return NotImplemented
        first, second = call.shadow(one), call.shadow(two)
        rows = merged(broadcast(one, two), [first.rows, second.rows])
        if self.shares.product in ("prop", "abs"):
            before = tuple(
                (value if shadow.before is None else shadow.before).detach()
                for value, shadow in ((one, first), (two, second))
            )
            found = Product.apply(one, two, before, rows, self.shares, self.book)  # type: ignore[no-untyped-call]
            return call.mode.note(found, Shadow(rows))
        return call.mode.note(self.by_gate(one, two, first, second, torch.mul), Shadow(rows))

    def _signal(self, call: Call, value: Any, factor: Any) -> Any:
        """A constant that a gate lets through is a signal; a number, a mask or a module's weight scales the gate."""
        plain = not isinstance(value, Tensor) or call.live(value) or isinstance(value, torch.nn.Parameter)
        if plain or not call.shadow(factor).gate or bool(((value == 0) | (value == 1)).all()):
            return value
        shape = broadcast(value, factor)
        rows = call.shadow(factor).rows.expand(shape)
        return call.mode.note(self.fixed(value.to(factor).expand(shape), rows, "fixed parts"), Shadow(rows))

    def by_gate(
        self, one: Tensor, two: Tensor, first: Shadow, second: Shadow, func: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """The signal takes all where one factor is a gate and the rule says so; halves elsewhere."""
        if self.shares.product == "all" and first.gate != second.gate:
            return func(one.detach(), two) if first.gate else func(one, two.detach())
        return 0.5 * func(one.detach(), two) + 0.5 * func(one, two.detach())

    def _matmul(self, call: Call) -> Tensor:
        one, two = call.argument(0, "input"), call.argument(1, "mat2", call.kwargs.get("other", call.kwargs.get("vec")))
        if call.name == "rmatmul":
            one, two = two, one
        found = torch.matmul(one, two)
        parts = []
        if call.live(one):
            rows = call.shadow(one).rows
            rows = rows.amax(-1, keepdim=two.ndim > 1) if one.ndim > 1 else rows.amax()
            parts.append(rows)
        if call.live(two):
            rows = call.shadow(two).rows
            parts.append(rows.amax(-2, keepdim=one.ndim > 1) if two.ndim > 1 else rows.amax())
        rows = merged(found.shape, parts)
        if call.live(one) and call.live(two):
            found = self.by_gate(one, two, call.shadow(one), call.shadow(two), torch.matmul)
        elif (two if call.live(one) else one).ndim <= 2:  # a matrix of the module; three dimensions weigh positions
            found = self.stabilized(found, None, rows, self.name("linear"))
        return call.mode.note(found, Shadow(rows))

    def _einsum(self, call: Call) -> Tensor:
        return einsum(self, call)


def _is_one(value: object) -> bool:
    if isinstance(value, Tensor):
        return bool((value == 1).all())
    return value == 1


def propagate(
    model: Differentiable, batch: Batch, target: Float[Tensor, "b k c"], shares: Shares, *, nodes: bool = False
) -> tuple[Float[Tensor, "b k t d"], dict[str, Float[Tensor, "b k"]], dict[str, Tensor]]:
    """Relevance of every component of the word vectors; what did not reach them, by name; and, where asked for, the
    relevance of the parts in between, by name, for the last target.

    Raises UnsupportedError, by name, for a part without a rule, UsageError where relevance would be divided by zero.
    """
    leaf = model.embed(batch).detach().requires_grad_(True)
    used = Propagation(shares, len(batch), leaf)
    used.book.nodes = {} if nodes else None
    mode = Mode(used.rules(), used.fixed)
    with torch.enable_grad():
        with mode:
            raw = model.outputs_from(mode.start(leaf), batch)
        if not raw.requires_grad:
            raise UnsupportedError(
                "the outputs depend on the words through attention weights alone, which are constants to relevance"
            )
        mode.shadow(raw)  # refuses what came from out of sight
    mode.forget()
    values, accounts, kept = [], [], {}
    for number in range(target.shape[1]):
        used.book.clear()
        seed = target[:, number].to(raw)
        (slope,) = torch.autograd.grad(raw, leaf, seed, retain_graph=number + 1 < target.shape[1], allow_unused=True)
        slope = torch.zeros_like(leaf) if slope is None else slope
        values.append(apart(leaf.detach()) * slope)
        accounts.append(used.book.parts)
        kept = used.book.nodes or {}
    names = list(dict.fromkeys(name for parts in accounts for name in parts))
    none = leaf.new_zeros(len(batch))
    account = {name: torch.stack([parts.get(name, none) for parts in accounts], 1) for name in names}
    idle = [name for name in ("fixed parts", "initial states") if name in account and not bool(account[name].any())]
    return torch.stack(values, 1).detach(), {n: part for n, part in account.items() if n not in idle}, kept


def trial(model: Differentiable) -> str | None:
    """The part of a model that has no rule, found on a short text; None where there is none, or none can be tried."""
    tokens = model.tokens
    some = tokens.get("unknown", tokens.get("mask", tokens["pad"] + 1))
    text = text_of_words("", [("", 0, 0)] * 6, [some] * 6)
    try:
        batch = model.encode([text])
        with torch.no_grad():
            width = model.outputs(batch).shape[1]
        propagate(model, batch, torch.eye(width, device=batch.device)[None, :1], Shares(0.001, "all", 0.001))
    except UnsupportedError as error:
        return str(error)
    except ExegesisError:  # the trial's text does not suit the model; its own texts will tell
        return None
    return None
