"""The noise of every word at which Eq. 7 is least: from the linear state's closed form, by a few fixed-point steps.

Eq. 7 in the logarithms u of σ, with the pieces m_i of word i: L(u) = −Σ m_i u_i + E‖Φ(x + σε) − Φ(x)‖² / (Kλσ_S²).
At a minimum every word's certificate r_i = σ_i ∂/∂σ_i E‖...‖² / (m_i Kλσ_S²) is 1, since a word of m pieces of one σ
has m times the entropy of Eq. 6. For a linear state r_i = 2σ_i²‖J_i‖² / (m_i Kλσ_S²), so u − ½ log r is the minimum in
one step; elsewhere such steps are repeated with the same draws, accelerated by Anderson's method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.mech.noise.states import FIRST, Change, Texts, changes, sensitivities
from exegesis.protocols.insides import Site

LONGEST = 0.7  # the longest step in the logarithm of a σ
BOUNCED = 0.9  # of the last step, from which a step back is as long: both are to be shorter
LINEAR = 2.0  # times the closed form, up to which a tenth of the noise is taken to be a linear matter
MEMORY = 4  # earlier steps that accelerate the next
FRESH = 7919  # added to the seed for the draws of the certificate
SIGMAS = 3.0  # standard errors within which a certificate is 1
AGREED = 0.1  # the error of log σ over the spread of log σ over words at which two seeds correlate by 0.99
FINEST = 0.5  # times the tolerance, below which no error is asked for
CLOSE = 0.5  # the distance of a certificate from 1, over fixed draws, in errors of log σ that are asked for
PROVEN = 256  # pairs of fresh draws at most
HOPELESS = 1.5  # times the largest error that counts, expected with all draws: no more draws are taken
UNSEEN = 4  # times as many pairs are taken where the certificate is off by more than its error


@dataclass(frozen=True)
class Search:
    """How minima are sought: pairs of draws at first and at most, probes, steps, the tolerated error of log σ.

    Where the words of a text hardly differ, so that errors of ``tolerance`` would turn their order, the error is to be
    a tenth of the spread of log σ over the words, but no less than half the tolerance.
    """

    pairs: int = 64
    most: int = 512
    probes: int = 2048
    steps: int = 24
    tolerance: float = 0.02
    seed: int = 0

    def goal(self, u: Float[Tensor, "b w"], free: Bool[Tensor, "b w"]) -> Float[Tensor, " b"]:
        """The error of log σ to reach in each text, u the log σ of its words that are ``free``."""
        count = free.sum(1).clamp_min(1)
        mean = u.masked_fill(~free, 0.0).sum(1) / count
        spread = ((u - mean[:, None]).square().masked_fill(~free, 0.0).sum(1) / count).sqrt()
        fine = (AGREED * spread).clamp(FINEST * self.tolerance, self.tolerance)
        return torch.where(free.sum(1) > 1, fine, self.tolerance)


@dataclass(frozen=True, eq=False)
class Minimum:
    """The σ of every word at one site, in double precision.

    ``linear`` is the closed form, ``error`` the Monte Carlo standard error of log σ. ``certificate`` is r (see the
    module) on fresh draws with its standard error. ``capped`` words reached the largest σ; those that the closed form
    too sets there are ``unseen``. ``pairs`` are the pairs of draws that were taken.
    """

    sigma: Float[Tensor, "b w"]
    linear: Float[Tensor, "b w"]
    error: Float[Tensor, "b w"]
    certificate: Float[Tensor, "b w"]
    certificate_error: Float[Tensor, "b w"]
    capped: Bool[Tensor, "b w"]
    unseen: Bool[Tensor, "b w"]
    settled: Bool[Tensor, "b w"]
    pairs: Int[Tensor, " b"]


def minima(
    texts: Texts,
    sites: Sequence[Site],
    allowed: Float[Tensor, "s b"],
    cap: float,
    search: Search,
) -> list[Minimum]:
    """The minima of Eq. 7 at every site; ``allowed`` is Kλσ_S² of each text, ``cap`` the largest σ."""
    real = texts.pieces > 0

    def goal(squares: Float[Tensor, "b w"]) -> Float[Tensor, " b"]:
        seen = real & (squares > 0)
        return 0.7 * search.goal(-0.5 * squares.clamp_min(1e-300).log(), seen)

    slopes = sensitivities(texts, sites, search.probes, goal, search.seed)
    again = sensitivities(texts, sites, FIRST, goal, search.seed + FRESH)
    return [
        _minimum(texts, site, own, fresh, room, cap, search)
        for site, own, fresh, room in zip(sites, slopes, again, allowed.double(), strict=True)
    ]


def _minimum(
    texts: Texts,
    site: Site,
    slope: tuple[Tensor, Tensor],
    fresh: tuple[Tensor, Tensor],
    allowed: Float[Tensor, " b"],
    cap: float,
    search: Search,
) -> Minimum:
    """The minimum of every text; each takes as many draws as its own words need, whatever its neighbours take.

    Where rare draws change a saturated state at a stroke, the error is so large that ``search.most`` draws would not
    bring it down: such a text ends unsettled with the draws it has.
    """
    pieces, top = texts.pieces.double(), math.log(cap)
    real, room = pieces > 0, (pieces.clamp_min(1) * allowed[:, None])
    start = 0.5 * (room / (2 * slope[0])).log()
    unseen = real & ~(start < top)
    start = start.nan_to_num(top, top, top).clamp_max(top)
    reach = LINEAR * start.exp()
    u, gap = start.clone(), torch.zeros_like(start)
    error, certificate, doubt = (torch.zeros_like(start) for _ in range(3))
    taken = torch.zeros(len(u), dtype=torch.long)
    waiting = {min(search.pairs, search.most): torch.arange(len(u))}  # texts by the pairs that they take next
    while waiting:
        pairs = min(waiting)
        left = waiting.pop(pairs)
        some, at = texts.take(left), left.to(u.device)
        own, free = (slope[0][at], slope[1][at]), (real & ~unseen)[at]
        measure = _Measure(changes(some, site, some.noise(pairs, search.seed)), own, room[at], reach[at])
        u[at], gap[at], drawn, known = _solved(u[at], measure, free, top, search)
        free = free & (u[at] < top)
        goal, worst = search.goal(u[at], free), (0.5 * drawn).masked_fill(~free, 0.0).amax(1)
        hopeless = (worst * (pairs / search.most) ** 0.5 > HOPELESS * SIGMAS * search.tolerance).cpu()
        ready = ((worst <= goal).cpu() | hopeless | (pairs >= search.most)).nonzero()[:, 0]
        error[at] = 0.5 * torch.hypot(drawn, known)
        need = (worst / goal).square().cpu()
        if len(ready):
            rows = left[ready]
            proven, there = texts.take(rows), rows.to(u.device)
            draws = changes(proven, site, proven.noise(min(pairs, PROVEN), search.seed + FRESH))
            proof = _Measure(draws, (fresh[0][there], fresh[1][there]), room[there], reach[there])
            certificate[there], *doubts = proof(u[there])
            doubt[there], taken[rows] = torch.hypot(*doubts), pairs
            off = (certificate[there] - 1).abs() - SIGMAS * torch.hypot(doubt[there], 2 * error[there])
            far = (off > 2 * search.tolerance) & real[there] & (u[there] < top)  # the search did not see rare draws
            need[ready] = torch.where(far.any(1).cpu() & ~hopeless[ready], float(UNSEEN), 0.0).to(need)
        if pairs < search.most:
            for row, times in zip(left, need.tolist(), strict=True):
                if times > 0:
                    more = min(search.most, pairs * 2 ** max(1, math.ceil(math.log2(times))))
                    waiting[more] = torch.cat([waiting.get(more, left[:0]), row[None]])
    within = (certificate - 1).abs() <= 2 * search.tolerance + SIGMAS * torch.hypot(doubt, 2 * error)
    settled = (gap <= search.tolerance) & within & (error <= SIGMAS * search.tolerance)
    error, certificate, doubt = (values.nan_to_num(0.0, 0.0, 0.0) for values in (error, certificate, doubt))
    sigma, capped = torch.where(u < top, u.exp(), cap), real & ~(u < top)
    return Minimum(sigma, start.exp(), error, certificate, doubt, capped, unseen, settled | ~real, taken)


@dataclass(frozen=True, eq=False)
class _Measure:
    """The certificates at some log σ over fixed draws, their standard errors from the draws, and from ‖J‖².

    The linear part of the change is known without noise (2σ²‖J‖²), so its draws correct those of the whole change, as
    long as σ is not beyond ``reach``, where a small part of the noise would no longer be a linear matter.
    """

    change: Change
    slope: tuple[Float[Tensor, "b w"], Float[Tensor, "b w"]]
    room: Float[Tensor, "b w"]
    reach: Float[Tensor, "b w"]

    def __call__(
        self, u: Float[Tensor, "b w"]
    ) -> tuple[Float[Tensor, "b w"], Float[Tensor, "b w"], Float[Tensor, "b w"]]:
        sigma = u.exp()
        whole, small = self.change(sigma)
        count = whole.shape[1]
        centred, along = whole - whole.mean(1, keepdim=True), small - small.mean(1, keepdim=True)
        share = ((centred * along).sum(1) / along.square().sum(1).clamp_min(1e-300)).clamp(0, 1)
        share = share.masked_fill(sigma > self.reach, 0.0)
        linear = 2 * sigma.square() * self.slope[0]
        ratio = (whole.mean(1) - share * (small.mean(1) - linear)) / self.room
        spread = (centred - share[:, None] * along).std(1) / count**0.5
        known = share * 2 * sigma.square() * self.slope[1]
        return ratio, spread / self.room, known / self.room


def _solved(
    u: Float[Tensor, "b w"], measure: _Measure, free: Bool[Tensor, "b w"], top: float, search: Search
) -> tuple[Float[Tensor, "b w"], Float[Tensor, "b w"], Float[Tensor, "b w"], Float[Tensor, "b w"]]:
    """Log σ at which all certificates are 1 over fixed draws, or the cap is reached; the distance |r − 1| that is left,
    and the standard errors of the certificates there."""
    points, steps = list[Tensor](), list[Tensor]()
    gap, drawn, known = (torch.zeros_like(u) for _ in range(3))
    going, longest = torch.ones(len(u), 1, dtype=torch.bool, device=u.device), u.new_full((len(u), 1), LONGEST)
    for number in range(search.steps + 1):
        ratio, *errors = measure(u)
        step = (-0.5 * ratio.clamp_min(1e-12).log()).masked_fill(~free | ((u >= top) & (ratio < 1)), 0.0)
        step = torch.maximum(torch.minimum(step, longest), -longest)
        if steps:  # back and forth, where the state jumps
            back = ((step * steps[-1]).sum(1) < 0) & (step.norm(dim=1) > BOUNCED * steps[-1].norm(dim=1))
            longest = torch.where(back[:, None], longest / 2, (1.5 * longest).clamp_max(LONGEST))
            step = torch.maximum(torch.minimum(step, longest), -longest)
        left = (ratio - 1).abs().masked_fill(~free | ((u >= top) & (ratio < 1)), 0.0)
        gap = torch.where(going, left, gap)
        drawn, known = (torch.where(going, now, old) for now, old in zip(errors, (drawn, known), strict=True))
        going = going & (gap.amax(1, keepdim=True) >= CLOSE * search.goal(u, free)[:, None])
        if number == search.steps or not bool(going.any()):
            break
        points, steps = [*points[-MEMORY:], u], [*steps[-MEMORY:], step]
        u = torch.where(going, _accelerated(points, steps, longest).clamp_max(top), u)
    return u, gap, drawn, known


def _accelerated(
    points: Sequence[Float[Tensor, "b w"]], steps: Sequence[Float[Tensor, "b w"]], longest: Float[Tensor, "b 1"]
) -> Float[Tensor, "b w"]:
    """The next point by Anderson's method, text by text; a plain step if the method goes farther than is wise."""
    u, step = points[-1], steps[-1]
    plain = u + step
    if len(points) < 2:
        return plain
    moved = torch.stack([b - a for a, b in pairwise(points)], 2)
    bent = torch.stack([b - a for a, b in pairwise(steps)], 2)
    square = bent.mT @ bent
    scale = square.diagonal(dim1=1, dim2=2).amax(1)[:, None, None].clamp_min(1e-30)
    weights = torch.linalg.solve(
        square / scale + 1e-8 * torch.eye(square.shape[-1], device=u.device).to(u), bent.mT @ step[..., None] / scale
    )
    wise = plain - ((moved + bent) @ weights)[..., 0]
    far = ((wise - u).abs() > 2 * longest) | (step.abs() >= longest) | ~wise.isfinite()
    return torch.where(far.any(1, keepdim=True), plain, wise)
