"""A function mode that sees the attention of a running module, and changes its weights on request.

It looks at three functions: ``scaled_dot_product_attention``, ``multi_head_attention_forward`` (nn.MultiheadAttention
and the transformer layers of torch) and ``softmax``, by which modules with attention of their own weigh positions. All
of them run as they stand, so that the module's outputs keep every bit (but where torch runs a whole transformer layer
in one kernel, which gives way to the plain one); the weights that the first two do not show are computed beside them.
Which of the calls are attention over the pieces of a text is found out in ``layout``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from exegesis.nn.many_headed import arguments_of, mask_of, projections, refuse_extras

Change = Callable[[int, Tensor], Tensor | None]  # the number of a call and its weights -> other weights, None: as is
SAME = ("dropout", "to", "type_as", "contiguous", "float", "double", "half", "bfloat16", "clone")


@dataclass(eq=False)
class Seen:
    """One call that may be attention, in the shape in which the module holds its weights.

    ``weights`` sum to 1 over axis ``dim``. ``scores`` are what the softmax read, if the module computes it where it can
    be seen. ``values`` are the vectors that the weights weigh, ``[..., keys, width]``, if they are seen. ``attended``
    is the tensor that holds the weighted vectors, by heads if ``heads`` is 0, else before a projection by
    ``projection``.
    """

    weights: Tensor
    dim: int
    scores: Tensor | None = None
    values: Tensor | None = None
    attended: Tensor | None = None
    returned: Tensor | None = None
    heads: int = 0
    projection: Tensor | None = None
    aliases: list[Tensor] = field(default_factory=list)

    def slopes_at(self) -> list[Tensor]:
        """The tensors at which a backward pass must stop for ``slopes``."""
        if self.scores is not None:
            return [self.weights, self.scores]
        held = [self.attended, self.returned]
        return [tensor for tensor in held if tensor is not None and tensor.requires_grad]

    def slopes(self, found: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
        """The derivatives by the weights and by the scores, from the gradients at ``slopes_at``.

        Behind weights that a kernel keeps for itself they follow from the gradient at what it returns: dS/dA = dS/dO
        V^T and dS/de = A (dS/dA - sum A dS/dA).
        """
        if self.scores is not None:
            first, second = (torch.zeros_like(self.weights) if value is None else value for value in found)
            return first, second.reshape(self.weights.shape)
        assert self.values is not None
        grads = dict(zip(map(id, self.slopes_at()), found, strict=True))
        weights, values = self.weights, self.values.detach().to(self.weights.dtype)
        by_weights = torch.zeros_like(weights)
        at_output = grads.get(id(self.attended))
        if at_output is not None:
            at_output = at_output.to(weights.dtype)
            if self.heads:  # [q, n, width], behind the projection
                assert self.projection is not None
                back = at_output @ self.projection.detach().to(weights.dtype)
                at_output = back.reshape(*back.shape[:2], self.heads, -1).permute(1, 2, 0, 3)
            by_weights = by_weights + at_output @ values.transpose(-1, -2)
        at_weights = grads.get(id(self.returned))
        if at_weights is not None:  # [n, q, k] of all heads, or [n, h, q, k]
            shared = at_weights[:, None] / self.heads if at_weights.ndim == 3 else at_weights
            by_weights = by_weights + shared.to(weights.dtype)
        return by_weights, weights * (by_weights - (weights * by_weights).sum(-1, keepdim=True))


class Watch(TorchFunctionMode):
    """Records every call that may be attention in ``seen``, in their order; ``change`` replaces weights.

    ``values``: the vectors that the weights of a softmax weigh are looked for, too.
    """

    def __init__(self, change: Change | None = None, *, values: bool = False) -> None:
        super().__init__()
        self.change, self.values = change, values
        self.seen: list[Seen] = []
        self.count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "softmax":
            return self._softmax(func, args, kwargs)
        if name == "scaled_dot_product_attention":
            return self._dot_product(func, args, kwargs)
        if name == "multi_head_attention_forward":
            return self._many_headed(func, args, kwargs)
        result = func(*args, **kwargs)
        if self.values:
            self._follow(name, args, result)
        return result

    def _changed(self, weights: Tensor) -> Tensor | None:
        """The weights that take the place of those of the call that comes next."""
        self.count += 1
        return None if self.change is None else self.change(self.count - 1, weights)

    def _softmax(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        given = [*args, *kwargs.values()]
        scores = kwargs.get("input", given[0] if given else None)
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if not isinstance(result, Tensor) or not isinstance(scores, Tensor) or not isinstance(dim, int):
            return result
        changed = self._changed(result)
        if changed is not None:
            result = changed.to(result.dtype)
        if self.change is None:
            self.seen.append(Seen(result, dim % result.ndim, scores))
        return result

    def _dot_product(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        query, key, value = (_shared(given[name], given) if name != "query" else given[name] for name in names[:3])
        weights = _weights(query, key, given.get("attn_mask"), given.get("is_causal", False), given.get("scale"))
        changed = self._changed(weights)
        if changed is not None:
            return changed.to(value.dtype) @ value
        result = func(*args, **kwargs)
        if self.change is None:
            self.seen.append(Seen(weights, weights.ndim - 1, None, value, result))
        return result

    def _many_headed(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        given = arguments_of(args, kwargs)
        query, key, value = _projected(given)
        weights = _weights(query, key, mask_of(given, query.dtype), False, None)
        changed = self._changed(weights)
        projection = given["out_proj_weight"]
        if changed is not None:
            joined = (changed.to(value.dtype) @ value).permute(2, 0, 1, 3).flatten(2)
            output = functional.linear(joined, projection, given["out_proj_bias"])
            shown = changed.mean(1) if given["average_attn_weights"] else changed
            return output, shown if given["need_weights"] else None
        result = func(*args, **kwargs)
        if self.change is None:
            heads = given["num_heads"]
            self.seen.append(Seen(weights, 3, None, value, result[0], result[1], heads, projection))
        return result

    def _follow(self, name: str, args: Sequence[Any], result: Any) -> None:
        """Find the product of weights and vectors behind a softmax, through what leaves the weights as they are."""
        first = args[0] if args else None
        if not isinstance(first, Tensor) or not isinstance(result, Tensor):
            return
        for seen in reversed(self.seen):
            if seen.scores is None or seen.values is not None:
                continue
            if not (first is seen.weights or any(first is alias for alias in seen.aliases)):
                continue
            if name in SAME and result.shape == first.shape:
                seen.aliases.append(result)
            elif name in ("matmul", "bmm", "__matmul__") and isinstance(args[1], Tensor) and seen.dim == first.ndim - 1:
                seen.values, seen.attended = args[1], result
            return


def _shared(tensor: Tensor, given: dict[str, Any]) -> Tensor:
    """Keys or values as often as queries share them."""
    if not given.get("enable_gqa", False):
        return tensor
    return tensor.repeat_interleave(given["query"].shape[-3] // tensor.shape[-3], -3)


@torch.no_grad()
def _weights(query: Tensor, key: Tensor, mask: Tensor | None, causal: bool, scale: float | None) -> Tensor:
    """The weights of scaled dot-product attention, in float32 for half precision; a row that sees no key is zero."""
    if query.dtype in (torch.float16, torch.bfloat16):
        query, key = query.float(), key.float()
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, -torch.inf)
    elif mask is not None:
        scores = scores + mask.to(scores.dtype)
    return torch.softmax(scores, -1).nan_to_num(0.0) if mask is not None else torch.softmax(scores, -1)


def _projected(given: dict[str, Any]) -> list[Tensor]:
    """Queries, keys and values of nn.MultiheadAttention, ``[n, h, t, width]``. Raises as ``refuse_extras``."""
    refuse_extras(given, "which are no pieces of the text")
    with torch.no_grad():
        wide = [functional.linear(part, weight, bias) for part, weight, bias in projections(given)]
    return [part.reshape(*part.shape[:2], given["num_heads"], -1).permute(1, 2, 0, 3) for part in wide]
