"""HEDGE: cut a text from the whole down to words where its parts interact least (Chen, Zheng and Ji 2020)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import TextError
from exegesis.core.parameters import between
from exegesis.core.progress import Tally
from exegesis.core.text import Span
from exegesis.mech.removal.coalitions import Game, bits, leads, together
from exegesis.mech.removal.perturbed import How
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target
from exegesis.questions.phrases.catalogue import search
from exegesis.questions.phrases.search import Grown, Mark, Trees

MAX_WINDOW = 4  # every cut runs 2^(2 window) coalitions
MAX_COALITIONS = 1 << 20  # the most coalitions of one text

Coalitions = list[int]
Values = Float[Tensor, "_ 2"]  # the number and the lead of each coalition


@search("hedge", paper="Chen, Zheng and Ji 2020")
@dataclass(frozen=True)
class Hedge:
    """Cut a text from above; a phrase's score is the lead of the explained label if only the phrase is kept (Eq. 5).

    Each step cuts the phrase, and the place in it, whose two parts have the smallest Shapley interaction (the paper's
    partition score, Eq. 1-4): the interaction index of Grabisch and Roubens of the two parts among themselves and up to
    ``window`` phrases on either side, with the weights of as many players. The index keeps its sign, as in the paper,
    so parts that work against each other are cut first. A phrase's ``interaction`` is that of the cut through it, its
    ``step`` is the number of the cut. Interactions are those of the explained number. Scores are leads: the number of
    the explained label less that of the strongest other label, in the same unit (``mech.removal.coalitions.leads``), as
    in the paper; views say so beside the number. For a margin, and for a label without a rival, the lead is the number
    itself.

    ``how`` says what replaces the other words: ``pad`` as in the paper, or another way of leave-one-out. Ties go to the
    first place in reading order. The search deviates from the paper's released code in one point: the code gives the
    coalitions in the window the weights of all phrases of the text; here they have those of the window, as in Eq. 4.

    Raises TextError for a text that needs more than a million coalitions.
    """

    window: Annotated[int, between(0, MAX_WINDOW)] = 2
    how: How = "pad"

    @property
    def scored(self) -> str:
        return "the lead of the label over the strongest other where only the phrase is kept"

    @property
    def complete(self) -> bool:
        return False

    def passes(self, words: int) -> int:
        """The coalitions around a phrase at each of its cuts, with phrases that are cut near their middles."""
        return 2 * (1 << 2 * self.window) * words * max(1, words.bit_length())

    def __call__(self, model: Classifier, batch: Batch, target: Target, trees: Trees) -> list[Grown]:
        game = Game(model, batch, self.how)

        def answer(requests: Sequence[Coalitions | None]) -> list[Values]:
            masks = [coalitions or [] for coalitions in requests]
            for row, values in enumerate(game.known):
                if len(values) > MAX_COALITIONS:
                    words = len(batch.texts[row].words)
                    raise TextError(
                        f"hedge needs more than {MAX_COALITIONS} coalitions for a text of {words} words: take a "
                        "smaller window, a shorter text, or the search acd"
                    )
            raws = game.raw(masks)
            numbers = game.numbers(target, masks)
            return [
                torch.stack([number[:, 0], leads(target, raw, row)], 1)
                for row, (number, raw) in enumerate(zip(numbers, raws, strict=True))
            ]

        counts = [len(text.words) for text in batch.texts]
        tally = Tally("cuts made", sum(counts) - len(counts))
        return together([self._cut(words, game, row, tally) for row, words in enumerate(counts)], answer)

    def _cut(self, words: int, game: Game, row: int, tally: Tally) -> Generator[Coalitions, Values, Grown]:
        """The search on one text: yields coalitions and receives their values."""
        phrases = [Span(0, words)]
        cuts: dict[Span, tuple[float, int]] = {}
        strengths_by_window: dict[tuple[Span, ...], list[float]] = {}
        while len(phrases) < words:
            places = [place for place, phrase in enumerate(phrases) if phrase.width > 1]
            windows = {place: self._window(phrases, place) for place in places}
            new = [place for place in places if windows[place] not in strengths_by_window]
            coalitions = [self._coalitions(phrases, place) for place in new]
            values = (yield [mask for masks in coalitions for mask in masks])[:, 0]
            for place, part in zip(new, torch.split(values, [len(masks) for masks in coalitions]), strict=True):
                strengths_by_window[windows[place]] = self._interactions(phrases, place, part)
            lowest = min(min(strengths_by_window[windows[place]]) for place in places) + game.tolerance[row]
            place = next(place for place in places if min(strengths_by_window[windows[place]]) <= lowest)
            strengths = strengths_by_window[windows[place]]
            at = next(number for number, strength in enumerate(strengths) if strength <= lowest)
            phrase = phrases[place]
            cuts[phrase] = (strengths[at], len(cuts) + 1)
            tally.add(1)
            middle = phrase.start + 1 + at
            phrases[place : place + 1] = [Span(phrase.start, middle), Span(middle, phrase.stop)]
        spans = [*cuts, *(phrase for phrase in phrases if phrase not in cuts)]
        scores = (yield [bits(phrase) for phrase in spans])[:, 1].tolist()
        marks = {phrase: Mark(score) for phrase, score in zip(spans, scores, strict=True)}
        for phrase, (interaction, step) in cuts.items():
            marks[phrase] = Mark(marks[phrase].score, interaction, step)
        return Grown(marks)

    def _window(self, phrases: Sequence[Span], place: int) -> tuple[Span, ...]:
        """The phrases that may interact in a cut at a place, the phrase itself first."""
        near = [*phrases[max(0, place - self.window) : place], *phrases[place + 1 : place + 1 + self.window]]
        return (phrases[place], *near)

    def _coalitions(self, phrases: Sequence[Span], place: int) -> Coalitions:
        """The coalitions around a phrase, for every subset S of its neighbours: S, S with the phrase, S with a part."""
        phrase, *near = self._window(phrases, place)
        subsets = _subsets([bits(neighbour) for neighbour in near])
        whole = bits(phrase)
        coalitions = [*subsets, *(subset | whole for subset in subsets)]
        for middle in range(phrase.start + 1, phrase.stop):
            part = bits(Span(phrase.start, middle))
            coalitions += [subset | part for subset in subsets]
            coalitions += [subset | (whole ^ part) for subset in subsets]
        return coalitions

    def _interactions(self, phrases: Sequence[Span], place: int, values: Float[Tensor, " n"]) -> list[float]:
        """The Shapley interaction of the two parts at each cut of a phrase, from the values of ``_coalitions``."""
        near = len(self._window(phrases, place)) - 1
        sizes = torch.tensor([number.bit_count() for number in range(1 << near)])
        weights = [factorial(s) * factorial(near - s) / factorial(near + 1) for s in range(near + 1)]
        sums = values.reshape(-1, 1 << near) @ torch.tensor(weights, dtype=values.dtype)[sizes]
        none, both, sides = sums[0], sums[1], sums[2:].reshape(-1, 2).sum(1)
        interactions: list[float] = (none + both - sides).tolist()
        return interactions


def _subsets(masks: Sequence[int]) -> list[int]:
    """The unions of all subsets, in the order of the subsets' numbers."""
    unions = [0]
    for mask in masks:
        unions += [union | mask for union in unions]
    return unions
