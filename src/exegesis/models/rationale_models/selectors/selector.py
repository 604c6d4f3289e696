"""What a selector is: a frozen dataclass of its parameters, registered by name, which builds the part that chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from exegesis.core.registry import Registry
from exegesis.models.rationale_models.encoders import Encoder
from exegesis.models.rationale_models.units import Units
from exegesis.models.trained.taught import WHOLE, Lesson, Shares
from exegesis.protocols.selective import Selection

LOST = 0.6  # share of texts of which nothing is kept, above which an epoch is not kept
SLACK, ROOM = 1.25, 0.02  # a share of words may be so much above the wanted one, by a factor and by a sum


@dataclass(frozen=True, eq=False)
class Look:
    """What a selector sees of a batch: its states ``[b, u, h]``, and the vectors ``[b, t, d]`` that are to be read.

    ``real`` is true on units, ``border`` on that between the texts of a pair, which is always kept; ``lengths`` counts
    the units of each text. A unit is a piece, or what ``units`` says; ``pieces`` then counts the pieces of each text.
    """

    states: Float[Tensor, "b u h"]
    vectors: Float[Tensor, "b t d"]
    real: Bool[Tensor, "b u"]
    border: Bool[Tensor, "b u"]
    lengths: Int[Tensor, " b"]
    pieces: Int[Tensor, " b"] | None = None
    units: Units | None = None

    def gated(
        self, gate: Float[Tensor, "n u"], *, still: bool = False
    ) -> tuple[Float[Tensor, "n t d"], Float[Tensor, "n t"], Int[Tensor, " n"]]:
        """What a reader is given of texts with these gates of units: vectors, gates of pieces, and lengths.

        With several gates for each text n is a multiple of b: all texts once, then all again. ``still`` vectors take no
        gradient.
        """
        times = len(gate) // len(self.vectors)
        vectors = self.vectors.detach() if still else self.vectors
        if times > 1:
            vectors = vectors.expand(times, *vectors.shape).flatten(0, 1)
        spread = gate if self.units is None else self.units.spread(gate)
        return vectors, spread, (self.lengths if self.pieces is None else self.pieces).repeat(times)

    def marked(self, marks: Float[Tensor, "b t"]) -> Float[Tensor, "b u"]:
        """The marks of units, from those of pieces; NaN in texts without any."""
        if self.units is None:
            return marks[:, : self.real.shape[1]]
        return self.units.marked(marks[:, : self.units.numbers.shape[1]])


class Reads(Protocol):
    """A network as a selector's objective sees it: ``read`` gives the logits of what gates leave of a text.

    It is ``decide`` of ``represent``, the vector that sums up what is left. ``players`` are the modules behind both.
    """

    @property
    def players(self) -> tuple[nn.Module, ...]: ...
    def represent(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]: ...
    def decide(self, vector: Float[Tensor, "b h"]) -> Float[Tensor, "b c"]: ...
    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]: ...


class Chooser(nn.Module):
    """The trained part of a selector. ``wanted`` is the share of words that it is to keep; None for no such wish."""

    wanted: float | None = None

    def choose(self, look: Look) -> Selection:
        """The words that are kept when the model is used; nothing is drawn."""
        raise NotImplementedError

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        """The probability of each word to be selected, with a gradient."""
        raise NotImplementedError

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        """The number that a step of training makes smaller, in nats a text and what is added to them."""
        raise NotImplementedError

    def answer(self, network: Reads, look: Look) -> tuple[Float[Tensor, "b c"], Selection]:
        """The logits of texts and what is kept of them; the logits are those of the kept words alone."""
        selection = self.choose(look)
        return network.read(*look.gated(selection.gates)), selection

    def begin(self, network: Reads) -> None:
        """Take from a classifier that can read already what the selector needs of one."""

    def silence(self, shares: Float[Tensor, " c"]) -> Float[Tensor, " c"]:
        """The logits of nothing: those that say the labels' ``shares`` of the training texts."""
        return torch.log(shares)

    def fits(self, shares: Shares) -> bool:
        """True if texts are not kept whole, most are not lost, and the selection is about as small as wanted."""
        limit = 1.0 if self.wanted is None else self.wanted * SLACK + ROOM
        return shares.whole <= WHOLE and shares.none <= LOST and shares.selected <= limit


class Selector(Protocol):
    """The parameters of a selector.

    ``apart``: its states are made of word vectors of their own. ``pairs``: it reads pairs of texts.
    """

    @property
    def apart(self) -> bool: ...
    @property
    def pairs(self) -> bool: ...
    def build(self, shape: Sizes) -> Chooser: ...


class Sizes(Protocol):
    """The sizes of the network that a selector is part of."""

    @property
    def encoder(self) -> str: ...
    @property
    def embedding(self) -> int: ...
    @property
    def hidden(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def states(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def base(self) -> str: ...
    @property
    def depths(self) -> tuple[int, ...]: ...
    def new_encoder(self) -> Encoder: ...


@dataclass(frozen=True)
class Card:
    """The public facts about a selector."""

    name: str
    summary: str
    paper: str
    year: int
    cls: type


SELECTORS: Registry[Card] = Registry("selector")
T = TypeVar("T", bound=type)


def selector(name: str, *, summary: str, paper: str, year: int) -> Callable[[T], T]:
    """Register a frozen dataclass as a selector; its parameters are checked by their annotations from then on."""

    def register(cls: T) -> T:
        SELECTORS.add(Card(name, summary, paper, year, cls))
        return cls

    return register


class Scorer(Chooser):
    """A chooser with one logit for each word: a linear layer on its state."""

    def __init__(self, states: int) -> None:
        super().__init__()
        self.score = nn.Linear(states, 1)

    def logits(self, look: Look) -> Float[Tensor, "b t"]:
        """The logit of each word to be selected."""
        scores: Tensor = self.score(look.states).squeeze(-1)
        return scores

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        return torch.sigmoid(self.logits(look)) * look.real


class Constraint(nn.Module):
    """A Lagrange multiplier that holds a number at or below a wanted value (Bastings et al. 2019, Sec. 4.2).

    With v the violation (the number of the batch less the wanted value) and m its moving average, the multiplier is
    ``lambda <- lambda exp(rate m)`` after each batch, from ``first`` and up to ``most``, and the loss gets
    ``lambda v``: its value is that of the average, its gradient that of the batch. The multiplier takes no gradient.
    Both are part of the saved state. With ``eased`` a batch that holds the constraint is not pushed further: its
    gradient is zero (the multiplier falls slowly, and would push gates to where they have no gradient any more).
    """

    multiplier: Tensor
    average: Tensor

    def __init__(
        self, wanted: float, rate: float = 0.01, keep: float = 0.99, first: float = 0.01, most: float = 100.0,
        eased: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.wanted, self.rate, self.keep, self.most, self.eased = wanted, rate, keep, most, eased
        self.register_buffer("multiplier", torch.tensor(first, dtype=torch.float32))
        self.register_buffer("average", torch.zeros((), dtype=torch.float32))

    def forward(self, value: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """The penalty for a batch; moves the multiplier."""
        violation = value - self.wanted
        with torch.no_grad():
            self.average.mul_(self.keep).add_(violation.detach().to(self.average) * (1 - self.keep))
            self.multiplier.mul_(torch.exp(self.rate * self.average)).clamp_(1e-5, self.most)
        slope = violation.clamp(min=0) if self.eased else violation
        return self.multiplier * (slope + (self.average - slope.detach()))


@contextmanager
def still(network: Reads, *modules: nn.Module) -> Iterator[None]:
    """Within the block the classifier and these modules pass gradients on and take none for their own weights."""
    weights = [weight for module in (*network.players, *modules) for weight in module.parameters()]
    before = [weight.requires_grad for weight in weights]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, flag in zip(weights, before, strict=True):
            weight.requires_grad_(flag)


def supervised(chances: Float[Tensor, "b t"], marks: Float[Tensor, "b t"], look: Look) -> Float[Tensor, ""]:
    """The mean cross-entropy of the chances with marks in nats a word, over texts that have marks; else zero.

    Chances count as at least 1e-6 away from 0 and 1, and the border of a pair is no word.
    """
    marked = torch.isfinite(marks) & look.real & ~look.border
    losses = functional.binary_cross_entropy(
        chances.clamp(1e-6, 1 - 1e-6), torch.nan_to_num(marks).to(chances), reduction="none"
    )
    return (losses * marked).sum() / marked.sum().clamp(min=1)
