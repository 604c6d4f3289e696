"""The state of a training run in one safetensors file: weights, optimizer, random states, history. No pickle.

Numbers and names travel as JSON in the file's metadata, so that one rename replaces the whole state at once.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from exegesis.core.disk.files import write_whole
from exegesis.core.errors import FileError, UsageError
from exegesis.core.plain import from_plain, to_plain
from exegesis.models.trained.folder import make_parent
from exegesis.models.trained.scores import Epoch

if TYPE_CHECKING:
    from exegesis.models.trained.training import _Run

VERSION = 1
DAMAGE = (OSError, SafetensorError, ValueError, LookupError, TypeError, RuntimeError, OverflowError)


def write_checkpoint(path: Path, run: _Run, identity: dict[str, Any]) -> None:
    """Write the state after an epoch, replacing the previous checkpoint. Raises FileError if that fails."""
    tensors = {f"best.{name}": tensor for name, tensor in run.best.items()} | _networks(run)
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
    tensors |= _random(run)
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    state = {
        "version": VERSION,
        "identity": identity,
        "history": to_plain(run.history),
        "best_epoch": run.best_epoch,
        "checksum": _checksum(copies),
    }
    make_parent(path)
    write_whole(path, save(copies, {"state": json.dumps(state)}))


def write_weights(folder: Path, epoch: int, weights: dict[str, Tensor], rate: float) -> None:
    """Write the weights after an epoch into a folder, with the learning rate in the metadata, for TracIn.

    Raises FileError if that fails.
    """
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()}
    path = folder / f"epoch-{epoch:03d}.safetensors"
    make_parent(path)
    write_whole(path, save(copies, {"learning_rate": repr(rate), "epoch": str(epoch)}))


def read_checkpoint(path: Path, run: _Run, identity: dict[str, Any]) -> None:
    """Put a run into the state of a checkpoint.

    Raises FileError for a damaged file, UsageError if data, shape or options differ (the first difference
    is named).
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        version = state["version"]
    except DAMAGE as error:
        raise _damaged(path, error) from None
    if version != VERSION:
        raise FileError(f"{path}: version {version!r:.40} is not known (this is {VERSION}); start without --resume")
    try:
        saved = dict(state["identity"])
        history = from_plain(tuple[Epoch, ...], state["history"], "history")
        best_epoch = state["best_epoch"]
        if [epoch.number for epoch in history] != list(range(1, len(history) + 1)):
            raise ValueError("its epochs are not numbered from 1")
        if type(best_epoch) is not int or not 1 <= best_epoch <= len(history):
            raise ValueError(f"its best epoch is {best_epoch!r:.40} of {len(history)}")
        if "checksum" in state and state["checksum"] != _checksum(tensors):
            raise ValueError("its tensors have changed since they were saved")
    except DAMAGE as error:
        raise _damaged(path, error) from None
    for name in identity:
        if saved.get(name) != identity[name]:
            raise UsageError(
                f"cannot resume: {name} was {saved.get(name)!s:.80} and is now {identity[name]}; "
                "give the same command, or start again without --resume"
            )
    try:
        _compare(tensors, _expected(run))
        _restore(run, tensors)
    except DAMAGE as error:
        raise _damaged(path, error) from None
    run.history[:], run.best_epoch = history, best_epoch


def _damaged(path: Path, error: Exception) -> FileError:
    reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
    return FileError(f"{path} is damaged ({reason}); delete it and start again without --resume")


def _networks(run: _Run) -> dict[str, Tensor]:
    """The weights of the module and of its average, by their names in a checkpoint."""
    parts = {"model": run.module, "average": run.average}
    return {f"{part}.{name}": tensor for part, module in parts.items() for name, tensor in module.state_dict().items()}


def _random(run: _Run) -> dict[str, Tensor]:
    """The states of the generators of random numbers, by their names in a checkpoint."""
    states = {"random.order": run.generator.get_state(), "random.torch": torch.get_rng_state()}
    where = torch.device(run.options.device)
    if where.type != "cpu":
        states["random.device"] = torch.get_device_module(where).get_rng_state(where)
    return states


def _expected(run: _Run) -> dict[str, Tensor]:
    """Tensors of the shapes and types that a checkpoint of a run holds after any epoch."""
    tensors = _networks(run) | _random(run)
    tensors |= {f"best.{name}": tensor for name, tensor in run.average.state_dict().items()}
    for number, weight in enumerate(run.optimizer.param_groups[0]["params"]):
        own = {"step": torch.zeros((), dtype=torch.float32), "exp_avg": weight, "exp_avg_sq": weight}
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in own.items()}
    return tensors


def _compare(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raise ValueError for a tensor that is missing, not expected, or of another shape or type."""
    for name in sorted(found.keys() ^ expected.keys()):
        raise ValueError(f"tensor {name!r:.100} is {'not expected' if name in found else 'missing'}")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape or found[name].dtype != tensor.dtype:
            raise ValueError(f"tensor {name!r:.100} is of another shape or type")


def _checksum(tensors: dict[str, Tensor]) -> str:
    """One checksum of all tensors, of their names and bytes."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode("utf-8", "backslashreplace"))
        total.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


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
