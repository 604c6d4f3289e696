"""The lookups of a module: where it takes the vectors of its words, found and replaced while it runs.

A table is an ``nn.Embedding`` or an ``nn.EmbeddingBag`` that receives exactly the ids of the texts. That it gives each
id one vector, wherever the id stands and whatever stands beside it, is tried, not believed (``steady``). The vectors of
a table that adds more (positions, a mean over the text) are those that it takes from its weights, beneath what its own
``forward`` and hooks do with them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag
from torch.overrides import TorchFunctionMode

from exegesis.core.errors import out_of_memory
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch

Table = nn.Embedding | nn.EmbeddingBag
FAR = 300  # places in the longest row in which a table is tried
SIGNATURES = {function: inspect.signature(function) for function in (embedding, embedding_bag)}


@dataclass(frozen=True)
class Lookup:
    """A table that reads a text's ids; ``turned`` if it reads them time first.

    ``inner``: its vectors are replaced where they are taken from its weights. ``seen``: they are known only while the
    module runs, because they depend on more than the id (the weight that a bag gives to each word, say), or because
    ``forward`` wants more than ids.
    """

    table: Table
    turned: bool
    inner: bool = False
    seen: bool = False

    def rows(self, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
        """The vectors of some ids, those of a bag before they are pooled."""
        if isinstance(self.table, nn.Embedding):
            vectors: Tensor = self.table(ids)
            return vectors
        return embedding(ids, self.table.weight, None, self.table.max_norm, self.table.norm_type)


@dataclass(frozen=True, eq=False)
class Reading:
    """A table's reading of some ids: its result, and the further arguments of the torch function that looks them up."""

    ids: Tensor
    result: Tensor
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pools(self) -> bool:
        """True for a bag, which has pooled its vectors."""
        return "mode" in self.options

    @property
    def vectors(self) -> Tensor:
        """The vectors of the ids; those of a bag before they are pooled, each with the weight that the bag gives it."""
        if not self.pools:
            return self.result
        options, weights = self.options, self.options["per_sample_weights"]
        rows = embedding(self.ids, options["weight"], None, options["max_norm"], options["norm_type"])
        return rows if weights is None else rows * weights[..., None]


Give = Callable[[int, Reading], Tensor | None]


@contextmanager
def replacing(lookups: Sequence[Lookup], give: Give) -> Iterator[None]:
    """Let ``give(number, reading)`` look at each reading of a lookup, and replace its result; None leaves it.

    What other threads look up meanwhile is left alone.
    """
    me = get_ident()
    inside: list[int] = []  # the inner lookups that run, the innermost last

    def enter(number: int) -> Callable[..., None]:
        return lambda *_: inside.append(number) if get_ident() == me else None

    def leave(*_: object) -> None:
        if get_ident() == me:
            inside.pop()

    def outer(number: int) -> Callable[..., Tensor | None]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], vectors: Tensor) -> Tensor | None:
            if get_ident() != me:
                return None
            return give(number, Reading(kwargs["input"] if "input" in kwargs else args[0], vectors))

        return hook

    with ExitStack() as after:
        for number, lookup in enumerate(lookups):
            table = lookup.table
            if lookup.inner:
                after.callback(table.register_forward_pre_hook(enter(number)).remove)
                after.callback(table.register_forward_hook(leave).remove)
            else:
                after.callback(table.register_forward_hook(outer(number), with_kwargs=True).remove)
        if any(lookup.inner for lookup in lookups):
            after.enter_context(_Readings(lookups, inside, give))
        yield


class _Readings(TorchFunctionMode):
    """Shows the functions that look ids up in the weights of the lookup that runs."""

    def __init__(self, lookups: Sequence[Lookup], inside: list[int], give: Give) -> None:
        super().__init__()
        self.lookups, self.inside, self.give = lookups, inside, give

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.inside or func not in SIGNATURES:
            return result
        bound = SIGNATURES[func].bind(*args, **(kwargs or {}))
        bound.apply_defaults()
        number = self.inside[-1]
        if bound.arguments["weight"].shape != self.lookups[number].table.weight.shape:
            return result
        replacement = self.give(number, Reading(bound.arguments["input"], result, bound.arguments))
        return result if replacement is None else replacement


def steady(table: nn.Embedding, ids: Int[Tensor, " n"]) -> bool:
    """True if a table gives each of some ids one vector: in any order, in rows of any length, beside any others."""
    draws, count = torch.Generator().manual_seed(0), len(ids)
    orders = torch.stack([torch.randperm(count, generator=draws) for _ in range(2 * count)])
    layouts = [orders, orders[:, : (count + 1) // 2], torch.arange(FAR)[None] % count]
    try:
        alone = table(ids[:, None])[:, 0]
        pairs = [(table(ids[layout.to(ids.device)]), alone[layout.to(ids.device)]) for layout in layouts]
    except Exception as error:  # the user's own code
        if out_of_memory(error):
            raise
        return False
    return all(
        isinstance(found, Tensor) and agree(found, expected, double=1e-12, single=1e-6, half=1e-3)
        for found, expected in pairs
    )


def reads(ids: Tensor, batch: Batch, *, turned: bool) -> bool:
    """True if an embedding reads the ids of all texts of a batch, with padding or without.

    The ids come text after text, or (``turned``) step after step.
    """
    expected, mask = (batch.ids.t(), batch.mask.t()) if turned else (batch.ids, batch.mask)
    flat = ids.flatten()
    return any(flat.shape == row.shape and torch.equal(flat, row) for row in (expected.flatten(), expected[mask]))


def placed(vectors: Float[Tensor, "b t d"], ids: Tensor, batch: Batch, *, turned: bool) -> Tensor | None:
    """The vectors in the order in which an embedding reads the ids of a batch (see ``reads``); None if it reads others.

    They are a copy, because a module may write into its word vectors.
    """
    if not reads(ids, batch, turned=turned):
        return None
    rows, mask = (vectors.transpose(0, 1), batch.mask.t()) if turned else (vectors, batch.mask)
    copy = rows.clone(memory_format=torch.contiguous_format) if ids.numel() == mask.numel() else rows[mask]
    return copy.reshape(*ids.shape, vectors.shape[-1])


def gathered(rows: Tensor, batch: Batch, *, turned: bool) -> Float[Tensor, "b t d"]:
    """The vectors of a batch from those in the order of an embedding; the inverse of ``placed``, padding being zero."""
    mask, flat = batch.mask.t() if turned else batch.mask, rows.reshape(-1, rows.shape[-1])
    if len(flat) == mask.numel():
        vectors = flat.reshape(*mask.shape, -1)
    else:
        vectors = flat.new_zeros(*mask.shape, flat.shape[-1])
        vectors[mask] = flat
    return vectors.transpose(0, 1) if turned else vectors


def bagged(vectors: Float[Tensor, "b t d"], reading: Reading, batch: Batch) -> Float[Tensor, "b d"] | None:
    """A bag's result for these vectors, weighted already; None if it reads ids that are not the batch's."""
    if not reads(reading.ids, batch, turned=False):
        return None
    mode, padding = reading.options["mode"], reading.options["padding_idx"]
    inside = batch.mask if reading.ids.ndim == 1 else torch.ones_like(batch.mask)
    if padding is not None:
        inside = inside & (batch.ids != padding)
    if mode == "max":
        highest = vectors.masked_fill(~inside[..., None], -torch.inf).amax(1)
        return highest.masked_fill(~inside.any(1)[:, None], 0.0)
    total = (vectors * inside[..., None].to(vectors.dtype)).sum(1)
    return total if mode == "sum" else total / inside.sum(1).clamp(min=1)[:, None].to(vectors.dtype)
