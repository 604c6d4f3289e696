"""DeepLIFT's rescale rule (Shrikumar et al. 2017) through any module made of parts with a rule.

The module runs over a text while ``mech.modified`` keeps beside every live tensor the value that it has at the
baseline. Autograd then carries multipliers: Δy / Δx for an elementwise y = f(x), the slope for what is linear, and what
``mech.difference_rules`` says for the rest. Each rule is exact, so multipliers times Δx, summed over the word vectors,
are the difference of the number.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Mode, Rule
from exegesis.mech.deeplift import attention as attention
from exegesis.mech.deeplift import lengths as lengths
from exegesis.mech.deeplift import maxima as maxima
from exegesis.mech.deeplift import products as products
from exegesis.mech.deeplift import rules as rules
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
RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE.split(), rules.elementwise),
    **dict.fromkeys(("linear", "conv1d", "conv2d"), rules.linear_map),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), rules.bilinear(torch.matmul)),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), layers),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), cell),
    **dict.fromkeys(("softmax", "log_softmax"), rules.softmax),
    **dict.fromkeys(("max", "min", "amax", "amin"), maxima.extremum),
    **dict.fromkeys(("maximum", "minimum"), maxima.larger),
    **dict.fromkeys(("max_pool1d", "adaptive_max_pool1d"), maxima.max_pooled(1)),
    **dict.fromkeys(("max_pool2d", "adaptive_max_pool2d"), maxima.max_pooled(2)),
    **dict.fromkeys(("addmm", "baddbmm", "addcmul", "lerp"), rules.added_product),
    **dict.fromkeys(("sort", "topk"), rules.refused),
    "rmatmul": rules.bilinear(rules.reversed_matmul),
    "mul": rules.bilinear(torch.mul),
    "div": rules.divided,
    "einsum": rules.einsum,
    "layer_norm": rules.layer_norm,
    "rms_norm": rules.rms_norm,
    "prod": products.product,
    "cumprod": products.running,
    "normalize": lengths.normalized,
    "cosine_similarity": lengths.cosine,
    **dict.fromkeys(("norm", "linalg_norm", "linalg_vector_norm"), lengths.length),
    "scaled_dot_product_attention": attention.attention,
    "multi_head_attention_forward": attention.many_headed,
    "setitem": rules.written,
}


def differences(
    model: Differentiable, batch: Batch, target: Target, base: Float[Tensor, "b t d"]
) -> tuple[Float[Tensor, "b k t"], Float[Tensor, "b k"]]:
    """Each piece's share of the numbers' differences from those at the vectors ``base``, and these.

    Raises UnsupportedError, by name, for a part without a rule, and where the module decides anything from vectors.
    """
    leaf = model.embed(batch).detach().requires_grad_(True)
    base = base.detach()
    with torch.no_grad():
        first = target.of(model.outputs_from(base, batch))
    mode = Mode(RULES)
    with torch.enable_grad(), mode:
        numbers = target.of(model.outputs_from(mode.start(leaf, base), batch))
    if not numbers.requires_grad:
        return leaf.new_zeros(len(batch), target.count, leaf.shape[1]), first
    coarsest = mode.coarsest()
    _same(mode.shadow(numbers).other, first, coarsest)
    mode.forget()
    found = []
    for number in range(target.count):
        last = number + 1 == target.count
        (slope,) = torch.autograd.grad(numbers[:, number].sum(), leaf, retain_graph=not last, allow_unused=True)
        found.append(leaf.new_zeros(leaf.shape[:2]) if slope is None else (slope * (leaf.detach() - base)).sum(-1))
    shares = torch.stack(found, 1)
    _summed(shares, (numbers - first).detach(), coarsest)
    return shares, first


def _summed(shares: Float[Tensor, "b k t"], rises: Float[Tensor, "b k"], coarsest: torch.dtype) -> None:
    """Raises UnsupportedError for shares that are no numbers, and where rounding on the way has grown into the sum."""
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


def _same(followed: Tensor | None, first: Tensor, coarsest: torch.dtype) -> None:
    """Raises UnsupportedError where what was followed beside the text is not the module's own run of the baseline.

    They agree to the rounding of the ``coarsest`` type that the module computes in (a norm in float32 on the way).
    """
    if followed is None or not agree(followed.to(coarsest), first.to(coarsest), double=1e-9, single=1e-3, half=1e-1):
        raise UnsupportedError(
            "the module computes otherwise at the baseline than at the text (it finds its padding in vectors of zeros, "
            "or chooses by values): take another baseline, or integrated-gradients"
        )
