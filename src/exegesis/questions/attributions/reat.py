"""REAT, attribution of recurrent predictions by additive decomposition, and its naive form (Du et al. 2019, WWW)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from exegesis.engine.methods import Scores, method
from exegesis.mech.decomposition.additive import decompose
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Gated, Recurrent
from exegesis.protocols.target import Target

PAPER = "Du et al., On Attribution of RNN Predictions via Additive Decomposition (REAT)"


@method(
    "reat",
    question="which words and phrases?",
    summary="what each word added to the state that is read, less what later gates forgot",
    paper=PAPER,
    year=2019,
    complete=True,
)
@dataclass(frozen=True)
class Reat:
    """A word's share of a logit (Eq. 13; LSTM Eq. 19-20, both directions Eq. 21-22), in units of the logit.

    Identity: words + output bias (+ initial states, if they are not zero) = the logit, to rounding. A phrase's score
    (Eq. 14, 16, 20, 22) is the sum of its words' scores, because the decomposition telescopes
    (``mech.decomposition.additive``).

    Beyond the paper: stacked layers decompose the top layer over its positions (mixtures of positions by lower layers
    stay at the position that the top layer read); mean, max, summed and attention-weighted states are decomposed state
    by state, with attention weights and the places of maxima as constants of this text.

    Raises UnsupportedError for a plain RNN, for an unrecognised readout, and for a target that is not linear in the
    logits (a probability; logits and margins are).
    """

    def __call__(self, model: Gated, batch: Batch, target: Target) -> Scores:
        return _scores(model, batch, target, naive=False)

    def passes(self, words: int, numbers: int) -> int:
        """One."""
        return 1


@method(
    "naive-reat",
    question="which words and phrases?",
    summary="how each step changed the state that is read, forgetting ignored",
    paper=PAPER,
    year=2019,
    complete=True,
)
@dataclass(frozen=True)
class NaiveReat:
    """A word's share of a logit as W (h_t - h_{t-1}) (Eq. 9), in units of the logit; later forgetting is ignored.

    The identity, the readouts and the targets are those of ``reat``; plain RNNs are served too.
    """

    def __call__(self, model: Recurrent, batch: Batch, target: Target) -> Scores:
        return _scores(model, batch, target, naive=True)

    def passes(self, words: int, numbers: int) -> int:
        """One."""
        return 1


def _scores(model: Recurrent, batch: Batch, target: Target, *, naive: bool) -> Scores:
    width = model.link.width(len(model.labels))
    linear = target.linear(width)  # refuses a probability before any work is done
    unrolled = model.unroll(batch)
    words, initial = decompose(unrolled, naive=naive)
    linear = linear.to(words)
    account = {"output bias": torch.einsum("bkc,c->bk", linear, unrolled.bias)}
    if any(bool((d.h0 != 0).any()) or (d.c0 is not None and bool((d.c0 != 0).any())) for d in unrolled.layers[-1]):
        account["initial states"] = torch.einsum("bkc,bc->bk", linear, initial)
    return Scores(torch.einsum("bkc,btc->bkt", linear, words), account)
