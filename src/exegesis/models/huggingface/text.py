"""Texts for a Hugging Face module: the pieces that its tokenizer cuts a text into, and the padding of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from exegesis.core.errors import ExegesisError, TextError, UnsupportedError, is_panic
from exegesis.core.text import Span, Text
from exegesis.models.huggingface import offsets
from exegesis.models.huggingface.windows import Windows
from exegesis.models.huggingface.words import align
from exegesis.models.text.words import Words, words_in
from exegesis.nn.alone import alone
from exegesis.protocols.batch import Batch

_ABSENT = object()
UNPAIRED = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


@dataclass(frozen=True, eq=False)
class Reader:
    """A tokenizer, fast or (see ``offsets``) written in Python, with the numbers that a ``Text`` needs beyond it.

    ``limit`` is the number of pieces that the model takes, special ones included (None: any number); a longer text is
    cut with ``truncate``, read in ``windows`` if there are any, else refused. ``types`` are the
    token types of the two parts (None if the model takes none), ``exceptions`` those of special pieces that have a
    type of their own (XLNet's <cls>). ``segment`` is the user's function from a text to words (see ``words_in``).
    """

    tokenizer: Any
    name: str
    limit: int | None
    truncate: bool
    types: tuple[int, int] | None
    exceptions: Mapping[int, int]
    segment: Words | None = None
    windows: Windows | None = None

    def read(self, raw: str | tuple[str, str]) -> Text:
        """Cut a text or a pair into pieces, with the user's words over them (see ``words.align``).

        A lone surrogate, which no tokenizer takes, is read as U+FFFD. Of a pair, the first part has the special pieces
        before it and between the two, the second part those at the end.

        Raises TextError for a blank text, one that the tokenizer leaves nothing of, one with more pieces than the
        model takes (unless ``truncate``: the longer part is then cut at its end, and its words after the cut are
        missing; or ``windows``: those that a text cannot have are a TextError too).
        """
        parts = parts_of(raw)
        encoding = self._encoding(tuple(part.translate(UNPAIRED) for part in parts))
        cut = bool(encoding.overflowing)
        if self.limit is not None and self.windows is None and len(encoding.ids) > self.limit:
            raise TextError(
                f"the text has {len(encoding.ids)} pieces and model {self.name} takes at most {self.limit}: "
                f"shorten it, or load the model with truncate=True or windows={min(64, self.limit // 4)}"
            )
        parts_seen = encoding.sequence_ids
        offsets: list[tuple[int, int]] = [(0, 0)] * len(parts_seen)
        words: list[Span] = []
        shift = 0
        for number, part in enumerate(parts):
            inside = [i for i, seen in enumerate(parts_seen) if seen == number]
            ranges, spans = align(part, [encoding.offsets[i] for i in inside], words_in(part, self.segment), cut=cut)
            if not spans:
                raise TextError(f"the tokenizer of model {self.name} leaves nothing of the text; give another text")
            for i, (start, stop) in zip(inside, ranges, strict=True):
                offsets[i] = (start + shift, stop + shift)
            words += [Span(inside[span.start], inside[span.stop - 1] + 1) for span in spans]
            shift += len(part) + 1
        text = Text(
            raw="\n".join(parts),
            pieces=tuple(encoding.tokens),
            ids=tuple(encoding.ids),
            offsets=tuple(offsets),
            words=tuple(words),
            segments=_segments(parts_seen, len(parts)),
            special=tuple(seen is None for seen in parts_seen),
        )
        self._check_types(text, encoding.type_ids)
        if self.windows is not None:
            self.windows.over(text)
        return text

    def _encoding(self, parts: Sequence[str]) -> Any:
        try:
            return encoding_of(self.tokenizer, parts, self.limit if self.truncate else None)
        except ExegesisError:
            raise
        except BaseException as error:
            if not (isinstance(error, Exception) or is_panic(error)):
                raise
            line = " ".join(str(error).split())[:200]
            raise TextError(f"the tokenizer of model {self.name} cannot read the text: {line}") from error

    def _check_types(self, text: Text, types: Sequence[int]) -> None:
        if self.types is None:
            return
        expected = [0] * len(text)
        for number, segment in zip(self.types, text.segments, strict=False):
            expected[segment.start : segment.stop] = [number] * segment.width
        if [self.exceptions.get(i, number) for i, number in zip(text.ids, expected, strict=True)] != list(types):
            raise UnsupportedError(
                f"the token types of model {self.name} do not follow from the parts of a text; such a model cannot be "
                "explained"
            )


def encoding_of(tokenizer: Any, parts: Sequence[str], limit: int | None = None) -> Any:
    """The encoding of the one or two parts of a text by a tokenizer, cut to ``limit`` pieces."""
    if not getattr(tokenizer, "is_fast", False):
        return offsets.encode(tokenizer, parts, limit)
    options = {"truncation": limit is not None, "max_length": limit}
    with alone(tokenizer):
        return tokenizer(*parts, **options, return_offsets_mapping=True, verbose=False).encodings[0]


def parts_of(raw: object) -> tuple[str, ...]:
    """The one or two texts of an input. Raises TextError for anything else, and for a blank part."""
    parts = raw if isinstance(raw, tuple) else (raw,)
    if len(parts) not in (1, 2) or not all(isinstance(part, str) for part in parts):
        raise TextError(f"give a text or a pair of texts, not {type(raw).__name__} {str(raw)[:40]!r}")
    if not all(part.strip() for part in parts):
        which = "the text" if len(parts) == 1 else "one of the two texts"
        raise TextError(f"{which} is empty or blank; give a text with at least one word")
    return tuple(parts)


def token_types(tokenizer: Any) -> tuple[tuple[int, int], dict[int, int]]:
    """The token types of the two parts of a pair, and of special pieces that have another type than their part."""
    encodings = [encoding_of(tokenizer, parts) for parts in (("a",), ("a", "a"))]
    types = [0, 1]
    for seen, number in zip(encodings[1].sequence_ids, encodings[1].type_ids, strict=True):
        if seen is not None:
            types[seen] = number
    exceptions = {}
    for encoding in encodings:
        for part, segment in enumerate(_segments(encoding.sequence_ids, 2)):
            for i in range(segment.start, segment.stop):
                if encoding.type_ids[i] != types[part] and encoding.sequence_ids[i] is None:
                    exceptions[encoding.ids[i]] = encoding.type_ids[i]
    return (types[0], types[1]), exceptions


def _segments(parts_seen: Sequence[int | None], count: int) -> tuple[Span, ...]:
    if count == 1 or 1 not in parts_seen:
        return (Span(0, len(parts_seen)),)
    second = parts_seen.index(1)
    return (Span(0, second), Span(second, len(parts_seen)))


@contextmanager
def pad_id(module: nn.Module, size: int, batch: Batch) -> Iterator[int]:
    """Choose the id that fills up a batch: the config's, by which many heads find a row's last piece.

    If the config has none below ``size`` (GPT-2), it is an id that the batch does not use, which is put into the config
    for the length of a block.
    """
    configs = _configs(module)
    configured = getattr(configs[-1], "pad_token_id", None) if configs else None
    if configured is not None and 0 <= configured < size:
        yield configured
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
    """Rows filled up to a width; None if they have it already."""
    shortfall = width - batch.ids.shape[1]
    if shortfall <= 0:
        return None
    ids, mask, segments = (nn.functional.pad(t, (0, shortfall)) for t in (batch.ids, batch.mask, batch.segments))
    return Batch(ids, mask, segments)


def _configs(module: Any) -> list[Any]:
    """The module's config and, if it is another, the part of it that describes text; the latter is last."""
    config = getattr(module, "config", None)
    if config is None:
        return []
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return [config] if text is config else [config, text]
