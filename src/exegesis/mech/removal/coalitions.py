"""A model's outputs for texts of which only some words are kept: the game of Shapley values and HEDGE.

A coalition of words is an integer whose bit i says that word i is kept. Coalitions of many texts are pooled, and each
runs once, whichever step of a search asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.core.progress import Tally, tell
from exegesis.core.text import Span, Text
from exegesis.mech.removal.perturbed import Remover, check
from exegesis.nn.rounding import tie
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Target

Query = TypeVar("Query")
Answer = TypeVar("Answer")
Outcome = TypeVar("Outcome")


def bits(words: Span) -> int:
    """The coalition of the words of a span."""
    return ((1 << words.width) - 1) << words.start


def owner_of(text: Text) -> Int[np.ndarray, " t"]:
    """The number of the word of each piece; the number of words for a piece of none."""
    owner = np.full(len(text), len(text.words))
    for number, word in enumerate(text.words):
        owner[word.start : word.stop] = number
    return owner


def written_out(text: Text, coalitions: Sequence[int]) -> Bool[np.ndarray, "n t"]:
    """The pieces of the text that stay, for each coalition; pieces that belong to no word stay."""
    count = len(text.words)
    size = count // 8 + 1
    packed = np.frombuffer(b"".join(coalition.to_bytes(size, "little") for coalition in coalitions), dtype=np.uint8)
    present = np.unpackbits(packed.reshape(-1, size), axis=1, bitorder="little").astype(bool)
    present[:, count] = True
    return present[:, owner_of(text)]


class Game:
    """Raw outputs of the texts of a batch by coalition. Each coalition is computed once and its outputs are kept."""

    def __init__(self, model: Classifier, batch: Batch, how: str) -> None:
        """Raises UsageError and UnsupportedError as ``perturbed.check``."""
        check(model, how)
        self.batch = batch
        self.remover = Remover.of(model, batch, how)
        self.width = model.link.width(len(model.labels))
        self.known: list[dict[int, Float[np.ndarray, " c"]]] = [{} for _ in batch.texts]
        self.tolerance = [0.0] * len(batch.texts)  # the effect of rounding on a text's numbers; it must not decide ties

    def raw(self, coalitions: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ c"]]:
        """Raw outputs for some coalitions of each text, in order, float64 on the CPU."""
        pairs = ((row, mask) for row, masks in enumerate(coalitions) for mask in masks)
        pending = [(row, mask) for row, mask in dict.fromkeys(pairs) if mask not in self.known[row]]
        step = max(budget_for("coalitions", self.batch.device).pieces // max(self.batch.ids.shape[1], 1), 1)
        for at in range(0, len(pending), step):
            if len(pending) > step:
                tell("coalitions run", at, len(pending))
            self._compute(pending[at : at + step])
        tell("coalitions run", len(pending), len(pending))
        none = np.zeros((0, self.width))
        return [
            torch.from_numpy(np.stack([self.known[row][mask] for mask in masks]) if masks else none)
            for row, masks in enumerate(coalitions)
        ]

    def _compute(self, pending: Sequence[tuple[int, int]]) -> None:
        keep = np.zeros((len(pending), self.batch.ids.shape[1]), dtype=bool)
        rows = np.array([row for row, _ in pending])
        for row in np.unique(rows):
            at: list[int] = np.flatnonzero(rows == row).tolist()
            text = self.batch.texts[row]
            keep[at, : len(text)] = written_out(text, [pending[i][1] for i in at])
        raw = self.remover.keeping(torch.from_numpy(rows), torch.from_numpy(keep))
        numbers = raw.detach().to("cpu", torch.float64).numpy()
        for (row, mask), outputs, slack in zip(pending, numbers, tie(raw).tolist(), strict=True):
            self.known[row][mask] = outputs
            self.tolerance[row] = max(self.tolerance[row], slack)

    def numbers(self, target: Target, coalitions: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ k"]]:
        """The explained numbers for some coalitions of each text."""
        return [
            target.to(torch.device("cpu")).take(torch.full((len(raw),), row)).of(raw)
            for row, raw in enumerate(self.raw(coalitions))
        ]

    def each(self, target: Target, ask: Callable[[int], Collection[int]]) -> Iterator[tuple[int, Float[Tensor, "_ k"]]]:
        """The rows of the texts, each with the numbers of the coalitions that ``ask`` lists for it; nothing is kept.

        Texts run together until their coalitions reach the budget; those of a text that exceed it run in parts.
        """
        waiting: dict[int, Sequence[int]] = {}
        budget = budget_for("coalitions", self.batch.device)
        rows = budget.rows
        for row, text in enumerate(self.batch.texts):
            asked, held = ask(row), max(1, budget.numbers // len(text.words))
            if len(asked) > held:
                yield row, self._in_parts(target, row, asked, held)
            else:
                waiting[row] = list(asked)
            if sum(map(len, waiting.values())) < rows and row + 1 < len(self.batch):
                continue
            numbers = self.numbers(target, [waiting.get(number, ()) for number in range(len(self.batch))])
            for number in waiting:
                self.known[number].clear()
                yield number, numbers[number]
            waiting = {}

    def _in_parts(self, target: Target, row: int, asked: Collection[int], size: int) -> Float[Tensor, "_ k"]:
        """The numbers of the coalitions of one text, so many at a time."""
        left, numbers, tally = iter(asked), [], Tally("coalitions of a text", len(asked))
        while part := list(islice(left, size)):
            numbers.append(
                self.numbers(target, [part if number == row else () for number in range(len(self.batch))])[row]
            )
            self.known[row].clear()
            tally.add(len(part))
        return torch.cat(numbers)


def leads(target: Target, raw: Float[Tensor, "n c"], row: int) -> Float[Tensor, " n"]:
    """The lead of the explained label over the strongest other label: HEDGE's score of what is kept (Eq. 5).

    It is the difference of logits, or of probabilities if those are explained; for one output and two labels the log
    odds. A margin already is a lead over the named label; a number without a rival (a regression, labels that are
    decided independently) is its own lead.
    """
    number = target.to(torch.device("cpu")).take(torch.full((len(raw),), row)).of(raw)[:, 0]
    alone = target.link in (Link.SIGMOID, Link.PROBABILITIES, Link.IDENTITY)
    if target.kind == "margin" or alone or (target.link is Link.BINARY and target.kind == "logit"):
        return number
    others = raw.clone() if target.kind == "logit" else target.link.probabilities(raw).clone()
    others[:, int(target.index[row, 0])] = -torch.inf
    return number - others.max(1).values if others.shape[1] > 1 else number


def together(
    searches: Sequence[Generator[Query, Answer, Outcome]],
    answer: Callable[[list[Query | None]], Sequence[Answer]],
) -> list[Outcome]:
    """Run one search per text side by side: each yields a query, and all queries are answered at once.

    ``answer`` gets one query per search, None for a search that has ended.
    """
    outcomes: dict[int, Outcome] = {}
    queries: list[Query | None] = [None] * len(searches)
    replies: Sequence[Answer | None] = [None] * len(searches)
    while len(outcomes) < len(searches):
        for number, search in enumerate(searches):
            if number in outcomes:
                continue
            try:
                reply = replies[number]
                queries[number] = next(search) if reply is None else search.send(reply)
            except StopIteration as end:
                outcomes[number], queries[number] = end.value, None
        if len(outcomes) < len(searches):
            replies = answer(queries)
    return [outcomes[number] for number in range(len(searches))]
