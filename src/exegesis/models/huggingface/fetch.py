"""Loading from a folder or the hub: what is checked first, kept quiet, and said in one line where it fails."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exegesis.core.errors import ExegesisError, FileError, MissingExtraError, out_of_memory

PATIENCE = 10.0  # seconds that the hub has for its first answer


@contextmanager
def fetching(source: str | os.PathLike[str], local: bool = False) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """The package transformers, the name of a model, and the options with which it is to be loaded in this block.

    ``local`` models are not asked for on the hub, nor is any where the hub does not answer. Raises MissingExtraError
    without the package, FileError where the folder or the name is wrong, or for what goes wrong in the block.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "transformers", "loading a Hugging Face model") from error
    name = os.fspath(source)
    _check_folder(name)
    with quiet(transformers), _one_line(name):
        away = not (local or os.path.isdir(name) or _hub_answers(name))
        yield transformers, name, {"local_files_only": local or away}


def _check_folder(name: str) -> None:
    """Raises FileError for a folder that lacks what is needed, before anything of it is read."""
    folder = Path(name)
    if not name.strip():
        raise FileError("the name of the model is empty: give a folder, or the name of a model on the hub")
    if folder.is_file():
        raise FileError(f"{name} is a file: give the folder that holds config.json and model.safetensors")
    if not folder.is_dir():
        if name.startswith((".", "/", "~")) or name.endswith("/") or name.count("/") > 1:
            raise FileError(f"there is no folder {name!r}: give a folder, or the name of a model on the hub")
        return
    if not (folder / "config.json").is_file():
        raise FileError(f"{name} is no Hugging Face model: it holds no config.json")
    if not any((folder / file).is_file() for file in ("model.safetensors", "model.safetensors.index.json")):
        if any(path.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt") for path in folder.iterdir()):
            raise pickled(name)
        raise FileError(f"{name} holds no weights: model.safetensors is missing")


def pickled(name: str) -> FileError:
    return FileError(
        f"{name} holds its weights only in a pickled file, which can run code when it is read: convert it to "
        "safetensors (save_pretrained does) where you trust it"
    )


def _hub_answers(name: str) -> bool:
    """Whether the hub can be reached: one short request, where loading would ask again and again for a minute."""
    import huggingface_hub

    url = huggingface_hub.hf_hub_url(name, "config.json")  # refuses a name that can be none
    try:
        huggingface_hub.get_session().head(url, timeout=PATIENCE)
    except Exception:  # whatever its HTTP library raises
        return False
    return True


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """No progress bars, log lines or warnings while loading, and no request to have weights converted on the hub."""
    log = transformers.utils.logging
    hub = logging.getLogger("huggingface_hub")
    hub_level = hub.level
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    conversion = os.environ.get("DISABLE_SAFETENSORS_CONVERSION")
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    log.set_verbosity(log.CRITICAL)
    log.disable_progress_bar()
    hub.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        hub.setLevel(hub_level)
        if bars:
            log.enable_progress_bar()
        if conversion is None:
            del os.environ["DISABLE_SAFETENSORS_CONVERSION"]
        else:
            os.environ["DISABLE_SAFETENSORS_CONVERSION"] = conversion


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Whatever goes wrong in loading, as a FileError of one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ExegesisError) or out_of_memory(error):
            raise
        line = " ".join(str(error).split())[:300] or type(error).__name__
        if not os.path.isdir(name) and _not_stored(error):
            raise FileError(
                f"there is no folder {name!r}, and the hub cannot be reached to ask for a model of that name: check "
                "the name and the connection"
            ) from error
        where = "" if os.path.isdir(name) else " (no folder here; asked for on the hub)"
        raise FileError(f"cannot load the model {name}{where}: {line}") from error


def _not_stored(error: BaseException | None) -> bool:
    """Whether an error comes from a model that was looked for on this machine alone."""
    while error is not None:
        if type(error).__name__ in ("LocalEntryNotFoundError", "OfflineModeIsEnabled"):
            return True
        error = error.__cause__ or error.__context__
    return False
