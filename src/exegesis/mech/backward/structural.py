"""Functions that a modified run leaves to autograd: they move, choose, sum or scale live numbers.

What each does to the rows of its result (which text an element belongs to) is written here once, for every method that
runs models in ``mech.modified``. Constants that enter a result beside live numbers go through ``Mode.fixed``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.compound import COMPOUNDS
from exegesis.mech.backward.mode import Call, Rule, Shadow, named, tensors


def reduced(rows: Int[Tensor, "*shape"], dims: Sequence[int], *, keep: bool = True) -> Int[Tensor, "*less"]:
    """The rows along dimensions that a function sums over or chooses from: constants (-1) give way to a text."""
    for dim in sorted({dim % rows.ndim for dim in dims} if rows.ndim else (), reverse=True):
        one = rows.narrow(dim, 0, 1) if rows.stride(dim) == 0 and rows.shape[dim] else rows.amax(dim, keepdim=True)
        rows = one if keep else one.squeeze(dim)
    return rows


def broadcast(*values: object) -> torch.Size:
    """The shape of an elementwise function of several values, numbers among them."""
    return torch.Size(np.broadcast_shapes(*(value.shape for value in values if isinstance(value, Tensor))))


def merged(shape: torch.Size, rows: Sequence[Tensor]) -> Int[Tensor, "*shape"]:
    """The rows of an elementwise function of several live tensors."""
    found = rows[0].expand(shape)
    for other in rows[1:]:
        if other is not rows[0]:
            found = torch.maximum(found, other.expand(shape))
    return found


def moved(call: Call) -> Any:
    """Elements are only moved: views, transposes, selections, copies."""
    found = call.native()
    sources = [call.shadow(value) for value in tensors((call.args, call.kwargs)) if value.requires_grad]
    rows = _along(call, lambda value: call.shadow(value).rows)
    before = other = None
    if any(source.before is not None for source in sources):
        before = _along(call, lambda value: _or(call.shadow(value).before, value))
    if any(source.other is not None for source in sources):
        other = _along(call, lambda value: _or(call.shadow(value).other, value))
    gate = before is not None and all(source.gate for source in sources)
    for value, *parts in zip(tensors(found), *(_each(part, found) for part in (rows, before, other)), strict=True):
        if parts[1] is not None:
            call.mode.note(parts[1], Shadow(parts[0]))
        call.mode.note(value, Shadow(parts[0], parts[1], gate, parts[2]))
    return found


def _each(values: Any, like: Any) -> list[Any]:
    """The tensors in values, or as many times None as there are in a result."""
    return [None for _ in tensors(like)] if values is None else list(tensors(values))


def _along(call: Call, pick: Callable[[Tensor], Tensor]) -> Any:
    args, kwargs = call.swapped(pick)
    try:
        return call.func(*args, **kwargs)
    except NotImplementedError:  # a function of floating numbers alone (F.unfold)
        return _as_floats(call, pick)
    except RuntimeError:  # shadows lie in memory otherwise than the tensor that could be viewed
        if call.name != "view":
            raise
        return torch.Tensor.reshape(*args, **kwargs)


def _as_floats(call: Call, pick: Callable[[Tensor], Tensor]) -> Tensor:
    args, kwargs = call.swapped(lambda value: pick(value).double())
    found: Tensor = call.func(*args, **kwargs)
    return found.to(torch.int32)


def _or(value: Tensor | None, default: Tensor) -> Tensor:
    return default if value is None else value


def scaled(call: Call) -> Any:
    """Times a constant, or as it is: linear without a share for the constant. A gate under a mask remains a gate."""
    sources = [value for value in tensors((call.args, call.kwargs)) if value.requires_grad]
    if len(sources) > 1:
        raise UnsupportedError(
            f"the module computes with {named(call.func)} of two tensors that both depend on the words, which has no "
            "rule: multiply by a constant, or by a gate"
        )
    found: Tensor = call.native()
    shadow = call.shadow(sources[0])
    gate = shadow.gate and _masks(call)
    same = found.shape == sources[0].shape and found.device == sources[0].device
    before = shadow.before if same and (gate or _stretches(call)) else None
    rows = shadow.rows.to(found.device)
    return call.mode.note(found, Shadow(rows, before, gate and before is not None, _other(call)))


def _masks(call: Call) -> bool:
    """Whether elements are kept as they are, or left out by a mask of zeros and ones."""
    factors = [value for value in (*call.args, *call.kwargs.values()) if not call.live(value)]
    if call.name != "mul":
        return call.name not in ("neg", "cumsum")
    return all(isinstance(one, Tensor) and bool(((one == 0) | (one == 1)).all()) for one in factors)


def _stretches(call: Call) -> bool:
    """Whether it is a product with positive constants: ``2 tanh(x)`` is an activation of x too."""
    factors = [value for value in (*call.args, *call.kwargs.values()) if not call.live(value)]
    if call.name != "mul" or len(factors) != 1:
        return False
    return bool((torch.as_tensor(factors[0]) > 0).all())


def typed(call: Call) -> Any:
    """type_as: only the other's type and device are read."""
    value, like = call.argument(0, "input"), call.argument(1, "other")
    if not call.live(value):
        return call.native()
    return call.mode.run(torch.Tensor.to, value, like.device, like.dtype)


def divided(call: Call) -> Any:
    if call.live(call.argument(1, "other")):
        raise UnsupportedError(
            f"the module divides by a tensor that depends on the words ({named(call.func)}), which has no rule: divide "
            "by a constant"
        )
    return scaled(call)


def _other(call: Call) -> Tensor | None:
    """The result at the other input, where live arguments have one."""
    sources = [value for value in tensors((call.args, call.kwargs)) if value.requires_grad]
    if all(call.shadow(value).other is None for value in sources):
        return None
    found = _along(call, lambda value: _or(call.shadow(value).other, value))
    return found if isinstance(found, Tensor) else found[0]


def summed(call: Call) -> Any:
    """Sums, means and extrema along dimensions; an extremum's winner takes all."""
    dim = call.argument(1, "dim", call.kwargs.get("axis"))
    if isinstance(dim, Tensor):
        return call.mode.run(torch.maximum if call.name == "max" else torch.minimum, call.args[0], dim)
    found = call.native()
    value = call.argument(0, "input")
    dims = range(value.ndim) if dim is None else [dim] if isinstance(dim, int) else list(dim) or range(value.ndim)
    keep = bool(call.argument(2, "keepdim", call.kwargs.get("keepdims", False)))
    rows = reduced(call.shadow(value).rows, list(dims), keep=keep)
    call.mode.note(found if isinstance(found, Tensor) else found[0], Shadow(rows, other=_other(call)))
    return found


def ranked(call: Call) -> Any:
    """Sorted values, the k highest: each with its place, which is a constant of the text."""
    found = call.native()
    value = call.argument(0, "input")
    place = call.argument(2 if call.name == "topk" else 1, "dim", -1)
    rows = reduced(call.shadow(value).rows, [place])
    call.mode.note(found[0], Shadow(rows, other=_other(call)))
    return found


def pooled(number: int) -> Rule:
    """Pooling over windows of the last dimensions."""

    def rule(call: Call) -> Any:
        found = call.native()
        rows = reduced(call.shadow(call.argument(0, "input")).rows, range(-number, 0))
        call.mode.note(found if isinstance(found, Tensor) else found[0], Shadow(rows, other=_other(call)))
        return found

    return rule


def joined(call: Call) -> Any:
    """cat, stack and their like; a constant among the parts belongs to the texts that it stands beside."""
    parts = list(call.argument(0, "tensors"))
    if call.name == "cat":  # takes, and leaves out, empty tensors of one dimension beside any others
        parts = [part for part in parts if part.requires_grad or part.shape != (0,)]
    dim = {"hstack": int(parts[0].ndim > 1), "vstack": 0}.get(call.name, call.argument(1, "dim", 0))
    rest = (call.args[1:], {key: value for key, value in call.kwargs.items() if key != "tensors"})
    live = [call.shadow(part) for part in parts if part.requires_grad]
    beside = live[0].rows if call.name == "stack" else reduced(live[0].rows, [dim])
    rows, values, before, other = [], [], [], []
    for part in parts:
        shadow = call.shadow(part) if part.requires_grad else Shadow(beside.expand(part.shape))
        rows.append(shadow.rows)
        values.append(part if part.requires_grad else call.mode.fixed(part, shadow.rows))
        before.append(_or(shadow.before, part))
        other.append(_or(shadow.other, part))

    def join(each: list[Tensor]) -> Tensor:
        found: Tensor = call.func(each, *rest[0], **rest[1])
        return found

    return call.mode.note(
        join(values),
        Shadow(
            join(rows),
            join(before) if any(one.before is not None for one in live) else None,
            len(live) == len(parts) and all(one.gate for one in live),
            join(other) if any(one.other is not None for one in live) else None,
        ),
    )


def added(call: Call) -> Any:
    """Sums and differences; constants keep their share."""
    one, two = call.argument(0, "input"), call.argument(1, "other")
    if call.name == "rsub":
        one, two = two, one
    alpha = call.kwargs.get("alpha", 1)
    two = two if alpha == 1 else call.mode.run(torch.mul, two, alpha) if call.live(two) else two * alpha
    minus = call.name in ("sub", "rsub")
    live = [value for value in (one, two) if call.live(value)]
    shape = broadcast(one, two)
    rows = merged(shape, [call.shadow(value).rows for value in live])
    parts = []
    for value, sign in ((one, 1), (two, -1 if minus else 1)):
        if call.live(value):
            parts.append(value if sign == 1 else -value)
            continue
        plain = torch.as_tensor(value, dtype=live[0].dtype, device=live[0].device) * sign
        name = "biases" if isinstance(value, torch.nn.Parameter) else "fixed parts"
        parts.append(call.mode.fixed(plain.expand(shape), rows, name))
    return call.mode.note(parts[0] + parts[1], Shadow(rows, other=_other(call)))


def chosen(call: Call) -> Any:
    """where, masked_fill, maximum, minimum: constants that win keep what they receive."""
    if call.name in ("maximum", "minimum"):
        condition, one, two = None, call.argument(0, "input"), call.argument(1, "other")
    elif call.name == "masked_fill":
        one, condition, two = (call.argument(place, name) for place, name in enumerate(("input", "mask", "value")))
        one, two = two, one
    else:
        condition, one, two = call.argument(0, "condition"), call.argument(1, "input"), call.argument(2, "other")
        if not isinstance(one, Tensor) and one is None:
            raise UnsupportedError("the module calls torch.where with a condition alone: its places are no numbers")
    live = [value for value in (one, two) if call.live(value)]
    shape = broadcast(condition, one, two)
    rows = merged(shape, [call.shadow(value).rows for value in live])
    parts = []
    for value in (one, two):
        plain = value if call.live(value) else torch.as_tensor(value, dtype=live[0].dtype, device=live[0].device)
        parts.append(plain if call.live(value) else call.mode.fixed(plain.expand(shape), rows))
    found = torch.where(condition, *parts) if condition is not None else getattr(torch, call.name)(*parts)
    return call.mode.note(cast(Tensor, found), Shadow(rows, other=_other(call)))


def padded(call: Call) -> Any:
    """F.pad: a constant padding is of no text but that beside it."""
    value, pads = call.argument(0, "input"), call.argument(1, "pad")
    found = call.native()
    dims = [-1 - number // 2 for number, amount in enumerate(pads) if amount]
    rows = reduced(call.shadow(value).rows, dims).expand(found.shape)
    constant = call.argument(3, "value") or 0.0
    if call.argument(2, "mode", "constant") == "constant" and constant:
        inside = torch.nn.functional.pad(torch.ones_like(value, dtype=torch.bool), pads)
        found = torch.where(inside, found, call.mode.fixed(torch.full_like(found, constant), rows))
    return call.mode.note(found, Shadow(rows, other=_other(call)))


def unpacked(call: Call) -> Any:
    """pad_packed_sequence: what stands behind a text's end is a constant of that text."""
    data, sizes, first, constant = (call.argument(place, "") for place in range(4))
    found, lengths = call.native()
    rows = call.shadow(data).rows[: int(sizes[0])]
    rows = reduced(rows, range(1, rows.ndim)).unsqueeze(1 if first else 0).expand(found.shape)
    if constant:
        inside = torch.arange(found.shape[1 if first else 0])[:, None] < lengths
        inside = (inside.t() if first else inside).to(found.device).reshape(*found.shape[:2], *[1] * (found.ndim - 2))
        fixed = call.mode.fixed(torch.full_like(found, constant), rows)
        found = torch.where(inside, found, fixed)
    call.mode.note(found, Shadow(rows, other=_other(call)))
    return found, lengths


def written(call: Call) -> None:
    """``x[places] = values``: what stood there is gone; what was written keeps its own rows."""
    target, places, value = call.args
    if not target.requires_grad:
        if bool((target != 0).any()):
            raise UnsupportedError(
                "the module writes what depends on the words into a tensor that is not zero: start from torch.zeros"
            )
        target_rows = torch.full(target.shape, -1, dtype=torch.int32, device=target.device)
    else:
        target_rows = call.shadow(target).rows.contiguous().clone()
    if not call.live(value):
        rows = target_rows[places]
        plain = torch.as_tensor(value, dtype=target.dtype, device=target.device).expand(rows.shape)
        value = call.mode.fixed(plain, rows)
    else:
        target_rows[places] = call.shadow(value).rows
    call.func(target, places, value)
    call.mode.forget_activations(target)
    call.mode.note(target, Shadow(target_rows))


MOVING = (
    "view reshape view_as reshape_as flatten unflatten squeeze unsqueeze transpose permute t T mT movedim contiguous "
    "clone expand expand_as broadcast_to repeat repeat_interleave tile flip reversed roll narrow select index_select "
    "gather getitem chunk split tensor_split unbind take_along_dim masked_select unfold diagonal pack_padded_sequence "
    "alias atleast_2d atleast_3d hsplit vsplit split_with_sizes unsafe_chunk unsafe_split ravel rot90"
)
STRUCTURE: dict[str, Rule] = {
    **dict.fromkeys(MOVING.split(), moved),
    **dict.fromkeys(("cat", "stack", "hstack", "vstack"), joined),
    **dict.fromkeys(("to", "float", "double", "half", "bfloat16", "type", "cpu", "cuda", "neg", "mul"), scaled),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout", "cumsum"), scaled),
    "div": divided,
    "type_as": typed,
    **dict.fromkeys(("sum", "mean", "amax", "amin", "max", "min"), summed),
    **dict.fromkeys(("sort", "topk"), ranked),
    **dict.fromkeys(("max_pool1d", "avg_pool1d", "adaptive_max_pool1d", "adaptive_avg_pool1d"), pooled(1)),
    **dict.fromkeys(("max_pool2d", "avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool2d"), pooled(2)),
    **dict.fromkeys(("add", "sub", "rsub"), added),
    **dict.fromkeys(("where", "masked_fill", "maximum", "minimum"), chosen),
    "pad": padded,
    "pad_packed_sequence": unpacked,
    "setitem": written,
    "iter": lambda call: iter(call.mode.run(torch.unbind, call.args[0], 0)),
    **COMPOUNDS,
}
