"""What each argument of a user's ``forward`` wants, told by its name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from exegesis.core.errors import UsageError

LENGTH_NAMES = re.compile(r"(?:^|_|seq|sent|text|src|input|word|token)(?:len|lens|length|lengths|sizes)(?:_|$)")
STATE_NAMES = re.compile(
    r"^(?:prev_|initial_|init_)?(?:hidden|hiddens|hidden_state|state|states|h0|h_0|hx|hc|h)(?:_?0)?$"
)
STARTERS = ("init_hidden", "initHidden", "init_state", "initial_state", "init_hidden_state", "initialize_hidden_state")
ROWS_NAMES = ("batch_size", "batchsize", "bsz")
PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Arguments:
    """How ``forward`` takes the ids, and what every further argument of it receives.

    ``ids`` is the name of the first argument where it can be given by keyword alone, else empty. ``others`` maps a
    name to ``lengths``, ``mask``, ``padding`` (a mask that is true on padding), ``segments``, ``offsets`` (where each
    text begins among all ids), ``rows`` (the number of texts) or ``state`` (the recurrent state to begin with).
    """

    ids: str = ""
    others: tuple[tuple[str, str], ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for _, kind in self.others)


def arguments_of(module: nn.Module) -> Arguments:
    """What each argument of ``forward`` is to receive, by its name.

    Raises UsageError for a required argument that no rule knows.
    """
    plain = [each for each in _parameters(module) if each.kind in PLAIN]
    unknown = [each for each in plain if _kind(each.name.lower(), True) is None and each.default is each.empty]
    first = plain[0] if plain else None
    if first is not None and first not in unknown and len(unknown) == 1:  # (lengths, ids)
        first = unknown[0]
    found: list[tuple[str, str]] = []
    for parameter in plain:
        if parameter is first:
            continue
        needed = parameter.default is parameter.empty
        kind = _kind(parameter.name.lower(), needed)
        if kind is not None:
            found.append((parameter.name, kind))
        elif needed:
            raise UsageError(
                f"cannot tell what forward's argument {parameter.name!r} wants: give "
                "call=lambda module, batch: module(batch.ids, ...), where batch has ids, mask, lengths and segments"
            )
    named = first is not None and (first is not plain[0] or first.kind is inspect.Parameter.KEYWORD_ONLY)
    return Arguments(first.name if first is not None and named else "", tuple(found))


def starter(module: nn.Module) -> Callable[..., Any] | None:
    """The module's own function that makes the state to begin with, where it has one under a usual name."""
    inner = list(module.children())
    for part in (module, inner[0]) if len(inner) == 1 else (module,):
        for name in STARTERS:
            if callable(getattr(part, name, None)):
                made: Callable[..., Any] = getattr(part, name)
                return made
    return None


def _parameters(module: nn.Module) -> list[inspect.Parameter]:
    """The arguments of ``forward``; of what stands inside, where a module hands all of them to its only part."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except ValueError:  # a traced module shows none
        return []
    inside = list(module.children())
    if parameters and len(inside) == 1 and all(each.kind not in PLAIN for each in parameters):
        return _parameters(inside[0])
    return parameters


def _kind(name: str, needed: bool) -> str | None:
    """A state is given where it is asked for: a module that can go without begins as its author says."""
    if LENGTH_NAMES.search(name) and not re.search(r"max|min|total|hidden|embed", name):
        return "lengths"
    if "mask" in name.split("_") or name in ("masks", "attnmask"):
        return "padding" if "pad" in name else "mask"
    if name in ROWS_NAMES:
        return "rows"
    if name in ("offsets", "offset"):
        return "offsets"
    if needed and STATE_NAMES.search(name):
        return "state"
    return "segments" if name in ("token_type_ids", "segments", "segment_ids") else None
