"""REAT, the recurrent attribution method, and its naive form (Du et al. 2019, "On Attribution of Recurrent Neural
Network Predictions via Additive Decomposition", WWW)."""

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

    Identity: words + output bias (+ initial states, where they are not zero) = the logit, to rounding. A phrase's
    score (Eq. 14, 16, 20, 22) is the sum of its words' scores: the decomposition telescopes (``mech.additive``), so a
    phrase says nothing that its words do not.

    Beyond the paper: stacked layers decompose the top layer over its positions (what lower layers mixed across
    positions stays where the top layer read it); mean, max, summed and attention-weighted states are decomposed state
    by state, attention weights and the places of maxima taken as constants of this text. Targets must be linear in the
    logits: a logit or a margin, no probability. A plain RNN and an unrecognised readout are refused.
    """

    def __call__(self, model: Gated, batch: Batch, target: Target) -> Scores:
        return _scores(model, batch, target, naive=False)


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
    """A word's share of a logit as W (h_t - h_{t-1}) (Eq. 9): what later gates forget is ignored.

    The same identity and readouts as ``reat``; plain RNNs are served too.
    """

    def __call__(self, model: Recurrent, batch: Batch, target: Target) -> Scores:
        return _scores(model, batch, target, naive=True)


def _scores(model: Recurrent, batch: Batch, target: Target, *, naive: bool) -> Scores:
    width = model.link.width(len(model.labels))
    linear = target.linear(width)  # refuses a probability before any work is done
    seen = model.unroll(batch)
    words, initial = decompose(seen, naive=naive)
    linear = linear.to(words)
    account = {"output bias": torch.einsum("bkc,c->bk", linear, seen.bias)}
    if any(bool((d.h0 != 0).any()) or (d.c0 is not None and bool((d.c0 != 0).any())) for d in seen.layers[-1]):
        account["initial states"] = torch.einsum("bkc,bc->bk", linear, initial)
    return Scores(torch.einsum("bkc,btc->bkt", linear, words), account)
