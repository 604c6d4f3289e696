"""Leave-one-out: the loss of the number if a word, or a whole span, is removed (Li et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.text import Span
from exegesis.engine.methods import Scores, Spanning, at_words, method
from exegesis.mech.removal.perturbed import How, check, without_spans
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target


@method(
    "leave-one-out",
    question="which words and phrases?",
    summary="the number at the text less the number without the word",
    paper="Li et al., Understanding Neural Networks through Representation Erasure",
    year=2016,
)
@dataclass(frozen=True)
class LeaveOneOut:
    """The explained number less its value without the word (all of its pieces), in units of the number.

    ``how``: ``drop`` the word; or replace each of its pieces by a ``zero`` vector, or by a ``pad``, ``unknown`` or
    ``mask`` token. A phrase is removed as a whole, so its score is not the sum of its words' scores. Scores are
    differences of logits or of probabilities, as the target says. The model reads a text without any remaining word as
    one pad token.

    Raises UnsupportedError if the model gives no access to word vectors for ``zero``, or its vocabulary has no such
    token.
    """

    how: How = "drop"

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        return Scores(at_words(self.spans(model, batch, target, [text.words for text in batch.texts]), batch))

    def passes(self, words: int, numbers: int) -> int:
        """The text, and the text without each word."""
        return 1 + words

    def spans(
        self, model: Classifier, batch: Batch, target: Target, spans: Sequence[Sequence[Span]]
    ) -> list[Float[Tensor, "k _"]]:
        """The scores ``[k, spans]`` of any spans of pieces of each text, each removed as a whole."""
        return self.prepared(model, batch, target)(spans)

    def prepared(self, model: Classifier, batch: Batch, target: Target) -> Spanning:
        """Return ``spans`` of these texts as a function; computations that all spans share are done once."""
        check(model, self.how)
        outputs, without = without_spans(model, batch, self.how)
        whole = target.of(outputs)

        def score(spans: Sequence[Sequence[Span]]) -> list[Float[Tensor, "k _"]]:
            counts = [len(phrases) for phrases in spans]
            owner = torch.repeat_interleave(torch.arange(len(spans)), torch.tensor(counts))
            edges = torch.tensor([list(span) for phrases in spans for span in phrases]).reshape(-1, 2)
            raw = without(owner, edges[:, 0], edges[:, 1])
            differences = whole[owner.to(whole.device)] - target.take(owner).of(raw)
            return [part.t() for part in torch.split(differences, counts)]

        return score
