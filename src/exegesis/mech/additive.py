"""Additive decomposition of a recurrent prediction over its words: the mechanism of REAT (Du et al. 2019, Sec. 3.1).

The hidden state follows ``h_t = α_t ⊙ h_{t-1} + h̃_t`` (Eq. 10), so the state that an output layer reads is a sum
over words of what each word added, dampened by all later forgetting factors (Eq. 11-13).

Two rewritings make it exact and cheap. (1) It telescopes: with ``P_t = W [h_t ⊙ Π_{k>t} α_k]``, a word's score is
``P_t - P_{t-1}`` and a phrase's (Eq. 14) ``P_r - P_{q-1}``, the sum of its words' scores; one suffix product gives
them all. (2) For an LSTM (Eq. 18) ``α_k = f_k o_k / o_{k-1}`` explodes where an output gate is nearly shut; since
``h_t = o_t tanh(c_t)``, ``P_t = W [tanh(c_t) ⊙ o_T ⊙ Π_{k>t} f_k]`` and nothing is divided by a product of gates.

Readouts other than the last state are sums ``Σ_t ω_t ⊙ h_t``; each h_t is decomposed in the same way, which gives
``R_s = Σ_{t≥s} ω_t ⊙ o_t ⊙ Π_{s<k≤t} f_k`` in the place of the suffix product, by a scan from the right.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.core.recurrent import Direction, Term, Unrolled
from exegesis.nn.recurrent import before, cells, gates, reading_order


def decompose(seen: Unrolled, *, naive: bool = False) -> tuple[Float[Tensor, "b t c"], Float[Tensor, "b c"]]:
    """What each piece, and the initial states, add to each raw output; with the bias they sum to it exactly.

    ``naive`` takes every forgetting factor as one (Eq. 7-9). Raises UnsupportedError for a plain RNN unless naive.
    """
    top = seen.layers[-1]
    words = torch.zeros((), dtype=seen.outputs.dtype, device=seen.outputs.device)
    initial = torch.zeros_like(seen.outputs)
    for number, direction in enumerate(top):
        terms = [term for term in seen.terms if term.direction == number]
        if not terms:
            continue
        state, start, factor, opened = _naive(direction) if naive else _states(direction)
        previous = torch.cat([start[:, None], state[:, :-1]], 1)
        kept = previous if factor is None else factor * previous
        update = state - kept
        for term in terms:
            weight = _remaining(term, direction, factor, opened)
            piece = torch.nn.functional.linear(update * weight, term.linear)
            words = words + reading_order(piece, direction.lengths, direction.reverse)
            initial = initial + torch.nn.functional.linear(kept[:, 0] * weight[:, 0], term.linear)
    step = torch.arange(words.shape[1], device=words.device)
    inside = step < top[0].lengths.to(words.device)[:, None]
    return words.masked_fill(~inside[..., None], 0.0), initial


def all_spans(words: Float[Tensor, "*axes t"]) -> Float[Tensor, "*axes t t"]:
    """Scores of every span at once: ``[..., q, r]`` is the sum of pieces q to r, both included; zero for q > r."""
    prefix = torch.nn.functional.pad(words.cumsum(-1), (1, 0))
    return (prefix[..., None, 1:] - prefix[..., :-1, None]).triu()


def _states(direction: Direction) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """State, its start, forgetting factor and output gate: h, h_0, z, none for a GRU; tanh c, tanh c_0, f, o."""
    if direction.cell == "gru":
        (update,) = gates(direction, "z")
        return direction.hidden, direction.h0, update, None
    if direction.cell != "lstm":
        raise UnsupportedError(
            "reat needs the forgetting gate of an LSTM or GRU; a plain RNN has none (naive-reat can explain it)"
        )
    assert direction.c0 is not None
    forget, output = gates(direction, "fo")
    step = torch.arange(output.shape[1], device=output.device)
    inside = (step < direction.lengths.to(output.device)[:, None])[..., None]
    shut = torch.finfo(output.dtype).tiny ** 0.5
    if bool(((output > shut) | ~inside).all()):
        state = direction.hidden / output.clamp_min(shut)  # h_t = o_t tanh(c_t), to rounding
    else:
        state = cells(direction).tanh()
    return state, direction.c0.tanh(), forget, output


def _naive(direction: Direction) -> tuple[Tensor, Tensor, None, None]:
    return direction.hidden, before(direction)[:, 0], None, None


def _remaining(
    term: Term, direction: Direction, factor: Tensor | None, opened: Tensor | None
) -> Float[Tensor, "b t u"]:
    """How much of an update at each position reaches what the output layer reads."""
    lengths = direction.lengths.to(term.weights.device)
    step = torch.arange(term.weights.shape[1], device=lengths.device)
    if factor is None:
        return term.weights.flip(1).cumsum(1).flip(1)
    if term.kind == "last":
        later = factor.masked_fill(~(step < lengths[:, None])[..., None], 1.0)[:, 1:]
        product = torch.cat([later, torch.ones_like(factor[:, :1])], 1).flip(1).cumprod(1).flip(1)
        if opened is None:
            return product
        return product * opened[torch.arange(len(lengths), device=lengths.device), lengths - 1][:, None]
    gained = term.weights if opened is None else term.weights * opened
    state = torch.zeros_like(factor[:, 0])
    found = []
    for t in range(factor.shape[1] - 1, -1, -1):
        state = gained[:, t] + state
        found.append(state)
        state = factor[:, t] * state
    return torch.stack(found[::-1], 1)
