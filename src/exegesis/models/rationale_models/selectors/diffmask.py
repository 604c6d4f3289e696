"""Masks for a model as it is: which words can go without its prediction changing (De Cao et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import UsageError
from exegesis.core.parameters import above, at_least
from exegesis.models.rationale_models.gates import HardConcrete
from exegesis.models.rationale_models.selectors.selector import Chooser, Constraint, Look, Reads, Sizes, selector
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection

OPEN = 2.0  # the logit of a gate at first, so that nearly all words are there


@selector(
    "diffmask",
    summary="masks for a given model, told from its hidden states: what can go without a change of its prediction",
    paper="De Cao et al., How do Decisions Emerge across Layers in Neural Models? Interpretation with Differentiable "
    "Masking",
    year=2020,
)
@dataclass(frozen=True)
class DiffMask:
    """Gates for the words of a given, frozen classifier, told by probes from its hidden states (De Cao et al. 2020).

    A probe for the word vectors (layer 0) and one for the states of each layer up to ``layer`` look at the whole text,
    each state beside the word's own vector (Sec. 2.2); a recurrent classifier shows its top layer alone, as layer 1, a
    Hugging Face one all of its layers. The gate of a word is the product of the hard concrete gates of the layers up
    to ``layer``; a word's vector x becomes z x + (1 - z) b with a learned vector b (Eq. 2). With y the classifier's
    distribution on the whole text and y~ that on the masked one, the objective is

        min E[L0] / T,  subject to  KL(y || y~) <= margin,

    E[L0] the sum over words of P(z > 0), by a multiplier (Eq. 5). No label is used. When the model is used a word is
    kept if P(z > 0) is above 1/2, and its chance is that probability (the published code returns its logarithm). It
    deviates from the paper in these: the multiplier grows by a factor instead of a step, one multiplier serves the mask
    of the chosen layer, and the temperature of the gates is 1/3 (0.2 in the published code). Words are blanked before
    places are added, so that their number and places are seen.

    The learned b is free to speak for a label, whose texts then need no word of their own: where that is no answer,
    without ``learned`` b stays the vector of zeros.
    """

    margin: Annotated[float, above(0)] = 0.1
    layer: Annotated[int, at_least(0)] = 1
    rate: Annotated[float, above(0)] = 0.05
    learned: bool = True

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> MaskingChooser:
        return MaskingChooser(self, shape)


class MaskingChooser(Chooser):
    """The probes: a layer of tanh and a logit for each word, for each layer."""

    def __init__(self, given: DiffMask, shape: Sizes) -> None:
        super().__init__()
        if not shape.base:
            raise UsageError("diffmask needs a trained model whose words are to be masked: give it (--support FOLDER)")
        if given.layer > len(shape.depths):
            raise UsageError(f"layer is {given.layer}, and of this model up to {len(shape.depths)} can be looked at")
        self.given, self.parts = given, (shape.embedding, *shape.depths)
        widths = [shape.embedding, *(shape.embedding + depth for depth in shape.depths)][: given.layer + 1]
        self.probes = nn.ModuleList(
            nn.Sequential(nn.Linear(width, shape.hidden), nn.Tanh(), nn.Linear(shape.hidden, 1)) for width in widths
        )
        self.near = Constraint(given.margin, given.rate, first=1.0)
        for probe in self.probes:
            nn.init.constant_(probe[-1].bias, OPEN)  # type: ignore[index]

    def gates(self, look: Look) -> list[HardConcrete]:
        """The distribution of the gates of each layer."""
        own, *layers = torch.split(look.states, list(self.parts), -1)
        seen = (own, *(torch.cat([own, layer], -1) for layer in layers))
        return [HardConcrete(probe(part).squeeze(-1)) for probe, part in zip(self.probes, seen, strict=False)]

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        product = torch.ones_like(look.states[..., 0])
        for gate in self.gates(look):
            product = product * gate.above(0.0)
        return product * look.real

    def choose(self, look: Look) -> Selection:
        chance = self.chances(look)
        return Selection(chance, chance > 0.5)

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        z = torch.ones_like(look.states[..., 0])
        for gate in self.gates(look):
            z = z * gate.draw()
        with torch.no_grad():
            whole = network.read(*look.gated(look.real.to(look.vectors))).log_softmax(1)
        masked = network.read(*look.gated(z * look.real)).log_softmax(1)
        away = lesson.mean((whole.exp() * (whole - masked)).sum(1))
        few = lesson.mean(self.chances(look).sum(1) / look.lengths.to(z))
        total: Tensor = few + self.near(away)
        return total
