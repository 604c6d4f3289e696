"""Modules whose weights come into memory only while a part runs, as accelerate's offloading has it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from exegesis.core.errors import UnsupportedError


def running_device(module: nn.Module) -> torch.device:
    """The device of a module's first weight; of one that is offloaded, the device on which its first part runs."""
    weight = next(module.parameters(), None)
    if weight is None or weight.device.type != "meta":
        return torch.device("cpu") if weight is None else weight.device
    for part in module.modules():
        hook: Any = getattr(part, "_hf_hook", None)
        for each in getattr(hook, "hooks", [hook]):
            device = getattr(each, "execution_device", None)
            if device is not None:
                return torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    return weight.device


def refuse_offloaded(module: nn.Module, name: str) -> None:
    """Raise UnsupportedError for a module with weights that are not in memory; ``name`` is the model's."""
    gone = next((path for path, weight in module.named_parameters() if weight.device.type == "meta"), None)
    if gone is not None:
        raise UnsupportedError(
            f"the weights of model {name} are not in memory while it does not run ({gone} is offloaded): load it "
            "whole, without device_map"
        )
