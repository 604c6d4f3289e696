"""The pool of perturbed texts of many texts, methods and measures: each runs once and is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.text import Text
from exegesis.engine.answer import finite
from exegesis.mech.removal.coalitions import Game, written_out
from exegesis.protocols.batch import Batch, groups
from exegesis.protocols.budget import budget_for
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.questions.trust.measure import DRAWS, RESAMPLE


class Pool:
    """Raw outputs for the texts of a batch by the words kept and the replacement of the others.

    ``resample`` replaces the pieces of the other words by pieces drawn from ``stock`` by their frequency, with the same
    draws for a text whatever is kept; the outputs of all ``DRAWS`` draws are returned. Draws belong to the text.
    """

    def __init__(
        self, model: Classifier, batch: Batch, whole: Float[Tensor, "b c"], stock: Sequence[int], seed: int = 0
    ) -> None:
        """``whole`` holds the model's outputs for the unchanged texts."""
        self.whole = whole
        self.model, self.batch, self.stock, self.seed = model, batch, torch.tensor(list(stock)), seed
        self.games: dict[str, Game] = {}
        self.resampled: dict[tuple[int, int], Float[Tensor, "d c"]] = {}
        self.kept: dict[tuple[str, ...], Sequence[Float[np.ndarray, " _"] | None]] = {}
        self.asked = self.calls = 0

    @property
    def run(self) -> int:
        """The number of perturbed texts that have been run."""
        games = sum(len(outputs) for game in self.games.values() for outputs in game.known)
        return games + sum(len(raw) for raw in self.resampled.values())

    def raw(self, how: str, masks: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ d c"]]:
        """Outputs for the coalitions of each text, float64 on the CPU; one draw, or ``DRAWS`` for ``resample``.

        Raises like ``mech.removal.perturbed.check``.
        """
        before = self.run
        if how == RESAMPLE:
            answers = self._resampled(masks)
        else:
            if how not in self.games:
                self.games[how] = Game(self.model, self.batch, how)
            answers = [raw[:, None] for raw in self.games[how].raw(masks)]
        self.asked += sum(map(len, masks)) * (DRAWS if how == RESAMPLE else 1)
        self.calls += self.run > before
        return answers

    def _resampled(self, masks: Sequence[Sequence[int]]) -> list[Float[Tensor, "_ d c"]]:
        pairs = ((row, mask) for row, of_text in enumerate(masks) for mask in of_text)
        pending = [pair for pair in dict.fromkeys(pairs) if pair not in self.resampled]
        if pending:
            self._compute(pending)
        none = torch.zeros(0, DRAWS, self.model.link.width(len(self.model.labels)), dtype=torch.float64)
        return [
            torch.stack([self.resampled[row, mask] for mask in of_text]) if of_text else none
            for row, of_text in enumerate(masks)
        ]

    def _compute(self, pending: Sequence[tuple[int, int]]) -> None:
        batch, rows = self.batch, torch.tensor([row for row, _ in pending]).repeat_interleave(DRAWS)
        keep = torch.ones(len(pending), batch.ids.shape[1], dtype=torch.bool)
        draws = {row: self._drawn(batch.texts[row]) for row in {row for row, _ in pending}}
        for number, (row, mask) in enumerate(pending):
            keep[number, : len(batch.texts[row])] = torch.from_numpy(written_out(batch.texts[row], [mask])[0])
        lengths = batch.lengths.cpu()[rows].tolist()
        answers: dict[int, Tensor] = {}
        budget = budget_for("replacements", batch.device)
        for part in groups(lengths, budget.pieces, budget.rows):
            at = torch.tensor(part)
            part_batch = batch.take(rows[at])
            width = part_batch.ids.shape[1]
            new = torch.stack([_padded(draws[int(rows[i])][i % DRAWS], width) for i in part])
            ids = torch.where(
                keep[at // DRAWS, :width].to(part_batch.device), part_batch.ids, new.to(part_batch.device)
            )
            raw = finite(self.model.outputs(Batch(ids, part_batch.mask, part_batch.segments)), self.model, "outputs")
            answers |= dict(zip(part, raw.detach().to("cpu", torch.float64), strict=True))
        for number, pair in enumerate(pending):
            self.resampled[pair] = torch.stack([answers[number * DRAWS + draw] for draw in range(DRAWS)])

    def _drawn(self, text: Text) -> Int[Tensor, "d t"]:
        picks = torch.randint(len(self.stock), (DRAWS, len(text)), generator=generator(text, self.seed))
        return self.stock[picks]


def stock_of(texts: Sequence[Text]) -> list[int]:
    """The ids of all pieces of words, as often as they occur in the texts."""
    return [text.ids[piece] for text in texts for word in text.words for piece in range(*word)]


def _padded(ids: Int[Tensor, " t"], width: int) -> Int[Tensor, " w"]:
    return torch.nn.functional.pad(ids, (0, max(width - len(ids), 0)))[:width]


def random_scores(text: Text, size: float, seed: int) -> Float[np.ndarray, " words"]:
    """Normally distributed scores seeded by the text, scaled so that their sum is about as large as ``size``."""
    draws = np.random.default_rng(generator(text, seed + 1).initial_seed())
    count = len(text.words)
    scores: np.ndarray = draws.standard_normal(count) * (abs(size) or 1.0) / np.sqrt(count)
    return scores
