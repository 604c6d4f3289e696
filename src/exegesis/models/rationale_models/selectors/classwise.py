"""A rationale for every label, by a game of selectors that argue for and against it (Chang et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from exegesis.core.parameters import above, at_least, at_most
from exegesis.models.rationale_models.gates import share_of, straight, transitions_of
from exegesis.models.rationale_models.selectors.selector import Chooser, Look, Reads, Sizes, selector, still
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.selective import Selection


@selector(
    "class-wise",
    summary="a rationale for every label: a factual and a counterfactual selector against a discriminator",
    paper="Chang et al., A Game Theoretic Approach to Class-wise Selective Rationalization",
    year=2019,
)
@dataclass(frozen=True)
class ClassWise:
    """Class-wise adversarial rationales (CAR; Chang et al. 2019, Sec. 3): three players for each label t.

    The factual selector g_t^f sees texts of the label t, the counterfactual one g_t^c all others, and both select what
    speaks for t. The discriminator d_t learns to tell the two apart,

        - log d_t(g_t^f(x)) for texts of t,   - log(1 - d_t(g_t^c(x))) for others                           (Eq. 1)

    and both selectors make - d_t smaller on their own texts (Eqs. 2 and 3, with h_0 and h_1 the identity), with
    sparsity max(0, mean z - share) + coherence mean |z_t - z_{t-1}|. Where words for t stand in texts of other labels
    as well, d_t cannot tell by them, so that what is left to the factual selector is what others cannot copy.

    When the model is used every label has the rationale of its factual selector (words with a probability above 1/2),
    and the prediction is the label whose discriminator believes its own most; its logit reads that rationale alone (so
    that the probability of a label, a softmax of all logits, depends on the rationales of all labels). It deviates from
    the paper in these: the paper is given the label and predicts nothing; the discriminators of all
    labels share one reader, and the selectors one encoder; gradients go straight through the draws (with a bias).
    """

    share: Annotated[float, above(0), at_most(1)] = 0.2
    sparsity: Annotated[float, at_least(0)] = 0.2
    coherence: Annotated[float, at_least(0)] = 0.1
    temperature: Annotated[float, above(0)] = 0.5

    apart = False
    pairs = False

    def build(self, shape: Sizes) -> ClassWiseChooser:
        return ClassWiseChooser(self, shape)


class ClassWiseChooser(Chooser):
    """A logit of each word for each label, factual and counterfactual."""

    def __init__(self, given: ClassWise, shape: Sizes) -> None:
        super().__init__()
        self.given, self.wanted, self.classes = given, given.share, shape.classes
        self.factual = nn.Linear(shape.states, shape.classes)
        self.counterfactual = nn.Linear(shape.states, shape.classes)

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        """The probability of each word to be selected for any label: the largest."""
        return torch.sigmoid(self.factual(look.states)).amax(2) * look.real

    def choose(self, look: Look) -> Selection:
        raise NotImplementedError("which label's rationale is meant follows from the answer")

    def answer(self, network: Reads, look: Look) -> tuple[Float[Tensor, "b c"], Selection]:
        chances = torch.sigmoid(self.factual(look.states)) * look.real[..., None]
        each = [Selection(chances[..., t], chances[..., t] > 0.5) for t in range(self.classes)]
        logits = torch.stack([network.read(*look.gated(own.gates))[:, t] for t, own in enumerate(each)], 1)
        best, rows = logits.argmax(1), torch.arange(len(logits), device=logits.device)
        kept = torch.stack([own.kept for own in each])[best, rows]
        return logits, Selection(chances[rows, :, best], kept, labelled=tuple(each))

    def silence(self, shares: Float[Tensor, " c"]) -> Float[Tensor, " c"]:
        """Of nothing each discriminator says the share of its own label."""
        return torch.logit(shares.clamp(max=1 - 1e-6))

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        given, own = self.given, lesson.targets.argmax(1)
        certain = (lesson.targets.amax(1) == 1).to(look.vectors)  # texts that speak for no label play no part
        total = look.vectors.new_zeros(len(look.vectors))
        for label in range(self.classes):
            factual = own == label
            logits = torch.where(
                factual[:, None], self.factual(look.states)[..., label], self.counterfactual(look.states)[..., label]
            )
            z = straight(logits, given.temperature) * look.real
            believed = network.read(*look.gated(z.detach()))[:, label]
            told = functional.binary_cross_entropy_with_logits(believed, factual.to(believed), reduction="none")
            with still(network):
                persuaded = torch.sigmoid(network.read(*look.gated(z, still=True))[:, label])
            many = torch.relu(share_of(z, look.real) - given.share)
            runs = transitions_of(z, look.real) / look.lengths.to(z)
            total = total + told - persuaded + given.sparsity * many + given.coherence * runs
        return lesson.mean(total * certain / self.classes)
