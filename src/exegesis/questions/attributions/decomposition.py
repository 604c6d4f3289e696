"""Contextual decomposition: the part of a number that comes from a word or phrase (Murdoch, Liu & Yu 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import SpanError
from exegesis.core.text import Span
from exegesis.engine.methods import Scores, Spanning, at_words, method
from exegesis.mech.decomposition.cells import SplitCell
from exegesis.mech.decomposition.contextual import Phrases, relevant, split_layers
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Recurrent
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Target


@method(
    "contextual-decomposition",
    question="which words and phrases?",
    summary="the part of the number that the phrase makes, alone and with what stands before and after it",
    paper="Murdoch et al., Beyond Word Importance: Contextual Decomposition to Extract Interactions from LSTMs",
    year=2018,
    complete=True,
)
@dataclass(frozen=True)
class ContextualDecomposition:
    """The relevant part (beta) of a logit or margin for a word or phrase, in units of the logit.

    Identity, for every phrase: relevant + irrelevant + output bias = the number, to rounding (``parts`` returns both).
    Parts of different phrases overlap and interact, so the scores of words do not add up to that of their phrase. The
    rest of the number is in the account: ``inner biases`` (the part that comes from biases and initial states, which is
    irrelevant even if the phrase is the whole text) and ``interactions`` (the part of the whole text less those of its
    words).

    Linear maps are split term by term, with the biases as a separate group. An activation is shared among relevant
    part, irrelevant part and bias by the change that each of them adds, averaged over orderings: those that begin with
    the bias, which the authors found to work best and their code uses (``orderings="bias-first"``), or all six
    (``"all"``). In ``c_t = f c_{t-1} + i g`` the phrase gets the products without an irrelevant factor; the output gate
    is not split. The product bias x bias of ``i g`` is relevant at all words of the phrase, as in the code of Singh et
    al. 2019 (``variant="acd"``); the paper's own code stops one word early (``"original"``), so that there a single
    word never has it. At other steps it is irrelevant in both.

    Beyond the papers, and our own: the reverse direction, whose last word is the phrase's first; a GRU in PyTorch's
    form, where 1 - z and n share ``(1 - z) n`` as i and g do, z and h_{t-1} as f and c_{t-1}, and of the reset product
    ``r (U h_{t-1} + b)`` bias x bias joins the bias of n; a plain RNN, whose part of h_t that the bias alone makes
    is shared as bias x bias is; stacked layers, which read the parts of the states below, their bias x bias by the same
    steps; initial states, which are irrelevant. Attention weights and the places of maxima are constants of this text.

    Raises SpanError (a UsageError) for a span outside its text, UnsupportedError for the target ``probability``.
    """

    variant: Literal["acd", "original"] = "acd"
    orderings: Literal["bias-first", "all"] = "bias-first"

    def __call__(self, model: Recurrent, batch: Batch, target: Target) -> Scores:
        unrolled = self._unrolled(model, batch, target)
        spans = [(*text.words, Span(0, len(text))) for text in batch.texts]
        relevance = self._relevant(unrolled, target, spans)
        values = at_words([parts[:, :-1] for parts in relevance], batch)
        whole = torch.stack([parts[:, -1] for parts in relevance])
        bias = _matrix(unrolled, target) @ unrolled.bias
        return Scores(
            values,
            {
                "output bias": bias,
                "inner biases": target.of(unrolled.outputs) - bias - whole,
                "interactions": whole - values.sum(-1),
            },
        )

    def passes(self, words: int, numbers: int) -> int:
        """One for each word beside the text."""
        return 1 + words

    def spans(
        self, model: Recurrent, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> list[Float[Tensor, "k _"]]:
        """The relevant parts ``[k, spans]`` of any spans of pieces of each text."""
        return self._relevant(self._unrolled(model, batch, target), target, spans)

    def prepared(self, model: Recurrent, batch: Batch, target: Target) -> Spanning:
        """Return ``spans`` of these texts as a function; the pass over the texts runs once."""
        unrolled = self._unrolled(model, batch, target)
        plan = split_layers(unrolled, self.orderings)
        return lambda spans: self._relevant(unrolled, target, spans, plan)

    def parts(
        self, model: Recurrent, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> list[tuple[Float[Tensor, "k _"], Float[Tensor, "k _"]]]:
        """The relevant and irrelevant parts ``[k, spans]`` of spans; with the output bias they sum to the number."""
        unrolled = self._unrolled(model, batch, target)
        whole = target.of(unrolled.outputs - unrolled.bias)
        return [
            (part, number[:, None] - part)
            for part, number in zip(self._relevant(unrolled, target, spans), whole, strict=True)
        ]

    def _unrolled(self, model: Recurrent, batch: Batch, target: Target) -> Unrolled:
        target.linear(model.link.width(len(model.labels)))  # refuses a probability before any work is done
        return model.unroll(batch)

    def _relevant(
        self,
        unrolled: Unrolled,
        target: Target,
        spans: Sequence[Sequence[Span]],
        plan: Sequence[Sequence[SplitCell]] | None = None,
    ) -> list[Float[Tensor, "k _"]]:
        lengths = unrolled.layers[0][0].lengths.tolist()
        for length, phrases in zip(lengths, spans, strict=True):
            for span in phrases:
                if not 0 <= span.start < span.stop <= length:
                    raise SpanError(f"pieces {span.start} to {span.stop} lie outside the text of {length} pieces")
        counts, device = [len(phrases) for phrases in spans], unrolled.outputs.device
        owner = torch.repeat_interleave(torch.arange(len(spans)), torch.tensor(counts, dtype=torch.long)).to(device)
        edges = torch.tensor([list(span) for phrases in spans for span in phrases], device=device).long().reshape(-1, 2)
        raw = relevant(unrolled, Phrases(owner, edges[:, 0], edges[:, 1]), self.variant, self.orderings, plan)
        scores = torch.einsum("nkc,nc->nk", _matrix(unrolled, target)[owner], raw)
        return [part.t() for part in torch.split(scores, counts)]


def _matrix(unrolled: Unrolled, target: Target) -> Float[Tensor, "b k c"]:
    return target.linear(unrolled.outputs.shape[1]).to(unrolled.outputs)
