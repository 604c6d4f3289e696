"""The logits of every piece in a module's answer, and a vocabulary as labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.protocols.batch import Batch

_MARKS = ("Ġ", "▁")  # with which pieces begin that begin a word


def every_logit(
    model: HuggingFaceClassifier, answer: Any, batch: Batch, width: int | None, name: str = "logits"
) -> Float[Tensor, "b t c"]:
    """The outputs of every piece. Raises ModelError for an answer without them, or with another number of labels."""
    logits = getattr(answer, name, None)
    rows, length = batch.ids.shape
    if isinstance(logits, Tensor) and logits.dim() == 2 and width is None:
        logits = logits[..., None]
    if not isinstance(logits, Tensor) or logits.dim() != 3 or logits.shape[0] != rows or logits.shape[1] < length:
        shape = list(logits.shape) if isinstance(logits, Tensor) else f"no {name}"
        raise ModelError(
            f"model {model.name} gives {shape} for {rows} texts of {length} pieces, not one for each piece"
        )
    if width is not None and logits.shape[2] != width:
        raise ModelError(f"model {model.name} gives {logits.shape[2]} outputs for {width} labels: give as many labels")
    return logits


def last_pieces(batch: Batch) -> Int[Tensor, " b"]:
    """The last piece of each row."""
    return (batch.lengths - 1).clamp_min(0)


def at_pieces(logits: Float[Tensor, "b t c"], places: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
    """The outputs of one piece of each row."""
    return logits[torch.arange(len(logits), device=logits.device), places]


def open_ended(text: Text) -> Text:
    """A text without the special pieces at its end."""
    count = len(text)
    while count > 1 and text.special[count - 1]:
        count -= 1
    segments = tuple(Span(part.start, min(part.stop, count)) for part in text.segments)
    return replace(
        text,
        pieces=text.pieces[:count],
        ids=text.ids[:count],
        offsets=text.offsets[:count],
        special=text.special[:count],
        segments=segments,
    )


def vocabulary(tokenizer: Any, size: int) -> tuple[str, ...]:
    """A name for every id: the word of a piece that begins one, ``##ing`` for one that goes on.

    Special pieces have the names that the tokenizer gives them; ``#123`` is an id without a piece. Names that two
    pieces would share are the pieces as the tokenizer writes them.
    """
    known = min(size, len(tokenizer))
    pieces = [str(piece) for piece in tokenizer.convert_ids_to_tokens(list(range(known)))]
    mark = next((mark for mark in _MARKS if any(piece.startswith(mark) for piece in pieces)), "")
    special = {number for number in tokenizer.all_special_ids if number < known}
    decoded = [piece if number in special else _named(tokenizer, piece, mark) for number, piece in enumerate(pieces)]
    counts = Counter(decoded)
    names = [name if counts[name] == 1 else piece for name, piece in zip(decoded, pieces, strict=True)]
    used = Counter(names)
    names = [name if used[name] == 1 else f"{name}#{number}" for number, name in enumerate(names)]
    return (*names, *(f"#{number}" for number in range(known, size)))


def _named(tokenizer: Any, piece: str, mark: str) -> str:
    if not mark:
        return piece
    try:
        written = str(tokenizer.convert_tokens_to_string([piece])).strip()
    except Exception:  # a piece that is no text by itself
        return piece
    if not written or "\N{REPLACEMENT CHARACTER}" in written:
        return piece
    return written if piece.startswith(mark) else f"##{written}"
