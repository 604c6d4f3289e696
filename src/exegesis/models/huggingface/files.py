"""What a Hugging Face model may hold, checked before it is loaded: weights in safetensors, and nothing that runs.

A config chooses much of what ``from_pretrained`` does: the files of the weights, the class of the tokenizer, code from
the hub for attention or for quantised weights. Whatever could lead out of the folder or run code is refused here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exegesis.core.disk.files import bare, inside, read_text
from exegesis.core.errors import FileError, UnsupportedError

CONFIG, TOKENIZER, ADAPTER = "config.json", "tokenizer_config.json", "adapter_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_READ = (".json", ".txt", ".model", ".tiktoken", ".safetensors")  # what transformers reads of a folder
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass
class Files:
    """The files of a model: a folder, or a name on the hub, of which each file is fetched when it is asked for.

    ``options`` are those of ``from_pretrained``; once a file has come from the hub they name its commit, so that what
    was checked is what is loaded.
    """

    name: str
    fetch: Callable[..., str | None]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return os.path.isdir(self.name)

    def path(self, file: str) -> Path | None:
        """Where a file lies on this machine; None if the model has no such file."""
        if self.is_folder:
            path = Path(self.name) / file
            return inside(Path(self.name), file) if os.path.lexists(path) else None
        found = self.fetch(self.name, file, _raise_exceptions_for_missing_entries=False, **self.options)
        if found is None:
            return None
        if _COMMIT.fullmatch(commit := Path(found).parent.name):
            self.options["revision"] = commit
        return Path(found)

    def json(self, file: str) -> dict[str, Any]:
        """The object in a file, empty if there is no such file. Raises FileError for anything else."""
        path = self.path(file)
        if path is None:
            return {}
        try:
            values = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise FileError(f"cannot load the model {self.name}: {file} is damaged ({error}); save it again") from None
        if not isinstance(values, dict):
            raise FileError(f"cannot load the model {self.name}: {file} holds no JSON object; save it again")
        return values


def check_files(files: Files, transformers: Any) -> list[str]:
    """Check what a model's files ask for, and name the files of its weights.

    Raises FileError for weights that are pickled, missing or outside the folder, for a tokenizer that is none, and for
    files that lead out of the folder; UnsupportedError for adapters, quantised weights, and code from the hub.
    """
    name = files.name
    if files.is_folder:
        for path in sorted(Path(name).iterdir()):
            if path.suffix in _READ and path.is_symlink():
                inside(Path(name), path.name)
    if files.path(ADAPTER) is not None:
        raise adapter(name)
    config, tokenizer = files.json(CONFIG), files.json(TOKENIZER)
    for key, value in _entries(config):
        if key in ("quantization_config", "compression_config") and value:
            raise UnsupportedError(
                f"the weights of {name} are quantised ({key} in {CONFIG}): save them as plain floats"
            )
        if key.endswith("_implementation") and _names_hub(value):
            raise UnsupportedError(f"{name} wants code from the hub ({key} in {CONFIG}): take that entry out")
    for values, where in ((config, CONFIG), (tokenizer, TOKENIZER)):
        _check_class(files, values.get("tokenizer_class"), where, transformers)
    for key, value in tokenizer.items():
        if key.endswith("_file") and isinstance(value, str) and not bare(value) and os.path.exists(value):
            raise FileError(
                f"{name}: {TOKENIZER} names {value!r:.100} as its {key}, which lies elsewhere: leave it out"
            )
    return _weights(files, config)


def adapter(name: str) -> UnsupportedError:
    """The error for an adapter without its base model."""
    return UnsupportedError(f"{name} holds an adapter (PEFT), not a model: merge it into its base and save that")


def _entries(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries of an object and of all objects inside."""
    waiting: list[Any] = [values]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            yield from part.items()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _names_hub(value: Any) -> bool:
    """True for the name of a kernel on the hub, or for an object that holds one."""
    values = value.values() if isinstance(value, Mapping) else [value]
    return any("/" in str(one) for one in values)


def _check_class(files: Files, given: Any, where: str, transformers: Any) -> None:
    """Raise FileError for a class of tokenizer that is something else: its ``from_pretrained`` would load that."""
    if given is None:
        return
    if not isinstance(given, str):
        raise FileError(f"{files.name}: tokenizer_class in {where} is {given!r:.40}, not a name; copy the model again")
    found = getattr(transformers, given, None)
    absent = type(found).__name__ == "DummyObject"  # a class whose package is not installed, which says so
    is_tokenizer = isinstance(found, type) and issubclass(found, transformers.PreTrainedTokenizerBase)
    if found is not None and not absent and not is_tokenizer:
        raise FileError(f"{files.name}: tokenizer_class in {where} names {given}, which is no tokenizer; correct it")


def _weights(files: Files, config: Mapping[str, Any]) -> list[str]:
    """The names of the files that hold the weights, each of them in safetensors."""
    chosen = config.get("transformers_weights")
    if chosen is not None:
        _check_weights(files, [chosen], CONFIG, (".safetensors", ".safetensors.index.json"))
    indices = [str(chosen)] if str(chosen).endswith(".index.json") else []
    if files.is_folder:
        indices += [path.name for path in Path(files.name).glob("*.safetensors.index.json")]
    elif chosen is None:
        indices.append(INDEX)
    shards = {index: _shards(files, index) for index in dict.fromkeys(indices)}
    if chosen is not None:
        return shards.get(chosen, [chosen])
    if files.is_folder and not (Path(files.name) / WEIGHTS).is_file():
        return shards.get(INDEX, [])
    return [WEIGHTS] if files.is_folder or not shards.get(INDEX) else shards[INDEX]


def _shards(files: Files, index: str) -> list[str]:
    """The files that an index names."""
    values = files.json(index)
    if not values and files.path(index) is None:
        return []
    places = values.get("weight_map")
    if not isinstance(places, Mapping) or not places:
        raise FileError(f"{files.name}: {index} holds no weight_map; copy or save the model again")
    names = list(places.values())
    _check_weights(files, names, index, (".safetensors",))
    return sorted(set(names))


def _check_weights(files: Files, names: list[Any], where: str, endings: tuple[str, ...]) -> None:
    """Raise FileError unless each name is that of a safetensors file inside the folder."""
    for name in names:
        if isinstance(name, str) and name.endswith(PICKLES):
            raise FileError(
                f"{files.name} holds weights in a pickled file ({name!r:.100} in {where}), which can run code when it "
                "is read: convert it to safetensors (save_pretrained does) where you trust it"
            )
        if not (isinstance(name, str) and bare(name) and name.endswith(endings)):
            raise FileError(
                f"{files.name}: {where} names {name!r:.100} as weights, which is no safetensors file of its own "
                "folder: save the model again"
            )
        if files.is_folder and files.path(name) is None:
            raise FileError(f"{files.name}: {where} names {name!r:.100}, which is missing: copy the model again")
