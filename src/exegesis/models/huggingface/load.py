"""Hugging Face sequence classifiers from a folder or the hub: checked first, kept quiet, any failure in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from exegesis.core import hub
from exegesis.core.errors import ExegesisError, FileError, MissingExtraError, UnsupportedError, out_of_memory
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.files import ADAPTER, CONFIG, PICKLES, WEIGHTS, Files, adapter, check_files
from exegesis.models.huggingface.kinds import kind_of, refused_kind, stated_class
from exegesis.models.huggingface.quiet import offline, panics_as_errors, quiet
from exegesis.models.huggingface.views.tasks import CLASSIFICATION, finished, task_named, task_of_files
from exegesis.models.huggingface.weights import check_weights
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.labels import Labels
from exegesis.protocols.model import usable_device

UNREACHED = (
    "there is no folder {!r}, and the hub cannot be reached to ask for a model of that name: check the name and the "
    "connection"
)
TRIAL = (("a word",), ("a word", "and some more"))  # texts that a damaged tokenizer may break down at


def load_huggingface(
    source: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    truncate: bool = False,
    windows: int | None = None,
    labels: Labels | None = None,
    outputs: str | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    task: str | None = None,
) -> HuggingFaceClassifier:
    """Load a model and its tokenizer, from a folder or by its name on the hub.

    ``task`` is one of ``views.tasks.TASKS``, by default the one that the files name (the class of the weights in
    config.json, the modules of a sentence encoder).

    Weights come from safetensors files alone: nothing is unpickled, and no code beside the weights is run. ``dtype``
    and ``device`` move the module after loading (by default it stays as saved, on the CPU). For ``labels``,
    ``outputs``, ``truncate`` and ``windows`` see ``wrap_huggingface``.

    Raises MissingExtraError without the package transformers; FileError for an unknown model; UnsupportedError for a
    model that its config calls one of another kind, whose head a text classifier would take; and the errors of
    ``load_both`` and ``wrap_huggingface``.
    """
    where = usable_device(device)
    with fetching(source, local_files_only) as (transformers, files):
        files.options["revision"] = revision or "main"
        chosen = task_named(task) or task_of_files(files)
        if chosen.name == CLASSIFICATION and (other := refused_kind(files.json(CONFIG))):
            raise UnsupportedError(f"{files.name} is {other}: {chosen.head[1]}")
        module, tokenizer = load_both(transformers, chosen.auto, files, chosen.head)
    module = module.to(where) if dtype is None else module.to(where, dtype)
    label = Path(files.name).name if files.is_folder else files.name
    with quiet(transformers):
        model = wrap_huggingface(
            module.eval(), tokenizer, labels, name=label, truncate=truncate, windows=windows, outputs=outputs,
            task=chosen.name,
        )  # fmt: skip
        return finished(model, files)


def load_both(transformers: Any, kind: str, files: Files, head: tuple[str, str]) -> tuple[Any, Any]:
    """A model of a kind of transformers and its tokenizer, after the checks of its files and of its weights.

    ``head`` names what the kind adds to a pretrained model, and what to do without it. Raises the errors of
    ``check_files`` and ``check_weights``, and FileError for a model without a tokenizer.
    """
    weights = check_files(files, transformers)
    name, options = files.name, {"trust_remote_code": False, **files.options}
    with panics_as_errors():
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
        for parts in TRIAL:
            with suppress(Exception):  # a vocabulary that cannot spell them
                tokenizer(*parts, verbose=False)
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # names that transformers invents
            raise FileError(f"{name} holds no tokenizer (tokenizer.json or its vocabulary): save it beside the model")
    module, info = getattr(transformers, kind).from_pretrained(
        name, use_safetensors=True, output_loading_info=True, **options
    )
    check_weights(module, info, files, weights, head, kind_of(stated_class(files.json(CONFIG))))
    return module, tokenizer


@contextmanager
def fetching(source: str | os.PathLike[str], local: bool = False) -> Iterator[tuple[Any, Files]]:
    """Prepare the loading of a model: the package transformers, and the model's files, for this block.

    The hub is not asked for a ``local`` model, nor for any if it does not answer. It is asked before transformers is
    imported, which takes seconds. Raises MissingExtraError without the package, FileError if the folder or the name is
    wrong, or for any failure in the block.
    """
    name = os.fspath(source)
    try:
        import huggingface_hub

        _check_folder(name)
        with _one_line(name):
            local = local or os.path.isdir(name) or not hub.answers(name)
            if local and not os.path.isdir(name) and not _is_stored(huggingface_hub, name):
                raise FileError(UNREACHED.format(name))
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "transformers", "loading a Hugging Face model") from error
    with quiet(transformers), _one_line(name), offline(os.path.isdir(name)):
        yield transformers, Files(name, transformers.utils.cached_file, {"local_files_only": local})


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
    if (folder / ADAPTER).is_file():
        raise adapter(name)
    if not (folder / CONFIG).is_file():
        raise FileError(f"{name} is not a Hugging Face model: it holds no {CONFIG}")
    if not any(folder.glob("*.safetensors*")):
        if any(path.suffix in PICKLES for path in folder.iterdir()):
            raise FileError(
                f"{name} holds its weights only in a pickled file, which can run code when it is read: convert it to "
                "safetensors (save_pretrained does) where you trust it"
            )
        raise FileError(f"{name} holds no weights: {WEIGHTS} is missing")


def _is_stored(package: Any, name: str) -> bool:
    """True if anything of a model of the hub is on this machine."""
    folder = package.file_download.repo_folder_name(repo_id=name, repo_type="model")
    return os.path.isdir(os.path.join(package.constants.HF_HUB_CACHE, folder))


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
            raise FileError(UNREACHED.format(name)) from error
        where = "" if os.path.isdir(name) else " (no folder here; asked for on the hub)"
        raise FileError(f"cannot load the model {name}{where}: {line}") from error


def _not_stored(error: BaseException | None) -> bool:
    """True if an error comes from a model that was looked for on this machine alone."""
    while error is not None:
        if type(error).__name__ in ("LocalEntryNotFoundError", "OfflineModeIsEnabled"):
            return True
        error = error.__cause__ or error.__context__
    return False
