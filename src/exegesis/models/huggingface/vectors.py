"""Where a Hugging Face module looks its words up, found by value: each layer that turns the ids into vectors.

An encoder-decoder looks the same words up twice, the second time moved by one place; the two halves may share one table
or have one each. XLNet reads its words with the time first, Longformer fills rows up to whole windows, GPT-2 and XLM
look token types up in the table of the words. None of these is known by name here: a lookup is one of the words if a
layer of vectors is handed their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import ModelError, out_of_memory

See = Callable[[str, Tensor, Tensor], Tensor | None]
SAME, MOVED, TURNED = "same", "moved by one", "time first"


@dataclass(frozen=True)
class Lookup:
    """A layer that looks words up: its path in the module, how its calls hold the ids (``SAME``, ``MOVED``,
    ``TURNED``), and which columns of the word vectors are its own."""

    path: str
    calls: tuple[str, ...]
    start: int
    stop: int


def input_embeddings(module: Any) -> nn.Module | None:
    """The layer that a module calls its input embeddings, where it names one."""
    try:
        layer = module.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return layer if isinstance(layer, nn.Module) else None


def find_lookups(module: nn.Module, ids: Int[Tensor, "b t"], run: Callable[[], object]) -> tuple[Lookup, ...]:
    """The lookups of the words while ``run`` hands ``ids`` to the module; rows and columns must differ in number.

    Layers that give the same vectors share columns, any other has columns of its own.
    """
    seen: dict[str, list[str]] = {}
    with _watching(module, partial(_note, seen, ids)):
        run()
    tables: list[Tensor] = []
    found, starts = [], [0]
    for path, calls in seen.items():
        vectors = _table(module.get_submodule(path), ids)
        if vectors is None:
            continue
        number = next((n for n, table in enumerate(tables) if _alike(table, vectors)), len(tables))
        if number == len(tables):
            tables.append(vectors)
            starts.append(starts[-1] + vectors.shape[-1])
        found.append(Lookup(path, tuple(calls), starts[number], starts[number + 1]))
    return tuple(found)


def _table(layer: nn.Module, ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"] | None:
    """What a layer gives for ids; None where that depends on their places (BART counts positions from its ids), or
    where the layer wants something else."""
    try:
        there, back = first(layer(ids)), first(layer(ids.flip(1)))
    except Exception as error:
        if out_of_memory(error):
            raise
        return None
    return there if there.shape[:2] == ids.shape and torch.equal(there, back.flip(1)) else None


def word_vectors(module: nn.Module, lookups: Sequence[Lookup], ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t d"]:
    """What the lookups give for some ids, side by side."""
    tables = {lookup.start: lookup.path for lookup in reversed(lookups)}
    parts = [first(module.get_submodule(tables[start])(ids)) for start in sorted(tables)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


@contextmanager
def replaced(
    module: nn.Module, lookups: Sequence[Lookup], ids: Int[Tensor, "b t"], vectors: Float[Tensor, "b s d"]
) -> Iterator[None]:
    """The module with these vectors wherever it looks ``ids`` up, for the length of a block.

    What has no vector here keeps the module's own: a decoder's first piece, and what fills rows up (``ids`` may be
    wider than ``vectors``, and a module may fill up to whole windows). Raises ModelError at the end of a block in which
    a lookup did not come.
    """
    left = {lookup.path: list(lookup.calls) for lookup in lookups}
    parts = {lookup.path: vectors[..., lookup.start : lookup.stop] for lookup in lookups}
    if all(part.shape == vectors.shape for part in parts.values()):
        parts = dict.fromkeys(parts, vectors)
    with _watching(module, partial(_put, left, parts, ids), set(left)):
        yield
    if any(left.values()):
        raise ModelError(f"the module did not look its words up at {next(path for path in left if left[path])}")


def first(out: Any) -> Tensor:
    """A layer's vectors; I-BERT's gives their scale with them."""
    found: Tensor = out[0] if isinstance(out, tuple) else out
    return found


def _holds(kind: str, given: Tensor, ids: Int[Tensor, "b t"]) -> bool:
    """Whether what a layer looks up is the words' ids, in this way."""
    if given.dim() != 2:
        return False
    if kind == TURNED:
        given = given.t()
    rows, width = ids.shape
    if given.shape[0] != rows or given.shape[1] < width:
        return False
    if kind == MOVED:
        return torch.equal(given[:, 1:width], ids[:, :-1])
    return torch.equal(given[:, :width], ids)


def _note(seen: dict[str, list[str]], ids: Int[Tensor, "b t"], path: str, given: Tensor, _own: Tensor) -> None:
    kind = next((kind for kind in (SAME, MOVED, TURNED) if _holds(kind, given, ids)), None)
    if kind is not None:
        seen.setdefault(path, []).append(kind)


def _put(
    left: dict[str, list[str]],
    parts: dict[str, Tensor],
    ids: Int[Tensor, "b t"],
    path: str,
    given: Tensor,
    own: Tensor,
) -> Tensor | None:
    """The words' vectors as the answer to a lookup of theirs that is still to come."""
    kind = next((kind for kind in left[path] if _holds(kind, given, ids)), None)
    if kind is None:
        return None
    left[path].remove(kind)
    part = parts[path].to(own)
    if kind == MOVED:
        part = torch.cat([own[:, :1], part[:, : ids.shape[1] - 1]], 1)
    if kind == TURNED:
        part = part.transpose(0, 1)
    along = 0 if kind == TURNED else 1
    beyond = own.shape[along] - part.shape[along]
    return torch.cat([part, own.narrow(along, part.shape[along], beyond)], along) if beyond else part


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


@contextmanager
def _watching(module: nn.Module, see: See, paths: set[str] | None = None) -> Iterator[None]:
    """Hands each lookup of integers (the layer's path, ids, vectors) to ``see``, whose answer takes their place."""

    handles = [
        layer.register_forward_hook(partial(_look, see, path), with_kwargs=True)
        for path, layer in _tables(module)
        if paths is None or path in paths
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _look(see: See, path: str, _layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> Any:
    asked = next((value for value in (*given, *named.values())), None)
    if not isinstance(asked, Tensor) or asked.is_floating_point():
        return None
    answer = see(path, asked, first(out))
    return (answer, *out[1:]) if answer is not None and isinstance(out, tuple) else answer


def _tables(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every layer of vectors, once: PyTorch's own, and what the module calls its input embeddings."""
    named = input_embeddings(module)
    layers: list[tuple[str, nn.Module]] = list(module.named_modules())
    return [(path, layer) for path, layer in layers if isinstance(layer, nn.Embedding) or layer is named]
