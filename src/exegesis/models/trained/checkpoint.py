"""The state of a training run in one safetensors file: weights, optimizer, random states, history. No pickle.

Numbers and names travel as JSON in the file's metadata, so that one rename replaces the whole state at once.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from exegesis.core.errors import FileError, UsageError
from exegesis.core.files import write_whole
from exegesis.models.trained.folder import make_parent
from exegesis.models.trained.scores import Epoch

if TYPE_CHECKING:
    from exegesis.models.trained.training import _Run

VERSION = 1


def write_checkpoint(path: Path, run: _Run, identity: dict[str, Any]) -> None:
    """Write the state after an epoch, replacing the previous checkpoint. Raises FileError if that fails."""
    tensors = {f"model.{name}": tensor for name, tensor in run.module.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in run.average.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in run.best.items()}
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
    tensors |= {"random.order": run.generator.get_state(), "random.torch": torch.get_rng_state()}
    where = torch.device(run.options.device)
    if where.type != "cpu":
        tensors["random.device"] = torch.get_device_module(where).get_rng_state(where)
    state = {
        "version": VERSION,
        "identity": identity,
        "history": [asdict(epoch) for epoch in run.history],
        "best_epoch": run.best_epoch,
    }
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    make_parent(path)
    write_whole(path, save(copies, {"state": json.dumps(state)}))


def read_checkpoint(path: Path, run: _Run, identity: dict[str, Any]) -> None:
    """Put a run into the state of a checkpoint.

    Raises FileError for a damaged file, UsageError if data, shape or options differ (the first difference
    is named).
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        version, saved = state["version"], dict(state["identity"])
        history = [Epoch(**epoch) for epoch in state["history"]]
        best_epoch = int(state["best_epoch"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is damaged ({error}); delete it and start again without --resume") from None
    if version != VERSION:
        raise FileError(f"{path}: version {version!r} is not known (this is {VERSION}); start without --resume")
    for name in identity:
        if saved.get(name) != identity[name]:
            raise UsageError(
                f"cannot resume: {name} was {saved.get(name)} and is now {identity[name]}; "
                "give the same command, or start again without --resume"
            )
    try:
        _restore(run, tensors)
    except (KeyError, RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise FileError(f"{path} is damaged ({first}); delete it and start again without --resume") from None
    run.history[:], run.best_epoch = history, best_epoch


def _restore(run: _Run, tensors: dict[str, Tensor]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    run.module.load_state_dict(part("model."))
    if run.average is not run.module:
        run.average.load_state_dict(part("average."))
    run.best = part("best.")
    optimizer = run.optimizer.state_dict()
    for number in optimizer["param_groups"][0]["params"]:
        optimizer["state"][number] = part(f"optimizer.{number}.")
    run.optimizer.load_state_dict(optimizer)
    run.generator.set_state(tensors["random.order"])
    torch.set_rng_state(tensors["random.torch"])
    where = torch.device(run.options.device)
    if where.type != "cpu":
        torch.get_device_module(where).set_rng_state(tensors["random.device"], where)
