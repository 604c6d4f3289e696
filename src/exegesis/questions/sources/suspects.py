"""How suspicious the label of each training text is, by several signs of a model that was trained on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float

from exegesis.mech.curvature.eigen import Eigen
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton
from exegesis.protocols.loss import loss
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.functions import LIFT
from exegesis.questions.sources.method import Training
from exegesis.questions.sources.nearest import own_label
from exegesis.questions.sources.space import Space, representations

SIGNS = {
    "self-influence": "how much of its own loss a text has taken away by being trained on (∇Lᵀ H⁻¹ ∇L, EK-FAC)",
    "gradient": "the length of the gradient of its loss",
    "loss": "its loss",
    "conformity": "the share of its nearest neighbours that have another label",
    "random": "drawn at random",
}
NEIGHBOURS = 10


def suspicion(model: Trained, training: Training, seed: int) -> Mapping[str, Float[np.ndarray, " n"]]:
    """Each sign (see ``SIGNS``) of every training text; the larger, the more suspicious its label."""
    passes = Passes(model)
    matrix = GaussNewton(passes, training.texts, training.gold)
    eigen = Eigen.of(matrix)
    damping = eigen.dampings(LIFT)
    own, lengths, losses = (np.zeros(len(training)) for _ in range(3))
    for number, (rows, factors) in enumerate(matrix.gradients()):
        own[rows] = eigen.lengths(factors, damping)[0].numpy() / len(training)
        lengths[rows] = factors.squares()[0].double().sqrt().cpu().numpy()
        raw = model.outputs(matrix.parts[number][1])
        losses[rows] = loss(raw, matrix.golds(number), model.link).double().cpu().numpy()
    states = representations(model, training.texts)
    space = Space(states, "l2", "exact")
    alike = own_label([space], training.gold.long(), NEIGHBOURS, torch.arange(len(training)))
    return {
        "self-influence": own,
        "gradient": lengths,
        "loss": losses,
        "conformity": 1 - alike.numpy(),
        "random": torch.rand(len(training), generator=torch.Generator().manual_seed(seed)).double().numpy(),
    }
