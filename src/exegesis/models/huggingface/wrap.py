"""What a Hugging Face module's config and a trial say of it: labels, link, positions, padding, word vectors."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from exegesis.core.errors import ExegesisError, ModelError, TextError, UnsupportedError, UsageError
from exegesis.models.huggingface.adapter import About, HuggingFaceModel
from exegesis.models.huggingface.offsets import readable
from exegesis.models.huggingface.sight import shown
from exegesis.models.huggingface.text import Reader, token_types
from exegesis.models.huggingface.vectors import input_embeddings
from exegesis.protocols.batch import Batch
from exegesis.protocols.target import Link

_POSITIONS = ("position_embeddings", "position_embedding", "embed_positions", "positions_embed", "wpe")
_INPUTS = {"input_ids", "token_type_ids", "attention_mask"}
_PROBES = ("a word", "a word or", "a word and some", "a word and some more of them")


def wrap_huggingface(
    module: nn.Module,
    tokenizer: Any,
    labels: Sequence[str] | None = None,
    *,
    name: str | None = None,
    truncate: bool = False,
) -> HuggingFaceModel:
    """A PreTrainedModel that classifies sequences, with its tokenizer, both as they stand.

    ``labels`` default to the config's ``id2label``. What the outputs mean follows the config: ``problem_type``, and
    without one softmax, or plain numbers (a regression) for a single output. ``truncate`` cuts texts that are longer
    than the model's positions; its name says so then.

    The module is tried on a few short texts: whether padding changes its outputs (then only texts of equal length share
    a call), and whether its word vectors can be replaced (then the result is a ``HuggingFaceClassifier``, which serves
    gradients; else a plain ``HuggingFaceModel``).

    Raises UnsupportedError for a tokenizer that gives neither offsets nor pieces, or that gives the module more than
    ids, types and a mask (boxes of a page, say), and for outputs that differ from run to run; UsageError for labels
    that do not fit; ModelError for a module that gives no logits or too many.
    """
    config = getattr(module, "config", None)
    if config is None or not callable(getattr(module, "forward", None)):
        raise UsageError(f"a {type(module).__name__} is no Hugging Face model: it has no config; use exegesis.wrap")
    name = name or getattr(config, "_name_or_path", "") or type(module).__name__
    if not getattr(tokenizer, "is_fast", False) and not readable(tokenizer):
        raise UnsupportedError(
            f"the tokenizer of model {name} ({type(tokenizer).__name__}) gives no character offsets: take its fast "
            "version (AutoTokenizer.from_pretrained, with tokenizer.json or the package sentencepiece installed)"
        )
    limit = _limit(module, config, tokenizer)
    if truncate and limit is not None:
        name = f"{name} (texts cut at {limit} pieces)"
    size = _size(module, config, tokenizer)
    _check_inputs(module, tokenizer, name)
    types, exceptions = _types(module, tokenizer, name)
    reader = Reader(tokenizer, name, limit, truncate, types, exceptions)
    found = _labels(config, labels, name)
    about = About(name, found, _link(config), _tokens(config, tokenizer, size), size, padded=True)
    return _probed(HuggingFaceModel(module, reader, about))


def _labels(config: Any, given: Sequence[str] | None, name: str) -> tuple[str, ...]:
    listed = getattr(config, "id2label", None) or {}
    found = tuple(map(str, given)) if given is not None else tuple(str(listed[key]) for key in sorted(listed))
    count = getattr(config, "num_labels", len(found))
    if len(found) != count:
        raise UsageError(f"model {name} has {count} outputs and {len(found)} labels: give labels=[...], one an output")
    if len(set(found)) < len(found):
        raise UsageError(f"model {name} has two labels of one name ({', '.join(found[:10])}): give labels=[...]")
    return found


def _link(config: Any) -> Link:
    problem, count = getattr(config, "problem_type", None), config.num_labels
    if problem == "regression" or (problem is None and count == 1):
        return Link.IDENTITY
    return Link.SIGMOID if problem == "multi_label_classification" or count == 1 else Link.SOFTMAX


def _tokens(config: Any, tokenizer: Any, size: int) -> dict[str, int]:
    pads = (tokenizer.pad_token_id, getattr(config, "pad_token_id", None), tokenizer.eos_token_id, 0)
    roles = {"pad": pads, "unknown": (tokenizer.unk_token_id,), "mask": (tokenizer.mask_token_id,)}
    usable = {role: [i for i in ids if isinstance(i, int) and 0 <= i < size] for role, ids in roles.items()}
    return {role: ids[0] for role, ids in usable.items() if ids}


def _limit(module: nn.Module, config: Any, tokenizer: Any) -> int | None:
    """How many pieces the model takes: what its config says, and the rows of its table of positions, less those that
    its numbering skips. A table of fewer rows than the config says is not of the text, but of a picture's parts."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    told = getattr(text, "max_position_embeddings", None)
    tables: list[Any] = [
        len(part.weight) - (0 if part.padding_idx is None else part.padding_idx + 1) - getattr(part, "offset", 0)
        for path, part in module.named_modules()
        if path.rsplit(".", 1)[-1] in _POSITIONS and hasattr(part, "padding_idx") and len(part.weight) >= (told or 0)
    ]
    return min((int(n) for n in [*tables, told] if isinstance(n, int) and 0 < n < 10**9), default=_told(tokenizer))


def _told(tokenizer: Any) -> int | None:
    """How many pieces a tokenizer says that its model takes."""
    told = tokenizer.model_max_length
    return int(told) if isinstance(told, int) and 0 < told < 10**9 else None


def _size(module: nn.Module, config: Any, tokenizer: Any) -> int:
    rows = getattr(input_embeddings(module), "num_embeddings", None)
    return int(rows) if rows is not None else int(getattr(config, "vocab_size", len(tokenizer)))


def _takes_types(module: nn.Module) -> bool:
    return "token_type_ids" in inspect.signature(module.forward).parameters


def _types(module: nn.Module, tokenizer: Any, name: str) -> tuple[tuple[int, int] | None, dict[int, int]]:
    if "token_type_ids" not in tokenizer.model_input_names or not _takes_types(module):
        return None, {}
    try:
        return token_types(tokenizer)
    except ExegesisError:
        raise
    except Exception as error:
        line = " ".join(str(error).split())[:150]
        raise UnsupportedError(
            f"the tokenizer of model {name} does not read a plain text ({line}): take a model that classifies texts"
        ) from error


def _check_inputs(module: nn.Module, tokenizer: Any, name: str) -> None:
    """Raises UnsupportedError where a text's ids are not all that the module is given."""
    try:
        given = set(tokenizer(_PROBES[0], verbose=False))
    except Exception:  # a vocabulary that cannot spell the probes
        return
    more = (given & set(inspect.signature(module.forward).parameters)) - _INPUTS
    if more:
        raise UnsupportedError(
            f"the tokenizer of model {name} gives it {', '.join(sorted(more))} with its ids, which do not follow from "
            "the words of a text: explain it through exegesis.blackbox"
        )


def _check_steady(model: HuggingFaceModel, batch: Batch) -> None:
    """Raises UnsupportedError for a module that answers one input in several ways."""
    first, again = model.outputs(batch), model.outputs(batch)
    if not torch.allclose(first, again, rtol=0, atol=1e-3 * float(first.nan_to_num().abs().max()), equal_nan=True):
        raise UnsupportedError(
            f"model {model.name} answers otherwise each time it is asked: fix its random choices (a Reformer's by "
            "config.hash_seed)"
        )


def _probed(model: HuggingFaceModel) -> HuggingFaceModel:
    """The model with ``padded`` found out, as a HuggingFaceClassifier where its word vectors can be replaced."""
    try:
        texts = [model.read(probe) for probe in _PROBES]
    except TextError:  # the vocabulary cannot spell the probes: assume that padding matters
        padded, batch = False, None
    else:
        batch = model.encode(texts)
        _check_steady(model, batch)
        sparse = getattr(model.module.config, "attention_type", None) == "block_sparse"  # in long rows alone (BigBird)
        padded = not sparse and _bears_padding(model, batch)
    about = dataclasses.replace(model.about, padded=padded)
    return shown(HuggingFaceModel(model.module, model.reader, about), batch)


def _bears_padding(model: HuggingFaceModel, batch: Batch) -> bool:
    lengths = batch.lengths
    alone = torch.cat([model.outputs(batch.take(torch.tensor([row]))) for row in range(len(batch))])
    try:
        together = model.outputs(batch)
    except ModelError:
        return False
    weight = next((w.dtype for w in model.module.parameters() if w.is_floating_point()), torch.float32)
    near = {torch.float64: 1e-9, torch.float32: 1e-5}.get(weight, 2e-2) * max(1.0, float(alone.abs().max()))
    return bool(lengths.min() < lengths.max()) and torch.allclose(together, alone, rtol=0, atol=near)
