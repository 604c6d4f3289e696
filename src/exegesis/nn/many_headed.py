"""What nn.MultiheadAttention computes with: the maps to queries, keys and values, and its masks as one term."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from exegesis.core.errors import UnsupportedError

ADDED = ("bias_k", "bias_v", "static_k", "static_v")


def arguments_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call of multi_head_attention_forward by their names, with its defaults."""
    bound = inspect.signature(functional.multi_head_attention_forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def refuse_extras(given: Mapping[str, Any], why: str) -> None:
    """Raise UnsupportedError, which says ``why``, for keys that the module adds; and for a text without its axis."""
    if any(given[name] is not None for name in ADDED) or given["add_zero_attn"]:
        raise UnsupportedError(f"the module's attention adds keys of its own (add_bias_kv, add_zero_attn), {why}")
    if given["query"].ndim != 3:
        raise UnsupportedError("the module calls nn.MultiheadAttention on one text without a batch dimension: add one")


def projections(given: Mapping[str, Any]) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    """What queries, keys and values are made of: the input, the weight and the bias of each."""
    if given["use_separate_proj_weight"]:
        weights = [given[f"{letter}_proj_weight"].detach() for letter in "qkv"]
    else:
        weights = list(given["in_proj_weight"].detach().chunk(3))
    bias = given["in_proj_bias"]
    biases = [None] * 3 if bias is None else list(bias.detach().chunk(3))
    return list(zip((given["query"], given["key"], given["value"]), weights, biases, strict=True))


def mask_of(given: Mapping[str, Any], dtype: torch.dtype) -> Float[Tensor, "#n #h #t s"] | None:
    """The sum of both masks as a term of the scores, None without masks."""
    texts, heads = given["query"].shape[1], given["num_heads"]
    total: Tensor | None = None
    for name in ("attn_mask", "key_padding_mask"):
        mask = given[name]
        if mask is None:
            continue
        if mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, -torch.inf)
        if name == "key_padding_mask":
            mask = mask[:, None, None]
        else:
            mask = mask.reshape(texts, heads, *mask.shape[1:]) if mask.ndim == 3 else mask[None, None]
        total = mask if total is None else total + mask
    return total
