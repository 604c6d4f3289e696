"""Attention taken apart into linear maps, products of live tensors and a softmax.

``ATTENTION`` belongs in the table of a method with rules for those parts.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Rule


def dot_product(call: Call) -> Any:
    """scaled_dot_product_attention: two products and a softmax."""
    query, key, value, mask = (call.argument(k, name) for k, name in enumerate(("query", "key", "value", "attn_mask")))
    causal, scale, run = call.argument(5, "is_causal", False), call.argument(6, "scale"), call.mode.run
    if call.argument(7, "enable_gqa", False):  # queries share keys
        times = query.shape[-3] // key.shape[-3], query.shape[-3] // value.shape[-3]
        key, value = (run(torch.repeat_interleave, x, n, -3) for x, n in zip((key, value), times, strict=True))
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = run(torch.mul, run(torch.matmul, query, run(torch.transpose, key, -2, -1)), scale)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is None:
        return run(torch.matmul, run(torch.softmax, scores, -1), value)
    closed = ~mask if mask.dtype == torch.bool else mask == -torch.inf
    none = closed.all(-1, keepdim=True)  # queries that see no key: torch answers them with zeros
    if mask.dtype == torch.bool:
        scores = run(torch.masked_fill, scores, closed & ~none, -torch.inf)
    else:
        scores = run(torch.add, scores, run(torch.masked_fill, mask, none, 0.0))
    attended = run(torch.matmul, run(torch.softmax, scores, -1), value)
    return run(torch.masked_fill, attended, none, 0.0) if bool(none.any()) else attended


def many_headed(call: Call) -> tuple[Tensor, Tensor | None]:
    """multi_head_attention_forward: nn.MultiheadAttention and the transformer layers of torch."""
    bound = inspect.signature(functional.multi_head_attention_forward).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    arguments, run = bound.arguments, call.mode.run
    _refuse_extras(arguments)
    heads, weights, biases = arguments["num_heads"], _projections(arguments), [None] * 3
    if arguments["in_proj_bias"] is not None:
        biases = arguments["in_proj_bias"].detach().chunk(3)
    parts = []
    for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        wide = run(torch.nn.functional.linear, arguments[name], weight, bias)
        split = run(torch.reshape, wide, (len(wide), wide.shape[1] * heads, -1))
        parts.append(run(torch.transpose, split, 0, 1))
    query, key, value = parts
    scores = run(torch.mul, run(torch.bmm, query, run(torch.transpose, key, 1, 2)), query.shape[-1] ** -0.5)
    mask = _mask(arguments, heads, scores)
    attention = run(torch.softmax, scores if mask is None else run(torch.add, scores, mask), -1)
    joined = run(torch.transpose, run(torch.bmm, attention, value), 0, 1)
    joined = run(torch.reshape, joined, arguments["query"].shape)
    weight, bias = arguments["out_proj_weight"].detach(), arguments["out_proj_bias"]
    output = run(functional.linear, joined, weight, None if bias is None else bias.detach())
    if not arguments["need_weights"]:
        return output, None
    by_head = run(torch.reshape, attention, (-1, heads, *attention.shape[1:]))
    return output, run(torch.mean, by_head, 1) if arguments["average_attn_weights"] else by_head


def _refuse_extras(arguments: dict[str, Any]) -> None:
    added = any(arguments[name] is not None for name in ("bias_k", "bias_v", "static_k", "static_v"))
    if added or arguments["add_zero_attn"]:
        raise UnsupportedError(
            "the module's attention adds keys of its own (add_bias_kv, add_zero_attn), without a rule"
        )
    if arguments["query"].ndim != 3:
        raise UnsupportedError("the module calls nn.MultiheadAttention on one text without a batch dimension: add one")


def _projections(arguments: dict[str, Any]) -> list[Tensor]:
    if arguments["use_separate_proj_weight"]:
        return [arguments[f"{letter}_proj_weight"].detach() for letter in "qkv"]
    return list(arguments["in_proj_weight"].detach().chunk(3))


def _mask(arguments: dict[str, Any], heads: int, scores: Float[Tensor, "n t s"]) -> Float[Tensor, "#n #t s"] | None:
    """The sum of both masks as a term of the scores, None without masks."""
    total: Tensor | None = None
    for name in ("attn_mask", "key_padding_mask"):
        mask = arguments[name]
        if mask is None:
            continue
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, dtype=scores.dtype, device=mask.device).masked_fill(mask, -torch.inf)
        if name == "key_padding_mask":
            mask = mask.repeat_interleave(heads, 0)[:, None]
        mask = mask if mask.ndim == 3 else mask[None]
        total = mask if total is None else total + mask
    return total


ATTENTION: dict[str, Rule] = {
    "scaled_dot_product_attention": dot_product,
    "multi_head_attention_forward": many_headed,
}
