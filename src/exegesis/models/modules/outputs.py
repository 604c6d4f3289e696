"""The meaning of a module's outputs: logits, log-probabilities or probabilities, and of which labels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from exegesis.core.errors import UsageError
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.last_layer import NO_LINEAR
from exegesis.protocols.batch import Batch
from exegesis.protocols.labels import Labels, label_names
from exegesis.protocols.model import Differentiable, offers
from exegesis.protocols.target import Link

OUTPUTS = ("logits", "probabilities", "multi-label", "regression")
SHAPING = ("queeze", "View", "Select", "Slice", "Reshape", "Transpose", "TBackward", "Clone", "Alias", "Cat", "Index")


def labels_of(labels: Labels | None, width: int, outputs: str | None) -> tuple[tuple[str, ...], Link]:
    """The labels' names, and the link from ``width`` outputs to probabilities. Raises UsageError if they do not fit."""
    if outputs is not None and outputs not in OUTPUTS:
        raise UsageError(f"outputs must be 'logits', 'probabilities', 'multi-label' or 'regression', not {outputs!r}")
    if labels is None and width == 1:
        raise UsageError("the module has one output: give labels=[no, yes] for a sigmoid, one label for a regression")
    names = tuple(str(i) for i in range(width)) if labels is None else label_names(labels)
    if len(set(names)) != len(names):
        raise UsageError(f"labels must differ from each other: {', '.join(names)}")
    if width == 1 and len(names) == 2 and outputs not in ("multi-label", "regression"):
        return names, Link.PROBABILITY if outputs == "probabilities" else Link.BINARY
    if len(names) != width:
        advice = ": give [no, yes] for a sigmoid, one label for a regression" if width == 1 else ""
        raise UsageError(
            f"{len(names)} labels are given, but the module has {width} output{'s' * (width != 1)}{advice}"
        )
    if outputs == "probabilities":
        return names, Link.PROBABILITY
    if outputs == "multi-label":
        return names, Link.SIGMOID
    return names, Link.IDENTITY if width == 1 or outputs == "regression" else Link.SOFTMAX


def widths_of(labels: Labels | None) -> set[int]:
    """The numbers of outputs that the labels allow; none without labels."""
    count = 0 if labels is None else len(label_names(labels))
    return {1, 2} if count == 2 else {count} if count else set()


def check_outputs(model: TorchClassifier, probe: Batch, *, stated: bool) -> None:
    """Raise UsageError for probabilities if logits are expected, and the other way round.

    ``stated``: the user stated which they are.
    """
    raw = model.outputs(probe).cpu().double()
    inside = bool(((raw >= 0) & (raw <= 1)).all())
    if model.link is Link.PROBABILITY and not inside:
        raise UsageError("outputs='probabilities' is said, but the module's outputs do not lie between 0 and 1")
    if model.link in (Link.PROBABILITY, Link.IDENTITY) or not inside:
        return
    traceable = offers(model, Differentiable)
    end = _end(model, probe) if traceable else None
    sums = bool(torch.allclose(raw.sum(1), raw.new_ones(()), atol=1e-3)) and raw.shape[1] > 1
    if end in ("softmax", "sigmoid") or (sums and end is None) or not (traceable or stated):
        what = f"the module ends in a {end}" if end else "the module's outputs look like probabilities, from 0 to 1"
        rest = "" if end or sums else "; outputs='logits' where they are logits all the same"
        raise UsageError(
            f"{what}: let it return logits, or say outputs='probabilities' (then no logit can be explained){rest}"
        )


def are_logs(raw: Tensor) -> bool:
    """True if outputs are log-probabilities: their exponentials sum to one for every text."""
    near = 1e-4 if raw.dtype in (torch.float32, torch.float64) else 2e-2
    return bool((raw.cpu().double().logsumexp(1).abs() < near).all())


def advised(lacks: Mapping[str, str], link: Link) -> dict[str, str]:
    """The reasons for lacking abilities, with what to do if the module ends in a softmax, log-softmax or sigmoid."""
    kind = {Link.PROBABILITY: "probabilities", Link.LOG_SOFTMAX: "log-probabilities"}.get(link)
    advice = (
        f"its outputs are {kind}, and the method decomposes the logits before them: hand it the module without its "
        "last step, so that it ends in an nn.Linear that reads pooled states"
    )
    return {name: advice if kind and reason == NO_LINEAR else reason for name, reason in lacks.items()}


def _end(model: TorchClassifier, probe: Batch) -> str | None:
    """The non-linear function that the module applied last, read off the graph of a differentiable run."""
    with torch.enable_grad():
        raw = model.outputs_from(model.embed(probe).requires_grad_(True), probe)
    step = raw.grad_fn
    while step is not None and any(name in step.name() for name in SHAPING):
        step = next((before for before, _ in step.next_functions if before is not None), None)
    name = "" if step is None else step.name()
    if name.startswith(("SoftmaxBackward", "SigmoidBackward")):
        return "softmax" if name.startswith("Soft") else "sigmoid"
    return None
