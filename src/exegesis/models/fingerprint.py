"""The fingerprint of a model: a hash of everything seen here that decides what it answers."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from exegesis.core.errors import UnsupportedError
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.nn.offloaded import refuse_offloaded
from exegesis.protocols.model import Classifier

_SOURCES: WeakKeyDictionary[type, str] = WeakKeyDictionary()  # by class: to find the source of one takes long
PROBES = ("A fine film, but it grows TEDIOUS.", "Not 3.5 % of naïve co-ops: don't!", "日本 ничего 🎬 zzyzx")


def fingerprint(model: Classifier, given: str | None = None) -> str:
    """A hash, in hex, of a model's weights and buffers, the code of its module's classes as far as it can be read, its
    labels, and how it reads texts (its vocabulary or tokenizer, and the pieces of a few texts).

    ``given`` takes the place of what is out of sight; a model without a module, such as a black box, needs it. Raises
    UnsupportedError for one without it, and for a module that is offloaded.
    """
    module = getattr(model, "module", None)
    seen = hashlib.sha256()
    _add(seen, type(model).__name__, list(model.labels), model.link.name, dict(model.tokens), given)
    if isinstance(module, nn.Module):
        refuse_offloaded(module, model.name)
        _add(seen, repr(module), _code(module))
        for name, weight in sorted({**dict(module.named_parameters()), **dict(module.named_buffers())}.items()):
            values = weight.detach().cpu().contiguous()
            _add(seen, name, str(values.dtype), list(values.shape))
            seen.update(values.flatten().view(torch.uint8).numpy().tobytes() if values.numel() else b"")
    elif given is None:
        raise UnsupportedError(
            f"the model {model.name} shows no weights, so that a later run could not tell it from another: name its "
            "version, as fingerprint='v1'"
        )
    _add(seen, _reading(getattr(model, "reader", None)), [_pieces(model, probe) for probe in PROBES])
    return seen.hexdigest()[:32]


def _add(seen: Any, *parts: object) -> None:
    seen.update(json.dumps(parts, default=repr, sort_keys=True).encode("ascii"))


def _code(module: nn.Module) -> dict[str, str]:
    """The source of the classes of a module's parts, but those of torch, by name; empty where it is out of sight."""
    classes = {type(part) for part in module.modules()}
    found = {}
    for cls in classes:
        if not cls.__module__.startswith("torch."):
            if cls not in _SOURCES:
                try:
                    _SOURCES[cls] = inspect.getsource(cls)
                except (OSError, TypeError):
                    _SOURCES[cls] = ""
            found[f"{cls.__module__}.{cls.__qualname__}"] = _SOURCES[cls]
    return found


def _reading(reader: object) -> list[object]:
    """How texts are read: the vocabulary or the tokenizer, as far as they are in sight."""
    vocabulary, tokenizer = getattr(reader, "vocabulary", None), getattr(reader, "tokenizer", None)
    fast: Any = getattr(tokenizer, "backend_tokenizer", None)
    listed: Any = getattr(tokenizer, "get_vocab", None)
    seen: list[object] = [type(reader).__name__, getattr(reader, "limit", None), getattr(reader, "truncate", None)]
    if (windows := getattr(reader, "windows", None)) is not None:
        seen.append([windows.limit, windows.overlap])
    if isinstance(vocabulary, Vocabulary):
        seen += [vocabulary.tokens, vocabulary.lowercase, vocabulary.aliases]
    if hasattr(fast, "to_str"):
        seen.append(fast.to_str())
    elif callable(listed):
        words: Mapping[str, int] = listed()
        seen.append(sorted(words.items()))
    return seen


def _pieces(model: Classifier, probe: str) -> list[object]:
    """What a model makes of a text; why it makes nothing of it, by the kind of error."""
    try:
        text = model.read(probe)
    except Exception as error:  # a model of pairs, a word that it does not know
        return [type(error).__name__]
    return [text.ids, text.words]
