"""A model's outputs for texts with some pieces removed: the mechanism of every method that blanks out words.

Perturbed texts of many inputs are pooled, duplicates run once, texts of like length share a call, and the number of
pieces in memory stays within the budget, however many texts there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self, cast, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError, UnsupportedError, unknown
from exegesis.core.progress import counted
from exegesis.mech.removal.one_layer import PlainRunner
from exegesis.mech.removal.suffixes import Suffixes
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, compact, distinct
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier, Differentiable, offers
from exegesis.protocols.recurrent import Unrolled

How = Literal["drop", "zero", "pad", "unknown", "mask"]  # the replacement of removed words
HOW = get_args(How)
Run = Callable[[Batch, Bool[Tensor, "n t"] | None], Float[Tensor, "n c"]]
Without = Callable[[Int[Tensor, " n"], Int[Tensor, " n"], Int[Tensor, " n"]], Float[Tensor, "n c"]]


def check(model: Classifier, how: str) -> None:
    """Raise UsageError for an unknown way of removing, UnsupportedError for one that the model does not support."""
    if how not in HOW:
        raise unknown("way of removing", how, HOW)
    if how == "zero" and not offers(model, Differentiable):
        reason = getattr(model, "lacks", {}).get("Differentiable", "its word vectors are out of sight")
        raise UnsupportedError(f"how='zero' sets word vectors to zero, but {reason}: take how='drop'")
    if how in ("unknown", "mask") and how not in model.tokens:
        raise UnsupportedError(f"the model's vocabulary has no {how} token: take how='drop' or how='pad'")


def outputs_keeping(
    model: Classifier, batch: Batch, owner: Int[Tensor, " n"], keep: Bool[Tensor, "n t"], how: str
) -> Float[Tensor, "n c"]:
    """Raw outputs for text ``owner[j]`` without the pieces for which ``keep[j]`` is false; special pieces stay.

    ``drop`` removes pieces; ``pad``, ``unknown`` and ``mask`` replace them by that token, ``zero`` by a zero vector.
    A text of which nothing remains becomes one pad piece.
    """
    return Remover.of(model, batch, how).keeping(owner, keep)


@dataclass(frozen=True, eq=False)
class Remover:
    """Perturbed texts of one batch, to be run many times: the fastest way to run them is found once."""

    model: Classifier
    batch: Batch
    how: str
    run: Run
    special: Bool[Tensor, "b t"]

    @classmethod
    def of(cls, model: Classifier, batch: Batch, how: str) -> Self:
        """The remover for the texts of a batch, with the fastest way to run them."""
        return cls(model, batch, how, _runner(model, batch, how), special_pieces(batch))

    def keeping(self, owner: Int[Tensor, " n"], keep: Bool[Tensor, "n t"]) -> Float[Tensor, "n c"]:
        """Raw outputs for text ``owner[j]`` without the pieces for which ``keep[j]`` is false (``outputs_keeping``)."""
        model, batch, outputs = self.model, self.batch, []
        rows_at_once = budget_for("masks", batch.device).rows_of(batch.ids.shape[1])
        for part in _in_turn(len(owner), rows_at_once):
            rows = owner[part].to(batch.device)
            stays = keep[part].to(batch.device) | self.special[rows]
            raw = _run(model, self.run, batch, rows, stays & batch.mask[rows], self.how)
            outputs.append(_finite(raw, model, self.how))
        return (
            torch.cat(outputs) if outputs else torch.zeros(0, model.link.width(len(model.labels)), device=batch.device)
        )


def outputs_without(
    model: Classifier,
    batch: Batch,
    owner: Int[Tensor, " n"],
    start: Int[Tensor, " n"],
    stop: Int[Tensor, " n"],
    how: str,
) -> Float[Tensor, "n c"]:
    """Raw outputs for text ``owner[j]`` without its pieces ``start[j]`` to ``stop[j]``."""
    return outputs_with_and_without(model, batch, owner, start, stop, how)[1]


def outputs_with_and_without(
    model: Classifier,
    batch: Batch,
    owner: Int[Tensor, " n"],
    start: Int[Tensor, " n"],
    stop: Int[Tensor, " n"],
    how: str,
) -> tuple[Float[Tensor, "b c"], Float[Tensor, "n c"]]:
    """Raw outputs for whole texts, and for text ``owner[j]`` without its pieces ``start[j]`` to ``stop[j]``.

    If the model is one recurrent layer over its word vectors, the states before the span are those of the whole text,
    and only the rest after the span is run.
    """
    whole, without = without_spans(model, batch, how)
    return whole, without(owner, start, stop)


def without_spans(model: Classifier, batch: Batch, how: str) -> tuple[Float[Tensor, "b c"], Without]:
    """Raw outputs for whole texts, and a function that computes them for texts without a span (``outputs_without``)."""
    suffixes = Suffixes.of(model, batch, how)
    if suffixes is not None and _ordinary(suffixes.unrolled, how) and _continues(model, batch, how, suffixes):
        outputs = suffixes.outputs
        return suffixes.unrolled.outputs, lambda *spans: _finite(outputs(*spans), model, how)
    remover = Remover.of(model, batch, how)

    def without(owner: Int[Tensor, " n"], start: Int[Tensor, " n"], stop: Int[Tensor, " n"]) -> Float[Tensor, "n c"]:
        width = batch.ids.shape[1]
        step = torch.arange(width)
        outputs = [torch.zeros(0, model.link.width(len(model.labels)), device=batch.device)]
        for part in _in_turn(len(owner), budget_for("masks", batch.device).rows_of(width)):
            keep = (step < start[part, None]) | (step >= stop[part, None])
            outputs.append(remover.keeping(owner[part], keep))
        return torch.cat(outputs[1:] or outputs)

    return model.outputs(batch), without


def _finite(raw: Float[Tensor, "n c"], model: Classifier, how: str) -> Float[Tensor, "n c"]:
    """The outputs unchanged. Raises ModelError if one is NaN or infinite."""
    if not bool(raw.isfinite().all()):
        raise ModelError(
            f"the model {model.name} gives no number (NaN or infinity) for a text with words removed by how={how!r}: "
            "take another way of removing words, or a method that removes none"
        )
    return raw


def special_pieces(batch: Batch) -> Bool[Tensor, "b t"]:
    """True on [CLS], [SEP] and similar pieces."""
    special = torch.zeros(batch.mask.shape, dtype=torch.bool)
    for row, text in enumerate(batch.texts):
        if any(text.special):
            special[row, : len(text)] = torch.tensor(text.special)
    return special.to(batch.device)


def _runner(model: Classifier, batch: Batch, how: str) -> Run:
    """The fastest way to run perturbed texts: shared steps if the model allows it for all texts, else the model itself.

    All texts are tried: a module may treat one token (unknown words, say) in another way, and only a short text may
    hold it.
    """
    plain = PlainRunner.of(model, batch)
    if plain is not None and _ordinary(plain.unrolled, how):
        tried, zeroed, expected = _trial(model, batch, how)
        if _close(expected, plain.outputs(tried, zeroed)):
            return plain.outputs
    return partial(_by_model, model)


def _ordinary(unrolled: Unrolled, how: str) -> bool:
    """True if the model reads what replaces a piece as an ordinary vector.

    A module that finds its own padding (``ids != pad``, or vectors of zeros) does not.
    """
    return unrolled.blind or how not in ("pad", "zero")


def _in_turn(count: int, at_once: int) -> Iterator[Int[Tensor, " _"]]:
    """The numbers of rows in runs; several are told as progress."""
    parts = torch.split(torch.arange(count), at_once)
    return counted(parts, "parts of the perturbed texts", len(parts)) if len(parts) > 1 else iter(parts)


def _longest(batch: Batch) -> Int[Tensor, " n"]:
    return torch.argsort(batch.lengths.cpu(), descending=True, stable=True)[:3]


def _trial(model: Classifier, batch: Batch, how: str) -> tuple[Batch, Bool[Tensor, "n t"] | None, Float[Tensor, "n c"]]:
    """The longest texts with all pieces but the first replaced (not dropped), the places of zero vectors, and the
    model's outputs.
    """
    tried, zeroed = batch.take(_longest(batch)), None
    later = tried.mask.clone()
    later[:, 0] = False
    if how == "zero":
        zeroed = later
    elif how != "drop":
        tried = replace(tried, ids=tried.ids.masked_fill(later, model.tokens[how]), texts=())
    return tried, zeroed, _by_model(model, tried, zeroed)


def _continues(model: Classifier, batch: Batch, how: str, suffixes: Suffixes) -> bool:
    """True if continued states give the model's own outputs for texts whose words are replaced by a token."""
    if how == "drop":
        return True
    rows = _longest(batch)
    _, _, expected = _trial(model, batch, how)
    return _close(expected, suffixes.outputs(rows, torch.ones_like(rows), batch.lengths.cpu()[rows]))


def _by_model(model: Classifier, batch: Batch, zeroed: Bool[Tensor, "n t"] | None) -> Float[Tensor, "n c"]:
    """The model's own outputs, with zero vectors wherever ``zeroed`` is true."""
    if zeroed is None:
        return model.outputs(batch)
    differentiable = cast(Differentiable, model)
    vectors = differentiable.embed(batch).masked_fill(zeroed[:, : batch.ids.shape[1], None], 0.0)
    with torch.no_grad():
        return differentiable.outputs_from(vectors, batch)


def _close(first: Tensor, second: Tensor) -> bool:
    return agree(first, second, double=1e-9, single=1e-4)


def _run(
    model: Classifier, run: Run, batch: Batch, rows: Int[Tensor, " n"], keep: Bool[Tensor, "n t"], how: str
) -> Float[Tensor, "n c"]:
    whole = Batch(batch.ids[rows], batch.mask[rows], batch.segments[rows])
    pad = model.tokens["pad"]
    zeroed, empty = None, torch.zeros_like(rows, dtype=torch.bool)
    if how == "drop":
        whole = compact(whole, keep, pad)
        empty = ~whole.mask.any(1)
        mask = whole.mask.clone()
        mask[empty, 0] = True
        whole = replace(whole, mask=mask)
    elif how == "zero":
        zeroed = whole.mask & ~keep
    else:
        removed = whole.mask & ~keep
        whole = replace(whole, ids=torch.where(removed, model.tokens[how], whole.ids))
    key = torch.cat([whole.ids, whole.segments, whole.mask.long()], 1)
    if zeroed is not None:
        key = torch.cat([key, zeroed.long()], 1)
    first, back = distinct(key)
    whole = whole.take(first)
    lengths = whole.lengths.cpu()
    order = torch.argsort(lengths, descending=True, stable=True)
    budget, outputs, at = budget_for("perturbed", batch.device), [], 0
    while at < len(order):
        part = order[at : at + budget.rows_of(int(lengths[order[at]]))]
        outputs.append(run(whole.take(part), None if zeroed is None else zeroed[first[part.to(first.device)]]))
        at += len(part)
    raw = torch.cat(outputs)[torch.argsort(order).to(batch.device)][back]
    if bool(empty.any()):  # a pad piece may not be an ordinary one, so the model itself runs it
        lone = torch.full((1, 1), pad, device=batch.device)
        raw[empty] = model.outputs(Batch(lone, torch.ones_like(lone, dtype=torch.bool), torch.zeros_like(lone)))[0]
    return raw
