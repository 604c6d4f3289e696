"""Whether a Hugging Face module's word vectors can be seen and replaced, found out on a trial row."""

from __future__ import annotations

from dataclasses import replace

import torch

from exegesis.core.errors import ModelError, out_of_memory
from exegesis.models.huggingface.adapter import HuggingFaceClassifier, HuggingFaceModel
from exegesis.models.huggingface.vectors import find_lookups
from exegesis.protocols.batch import Batch

NOWHERE = "no layer of it turns its ids into word vectors (CANINE hashes its characters, say)"
ELSEWHERE = "its words reach its outputs by another way than their vectors"
SHARE, ROUNDING = 0.02, 1e-6  # of what other words change, and of the outputs, that may be rounding


def shown(model: HuggingFaceModel, batch: Batch | None) -> HuggingFaceModel:
    """The model as a ``HuggingFaceClassifier`` where its words' vectors can be replaced; else with the reason why not.

    On trial, the vectors of other words must give what these words give, and a gradient must come back.
    """
    row = _made_up(model) if batch is None else batch.take(batch.lengths.argmax()[None])
    try:
        lookups = find_lookups(model.module, row.ids, lambda: model.outputs(row))
        seen = HuggingFaceClassifier(model.module, model.reader, replace(model.about, lookups=lookups))
        reason = _against(seen, row) if lookups else NOWHERE
    except ModelError as error:
        reason = str(error)
    return HuggingFaceModel(model.module, model.reader, replace(model.about, hidden=reason)) if reason else seen


def _made_up(model: HuggingFaceModel) -> Batch:
    """A row of ids for a vocabulary that cannot spell the trial texts; falling, as numbers of positions rise."""
    ids = torch.arange(min(8, model.about.size, model.reader.limit or 8), device=model.device).flip(0)[None]
    return Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))


def _against(seen: HuggingFaceClassifier, row: Batch) -> str | None:
    """What speaks against replacing the vectors of a row; None where nothing does."""
    free = torch.tensor([not special for special in row.texts[0].special]) if row.texts else row.mask[0].cpu()
    at = free.nonzero()[:, 0].to(row.device)
    ids = row.ids.clone()
    ids[0, at] = row.ids[0, at.roll(1)]
    others = Batch(ids, row.mask, row.segments)
    here, there = seen.outputs(row), seen.outputs(others)
    with torch.no_grad():
        put = seen.outputs_from(seen.embed(others), row)
    allowed = max(SHARE * float((there - here).abs().max()), ROUNDING * float(there.abs().max()))
    if float((put - there).abs().max()) > allowed:
        return ELSEWHERE
    return _without_gradient(seen, row)


def _without_gradient(seen: HuggingFaceClassifier, row: Batch) -> str | None:
    try:
        with torch.enable_grad():
            vectors = seen.embed(row).requires_grad_()
            outputs = seen.outputs_from(vectors, row)
            if not outputs.requires_grad:
                return ELSEWHERE
            torch.autograd.grad(outputs.sum(), vectors)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        if out_of_memory(error):
            raise
        return f"it has no gradient in evaluation mode ({' '.join(str(error).split())[:100]})"
    return None
