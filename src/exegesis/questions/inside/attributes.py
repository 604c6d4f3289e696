"""The attributes of a word that hidden states hold: how much of it remains beyond a concept (Guan et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from exegesis.core.errors import TextError, UsageError, unknown
from exegesis.core.text import Text
from exegesis.data.concepts import Concepts
from exegesis.engine.answer import Task, answer, array
from exegesis.mech.noise.minimum import minima
from exegesis.mech.noise.spread import components
from exegesis.mech.noise.states import Texts, parts
from exegesis.protocols.insides import Site
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask
from exegesis.questions.inside.information import SPREADS, Held, Layers, Measure
from exegesis.results.header import Origin, Subject
from exegesis.results.internals.attributes import GAUSSIAN, READINGS, Attributes


class _Body(NamedTuple):
    layers: tuple[str, ...]
    alone: np.ndarray
    shared: np.ndarray
    error: np.ndarray
    width: int


def attributes(
    model: Classifier,
    text: Text,
    word: int,
    concepts: Concepts,
    measure: Measure,
    choice: Ask,
    layers: Layers,
    reading: str,
    reference: Sequence[Text],
    random: Sequence[str] | None = None,
) -> Iterator[tuple[int, Attributes]]:
    """The attributes of one word of a text (see ``Attributes``); ``reference`` are the texts of the normaliser, and
    ``random`` the words of Eq. 8's expectation over random words, by default those of all concepts together.

    Words that the model does not know, that it cuts into another number of pieces, or that change the other words of
    the text, are left out. Raises UsageError for an unknown reading or a word that is not in the text, TextError for a
    concept none of whose words can stand there, and the errors of ``information``.
    """
    if reading not in READINGS:
        raise unknown("reading", reading, READINGS)
    if not 0 <= word < len(text.words):
        raise UsageError(f"word {word} is not one of the {len(text.words)} words of the text, counted from 0")
    held = Held.of(model, measure, layers, reference)
    sets = {name: _fitting(model, text, word, words) for name, words in concepts.items()}
    for name, found in sets.items():
        if not len(found):
            raise TextError(
                f"none of the {len(concepts[name])} words of the concept {name!r} can stand for "
                f"{text.word_strings()[word]!r}: the model does not know them or cuts them otherwise"
            )
    others = torch.cat(list(sets.values())) if random is None else _fitting(model, text, word, random)
    if not len(others):
        raise TextError("none of the random words can stand in the word's place: the model does not know them")
    yield from answer(model, [text], Described(held, word, sets, others, reading), choice)


@dataclass(frozen=True, eq=False)
class Described:
    """The question of a word's attributes; ``sets`` are the ids that stand for its pieces, by concept, ``others`` those
    of random words."""

    held: Held
    word: int
    sets: dict[str, Tensor]
    others: Tensor
    reading: str

    @property
    def name(self) -> str:
        """The name of the question."""
        return "attributes"

    @property
    def parameters(self) -> str:
        """The measure with its parameters, as code."""
        return self.held.parameters

    def answer(self, task: Task) -> list[_Body]:
        """The attributes of the word of the one text."""
        texts, sites, states, spread, _ = self.held.seen(task, torch.tensor([0]))
        every = torch.cat([*self.sets.values(), self.others])
        distances = self._distances(texts, sites, states, spread[:, 0], every)
        sizes = [len(ids) for ids in self.sets.values()]
        *concepts, others = torch.split(distances, [*sizes, len(self.others)], 1)
        mean = torch.stack([found.mean(1) for found in concepts], 1)
        error = torch.stack([found.std(1, correction=0) / max(found.shape[1] - 1, 1) ** 0.5 for found in concepts], 1)
        alone = others.mean(1)  # log p(x_i|s) is 0 up to the constant
        names = tuple(str(site.place) for site in sites)
        return [_Body(names, array(alone), array(alone[:, None] - mean), array(error), texts.vectors.shape[2])]

    def _distances(
        self, texts: Texts, sites: list[Site], states: list[Tensor], spread: Tensor, every: Tensor
    ) -> Tensor:
        """−log p(x'|s) + log p(x_i|s) at every site for every word that is put in the word's place."""
        measure, span = self.held.measure, texts.batch.texts[0].words[self.word]
        vectors, moved = self._put(texts, every)
        if self.reading == GAUSSIAN:
            cap = SPREADS * components(texts, self.held.drawn)
            found = minima(texts, sites, measure.rate * spread[:, None], cap, measure.search)
            sigma = torch.stack([one.sigma[0, self.word] for one in found])
            squares = (moved - texts.vectors)[:, span.start : span.stop].square().sum((1, 2)).double()
            return squares / (2 * sigma[:, None].square())
        allowed = measure.rate / texts.vectors.shape[2] * spread
        rows = []
        for part in parts(len(every), 1, vectors.shape[1], texts.batch.device):
            index = torch.zeros(part.stop - part.start, dtype=torch.long)
            after = texts.states(sites, moved[part], index)
            rows.append(
                torch.stack(
                    [(new.detach() - old).square().sum(1).double() for new, old in zip(after, states, strict=True)]
                )
            )
        return torch.cat(rows, 1) / allowed[:, None]

    def _put(self, texts: Texts, every: Tensor) -> tuple[Tensor, Tensor]:
        """The word vectors of the text, and of the text with each of the words in the word's place."""
        span = texts.batch.texts[0].words[self.word]
        batch = replace(texts.batch.take(torch.zeros(len(every), dtype=torch.long)), texts=())
        ids = batch.ids.clone()
        ids[:, span.start : span.stop] = every.to(ids.device)
        return texts.vectors, texts.model.embed(replace(batch, ids=ids)).detach()

    def result(self, subject: Subject, origin: Origin, body: _Body) -> Attributes:
        """The attributes of the word."""
        counts = tuple(len(ids) for ids in self.sets.values())
        return Attributes(
            subject, origin, self.word, body.layers, tuple(self.sets), body.alone, body.shared, body.error, counts,
            self.reading, self.held.measure.rate, body.width,
        )  # fmt: skip


def _fitting(model: Classifier, text: Text, word: int, words: Sequence[str]) -> Tensor:
    """The ids of the pieces of each word that fits exactly into the place of a word of the text."""
    span, (start, stop) = text.words[word], text.characters(text.words[word])
    second = len(text.segments) > 1
    if second:
        raise UsageError("the attributes of a word are those of a single text, not of a pair")
    found = list[tuple[int, ...]]()
    for other in words:
        try:
            put = model.read(text.raw[:start] + other + text.raw[stop:])
        except TextError:
            continue
        own = put.ids[span.start : span.stop]
        around = (put.ids[: span.start], put.ids[span.stop :])
        if around == (text.ids[: span.start], text.ids[span.stop :]) and model.tokens.get("unknown") not in own:
            found.append(tuple(own))
    return torch.tensor(found, dtype=torch.long).view(len(found), span.stop - span.start)
