"""The blocks of a transformer around its attention: run again without a value, and taken apart into vectors.

A block is the outermost part of a module that holds exactly one attention and turns vectors of the pieces into others;
projections and norms are found by value, as the functions that read what the attention, or the sum with the block's own
input, gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.mech.attending.layout import layout_of, refuse_unless_square
from exegesis.mech.attending.watch import Seen, Watch
from exegesis.nn.frozen import frozen
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier

ROUNDED = 32  # times the precision of the weights: a turn of directions that is rounding
NEAR = 1e-4  # relative difference within which two vectors are the same one


@dataclass(eq=False)
class Block:
    """A part with one attention: the call that it had, and the vectors of the pieces behind it, ``[1, t, d]``."""

    part: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Float[Tensor, "1 t d"]
    first: int  # the number of its attention among all calls

    def without_values(self) -> Float[Tensor, "j t d"]:
        """The vectors behind the block where the value of piece j is zero, for every j; weights stay as they are."""
        pieces = self.output.shape[1]
        step = budget_for("classifier", self.output.device).rows_of(pieces)
        found = []
        for start in range(0, pieces, step):
            zeroed = range(start, min(start + step, pieces))
            copies = len(zeroed)

            def change(count: int, weights: Tensor, zeroed: range = zeroed) -> Tensor:
                folded = weights.reshape(len(zeroed), -1, *weights.shape[-2:]).clone()
                folded[torch.arange(len(zeroed)), :, :, list(zeroed)] = 0.0
                return folded.reshape(weights.shape)

            args, kwargs = _expanded(self.args, copies), _expanded(self.kwargs, copies)
            with Watch(change) as watch:
                answer = self.part(*args, **kwargs)
            if watch.count != 1:
                raise UnsupportedError("a block runs its attention otherwise when it runs alone")
            found.append(_vectors(answer))
        return torch.cat(found)


def _expanded(value: Any, copies: int) -> Any:
    """Every tensor of one row as so many rows."""
    if isinstance(value, Tensor):
        return value.expand(copies, *value.shape[1:]) if value.ndim > 1 and len(value) == 1 else value
    if isinstance(value, dict):
        return {name: _expanded(part, copies) for name, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_expanded(part, copies) for part in value)
    return value


def _vectors(answer: Any) -> Any:
    return answer[0] if isinstance(answer, tuple | list) and len(answer) else answer


@contextmanager
def _noted(module: nn.Module, watch: Watch, found: list[Block], pieces: int) -> Iterator[None]:
    """Note every part that holds one attention and turns vectors of the pieces into others of their size."""
    entered: list[tuple[nn.Module, int]] = []

    def enter(part: nn.Module, *_: Any) -> None:
        entered.append((part, watch.count))

    def leave(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
        before = entered.pop()[1]
        vectors, received = _vectors(answer), [*args, *kwargs.values()]
        first = received[0] if received else None
        if watch.count != before + 1 or not isinstance(vectors, Tensor) or not isinstance(first, Tensor):
            return
        if first.shape == vectors.shape and vectors.ndim == 3 and vectors.shape[:2] == (1, pieces):
            found.append(Block(part, args, kwargs, vectors, before))

    hooks: list[Any] = []
    try:
        for part in module.modules():
            hooks.append(part.register_forward_pre_hook(enter))
            hooks.append(part.register_forward_hook(leave, with_kwargs=True, always_call=False))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def blocks_of(model: Classifier, batch: Batch, name: str) -> list[Block]:
    """The blocks of a model on a batch of one text, one for each attention, in order.

    Raises UnsupportedError for a model without attention from all pieces to all, or with one outside any block.
    """
    layout = layout_of(model, batch)
    refuse_unless_square(name, model, layout)
    found: list[Block] = []
    with torch.no_grad(), Watch() as watch, _noted(model.module, watch, found, batch.ids.shape[1]):  # type: ignore[attr-defined]
        model.outputs(batch)
    blocks = []
    for number in layout.places:
        inside = [block for block in found if block.first == number]
        if not inside:
            raise UnsupportedError(
                f"{name} needs blocks that turn vectors of the pieces into others, and no part of the model "
                f"{model.name} around its attention {number + 1} does"
            )
        blocks.append(inside[-1])  # the outermost ends last
    return blocks


def _turned(moved: Float[Tensor, "*#b d"], whole: Float[Tensor, "*#b d"]) -> Float[Tensor, "*b"]:
    """1 - cos of two vectors, as half the square of the difference of their directions: 0 where that is rounding."""
    directions = [torch.nn.functional.normalize(one.double(), dim=-1) for one in (moved, whole)]
    apart = (directions[0] - directions[1]).norm(dim=-1)
    return torch.where(apart > ROUNDED * torch.finfo(moved.dtype).eps, apart.square() / 2, torch.zeros_like(apart))


@torch.no_grad()
def zeroed(model: Classifier, batch: Batch) -> list[Float[Tensor, "t t"]]:
    """How far the vector of piece i moves, by cosine, if the value of piece j is zero, in each block alone."""
    blocks = blocks_of(model, batch, "value-zeroing")
    found = []
    with frozen(model.module):  # type: ignore[attr-defined]
        for block in blocks:
            moved = block.without_values()
            whole = block.output.expand_as(moved)
            found.append(_turned(moved, whole).T)
    return found


class _Parts(Watch):
    """Also notes linear maps and layer norms, with what they read and give."""

    def __init__(self) -> None:
        super().__init__(values=True)
        self.maps: list[tuple[Tensor, Tensor, Tensor | None, Tensor]] = []  # input, weight [out, in], bias, output
        self.norms: list[tuple[Tensor, Tensor | None, float, Tensor]] = []  # input, weight, epsilon, output

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = super().__torch_function__(func, types, args, kwargs)
        given, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "linear":
            bias = args[2] if len(args) > 2 else given.get("bias")
            self.maps.append((args[0], args[1] if len(args) > 1 else given["weight"], bias, result))
        elif name == "addmm":
            self.maps.append((args[1], args[2].T, args[0], result))
        elif name == "layer_norm":
            bound = dict(zip(("input", "shape", "weight", "bias", "eps"), args, strict=False)) | given
            self.norms.append((bound["input"], bound.get("weight"), float(bound.get("eps", 1e-5)), result))
        return result


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors that attention brings from piece j to piece i of a layer, by head, behind its projection.

    Their sum over heads and j, with ``bias``, is what the attention gives to piece i: ``given``.
    """

    by_head: Float[Tensor, "h t t d"]
    bias: Float[Tensor, " d"]
    given: Float[Tensor, "t d"]


@torch.no_grad()
def carried(model: Classifier, batch: Batch, name: str) -> tuple[list[Vectors], list[Block], Any]:
    """The vectors of every layer (see ``Vectors``), its blocks, and the parts that ran.

    Raises UnsupportedError if values or the projection behind them are out of sight: the vectors are believed only
    where their sum is what the projection gives.
    """
    layout = layout_of(model, batch)
    refuse_unless_square(name, model, layout)
    found: list[Block] = []
    with _Parts() as parts, _noted(model.module, parts, found, batch.ids.shape[1]):  # type: ignore[attr-defined]
        model.outputs(batch)
    vectors, blocks = [], []
    for number in layout.places:
        seen = parts.seen[number]
        axes = layout.calls[number]
        assert axes is not None
        weights = axes.turned(seen.weights, 1)[0].double()
        vectors.append(_carried(model, parts, seen, weights, name))
        blocks.append(next((block for block in reversed(found) if block.first == number), None))
    return vectors, [block for block in blocks if block is not None], parts


def _carried(model: Classifier, parts: _Parts, seen: Seen, weights: Tensor, name: str) -> Vectors:
    pieces = weights.shape[-1]
    reason = f"{name} needs the values of attention and the projection behind them, and those of the model {model.name}"
    if seen.values is None or seen.attended is None:
        raise UnsupportedError(f"{reason} are out of sight")
    values = seen.values.reshape(-1, pieces, seen.values.shape[-1]).double()
    if len(values) != len(weights):
        values = values.repeat_interleave(len(weights) // len(values), 0)
    joined = (weights @ values).transpose(0, 1).reshape(pieces, -1)
    if seen.heads:  # nn.MultiheadAttention gives what its own projection gives
        assert seen.projection is not None
        matrix, given = seen.projection, seen.attended.reshape(pieces, -1)
        bias = (given.double() - joined @ matrix.double().T).mean(0)
    else:
        matrix, bias, given = None, None, None
        for read, weight, offset, output in parts.maps:
            if read.numel() == joined.numel() and _alike(read.reshape(pieces, -1).double(), joined):
                matrix, given = weight, output.reshape(pieces, -1)
                bias = torch.zeros(given.shape[-1]).double() if offset is None else offset.double()
                break
    if matrix is None or given is None or bias is None:
        raise UnsupportedError(f"{reason} are out of sight")
    by_head = matrix.double().reshape(len(matrix), len(weights), -1)  # [d, h, width]
    moved = torch.einsum("hjw,dhw->hjd", values, by_head)
    vectors = weights[..., None] * moved[:, None]
    if not _alike(vectors.sum((0, 2)) + bias, given.double()):
        raise UnsupportedError(f"{reason} do not add up to what it gives")
    return Vectors(vectors, bias, given.double())


def _alike(first: Tensor, second: Tensor) -> bool:
    if first.shape != second.shape:
        return False
    return float((first - second).abs().max()) <= NEAR * max(1e-12, float(second.abs().max()))


@torch.no_grad()
def through_norms(model: Classifier, batch: Batch, name: str) -> list[Float[Tensor, "t t d"]]:
    """The vectors from piece j in piece i behind both norms of each block of a post-norm encoder (GlobEnc).

    With the residual connection: z_ij = sum_h A_ij v_j W_O + [i = j] x_i; each norm is its linear map at the sum that
    it reads, (u - mean u) / std times its weight; what the feed-forward part adds is left out but for the scale of the
    second norm. Raises UnsupportedError for blocks of another kind.
    """
    vectors, blocks, parts = carried(model, batch, name)
    found = []
    for one, block in zip(vectors, blocks, strict=True):
        own = _first(block)[0].double()
        total = one.given + own
        at = next((n for n, norm in enumerate(parts.norms) if _alike(_flat(norm[0], total), total)), None)
        last = _flat(block.output, total)
        ends = [n for n, norm in enumerate(parts.norms) if _alike(_flat(norm[3], total), last)]
        if at is None or not ends or ends[-1] <= at:
            raise UnsupportedError(
                f"{name} is defined for blocks that end in a norm, with one behind their attention (BERT's), and those "
                f"of the model {model.name} are others: take norm-weighted or value-zeroing"
            )
        from_each = one.by_head.sum(0)
        places = torch.arange(len(own))
        from_each[places, places] += own
        for number in (at, ends[-1]):
            read, weight, epsilon, _ = parts.norms[number]
            read = _flat(read, total)
            deviation = (read.var(-1, unbiased=False) + epsilon).sqrt()
            from_each = (from_each - from_each.mean(-1, keepdim=True)) / deviation[:, None, None]
            from_each = from_each if weight is None else from_each * weight.double()
        found.append(from_each)
    return found


def _flat(tensor: Tensor, like: Tensor) -> Tensor:
    return tensor.double().reshape(like.shape) if tensor.numel() == like.numel() else tensor.double()


def _first(block: Block) -> Tensor:
    received = [*block.args, *block.kwargs.values()]
    first: Tensor = received[0]
    return first
