"""Hugging Face sequence classifiers: load one by name or folder, or wrap one that is at hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from exegesis.core.errors import FileError, ModelError, UnsupportedError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier, HuggingFaceModel
from exegesis.models.huggingface.fetch import fetching, pickled, quiet
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.device import usable_device

__all__ = ["HuggingFaceClassifier", "HuggingFaceModel", "load_huggingface", "wrap_huggingface"]


def load_huggingface(
    source: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    truncate: bool = False,
    labels: Sequence[str] | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
) -> HuggingFaceModel:
    """A sequence classifier and its tokenizer, from a folder or by its name on the hub.

    Weights come from safetensors files alone: nothing is unpickled, and no code that lies beside the weights is run.
    ``dtype`` and ``device`` move the module after loading (default: as it was saved, on the CPU). For ``labels`` and
    ``truncate`` see ``wrap_huggingface``.

    Raises MissingExtraError without the package transformers; FileError where there is no such model, a file of it is
    missing or damaged, its weights are pickled, or they have no classification head; ModelError for weights that hold
    NaN; UnsupportedError for adapters without their base, and as ``wrap_huggingface`` does.
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
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what transformers makes up without files
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
