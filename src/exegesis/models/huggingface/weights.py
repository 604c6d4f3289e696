"""Weights as they were saved: every tensor that a Hugging Face model needs, of its kind and shape, and finite."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from safetensors import safe_open

from exegesis.core.errors import FileError, ModelError
from exegesis.core.escapes import escaped
from exegesis.models.huggingface.files import Files

_log = logging.getLogger("exegesis.huggingface")
_FLOATS = re.compile(r"B?F\d+(_\w+)?")  # the names of floating-point types in safetensors: F32, BF16, F8_E4M3


def check_weights(
    module: Any, info: Mapping[str, Any], files: Files, weights: Sequence[str], head: tuple[str, str], kind: str = ""
) -> None:
    """Check that the weights of a loaded module are those of its files.

    ``info`` is the report of transformers, ``head`` names what a bare pretrained model lacks, and what to do, ``kind``
    what the model is (empty if its config does not say). Tensors that no layer takes are logged as a warning. Raises
    FileError for weights that the files lack or hold as whole or complex numbers, and for tensors of further layers of
    a kind that the module has (its config cuts layers off); ModelError for weights that are NaN or infinite, named.
    """
    name, state = files.name, module.state_dict()
    missing = [*sorted(info["missing_keys"]), *sorted(map(_key, info.get("mismatched_keys", ())))]
    if missing:
        which = f"is {kind} and holds" if kind else "holds"
        raise FileError(f"{name} {which} no trained {head[0]} (no weights for {_listed(missing)}): {head[1]}")
    beyond = sorted(info.get("unexpected_keys", ()))
    known = {_form(key) for key in state}
    if cut := [key for key in beyond if _form(key) in known and re.search(r"\d", key)]:
        raise FileError(f"{name} holds weights that its config has no layers for ({_listed(cut)}): mend the config")
    kinds = _kinds(files, weights)
    for key, kind in kinds.items():
        if not _FLOATS.fullmatch(kind) and any(_same(key, own) and state[own].is_floating_point() for own in state):
            raise FileError(f"{name}: the weights {key} are {kind}, not floating-point numbers: save the model again")
    if beyond:
        _log.warning("%s: no layer takes %d of its tensors (%s)", escaped(name), len(beyond), escaped(_listed(beyond)))
    for key, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f"the weights {key} of {name} hold NaN or infinity: the file is damaged or its training diverged"
            )


def _kinds(files: Files, weights: Sequence[str]) -> dict[str, str]:
    """The type of each tensor in files of weights, by its name."""
    kinds: dict[str, str] = {}
    for file in weights:
        path = files.path(file)
        if path is not None:
            with safe_open(path, framework="pt") as tensors:
                kinds |= {key: tensors.get_slice(key).get_dtype() for key in tensors.keys()}  # noqa: SIM118
    return kinds


def _same(key: str, own: str) -> bool:
    """True if a tensor of a file is that of a module, which may name it from further out or further in."""
    return key == own or own.endswith(f".{key}") or key.endswith(f".{own}")


def _form(key: str) -> str:
    """The name of a tensor without the numbers of layers."""
    return re.sub(r"\d+", "#", key)


def _key(mismatched: Any) -> str:
    return str(mismatched[0] if isinstance(mismatched, tuple | list) else mismatched)


def _listed(keys: Iterable[str]) -> str:
    first = list(keys)
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")
