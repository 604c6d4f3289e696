"""The torch functions that relevance propagation has rules for, and which rule each of them follows.

``OWN`` is that table as data; ``SIGNED`` and ``EVEN`` replace some of its lines if the options of a run say so. The
functions before them read a call: its inputs, weights and output, the texts of its rows, and its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.attention import ATTENTION
from exegesis.mech.backward.compound import COMPOUND
from exegesis.mech.backward.mode import Call, Mode, Quick, Rule, Shadow, merged, named
from exegesis.mech.backward.structural import (
    QUICK,
    STRUCTURAL,
    added,
    broadcast,
    common,
    constant_name,
    reduced,
    scaled,
)
from exegesis.mech.lrp.attention import noted, scaled_dot_product, softmax
from exegesis.mech.lrp.functions import TINY, Activation, Epsilon, EvenMap, EvenSum, Proportional
from exegesis.mech.lrp.layers import cell, layers
from exegesis.mech.lrp.norms import cosine, divided, layer_norm, length, norm_at_once, normalize, power, rms_norm
from exegesis.mech.lrp.shares import apart
from exegesis.mech.lrp.signed import SignedMap
from exegesis.mech.lrp.state import State

Product = Callable[[Tensor, Tensor], Tensor]


def linear(state: State, call: Call) -> Tensor:
    """Linear and convolution layers: input, weight, bias."""
    z, bias, rows = _weighted(call)
    if state.options.exact:
        state.kept(z, rows, bias, kind=call.name)
        return call.mode.note(z, Shadow(rows))
    return _by_epsilon(state, call, z, rows, call.name, bias)


def linear_at_once(
    state: State, mode: Mode, func: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """A linear layer of one text, the commonest of calls: its slopes are its own, its bias is booked."""
    if len(args) != 3 or options or not torch.is_grad_enabled():
        return None
    x, weight, bias = args
    plain = mode.knows(x) and not weight.requires_grad and not (bias is not None and bias.requires_grad)
    return mode.noted(func(x, weight, None if bias is None else state.bias(bias))) if plain else None


def summed_at_once(mode: Mode, func: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A sum of two live tensors of one text."""
    two = len(args) == 2 and not options and args[0] is not args[1] and mode.unmarked(*args)
    return mode.noted(func(*args)) if two else None


def _refuse_live(call: Call, weight: Any, bias: Any) -> None:
    if call.live(weight) or call.live(bias):
        raise UnsupportedError(
            f"the module computes with {named(call.func)} whose weights depend on the words: no rule"
        )


def signed_linear(state: State, call: Call) -> Tensor:
    """Linear and convolution layers under the gamma or the alpha-beta rule."""
    z, bias, rows = _weighted(call)
    x, weight = call.argument(0, "input"), call.argument(1, "weight").detach()
    options = {key: value for key, value in call.kwargs.items() if key not in ("input", "weight", "bias")}

    def function(inputs: Tensor, weights: Tensor) -> Tensor:
        sums: Tensor = call.func(inputs, weights, None, *call.args[3:], **options)
        return sums

    rule = SignedMap(state.options, weight, bias, function)
    return call.mode.note(state.propagated(rule, z.detach(), (x,), rows, state.spot(call.name)), Shadow(rows))


def even_linear(state: State, call: Call) -> Tensor:
    """Linear layers whose bias is shared evenly by their inputs."""
    z, _, rows = _weighted(call)
    x, weight, bias = (call.argument(position, name) for position, name in enumerate(("input", "weight", "bias")))
    rule = EvenMap(state.options.epsilon, weight.detach(), None if bias is None else bias.detach())
    return call.mode.note(state.propagated(rule, z.detach(), (x,), rows, state.spot("linear")), Shadow(rows))


def _weighted(call: Call) -> tuple[Tensor, Tensor | None, Int[Tensor, "*shape"]]:
    """The result of a linear or convolution layer, its bias in the result's shape, and its rows."""
    x, weight, bias = (call.argument(position, name) for position, name in enumerate(("input", "weight", "bias")))
    _refuse_live(call, weight, bias)
    z = call.native()
    space = {"linear": 0, "conv1d": 1, "conv2d": 2}[call.name]
    single, rows = call.mode.single, call.shadow(x).rows
    rows = reduced(rows, range(-1 - space, 0)) if single is None else single
    shaped = None if bias is None else bias.detach().reshape(-1, *[1] * space)
    return z, shaped, rows.expand(z.shape)


def matrix_added(state: State, call: Call) -> Any:
    """addmm: a linear layer whose weights stand the other way round, or a sum with a product."""
    bias, x, weight = (call.argument(position, name) for position, name in enumerate(("input", "mat1", "mat2")))
    plain = not call.kwargs.keys() & {"alpha", "beta"} and not call.live(bias) and not call.live(weight)
    if not (plain and state.options.exact and bias.ndim == 1):
        return COMPOUND["addmm"](call)
    z = call.native()
    rows = reduced(call.shadow(x).rows, [-1]).expand(z.shape)
    state.kept(z, rows, bias.detach(), kind="linear")
    return call.mode.note(z, Shadow(rows))


def _by_epsilon(
    state: State,
    call: Call,
    z: Tensor,
    rows: Tensor,
    kind: str,
    bias: Tensor | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """A sum that torch computed, under the epsilon rule."""
    rule = Epsilon(state.options.epsilon, bias, counts)
    return call.mode.note(state.propagated(rule, z.detach(), (z,), rows, state.spot(kind)), Shadow(rows))


def activation(state: State, call: Call) -> Tensor:
    """Elementwise functions, whose parameters are constants."""
    x = call.argument(0, "input")
    rest, options = call.args[1:], {key: value for key, value in call.kwargs.items() if key != "input"}
    if any(call.live(value) for value in (*rest, *options.values())):
        raise UnsupportedError(f"the module computes with {named(call.func)} whose parameters depend on the words")
    shadow, gate = call.shadow(x), call.name in ("sigmoid", "hardsigmoid")
    length = call.name == "sqrt" or (shadow.length and call.name in LIMITS)
    source = x if shadow.source is None else shadow.source
    with torch.no_grad():
        y = call.native()
        if state.exactly and x.dtype in (torch.float32, torch.float64) and x.numel():
            least, most = map(float, x.abs().aminmax())
            plain = y.div_(x) if least >= TINY and most < torch.inf else None
        else:
            plain = None
    marked = Shadow(shadow.rows, x, gate, source=source, length=length)
    if plain is not None:  # the quotient is a constant, and torch's own product is to the rounding what it was
        return call.mode.note(x * plain, marked)
    if state.options.spread:  # a neuron that is zero receives relevance too
        y = torch.where((y == 0) & (x != 0), apart(y), y)
    rule = Activation(lambda leaf: call.func(leaf, *rest, **options), state.options.epsilon == 0)
    return call.mode.note(state.propagated(rule, y, (x,)), marked)


def total(state: State, call: Call) -> Any:
    """Sums and differences: two live terms by the epsilon rule; 1 - gate is the gate of minus its value before.

    A term of exactly zero makes no sum, as in a loop over padded steps: ``keep * new + (1 - keep) * old``.
    """
    first, second = call.argument(0, "input"), call.argument(1, "other")
    first, second = (second, first) if call.name == "rsub" else (first, second)
    if call.live(first) and call.live(second):
        if state.options.exact:
            z = call.native()
            rows = call.rows(z.shape, first, second)
            state.kept(z, rows, kind="sum")
            return call.mode.note(z, Shadow(rows, source=common(call, z.shape)))
        z = added(call)
        counts = ((first != 0) & (second != 0)).expand(z.shape)
        return _by_epsilon(state, call, z, call.shadow(z).rows, "sum", counts=counts)
    opened = call.shadow(second) if call.live(second) else None
    if call.name != "add" and opened is not None and opened.gate and opened.before is not None and _is_one(first):
        closed = call.mode.run(torch.neg, opened.before)
        return call.mode.run(torch.sigmoid, closed)
    value, constant = (first, second) if call.live(first) else (second, first)
    z = _shifted(state, call, value, constant, constant is second) if state.options.exact else added(call)
    if call.shadow(value).length:  # a root and a constant that keeps it from zero
        call.mode.note(z, replace(call.shadow(z), length=True))
    return z


def _shifted(state: State, call: Call, value: Tensor, constant: Any, last: bool) -> Any:
    """A live term and a constant one, which keeps its share, by torch's own sum."""
    z = call.native()
    rows = call.rows(z.shape, value)
    share = constant.detach() if isinstance(constant, Tensor) else constant
    if isinstance(constant, Tensor) and constant.is_floating_point() and not isinstance(constant, torch.nn.Parameter):
        _, share = state.mask(constant)
    if share is not None:
        alpha = call.kwargs.get("alpha", 1) if last else 1
        share = share.to(z.dtype) if isinstance(share, Tensor) else share
        sign = -alpha if call.name != "add" and last else alpha
        state.kept(z, rows, share if sign == 1 else share * sign, constant_name(call, constant))
    return call.mode.note(z, Shadow(rows, source=common(call, z.shape)))


def even_total(state: State, call: Call) -> Any:
    """Sums and differences of two live terms, each of which receives half of the share of ε."""
    first, second = call.argument(0, "input"), call.argument(1, "other")
    if not (call.live(first) and call.live(second)) or call.kwargs.get("alpha", 1) != 1:
        return total(state, call)
    z = added(call)
    rows = call.shadow(z).rows
    first, second = (second, first) if call.name == "rsub" else (first, second)
    rule = EvenSum(state.options.epsilon, 1 if call.name == "add" else -1)
    return call.mode.note(state.propagated(rule, z.detach(), (first, second), rows, state.spot("sum")), Shadow(rows))


def _is_one(value: object) -> bool:
    return bool((value == 1).all()) if isinstance(value, Tensor) else value == 1


def product(state: State, call: Call) -> Any:
    """Products: of two live tensors by ``options.product``; a constant only scales."""
    a, b = call.argument(0, "input"), call.argument(1, "other")
    if not (call.live(a) and call.live(b)):
        a, b = _signal(state, call, a, b), _signal(state, call, b, a)
    if not (call.live(a) and call.live(b)):
        return scaled(call)
    first, second = call.shadow(a), call.shadow(b)
    shape = broadcast(a, b) if a.shape != b.shape else a.shape
    rows = call.rows(shape, a, b)
    source = common(call, shape) if call.live(call.args[0]) and call.live(call.args[-1]) else None
    if source is not None and state.options.exact and state.options.product in ("all", "half"):
        with torch.no_grad():
            value = call.native()
        whole = Activation(lambda leaf: leaf * 0.0, True)
        return call.mode.note(state.propagated(whole, value, (source,)), Shadow(rows, before=source, source=source))
    if state.options.product in ("prop", "abs"):
        before = (a if first.before is None else first.before, b if second.before is None else second.before)
        rule = Proportional(
            (before[0].detach(), before[1].detach()), state.options.product == "abs", state.options.stabilizer
        )
        result = state.propagated(rule, a.detach() * b.detach(), (a, b), rows)
    else:
        result = _by_gate(state, call, a, b, torch.mul)
    return call.mode.note(result, Shadow(rows))


def _signal(state: State, call: Call, value: Any, factor: Any) -> Any:
    """A constant that a gate lets through is a signal; a number, a mask or a module's weight scales the gate."""
    plain = not isinstance(value, Tensor) or call.live(value) or isinstance(value, torch.nn.Parameter)
    if plain or not call.shadow(factor).gate or bool(((value == 0) | (value == 1)).all()):
        return value
    shape = broadcast(value, factor)
    rows = call.shadow(factor).rows.expand(shape)
    return call.mode.note(state.constant(value.to(factor).expand(shape), rows, "fixed parts"), Shadow(rows))


def _by_gate(state: State, call: Call, a: Tensor, b: Tensor, function: Product) -> Tensor:
    """The signal takes all if one factor is a gate and the rule says so; both factors get half otherwise."""
    first, second = call.shadow(a), call.shadow(b)
    if state.options.product == "all" and first.gate != second.gate:
        return function(a.detach(), b) if first.gate else function(a, b.detach())
    bent = first.before is not None
    if state.attends and not state.options.through_attention and bent != (second.before is not None):
        return function(a.detach(), b) if bent else function(a, b.detach())  # a gate is constant as attention is
    result = function(a, b)
    result.register_hook(lambda arriving: None if arriving is None else 0.5 * arriving)  # type: ignore[no-untyped-call]
    return result


def matrix_product(state: State, call: Call) -> Tensor:
    """matmul and similar: a module's matrix follows the epsilon rule; one of three dimensions weights positions."""
    a, b = call.argument(0, "input"), call.argument(1, "mat2", call.kwargs.get("other", call.kwargs.get("vec")))
    if call.name == "rmatmul":
        a, b = b, a
    both = call.live(a) and call.live(b)
    result = _by_gate(state, call, a, b, torch.matmul) if both else torch.matmul(a, b)
    parts = []
    if call.live(a):
        rows = call.shadow(a).rows
        parts.append(rows.amax(-1, keepdim=b.ndim > 1) if a.ndim > 1 else rows.amax())
    if call.live(b):
        rows = call.shadow(b).rows
        parts.append(rows.amax(-2, keepdim=a.ndim > 1) if b.ndim > 1 else rows.amax())
    rows = merged(result.shape, parts)
    if not both and (b if call.live(a) else a).ndim <= 2:
        if state.options.exact:
            state.kept(result, rows.expand(result.shape), kind="linear")
            return call.mode.note(result, Shadow(rows))
        return _by_epsilon(state, call, result, rows, "linear")
    noted(state, call, a, b, result)
    return call.mode.note(result, Shadow(rows))


def einsum(state: State, call: Call) -> Tensor:
    """einsum of one or two operands: a pooling, a linear map, or a product of live tensors.

    A constant operand that shares a kept label with the live one weights its elements; one that shares only summed
    labels is a matrix of the module, which follows the epsilon rule.
    """
    equation, *operands = call.args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if not arrow or "." in equation or len(operands) > 2 or any(len(set(names)) < len(names) for names in labels):
        raise UnsupportedError(
            f"the module computes torch.einsum({equation!r}), which has no rule: write one or two operands, each label "
            "once in each, and the labels of the result after an arrow"
        )
    result = torch.einsum(equation, *operands)
    live = [number for number, operand in enumerate(operands) if call.live(operand)]
    with torch.no_grad():
        parts = [_aligned(call.shadow(operands[number]).rows, labels[number], output) for number in live]
        rows = merged(result.shape, parts)
    if len(live) == 2:
        first, second = operands
        result = _by_gate(state, call, first, second, lambda a, b: torch.einsum(equation, a, b))
    elif len(operands) == 2 and not set(labels[0]) & set(labels[1]) & set(output):
        return _by_epsilon(state, call, result, rows, "linear")
    return call.mode.note(result, Shadow(rows))


def _aligned(rows: Int[Tensor, "*shape"], labels: str, output: str) -> Int[Tensor, "*out"]:
    """Rows of an operand in the order of the result's labels, one wide for each label that it lacks."""
    rows = reduced(rows, [place for place, label in enumerate(labels) if label not in output], keep=False)
    present = [label for label in labels if label in output]
    rows = rows.permute([present.index(label) for label in output if label in present])
    for place, label in enumerate(output):
        if label not in present:
            rows = rows.unsqueeze(place)
    return rows


def refused(state: State, call: Call) -> Any:
    """Functions without a rule for biases that are spread."""
    raise UnsupportedError(
        f"bias='spread' is defined for traceable recurrent layers, linear layers and sums, and the module computes "
        f"with {named(call.func)}: take bias='keep'"
    )


ACTIVATIONS = (
    "relu relu6 tanh sigmoid gelu silu mish leaky_relu elu selu celu softplus hardtanh hardswish hardsigmoid softsign "
    "logsigmoid prelu clamp clamp_min clamp_max abs square sqrt pow exp erf expm1 log1p tanhshrink softshrink "
    "hardshrink"
)
LENGTHS = "rsqrt var std norm linalg_norm linalg_vector_norm"
LIMITS = ("clamp", "clamp_min", "clamp_max")
WEIGHTED = ("linear", "conv1d", "conv2d")
SUMS = ("add", "sub", "rsub")
MATRICES = ("matmul", "mm", "bmm", "mv", "rmatmul")
LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
CELLS = tuple(f"{name}_cell" for name in LAYERS)

OWN: dict[str, Callable[[State, Call], Any]] = {
    **dict.fromkeys(ACTIVATIONS.split(), activation),
    **dict.fromkeys(WEIGHTED, linear),
    **dict.fromkeys(SUMS, total),
    **dict.fromkeys(MATRICES, matrix_product),
    **dict.fromkeys(LAYERS, layers),
    **dict.fromkeys(CELLS, cell),
    "mul": product,
    "addmm": matrix_added,
    "softmax": softmax,
    "scaled_dot_product_attention": scaled_dot_product,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "normalize": normalize,
    "cosine_similarity": cosine,
    **dict.fromkeys(("pow", "square"), power(activation)),
    **dict.fromkeys(LENGTHS.split(), length),
    **dict.fromkeys(("div", "rdiv", "rtruediv", "reciprocal"), divided),
    "einsum": einsum,
}
SIGNED = dict.fromkeys(WEIGHTED, signed_linear)
EVEN: dict[str, Callable[[State, Call], Any]] = {
    **dict.fromkeys(("conv1d", "conv2d", "einsum", *MATRICES, *LAYERS, *CELLS), refused),
    **dict.fromkeys(SUMS, even_total),
    "linear": even_linear,
}


def table(state: State) -> dict[str, Rule]:
    """The table of rules for a run, for ``backward.mode.Mode``."""
    rules = {**OWN, **(SIGNED if state.options.linear != "epsilon" else {}), **(EVEN if state.options.spread else {})}
    return {**STRUCTURAL, **COMPOUND, **ATTENTION, **{name: partial(rule, state) for name, rule in rules.items()}}


def quick(state: State) -> dict[Any, Quick]:
    """Quick ways for a run in which sums share in proportion, of what is commonest in transformers."""
    if not state.exactly:
        return {}
    sums: dict[Any, Quick] = dict.fromkeys((torch.add, Tensor.add, Tensor.__add__), summed_at_once)
    bound = {functional.linear: linear_at_once, functional.layer_norm: norm_at_once}
    return {**QUICK, **sums, **{func: partial(rule, state) for func, rule in bound.items()}}
