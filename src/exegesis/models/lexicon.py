"""The words that a model knows as one piece each: its own vocabulary, or words of the user's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from exegesis.core.errors import TextError, UnsupportedError, UsageError
from exegesis.models.text.guesses import is_special
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.protocols.lexicon import Lexicon
from exegesis.protocols.model import Classifier

_BEGINS = ("\u0120", "\u2581")  # marks of byte pairs and of unigrams on a piece that begins a word


def lexicon_of(model: Classifier, words: Sequence[str] | None = None) -> Lexicon:
    """The words of a model's vocabulary that have a letter in them, or those of ``words`` that it knows as one piece.

    Raises UnsupportedError if the vocabulary is out of sight, UsageError if fewer than two words are left.
    """
    found = dict(_own(model)) if words is None else dict(_known(model, words))
    if len(found) < 2:
        raise UsageError("fewer than two of the words are single pieces that the model knows; give others")
    ids = list(found)
    return Lexicon(tuple(found[number] for number in ids), torch.tensor(ids, dtype=torch.long))


def _known(model: Classifier, words: Iterable[str]) -> Iterable[tuple[int, str]]:
    unknown = model.tokens.get("unknown")
    for word in words:
        try:
            text = model.read(word)
        except TextError:
            continue
        own = [number for span in text.words for number in text.ids[span.start : span.stop]]
        if len(own) == 1 and own[0] != unknown:
            yield own[0], word


def _own(model: Classifier) -> Iterable[tuple[int, str]]:
    vocabulary = getattr(getattr(model, "reader", None), "vocabulary", None)
    if isinstance(vocabulary, Vocabulary):
        named: Iterable[tuple[int, str]] = enumerate(vocabulary.tokens)
        special = {vocabulary.unknown, *model.tokens.values()}
    else:
        tokenizer: Any = getattr(getattr(model, "reader", None), "tokenizer", None)
        if not hasattr(tokenizer, "get_vocab") or not hasattr(tokenizer, "all_special_ids"):
            raise UnsupportedError(f"the vocabulary of {model.name} is out of sight: give words")
        pieces = tokenizer.get_vocab()
        marked = any(piece.startswith(_BEGINS) for piece in pieces)
        named = ((n, piece) for piece, n in sorted(pieces.items(), key=lambda item: item[1]))
        if marked:
            named = ((n, piece[1:]) for n, piece in named if piece.startswith(_BEGINS))
        special = {*tokenizer.all_special_ids}
    for number, word in named:
        plain = not is_special(word) and not word.startswith("##") and any(map(str.isalpha, word))
        if number not in special and plain:
            yield number, word
