"""The minimum of Eq. 7: the closed form for linear states, its certificate for others, and where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from exegesis.core.place import Place
from exegesis.core.text import Span
from exegesis.mech.noise import minimum
from exegesis.mech.noise.minimum import Minimum, Search, minima
from exegesis.mech.noise.spread import variances
from exegesis.mech.noise.states import Texts, sensitivities
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.insides import Site
from tests.reference import information as plain
from tests.support import samples

K, WORDS = 5, ["a", "fine", "film", "it", "was"]
SITES = [Site(Place("state"), "state")]
WHOLE = " ".join(WORDS)
QUICK = Search(pairs=64, most=64)


@dataclass
class Toy:
    """A model whose one state is a function of its word vectors."""

    state: Callable[[Tensor], Tensor]
    table: Tensor = field(
        default_factory=lambda: torch.randn(40, K, generator=torch.Generator().manual_seed(1)).double()
    )

    def embed(self, batch: Batch) -> Tensor:
        return self.table[batch.ids % len(self.table)]

    def states_from(self, embeds: Tensor, batch: Batch, sites: list[Site]) -> list[Tensor]:
        return [self.state(embeds).flatten(1)[:, None] for _ in sites]


def texts_of(model: Toy, raws: list[str]) -> Texts:
    return Texts.of(model, pad([samples.words_of(raw) for raw in raws], 0))


def solved(state, raws=(WHOLE,), *, allowed=0.05, cap=1e3, search=QUICK, **toy) -> Minimum:
    texts = texts_of(Toy(state, **toy), list(raws))
    (found,) = minima(texts, SITES, torch.full((1, len(raws)), allowed, dtype=torch.float64), cap, search)
    return found


def drawn(rows: int, columns: int = K * len(WORDS), seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x.flatten(1) @ matrix.to(x).T


def bent(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.tanh(0.4 * x.flatten(1) @ matrix.to(x).T)


def test_a_linear_state_has_the_closed_form() -> None:
    matrix = drawn(30)
    matrix[:, K : 2 * K] *= 20
    found = solved(linear(matrix))
    expected = [plain.closed_form(matrix, word, K, 0.05, 1.0) for word in range(5)]
    torch.testing.assert_close(found.sigma[0], torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=0)
    torch.testing.assert_close(found.certificate, torch.ones(1, 5).double(), rtol=1e-9, atol=0)
    assert bool(found.settled.all())


def test_a_linear_state_of_more_dimensions_than_probes_is_within_five_percent() -> None:
    matrix = drawn(2000) * torch.linspace(0.1, 3, 25, dtype=torch.float64)
    found = solved(linear(matrix), search=Search(pairs=16, most=16, probes=256))
    expected = torch.tensor([plain.closed_form(matrix, word, K, 0.05, 1.0) for word in range(5)]).double()
    assert float((found.sigma[0] / expected - 1).abs().max()) < 0.05
    assert bool(((found.sigma[0] / expected).log().abs() < 5 * found.error[0] + 1e-9).all())


def test_norms_of_the_jacobian_are_estimated_without_bias_and_with_their_error() -> None:
    matrix = drawn(600)
    texts = texts_of(Toy(linear(matrix)), [" ".join(WORDS)])
    exact = matrix.view(600, 5, K).square().sum((0, 2))
    found = [sensitivities(texts, SITES, 256, lambda _: torch.ones(1), seed)[0] for seed in range(12)]
    ratio = torch.stack([(mean[0] - exact) / error[0] for mean, error in found])
    assert 0.5 < float(ratio.square().mean()) < 2.0
    assert float(ratio.mean().abs()) < 0.5


def test_the_certificate_is_that_of_eq_7_and_the_minimum_a_minimum() -> None:
    state = bent(drawn(12))
    found = solved(state, allowed=0.6, search=Search(pairs=400, most=400))
    assert bool(found.settled.all())
    assert float((found.sigma / found.linear).max()) > 1.1  # where it bends, it bears more noise
    x = texts_of(Toy(state), [" ".join(WORDS)]).vectors[0]
    noise = torch.randn(2500, 5, K, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    noise = torch.cat([noise, -noise])
    one = lambda vectors: state(vectors[None])[0]  # noqa: E731
    for word in (0, 3):
        assert plain.certificate(one, x, found.sigma[0], noise, 0.6, word) == pytest.approx(1.0, abs=0.1)
    least = plain.objective(one, x, found.sigma[0], noise, 0.6)
    for factor in (0.85, 1.15):
        assert plain.objective(one, x, factor * found.sigma[0], noise, 0.6) > least


def test_a_bounded_state_has_no_minimum_at_a_large_rate_and_says_so() -> None:
    found = solved(bent(drawn(12)), allowed=40.0)
    assert bool((found.capped & ~found.unseen).any())
    assert not bool(solved(bent(drawn(12)), allowed=0.05).capped.any())


def test_a_word_that_is_not_seen_is_discarded_at_the_cap_and_changes_nothing() -> None:
    matrix = drawn(12)
    matrix[:, 2 * K : 3 * K] = 0
    found = solved(bent(matrix), cap=50.0)
    assert found.unseen.tolist() == [[False, False, True, False, False]]
    assert float(found.sigma[0, 2]) == pytest.approx(50.0)
    constant = solved(lambda x: 0 * x.flatten(1) + 1, cap=50.0)
    assert bool(constant.unseen.all())


@pytest.mark.parametrize("change", ["scaled", "moved", "turned", "doubled"])
def test_scaled_moved_turned_and_doubled_states_leave_sigma(change: str) -> None:
    state, texts = bent(drawn(12)), [" ".join(WORDS)]
    turn = torch.linalg.qr(drawn(12, 12, 3)).Q
    other = {
        "scaled": lambda x: 7.0 * state(x),
        "moved": lambda x: state(x) + 3.0,
        "turned": lambda x: state(x) @ turn.to(x),
        "doubled": lambda x: torch.cat([state(x), state(x)], 1),
    }[change]
    sigmas = []
    for one in (state, other):
        held = texts_of(Toy(one), texts)
        spread, _ = variances(held, SITES, torch.arange(20), 50, 0)
        sigmas.append(minima(held, SITES, 0.1 * spread, 1e3, QUICK)[0].sigma)
    torch.testing.assert_close(sigmas[0], sigmas[1], rtol=1e-6, atol=0)


def test_pieces_of_a_word_share_a_sigma_and_special_pieces_bear_no_noise() -> None:
    matrix = drawn(30, K * 6)
    text = samples.words_of(" ".join([*WORDS, "x"]))
    spans = ((0, 1), (1, 3), (3, 4), (4, 5))  # the last piece is of no word
    text = replace(text, words=tuple(Span(*span) for span in spans), special=(False,) * 5 + (True,))
    texts = Texts.of(Toy(linear(matrix)), pad([text], 0))
    (found,) = minima(texts, SITES, torch.full((1, 1), 0.05, dtype=torch.float64), 1e3, QUICK)
    block = matrix[:, K : 3 * K]
    assert float(found.sigma[0, 1]) == pytest.approx(math.sqrt(2 * 0.05 / (2 * float((block**2).sum()))))


def test_a_text_in_a_batch_is_the_text_alone_and_seeds_agree() -> None:
    raws = [" ".join(WORDS), "it was a fine film", "a film it was fine"]
    state = bent(drawn(12) * torch.tensor([0.2, 0.4, 0.8, 1.6, 3.2]).repeat_interleave(K))
    together = solved(state, raws, allowed=0.4).sigma
    again = solved(state, raws[::-1], allowed=0.4).sigma
    torch.testing.assert_close(together, again.flip(0), rtol=1e-9, atol=0)
    torch.testing.assert_close(together[1:2], solved(state, raws[1:2], allowed=0.4).sigma, rtol=1e-3, atol=0)
    other = solved(state, raws, allowed=0.4, search=Search(seed=5)).sigma
    assert torch.equal(together.argsort(1), other.argsort(1))
    assert float((together / other).log().abs().max()) < 0.15


def test_float32_agrees_with_float64() -> None:
    state, table = bent(drawn(12)), Toy(lambda x: x).table
    double, single = (solved(state, allowed=0.4, table=kind).sigma for kind in (table, table.float()))
    torch.testing.assert_close(double, single, rtol=1e-3, atol=0)


def test_where_words_hardly_differ_the_error_is_a_tenth_of_their_spread() -> None:
    state = bent(drawn(12) * torch.tensor([1.0, 1.4, 1.9, 2.6, 3.6]).repeat_interleave(K))
    search = Search(pairs=16, most=4096, tolerance=0.06)
    found = [solved(state, allowed=0.3, search=replace(search, seed=seed)) for seed in (0, 1)]
    logs = [one.sigma[0].log() for one in found]
    for one, log in zip(found, logs, strict=True):
        assert bool(one.settled.all())
        goal = 0.1 * float(log.std(correction=0))
        assert 0.5 * search.tolerance < goal < search.tolerance
        assert 16 <= int(one.pairs) < search.most
        assert float(one.error.max()) <= goal * 1.01
    assert float(torch.corrcoef(torch.stack(logs))[0, 1]) > 0.97
    fine = solved(state, allowed=0.3, search=replace(search, tolerance=0.02))
    assert int(fine.pairs) > int(found[0].pairs)


def test_at_matched_noise_the_minimum_is_that_of_a_plain_descent(monkeypatch) -> None:
    monkeypatch.setattr(minimum, "LINEAR", 0.0)  # draws alone, no correction by the closed form
    state, pairs = bent(drawn(12)), 8
    found = solved(state, allowed=0.5, search=Search(pairs=pairs, most=pairs, tolerance=1e-5, steps=60))
    texts = texts_of(Toy(state), [WHOLE])
    half = texts.noise(pairs, 0)[0]
    one = lambda vectors: state(vectors[None])[0]  # noqa: E731
    expected = plain.descended(one, texts.vectors[0], torch.cat([half, -half]), 0.5, found.linear[0])
    torch.testing.assert_close(found.sigma[0], expected, rtol=1e-4, atol=0)


def test_variances_are_those_of_independent_draws_and_their_errors_are_honest() -> None:
    weights, pool = drawn(6), torch.arange(5, 25)
    texts = texts_of(Toy(linear(weights)), [WHOLE])
    vectors = Toy(linear(weights)).table[pool]
    exact = sum(  # a linear state: each word's part varies on its own
        float((vectors @ weights[:, K * n : K * (n + 1)].T).var(0, correction=0).sum()) for n in range(5)
    )
    found = [variances(texts, SITES, pool, 128, seed) for seed in range(12)]
    off = torch.tensor([float(mean[0, 0]) - exact for mean, _ in found])
    errors = torch.tensor([float(error[0, 0]) for _, error in found])
    assert float(off.mean().abs()) < 0.03 * exact
    assert 0.4 < float((off / errors).square().mean()) < 3.0
    few, doubt = variances(texts, SITES, pool, 2, 0)
    assert torch.equal(few, doubt)
    two, _ = variances(texts_of(Toy(linear(weights)), [WHOLE, "a film it was fine"]), SITES, pool, 64, 0)
    assert two[0, 0] == two[0, 1]  # chance moves the words of all texts alike


def test_the_variance_of_words_that_act_only_together_is_not_low() -> None:
    pool = torch.arange(5, 25)
    mean = Toy(bent).table[pool].mean(0)
    texts = texts_of(Toy(lambda x: (x[:, 0] - mean) * (x[:, 1] - mean)), ["a film"])
    exact = float(Toy(bent).table[pool].var(0, correction=0).square().sum())
    for drawn_texts in (16, 4):  # in groups of two, and one by one
        found = torch.stack([variances(texts, SITES, pool, drawn_texts, seed)[0] for seed in range(300)])
        assert float(found.mean()) == pytest.approx(exact, rel=0.12)


def test_a_certificate_that_fails_asks_for_more_draws(monkeypatch) -> None:
    usual, state = sensitivities, linear(drawn(30))
    search = Search(pairs=8, most=64, tolerance=0.1)
    assert int(solved(state, search=search).pairs) == 8

    def doubled(texts, sites, probes, goal, seed):
        found = usual(texts, sites, probes, goal, seed)
        return [(2 * mean, error) for mean, error in found] if seed >= minimum.FRESH else found

    monkeypatch.setattr(minimum, "sensitivities", doubled)
    found = solved(state, search=search)
    assert int(found.pairs) == 64
    assert float(found.certificate.min()) > 1.5
    assert not bool(found.settled.any())


def test_where_rare_draws_decide_the_search_ends_and_says_so() -> None:
    matrix, side = drawn(12), torch.nn.functional.normalize(drawn(1, seed=4)[0], dim=0)
    edge = float(texts_of(Toy(bent), [WHOLE]).vectors.flatten() @ side) + 0.3

    def saturated(x: Tensor) -> Tensor:
        jump = torch.sigmoid(60 * (x.flatten(1) @ side.to(x) - edge))[:, None]
        return torch.cat([linear(matrix)(x), 40 * jump], 1)

    found = solved(saturated, allowed=2.0, search=Search(pairs=64, most=1024))
    assert int(found.pairs) == 64  # a thousand would not do
    assert float(found.error.max()) > 0.1
    assert not bool(found.settled.any())


def test_steps_that_go_back_and_forth_are_shortened() -> None:
    goal, steep = torch.tensor([[0.0, 0.35, -0.2]]).double(), 8.0  # plain steps would overshoot threefold

    def measure(u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (steep * (u - goal)).exp(), torch.zeros_like(u), torch.zeros_like(u)

    start, free = goal + 0.35, torch.ones_like(goal, dtype=torch.bool)
    found, gap, *_ = minimum._solved(start, measure, free, 9.0, QUICK)  # type: ignore[arg-type]
    torch.testing.assert_close(found, goal, rtol=0, atol=0.01)
    assert float(gap.max()) < QUICK.tolerance
