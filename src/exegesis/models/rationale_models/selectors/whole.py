"""All words are kept: the classifier of whole texts beside which selectors are held, and from which they start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.models.rationale_models.selectors.selector import Chooser, Look, Reads, Sizes, selector
from exegesis.models.trained.taught import Lesson, Shares
from exegesis.protocols.selective import Selection

POWER = 3  # of the even number that is the share of a part: a third of the parts hold less than a 27th of the words


@selector(
    "whole",
    summary="keeps all words: the model of whole texts beside which the others are held",
    paper="Lei et al., Rationalizing Neural Predictions",
    year=2016,
)
@dataclass(frozen=True)
class Whole:
    """Every word is kept, and nothing is selected: the encoder of Lei et al. 2016 on the whole text (survey, Eq. 21).

    It has the encoder, the sizes and the training of the models that do select, so that what these lose in accuracy is
    what their selection costs.

    With ``drawn`` it is trained on random parts of the texts: for each text of a batch a share is drawn, the cube of an
    even number from 0 to 1, and every word is kept with that probability, so that many parts are small, or empty. What
    it tells of a part of a text is then the label's distribution given those words, whoever chose them (Jethani et al.
    2021, Eq. 7, with another distribution of parts); of nothing, that of the labels.
    """

    drawn: bool = False
    pairs: bool = False  # of texts

    apart = False

    def build(self, shape: Sizes) -> WholeChooser:
        return WholeChooser(self)


class WholeChooser(Chooser):
    """Nothing to choose."""

    def __init__(self, given: Whole) -> None:
        super().__init__()
        self.given = given

    def choose(self, look: Look) -> Selection:
        return Selection(self.chances(look), look.real)

    def chances(self, look: Look) -> Float[Tensor, "b t"]:
        return look.real.to(look.vectors)

    def loss(self, network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
        if self.given.drawn:
            return part_loss(network, look, lesson)
        return lesson.cross_entropy(network.read(*look.gated(self.chances(look))))

    def fits(self, shares: Shares) -> bool:
        return True


def part_loss(network: Reads, look: Look, lesson: Lesson) -> Float[Tensor, ""]:
    """The mean cross-entropy on random parts of texts: a share is drawn for each, then words with that chance.

    The border of a pair is always there.
    """
    share = torch.rand_like(look.vectors[:, :1, 0]) ** POWER
    drawn = torch.rand(look.real.shape, dtype=share.dtype, device=share.device) < share
    return lesson.cross_entropy(network.read(*look.gated((drawn & look.real | look.border).to(share))))
