"""Attention between a text and its baseline, taken apart: linear maps, products of live tensors, a softmax."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call


def attention(call: Call) -> Any:
    """scaled_dot_product_attention, as the products and the softmax that it consists of."""
    query, key, value, mask = (call.argument(k, name) for k, name in enumerate(("query", "key", "value", "attn_mask")))
    causal, scale, run = call.argument(5, "is_causal", False), call.argument(6, "scale"), call.mode.run
    if call.argument(7, "enable_gqa", False):  # queries share keys
        key, value = (run(torch.repeat_interleave, one, query.shape[-3] // one.shape[-3], -3) for one in (key, value))
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
    found = run(torch.matmul, run(torch.softmax, scores, -1), value)
    return run(torch.masked_fill, found, none, 0.0) if bool(none.any()) else found


def many_headed(call: Call) -> tuple[Tensor, Tensor | None]:
    """multi_head_attention_forward: nn.MultiheadAttention and the transformer layers of torch."""
    given = inspect.signature(functional.multi_head_attention_forward).bind(*call.args, **call.kwargs)
    given.apply_defaults()
    of, run = given.arguments, call.mode.run
    if any(of[name] is not None for name in ("bias_k", "bias_v", "static_k", "static_v")) or of["add_zero_attn"]:
        raise UnsupportedError(
            "the module's attention adds keys of its own (add_bias_kv, add_zero_attn), without a rule"
        )
    if of["query"].ndim != 3:
        raise UnsupportedError("the module calls nn.MultiheadAttention on one text without a batch dimension: add one")
    heads, weights, biases = of["num_heads"], _projections(of), [None] * 3
    if of["in_proj_bias"] is not None:
        biases = of["in_proj_bias"].detach().chunk(3)
    parts = []
    for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        wide = run(torch.nn.functional.linear, of[name], weight, bias)
        split = run(torch.reshape, wide, (len(wide), wide.shape[1] * heads, -1))
        parts.append(run(torch.transpose, split, 0, 1))
    query, key, value = parts
    scores = run(torch.mul, run(torch.bmm, query, run(torch.transpose, key, 1, 2)), query.shape[-1] ** -0.5)
    mask = _mask(of, heads, scores)
    attended = run(torch.softmax, scores if mask is None else run(torch.add, scores, mask), -1)
    joined = run(torch.transpose, run(torch.bmm, attended, value), 0, 1)
    joined = run(torch.reshape, joined, of["query"].shape)
    bias = of["out_proj_bias"]
    found = run(functional.linear, joined, of["out_proj_weight"].detach(), None if bias is None else bias.detach())
    if not of["need_weights"]:
        return found, None
    each = run(torch.reshape, attended, (-1, heads, *attended.shape[1:]))
    return found, run(torch.mean, each, 1) if of["average_attn_weights"] else each


def _projections(of: dict[str, Any]) -> list[Tensor]:
    if of["use_separate_proj_weight"]:
        return [of[f"{name}_proj_weight"].detach() for name in "qkv"]
    return list(of["in_proj_weight"].detach().chunk(3))


def _mask(of: dict[str, Any], heads: int, scores: Float[Tensor, "n t s"]) -> Float[Tensor, "#n #t s"] | None:
    """What is added to the scores."""
    found: Tensor | None = None
    for name in ("attn_mask", "key_padding_mask"):
        mask = of[name]
        if mask is None:
            continue
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, dtype=scores.dtype, device=mask.device).masked_fill(mask, -torch.inf)
        if name == "key_padding_mask":
            mask = mask.repeat_interleave(heads, 0)[:, None]
        mask = mask if mask.ndim == 3 else mask[None]
        found = mask if found is None else found + mask
    return found
