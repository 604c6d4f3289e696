"""Baselines: the word vectors to which a text is compared."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError, UnsupportedError
from exegesis.core.escapes import escaped
from exegesis.core.parameters import Condition
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable

INSTEAD = "unknown"  # whose vectors stand in for vectors of zeros at which a model gives no number
_log = logging.getLogger("exegesis.baseline")
_said: weakref.WeakSet[Differentiable] = weakref.WeakSet()  # the models whose log has it already
NAMES = ("zero", "pad", "unknown", "mask")
Baseline = Annotated[
    str,
    Condition(
        lambda baseline: baseline in NAMES or baseline.startswith("text:"),
        noun="zero, pad, unknown, mask or text:SOME OTHER TEXT",
        inside=(*NAMES, "text:a dull film"),
        outside=("", "text", "noise"),
    ),
]


def baseline_vectors(
    model: Differentiable, batch: Batch, vectors: Float[Tensor, "b t d"], baseline: str
) -> Float[Tensor, "b t d"]:
    """Zero vectors, the vectors of ``pad``, ``unknown`` or ``mask`` tokens, or those of another text (``text:...``),
    piece by piece, cut or filled up with pad tokens. Special pieces and padding keep their vectors.

    Raises UnsupportedError if the vocabulary has no such token.
    """
    special = torch.zeros_like(batch.mask)
    for row, read in enumerate(batch.texts):
        special[row, : len(read)] = torch.tensor(read.special, dtype=torch.bool)
    keep = special | ~batch.mask
    if baseline == "zero":
        return torch.where(keep[..., None], vectors, torch.zeros_like(vectors))
    if not baseline.startswith("text:"):
        if baseline not in model.tokens:
            raise UnsupportedError(f"the model's vocabulary has no {baseline} token to take as a baseline")
        ids = torch.full_like(batch.ids, model.tokens[baseline])
    else:
        text = model.read(baseline.removeprefix("text:"))
        words = [i for i, flag in zip(text.ids, text.special, strict=True) if not flag]
        ids = torch.full_like(batch.ids, model.tokens["pad"])
        for row in range(len(batch)):
            places = (~keep[row]).nonzero()[: len(words), 0]
            ids[row, places] = torch.tensor(words[: len(places)], device=ids.device)
    return model.embed(replace(batch, ids=torch.where(keep, batch.ids, ids)))


def with_numbers(
    model: Differentiable,
    batch: Batch,
    vectors: Float[Tensor, "b t d"],
    baseline: str,
    numbers: Callable[[Tensor], Float[Tensor, "b k"]],
) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b k"], list[dict[str, str]]]:
    """The vectors of a baseline, the numbers there (``numbers`` of vectors), and details for each text.

    At vectors of zeros a module may give no number (it divides by their length, say). Such texts have the vectors of
    the unknown word for their baseline, which their details and the log name.

    Raises the errors of ``baseline_vectors``, and ModelError if a number is NaN or infinite all the same.
    """
    base = baseline_vectors(model, batch, vectors, baseline)
    first = numbers(base)
    lost = ~first.isfinite().all(1)
    if baseline == "zero" and INSTEAD in model.tokens and bool(lost.any()):
        _say_once(model)
        others = baseline_vectors(model, batch, vectors, INSTEAD)
        base = torch.where(lost.to(base.device)[:, None, None], others, base)
        first = numbers(base)
    if not bool(first.isfinite().all()):
        raise ModelError(
            f"the model {model.name} gives no number at the baseline (NaN or infinity): take another baseline, such "
            "as baseline='pad' or a text, or a method without one"
        )
    return base, first, [{"baseline": INSTEAD} if instead else {} for instead in lost.tolist()]


def _say_once(model: Differentiable) -> None:
    with suppress(TypeError):  # a user's model that cannot be remembered
        if model in _said:
            return
        _said.add(model)
    _log.warning(
        "%s gives no number (NaN or infinity) at vectors of zeros: the baseline is the unknown word instead",
        escaped(model.name),
    )
