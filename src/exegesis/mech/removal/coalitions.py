"""What a model says of a text of which only some words are kept: the game behind Shapley values and HEDGE.

A coalition of words is a whole number whose bit i says that word i is kept. Coalitions of many texts are pooled, and
each is run once, whichever step of a search asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.progress import tell
from exegesis.core.text import Span, Text
from exegesis.mech.removal.perturbed import Remover, check
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Target

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Found = TypeVar("Found")
POOLED = 1 << 16  # coalitions that are asked for together
CELLS = 1 << 17  # places of coalitions that are written out and run at a time


def bits(words: Span) -> int:
    """The coalition of the words of a span."""
    return ((1 << words.width) - 1) << words.start


def written_out(text: Text, coalitions: Sequence[int]) -> Bool[np.ndarray, "n t"]:
    """For each coalition, which pieces of the text stay. Pieces that belong to no word do."""
    count = len(text.words)
    size = count // 8 + 1
    packed = np.frombuffer(b"".join(one.to_bytes(size, "little") for one in coalitions), dtype=np.uint8)
    present = np.unpackbits(packed.reshape(-1, size), axis=1, bitorder="little").astype(bool)
    owner = np.full(len(text), count)
    for number, word in enumerate(text.words):
        owner[word.start : word.stop] = number
    present[:, count] = True
    return present[:, owner]


class Game:
    """Raw outputs of the texts of a batch by coalition. Each coalition is computed once and its outputs are kept."""

    def __init__(self, model: Classifier, batch: Batch, how: str) -> None:
        """Raises as ``removal.check``."""
        check(model, how)
        self.batch = batch
        self.remover = Remover.of(model, batch, how)
        self.width = model.link.width(len(model.labels))
        self.known: list[dict[int, Float[np.ndarray, " c"]]] = [{} for _ in batch.texts]
        self.tolerance = [0.0] * len(batch.texts)  # how far rounding may move a text's numbers; it decides no tie

    def raw(self, asked: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ c"]]:
        """Raw outputs for the coalitions asked of each text, in order, float64 on the CPU."""
        pairs = ((row, one) for row, masks in enumerate(asked) for one in masks)
        pending = [(row, one) for row, one in dict.fromkeys(pairs) if one not in self.known[row]]
        most = max(CELLS // max(self.batch.ids.shape[1], 1), 1)
        for at in range(0, len(pending), most):
            if len(pending) > most:
                tell("coalitions run", at, len(pending))
            self._compute(pending[at : at + most])
        tell("coalitions run", len(pending), len(pending))
        none = np.zeros((0, self.width))
        return [
            torch.from_numpy(np.stack([self.known[row][one] for one in masks]) if masks else none)
            for row, masks in enumerate(asked)
        ]

    def _compute(self, pending: Sequence[tuple[int, int]]) -> None:
        keep = np.zeros((len(pending), self.batch.ids.shape[1]), dtype=bool)
        rows = np.array([row for row, _ in pending])
        for row in np.unique(rows):
            at: list[int] = np.flatnonzero(rows == row).tolist()
            text = self.batch.texts[row]
            keep[at, : len(text)] = written_out(text, [pending[i][1] for i in at])
        raw = self.remover.keeping(torch.from_numpy(rows), torch.from_numpy(keep))
        slack, every = 64 * torch.finfo(raw.dtype).eps, raw.detach().to("cpu", torch.float64).numpy()
        for (row, one), outputs, largest in zip(pending, every, np.abs(every).max(1).tolist(), strict=True):
            self.known[row][one] = outputs
            self.tolerance[row] = max(self.tolerance[row], slack * largest)

    def numbers(self, target: Target, asked: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ k"]]:
        """The explained numbers for the coalitions asked of each text."""
        return [
            target.to(torch.device("cpu")).take(torch.full((len(raw),), row)).of(raw)
            for row, raw in enumerate(self.raw(asked))
        ]

    def each(self, target: Target, ask: Callable[[int], Sequence[int]]) -> Iterator[tuple[int, Float[Tensor, "_ k"]]]:
        """For each text, by its row, the numbers of the coalitions that ``ask`` wants of it; nothing is kept.

        Texts are asked about together until they want ``POOLED`` coalitions.
        """
        waiting: dict[int, Sequence[int]] = {}
        for row in range(len(self.batch)):
            waiting[row] = ask(row)
            if sum(map(len, waiting.values())) < POOLED and row + 1 < len(self.batch):
                continue
            numbers = self.numbers(target, [waiting.get(one, ()) for one in range(len(self.batch))])
            for one in waiting:
                self.known[one].clear()
                yield one, numbers[one]
            waiting = {}


def leads(target: Target, raw: Float[Tensor, "n c"], row: int) -> Float[Tensor, " n"]:
    """How far the explained label leads over the strongest other: HEDGE's score of what is kept (Eq. 5).

    The difference of logits, or of probabilities where those are explained. Of one output for two labels it is the log
    odds; a margin already is a lead over the label named; a number without a rival (a regression, labels that stand
    each on its own) is taken as it is.
    """
    own = target.to(torch.device("cpu")).take(torch.full((len(raw),), row)).of(raw)[:, 0]
    alone = target.link in (Link.SIGMOID, Link.PROBABILITIES, Link.IDENTITY)
    if target.kind == "margin" or alone or (target.link is Link.BINARY and target.kind == "logit"):
        return own
    every = raw if target.kind == "logit" else target.link.probabilities(raw)
    others = every.clone()
    others[:, int(target.index[row, 0])] = -torch.inf
    return own - others.max(1).values if every.shape[1] > 1 else own


def together(
    searches: Sequence[Generator[Asked, Answer, Found]],
    answer: Callable[[list[Asked | None]], Sequence[Answer]],
) -> list[Found]:
    """Run one search a text side by side: each yields what it wants to know, and all are answered at once.

    ``answer`` gets a question for each search, None for one that has ended.
    """
    found: dict[int, Found] = {}
    asked: list[Asked | None] = [None] * len(searches)
    replies: Sequence[Answer | None] = [None] * len(searches)
    while len(found) < len(searches):
        for number, search in enumerate(searches):
            if number in found:
                continue
            try:
                reply = replies[number]
                asked[number] = next(search) if reply is None else search.send(reply)
            except StopIteration as end:
                found[number], asked[number] = end.value, None
        if len(found) < len(searches):
            replies = answer(asked)
    return [found[number] for number in range(len(searches))]
