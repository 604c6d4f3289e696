"""Modules without first weights: nothing is drawn for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FILLS = frozenset(("normal_", "uniform_", "zero_", "fill_", "ones_", "zeros_", "constant_", "kaiming_uniform_"))


class _Unfilled(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled.

    On the device "meta" there is nothing to fill, and asking for it loads torch's symbolic machinery, which takes
    longer than torch itself.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__name__", "") in FILLS:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


@contextmanager
def blank(device: torch.device | str = "meta") -> Iterator[None]:
    """Within the block, modules are made on a device, by default on none, and no first weights are drawn for them."""
    with torch.device(device), _Unfilled():
        yield
