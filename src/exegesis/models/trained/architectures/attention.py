"""Attention that makes one vector of the states of a recurrent layer."""

from __future__ import annotations

from typing import Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from exegesis.nn.halves import half

Score = Literal["dot", "general", "concat"]


class AdditiveAttention(nn.Module):
    """Pooling by additive attention: weights softmax_t v · tanh(W h_t + b) over the real positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.softmax = nn.Softmax(dim=1)  # a separate part, so that hooks can see its weights

    def forward(self, states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"]) -> Float[Tensor, "b h"]:
        scores = self.score(half(torch.tanh(self.hidden(states)), "attention")).squeeze(-1)
        weights = self.softmax(scores.masked_fill(~real, -torch.inf))
        return torch.einsum("bt,bth->bh", weights, states)


class QueryAttention(nn.Module):
    """Attention of the last state h to all states s_i, by one of three scores (Luong et al. 2015, Sec. 3.1).

        score(h, s_i) = h · s_i,  h · W_a s_i,  or  v_a · tanh(W_a [h; s_i])                       (survey, Eq. 17)
        c = sum_i softmax_i(score) s_i;   tanh(W_c [c; h])                                        (survey, Eq. 15-16)

    The survey's decoder state is the classifier's last state here, as there is one step only.
    """

    def __init__(self, score: Score, width: int) -> None:
        super().__init__()
        self.kind = score
        if score != "dot":
            self.match = nn.Linear(width if score == "general" else 2 * width, width, bias=False)
        if score == "concat":
            self.score = nn.Linear(width, 1, bias=False)
        self.softmax = nn.Softmax(dim=1)
        self.combine = nn.Linear(2 * width, width, bias=False)

    def forward(
        self, states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"], last: Float[Tensor, "b h"]
    ) -> Float[Tensor, "b h"]:
        weights = self.softmax(self.scores(states, last).masked_fill(~real, -torch.inf))
        context = torch.einsum("bt,bth->bh", weights, states)
        return half(torch.tanh(self.combine(torch.cat([context, last], -1))), "attended")

    def scores(self, states: Float[Tensor, "b t h"], last: Float[Tensor, "b h"]) -> Float[Tensor, "b t"]:
        """How well each state fits the last one."""
        if self.kind == "concat":
            both = torch.cat([last[:, None].expand_as(states), states], -1)
            return cast(Tensor, self.score(half(torch.tanh(self.match(both)), "attention"))).squeeze(-1)
        return torch.einsum("bh,bth->bt", last, states if self.kind == "dot" else self.match(states))


class StructuredAttention(nn.Module):
    """Structured self-attention (Lin et al. 2017): ``hops`` rows of weights, each a view of the text.

    A = softmax(W2 tanh(W1 Hᵀ)), M = A H (survey, Eq. 19-20), the rows of M side by side. ``penalty`` is the mean over
    the texts of the last batch of ‖A Aᵀ − I‖² (Frobenius), which keeps the rows apart.
    """

    def __init__(self, width: int, hops: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, hops, bias=False)
        self.softmax = nn.Softmax(dim=2)
        self._weights: Tensor | None = None

    def forward(self, states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"]) -> Float[Tensor, "b rh"]:
        scores = self.score(half(torch.tanh(self.hidden(states)), "attention")).transpose(1, 2)
        weights = self.softmax(scores.masked_fill(~real[:, None], -torch.inf))
        self._weights = weights if self.training else None
        return torch.einsum("brt,bth->brh", weights, states).flatten(1)

    def penalty(self) -> Tensor | None:
        """The penalty of the last batch in training; None before there was one."""
        if self._weights is None:
            return None
        alike = self._weights @ self._weights.transpose(1, 2)
        return (alike - torch.eye(alike.shape[1]).to(alike)).square().sum((1, 2)).mean()


class SpanAttention(nn.Module):
    """Attention over runs of words, each a view of its two ends (Sun et al. 2020; survey, Sec. 4.2.3, [182]).

        h(i, j) = tanh(W [h_i; h_j; h_i - h_j; h_i * h_j] + b)
        a(i, j) = softmax over all spans of v . h(i, j);   the text is sum a(i, j) h(i, j)

    W [..] is written as S h_i + E h_j + B (h_i * h_j), the same functions with a quarter fewer weights. The paper has
    all spans; here they have at most ``longest`` words, so that their number grows with the text and not with its
    square. ``penalty`` is the mean over the texts of the last batch of 1 - sum a(i, j)², which is small if few spans
    decide (the paper adds sum a² to what it maximises).
    """

    def __init__(self, width: int, longest: int) -> None:
        super().__init__()
        self.longest = longest
        self.starts = nn.Linear(width, width)
        self.ends = nn.Linear(width, width, bias=False)
        self.both = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.softmax = nn.Softmax(dim=1)
        self._weights: Tensor | None = None

    def forward(self, states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"]) -> Float[Tensor, "b h"]:
        weights, spans = self.spans(states, real)
        self._weights = weights if self.training else None
        return torch.einsum("bnt,bnth->bh", weights, spans)

    def spans(
        self, states: Float[Tensor, "b t h"], real: Bool[Tensor, "b t"]
    ) -> tuple[Float[Tensor, "b n t"], Float[Tensor, "b n t h"]]:
        """The weight and the vector of the span of n + 1 words that starts at word t; zero weight beyond the text."""
        count = states.shape[1]
        first, last = self.starts(states), self.ends(states)
        vectors, there = [], []
        for more in range(min(self.longest, count)):
            left = count - more
            joined = first[:, :left] + last[:, more:] + self.both(states[:, :left] * states[:, more:])
            vectors.append(functional.pad(half(torch.tanh(joined), "attention"), (0, 0, 0, more)))
            there.append(functional.pad(real[:, more:], (0, more)))
        spans, inside = torch.stack(vectors, 1), torch.stack(there, 1)
        scores = self.score(spans).squeeze(-1).masked_fill(~inside, -torch.inf)
        return self.softmax(scores.flatten(1)).view_as(scores), spans

    def penalty(self) -> Tensor | None:
        """The penalty of the last batch in training; None before there was one."""
        return None if self._weights is None else (1 - self._weights.square().sum((1, 2))).mean()
