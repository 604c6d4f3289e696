"""Labelled texts made ready for training: labels found, a vocabulary built, texts turned into numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from exegesis.core.errors import TextError, UsageError, unknown
from exegesis.core.text import Text
from exegesis.data.examples import Example
from exegesis.data.marks import marks_of
from exegesis.models.text.vocabulary import Vocabulary

NEUTRAL = -1  # the class number of a text that speaks for no class


@dataclass(frozen=True)
class Batch:
    """``ids`` are padded on the right; ``classes`` are numbers of labels, or NEUTRAL; ``marks`` as in ``Lesson``."""

    ids: Int[Tensor, "b t"]
    lengths: Int[Tensor, " b"]
    classes: Int[Tensor, " b"]
    marks: Float[Tensor, "b t"] | None = None

    def to(self, device: torch.device) -> Self:
        """Copy the batch to a device; lengths stay on the CPU, where packing needs them."""
        marks = None if self.marks is None else self.marks.to(device)
        return type(self)(self.ids.to(device), self.lengths, self.classes.to(device), marks)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Texts as ids, each with the number of its class, and the marks of its pieces if there are any."""

    texts: tuple[Int[Tensor, " _"], ...]
    classes: tuple[int, ...]
    pad: int
    marks: tuple[Float[Tensor, " _"], ...] = ()

    @classmethod
    def of(
        cls,
        examples: Sequence[Example],
        vocabulary: Vocabulary,
        labels: Sequence[str],
        neutral: str | None = None,
        marks: Sequence[Any] | None = None,
    ) -> Self:
        """Read the texts, and what people marked in each (see ``data.marks``; None for a text without marks).

        Raises TextError for a text without words, UsageError for a label not in ``labels`` and for marks that do not
        fit.
        """
        numbers = {label: n for n, label in enumerate(labels)}
        if neutral is not None:
            numbers[neutral] = NEUTRAL
        texts, classes, marked = [], [], []
        for at, example in enumerate(examples):
            if example.label not in numbers:
                raise unknown("label", example.label, labels)
            try:
                text = vocabulary.read(pair(example) if vocabulary.pairs else single(example))
            except TextError as error:
                raise TextError(f"example {example.id}: {error}") from None
            texts.append(torch.tensor(text.ids))
            classes.append(numbers[example.label])
            if marks is not None:
                marked.append(_pieces_marked(text, marks[at], f"example {at + 1}"))
        return cls(tuple(texts), tuple(classes), vocabulary.pad, tuple(marked))

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def contents(self) -> tuple[tuple[int, ...], ...]:
        """The ids of each text, as values that can be compared."""
        return tuple(tuple(text.tolist()) for text in self.texts)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Some texts, in the order given."""
        texts = [self.texts[i] for i in rows]
        return Batch(
            ids=pad_sequence(texts, batch_first=True, padding_value=self.pad),
            lengths=torch.tensor([len(text) for text in texts]),
            classes=torch.tensor([self.classes[i] for i in rows]),
            marks=pad_sequence([self.marks[i] for i in rows], batch_first=True) if self.marks else None,
        )

    def in_order(self, size: int) -> Iterator[Batch]:
        """Every text, sorted by length so that little is padded."""
        rows = sorted(range(len(self)), key=lambda i: len(self.texts[i]))
        return (self.batch(rows[i : i + size]) for i in range(0, len(rows), size))

    def shuffled(self, size: int, generator: torch.Generator) -> list[list[int]]:
        """Rows of random batches of texts of like length: shuffled, sorted within 100 batches, shuffled again."""
        rows = torch.randperm(len(self), generator=generator).tolist()
        batches = []
        for start in range(0, len(rows), 100 * size):
            pool = sorted(rows[start : start + 100 * size], key=lambda i: len(self.texts[i]))
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        order = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[i] for i in order]

    def fingerprint(self) -> str:
        """A hash of every id and class, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for text, number in zip(self.texts, self.classes, strict=True):
            digest.update(f"{number} {len(text)} ".encode())
            digest.update(text.numpy().tobytes())
        for marks in self.marks:
            digest.update(marks.numpy().tobytes())
        return digest.hexdigest()


def _pieces_marked(text: Text, given: Any, where: str) -> Float[Tensor, " _"]:
    """1 for each piece of a marked word, 0 for the others; NaN everywhere in a text without marks."""
    if given is None:
        return torch.full((len(text),), torch.nan, dtype=torch.float32)
    pieces = torch.zeros(len(text), dtype=torch.float32)
    for word, told in zip(text.words, marks_of(text, given, where).tolist(), strict=True):
        pieces[word.start : word.stop] = float(told)
    return pieces


def single(example: Example) -> str:
    """The example's text. Raises UsageError for a pair, which these classifiers do not read."""
    if isinstance(example.text, str):
        return example.text
    raise UsageError("the examples are pairs of texts; give a column with a single text (--text)")


def pair(example: Example) -> tuple[str, str]:
    """The example's two texts. Raises UsageError for a single text, which a classifier of pairs does not read."""
    if isinstance(example.text, tuple):
        return example.text
    raise UsageError("the examples are single texts; give the column of the second text (--pair)")


def find_labels(examples: Iterable[Example], neutral: str | None = None) -> tuple[str, ...]:
    """The labels that occur, sorted (as numbers if all are numbers), without ``neutral``.

    Raises UsageError if an example has no label, or if fewer than two labels occur.
    """
    labels = set()
    for example in examples:
        if example.label is None:
            raise UsageError(f"a training example has no label ({str(example.text)[:40]!r}); give its column (--label)")
        labels.add(example.label)
    labels.discard(neutral or "")
    if len(labels) < 2:
        raise UsageError(f"the training examples have {len(labels)} label(s); give at least two, or the right column")
    numeric = all(label.isdecimal() for label in labels)
    return tuple(sorted(labels, key=lambda label: (int(label), label) if numeric else (0, label)))


def renamed(examples: Sequence[Example], names: Mapping[str, str]) -> list[Example]:
    """The examples with new names for their labels; labels without a new name keep theirs."""
    return [Example.of(example.text, names.get(example.label or "", example.label)) for example in examples]


def split_off(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """A seeded split into the rest and a ``share`` (at least one), by content: equal texts fall together."""
    texts = sorted({str(example.text) for example in examples})
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    held = {texts[i] for i in order[: max(1, round(share * len(texts)))]}
    rest = [example for example in examples if str(example.text) not in held]
    if not rest:
        raise UsageError("too few different texts to set a development split aside; give one (--dev)")
    return rest, [example for example in examples if str(example.text) in held]
