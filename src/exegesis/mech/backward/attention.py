"""Attention taken apart into linear maps, products of live tensors and a softmax.

``ATTENTION`` belongs in the table of a method with rules for those parts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from exegesis.mech.backward.mode import Call, Rule
from exegesis.nn.many_headed import arguments_of, mask_of, projections, refuse_extras


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
    arguments, run = arguments_of(call.args, call.kwargs), call.mode.run
    refuse_extras(arguments, "without a rule")
    heads, parts = arguments["num_heads"], []
    for given, weight, bias in projections(arguments):
        wide = run(functional.linear, given, weight, bias)
        split = run(torch.reshape, wide, (len(wide), wide.shape[1] * heads, -1))
        parts.append(run(torch.transpose, split, 0, 1))
    query, key, value = parts
    scores = run(torch.mul, run(torch.bmm, query, run(torch.transpose, key, 1, 2)), query.shape[-1] ** -0.5)
    mask = mask_of(arguments, scores.dtype)
    if mask is not None:
        scores = run(torch.add, scores, mask.expand(len(scores) // heads, heads, -1, -1).flatten(0, 1))
    attention = run(torch.softmax, scores, -1)
    joined = run(torch.transpose, run(torch.bmm, attention, value), 0, 1)
    joined = run(torch.reshape, joined, arguments["query"].shape)
    weight, bias = arguments["out_proj_weight"].detach(), arguments["out_proj_bias"]
    output = run(functional.linear, joined, weight, None if bias is None else bias.detach())
    if not arguments["need_weights"]:
        return output, None
    by_head = run(torch.reshape, attention, (-1, heads, *attention.shape[1:]))
    return output, run(torch.mean, by_head, 1) if arguments["average_attn_weights"] else by_head


ATTENTION: dict[str, Rule] = {
    "scaled_dot_product_attention": dot_product,
    "multi_head_attention_forward": many_headed,
}
