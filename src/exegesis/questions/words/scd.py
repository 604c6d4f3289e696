"""Sampling contextual decomposition: the part of a recurrent model's number that a phrase makes in any context."""

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
from exegesis.models.language_models.masked import open_language
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.language import Language
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
    """The part of a logit or margin that a phrase makes, every splitting of a gate or state averaged over contexts.

    Contexts are drawn as for ``soc``: the words within ``neighbours`` of the phrase on either side are replaced
    ``samples`` times by draws from ``language``. Every operation of the cell that is not linear hands on what its
    result loses, on average over the contexts, without the phrase's part (Eq. 6; ``mech.sampled`` has the formulas). A
    phrase is scored as a whole, so its score is not the sum of its words'. For a model without biases that starts from
    zero the whole text's score is its number less the output bias.

    It deviates from the authors' code, which counts the text itself as one more context. Beyond the paper: GRU, plain
    RNN, both directions, stacked layers. A drawn context that the model reads in another number of pieces does not fit
    step by step and is left out; where none fits, the text itself is the context.

    Raises UsageError for parameters out of range or what is no language model, UnsupportedError for the target
    ``probability`` or a cell without a rule.
    """

    neighbours: Annotated[int, at_least(0)] = 10
    samples: Annotated[int, at_least(1)] = 20
    language: Language = "bundled"
    seed: int = 0

    def __call__(self, model: Recurrent, batch: Batch, target: Target) -> Scores:
        return Scores(at_words(self.spans(model, batch, target, [text.words for text in batch.texts]), batch))

    def spans(
        self, model: Recurrent, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> list[Float[Tensor, "k _"]]:
        """The same for any spans of whole words."""
        matrix = target.linear(model.link.width(len(model.labels)))  # refuses a probability before any work is done
        seen = model.unroll(batch)
        _check(seen)
        language = open_language(self.language)
        drawn = drawn_contexts(model, batch.texts, spans, language, self.neighbours, self.samples, self.seed)
        flat = [span for some in spans for span in some]
        numbers = budget_for("states", batch.device).numbers
        most = max(1, numbers // max(sum(d.weight_hh.numel() // d.hidden.shape[-1] for x in seen.layers for d in x), 1))
        parts: list[Tensor] = []
        waiting: list[tuple[int, Span, list[Text]]] = []
        for number, (row, some) in enumerate(counted(drawn, "phrases scored", len(flat))):
            waiting.append((row, flat[number], _fitting(batch.texts[row], flat[number], some)))
            pieces = sum(len(texts) for _, _, texts in waiting) * max(len(batch.texts[row]) for row, _, _ in waiting)
            if pieces >= most or number + 1 == len(flat):
                parts.append(_parts(model, seen, waiting, batch.device))
                waiting = []
        raw = torch.cat(parts) if parts else seen.outputs[:0]
        counts = [len(some) for some in spans]
        owner = torch.repeat_interleave(torch.arange(len(spans)), torch.tensor(counts)).to(batch.device)
        found = torch.einsum("nkc,nc->nk", matrix.to(raw)[owner], raw)
        return [part.t() for part in torch.split(found, counts)]


def _check(seen: Unrolled) -> None:
    for layer in seen.layers:
        for direction in layer:
            if direction.cell not in CELLS:
                raise UnsupportedError(f"scd has no rule for a cell of kind {direction.cell}: take soc")


def _fitting(text: Text, span: Span, some: Sequence[Context]) -> list[Text]:
    """The contexts with as many pieces as the text and the phrase in its place; the text itself where there is none."""
    phrase = tuple(range(*text.words_under(span)))
    words = [text.words[number] for number in phrase]
    fit = [
        one.text
        for one in some
        if len(one.text) == len(text) and one.phrase == phrase and [one.text.words[n] for n in phrase] == words
    ]
    return fit or [text]


def _parts(
    model: Recurrent, seen: Unrolled, waiting: Sequence[tuple[int, Span, list[Text]]], device: torch.device
) -> Float[Tensor, "n c"]:
    batch = model.encode([text for _, _, texts in waiting for text in texts])
    of = torch.repeat_interleave(torch.arange(len(waiting)), torch.tensor([len(texts) for _, _, texts in waiting]))
    owner, start, stop = (
        torch.tensor(column, device=device)
        for column in zip(*((row, span.start, span.stop) for row, span, _ in waiting), strict=True)
    )
    drawn = DrawnPasses(model.unroll(batch), of.to(device), len(waiting))
    return expected_parts(seen.terms, Phrases(owner, start, stop), drawn)
