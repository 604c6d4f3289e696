"""From the user's characters to a module's ids: a vocabulary, or a tokenizer function with a vocabulary."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol

from exegesis.core.errors import ModelError, TextError, UsageError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.offsets import readable
from exegesis.models.huggingface.words import align, homes_of, spans_of
from exegesis.models.text.answers import Tokenize, placed_by, tokens_of
from exegesis.models.text.frame import Frame, frame_of
from exegesis.models.text.guesses import is_special, manner_of
from exegesis.models.text.placement import Placed
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.text.words import Words, words_in
from exegesis.protocols.model import Raw

_log = logging.getLogger("exegesis.vocabulary")


class Reader(Protocol):
    """Reads a user's text; ``tokens`` are the ids of the special tokens by role (see core.model.Classifier).

    ``words`` are the ids that words of a text may have: all but pads, masks and other tokens with a meaning of their
    own.
    """

    @property
    def tokens(self) -> Mapping[str, int]: ...
    @property
    def words(self) -> Sequence[int]: ...
    @property
    def size(self) -> int: ...
    @property
    def names_pad(self) -> bool: ...
    def padded(self, number: int) -> Reader: ...
    def read(self, raw: Raw) -> Text: ...


@dataclass(frozen=True)
class WordReader:
    """A reader of the words of a vocabulary, by its own rules or by the user's tokenizer function.

    Scores belong to the user's own characters, so each token is given its place in the text (see ``placement``); a
    tokenizer may also give it itself, as (token, start, stop). Tokens that are added to every text belong to no word.
    Raises ModelError, naming the token, if the place of one is not found.
    """

    vocabulary: Vocabulary
    tokenize: Tokenize | None = None
    manner: str = "tokenizer="  # what cuts texts, if there is a tokenizer
    segment: Words | None = None  # the user's function from a text to words, each of one or more tokens

    def __str__(self) -> str:
        """How texts are read, in words: what was said and what was guessed."""
        how = self.vocabulary.manner() if self.tokenize is None else self.vocabulary.manner(self.manner)
        unknown = self.vocabulary.unknown
        pad = self.vocabulary.tokens[self.vocabulary.pad]
        return (
            f"{how}; pad {self.vocabulary.pad}{f' ({pad})' if pad else ''}, "
            f"unknown {'none' if unknown is None else unknown}"
        )

    @property
    def names_pad(self) -> bool:
        return self.vocabulary.names_pad

    def padded(self, number: int) -> WordReader:
        """The reader with another number to fill batches up."""
        return replace(self, vocabulary=self.vocabulary.padded(number))

    @cached_property
    def tokens(self) -> Mapping[str, int]:
        tokens = {"pad": self.vocabulary.pad}
        if self.vocabulary.unknown is not None:
            tokens["unknown"] = self.vocabulary.unknown
        for mask in ("<mask>", "[MASK]", "<MASK>"):
            if mask in self.vocabulary.numbers:
                tokens["mask"] = self.vocabulary.numbers[mask]
        return tokens

    @property
    def words(self) -> Sequence[int]:
        special = {self.tokens["pad"], self.tokens.get("mask")}
        named = enumerate(self.vocabulary.tokens)
        unknown = self.vocabulary.unknown
        return [i for i, token in named if i == unknown or (token and i not in special and not is_special(token))]

    @property
    def size(self) -> int:
        return len(self.vocabulary)

    def read(self, raw: Raw) -> Text:
        if self.tokenize is not None and not isinstance(raw, str):
            raise UsageError("this model reads one text at a time, not a pair of texts")
        if self.tokenize is None or not isinstance(raw, str):
            text = self.vocabulary.read(raw)
        else:
            text = self._tokenized(raw, self.tokenize)
        if not isinstance(raw, str):
            return text
        return text if self.segment is None else _regrouped(text, words_in(raw, self.segment))

    def _tokenized(self, raw: str, tokenize: Tokenize) -> Text:
        placed = placed_by(tokenize, raw, lambda: self._frame)
        text = text_of_tokens(raw, placed, [self._id(token.token) for token in placed])
        if not text.words:
            if placed and raw.strip():
                raise ModelError(f"the token {placed[0].token[:40]!r} is not in the text, nor is any other")
            raise TextError("the text is empty or blank; give a text with at least one word")
        return text

    @cached_property
    def _frame(self) -> Frame:
        assert self.tokenize is not None
        return frame_of(partial(tokens_of, self.tokenize))

    def _id(self, token: str) -> int:
        numbers = self.vocabulary.numbers
        number = numbers.get(token, numbers.get(token.lower()) if self.vocabulary.lowercase else None)
        number = self.vocabulary.unknown if number is None else number
        if number is None:
            raise TextError(
                f"the vocabulary lists no {token[:40]!r} and has no unknown token; give it one (<unk>), or let "
                "tokenizer= leave such words out"
            )
        return number


@dataclass(frozen=True, eq=False)
class PieceReader:
    """Reads the pieces of a Hugging Face tokenizer, its special ones included, as ``tokenizer(text)`` gives them.

    Raises TextError for a blank text, and one that the tokenizer leaves nothing of.
    """

    tokenizer: Any
    pad: int = 0  # for a tokenizer that names no pad token
    segment: Words | None = None

    def __str__(self) -> str:
        return f"pieces of {type(self.tokenizer).__name__}; pad {self.tokens['pad']}"

    @property
    def names_pad(self) -> bool:
        return self.tokenizer.pad_token_id is not None

    def padded(self, number: int) -> PieceReader:
        """The reader with another number to fill batches up."""
        return replace(self, pad=number)

    @cached_property
    def tokens(self) -> Mapping[str, int]:
        ids = {"pad": self.tokenizer.pad_token_id if self.names_pad else self.pad}
        roles = {"unknown": self.tokenizer.unk_token_id, "mask": self.tokenizer.mask_token_id}
        return ids | {role: number for role, number in roles.items() if number is not None}

    @property
    def words(self) -> Sequence[int]:
        special = {*self.tokenizer.all_special_ids, self.tokens["pad"]}
        return [i for i in range(self.size) if i not in special]

    @property
    def size(self) -> int:
        return len(self.tokenizer)

    def read(self, raw: Raw) -> Text:
        from exegesis.models.huggingface.text import Reader as HuggingFaceReader

        if not isinstance(raw, str):
            raise UsageError("this model reads one text at a time, not a pair of texts")
        name = type(self.tokenizer).__name__
        return HuggingFaceReader(self.tokenizer, name, None, False, None, {}, self.segment).read(raw)


def text_of_tokens(raw: str, tokens: Sequence[Placed], ids: Sequence[int]) -> Text:
    """A text of tokens with their places: tokens that share characters are one word."""
    own = [number for number, token in enumerate(tokens) if not token.special]
    words: list[int | None] = []
    word, reached = -1, 0
    for _, start, stop, _ in (tokens[number] for number in own):
        word += start < stop and (start >= reached or word < 0)
        words.append(word if start < stop else None)
        reached = max(reached, stop)
    return Text(
        raw=raw,
        pieces=tuple(token.token for token in tokens),
        ids=tuple(ids),
        offsets=tuple((token.start, token.stop) for token in tokens),
        words=tuple(Span(own[span.start], own[span.stop - 1] + 1) for span in spans_of(homes_of(words))),
        segments=(Span(0, len(tokens)),),
        special=tuple(token.special for token in tokens),
    )


def _regrouped(text: Text, words: Sequence[tuple[int, int]]) -> Text:
    """A text with other words over the same tokens; one that a token straddles is joined to its neighbour."""
    own = [number for number, special in enumerate(text.special) if not special]
    ranges, spans = align(text.raw, [text.offsets[number] for number in own], words)
    offsets = list(text.offsets)
    for number, place in zip(own, ranges, strict=True):
        offsets[number] = place
    over = tuple(Span(own[span.start], own[span.stop - 1] + 1) for span in spans)
    return replace(text, offsets=tuple(offsets), words=over)


def reader_of(vocabulary: object, tokenizer: object, lowercase: bool | None) -> Reader:
    """The reader for the arguments that a user passes to ``wrap``. Raises UsageError if they are not enough."""
    if tokenizer is not None and hasattr(tokenizer, "convert_ids_to_tokens"):
        if not getattr(tokenizer, "is_fast", False) and not readable(tokenizer):
            raise UsageError(f"a {type(tokenizer).__name__} gives no character offsets: take its fast version")
        return PieceReader(tokenizer)
    if tokenizer is not None and not callable(tokenizer):
        raise UsageError(f"tokenizer must be a function from a text to tokens, not {type(tokenizer).__name__}")
    if vocabulary is None:
        raise UsageError(
            "wrap needs vocabulary= (a list of words, or a dict from words to ids) or tokenizer= (a Hugging Face one)"
        )
    listed = Vocabulary.of(vocabulary, lowercase=lowercase, forms=tokenizer is None)
    if tokenizer is not None or isinstance(vocabulary, Vocabulary):
        return WordReader(listed, tokenizer)
    manner = manner_of([word for word in listed.tokens if word], listed.lowercase)
    if manner.warning:
        _log.warning("%s", manner.warning)
    return WordReader(listed, manner.tokenize, manner.name)
