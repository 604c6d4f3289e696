"""Language models, which a method may ask for other words at some positions of a text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np

from exegesis.core.errors import ModelError, UsageError
from exegesis.core.parameters import Condition

Words = Sequence[str]
Filling = tuple[str, ...]  # one word for each requested position, in their order


class LanguageModel(Protocol):
    """A model that fills positions of texts with words that could stand there, given the words that stay.

    The draws of a text depend on its words, the positions and the seed, and on nothing else: not on the other texts of
    the call, their number or their order. ``generator`` makes random numbers of that kind.
    """

    @property
    def name(self) -> str:
        """The name of the model in results."""
        ...

    def sample(
        self, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
    ) -> list[list[Filling]]:
        """Draw ``count`` fillings of each text.

        ``texts[i]`` are the words of text i, as its user wrote them; ``positions[i]`` are the numbers of the words to
        replace, rising, each from 0 on (without any, every filling is empty). Element s of element i of the result is
        filling s of text i, with one word for each of ``positions[i]``; a word is not empty and holds no blank. The
        words that stood at the positions must not be read. There may be many texts: an implementation batches them as
        it likes.
        """
        ...


@runtime_checkable
class Counting(Protocol):
    """A language model that says how often it reads a text to fill it."""

    def readings(self, positions: int, count: int) -> int:
        """How often the model reads a text, at most, to draw ``count`` fillings of so many positions."""
        ...


def readings(language: object, positions: int, count: int) -> int:
    """How often a language model, or the one of a name, reads a text to fill it, at most.

    Once for each word that it draws unless it says fewer; the bundled one reads a text once, and once more for each
    filling.
    """
    if not positions:
        return 0
    if language == "bundled":
        return 1 + count
    return language.readings(positions, count) if isinstance(language, Counting) else count * positions


def generator(words: Words, positions: Sequence[int], seed: int) -> np.random.Generator:
    """A random generator that depends on the words that stay, the positions and the seed.

    The words at the positions play no part, so that texts that differ only there are filled alike.
    """
    replaced = set(positions)
    staying = [None if position in replaced else word for position, word in enumerate(words)]
    content = repr((seed, staying, [int(position) for position in positions])).encode("utf-8", "surrogatepass")
    return np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16], "big"))


def fillings(
    model: LanguageModel, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
) -> list[list[Filling]]:
    """Draw fillings from a language model and check them; equal requests are made once.

    Raises UsageError for positions outside the text or not rising, ModelError if the model breaks its promise.
    """
    requests = [(tuple(words), tuple(map(int, numbers))) for words, numbers in zip(texts, positions, strict=True)]
    for words, numbers in requests:
        if list(numbers) != sorted(set(numbers)) or not all(0 <= number < len(words) for number in numbers):
            raise UsageError(f"positions {list(numbers)[:8]} are not rising numbers of the {len(words)} words")
    distinct = [request for request in dict.fromkeys(requests) if request[1]]
    answers: list[list[Filling]] = []
    if distinct:
        answers = model.sample([words for words, _ in distinct], [numbers for _, numbers in distinct], count, seed)
    if len(answers) != len(distinct):
        raise ModelError(f"the language model {model.name} filled {len(answers)} of {len(distinct)} texts")
    by_request: dict[tuple[Filling, tuple[int, ...]], list[Filling]] = {}
    for request, answer in zip(distinct, answers, strict=True):
        by_request[request] = [tuple(filling) for filling in answer]
        _check(model, by_request[request], count, len(request[1]))
    return [by_request[request] if request[1] else [()] * count for request in requests]


def _check(model: LanguageModel, answer: Sequence[Filling], count: int, width: int) -> None:
    if len(answer) != count or any(len(filling) != width for filling in answer):
        raise ModelError(f"the language model {model.name} must give {count} fillings of {width} words per text")
    if any(not word or word.split() != [word] for filling in answer for word in filling):
        raise ModelError(f"the language model {model.name} must fill a position with one word without blanks")


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
