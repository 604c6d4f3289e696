"""The lookups of a Hugging Face module, found by value: each layer that turns the words' ids into vectors.

An encoder-decoder looks the same words up twice, the second time moved by one place; the two halves may share one table
or have one each. XLNet reads its words with the time first, Longformer fills rows up to whole windows, GPT-2 and XLM
look token types up in the table of the words. None of these is known by name here: a layer of vectors that receives the
words' ids looks the words up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import ModelError, out_of_memory

See = Callable[[str, Tensor, Tensor], Tensor | None]
SAME, MOVED, TURNED = "same", "moved by one", "time first"


@dataclass(frozen=True)
class Lookup:
    """A layer that looks words up.

    ``path`` is its path in the module, ``calls`` the forms in which its calls hold the ids (``SAME``, ``MOVED``,
    ``TURNED``), ``start`` and ``stop`` bound the columns of the word vectors that are its own.
    """

    path: str
    calls: tuple[str, ...]
    start: int
    stop: int


def input_embeddings(module: Any) -> nn.Module | None:
    """The layer that a module calls its input embeddings, if it names one."""
    try:
        layer = module.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return layer if isinstance(layer, nn.Module) else None


def find_lookups(module: nn.Module, ids: Int[Tensor, "b t"], run: Callable[[], object]) -> tuple[Lookup, ...]:
    """Find the lookups of the words while ``run`` passes ``ids`` to the module; rows and columns must differ in number.

    Layers that give equal vectors share columns; any other layer has separate columns.
    """
    calls_of: dict[str, list[str]] = {}
    with _watching(module, partial(_note, calls_of, ids)):
        run()
    tables: list[Tensor] = []
    lookups, starts = [], [0]
    for path, calls in calls_of.items():
        vectors = _table(module.get_submodule(path), ids)
        if vectors is None:
            continue
        number = next((n for n, table in enumerate(tables) if _alike(table, vectors)), len(tables))
        if number == len(tables):
            tables.append(vectors)
            starts.append(starts[-1] + vectors.shape[-1])
        lookups.append(Lookup(path, tuple(calls), starts[number], starts[number + 1]))
    return tuple(lookups)


def _table(layer: nn.Module, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"] | None:
    """The vectors of a layer for some ids.

    None if they depend on the ids' places (BART counts positions from its ids), or the layer wants something else.
    """
    try:
        ahead, back = first(layer(ids)), first(layer(ids.flip(1)))
    except Exception as error:
        if out_of_memory(error):
            raise
        return None
    return ahead if ahead.shape[:2] == ids.shape and torch.equal(ahead, back.flip(1)) else None


def word_vectors(module: nn.Module, lookups: Sequence[Lookup], ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
    """The vectors of all lookups for some ids, side by side."""
    tables = {lookup.start: lookup.path for lookup in reversed(lookups)}
    parts = [first(module.get_submodule(tables[start])(ids)) for start in sorted(tables)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


@contextmanager
def replaced(
    module: nn.Module, lookups: Sequence[Lookup], ids: Int[Tensor, "b t"], vectors: Float[Tensor, "b s d"]
) -> Iterator[None]:
    """Replace the vectors wherever a module looks ``ids`` up, for the length of a block.

    Pieces without a vector here keep the module's own: a decoder's first piece, and the filling of rows (``ids`` may be
    wider than ``vectors``, and a module may fill up to whole windows). Raises ModelError at the end of a block in which
    a lookup did not come.
    """
    pending = {lookup.path: list(lookup.calls) for lookup in lookups}
    parts = {lookup.path: vectors[..., lookup.start : lookup.stop] for lookup in lookups}
    if all(part.shape == vectors.shape for part in parts.values()):
        parts = dict.fromkeys(parts, vectors)
    with _watching(module, partial(_put, pending, parts, ids), set(pending)):
        yield
    if any(pending.values()):
        raise ModelError(f"the module did not look its words up at {next(path for path in pending if pending[path])}")


def first(out: Any) -> Tensor:
    """A layer's vectors; I-BERT's gives their scale with them."""
    vectors: Tensor = out[0] if isinstance(out, tuple) else out
    return vectors


def _holds(kind: str, looked_up: Tensor, ids: Int[Tensor, "b t"]) -> bool:
    """True if a layer looks the words' ids up in this form."""
    if looked_up.dim() != 2:
        return False
    if kind == TURNED:
        looked_up = looked_up.t()
    rows, width = ids.shape
    if looked_up.shape[0] != rows or looked_up.shape[1] < width:
        return False
    if kind == MOVED:
        return torch.equal(looked_up[:, 1:width], ids[:, :-1])
    return torch.equal(looked_up[:, :width], ids)


def _note(calls: dict[str, list[str]], ids: Int[Tensor, "b t"], path: str, looked_up: Tensor, _: Tensor) -> None:
    kind = next((kind for kind in (SAME, MOVED, TURNED) if _holds(kind, looked_up, ids)), None)
    if kind is not None:
        calls.setdefault(path, []).append(kind)


def _put(
    pending: dict[str, list[str]],
    parts: dict[str, Tensor],
    ids: Int[Tensor, "b t"],
    path: str,
    looked_up: Tensor,
    vectors_read: Tensor,
) -> Tensor | None:
    """The words' vectors as the answer to a lookup that is still to come; None for any other lookup."""
    kind = next((kind for kind in pending[path] if _holds(kind, looked_up, ids)), None)
    if kind is None:
        return None
    pending[path].remove(kind)
    part = parts[path].to(vectors_read)
    if kind == MOVED:
        part = torch.cat([vectors_read[:, :1], part[:, : ids.shape[1] - 1]], 1)
    if kind == TURNED:
        part = part.transpose(0, 1)
    along = 0 if kind == TURNED else 1
    beyond = vectors_read.shape[along] - part.shape[along]
    return torch.cat([part, vectors_read.narrow(along, part.shape[along], beyond)], along) if beyond else part


def _alike(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.equal(first, second)


@contextmanager
def _watching(module: nn.Module, see: See, paths: set[str] | None = None) -> Iterator[None]:
    """Pass each lookup of integers (the layer's path, ids, vectors) to ``see``, whose answer replaces the vectors.

    What other threads look up meanwhile is left alone.
    """
    handles = [
        layer.register_forward_hook(partial(_look, get_ident(), see, path), with_kwargs=True)
        for path, layer in _tables(module)
        if paths is None or path in paths
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _look(
    thread: int, see: See, path: str, _layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
) -> Any:
    if get_ident() != thread:
        return None
    looked_up = next((value for value in (*args, *kwargs.values())), None)
    if not isinstance(looked_up, Tensor) or looked_up.is_floating_point():
        return None
    answer = see(path, looked_up, first(out))
    return (answer, *out[1:]) if answer is not None and isinstance(out, tuple) else answer


def _tables(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every layer of vectors, once: PyTorch's own, and the module's input embeddings."""
    named = input_embeddings(module)
    layers: list[tuple[str, nn.Module]] = list(module.named_modules())
    return [(path, layer) for path, layer in layers if isinstance(layer, nn.Embedding) or layer is named]
