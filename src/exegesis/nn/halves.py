"""Halves of a network that belong to a text: which units are kept while it is trained on, and which are not.

The half m(z) of a text z is drawn from its ids alone, so that it is the same in every epoch, in every batch and later;
the other half holds just the units that m(z) leaves out. While halves are active, ``half`` multiplies the units of a
place (a site) by 0 or by what keeps their mean, row by row of the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from exegesis.core.errors import UsageError
from exegesis.nn.recurrent import kind_of, next_state, reading_order

Ids = tuple[int, ...]


class Halves(NamedTuple):
    """The texts whose halves the rows of a batch run through, and whether it is the other half."""

    texts: Sequence[Ids]
    other: bool


_ACTIVE: ContextVar[Halves | None] = ContextVar("halves", default=None)


@contextmanager
def halved(texts: Sequence[Ids], *, other: bool = False) -> Iterator[None]:
    """Run each row of a batch through the half of its text, or through the other half, for the length of a block."""
    token = _ACTIVE.set(Halves(texts, other))
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active() -> bool:
    """True while networks run in halves."""
    return _ACTIVE.get() is not None


def half(values: Float[Tensor, "b *t w"], site: str) -> Float[Tensor, "b *t w"]:
    """Values of units, the units last, of which only the active half is kept; as they are if no halves are active."""
    kept = factors(site, values.shape[-1], values)
    if kept is None:
        return values
    if len(kept) != len(values):
        raise UsageError(f"{len(kept)} texts have halves here, but {len(values)} rows run: name one for each")
    return values * kept.reshape(len(kept), *[1] * (values.dim() - 2), -1)


def factors(site: str, width: int, like: Tensor) -> Float[Tensor, "b w"] | None:
    """What the units of a site are multiplied by, for each row; None if no halves are active."""
    now = _ACTIVE.get()
    if now is None:
        return None
    kept = np.stack([kept_units(text, site, width) for text in now.texts]) ^ now.other
    count = width // 2 if not now.other else width - width // 2
    return torch.from_numpy(kept).to(like) * (width / count)


@lru_cache(maxsize=1 << 17)
def kept_units(text: Ids, site: str, width: int) -> Bool[np.ndarray, " w"]:
    """Which of the units of a site are in the half of a text: half of them, rounded down.

    Raises UsageError for a single unit, which has no halves.
    """
    if width < 2:
        raise UsageError(f"{site} has {width} unit, which has no halves: make it wider")
    content = f"{site}\0{','.join(map(str, text))}".encode()
    drawn = np.frombuffer(hashlib.shake_128(content).digest(8 * width), "<u8")
    kept = np.zeros(width, dtype=bool)
    kept[np.argsort(drawn, kind="stable")[: width // 2]] = True
    return kept


def run_halved(
    layer: nn.RNNBase, inputs: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"], site: str
) -> tuple[Float[Tensor, "b t w"], Float[Tensor, "b w"]]:
    """All states of the top layer, and the last one of each direction, of layers whose units run in halves.

    A unit that is left out shows its state neither to the next step nor to the next layer, so that no weight that it
    has part in is trained. After a text's end states mean nothing.
    """
    lengths, kind = lengths.to(inputs.device), kind_of(layer)
    ends: list[Tensor] = []
    for number in range(layer.num_layers):
        ways = []
        ends = []
        for reverse in (False, True)[: 2 if layer.bidirectional else 1]:
            own = f"_l{number}{'_reverse' if reverse else ''}"
            w_x, w_h = getattr(layer, f"weight_ih{own}"), getattr(layer, f"weight_hh{own}")
            b_x, b_h = (getattr(layer, f"bias_{end}{own}", None) for end in ("ih", "hh"))
            from_x = nn.functional.linear(reading_order(inputs, lengths, reverse), w_x, b_x)
            kept = factors(f"{site}{own}", layer.hidden_size, inputs)
            hidden = inputs.new_zeros(len(inputs), layer.hidden_size)
            memory = torch.zeros_like(hidden) if kind == "lstm" else None
            states = []
            for step in range(inputs.shape[1]):
                shown = hidden if kept is None else hidden * kept
                hidden, memory = next_state(
                    kind, from_x[:, step], nn.functional.linear(shown, w_h, b_h), hidden, memory
                )
                states.append(hidden)
            made = torch.stack(states, 1)
            made = made if kept is None else made * kept[:, None]
            ends.append(made[torch.arange(len(made), device=made.device), lengths - 1])
            ways.append(reading_order(made, lengths, reverse))
        inputs = torch.cat(ways, -1)
    return inputs, torch.cat(ends, -1)


@contextmanager
def in_place_of_dropout(module: nn.Module) -> Iterator[None]:
    """Let active halves act where a network has dropout layers, which then drop nothing themselves.

    Sites are the names of the layers. Values whose rows are no texts (weights of attention have more axes) stay whole.
    """
    layers = {name: part for name, part in module.named_modules() if isinstance(part, nn.Dropout)}
    hooks = [part.register_forward_hook(partial(_instead, name)) for name, part in layers.items()]
    rates = {name: part.p for name, part in layers.items()}
    for part in layers.values():
        part.p = 0.0
    try:
        yield
    finally:
        for name, part in layers.items():
            part.p = rates[name]
        for hook in hooks:
            hook.remove()


def _instead(site: str, layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> Tensor:
    values: Tensor = given[0]
    return half(values, site) if active() and values.dim() in (2, 3) else made
