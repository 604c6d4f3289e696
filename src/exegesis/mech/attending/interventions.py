"""Other weights in the place of a model's attention on one text: permuted, erased, uniform, adversarial."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.core.text import Span
from exegesis.mech.attending.layout import NONE, Layout, outputs_with, read
from exegesis.mech.attending.watch import Watch
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier, Differentiable

CEILING = math.log(2)  # the largest Jensen-Shannon divergence, in nats
TINY = 1e-12


def total_variation(first: Float[Tensor, "*#b c"], second: Float[Tensor, "*#b c"]) -> Float[Tensor, "*b"]:
    """Half the sum of absolute differences of two distributions: 0 if they are equal, at most 1."""
    return (first - second).abs().sum(-1) / 2


def jensen_shannon(first: Float[Tensor, "*#b c"], second: Float[Tensor, "*#b c"]) -> Float[Tensor, "*b"]:
    """The Jensen-Shannon divergence of two distributions in nats, from 0 to ln 2."""
    middle = (first + second) / 2

    def against(one: Tensor) -> Tensor:
        return torch.where(one > 0, one * ((one + TINY).log() - (middle + TINY).log()), torch.zeros_like(one)).sum(-1)

    return ((against(first) + against(second)) / 2).clamp(0.0, CEILING)


@dataclass(frozen=True, eq=False)
class Held:
    """One attention of a model on one text, whose weights can be exchanged.

    ``weights[h, r, k]`` are those of the rows that are looked at: the row of the first piece where it is a special one
    ([CLS], from which such models read), else all rows, the only one of attention that pools. ``shares[k]`` is their
    mean over heads and rows. ``across`` are the pieces of the columns.
    """

    model: Classifier
    batch: Batch
    layout: Layout
    place: int
    rows: tuple[int, ...]
    weights: Float[Tensor, "h r k"]
    across: Span

    @property
    def shares(self) -> Float[Tensor, " k"]:
        """The weight of each column: the mean over heads and rows."""
        return self.weights.mean((0, 1))

    def probabilities(self, others: Float[Tensor, "n h r k"]) -> Float[Tensor, "n c"]:
        """The model's probabilities with each of these weights in the place of its own."""
        step = budget_for("perturbed", self.batch.device).rows_of(self.batch.ids.shape[1])
        raw = []
        for part in torch.split(others, step):
            copies = self.batch.take(torch.zeros(len(part), dtype=torch.long))

            def change(place: int, rows: slice, given: Tensor, part: Tensor = part) -> Tensor | None:
                return self._filled(given, part[rows]) if place == self.place else None

            raw.append(outputs_with(self.model, copies, self.layout, change))
        return self.model.link.probabilities(torch.cat(raw)).double()

    def _filled(self, given: Tensor, others: Tensor) -> Tensor:
        filled = given.clone()
        filled[:, :, list(self.rows)] = others.to(given)
        return filled

    @property
    def own(self) -> Float[Tensor, "1 c"]:
        """The probabilities with the model's own weights."""
        return self.model.link.probabilities(self.model.outputs(self.batch)).double()

    def permuted(self, count: int, generator: torch.Generator) -> Float[Tensor, "n h r k"]:
        """The weights with their columns in orders that are drawn."""
        orders = [torch.randperm(self.weights.shape[-1], generator=generator) for _ in range(count)]
        return torch.stack([self.weights[..., order.to(self.weights.device)] for order in orders])

    def uniform(self) -> Float[Tensor, "1 h r k"]:
        """Equal weights on every column."""
        return torch.full_like(self.weights, 1 / self.weights.shape[-1])[None]

    def erased(self, columns: Int[Tensor, " n"]) -> Float[Tensor, "n h r k"]:
        """The weights without one column, for each of these, the others scaled up to a sum of 1.

        A row that has nothing else is spread evenly over the other columns.
        """
        size = self.weights.shape[-1]
        keep = torch.ones(len(columns), 1, 1, size, dtype=self.weights.dtype, device=self.weights.device)
        keep[torch.arange(len(columns)), 0, 0, columns.to(keep.device)] = 0.0
        left = self.weights * keep
        sums = left.sum(-1, keepdim=True)
        return torch.where(sums > TINY, left / sums.clamp_min(TINY), keep / max(size - 1, 1))

    def adversarial(
        self, starts: int, steps: int, near: float, generator: torch.Generator
    ) -> tuple[float, Float[Tensor, "h r k"]]:
        """Weights as far from the model's own as are found that keep its probabilities, and their divergence.

        The divergence is Jensen and Shannon's between ``shares``; probabilities are kept within a total variation of
        ``near`` (Jain and Wallace 2019, Eq. 5-6). Each of ``starts`` begins somewhere else and climbs for ``steps``
        steps of Adam on the divergence less a penalty. What is returned is measured once more without gradients.
        """
        able: Differentiable = self.model  # type: ignore[assignment]
        copies = self.batch.take(torch.zeros(starts, dtype=torch.long))
        own, shares = self.own, self.shares.double()
        vectors = able.embed(copies).detach()
        drawn = torch.randn(starts, *self.weights.shape, generator=generator).to(self.weights)
        logits = (2 * drawn).requires_grad_()
        with torch.no_grad():
            logits[0] = (self.weights + 1e-6).log() + 0.1 * drawn[0]
        climber = torch.optim.Adam([logits], lr=0.3)
        best, found = 0.0, self.weights
        number = self.layout.places[self.place]
        axes = self.layout.axes(self.place)
        for _ in range(steps):
            others = torch.softmax(logits, -1)

            def change(count: int, given: Tensor, others: Tensor = others) -> Tensor | None:
                if count % len(self.layout.calls) != number:
                    return None
                rows = starts if axes.texts != NONE else 1
                at = (count // len(self.layout.calls)) * rows
                return axes.back(self._filled(axes.turned(given, rows), others[at : at + rows]), given)

            with torch.enable_grad(), Watch(change):
                raw = able.outputs_from(vectors, copies)
            with torch.enable_grad():
                probabilities = self.model.link.probabilities(raw).double()
                moved = total_variation(probabilities, own)
                apart = jensen_shannon(others.mean((1, 2)).double(), shares)
                loss = (100 * torch.relu(moved - 0.5 * near) - apart).sum()
            kept = torch.where(moved.detach() <= near, apart.detach(), torch.zeros_like(apart))
            if float(kept.max()) > best:
                best, found = float(kept.max()), others[int(kept.argmax())].detach()
            climber.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            climber.step()
        if best and float(total_variation(self.probabilities(found[None]), own)[0]) > 1.5 * near:
            return 0.0, self.weights
        return best, found


def held(model: Classifier, batch: Batch, place: int | None = None) -> Held:
    """An attention of a model on a batch of one text, by its number from 1, by default the last one.

    Raises UnsupportedError for a model without attention that can be seen, UsageError for a number that it has not.
    """
    found, text = read(model, batch), batch.texts[0]
    count = len(found.weights)
    if place is not None and not 1 <= place <= count:
        raise UsageError(f"the model has attention 1 to {count}, not {place}")
    number = count - 1 if place is None else place - 1
    axes = found.layout.axes(number)
    weights = found.weights[number]
    down = None if axes.rows == NONE else axes.span(axes.down, text)
    first = down is not None and text.special[down.start]
    rows = (0,) if first else tuple(range(weights.shape[1]))
    return Held(model, batch, found.layout, number, rows, weights[:, list(rows)], axes.span(axes.across, text))
