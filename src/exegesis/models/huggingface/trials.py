"""The trials of how a Hugging Face module answers: steadily or not, and beside which other texts as alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError, UnsupportedError
from exegesis.core.escapes import escaped
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.nn.kept import Watch
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch

TOGETHER = 3  # different texts of one length that are tried in one call
_log = logging.getLogger("exegesis.wrap")
MOST = 512  # texts in a call that are tried because the module keeps a state for so many


def beside_others(model: HuggingFaceClassifier, batch: Batch, others: Batch) -> HuggingFaceClassifier:
    """The model with ``padded`` and ``shared`` found out, on texts of several lengths and on ``others`` of one length.

    Raises UnsupportedError for a module that answers one input in several ways.
    """
    alone, longest = _alone(model, batch), batch.lengths.argmax()[None].cpu()
    if not _near(model, alone[longest.to(alone.device)], model.outputs(batch.take(longest))):
        raise UnsupportedError(
            f"model {model.name} answers otherwise each time it is asked: fix its random choices (a Reformer's by "
            "config.hash_seed, dropout by training=self.training)"
        )
    sparse = getattr(model.module.config, "attention_type", None) == "block_sparse"  # in long rows alone (BigBird)
    lengths = batch.lengths
    padded = not sparse and bool(lengths.min() < lengths.max()) and _as_alone(model, batch, alone)
    shared = _as_alone(model, others, _alone(model, others)) and _bears_numbers(model, batch.take(torch.tensor([0])))
    if not shared:
        _log.warning(
            "%s gives a text other numbers beside other texts: it runs with one text a call", escaped(model.name)
        )
    return replace(model, profile=replace(model.profile, padded=padded and shared, shared=shared))


def of_one_length(row: Batch, at: Int[Tensor, " n"], words: Sequence[int]) -> Batch:
    """A row beside texts of its length with other words at some places: many different ones, and one many times."""
    ids = row.ids.repeat(TOGETHER, 1)
    several = torch.tensor(words[-len(at) :], device=at.device)
    if len(several) and len(at):
        ids[1, at] = several[torch.arange(len(at), device=at.device) % len(several)]
        ids[2, at] = several[0]
    return Batch(ids, row.mask.expand_as(ids), row.segments.expand_as(ids))


def _alone(model: HuggingFaceClassifier, batch: Batch) -> Float[Tensor, "b c"]:
    return torch.cat([model.outputs(batch.take(torch.tensor([row]))) for row in range(len(batch))])


def _as_alone(model: HuggingFaceClassifier, batch: Batch, alone: Float[Tensor, "b c"]) -> bool:
    """True if the module gives texts together the outputs that it gives each alone."""
    try:
        return _near(model, model.outputs(batch), alone)
    except ModelError:
        return False


def _bears_numbers(model: HuggingFaceClassifier, row: Batch) -> bool:
    """True if a text has the outputs beside itself that it has alone, so many times as a kept state may be made for."""
    kept = model.profile.kept
    numbers = kept.kept.sizes if isinstance(kept, Watch) else kept.sizes
    copies = [row.take(torch.zeros(size, dtype=torch.long)) for size in sorted(numbers) if 1 < size <= MOST]
    alone = model.outputs(row) if copies else None
    return all(_as_alone(model, batch, alone.expand(len(batch), -1)) for batch in copies if alone is not None)


def _near(model: HuggingFaceClassifier, first: Float[Tensor, "b c"], second: Float[Tensor, "b c"]) -> bool:
    if first.shape != second.shape or not torch.equal(first.isnan(), second.isnan()):
        return False
    scale = max(1.0, float(second.nan_to_num().abs().max()))
    first, second = (value.nan_to_num() / scale for value in (first, second))
    return agree(first, second, double=1e-9, single=1e-5, half=2e-2, of=model.module)
