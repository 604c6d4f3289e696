"""Attention by the rules of AttnLRP (Achtibat et al. 2024), and with its weights held constant (Ali et al. 2022).

Where relevance passes through the weights, each factor of a product of live tensors receives half (the paper's rule for
matrix products), and the softmax keeps its own slopes (its rule for softmax), by which it absorbs Σ P ∂P - Σ S ∂S of
the relevance at its output P, S being its scores. ``absorbed by softmax`` is that amount, so that the account closes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from exegesis.core.errors import UnsupportedError
from exegesis.core.place import Place
from exegesis.mech.backward.attention import dot_product
from exegesis.mech.backward.mode import Call, Shadow, merged
from exegesis.mech.backward.structural import constant_name
from exegesis.mech.lrp.functions import Shared
from exegesis.mech.lrp.state import State, Term

SOFTMAX, WEIGHTS = "absorbed by softmax", "weights of attention"
Heads = Float[Tensor, "*b t s"]


def softmax(state: State, call: Call) -> Tensor:
    """softmax: its own slopes, or a constant of this text.

    Weights by which a text is pooled, of one query or none, make no transformer of a module.
    """
    shape = call.argument(0, "input").shape
    state.attends |= len(shape) > 3 or (len(shape) == 3 and min(shape[1:]) > 1)
    state.unclear |= len(shape) == 3 and shape[1:] == (1, 1)
    if not state.options.through_attention:
        with torch.no_grad():
            weights: Tensor = call.native()
        return call.mode.name(weights, WEIGHTS)
    scores = call.argument(0, "input")
    rows = call.shadow(scores).rows
    alone = scores.view_as(scores)  # whose slope is that of the softmax alone
    args, options = call.swapped(lambda value: alone if value is scores else value)
    weights = call.func(*args, **options)
    book = state.ledger.book
    weights.register_hook(_booking(weights, lambda amount: book(SOFTMAX, amount, rows)))  # type: ignore[no-untyped-call]
    alone.register_hook(_booking(alone, lambda amount: book(SOFTMAX, -amount, rows)))
    return call.mode.note(weights, Shadow(rows, weights=True))


def _booking(value: Tensor, book: Callable[[Tensor], None]) -> Callable[[Tensor], None]:
    plain = value.detach()

    def hook(arriving: Tensor | None) -> None:
        if arriving is not None:
            book(torch.where(arriving == 0, 0.0, plain * arriving))  # a score under a mask may be infinite

    return hook


def noted(state: State, call: Call, weights: Any, values: Any, output: Tensor) -> None:
    """Note which position's values the relevance of each head's output comes from, if states are asked for."""
    if state.ledger.states is None or not isinstance(weights, Tensor) or not isinstance(values, Tensor):
        return
    named = call.mode.name_of(weights) == WEIGHTS or (call.live(weights) and call.shadow(weights).weights)
    if not named or weights.ndim < 3 or values.ndim < 3:
        return
    number, plain, handed = state.number("attention"), weights.detach(), values.detach()

    def hook(arriving: Tensor | None) -> None:
        if arriving is not None:
            note_heads(state, number, plain * torch.matmul(arriving, handed.transpose(-2, -1)))

    output.register_hook(hook)  # type: ignore[no-untyped-call]


def note_heads(state: State, number: int, relevance: Heads) -> None:
    """Note the relevance [to, from] of the heads of an attention."""
    for head, part in enumerate(relevance.reshape(-1, *relevance.shape[-2:])):
        state.ledger.note(Place("attention", number, head + 1), part)


@dataclass(frozen=True, eq=False)
class DotProduct:
    """scaled_dot_product_attention, whose weights are computed again in the backward pass.

    ``added`` is a term of the scores, which receives its share under ``name`` unless that is None; ``closed`` are the
    keys that a query does not see.
    """

    scale: float
    added: Tensor | None
    closed: Tensor | None
    name: str | None
    through: bool
    note: Callable[[Heads], None] | None

    def scores(self, query: Tensor, key: Tensor) -> Heads:
        """The scores before the softmax."""
        found = torch.matmul(query * self.scale, key.transpose(-2, -1))
        found = found if self.added is None else found + self.added
        return found if self.closed is None else found.masked_fill(self.closed, -torch.inf)

    def shared(self, arriving: Tensor, inputs: Sequence[Tensor], output: Tensor) -> Shared:
        query, key, value = inputs
        scores = self.scores(query, key)
        weights = scores.softmax(-1)
        if self.closed is not None:
            weights = weights.nan_to_num(0.0)  # queries that see no key
        if self.note is not None:
            self.note(weights * torch.matmul(arriving, value.transpose(-2, -1)))
        if not self.through:
            return Shared([None, None, torch.matmul(weights.transpose(-2, -1), arriving)])
        half = arriving * 0.5
        to_value = torch.matmul(weights.transpose(-2, -1), half)
        to_scores = torch.matmul(half, value.transpose(-2, -1)).mul_(weights)  # the relevance of the weights
        received = to_scores.sum(-1, keepdim=True)
        to_scores.addcmul_(weights, received, value=-1)
        to_query = torch.matmul(to_scores, key) * (0.5 * self.scale)
        to_key = torch.matmul(to_scores.transpose(-2, -1), query) * (0.5 * self.scale)
        absorbed = received[..., 0] - 2 * (to_query * query).sum(-1)
        kept = {}
        if self.name is not None and self.added is not None:
            share = (self.added * to_scores).sum(-1)
            kept[self.name] = share
            absorbed = absorbed - share
        return Shared([to_query, to_key, to_value], {SOFTMAX: absorbed, **kept})


def scaled_dot_product(state: State, call: Call) -> Any:
    """scaled_dot_product_attention: its value as torch computes it, its relevance as that of its parts."""
    query, key, value, mask = (call.argument(k, name) for k, name in enumerate(("query", "key", "value", "attn_mask")))
    if call.argument(4, "dropout_p", 0.0):
        raise UnsupportedError("the module draws at random in its attention (dropout_p): take 0 in evaluation mode")
    if call.argument(7, "enable_gqa", False):  # queries share keys
        times = query.shape[-3] // key.shape[-3], query.shape[-3] // value.shape[-3]
        key, value = (
            call.mode.run(torch.repeat_interleave, x, n, -3) for x, n in zip((key, value), times, strict=True)
        )
    alike = query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    if not alike or call.live(mask) or not call.live(query) or not call.live(key) or not call.live(value):
        return dot_product(call)
    state.attends = True
    if mask is None and call.mode.single is not None and state.exactly and state.options.through_attention:
        return _of_one_text(state, call, query, key, value)
    added, closed, name = _masks(state, call, query, key, mask)
    scale = call.argument(6, "scale")
    through, notes = state.options.through_attention, None
    if state.ledger.states is not None:
        number = state.number("attention")

        def notes(relevance: Heads) -> None:
            note_heads(state, number, relevance)

    rule = DotProduct(query.shape[-1] ** -0.5 if scale is None else scale, added, closed, name, through, notes)
    options = {"attn_mask": mask, "is_causal": call.argument(5, "is_causal", False), "scale": scale}
    with torch.no_grad():
        output = torch.nn.functional.scaled_dot_product_attention(query, key, value, **options)
    rows = _rows(call, query, key, value)
    kept_rows = rows.expand(output.shape)[..., 0]
    inputs = (query, key, value)
    return call.mode.note(state.propagated(rule, output, inputs, kept_rows), Shadow(rows.expand(output.shape)))


def _of_one_text(state: State, call: Call, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The attention of one text without a mask, by torch's own backward pass, of which each part is a multiple here.

    Values receive half of it, queries and keys half of half. With the slopes G_O at the output O and G_Q at the queries
    Q that torch computes, the relevance of the weights is ½ G_O O and that of the scores ½ G_Q Q.
    """
    shared, keys, values = (
        torch.lerp(part.detach(), part, share) for part, share in ((query, 0.25), (key, 0.25), (value, 0.5))
    )
    output = torch.nn.functional.scaled_dot_product_attention(
        shared, keys, values, is_causal=call.argument(5, "is_causal", False), scale=call.argument(6, "scale")
    )
    for place, sign in ((output, 0.5), (shared, -0.5)):
        state.terms.append(Term(SOFTMAX, get_gradient_edge(place), place.detach(), sign))
    return call.mode.noted(output)


def _rows(call: Call, *inputs: Tensor) -> Int[Tensor, "*b t 1"]:
    """The rows of an attention's output: of the query's positions, whose text the keys share."""
    first, *others = (call.shadow(value).rows for value in inputs)
    rows = first[..., :1]
    if call.mode.single is not None:
        return rows
    return merged(rows.shape, [rows, *(other[..., :1, :1] for other in others)])


def _masks(
    state: State, call: Call, query: Tensor, key: Tensor, mask: Tensor | None
) -> tuple[Tensor | None, Tensor | None, str | None]:
    """What a mask adds to the scores, which keys it closes, and the name of what it adds if that has a share."""
    if call.argument(5, "is_causal", False):
        return None, state.later(query.shape[-2], key.shape[-2], query.device), None
    if mask is None:
        return None, None, None
    if mask.dtype == torch.bool:
        return None, mask.logical_not(), None
    closed, share = state.mask(mask)
    return share, closed, None if share is None else constant_name(call, mask)
