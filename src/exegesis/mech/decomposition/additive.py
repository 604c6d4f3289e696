"""Additive decomposition of a recurrent prediction over its words: the mechanism of REAT (Du et al. 2019, Sec. 3.1).

The hidden state follows ``h_t = α_t ⊙ h_{t-1} + h̃_t`` (Eq. 10), so the state that an output layer reads is a sum
of the words' contributions, dampened by all later forgetting factors (Eq. 11-13).

Two rewritings make it exact and cheap. (1) It telescopes: with ``P_t = W [h_t ⊙ Π_{k>t} α_k]``, a word's score is
``P_t - P_{t-1}`` and a phrase's (Eq. 14) ``P_r - P_{q-1}``, the sum of its words' scores; one suffix product gives
them all. (2) For an LSTM (Eq. 18) ``α_k = f_k o_k / o_{k-1}`` explodes if an output gate is nearly shut; since
``h_t = o_t tanh(c_t)``, ``P_t = W [tanh(c_t) ⊙ o_T ⊙ Π_{k>t} f_k]`` and nothing is divided by a product of gates.

Readouts other than the last state are sums ``Σ_t ω_t ⊙ h_t``; each h_t is decomposed in the same way, which gives
``R_s = Σ_{t≥s} ω_t ⊙ o_t ⊙ Π_{s<k≤t} f_k`` instead of the suffix product, by a scan from the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.nn.recurrent import cells, gates, reading_order
from exegesis.protocols.recurrent import Direction, Term, Unrolled


def decompose(unrolled: Unrolled, *, naive: bool = False) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b c"]]:
    """The contributions of each piece, and of the initial states, to each raw output; with the bias they sum to it.

    ``naive`` takes every forgetting factor as one (Eq. 7-9). Raises UnsupportedError for a plain RNN unless naive.
    """
    top = unrolled.layers[-1]
    words = torch.zeros((), dtype=unrolled.outputs.dtype, device=unrolled.outputs.device)
    initial = torch.zeros_like(unrolled.outputs)
    for number, direction in enumerate(top):
        terms = [term for term in unrolled.terms if term.direction == number]
        if not terms:
            continue
        states = _naive(direction) if naive else _states(direction)
        for term in terms:
            if term.kind == "last":
                piece, start = _last(term, direction, states, owned=len(terms) == 1 and not naive)
            else:
                piece, start = _any(term, states)
            words = words + reading_order(piece, direction.lengths, direction.reverse)
            initial = initial + start
    step = torch.arange(words.shape[1], device=words.device)
    inside = step < top[0].lengths.to(words.device)[:, None]
    return words.masked_fill(~inside[..., None], 0.0), initial


def all_spans(words: Float[Tensor, "*axes t"]) -> Float[Tensor, "*axes t t"]:
    """Scores of every span at once: ``[..., q, r]`` is the sum of pieces q to r, both included; zero for q > r."""
    prefix = torch.nn.functional.pad(words.cumsum(-1), (1, 0))
    return (prefix[..., None, 1:] - prefix[..., :-1, None]).triu()


@dataclass(frozen=True, eq=False)
class _States:
    """A recurrence y_t = factor_t y_{t-1} + update_t, its start, and the gate through which it is read (h = o y)."""

    state: Float[Tensor, "b t h"]
    start: Float[Tensor, "b h"]
    factor: Float[Tensor, "b t h"] | None
    opened: Float[Tensor, "b t h"] | None


def _states(direction: Direction) -> _States:
    """h, h_0, z and no gate for a GRU; tanh c, tanh c_0, f and o for an LSTM."""
    if direction.cell == "gru":
        (update,) = gates(direction, "z")
        return _States(direction.hidden, direction.h0, update, None)
    if direction.cell != "lstm" or direction.c0 is None:
        raise UnsupportedError(
            "reat needs the forgetting gate of an LSTM or GRU; a plain RNN has none (naive-reat can explain it)"
        )
    forget, output = gates(direction, "fo")
    if float(output.min()) > torch.finfo(output.dtype).tiny ** 0.5:
        state = direction.hidden / output  # h_t = o_t tanh(c_t), to rounding
    else:
        state = cells(direction).tanh()
    return _States(state, direction.c0.tanh(), forget, output)


def _naive(direction: Direction) -> _States:
    return _States(direction.hidden, direction.h0, None, None)


def _last(
    term: Term, direction: Direction, states: _States, *, owned: bool
) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b c"]]:
    """Scores if the last state is read, as differences of P_t; and P_0. ``owned``: the states may be overwritten."""
    lengths = direction.lengths.to(states.state.device)
    index = torch.arange(len(lengths), device=lengths.device)
    step = torch.arange(states.state.shape[1], device=lengths.device)
    opened = None if states.opened is None else states.opened[index, lengths - 1]
    reach, first = states.state, states.start
    if states.factor is not None:
        product = _products(states.factor, step >= lengths[:, None], owned)
        # a GRU's states are the model's own, an LSTM's were computed here
        reach = reach if owned and states.opened is not None else reach.clone()
        reach[:, :-1] *= product[:, 1:]
        first = first * product[:, 0]
    weight = term.linear
    if opened is not None:
        reach, first = reach.mul_(opened[:, None]) if owned else reach * opened[:, None], first * opened
    prefix = torch.nn.functional.linear(reach, weight)
    start = torch.nn.functional.linear(first, weight)
    return torch.cat([prefix[:, :1] - start[:, None], prefix[:, 1:] - prefix[:, :-1]], 1), start


def _products(factor: Float[Tensor, "b t h"], after: Bool[Tensor, "b t"], owned: bool) -> Float[Tensor, "b t h"]:
    """Products of the factors from each position to the end of its text."""
    factor = factor if owned else factor.clone()
    if bool(after.any()):
        factor.masked_fill_(after[..., None], 1.0)
    if factor.device.type != "cpu":
        return factor.flip(1).cumprod(1).flip(1)
    for t in range(factor.shape[1] - 2, -1, -1):
        factor[:, t] *= factor[:, t + 1]
    return factor


def _any(term: Term, states: _States) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b c"]]:
    """Scores for any weights over the states; and the contribution of the initial state."""
    previous = torch.cat([states.start[:, None], states.state[:, :-1]], 1)
    remembered = previous if states.factor is None else states.factor * previous
    gained = term.weights if states.opened is None else term.weights * states.opened
    if states.factor is None:
        weight = gained.flip(1).cumsum(1).flip(1)
    else:
        rest, sums = torch.zeros_like(states.start), []
        for t in range(states.factor.shape[1] - 1, -1, -1):
            rest = gained[:, t] + rest
            sums.append(rest)
            rest = states.factor[:, t] * rest
        weight = torch.stack(sums[::-1], 1)
    start = torch.nn.functional.linear(remembered[:, 0] * weight[:, 0], term.linear)
    return torch.nn.functional.linear((states.state - remembered) * weight, term.linear), start
