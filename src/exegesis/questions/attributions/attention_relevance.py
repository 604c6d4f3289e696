"""Attention weighted by its gradients and followed through the layers of an encoder (Chefer et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from exegesis.core.errors import ExegesisError, UnsupportedError
from exegesis.core.text import text_of_words
from exegesis.engine.methods import BACKWARD, Scores, method
from exegesis.mech.attending.layout import layout_of, refuse_unless_square
from exegesis.mech.attending.relevance import through_attention
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target

NAME = "attention-relevance"


@method(
    NAME,
    question="which words?",
    summary="attention weighted by its gradients, followed through the layers to where the number is read",
    paper="Chefer et al., Generic Attention-model Explainability",
    year=2021,
    signed=False,
)
@dataclass(frozen=True)
class AttentionRelevance:
    """The relevance of each word by the weights of attention and their gradients; never negative, without a unit.

    In every layer Ā is the mean over heads of the positive part of A ⊙ ∂f/∂A (Chefer et al. 2021), and relevance goes
    on by R ← R + Ā R, from the identity. A word's score is the sum over its pieces of the row of R that the number is
    read from. Nothing is promised to add up: what goes around attention counts as the identity, and the
    values that are attended to do not count at all.

    Deviations: the paper takes the row of [CLS]. Here it is every row of the last layer that has a gradient, which is
    [CLS] alone in encoders that classify by it, the last piece in causal models, and the mean of all rows where states
    are averaged. The identity with which R begins is left out of the scores. The rules for two modalities and for
    cross-attention are not here: encoder-decoders are refused.

    Raises UnsupportedError for a model that shows no attention from all pieces to all pieces in every layer.
    """

    wants: ClassVar[str] = "a transformer model"

    @staticmethod
    def lacks(model: Differentiable) -> str | None:
        """The reason why a model cannot be served, found by a few short runs; None if it can."""
        if getattr(getattr(getattr(model, "module", None), "config", None), "is_encoder_decoder", False):
            return "it has a decoder, whose attention to the encoder this method has no rule for"
        tokens, probes = model.tokens, getattr(model, "probes", None)
        token = tokens.get("unknown", tokens.get("mask", tokens["pad"] + 1))
        try:  # a model that is read at a place needs a text with one
            text = model.read(probes()[-1]) if probes else text_of_words("", [("", 0, 0)] * 6, [token] * 6)
            refuse_unless_square(NAME, model, layout_of(model, model.encode([text])))
        except UnsupportedError as error:
            return str(error)
        except ExegesisError:  # this short text does not suit the model; its own texts will tell
            return None
        return None

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        values = torch.zeros(len(batch), target.count, batch.ids.shape[1], dtype=torch.float64, device=batch.device)
        for row, length in enumerate(batch.lengths.tolist()):
            index = torch.tensor([row], device=batch.device)
            found = through_attention(NAME, model, batch.take(index), target.take(index))
            values[row, :, :length] = found.to(values)
        return Scores(values)

    def passes(self, words: int, numbers: int) -> int:
        """A pass and a backward pass for each number."""
        return (1 + BACKWARD) * numbers
