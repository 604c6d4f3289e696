"""Sampling contextual decomposition: the part of a number that comes from a phrase in any context (Jin et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.core.parameters import at_least
from exegesis.core.progress import counted
from exegesis.core.text import Span, Text
from exegesis.engine.methods import Scores, at_words, method
from exegesis.mech.decomposition.contexts import Context, drawn_contexts
from exegesis.mech.decomposition.contextual import Phrases
from exegesis.mech.decomposition.sampled import CELLS, DrawnPasses, expected_parts
from exegesis.models.language_models.opening import open_language
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.language import Language, readings
from exegesis.protocols.model import Recurrent
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Target


@method(
    "scd",
    question="which words and phrases?",
    summary="the part of the number that the phrase makes in the model, averaged over other words for its context",
    paper="Jin et al., Towards Hierarchical Importance Attribution",
    year=2020,
)
@dataclass(frozen=True)
class Scd:
    """The part of a logit or margin that comes from a phrase, averaged over contexts, in units of the logit.

    Contexts are drawn as for ``soc``: the words within ``neighbours`` of the phrase on either side are replaced
    ``samples`` times by draws from ``language``. For every nonlinear operation of the cell, the phrase's part is the
    loss of the result without that part, on average over the contexts (Eq. 6; ``mech.decomposition.sampled`` has the
    formulas). A phrase is scored as a whole, so its score is not the sum of its words' scores. For a model without
    biases that starts from zero, the score of the whole text is its number less the output bias.

    It deviates from the authors' code in two points: the code counts the text itself as one more context, and applies
    the sigmoid to the contexts' output gates a second time (it keeps them after it). Beyond the paper: GRU, plain
    RNN, both directions, stacked layers. A drawn context that the model reads in another number of pieces cannot be
    aligned step by step and is left out; if none fits, the text itself is the context.

    Raises UnsupportedError for the target ``probability`` and for a cell without a rule, FileError for an unknown
    language model.
    """

    neighbours: Annotated[int, at_least(0)] = 10
    samples: Annotated[int, at_least(1)] = 20
    language: Language = "bundled"
    seed: int = 0

    def __call__(self, model: Recurrent, batch: Batch, target: Target) -> Scores:
        return Scores(at_words(self.spans(model, batch, target, [text.words for text in batch.texts]), batch))

    def passes(self, words: int, numbers: int) -> int:
        """One for each context of each word, and one for each reading of the language model."""
        around = min(2 * self.neighbours, max(words - 1, 0))
        return 1 + words * (self.samples + readings(self.language, around, self.samples))

    def spans(
        self, model: Recurrent, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> list[Float[Tensor, "k _"]]:
        """The scores ``[k, spans]`` of any spans of whole words of each text."""
        matrix = target.linear(model.link.width(len(model.labels)))  # refuses a probability before any work is done
        unrolled = model.unroll(batch)
        _check(unrolled)
        language = open_language(self.language)
        numbered = drawn_contexts(model, batch.texts, spans, language, self.neighbours, self.samples, self.seed)
        flat = [span for phrases in spans for span in phrases]
        directions = [direction for layer in unrolled.layers for direction in layer]
        width = sum(direction.weight_hh.numel() // direction.hidden.shape[-1] for direction in directions)
        limit = max(1, budget_for("states", batch.device).numbers // max(width, 1))
        parts: list[Tensor] = []
        waiting: list[tuple[int, Span, list[Text]]] = []
        for number, (row, contexts) in enumerate(counted(numbered, "phrases scored", len(flat))):
            waiting.append((row, flat[number], _fitting(batch.texts[row], flat[number], contexts)))
            pieces = sum(len(texts) for _, _, texts in waiting) * max(len(batch.texts[row]) for row, _, _ in waiting)
            if pieces >= limit or number + 1 == len(flat):
                parts.append(_parts(model, unrolled, waiting, batch.device))
                waiting = []
        raw = torch.cat(parts) if parts else unrolled.outputs[:0]
        counts = [len(phrases) for phrases in spans]
        owner = torch.repeat_interleave(torch.arange(len(spans)), torch.tensor(counts)).to(batch.device)
        scores = torch.einsum("nkc,nc->nk", matrix.to(raw)[owner], raw)
        return [part.t() for part in torch.split(scores, counts)]


def _check(unrolled: Unrolled) -> None:
    for layer in unrolled.layers:
        for direction in layer:
            if direction.cell not in CELLS:
                raise UnsupportedError(f"scd has no rule for a cell of kind {direction.cell}: take soc")


def _fitting(text: Text, span: Span, contexts: Sequence[Context]) -> list[Text]:
    """The contexts with as many pieces as the text and the phrase in its place; the text itself if there is none."""
    phrase = tuple(range(*text.words_under(span)))
    words = [text.words[number] for number in phrase]
    fit = [
        context.text
        for context in contexts
        if len(context.text) == len(text)
        and context.phrase == phrase
        and [context.text.words[number] for number in phrase] == words
    ]
    return fit or [text]


def _parts(
    model: Recurrent, unrolled: Unrolled, waiting: Sequence[tuple[int, Span, list[Text]]], device: torch.device
) -> Float[Tensor, "n c"]:
    batch = model.encode([text for _, _, texts in waiting for text in texts])
    of = torch.repeat_interleave(torch.arange(len(waiting)), torch.tensor([len(texts) for _, _, texts in waiting]))
    owner, start, stop = (
        torch.tensor(column, device=device)
        for column in zip(*((row, span.start, span.stop) for row, span, _ in waiting), strict=True)
    )
    passes = DrawnPasses(model.unroll(batch), of.to(device), len(waiting))
    return expected_parts(unrolled.terms, Phrases(owner, start, stop), passes)
