"""Traces that a call leaves on a model: weights, flags, gradients, hooks, attributes, random states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True, eq=False)
class Traces:
    """Everything about a model, and about the process, that an explanation must leave as it was.

    A model without a torch module in ``module`` has no parts; the random states are compared all the same.
    """

    parts: dict[str, Any]
    weights: dict[str, torch.Tensor]

    @classmethod
    def of(cls, model: object) -> Traces:
        """The traces of a model now."""
        module = getattr(model, "module", None)
        if not isinstance(module, nn.Module):
            return cls(_parts([]), {})
        return cls(_parts(list(module.modules())), {name: value.clone() for name, value in module.state_dict().items()})

    def differences(self, later: Traces) -> list[str]:
        """The names of the traces that have changed since."""
        changed = [name for name, value in self.parts.items() if later.parts[name] != value]
        weights = self.weights.keys() == later.weights.keys() and all(
            torch.equal(value, later.weights[name]) for name, value in self.weights.items()
        )
        return changed if weights else ["weights", *changed]


def _parts(parts: Sequence[nn.Module]) -> dict[str, Any]:
    return {
        "training mode": [part.training for part in parts],
        "gradients": [
            (weight.requires_grad, id(weight.grad)) for part in parts for weight in part.parameters(recurse=False)
        ],
        "hooks": [
            [len(value) for name, value in sorted(vars(part).items()) if name.endswith("_hooks")] for part in parts
        ],
        "attributes": [{name: id(value) for name, value in vars(part).items()} for part in parts],
        "torch's random state": torch.random.get_rng_state().tolist(),
        "NumPy's random state": np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
        "grad mode": torch.is_grad_enabled(),
    }


class Midway(RuntimeError):
    """The error that a module raises in ``failing``."""


@contextmanager
def failing(module: nn.Module) -> Iterator[list[int]]:
    """Let the module's last linear layer raise ``Midway`` from its second call on; yields a list, one entry per call.

    A layer that is never called as a module (only used as a function, say) never raises.
    """
    calls: list[int] = []

    def fail(*_: object) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise Midway("midway")

    linear = [part for part in module.modules() if isinstance(part, nn.Linear)]
    if not linear:
        yield calls
        return
    handle = linear[-1].register_forward_hook(fail)
    try:
        yield calls
    finally:
        handle.remove()
