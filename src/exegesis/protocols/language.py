"""What a method may ask of a language model: other words for some places of a text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import numpy as np

from exegesis.core.errors import ModelError, UsageError
from exegesis.core.parameters import Condition

Words = Sequence[str]
Filling = tuple[str, ...]  # one word for each place that was asked for, in the order of the places


class LanguageModel(Protocol):
    """Fills places of texts with words that could stand there, given the words that stay.

    The draws of a text depend on its words, the positions and the seed, and on nothing else: not on the other texts of
    the call, their number or their order. ``generator`` below gives random numbers of that kind.
    """

    @property
    def name(self) -> str:
        """What a result calls it."""
        ...

    def sample(
        self, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
    ) -> list[list[Filling]]:
        """``count`` fillings of each text.

        ``texts[i]`` are the words of text i, as its user wrote them; ``positions[i]`` are the numbers of the words to
        be replaced, rising, each from 0 on (none: every filling is empty). ``found[i][s]`` is filling s of text i,
        with one word for each of ``positions[i]``; a word is not empty and holds no blank. What stood at a position
        must not be looked at. Texts may be many: an implementation batches them as it likes.
        """
        ...


def generator(words: Words, positions: Sequence[int], seed: int) -> np.random.Generator:
    """Random numbers that belong to the words that stay, the positions and the seed.

    The words at the positions play no part, so that texts that differ there alone are filled alike.
    """
    gone = set(positions)
    kept = [None if place in gone else word for place, word in enumerate(words)]
    content = repr((seed, kept, [int(place) for place in positions])).encode("utf-8", "surrogatepass")
    return np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16], "big"))


def fillings(
    model: LanguageModel, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
) -> list[list[Filling]]:
    """What a language model gives, checked. Equal requests are asked for once.

    Raises UsageError for positions that are none of the text's, ModelError where the model breaks its promise.
    """
    keys = [(tuple(words), tuple(map(int, places))) for words, places in zip(texts, positions, strict=True)]
    for words, places in keys:
        if list(places) != sorted(set(places)) or not all(0 <= place < len(words) for place in places):
            raise UsageError(f"positions {list(places)[:8]} are not rising numbers of the {len(words)} words")
    asked = [key for key in dict.fromkeys(keys) if key[1]]
    given = model.sample([words for words, _ in asked], [places for _, places in asked], count, seed) if asked else []
    if len(given) != len(asked):
        raise ModelError(f"the language model {model.name} filled {len(given)} of {len(asked)} texts")
    found: dict[tuple[Filling, tuple[int, ...]], list[Filling]] = {}
    for key, drawn in zip(asked, given, strict=True):
        found[key] = [tuple(filling) for filling in drawn]
        _check(model, found[key], count, len(key[1]))
    return [found[key] if key[1] else [()] * count for key in keys]


def _check(model: LanguageModel, drawn: Sequence[Filling], count: int, width: int) -> None:
    if len(drawn) != count or any(len(filling) != width for filling in drawn):
        raise ModelError(f"the language model {model.name} gave other than {count} fillings of {width} words")
    if any(not word or word.split() != [word] for filling in drawn for word in filling):
        raise ModelError(f"the language model {model.name} filled a place with no word, or with a blank in it")


def is_language_model(value: object) -> bool:
    """True if a value has the members of a ``LanguageModel``."""
    return callable(getattr(value, "sample", None)) and isinstance(getattr(value, "name", None), str)


Language = Annotated[
    Any,
    Condition(
        lambda value: isinstance(value, str) or is_language_model(value),
        noun="a language model, an object with a name and sample(), or the name of one",
        inside=("bundled",),
        outside=(3, ["bundled"]),
    ),
]
