"""The steps of an answer as the outputs of a classifier: every piece's log-probability from one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.core.errors import ModelError, UsageError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import PARTS, HuggingFaceClassifier
from exegesis.models.huggingface.views.prefixes import Beginning, alike, beginnings, read_once, rest_of, worth
from exegesis.models.huggingface.views.reading import every_logit
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, compact, pad
from exegesis.protocols.budget import Work, budget_for
from exegesis.protocols.generative import Number
from exegesis.protocols.target import Link


@dataclass(frozen=True, eq=False, repr=False)
class AnswerParts(HuggingFaceClassifier):
    """The base of models whose labels are the parts of one answer, and which read copies of its one text."""

    text: Text = field(kw_only=True)
    parts: Mapping[str, Span] = field(kw_only=True)
    number: Number = field(kw_only=True)

    work: ClassVar[Work] = "language"
    one_graph: ClassVar[bool] = True  # many numbers of few texts: their gradients share a forward pass

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.parts)

    @property
    def link(self) -> Link:
        return Link.IDENTITY

    @ability
    def encode(self, texts: Sequence[Text]) -> Batch:
        """Copies of the one text, each piece with its number. Raises UsageError for another text."""
        return numbered(texts, self.text, self.tokens["pad"]).to(self.device)


@dataclass(frozen=True, eq=False, repr=False)
class Steps(AnswerParts):
    """The parts of one answer as numbers (see ``Generative.steps``), of a causal model.

    In a batch every piece carries its number in the whole text (``segments``), so that in a text without some pieces
    the answer's pieces are still known: each is scored at the last piece that is left before it. A text that has lost
    all pieces before the answer is read after the tokenizer's beginning-of-text piece.
    """

    @ability
    @torch.no_grad()
    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        """The numbers of the answer's parts; rows that begin as the text does go on from its states, read once."""
        batch = self._filled(batch.to(self.device))
        begun, length = self._begun(batch), len(self.text)
        grouped = alike((batch.lengths - begun).tolist(), length, budget_for(self.work, self.device))
        if not worth(batch, begun, grouped, length) or not self._continues:
            return self._run(batch, None)
        found = []
        for rows in grouped:
            index = torch.tensor(rows, device=self.device)
            found.append((index, self._continued(batch.take(index), begun[index])))
        back = torch.argsort(torch.cat([index for index, _ in found]))
        return torch.cat([numbers for _, numbers in found])[back]

    def _begun(self, batch: Batch) -> Int[Tensor, " b"]:
        """How many pieces each row begins with as the text does, short of its last one."""
        whole = torch.tensor(self.text.ids, device=self.device)
        return beginnings(batch, whole, batch.lengths - 1)

    @cached_property
    def _beginning(self) -> Beginning | None:
        """The states of the whole text and its logits, None from a module that keeps no states."""
        one = numbered([self.text], self.text, self.tokens["pad"]).to(self.device)
        types = {} if self.reader.types is None else {"token_type_ids": self._types(one, self.reader.types)}
        with frozen(self.module), self._pad_id(one), self._one_line():
            return read_once(self.module, partial(self.module, one.ids, **self._taken(types)), len(self.text))

    @cached_property
    def _continues(self) -> bool:
        """True if continued rows have the module's own numbers: tried on the text without its second piece.

        That row has the longest rest of all, so that what reaches back so far only (a sliding window) shows.
        """
        try:
            if self._beginning is None:
                return False
            one = numbered([self.text], self.text, self.tokens["pad"]).to(self.device)
            keep = torch.arange(len(self.text), device=self.device) != 1
            tried = compact(one, keep.expand_as(one.mask), self.tokens["pad"])
            begun = self._begun(tried)
            return agree(
                self._continued(tried, begun), self._run(tried, None), double=1e-9, single=1e-4, of=self.module
            )
        except ModelError:
            return False

    def _continued(self, batch: Batch, begun: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """The numbers of rows from the states of the text up to where each begins otherwise."""
        assert self._beginning is not None
        rest, places = rest_of(batch, begun), self._places(batch) - begun[:, None]
        known, at = places < 0, places.clamp_min(0)  # scored before the row differs, as in the whole text
        more = self._beginning.arguments(rest, begun)
        if self.reader.types is not None:
            more["token_type_ids"] = self._types(rest, self.reader.types)
        kept = torch.unique(at)
        more["logits_to_keep"] = kept
        with frozen(self.module), self._pad_id(batch) as fill, self._one_line():
            logits = self.module(rest.ids.masked_fill(~rest.mask, fill), **self._taken(more)).logits
        at = torch.searchsorted(kept, at) if logits.shape[1] == len(kept) else at
        logits = logits.gather(1, at[..., None].expand(-1, -1, logits.shape[-1]))
        before = self._beginning.logits[0][self._places(batch).masked_fill(~known, 0)]
        logits = torch.where(known[..., None], before, logits)
        own = torch.arange(places.shape[1], device=self.device).expand_as(places)
        return summed(logits, own, self.text, self.parts, self.number)

    def _taken(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in arguments.items() if name in self.accepted}

    def _filled(self, batch: Batch) -> Batch:
        batch = super()._filled(batch)
        lost = ~(batch.mask & (_numbers(batch) < span_of(self.parts).start)).any(1)
        if not bool(lost.any()):
            return batch
        special = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokens["pad"])
        first = next(number for number in special if number is not None)
        old = [torch.nn.functional.pad(part, (0, 1)) for part in (batch.ids, batch.mask, batch.segments)]
        new = [part.roll(1, 1) for part in old]
        for part, value in zip(new, (first, True, 0), strict=True):
            part[:, 0] = value
        ids, mask, segments = (torch.where(lost[:, None], b, a) for a, b in zip(old, new, strict=True))
        return Batch(ids, mask, segments, batch.texts)

    def _types(self, batch: Batch, parts: tuple[int, int]) -> Int[Tensor, "b t"]:
        return super()._types(replace(batch, segments=batch.segments % PARTS), parts)

    def _further(self, batch: Batch) -> dict[str, Any]:
        """Ask for the logits of the places that are read alone, if the module can."""
        return {"logits_to_keep": torch.unique(self._places(batch))} if "logits_to_keep" in self.accepted else {}

    def _places(self, batch: Batch) -> Int[Tensor, "b n"]:
        """The place in each row at which each piece of the answer is scored."""
        return scored_places(batch, span_of(self.parts))

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        places = self._places(batch)
        kept = torch.unique(places)
        if "logits_to_keep" in self.accepted and answer.logits.shape[1] == len(kept):
            logits, at = answer.logits, torch.searchsorted(kept, places)
        else:
            logits, at = every_logit(self, answer, batch, None), places
        return summed(logits, at, self.text, self.parts, self.number)


def span_of(parts: Mapping[str, Span]) -> Span:
    """The pieces from the first to the last part."""
    return Span(min(part.start for part in parts.values()), max(part.stop for part in parts.values()))


def scored_places(batch: Batch, answer: Span) -> Int[Tensor, "b n"]:
    """The place in each row of the last piece that is left before each piece of the answer."""
    pieces = torch.arange(answer.start, answer.stop, device=batch.device)
    before: Bool[Tensor, "b n t"] = (_numbers(batch)[:, None] < pieces[None, :, None]) & batch.mask[:, None]
    return (before.sum(2) - 1).clamp_min(0)


def summed(
    logits: Float[Tensor, "b t v"], at: Int[Tensor, "b n"], text: Text, parts: Mapping[str, Span], number: Number
) -> Float[Tensor, "b c"]:
    """The numbers of an answer's parts, from logits and the places at which its pieces are scored."""
    span = span_of(parts)
    ids = torch.tensor(text.ids[span.start : span.stop], device=logits.device)
    chosen = logits.gather(1, at[..., None].expand(-1, -1, logits.shape[-1]))
    chosen = chosen.float() if chosen.dtype in (torch.float16, torch.bfloat16) else chosen
    scores = chosen if number == "logit" else chosen.log_softmax(-1)
    scores = scores.gather(2, ids.expand(len(scores), -1)[..., None])[..., 0]
    starts, stops = ([edge - span.start for edge in edges] for edges in zip(*parts.values(), strict=True))
    sums = torch.stack([scores[:, first:last].sum(1) for first, last in zip(starts, stops, strict=True)], 1)
    return sums - (-torch.expm1(sums)).log() if number == "log-odds" else sums


def numbered(texts: Sequence[Text], one: Text, filling: int) -> Batch:
    """Copies of one text, each piece with its number. Raises UsageError for another text."""
    if any(text.ids != one.ids for text in texts):
        raise UsageError("the steps of an answer are those of one text; ask for the other text's own")
    batch = pad(texts, filling)
    numbers = torch.arange(1, batch.ids.shape[1] + 1).expand_as(batch.ids)
    return replace(batch, segments=(batch.segments + PARTS * numbers).masked_fill(~batch.mask, 0))


def _numbers(batch: Batch) -> Int[Tensor, "b t"]:
    """The number of each piece in the whole text, -1 for a piece that is not of it."""
    return torch.div(batch.segments, PARTS, rounding_mode="floor") - 1
