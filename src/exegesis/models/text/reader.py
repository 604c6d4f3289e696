"""From the user's characters to a module's ids: a vocabulary, or a tokenizer function with a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from exegesis.core.errors import ModelError, TextError, UsageError
from exegesis.core.text import Text, text_of_words
from exegesis.models.huggingface.offsets import readable
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.protocols.model import Raw

Tokenize = Callable[[str], Sequence[str]]
SPECIAL = re.compile(r"[<\[]\S+[>\]]|")  # <s>, [SEP], and a number that no word has


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
    def read(self, raw: Raw) -> Text: ...


@dataclass(frozen=True)
class WordReader:
    """A reader of the words of a vocabulary, by its own rules or by the user's tokenizer function.

    A tokenizer's tokens are looked for in the text from left to right (also in lower case), so that scores belong to
    the user's own characters. Raises ModelError, naming the token, if one is not in the text.
    """

    vocabulary: Vocabulary
    tokenize: Tokenize | None = None

    @cached_property
    def tokens(self) -> Mapping[str, int]:
        tokens = {"pad": self.vocabulary.pad}
        if self.vocabulary.unknown is not None:
            tokens["unknown"] = self.vocabulary.unknown
        for mask in ("<mask>", "[MASK]"):
            if mask in self.vocabulary.numbers:
                tokens["mask"] = self.vocabulary.numbers[mask]
        return tokens

    @property
    def words(self) -> Sequence[int]:
        special = {self.tokens["pad"], self.tokens.get("mask")}
        named = enumerate(self.vocabulary.tokens)
        unknown = self.vocabulary.unknown
        return [i for i, token in named if i == unknown or (i not in special and not SPECIAL.fullmatch(token))]

    @property
    def size(self) -> int:
        return len(self.vocabulary)

    def read(self, raw: Raw) -> Text:
        if not isinstance(raw, str):
            raise UsageError("this model reads one text at a time, not a pair of texts")
        if self.tokenize is None:
            return self.vocabulary.read(raw)
        words = _place(raw, [str(token) for token in self.tokenize(raw)])
        if not words:
            raise TextError("the text is empty or blank; give a text with at least one word")
        return text_of_words(raw, words, [self._id(token) for token, _, _ in words])

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

    @cached_property
    def tokens(self) -> Mapping[str, int]:
        ids = {"pad": self.tokenizer.pad_token_id or 0}
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
        return HuggingFaceReader(self.tokenizer, name, None, False, None, {}).read(raw)


def _place(raw: str, tokens: Sequence[str]) -> list[tuple[str, int, int]]:
    """Each token with its range of characters in the text, in order."""
    lowered = raw.lower() if len(raw.lower()) == len(raw) else raw
    placed, start = [], 0
    for token in tokens:
        at = raw.find(token, start)
        low = lowered.find(token.lower(), start)
        if at < 0 or 0 <= low < at:
            at = low
        if at < 0 or not token:
            raise ModelError(
                f"the tokenizer's token {token[:40]!r} is not in the text behind character {start}, so its score has "
                "no place: let the tokenizer keep the text's characters, or give a fast Hugging Face tokenizer"
            )
        placed.append((token, at, at + len(token)))
        start = at + len(token)
    return placed


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
    return WordReader(Vocabulary.of(vocabulary, lowercase=lowercase), tokenizer)
