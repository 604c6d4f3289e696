"""DeepLIFT's rescale rule (Shrikumar et al. 2017) through any module made of parts with a rule.

The module runs over a text while ``backward.mode`` keeps, beside every live tensor, its value at the baseline. Autograd
then carries multipliers: Δy / Δx for an elementwise y = f(x), the slope for linear functions, and those of
``deeplift.rules`` for the rest. Each rule is exact, so multipliers times Δx, summed over the word vectors, are the
difference of the number.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.attention import ATTENTION
from exegesis.mech.backward.compound import COMPOUND, NORMS, shifted
from exegesis.mech.backward.mode import Mode, Rule
from exegesis.mech.backward.structural import STRUCTURAL
from exegesis.mech.deeplift import rules
from exegesis.mech.deeplift.recurrent import cell, layers
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target

ELEMENTWISE = (
    "relu relu6 tanh sigmoid gelu silu mish leaky_relu elu selu celu softplus hardtanh hardswish hardsigmoid softsign "
    "logsigmoid prelu threshold clamp clamp_min clamp_max abs square sqrt rsqrt reciprocal pow exp expm1 exp2 log "
    "log1p log2 log10 logit erf sin cos atan sinh cosh asinh tanhshrink softshrink hardshrink rtruediv rdiv rpow"
)
OWN: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE.split(), rules.elementwise),
    **dict.fromkeys(("linear", "conv1d", "conv2d"), rules.linear_map),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), rules.bilinear(torch.matmul)),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), layers),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), cell),
    **dict.fromkeys(("softmax", "log_softmax"), rules.softmax),
    **dict.fromkeys(("max", "min", "amax", "amin"), rules.extremum),
    **dict.fromkeys(("maximum", "minimum"), rules.larger),
    **dict.fromkeys(("max_pool1d", "adaptive_max_pool1d"), rules.max_pooled(1)),
    **dict.fromkeys(("max_pool2d", "adaptive_max_pool2d"), rules.max_pooled(2)),
    **dict.fromkeys(("sort", "topk"), rules.refused),
    "rmatmul": rules.bilinear(rules.reversed_matmul),
    "mul": rules.bilinear(torch.mul),
    "div": rules.divided_by_live,
    "einsum": rules.einsum,
    "lerp": shifted,
    "prod": rules.product,
    "cumprod": rules.running_product,
    "setitem": rules.written,
}
TABLE = {**STRUCTURAL, **COMPOUND, **NORMS, **ATTENTION, **OWN}


def differences(
    model: Differentiable, batch: Batch, target: Target, base: Float[Tensor, "b t d"], first: Float[Tensor, "b k"]
) -> Float[Tensor, "b k t"]:
    """Each piece's share of the numbers' differences from ``first``, the numbers at the vectors ``base``.

    Raises UnsupportedError, by name, for a part without a rule, and if the module decides anything by vectors' values.
    """
    leaf = model.embed(batch).detach().requires_grad_(True)
    base = base.detach()
    mode = Mode(TABLE)
    with torch.enable_grad(), mode:
        numbers = target.of(model.outputs_from(mode.start(leaf, base), batch))
    if not numbers.requires_grad:
        return leaf.new_zeros(len(batch), target.count, leaf.shape[1])
    coarsest = mode.coarsest()
    _check_baseline(mode.shadow(numbers).baseline, first, coarsest)
    mode.forget()
    parts = []
    for number in range(target.count):
        last = number + 1 == target.count
        (slope,) = torch.autograd.grad(numbers[:, number].sum(), leaf, retain_graph=not last, allow_unused=True)
        parts.append(leaf.new_zeros(leaf.shape[:2]) if slope is None else (slope * (leaf.detach() - base)).sum(-1))
    shares = torch.stack(parts, 1)
    _check_sum(shares, (numbers - first).detach(), coarsest)
    return shares


def _check_sum(shares: Float[Tensor, "b k t"], rises: Float[Tensor, "b k"], coarsest: torch.dtype) -> None:
    """Raise UnsupportedError if shares are not finite, or if rounding on the way has grown into their sum."""
    if not bool(shares.isfinite().all()):
        raise UnsupportedError(
            "multipliers between text and baseline are not finite (the module divides by zero, or has no slope, on the "
            "way): take another baseline, or leave-one-out"
        )
    if not agree(shares.sum(-1).to(coarsest), rises.to(coarsest), double=1e-6, single=1e-2, half=3e-1):
        kind = str(coarsest).removeprefix("torch.")
        raise UnsupportedError(
            f"multipliers as large as these at this baseline lose the sum to rounding (in {kind}): take another "
            "baseline, or integrated-gradients"
        )


def _check_baseline(followed: Tensor | None, first: Tensor, coarsest: torch.dtype) -> None:
    """Raise UnsupportedError if the numbers followed beside the text are not those of the module's own run of the
    baseline, to the rounding of the ``coarsest`` type that the module computes in (a norm in float32 on the way).
    """
    if followed is None or not agree(followed.to(coarsest), first.to(coarsest), double=1e-9, single=1e-3, half=1e-1):
        raise UnsupportedError(
            "the module computes differently at the baseline than at the text (it finds its padding in vectors of "
            "zeros, or chooses by values): take another baseline, or integrated-gradients"
        )
