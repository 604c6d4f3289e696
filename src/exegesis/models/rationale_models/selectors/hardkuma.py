"""HardKuma: gates with exact zeros and ones that take gradients, held to a wanted share (Bastings et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from exegesis.core.parameters import above, at_most
from exegesis.models.rationale_models.gates import HardKumaraswamy
from exegesis.models.rationale_models.selectors.selector import Chooser, Constraint, Look, Reads, Sizes, selector
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection

FLOOR = 0.05  # added to both parameters, which are above it
FIRST, MOST = 0.5, 5.0  # of the multipliers; far above, a word costs more than it can tell


@selector(
    "hardkuma",
    summary="gates of 0, of 1 and between, with gradients; a multiplier holds the share of words",
    paper="Bastings et al., Interpretable Neural Predictions with Differentiable Binary Variables",
    year=2019,
)
@dataclass(frozen=True)
class HardKuma:
    """Gates z_t ~ HardKuma(a_t, b_t), the parameters from the state of word t (Bastings et al. 2019, Sec. 4.1).

    The objective is the cross-entropy of what the gates leave, under two constraints with a multiplier each
    (Sec. 4.2): the expected share of words with z_t > 0,

        E[L0] / T = (1 / T) sum_t (1 - P(z_t = 0)),

    at most ``share``, and the expected number of changes between neighbours that are zero and not zero,

        (1 / T) sum_t P(z_t = 0) (1 - P(z_{t+1} = 0)) + (1 - P(z_t = 0)) P(z_{t+1} = 0),

    at most ``changes`` (1: no constraint). Both are closed forms, as the gates of a text are independent given it.
    ``rate`` is that of the multipliers. A batch within a constraint is not pushed further by it: both are upper limits,
    and a multiplier that goes on closes every gate for good, as a gate has no gradient at P(z = 0) = 1.

    When the model is used, a word is gone if z = 0 is likelier than z = 1 and than a value between; it counts fully
    if z = 1 is the likeliest, else as E[z]. The chance of a word is P(z > 0). It deviates from the paper in these: E[z]
    is that of the clipped gate (the published code takes the mean of K before stretching), gates act on the recurrence
    as well as on the vectors, so that a zero removes the word, parameters are softplus(.) + 0.05 rather than clamped,
    multipliers start at 0.5, and constraints that hold have no gradient (in the published code a multiplier near zero).
    """

    share: Annotated[float, above(0), at_most(1)] = 0.2
    changes: Annotated[float, above(0), at_most(1)] = 1.0
    rate: Annotated[float, above(0)] = 0.05

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> HardKumaChooser:
        return HardKumaChooser(self, shape.states)


class HardKumaChooser(Chooser):
    """Two positive parameters from the state of each word."""

    def __init__(self, given: HardKuma, states: int) -> None:
        super().__init__()
        self.wanted = given.share
        self.score = nn.Linear(states, 2)
        hold = partial(Constraint, rate=given.rate, first=FIRST, most=MOST, eased=True)
        self.few, self.calm = hold(given.share), hold(given.changes) if given.changes < 1 else None

    def gates(self, look: Look) -> HardKumaraswamy:
        """The distribution of the gate of each word."""
        a, b = (functional.softplus(self.score(look.states)) + FLOOR).unbind(-1)
        return HardKumaraswamy(a, b)

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        return self.gates(look).log_above(0.0).exp() * look.real

    def choose(self, look: Look) -> Selection:
        gates = self.gates(look)
        zero, one = gates.zero, gates.one
        between = 1 - zero - one
        kept = ((one >= zero) | (between >= zero)) & look.real
        gate = torch.where(one >= between, torch.ones_like(one), gates.mean())
        return Selection((1 - zero) * look.real, kept, gate * kept)

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        gates = self.gates(look)
        logits = network.read(*look.gated(gates.draw() * look.real))
        total: Tensor = lesson.cross_entropy(logits) + self.few(self.expected_share(gates, look))
        if self.calm is not None:
            total = total + self.calm(self.expected_changes(gates, look))
        return total

    @staticmethod
    def expected_share(gates: HardKumaraswamy, look: Look) -> Float[Tensor, ""]:
        """The mean over texts of E[L0] / T."""
        kept: Tensor = ((1 - gates.zero) * look.real).sum(1) / look.lengths.to(gates.a)
        return kept.mean()

    @staticmethod
    def expected_changes(gates: HardKumaraswamy, look: Look) -> Float[Tensor, ""]:
        """The mean over texts of the expected number of changes for each word."""
        zero = gates.zero
        first, second = zero[:, :-1], zero[:, 1:]
        changes = (first * (1 - second) + (1 - first) * second) * look.real[:, 1:]
        mean: Tensor = (changes.sum(1) / look.lengths.to(zero)).mean()
        return mean
