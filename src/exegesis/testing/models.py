"""The contract of a model: the promises of every ability that a model offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor

from exegesis.core.text import Text
from exegesis.nn.context import entry
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Differentiable, Raw, Recurrent, members, offers
from exegesis.testing.toys import TEXTS
from exegesis.testing.traces import Traces

STEP = 1e-4  # of the vectors, for slopes by differences


@dataclass(frozen=True, eq=False)
class Trial:
    """A model on a few texts, which it reads and runs once for all checks."""

    model: Classifier
    texts: tuple[Raw, ...]
    tolerance: float
    before: Traces  # the model's traces before any call

    @cached_property
    def read(self) -> list[Text]:
        """The texts as the model reads them."""
        return [self.model.read(raw) for raw in self.texts]

    @cached_property
    def batch(self) -> Batch:
        """All texts as one batch."""
        return self.model.encode(self.read)

    @cached_property
    def outputs(self) -> Tensor:
        return self.model.outputs(self.batch)

    def demand(self, holds: bool, complaint: str) -> None:
        """Raise AssertionError, which begins with the model's name, unless a condition holds."""
        if not holds:
            raise AssertionError(f"{self.model.name}: {complaint}")

    def close(self, first: Tensor, second: Tensor) -> bool:
        """True if two tensors agree within the tolerance."""
        return first.shape == second.shape and bool(torch.allclose(first, second, rtol=0, atol=self.tolerance))


@entry
def check_model(model: Classifier, texts: Sequence[Raw] = TEXTS, *, tolerance: float = 1e-9) -> None:
    """Hold a model to the contract of every ability that it offers, on a few texts of different lengths.

    For models in float32 give a ``tolerance`` of about 1e-5.

    Raises AssertionError for the first promise that is broken: it has all members of a ``Classifier``, and distinct
    labels; texts are read with offsets inside them and encoded with padding on the right; there is one finite row of
    outputs per text, without a gradient; neighbours in a batch, order and repetition change nothing; every call leaves
    the model as it was; the outputs of a ``Differentiable`` model are those from its own word vectors, and its
    gradients are their slopes; the states of a ``Recurrent`` model, read as ``unroll`` says, give the outputs.
    """
    missing = sorted(name for name in members(Classifier) if not hasattr(type(model), name))
    if missing:
        raise AssertionError(f"{type(model).__name__} offers no {', '.join(missing)}, which every model needs")
    trial = Trial(model, tuple(texts), tolerance, Traces.of(model))
    for check in CHECKS:
        check(trial)


def labels_are_names(trial: Trial) -> None:
    """There are labels, all different, and an id that pads."""
    labels = trial.model.labels
    trial.demand(bool(labels) and len(set(labels)) == len(labels), f"its labels are not distinct: {labels}")
    trial.demand("pad" in trial.model.tokens, "its tokens name no id for padding ('pad')")


def texts_are_read(trial: Trial) -> None:
    """Pieces lie inside the text, words are spans of pieces; the same text is read alike."""
    for raw, text in zip(trial.texts, trial.read, strict=True):
        trial.demand(
            len(text.ids) == len(text.pieces) == len(text.offsets), f"{raw!r}: not one id and offset per piece"
        )
        inside = all(0 <= start <= stop <= len(text.raw) for start, stop in text.offsets)
        trial.demand(inside, f"{raw!r}: an offset lies outside the text")
        words = all(0 <= word.start < word.stop <= len(text) for word in text.words)
        trial.demand(words, f"{raw!r}: a word is not a span of pieces")
        trial.demand(trial.model.read(raw) == text, f"{raw!r}: is read differently on a second call")


def batches_are_padded(trial: Trial) -> None:
    """A batch holds the ids of each text, padded on the right."""
    batch = trial.batch
    trial.demand(len(batch) == len(trial.read), "encode does not give one row per text")
    for row, text in enumerate(trial.read):
        trial.demand(int(batch.mask[row].sum()) == len(text), f"{text.raw!r}: the mask is not one per piece")
        trial.demand(
            batch.ids[row, : len(text)].tolist() == list(text.ids), f"{text.raw!r}: the ids are not the text's"
        )


def outputs_are_numbers(trial: Trial) -> None:
    """Every text has a finite row of outputs without a gradient; probabilities are between 0 and 1."""
    width = trial.model.link.width(len(trial.model.labels))
    shape = tuple(trial.outputs.shape)
    trial.demand(shape == (len(trial.texts), width), f"outputs of shape {shape}, not {(len(trial.texts), width)}")
    trial.demand(bool(torch.isfinite(trial.outputs).all()), "an output is not finite")
    trial.demand(not trial.outputs.requires_grad, "outputs carry a gradient")
    probabilities = trial.model.link.probabilities(trial.outputs)
    finite = probabilities[~probabilities.isnan()]
    trial.demand(bool(((finite >= 0) & (finite <= 1)).all()), "a probability lies outside 0 to 1: its link is another")


def neighbours_change_nothing(trial: Trial) -> None:
    """Each text alone, and in another order, gives the outputs that it gives in the batch."""
    turned = trial.model.outputs(trial.model.encode(trial.read[::-1])).flip(0)
    trial.demand(trial.close(turned, trial.outputs), "outputs depend on the order of the texts in a batch")
    for row, text in enumerate(trial.read):
        alone = trial.model.outputs(trial.model.encode([text]))[0]
        same = trial.close(alone, trial.outputs[row])
        trial.demand(same, f"{text.raw!r}: outputs depend on the other texts in the batch, or on padding")


def repetition_changes_nothing(trial: Trial) -> None:
    """A second call gives equal outputs: no dropout, no state from call to call."""
    again = trial.model.outputs(trial.batch)
    trial.demand(bool(torch.equal(again, trial.outputs)), "a second call gives other outputs: dropout, or a state")


def model_left_alone(trial: Trial) -> None:
    """Weights, flags, gradients, hooks, attributes and random states are as before a call."""
    trial.model.outputs(trial.model.encode(trial.read))
    changed = trial.before.differences(Traces.of(trial.model))
    trial.demand(not changed, f"a call changes its {', '.join(changed)}")


def vectors_give_outputs(trial: Trial) -> None:
    """The outputs of a differentiable model follow from its vectors; gradients are their slopes, and stay outside."""
    if not offers(trial.model, Differentiable):
        return
    model, batch = cast(Differentiable, trial.model), trial.batch
    vectors = model.embed(batch).detach().requires_grad_()
    outputs = model.outputs_from(vectors, batch)
    trial.demand(trial.close(outputs.detach(), trial.outputs), "outputs_from(embed(batch)) are not the outputs")
    (slopes,) = torch.autograd.grad(outputs.sum(), vectors, materialize_grads=True)
    draws = torch.Generator().manual_seed(0)
    step = torch.randn(vectors.shape, generator=draws, dtype=torch.float64).to(vectors)
    size = STEP if vectors.dtype == torch.float64 else 30 * STEP
    ends = [model.outputs_from(vectors.detach() + sign * size * step, batch).detach().sum() for sign in (1, -1)]
    expected, slope = float(ends[0] - ends[1]) / (2 * size), float((slopes * step).sum())
    bound = 1e-3 * max(1.0, abs(expected)) if vectors.dtype == torch.float64 else 0.05 * max(1.0, abs(expected))
    trial.demand(abs(slope - expected) <= bound, f"its gradients are not slopes: {slope:.6g}, but {expected:.6g}")
    changed = trial.before.differences(Traces.of(model))
    trial.demand(not changed, f"a gradient changes its {', '.join(changed)}")


def states_give_outputs(trial: Trial) -> None:
    """The outputs of a recurrent model are its states, weighted and through the linear layer as ``unroll`` says."""
    if not offers(trial.model, Recurrent):
        return
    unrolled = cast(Recurrent, trial.model).unroll(trial.batch)
    trial.demand(trial.close(unrolled.outputs, trial.outputs), "unroll gives other outputs")
    total: Any = unrolled.bias
    for term in unrolled.terms:
        direction = unrolled.layers[-1][term.direction]
        width = direction.hidden.shape[1]
        outside = torch.arange(width, device=direction.lengths.device) >= direction.lengths[:, None]
        states = direction.hidden.masked_fill(outside[..., None], 0.0)
        total = total + (term.weights * states).sum(1) @ term.linear.t()
    trial.demand(trial.close(total.detach(), trial.outputs), "the terms of its states do not sum to the outputs")


CHECKS: tuple[Callable[[Trial], None], ...] = (
    labels_are_names,
    texts_are_read,
    batches_are_padded,
    outputs_are_numbers,
    neighbours_change_nothing,
    repetition_changes_nothing,
    model_left_alone,
    vectors_give_outputs,
    states_give_outputs,
)
