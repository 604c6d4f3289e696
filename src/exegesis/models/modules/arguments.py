"""The meaning of each argument of a user's ``forward``, told by its name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
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
    """The way in which ``forward`` takes the ids, and the kind of value that every further argument receives.

    ``ids`` is the name of the first argument if it can be passed by keyword alone, else empty. ``others`` maps a
    name to ``lengths``, ``mask``, ``padding`` (a mask that is true on padding), ``segments``, ``offsets`` (where each
    text begins among all ids), ``rows`` (the number of texts) or ``state`` (the recurrent state to begin with).
    ``optional`` are the names that ``forward`` has a value of its own for.
    """

    ids: str = ""
    others: tuple[tuple[str, str], ...] = ()
    optional: frozenset[str] = frozenset()

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of all further arguments."""
        return frozenset(kind for _, kind in self.others)

    def without(self, kinds: Collection[str]) -> Arguments:
        """Leave out the arguments of some kinds that ``forward`` can go without."""
        kept = tuple((name, kind) for name, kind in self.others if kind not in kinds or name not in self.optional)
        return replace(self, others=kept)


def arguments_of(module: nn.Module) -> Arguments:
    """Tell the role of each argument of ``forward`` from its name.

    Raises UsageError for a required argument that no rule knows.
    """
    plain = [parameter for parameter in _parameters(module) if parameter.kind in PLAIN]
    required = [parameter for parameter in plain if parameter.default is parameter.empty]
    unknown = [parameter for parameter in required if _kind(parameter.name.lower(), True) is None]
    first = plain[0] if plain else None
    if first is not None and first not in unknown and len(unknown) == 1:  # (lengths, ids)
        first = unknown[0]
    others: list[tuple[str, str]] = []
    for parameter in plain:
        if parameter is first:
            continue
        needed = parameter.default is parameter.empty
        kind = _kind(parameter.name.lower(), needed)
        if kind is not None:
            others.append((parameter.name, kind))
        elif needed:
            raise UsageError(
                f"cannot tell what forward's argument {parameter.name!r} wants: give "
                "call=lambda module, batch: module(batch.ids, ...), where batch has ids, mask, lengths and segments"
            )
    named = first is not None and (first is not plain[0] or first.kind is inspect.Parameter.KEYWORD_ONLY)
    optional = frozenset(parameter.name for parameter in plain if parameter.default is not parameter.empty)
    return Arguments(first.name if first is not None and named else "", tuple(others), optional)


def starter(module: nn.Module) -> Callable[..., Any] | None:
    """The module's own function that makes the state to begin with, if it has one under a usual name."""
    inner = list(module.children())
    for part in (module, inner[0]) if len(inner) == 1 else (module,):
        for name in STARTERS:
            if callable(getattr(part, name, None)):
                make: Callable[..., Any] = getattr(part, name)
                return make
    return None


def _parameters(module: nn.Module) -> list[inspect.Parameter]:
    """The parameters of ``forward``, or of the only part of the module if ``forward`` only passes them through."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except ValueError:  # a traced module has no signature
        return []
    inside = list(module.children())
    if parameters and len(inside) == 1 and all(parameter.kind not in PLAIN for parameter in parameters):
        return _parameters(inside[0])
    return parameters


def _kind(name: str, needed: bool) -> str | None:
    """The kind of value that an argument of this name receives; None if no rule knows it.

    A state is passed only if it is ``needed``: a module that can go without one begins as its author says.
    """
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
