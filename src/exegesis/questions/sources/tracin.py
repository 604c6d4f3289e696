"""TracIn: the steps of training on a text, each with what it did to the number, over kept times of training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from exegesis.core.errors import FileError, UsageError
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import Losses
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method

RATE = "learning_rate"  # the entry of a checkpoint's metadata


@method(
    "tracin",
    summary="what the steps of training on the text did to the number, over kept times of training",
    unit="change of the explained number by the steps of training on the text, one for each kept time",
    paper="Pruthi et al., Estimating Training Data Influence by Tracing Gradient Descent",
    year=2020,
)
@dataclass(frozen=True)
class TracIn:
    """Σ over checkpoints of η (-∇f · ∇L(z)): the change of the number f by a step on z at each, to first order.

    ``checkpoints`` is a folder of .safetensors files with the weights of a model at some times of training, as
    ``exegesis train --keep FOLDER`` writes one after each epoch; their order is that of their names. η is the learning
    rate in the metadata of each (``learning_rate``), 1 where it has none. With gradient descent on one text at a time
    and every step kept, the terms of the texts that were drawn add up to the change of f, to first order in η. Adam's
    steps are not the gradients themselves: there a score tells order, not size. ``weights`` names the weights that
    count, several separated by blanks; all by default.

    Raises UsageError for an empty folder and for weights of another model, FileError for a damaged file.
    """

    checkpoints: str
    weights: str = ""

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        count = len(queries.texts)
        values, used, rates = torch.zeros(count, len(training), dtype=torch.float64), 0, list[float]()
        for rate, kept in read_checkpoints(self.checkpoints, model):
            passes = Passes(model, self.weights.split(), by=kept)
            vectors = queries.gradients(passes, range(count))
            rate_here = 1.0 if rate is None else rate
            values -= rate_here * Losses(passes, training.texts, training.gold).products(vectors).double().cpu()
            used, rates = used + 1, [*rates, rate_here]
        detail = {"checkpoints": used, "learning_rates": rates}
        return Scored(values, [detail for _ in range(count)], [(f"Over {used} checkpoints.",) for _ in range(count)])


def read_checkpoints(folder: str, model: Trained) -> Iterator[tuple[float | None, dict[str, Tensor]]]:
    """The learning rate (None if not known) and the weights of each checkpoint of a folder, by the order of names.

    Raises UsageError for a folder without one and for weights of another model, FileError for a damaged file.
    """
    paths = sorted(Path(folder).glob("*.safetensors")) if folder else []
    if not paths:
        raise UsageError(
            f"{folder!r} holds no .safetensors files of weights: give checkpoints=FOLDER, which exegesis train --keep "
            "FOLDER writes"
        )
    weights = model.weights
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                rate = (file.metadata() or {}).get(RATE)
                kept = {name: file.get_tensor(name) for name in file.keys() if name in weights}  # noqa: SIM118
            number = None if rate is None else float(rate)
        except (OSError, SafetensorError, ValueError, RuntimeError) as error:
            raise FileError(f"{path} is damaged ({' '.join(str(error).split())[:100]}); train again") from None
        for name, weight in weights.items():
            if name not in kept or kept[name].shape != weight.shape:
                raise UsageError(f"{path} has no weights {name} of {list(weight.shape)}: it is of another model")
            kept[name] = kept[name].to(weight)
        yield number, kept
