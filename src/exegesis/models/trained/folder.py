"""Model folders: save and load a trained classifier, whole or not at all, and without pickles.

A folder holds ``config.json`` (format, version, shape, labels), ``model.safetensors`` (the weights, perhaps in
float16; they load as float32), ``vocabulary.json`` and ``README.md`` (the model card, with checksums of the others).

Saving writes a temporary folder beside the target, flushes it to the disk and renames it. An existing folder
is refused, or with ``overwrite`` replaced (``core.folders``).
"""

from __future__ import annotations

import json
import os
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from exegesis.core.disk.checksums import check_checksums, checksum, checksums, with_checksums
from exegesis.core.disk.files import inside, try_writing
from exegesis.core.disk.folders import replacing
from exegesis.core.errors import ExegesisError, FileError, ModelError, UsageError
from exegesis.models.text.pieces import read_vocabulary
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import NetworkConfig
from exegesis.models.trained.architectures.kinds import FAMILIES, config_of, network
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.nn.blank import blank

FORMATS = {f"exegesis-{family}-classifier": family for family in FAMILIES}
VERSION = 1
CONFIG, WEIGHTS, WORDS, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"
SPENT = "checkpoint"  # the name of the checksum of a run's last checkpoint
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """A classifier with its vocabulary and labels: ``vocabulary.read(raw)`` gives the ids of a text."""

    module: TextClassifier
    vocabulary: Vocabulary

    @property
    def labels(self) -> tuple[str, ...]:
        return self.module.config.labels


def save_folder(
    folder: str | Path, model: TrainedClassifier, card: str, *, overwrite: bool = False, half: bool = False,
    spent: Path | None = None,
) -> None:  # fmt: skip
    """Write a model folder; ``half`` stores the weights in float16. A ``spent`` checkpoint is removed once the folder
    has its name (see ``is_spent``).

    Raises FileError if the folder exists (or, with ``overwrite``, is not a model folder) or cannot be
    written, ModelError for a weight that is not finite.
    """
    target = Path(folder)
    refuse_existing(target, overwrite=overwrite)
    files = {
        CONFIG: _config_json(model.module.config),
        WEIGHTS: save(_checked(model.module.state_dict(), half=half)),
        WORDS: model.vocabulary.to_json().encode("ascii"),
    }
    sums = {name: checksum(content) for name, content in files.items()}
    make_parent(target)
    try:
        if spent is not None and spent.is_file():
            sums[SPENT] = checksum(spent)
        files[CARD] = with_checksums(card, sums).encode("utf-8", "backslashreplace")
        with replacing(target) as fresh:
            for name, content in files.items():
                _write(fresh / name, content)
            fresh.chmod(0o755)
        if spent is not None:
            spent.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{target}: cannot be written ({error.strerror or error}); choose another place") from None


def is_spent(checkpoint: Path, folder: Path) -> bool:
    """True if a folder was made of a checkpoint, which then says nothing more: its process was killed just before it
    removed it."""
    value = checksums(folder / CARD).get(SPENT)
    return value is not None and checkpoint.is_file() and checksum(checkpoint) == value


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise FileError where saving to ``target`` would lose something that the user did not give up."""
    if not (target.exists() or target.is_symlink()):
        return
    if not overwrite:
        raise FileError(f"{target} exists already; choose another folder, or overwrite it (--overwrite)")
    if not is_model_folder(target):
        raise FileError(f"{target} exists and is no model folder, so it is not overwritten; choose another")


def make_parent(path: Path) -> None:
    """Make the folder that is to hold ``path``. Raises FileError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None


def try_parent(path: Path) -> None:
    """Check before any work that ``path`` and its missing parent folders can be created.

    Raises FileError if they cannot.
    """
    parent = next((folder for folder in path.absolute().parents if folder.exists()), path)
    if not parent.is_dir():
        raise FileError(f"{path}: cannot be written ({parent} is not a folder); choose another place")
    try_writing(parent / (f"{path.name}.new" if path.is_dir() else path.name))


def is_model_folder(path: str | Path) -> bool:
    """True if a folder is marked as this format, even if it is damaged."""
    try:
        return bool(json.loads((Path(path) / CONFIG).read_bytes()).get("format") in list(FORMATS))
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def load_folder(folder: str | Path) -> TrainedClassifier:
    """Read a model folder; the module is in eval mode, in float32, on the CPU.

    Raises FileError where a file is missing, damaged, of an unknown version, not that of its checksum in the card
    (which need not have one), or pickled (pickles run code and are never opened), ModelError for a weight that is NaN
    or infinite, named.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileError(f"{path}: no such folder; give a folder written by 'exegesis train'")
    config = _read_config(path)
    vocabulary = _read_vocabulary(path)
    if len(vocabulary) != config.vocabulary:
        raise FileError(
            f"{path}: {WORDS} lists {len(vocabulary)} words but {CONFIG} says {config.vocabulary}; train or copy again"
        )
    weights = _read_weights(path)
    _compare(path, config.outline(), weights)  # these bound the others: a wrong config asks for no memory
    with blank():
        module = network(config)
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    _compare(path, expected, weights, complete=True)
    module.load_state_dict(_checked(weights), assign=True)
    check_checksums(path / CARD)
    return TrainedClassifier(module.eval(), vocabulary)


def _config_json(config: NetworkConfig) -> bytes:
    shape = {name: list(value) if isinstance(value, tuple) else value for name, value in config.entries().items()}
    head = {"format": f"exegesis-{config.family}-classifier", "version": VERSION}
    return json.dumps({**head, **shape}, indent=2).encode("ascii") + b"\n"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if path.is_file():
        return inside(folder, name)
    pickled = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
    if pickled and not (folder / WEIGHTS).is_file():
        raise FileError(
            f"{folder}: the weights are pickled ({pickled[0]}), which could run code, so they are not opened; "
            "convert them to safetensors, or load them yourself and use exegesis.wrap"
        )
    raise FileError(f"{path} is missing; give a folder written by 'exegesis train', or copy it again")


def _read_config(folder: Path) -> NetworkConfig:
    path = _file(folder, CONFIG)
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        kind, version = data.pop("format"), data.pop("version")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FileError(f"{path} is damaged or of another kind; give a folder written by 'exegesis train'") from None
    if not isinstance(kind, str) or kind not in FORMATS:
        raise FileError(f"{path}: the format {kind!r} is not known here; expected one of {', '.join(FORMATS)}")
    if version != VERSION:
        raise FileError(f"{path}: version {version!r} is not known (this is {VERSION}); upgrade exegesis")
    config = config_of(FORMATS[kind])
    wrong = ({field.name for field in fields(config)} - config.later) ^ (set(data) - config.later)
    if wrong:
        raise FileError(f"{path}: missing or unknown entry {sorted(wrong)[0]!r}; train or copy the model again")
    try:
        return config(**{field.name: _entry(field, data[field.name]) for field in fields(config) if field.name in data})
    except (UsageError, TypeError) as error:
        raise FileError(f"{path} is damaged: {error}") from None


def _entry(field: Field[Any], value: Any) -> Any:
    """An entry as the config has it. Raises UsageError if it is of another kind."""
    default: Any = field.default
    kind = type(default)
    if kind is tuple:
        inner = type(default[0])
        if not (isinstance(value, list) and all(type(one) is inner for one in value)):
            raise UsageError(f"{field.name} are no list of {'strings' if inner is str else 'whole numbers'}")
        return tuple(value)
    if type(value) not in ((float, int) if kind is float else (kind,)):
        raise UsageError(f"{field.name} is {value!r}, not of the kind {kind.__name__}")
    return value


def _read_vocabulary(folder: Path) -> Vocabulary:
    path = _file(folder, WORDS)
    try:
        return read_vocabulary(path.read_text("utf-8"))
    except (OSError, ValueError, ExegesisError) as error:
        raise FileError(f"{path} is damaged ({error}); train or copy the model again") from None


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = _file(folder, WEIGHTS)
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise FileError(f"{path} is damaged ({error}); train or copy the model again") from None


def _compare(
    folder: Path, expected: dict[str, tuple[int, ...]], found: dict[str, Tensor], *, complete: bool = False
) -> None:
    """Raise FileError for a tensor that is missing, of another shape or kind, or (if complete) not expected."""
    where = f"{folder / WEIGHTS} does not fit {CONFIG}"
    if missing := sorted(set(expected) - set(found)):
        raise FileError(f"{where}: tensor {missing[0]!r} is missing; train or copy the model again")
    if complete and (odd := sorted(set(found) - set(expected))):
        raise FileError(f"{where}: tensor {odd[0]!r} is not expected; train or copy the model again")
    for name, shape in expected.items():
        if tuple(found[name].shape) != shape:
            shapes = f"{list(found[name].shape)} instead of {list(shape)}"
            raise FileError(f"{where}: tensor {name!r} has the shape {shapes}; train or copy the model again")
        if not found[name].is_floating_point():
            raise FileError(f"{where}: tensor {name!r} holds {found[name].dtype}, not floating-point numbers")


def _checked(weights: dict[str, Tensor], *, half: bool = False) -> dict[str, Tensor]:
    """The weights as float32 or float16 on the CPU, each one finite."""
    out = {}
    for name, tensor in weights.items():
        out[name] = tensor.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        if not bool(torch.isfinite(out[name]).all()):
            raise ModelError(f"the weights {name!r} hold a NaN or an infinite number; train the model again")
    return out
