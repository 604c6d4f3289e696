"""Where a model computes."""

from __future__ import annotations

import warnings

import torch

from exegesis.core.errors import UsageError


def usable_device(device: str | torch.device | None) -> torch.device:
    """A device by name, the CPU for None. Raises UsageError for one that is unknown or that this machine lacks."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = torch.device(device or "cpu")
            torch.zeros(1, device=chosen)[0].item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"the device '{device}' cannot be used here; give cpu, or cuda where there is one") from error
    return chosen
