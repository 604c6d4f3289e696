"""Relevance propagation through any module made of parts with a rule, as one backward pass with other slopes.

Gradients carry relevance over activation, so that a word's relevance is the product of its vector and its gradient.
``lrp.table`` names the rule of each torch function, ``backward.mode`` replaces the functions while the module runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from exegesis.core.errors import ExegesisError, UnsupportedError
from exegesis.core.place import Place
from exegesis.core.text import text_of_words
from exegesis.mech.backward.constants import lookups
from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.backward.mode import Mode
from exegesis.mech.lrp.places import layers_noted
from exegesis.mech.lrp.shares import LrpOptions, apart
from exegesis.mech.lrp.state import State, Term
from exegesis.mech.lrp.table import quick, table
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

Settle = Callable[[bool], LrpOptions]
_transformers: weakref.WeakKeyDictionary[object, bool] = weakref.WeakKeyDictionary()


def propagate(
    model: Differentiable, batch: Batch, target: Float[Tensor, "b k c"], settle: Settle, *, states: bool = False
) -> tuple[Float[Tensor, "b k t d"], dict[str, Float[Tensor, "b k"]], dict[Place, Tensor]]:
    """The relevance of every component of the word vectors, the account by name, and the relevance of inner places.

    ``settle`` gives the options for a transformer (True: a module that attends or normalises and has no recurrent
    layer), or for any other; which of them a model is, its run shows. The inner places, by ``states``, are those of the
    last target. Raises UnsupportedError, by name, for a part without a rule, UsageError if relevance would be divided
    by zero.
    """
    guess = _guess(model)
    options = settle(guess)
    raw, state, found = _run(model, batch, options, states)
    found = guess if found is None else found
    if found != guess:
        _remember(model, found)
        if settle(found) != options:
            raw, state, _ = _run(model, batch, settle(found), states)
    leaf, ledger = state.anchor, state.ledger
    values, accounts, noted = [], [], dict[Place, Tensor]()
    for number in range(target.shape[1]):
        ledger.clear()
        seed = target[:, number].to(raw)
        again = number + 1 < target.shape[1]
        places: list[Any] = [get_gradient_edge(leaf), *(term.place for term in state.terms)]
        slope, *slopes = torch.autograd.grad(raw, places, seed, retain_graph=again, allow_unused=True)
        slope = torch.zeros_like(leaf) if slope is None else slope
        for name, amount in _received(state.terms, slopes).items():
            ledger.add(name, amount)
        values.append(apart(leaf.detach()) * slope)
        accounts.append(ledger.parts)
        noted = ledger.states or {}
    names = list(dict.fromkeys(name for parts in accounts for name in parts))
    none = leaf.new_zeros(len(batch))
    account = {name: torch.stack([parts.get(name, none) for parts in accounts], 1) for name in names}
    idle = [name for name in ("fixed parts", "initial states") if name in account and not bool(account[name].any())]
    return torch.stack(values, 1).detach(), {n: part for n, part in account.items() if n not in idle}, noted


def _guess(model: Differentiable) -> bool:
    """True if a model is known to be a transformer."""
    try:
        return _transformers.get(model, False)
    except TypeError:  # a user's model without an identity to remember
        return False


def _remember(model: Differentiable, transformer: bool) -> None:
    with suppress(TypeError):
        _transformers[model] = transformer


def _run(model: Differentiable, batch: Batch, options: LrpOptions, states: bool) -> tuple[Tensor, State, bool | None]:
    """The outputs of a run by the rules, its state, and whether the model is a transformer (None if
    the texts of the run do not tell).
    """
    leaf = model.embed(batch).detach().requires_grad_(True)
    ledger = Ledger(len(batch), states={} if states else None)
    state = State(options, ledger, leaf)
    mode = Mode(table(state), state.constant, lookups(batch), quick(state))
    with torch.enable_grad():
        with mode, layers_noted(model, mode, ledger):
            raw = model.outputs_from(mode.start(leaf), batch)
        found = None if state.unclear and not state.attends else state.attends and not state.recurs
        if not raw.requires_grad:
            if options.attention == "propagated" or not found:
                raise UnsupportedError("the outputs do not depend on the words' vectors")
            raise UnsupportedError(
                "the outputs depend on the words through attention weights alone, which are constants to relevance"
            )
        mode.shadow(raw)  # refuses outputs of functions that are invisible to torch
    mode.forget()
    return raw, state, found


@torch.no_grad()
def _received(terms: Sequence[Term], slopes: Sequence[Tensor | None]) -> dict[str, Float[Tensor, " 1"]]:
    """What the terms of a run of one text receive, by name."""
    found: dict[tuple[str, float], list[tuple[Tensor, Tensor]]] = {}
    amounts: dict[str, Tensor] = {}
    for term, slope in zip(terms, slopes, strict=True):
        pairs = found.setdefault((term.name, term.share), [])
        if slope is not None:
            pairs.append((term.value.reshape(-1), slope.reshape(-1)))
    for (name, share), pairs in found.items():
        amount = terms[0].value.new_zeros(1)
        if pairs:
            values, arriving = (torch.cat(part) for part in zip(*pairs, strict=True))
            amount = share * torch.dot(values.to(arriving), arriving).reshape(1)
        amounts[name] = amounts[name] + amount if name in amounts else amount
    return amounts


def trial(model: Differentiable, settle: Settle) -> str | None:
    """The reason why a part of a model has no rule, found on a trial text; None if all have one or no text fits."""
    tokens = model.tokens
    token = tokens.get("unknown", tokens.get("mask", tokens["pad"] + 1))
    text = text_of_words("", [("", 0, 0)] * 6, [token] * 6)
    try:
        batch = model.encode([text])
        with torch.no_grad():
            width = model.outputs(batch).shape[1]
        propagate(model, batch, torch.eye(width, device=batch.device)[None, :1], settle)
    except UnsupportedError as error:
        return str(error)
    except ExegesisError:  # this short text does not suit the model; its own texts will tell
        return None
    return None
