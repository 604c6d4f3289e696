"""Functions that a modified run leaves to autograd: they move, choose, sum or scale live numbers.

This is the one place that says, for every method, how each of them changes the rows of its result (the text to which an
element belongs). Constants that enter a result beside live numbers go through ``Mode.constant``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Mode, Quick, Rule, Shadow, merged, named, same_memory, tensors


def reduced(rows: Int[Tensor, "*shape"], dims: Sequence[int], *, keep: bool = True) -> Int[Tensor, "*less"]:
    """Rows after a function sums over dimensions or chooses from them: constants (-1) give way to a text."""
    for dim in sorted({dim % rows.ndim for dim in dims} if rows.ndim else (), reverse=True):
        same = rows.stride(dim) == 0 and rows.shape[dim]
        reduced_rows = rows.narrow(dim, 0, 1) if same else rows.amax(dim, keepdim=True)
        rows = reduced_rows if keep else reduced_rows.squeeze(dim)
    return rows


def broadcast(*values: object) -> torch.Size:
    """The shape of an elementwise function of several values; plain numbers have no shape."""
    return torch.Size(np.broadcast_shapes(*(value.shape for value in values if isinstance(value, Tensor))))


def moved(call: Call) -> Any:
    """Elements are only moved: views, transposes, selections, copies."""
    result, mode = call.native(), call.mode
    if mode.unmarked(*call.sources):
        for value in (result,) if isinstance(result, Tensor) else tensors(result):
            mode.noted(value)
        return result
    sources = [call.shadow(value) for value in call.sources]
    rows = _rows(call, result)
    before = baseline = None
    if any(source.before is not None for source in sources):
        before = _on_shadows(call, lambda value: _or(call.shadow(value).before, value))
    if any(source.baseline is not None for source in sources):
        baseline = _on_shadows(call, lambda value: _or(call.shadow(value).baseline, value))
    gate = before is not None and all(source.gate for source in sources)
    shadows = (_listed(part, result) for part in (rows, before, baseline))
    for value, texts, earlier, base in zip(tensors(result), *shadows, strict=True):
        if earlier is not None:
            call.mode.note(earlier, Shadow(texts))
        call.mode.note(value, Shadow(texts, earlier, gate, base))
    return result


def _rows(call: Call, result: Any) -> Any:
    """The rows of moved elements; those of one text, and those of a copy, are known without moving any."""
    single = call.mode.single
    if single is not None:
        return [call.mode.single_rows(value.shape) for value in tensors(result)]
    if call.name in ("contiguous", "clone") and len(call.args) == 1:
        return call.shadow(call.args[0]).rows
    rows = _on_shadows(call, lambda value: call.shadow(value).rows)
    return _folded(rows) if call.name in CHOOSING and isinstance(rows, Tensor) else rows


def _folded(rows: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Rows that were copied, as one number for all elements along the last dimensions where these are equal."""
    shape = rows.shape
    for dim in range(rows.ndim - 1, 0, -1):
        first = rows.narrow(dim, 0, 1) if rows.shape[dim] else rows
        if not bool((rows == first).all()):
            break
        rows = first
    return rows.expand(shape)


def _listed(values: Any, result: Any) -> list[Any]:
    """The tensors in values; None for each tensor of the result if there are no values."""
    return [None for _ in tensors(result)] if values is None else list(tensors(values))


def _on_shadows(call: Call, pick: Callable[[Tensor], Tensor]) -> Any:
    """Call the function with each live tensor replaced by a part of its shadow."""
    args, kwargs = call.swapped(pick)
    try:
        return call.func(*args, **kwargs)
    except NotImplementedError:  # a function of floating numbers alone (F.unfold)
        return _as_floats(call, pick)
    except RuntimeError:  # the shadow's memory layout does not allow the view
        if call.name != "view":
            raise
        return torch.Tensor.reshape(*args, **kwargs)


def _as_floats(call: Call, pick: Callable[[Tensor], Tensor]) -> Tensor:
    args, kwargs = call.swapped(lambda value: pick(value).double())
    rows: Tensor = call.func(*args, **kwargs)
    return rows.to(torch.int32)


def _or(value: Tensor | None, default: Tensor) -> Tensor:
    return default if value is None else value


def scaled(call: Call) -> Any:
    """Multiplied by a constant or unchanged: linear, and the constant has no share. A masked gate remains a gate."""
    sources = call.sources
    if call.name == "to" and len(sources) > 1:
        return typed(call)
    if len(sources) > 1:
        raise UnsupportedError(
            f"the module computes with {named(call.func)} of two tensors that both depend on the words, which has no "
            "rule: multiply by a constant, or by a gate"
        )
    result: Tensor = call.native()
    shadow = call.shadow(sources[0])
    if result is sources[0]:  # dropout in evaluation mode
        return result
    gate = shadow.gate and _masks(call)
    same = result.shape == sources[0].shape and result.device == sources[0].device
    before = shadow.before if same and shadow.before is not None and (gate or _stretches(call)) else None
    rows = shadow.rows if result.device == shadow.rows.device else shadow.rows.to(result.device)
    source = _or(shadow.source, sources[0]) if same and call.name in LINEAR else None
    baseline = None if shadow.baseline is None else _baseline(call)
    return call.mode.note(result, Shadow(rows, before, gate and before is not None, baseline, source))


def _masks(call: Call) -> bool:
    """True if the function keeps elements unchanged, or removes them by a mask of zeros and ones."""
    factors = [value for value in (*call.args, *call.kwargs.values()) if not call.live(value)]
    if call.name != "mul":
        return call.name not in ("neg", "cumsum")
    return all(isinstance(mask, Tensor) and bool(((mask == 0) | (mask == 1)).all()) for mask in factors)


def _stretches(call: Call) -> bool:
    """True if the function multiplies by positive constants: ``2 tanh(x)`` is an activation of x too."""
    factors = [value for value in (*call.args, *call.kwargs.values()) if not call.live(value)]
    if call.name != "mul" or len(factors) != 1:
        return False
    return bool((torch.as_tensor(factors[0]) > 0).all())


def typed(call: Call) -> Any:
    """type_as and to: only the type and device of the second tensor are read."""
    value, like = call.argument(0, "input"), call.argument(1, "other")
    if not call.live(value):
        return call.native()
    return call.mode.run(torch.Tensor.to, value, like.device, like.dtype)


def divided(call: Call) -> Any:
    """div by a constant."""
    if call.live(call.argument(1, "other")):
        raise UnsupportedError(
            f"the module divides by a tensor that depends on the words ({named(call.func)}), which has no rule: divide "
            "by a constant"
        )
    return scaled(call)


def _baseline(call: Call) -> Tensor | None:
    """The result at the baseline, None if no live argument has a baseline."""
    sources = [value for value in tensors((call.args, call.kwargs)) if value.requires_grad]
    if all(call.shadow(value).baseline is None for value in sources):
        return None
    result = _on_shadows(call, lambda value: _or(call.shadow(value).baseline, value))
    return result if isinstance(result, Tensor) else result[0]


def summed(call: Call) -> Any:
    """Sums, means and extrema along dimensions; the largest or smallest element takes all."""
    dim = call.argument(1, "dim", call.kwargs.get("axis"))
    if isinstance(dim, Tensor):
        return call.mode.run(torch.maximum if call.name == "max" else torch.minimum, call.args[0], dim)
    result = call.native()
    value = call.argument(0, "input")
    dims = range(value.ndim) if dim is None else [dim] if isinstance(dim, int) else list(dim) or range(value.ndim)
    keep = bool(call.argument(2, "keepdim", call.kwargs.get("keepdims", False)))
    rows = reduced(call.shadow(value).rows, list(dims), keep=keep)
    call.mode.note(result if isinstance(result, Tensor) else result[0], Shadow(rows, baseline=_baseline(call)))
    return result


def ranked(call: Call) -> Any:
    """sort and topk: the values are live, their places are constants of the text."""
    result = call.native()
    value = call.argument(0, "input")
    dim = call.argument(2 if call.name == "topk" else 1, "dim", -1)
    rows = reduced(call.shadow(value).rows, [dim])
    call.mode.note(result[0], Shadow(rows, baseline=_baseline(call)))
    return result


def pooled(number: int) -> Rule:
    """Pooling over windows of the last dimensions."""

    def rule(call: Call) -> Any:
        result = call.native()
        rows = reduced(call.shadow(call.argument(0, "input")).rows, range(-number, 0))
        call.mode.note(result if isinstance(result, Tensor) else result[0], Shadow(rows, baseline=_baseline(call)))
        return result

    return rule


def joined(call: Call) -> Any:
    """cat, stack and similar; a constant part belongs to the same texts as the live parts beside it."""
    parts = list(call.argument(0, "tensors"))
    if call.name == "cat":  # torch accepts empty tensors of one dimension beside any others, and ignores them
        parts = [part for part in parts if part.requires_grad or part.shape != (0,)]
    dim = {"hstack": int(parts[0].ndim > 1), "vstack": 0}.get(call.name, call.argument(1, "dim", 0))
    options = {key: value for key, value in call.kwargs.items() if key != "tensors"}
    live = [call.shadow(part) for part in parts if part.requires_grad]
    beside = live[0].rows if call.name == "stack" else reduced(live[0].rows, [dim])
    rows, values, before, baseline = [], [], [], []
    for part in parts:
        shadow = call.shadow(part) if part.requires_grad else Shadow(beside.expand(part.shape))
        rows.append(shadow.rows)
        values.append(part if part.requires_grad else call.mode.constant(part, shadow.rows))
        before.append(_or(shadow.before, part))
        baseline.append(_or(shadow.baseline, part))

    def join(joined_parts: list[Tensor]) -> Tensor:
        result: Tensor = call.func(joined_parts, *call.args[1:], **options)
        return result

    result = join(values)
    return call.mode.note(
        result,
        Shadow(
            _joined_rows(call, result, rows, dim, join),
            join(before) if any(shadow.before is not None for shadow in live) else None,
            len(live) == len(parts) and all(shadow.gate for shadow in live),
            join(baseline) if any(shadow.baseline is not None for shadow in live) else None,
        ),
    )


def _joined_rows(
    call: Call, result: Tensor, rows: list[Tensor], dim: int, join: Callable[[list[Tensor]], Tensor]
) -> Int[Tensor, "*shape"]:
    """The rows of joined parts, without a copy of any where all are of one text or joined inside each text."""
    if call.mode.single is not None:
        return call.mode.single.expand(result.shape)
    if call.name == "cat" and all(part.stride(dim) == 0 and part.shape[dim] for part in rows):
        heads = [part.narrow(dim, 0, 1) for part in rows]
        if all(same_memory(head, heads[0]) for head in heads[1:]):
            return heads[0].expand(result.shape)
    return join(rows)


def added(call: Call) -> Any:
    """Sums and differences; constants keep their share."""
    first, second = call.argument(0, "input"), call.argument(1, "other")
    if call.name == "rsub":
        first, second = second, first
    alpha, names = call.kwargs.get("alpha", 1), [constant_name(call, value) for value in (first, second)]
    if alpha != 1:
        second = call.mode.run(torch.mul, second, alpha) if call.live(second) else second * alpha
    minus = call.name in ("sub", "rsub")
    live = [value for value in (first, second) if call.live(value)]
    shape = broadcast(first, second)
    rows = merged(shape, [call.shadow(value).rows for value in live])
    parts = []
    for value, sign, name in zip((first, second), (1, -1 if minus else 1), names, strict=True):
        if call.live(value):
            parts.append(value if sign == 1 else -value)
            continue
        plain = torch.as_tensor(value, dtype=live[0].dtype, device=live[0].device) * sign
        parts.append(call.mode.constant(plain.expand(shape), rows, name))
    return call.mode.note(parts[0] + parts[1], Shadow(rows, baseline=_baseline(call), source=common(call, shape)))


def constant_name(call: Call, value: object) -> str:
    """The name under which a constant beside live values is booked."""
    named_ = call.mode.name_of(value)
    return named_ or ("biases" if isinstance(value, torch.nn.Parameter) else "fixed parts")


def common(call: Call, shape: torch.Size) -> Tensor | None:
    """The tensor of this shape of which all live arguments are elementwise functions, None if there is none."""
    found: Tensor | None = None
    for value in call.args:
        if call.live(value):
            source = _or(call.shadow(value).source, value)
            if found is not None and source is not found:
                return None
            found = source
    return found if found is not None and found.shape == shape else None


def chosen(call: Call) -> Any:
    """where, masked_fill, maximum, minimum: chosen constants keep the relevance that they receive."""
    if call.name in ("maximum", "minimum"):
        condition, first, second = None, call.argument(0, "input"), call.argument(1, "other")
    elif call.name == "masked_fill":
        second, condition, first = (call.argument(k, name) for k, name in enumerate(("input", "mask", "value")))
    else:
        condition, first, second = call.argument(0, "condition"), call.argument(1, "input"), call.argument(2, "other")
        if not isinstance(first, Tensor) and first is None:
            raise UnsupportedError(
                "the module calls torch.where with a condition alone: its result has places instead of values"
            )
    live = [value for value in (first, second) if call.live(value)]
    shape = broadcast(condition, first, second)
    rows = merged(shape, [call.shadow(value).rows for value in live])
    parts = []
    for value in (first, second):
        plain = value if call.live(value) else torch.as_tensor(value, dtype=live[0].dtype, device=live[0].device)
        parts.append(plain if call.live(value) else call.mode.constant(plain.expand(shape), rows))
    result = torch.where(condition, *parts) if condition is not None else getattr(torch, call.name)(*parts)
    return call.mode.note(cast(Tensor, result), Shadow(rows, baseline=_baseline(call)))


def padded(call: Call) -> Any:
    """F.pad: constant padding belongs to the text beside it."""
    value, pads = call.argument(0, "input"), call.argument(1, "pad")
    result = call.native()
    dims = [-1 - number // 2 for number, amount in enumerate(pads) if amount]
    rows = reduced(call.shadow(value).rows, dims).expand(result.shape)
    constant = call.argument(3, "value") or 0.0
    if call.argument(2, "mode", "constant") == "constant" and constant:
        inside = torch.nn.functional.pad(torch.ones_like(value, dtype=torch.bool), pads)
        result = torch.where(inside, result, call.mode.constant(torch.full_like(result, constant), rows))
    return call.mode.note(result, Shadow(rows, baseline=_baseline(call)))


def unpacked(call: Call) -> Any:
    """pad_packed_sequence: the padding after a text's end is a constant of that text."""
    data, sizes, first, constant = (call.argument(position, "") for position in range(4))
    result, lengths = call.native()
    rows = call.shadow(data).rows[: int(sizes[0])]
    rows = reduced(rows, range(1, rows.ndim)).unsqueeze(1 if first else 0).expand(result.shape)
    if constant:
        inside = torch.arange(result.shape[1 if first else 0])[:, None] < lengths
        inside = (inside.t() if first else inside).to(result.device)
        inside = inside.reshape(*result.shape[:2], *[1] * (result.ndim - 2))
        padding = call.mode.constant(torch.full_like(result, constant), rows)
        result = torch.where(inside, result, padding)
    call.mode.note(result, Shadow(rows, baseline=_baseline(call)))
    return result, lengths


def written(call: Call) -> None:
    """``x[places] = values``: the old values are gone; the new ones keep their own rows."""
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
        value = call.mode.constant(plain, rows)
    else:
        target_rows[places] = call.shadow(value).rows
    call.func(target, places, value)
    call.mode.forget_activations(target)
    call.mode.note(target, Shadow(target_rows))


def moved_at_once(mode: Mode, func: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``moved`` for a function of one tensor, of one text."""
    return mode.noted(func(*args, **options)) if args and mode.unmarked(args[0]) else None


def kept_whole(mode: Mode, func: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """dropout in evaluation mode."""
    idle = len(args) == 1 and options.get("training") is False and not options.get("inplace")
    return args[0] if idle and mode.unmarked(args[0]) else None


CASTS = ("to", "float", "double", "half", "bfloat16", "type", "cpu", "cuda")
CHOOSING = ("getitem", "index_select", "gather", "take_along_dim")
LINEAR = frozenset(("mul", "neg", "div", *CASTS))
MOVING = (
    "view reshape view_as reshape_as flatten unflatten squeeze unsqueeze transpose permute t T mT movedim contiguous "
    "clone expand expand_as broadcast_to repeat repeat_interleave tile flip reversed roll narrow select index_select "
    "gather getitem chunk split tensor_split unbind take_along_dim masked_select unfold diagonal pack_padded_sequence "
    "alias atleast_2d atleast_3d hsplit vsplit split_with_sizes unsafe_chunk unsafe_split ravel rot90"
)
STRUCTURAL: dict[str, Rule] = {
    **dict.fromkeys(MOVING.split(), moved),
    **dict.fromkeys(("cat", "stack", "hstack", "vstack"), joined),
    **dict.fromkeys((*CASTS, "neg", "mul"), scaled),
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
}
ONE_TENSOR = ("view", "reshape", "transpose", "permute", "contiguous", "unsqueeze", "squeeze", "flatten")
QUICK: dict[Any, Quick] = {
    **{getattr(home, name): moved_at_once for home in (torch, Tensor) for name in ONE_TENSOR if hasattr(home, name)},
    torch.nn.functional.dropout: kept_whole,
}
