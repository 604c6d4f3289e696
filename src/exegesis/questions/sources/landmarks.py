"""Landmarks: the training texts that a classifier by landmarks compares a text with, by relevance propagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import at_least
from exegesis.models.trained.architectures.landmarks import LandmarkClassifier
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Queries, Scored, Training, method

CLEAR = 0.05  # share of the strongest relevance below which a landmark is not named


@method(
    "landmarks",
    summary="relevance of the training texts that a classifier by landmarks compares the text with",
    unit="part of the label's logit that goes with the similarity to the training text",
    paper="Croce, Rossini and Basili, Auditing Deep Learning Processes through Kernel-based Explanatory Models",
    year=2019,
)
@dataclass(frozen=True)
class Landmarks:
    """The relevance R_i of each landmark: that of K(x, l_i), by relevance propagation from the label's logit.

    Through every linear map z_j = Σ_i w_ji a_i + b_j the relevance R_j of z_j is shared as R_i = Σ_j a_i w_ji R_j /
    (z_j + ε sign z_j), through ReLUs it passes unchanged (LRP-ε, Bach et al. 2015, Eq. 58). Σ_i R_i and the account in
    ``details``, the parts of the biases and of ``epsilon``, are the logit (details: ``logit``, ``biases``,
    ``absorbed``). Of a margin it is the difference of what is said of its two logits; of a log-probability or a
    probability, that of the label's logit. Training texts that are no landmarks have NaN.

    The notes hold the sentence of the survey, "since it recalls me of ...", of the landmarks (at most ``named``) that
    speak for the label and have it, and the counter-form of those that speak against it; ``activated`` counts the
    landmarks of a relevance above zero with the label. Raises UnsupportedError for another kind of model, UsageError if
    the training texts do not hold its landmarks.
    """

    epsilon: Annotated[float, at_least(0)] = 1e-6
    named: Annotated[int, at_least(1)] = 2

    def __call__(self, model: Trained, training: Training, queries: Queries) -> Scored:
        module = getattr(model, "module", None)
        if not isinstance(module, LandmarkClassifier):
            raise UnsupportedError(
                f"landmarks explains classifiers by landmarks, which {model.name} is not: train one with exegesis "
                "train --arch landmarks"
            )
        numbers = found(module, training)
        values = torch.full((len(queries.texts), len(training)), torch.nan, dtype=torch.float64)
        details, notes = list[dict[str, Any]](), list[tuple[str, ...]]()
        for row, text in enumerate(queries.texts):
            kernel = module.kernel(
                torch.tensor([text.ids], device=module.gamma.device), torch.tensor([len(text)])
            ).detach()[0]
            target = queries.target.take(torch.tensor([row]))
            sides = [(int(target.index[0, 0]), 1.0)]
            if target.against is not None:
                sides.append((int(target.against[0, 0]), -1.0))
            total, told = torch.zeros(len(numbers), dtype=torch.float64), dict[str, float]()
            for number, sign in sides:
                scores, account = propagated(module.parts(), kernel.double(), number, self.epsilon)
                total += sign * scores.cpu()
                told = {name: told.get(name, 0.0) + sign * value for name, value in account.items()}
            values[row, numbers] = total
            label = model.labels[sides[0][0]]
            alike = torch.tensor([training.labels[number] == label for number in numbers])
            details.append({**told, "landmarks": len(numbers), "cut": module.cut,
                            "activated": int(((total > 0) & alike).sum())})  # fmt: skip
            notes.append((sentence(total, numbers, training, label, self.named),))
        return Scored(values, details, notes)


def found(module: LandmarkClassifier, training: Training) -> list[int]:
    """The numbers of the training texts that are the landmarks. Raises UsageError if one is not among them."""
    firsts: dict[tuple[int, ...], int] = {}
    for number, text in enumerate(training.texts):
        firsts.setdefault(tuple(text.ids), number)
    ids, lengths = module.landmark_ids()
    keys = [tuple(row[:length].tolist()) for row, length in zip(ids, lengths, strict=True)]
    missing = [key for key in keys if key not in firsts]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(keys)} landmarks are not among the training texts: give those that the model was "
            "trained on"
        )
    return [firsts[key] for key in keys]


def propagated(
    parts: Sequence[nn.Linear], kernel: Float[Tensor, " l"], label: int, epsilon: float
) -> tuple[Float[Tensor, " l"], dict[str, float]]:
    """The relevance of each kernel value for a logit, and the account of what none has: biases, what ε absorbs."""
    inputs, outputs = list[Tensor](), list[Tensor]()
    values = kernel
    for number, part in enumerate(parts):
        inputs.append(values)
        weight, bias = part.weight.detach().double(), part.bias
        outputs.append(values @ weight.t() + (0.0 if bias is None else bias.detach().double()))
        values = outputs[-1].clamp_min(0) if 0 < number < len(parts) - 1 else outputs[-1]
    logit = float(outputs[-1][label])
    relevance = torch.zeros_like(outputs[-1])
    relevance[label] = outputs[-1][label]
    biases = absorbed = 0.0
    for part, given, made in zip(reversed(parts), reversed(inputs), reversed(outputs), strict=True):
        held = made + epsilon * torch.where(made < 0, -1.0, 1.0)
        share = torch.where(held == 0, 0.0, relevance / held)
        if part.bias is not None:
            biases += float((part.bias.detach().double() * share).sum())
        absorbed += float((relevance - made * share).sum())
        relevance = given * (share @ part.weight.detach().double())
    return relevance, {"logit": logit, "biases": biases, "absorbed": absorbed}


def sentence(relevance: Float[Tensor, " l"], numbers: Sequence[int], training: Training, label: str, named: int) -> str:
    """The reason as a sentence: the landmarks that speak for the label, and those that speak against it."""
    strongest = float(relevance.abs().max()) if len(relevance) else 0.0
    order = torch.argsort(-relevance, stable=True).tolist()
    clear = [row for row in order if abs(float(relevance[row])) > CLEAR * strongest]
    mine = [row for row in clear if relevance[row] > 0 and training.labels[numbers[row]] == label]
    others = [row for row in reversed(clear) if relevance[row] < 0 and training.labels[numbers[row]] != label]

    def quoted(rows: Sequence[int], also: str) -> str:
        told = [
            f"“{' '.join(training.texts[numbers[row]].raw.split())}”, which {also} to {training.labels[numbers[row]]}"
            for row in rows[:named]
        ]
        return " and of ".join(told)

    if mine:
        told = f"It refers to {label}, since it recalls me of {quoted(mine, 'also refers')}"
    else:
        told = f"No landmark that refers to {label} speaks clearly for it"
    return f"{told}, although it recalls me of {quoted(others, 'refers')}." if others else f"{told}."
