"""The vocabulary of a fast Hugging Face tokenizer: pieces of words, and special ones around a text."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from exegesis.core.errors import FileError, UnsupportedError, UsageError
from exegesis.core.text import Span, Text
from exegesis.models.text.vocabulary import Vocabulary

ROLES = ("pad_token", "unk_token", "cls_token", "sep_token", "bos_token", "eos_token", "mask_token")


@dataclass(frozen=True)
class PieceVocabulary(Vocabulary):
    """A tokenizer of pieces as a vocabulary: ``tokens`` are its pieces, ``read`` cuts a text as the tokenizer does.

    ``stated`` is what the tokenizers package writes, as JSON; ``roles`` are the special pieces by role; texts of more
    than ``limit`` pieces are cut at their end.
    """

    stated: str = ""
    roles: tuple[tuple[str, str], ...] = ()
    limit: int | None = None

    @classmethod
    def of_tokenizer(cls, tokenizer: Any, limit: int | None) -> Self:
        """That of a fast tokenizer. Raises UnsupportedError for a slow one, and for one without a pad token."""
        if not getattr(tokenizer, "is_fast", False):
            raise UnsupportedError(f"a {type(tokenizer).__name__} is not a fast tokenizer, which this needs")
        if tokenizer.pad_token_id is None:
            raise UnsupportedError(f"the {type(tokenizer).__name__} has no pad token: take an encoder, which has one")
        names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        roles = tuple((role, str(getattr(tokenizer, role))) for role in ROLES if getattr(tokenizer, role, None))
        return cls(
            tuple(name or "" for name in names), False, tokenizer.pad_token_id, tokenizer.unk_token_id,
            stated=tokenizer.backend_tokenizer.to_str(), roles=roles, limit=limit,
        )  # fmt: skip

    @classmethod
    def from_json(cls, content: str) -> Self:
        """The inverse of ``to_json``. Raises FileError for anything else."""
        try:
            data = json.loads(content)
            roles = tuple((str(role), str(name)) for role, name in data["roles"])
            limit = data["limit"]
            if limit is not None and type(limit) is not int:
                raise TypeError("the limit must be a whole number")
            if any(role not in ROLES for role, _ in roles):
                raise TypeError("a role of a special piece is not known")
            return cls.of_tokenizer(_tokenizer(json.dumps(data["tokenizer"]), roles), limit)
        except Exception as error:  # the tokenizers package has no class of errors of its own
            said = " ".join(str(error).split())[:200]
            raise FileError(f"not a vocabulary ({type(error).__name__}: {said})") from None

    def to_json(self) -> str:
        """Write the tokenizer and its special pieces as a JSON object."""
        content = {"tokenizer": json.loads(self.stated), "roles": [list(role) for role in self.roles],
                   "limit": self.limit}  # fmt: skip
        return json.dumps(content, ensure_ascii=True)

    def manner(self, cut: str = "its tokenizer") -> str:
        return f"pieces cut by {cut}"

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return _tokenizer(self.stated, self.roles)

    @cached_property
    def special(self) -> frozenset[int]:
        return frozenset(self.tokenizer.all_special_ids) - {self.unknown}

    def read(self, raw: str | tuple[str, str]) -> Text:
        """The text as its pieces, those of one word together (``units.kinds_of`` says which); special ones around.

        Raises TextError for a text that the tokenizer leaves nothing of, UsageError for a pair.
        """
        from exegesis.models.huggingface.text import Reader

        if not isinstance(raw, str):
            raise UsageError("this model reads one text at a time, not a pair of texts")
        text = Reader(self.tokenizer, "of these pieces", self.limit, True, None, {}).read(raw)
        last = max(word.stop for word in text.words)
        spans = list[Span]()
        for place in range(last):
            if text.special[place]:
                continue
            if spans and spans[-1].stop == place and self._goes_on[text.ids[place]]:
                spans[-1] = Span(spans[-1].start, place + 1)
            else:
                spans.append(Span(place, place + 1))
        return replace(text, words=tuple(spans))

    @cached_property
    def _goes_on(self) -> tuple[bool, ...]:
        from exegesis.models.rationale_models.units import WORD, Kind, kinds_of

        return tuple(bool(int(kind) & Kind.INSIDE) for kind in kinds_of(self.tokens, WORD, self.special))


def _tokenizer(stated: str, roles: tuple[tuple[str, str], ...]) -> Any:
    """The tokenizer of transformers that reads as it is stated."""
    import tokenizers
    import transformers

    inner = tokenizers.Tokenizer.from_str(stated)
    inner.no_truncation()
    inner.no_padding()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **dict(roles))


def read_vocabulary(content: str) -> Vocabulary:
    """The vocabulary, of words or of pieces, that its ``to_json`` wrote. Raises FileError for anything else."""
    return (PieceVocabulary if '"tokenizer"' in content[:20] else Vocabulary).from_json(content)
