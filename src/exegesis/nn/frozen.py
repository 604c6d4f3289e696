"""Freeze a module during inspection and restore it exactly, also after an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from exegesis.core.errors import ModelError
from exegesis.nn.alone import alone, parts_of
from exegesis.nn.context import callers_device


class _Running(threading.local):
    """The parts of the modules that a thread is running."""

    def __init__(self) -> None:
        self.parts: dict[int, object] = {}


_running = _Running()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients to parameters, for the length of a block, while other threads wait.

    No process-wide flag changes. cuDNN (and other devices' kernels) refuse the backward pass of a recurrent layer that
    ran in evaluation mode; there the layer alone runs in training mode with its dropout at zero, which computes the
    same numbers.
    Parts that were compiled run as they are written.
    At the end every attribute of every submodule is restored: training flags, dropout rates, values that ``forward``
    stored on ``self`` (a hidden state kept for the next call, say), and the rows that an embedding with ``max_norm``
    shortened. Tensors that ``forward`` changes in place are not restored.

    Raises ModelError if the module is running already, which is to say that its own code or hooks ask for it to be
    explained: they would see the hooks that watch the run around them.
    """
    parts = parts_of(module)
    if parts.keys() & _running.parts.keys():
        raise ModelError(
            f"the module {type(module).__name__} is being explained, and asks from its own code or hooks to be "
            "explained again: explain it after its forward pass"
        )
    with alone(module, parts), callers_device(module):
        around, _running.parts = _running.parts, {**_running.parts, **parts}
        try:
            with _frozen([part for part in parts.values() if isinstance(part, nn.Module)]):
                yield
        finally:
            _running.parts = around


@contextmanager
def _frozen(modules: list[nn.Module]) -> Iterator[None]:
    kinds = {kind: _Kind(kind) for kind in set(map(type, modules))}
    with torch._C.DisableTorchFunction():  # a mode that watches the run has nothing to learn from this
        saved = [(part, kinds[type(part)], dict(part.__dict__), _members(part, kinds[type(part)])) for part in modules]
        tables = [part for part in modules if isinstance(part, nn.Embedding | nn.EmbeddingBag)]
        shortened = [table.weight.data for table in tables if table.max_norm is not None]
        before = [rows.clone() for rows in shortened]
        weights = [weight for part in modules for weight in part._parameters.values() if weight is not None]
        trained = [weight for weight in weights if weight.requires_grad and not weight.is_inference()]
    try:
        with torch._C.DisableTorchFunction():
            for weight in trained:
                weight.requires_grad_(False)
            for part, kind, attributes, _ in saved:
                if kind.direct and "training" in attributes:
                    part.__dict__["training"] = False
                else:
                    part.training = False
                if not kind.scripted:
                    _eager(part)
                if isinstance(part, nn.RNNBase) and torch.is_grad_enabled() and _off_cpu(part):
                    part.training, part.dropout = True, 0.0
        yield
    finally:
        with torch._C.DisableTorchFunction():
            for weight in trained:
                weight.requires_grad_(True)
            for rows, old in zip(shortened, before, strict=True):
                rows.copy_(old)
            for part, kind, attributes, members in saved:
                _restore(part, kind, attributes, members)


class _Kind:
    """Facts about a class of modules, asked once for all modules of the class.

    ``direct``: its modules' mode is an attribute like others, which may be written where it stands.
    """

    def __init__(self, kind: type[nn.Module]) -> None:
        self.scripted = issubclass(kind, torch.jit.ScriptModule)
        self.direct = kind.__setattr__ is nn.Module.__setattr__ and not hasattr(kind, "training")


def _eager(part: nn.Module) -> None:
    """Let a part that was compiled run as it is written: what hooks and modes see of it is then all that it does."""
    if part.__dict__.get("_compiled_call_impl") is not None:  # module.compile()
        part.__dict__["_compiled_call_impl"] = None
    inside = part._modules.get("_orig_mod")
    if inside is not None:  # torch.compile(module)
        part.__dict__["forward"] = inside


def _off_cpu(layer: nn.RNNBase) -> bool:
    return any(weight.device.type != "cpu" for weight in layer.parameters())


def _members(part: nn.Module, kind: _Kind) -> tuple[dict[str, Any], ...]:
    """The buffers, parameters and submodules of a module, which ``forward`` may replace.

    A scripted module has none of these; its mode is the only attribute that is set here.
    """
    if kind.scripted:
        return ({"training": part.training},)
    return part._buffers.copy(), part._parameters.copy(), part._modules.copy()


def _restore(part: nn.Module, kind: _Kind, attributes: dict[str, object], members: tuple[dict[str, Any], ...]) -> None:
    if kind.scripted:
        part.training = members[0]["training"]
        return
    now = part.__dict__
    now.update(attributes)
    if len(now) > len(attributes):
        for name in now.keys() - attributes.keys():
            del now[name]
    places: list[dict[str, Any]] = [part._buffers, part._parameters, part._modules]
    for held, before in zip(places, members, strict=True):
        if held or before:
            held.clear()
            held.update(before)
