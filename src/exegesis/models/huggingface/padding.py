"""What a batch for a Hugging Face module is filled up with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from exegesis.protocols.batch import Batch

_ABSENT = object()


@contextmanager
def pad_id(module: nn.Module, size: int, batch: Batch) -> Iterator[int]:
    """The id to fill up with: the config's, by which many heads find a row's last piece.

    Where the config has none that is below ``size`` (GPT-2), an id that the batch does not use, told to the config for
    the length of a block.
    """
    configs = _configs(module)
    known = getattr(configs[-1], "pad_token_id", None) if configs else None
    if known is not None and 0 <= known < size:
        yield known
        return
    used = set(batch.ids[batch.mask].tolist())
    fill = next(i for i in range(len(used) + 1) if i not in used)
    before = [vars(config).get("pad_token_id", _ABSENT) for config in configs]
    try:
        for config in configs:
            config.pad_token_id = fill
        yield fill
    finally:
        for config, value in zip(configs, before, strict=True):
            if value is _ABSENT:
                vars(config).pop("pad_token_id", None)
            else:
                config.pad_token_id = value


def widened(batch: Batch, width: int) -> Batch | None:
    """Rows filled up to a width; None where they have it."""
    missing = width - batch.ids.shape[1]
    if missing <= 0:
        return None
    ids, mask, segments = (nn.functional.pad(t, (0, missing)) for t in (batch.ids, batch.mask, batch.segments))
    return Batch(ids, mask, segments)


def _configs(module: Any) -> list[Any]:
    """The module's config, and the part of it that speaks of text where that is another; the latter is last."""
    config = getattr(module, "config", None)
    if config is None:
        return []
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return [config] if text is config else [config, text]
