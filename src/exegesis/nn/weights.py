"""The weights of a module by their names, as training sees them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.nn.offloaded import refuse_offloaded


def weights_in(module: nn.Module, name: str) -> dict[str, Tensor]:
    """The weights of a module, a tied one once, under its first name; ``name`` is the model's, for errors.

    Those that are held fixed (without ``requires_grad``) are left out, unless all are.

    Raises UnsupportedError for a module whose functions or weights are out of sight: scripted parts, weights that are
    offloaded or of half precision, none at all.
    """
    refuse_offloaded(module, name)
    scripted = [path for path, part in module.named_modules() if isinstance(part, torch.jit.ScriptModule)]
    if scripted:
        raise UnsupportedError(
            f"the model {name} is scripted ({scripted[0] or 'as a whole'}), so that its weights are out of sight: "
            "take the module it was made of"
        )
    weights: dict[str, Tensor] = dict(module.named_parameters())
    weights = {key: weight for key, weight in weights.items() if weight.requires_grad} or weights
    small = [key for key, weight in weights.items() if weight.dtype not in (torch.float32, torch.float64)]
    if small:
        raise UnsupportedError(
            f"the weight {small[0]} of model {name} is of type {weights[small[0]].dtype}, too coarse for gradients of "
            "single examples: take model.float()"
        )
    if not weights:
        raise UnsupportedError(f"the model {name} has no weights that training could have moved")
    return weights
