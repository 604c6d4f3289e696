"""Hugging Face sequence classifiers from a folder or the hub: checked first, kept quiet, any failure in one line."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from exegesis.core.errors import (
    ExegesisError,
    FileError,
    MissingExtraError,
    ModelError,
    UnsupportedError,
    out_of_memory,
)
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.model import usable_device

PATIENCE = 10.0  # seconds to wait for the hub's first answer


def load_huggingface(
    source: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    truncate: bool = False,
    labels: Sequence[str] | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
) -> HuggingFaceClassifier:
    """Load a sequence classifier and its tokenizer, from a folder or by its name on the hub.

    Weights come from safetensors files alone: nothing is unpickled, and no code beside the weights is run. ``dtype``
    and ``device`` move the module after loading (by default it stays as saved, on the CPU). For ``labels`` and
    ``truncate`` see ``wrap_huggingface``.

    Raises MissingExtraError without the package transformers; FileError for an unknown model, missing or damaged files,
    pickled weights, and weights without a classification head; ModelError for weights with NaN; UnsupportedError for
    adapters without their base; and the errors of ``wrap_huggingface``.
    """
    where = usable_device(device)
    with fetching(source, local_files_only) as (transformers, name, options):
        options["revision"] = revision or "main"
        if transformers.utils.find_adapter_config_file(name, **options) is not None:
            raise UnsupportedError(f"{name} holds an adapter (PEFT), not a model: merge it into its base and save that")
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False, **options)
        if str(getattr(config, "transformers_weights", None) or ".safetensors").endswith(".bin"):
            raise pickled(name)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False, **options)
        module, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            name, config=config, use_safetensors=True, trust_remote_code=False, output_loading_info=True, **options
        )
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # names that transformers invents
        raise FileError(f"{name} holds no tokenizer (tokenizer.json or its vocabulary): save it beside the model")
    missing = sorted(info["missing_keys"]) + sorted(str(key) for key in info.get("mismatched_keys", ()))
    if missing:
        raise FileError(
            f"{name} holds no trained classification head (no weights for {', '.join(missing[:3])}): take a model that "
            "was fine-tuned to classify texts"
        )
    if not all(bool(torch.isfinite(w).all()) for w in module.state_dict().values() if w.is_floating_point()):
        raise ModelError(f"the weights of {name} hold NaN or infinity: the file is damaged or its training diverged")
    module = module.to(where) if dtype is None else module.to(where, dtype)
    label = Path(name).name if os.path.isdir(name) else name
    with quiet(transformers):
        return wrap_huggingface(module.eval(), tokenizer, labels, name=label, truncate=truncate)


@contextmanager
def fetching(source: str | os.PathLike[str], local: bool = False) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Prepare the loading of a model: the package transformers, the model's name, and the options for this block.

    The hub is not asked for a ``local`` model, nor for any if it does not answer. Raises MissingExtraError without the
    package, FileError if the folder or the name is wrong, or for any failure in the block.
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
    """Raise FileError for a folder that lacks needed files, before anything of it is read."""
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
        raise FileError(f"{name} is not a Hugging Face model: it holds no config.json")
    if not any((folder / file).is_file() for file in ("model.safetensors", "model.safetensors.index.json")):
        if any(path.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt") for path in folder.iterdir()):
            raise pickled(name)
        raise FileError(f"{name} holds no weights: model.safetensors is missing")


def pickled(name: str) -> FileError:
    """The error for a model whose weights are pickled."""
    return FileError(
        f"{name} holds its weights only in a pickled file, which can run code when it is read: convert it to "
        "safetensors (save_pretrained does) where you trust it"
    )


def _hub_answers(name: str) -> bool:
    """True if the hub can be reached, by one short request; loading would ask again and again for a minute."""
    import huggingface_hub

    url = huggingface_hub.hf_hub_url(name, "config.json")  # refuses impossible names
    try:
        huggingface_hub.get_session().head(url, timeout=PATIENCE)
    except Exception:  # whatever its HTTP library raises
        return False
    return True


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Silence progress bars, log lines and warnings while loading, and ask for no conversion of weights on the hub."""
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
    """Raise a FileError of one line for any failure in loading."""
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
    """True if an error comes from a model that was looked for on this machine alone."""
    while error is not None:
        if type(error).__name__ in ("LocalEntryNotFoundError", "OfflineModeIsEnabled"):
            return True
        error = error.__cause__ or error.__context__
    return False
