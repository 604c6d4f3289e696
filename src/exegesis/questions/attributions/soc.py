"""Sampling and occlusion: the loss of the number without a phrase, averaged over contexts (Jin et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.parameters import at_least
from exegesis.core.progress import counted
from exegesis.core.text import Span
from exegesis.engine.methods import Scores, at_words, method
from exegesis.mech.decomposition.contexts import Context, drawn_contexts
from exegesis.mech.removal.perturbed import How, check, outputs_with_and_without
from exegesis.models.language_models.opening import open_language
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Budget, budget_for
from exegesis.protocols.language import Language, readings
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target


@method(
    "soc",
    question="which words and phrases?",
    summary="the number less the number without the phrase, averaged over other words drawn for its context",
    paper="Jin et al., Towards Hierarchical Importance Attribution",
    year=2020,
)
@dataclass(frozen=True)
class Soc:
    """The mean, over drawn contexts, of the explained number less its value without the phrase, in its units (Eq. 7).

    The words within ``neighbours`` of the phrase on either side (in its own part of a pair) are replaced ``samples``
    times by draws from ``language``, given the phrase and the words further away; the model reads each text anew. In
    each of these texts the phrase is removed as ``how`` says: ``pad`` as in the paper, or another way of leave-one-out.
    Without neighbours to replace there is one context, the text itself, and the score is that of leave-one-out.

    ``language`` is a language model or its name: ``bundled``, a folder, a masked model of Hugging Face
    (``exegesis.language``). A phrase is scored as a whole, so its score is not the sum of its words' scores. Draws
    depend on the text, the phrase and ``seed``. The target is the label of the text itself, in every context.

    Raises FileError for an unknown language model, TextError if a text with other words cannot be read (it may have
    become too long).
    """

    neighbours: Annotated[int, at_least(0)] = 10
    samples: Annotated[int, at_least(1)] = 20
    how: How = "pad"
    language: Language = "bundled"
    seed: int = 0

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        return Scores(at_words(self.spans(model, batch, target, [text.words for text in batch.texts]), batch))

    def passes(self, words: int, numbers: int) -> int:
        """Two for each context of each word, and one for each reading of the language model."""
        around = min(2 * self.neighbours, max(words - 1, 0))
        return words * (2 * self.samples + readings(self.language, around, self.samples))

    def spans(
        self, model: Classifier, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> list[Float[Tensor, "k _"]]:
        """The scores ``[k, spans]`` of any spans of whole words of each text."""
        check(model, self.how)
        texts, language = batch.texts, open_language(self.language)
        total = sum(map(len, spans))
        scores = torch.zeros(total, target.count, dtype=torch.float64)
        pending: list[tuple[int, int, Context]] = []
        budget = budget_for("contexts", batch.device)
        numbered = drawn_contexts(model, texts, spans, language, self.neighbours, self.samples, self.seed)
        for number, (row, contexts) in enumerate(counted(numbered, "phrases scored", total)):
            pending += [(number, row, context) for context in contexts]
            if len(pending) >= budget.rows or number + 1 == total:
                owner = torch.tensor([row for _, row, _ in pending])
                gains = self._gains(model, [context for _, _, context in pending], target.take(owner), budget)
                place = torch.tensor([number for number, _, _ in pending])
                counts = torch.bincount(place, minlength=total).double()
                scores.index_add_(0, place, gains / counts[place][:, None])
                pending = []
        return [part.t() for part in torch.split(scores, [len(phrases) for phrases in spans])]

    def _gains(
        self, model: Classifier, contexts: Sequence[Context], target: Target, budget: Budget
    ) -> Float[Tensor, "n k"]:
        """The number of each context less its number without the phrase."""
        gains = torch.zeros(len(contexts), target.count, dtype=torch.float64)
        order = sorted(range(len(contexts)), key=lambda number: -len(contexts[number].text))
        at = 0
        while at < len(order):
            rows = order[at : at + max(budget.pieces // max(len(contexts[order[at]].text), 1), 1)]
            batch = model.encode([contexts[row].text for row in rows])
            edges = torch.tensor([contexts[row].pieces for row in rows])
            part, owner = target.take(torch.tensor(rows)), torch.arange(len(rows))
            if self.how in ("drop", "zero"):
                whole, less = outputs_with_and_without(model, batch, owner, edges[:, 0], edges[:, 1], self.how)
            else:  # one phrase per text: continuing from the states before it gains nothing
                step = torch.arange(batch.ids.shape[1])
                removed = ((step >= edges[:, :1]) & (step < edges[:, 1:])).to(batch.device)
                ids = batch.ids.masked_fill(removed, model.tokens[self.how])
                whole, less = model.outputs(batch), model.outputs(replace(batch, ids=ids, texts=()))
            gains[rows] = (part.of(whole) - part.of(less)).detach().to("cpu", torch.float64)
            at += len(rows)
        return gains
