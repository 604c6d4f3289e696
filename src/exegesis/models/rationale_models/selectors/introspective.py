"""Three players: a selector that knows the predicted label, a classifier, one of the complement (Yu et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.parameters import above, at_least, at_most
from exegesis.models.rationale_models.gates import share_of, straight, transitions_of
from exegesis.models.rationale_models.selectors.selector import Chooser, Look, Reads, Sizes, selector, still
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection


@selector(
    "introspective",
    summary="the selector sees the predicted label; a third player must fail on what is left out",
    paper="Yu et al., Rethinking Cooperative Rationalization: Introspective Extraction and Complement Control",
    year=2019,
)
@dataclass(frozen=True)
class Introspective:
    """An introspective selector z(x, y~) with complement control (Yu et al. 2019, Secs. 3.2 and 3.3).

    An introspector predicts y~ from the whole text; each label has a score of its own for every word, and the
    selector uses that of y~. The predictor learns y from z x, with the loss L_p; the complement predictor learns y
    from (1 - z) x, with the loss L_c. The selector makes smaller

        L_p + control max(0, L_p - L_c + margin) + sparsity max(0, mean z - share)
            + coherence mean |z_t - z_{t-1}|,

    so that it is paid for words without which the label cannot be told. Each player follows its own loss alone. When
    the model is used a word is kept if its probability is above 1/2. It deviates from the paper in these: the
    selector's gradient goes straight through its draws (with a bias) instead of a policy gradient, and coherence is
    not bounded. The label that the selector is given may leak into *which* words it keeps: ``exegesis.study.collusion``
    tests that.
    """

    share: Annotated[float, above(0), at_most(1)] = 0.2
    control: Annotated[float, at_least(0)] = 1.0
    margin: Annotated[float, at_least(0)] = 0.1
    sparsity: Annotated[float, at_least(0)] = 0.3
    coherence: Annotated[float, at_least(0)] = 0.1
    temperature: Annotated[float, above(0)] = 0.5

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> IntrospectiveChooser:
        return IntrospectiveChooser(self, shape)


class IntrospectiveChooser(Chooser):
    """A logit of each word for each label, an introspector on the selector's states, and the third player."""

    def __init__(self, given: Introspective, shape: Sizes) -> None:
        super().__init__()
        self.given, self.wanted = given, given.share
        self.score = nn.Linear(shape.states, shape.classes)
        self.introspector = nn.Linear(shape.states, shape.classes)
        self.complement = shape.new_encoder()
        self.verdict = nn.Linear(shape.states, shape.classes)

    def guesses(self, look: Look) -> Float[Tensor, "b c"]:
        """The introspector's logits, from the largest of each component of the states."""
        pooled = look.states.masked_fill(~look.real[..., None], -torch.inf).amax(1)
        logits: Tensor = self.introspector(pooled)
        return logits

    def logits(self, look: Look, labels: Tensor) -> Float[Tensor, "b t"]:
        """The logit of each word to be selected, for one label of each text."""
        scores: Tensor = self.score(look.states)
        return scores.gather(2, labels[:, None, None].expand(-1, scores.shape[1], 1)).squeeze(2)

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        return torch.sigmoid(self.logits(look, self.guesses(look).argmax(1))) * look.real

    def choose(self, look: Look) -> Selection:
        chance = self.chances(look)
        return Selection(chance, chance > 0.5)

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        given, guesses = self.given, self.guesses(look)
        z = straight(self.logits(look, guesses.argmax(1)), given.temperature) * look.real
        hard, rest = z.detach(), (1 - z) * look.real
        players = lesson.losses(guesses) + lesson.losses(network.read(*look.gated(hard)))
        players = players + lesson.losses(self._judged(look, rest.detach()))
        with still(network, self.complement, self.verdict):
            told = lesson.losses(network.read(*look.gated(z, still=True)))
            left = lesson.losses(self._judged(look, rest))
        control = torch.relu(told - left + given.margin)
        many = torch.relu(share_of(z, look.real) - given.share)
        runs = transitions_of(z, look.real) / look.lengths.to(z)
        selector = told + given.control * control + given.sparsity * many + given.coherence * runs
        return lesson.mean(players + selector)

    def _judged(self, look: Look, gate: Float[Tensor, "b t"]) -> Float[Tensor, "b c"]:
        """The third player's logits of what a gate leaves."""
        logits: Tensor = self.verdict(self.complement.read(*look.gated(gate, still=True)))
        return logits
