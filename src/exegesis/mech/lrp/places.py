"""The relevance at the outputs of a network's layers, noted while a module runs by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from exegesis.core.place import Place
from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.backward.mode import Mode, tensors


@contextmanager
def layers_noted(model: object, mode: Mode, ledger: Ledger) -> Iterator[None]:
    """Note what the layers of a model's module put out, under ``layer 1`` and so on, if states are asked for.

    Layers are the members of a module list that are called. If a module has several such lists, their names have the
    folder that sets them apart: ``encoder layer 1``.
    """
    module = getattr(model, "module", None)
    if ledger.states is None or not isinstance(module, nn.Module):
        yield
        return
    handles = []
    try:
        for place, layer in _layers(module).items():
            handles.append(layer.register_forward_hook(_noting(place, mode, ledger)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _noting(place: Place, mode: Mode, ledger: Ledger) -> Any:
    def after(layer: nn.Module, args: Any, output: Any) -> None:
        first = next(tensors(output), None)
        if first is None or not first.requires_grad:
            return
        value = first.detach()

        def hook(arriving: Tensor | None) -> None:
            if arriving is not None:
                ledger.note(place, torch.where(arriving == 0, 0.0, value * arriving))

        first.register_hook(hook)  # type: ignore[no-untyped-call]

    return after


def _layers(module: nn.Module) -> dict[Place, nn.Module]:
    """The layers of a module by place: the members of its outermost lists of blocks of one type."""
    lists: dict[str, nn.ModuleList] = {}
    for path, part in module.named_modules():
        inside = any(path.startswith(f"{outer}.") for outer in lists)
        alike = isinstance(part, nn.ModuleList) and len({type(one) for one in part}) == 1
        if alike and not inside and any(part[0].children()):
            lists[path] = part
    names = _names(list(lists))
    return {Place(names[path], number + 1): one for path, part in lists.items() for number, one in enumerate(part)}


def _names(paths: list[str]) -> dict[str, str]:
    """A name for each list of layers: ``layer`` for a single one, else with the folder that no other path has."""
    if len(paths) == 1:
        return {paths[0]: "layer"}
    names = {}
    for path in paths:
        others = {part for other in paths if other != path for part in other.split(".")}
        own = [part for part in path.split(".") if part not in others]
        names[path] = f"{own[0] if own else path.replace('.', ' ')} layer"
    return names
