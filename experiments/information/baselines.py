"""What other methods say of a word and a hidden state: the baselines of Guan et al. 2019 (Sec. 4 and its supplement).

All answer for the same states as ``exegesis.information``: a value from 0 for each layer and word, larger where the
word matters more to the state.

- ``gradient`` (Li et al. 2015): the mean absolute derivative, over the components of the word's vector and the state.
- ``integrated gradients`` (Sundararajan et al. 2017): for each component of the state, the sum over the word's vector
  of the difference from zero times the derivatives along the way from vectors of zeros; the mean of absolute values.
- ``lrp`` (Ding et al. 2017): the relevance of each component of the state, which starts as its value, that comes down
  to the word by the house's rules (``exegesis.mech.lrp``); the mean of absolute values.
- ``perturbation`` (Fong & Vedaldi 2017): the learned mask that keeps the state with as little as possible of the text:
  the word's vector becomes m x + (1 - m) mean vector, and Σ m / n + ‖Φ(mask) - s‖² / (PRICE σ_S²) is made least by
  Adam over m = sigmoid(a), from 0.5. (Theirs is an image's, with a blurred image as the other end and a penalty that
  makes neighbouring pixels alike; the words of a text have neither.)

Where a state has more than ``NEURONS`` components, as many are drawn for the first three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from exegesis.mech.lrp.propagate import propagate
from exegesis.mech.noise.states import Texts
from exegesis.protocols.insides import Site, site_of
from exegesis.questions.attributions.lrp import Lrp

NEURONS, ALONG, PRICE, LEARNED, RATE = 48, 8, 0.05, 150, 0.1
BASELINES = ("gradient", "integrated gradients", "lrp", "perturbation")


@dataclass(frozen=True, eq=False)
class State:
    """Some components of one hidden state, as the outputs of a model."""

    model: Any
    site: Site
    chosen: Tensor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def outputs_from(self, embeds: Tensor, batch: Any) -> Tensor:
        """The chosen components ``[text, component]``."""
        (state,) = self.model.states_from(embeds, batch, [self.site])
        return state.flatten(1)[:, self.chosen]


def saliency(model: Any, raw: Any, layer: str, kind: str, variance: float, mean: Tensor, seed: int = 0) -> np.ndarray:
    """The values of one baseline for the words of one text; ``variance`` is σ_S², ``mean`` the mean word vector."""
    batch = model.encode([model.read(raw)])
    texts = Texts.of(model, batch)
    site = site_of(layer, model.sites(batch))
    with torch.no_grad():
        size = texts.states([site], texts.vectors, torch.zeros(1, dtype=torch.long))[0].shape[1]
    draws = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(size, generator=draws)[: min(size, NEURONS)].sort().values
    state = State(model, site, chosen)
    if kind == "perturbation":
        return _mask(texts, site, variance, mean)
    if kind == "lrp":
        target = torch.eye(len(chosen)).to(texts.vectors)[None]
        values, _, _ = propagate(state, batch, target, Lrp().settled)  # [1, neurons, t, d]
        per_piece = values[0].sum(-1)
    elif kind == "integrated gradients":
        slopes = sum(_slopes(state, batch, texts.vectors * ((step + 0.5) / ALONG)) for step in range(ALONG)) / ALONG
        per_piece = (slopes * texts.vectors[0]).sum(-1)
    elif kind == "gradient":
        slopes = _slopes(state, batch, texts.vectors)
        words = texts.at_words(slopes.abs().mean(-1)[None])[0]
        return (words / texts.pieces[0]).mean(0).detach().double().numpy()
    else:
        raise ValueError(f"there is no baseline {kind!r}; there are {', '.join(BASELINES)}")
    return texts.at_words(per_piece[None])[0].abs().mean(0).detach().double().numpy()


def _slopes(state: State, batch: Any, vectors: Tensor) -> Tensor:
    """The derivatives of every chosen component, ``[component, piece, dimension]``."""
    count = len(state.chosen)
    rows = vectors.detach().repeat(count, 1, 1).requires_grad_()
    outputs = state.outputs_from(rows, batch.take(torch.zeros(count, dtype=torch.long)))
    (slope,) = torch.autograd.grad(outputs.diagonal().sum(), rows)
    return slope


def _mask(texts: Texts, site: Site, variance: float, mean: Tensor) -> np.ndarray:
    """The learned mask of each word."""
    first = torch.zeros(1, dtype=torch.long)
    (rest,) = (one.detach() for one in texts.states([site], texts.vectors, first))
    logits = torch.zeros(1, texts.pieces.shape[1], dtype=texts.vectors.dtype, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=RATE)
    words = (texts.owner < texts.pieces.shape[1])[..., None]
    for _ in range(LEARNED):
        mask = logits.sigmoid()
        spread = texts.at_pieces(mask)[..., None]
        mixed = spread * texts.vectors + (1 - spread) * mean.to(texts.vectors)
        (state,) = texts.states([site], torch.where(words, mixed, texts.vectors), first)
        loss = mask.mean() + (state - rest).square().sum() / (PRICE * variance)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return logits.detach().sigmoid()[0].double().numpy()
