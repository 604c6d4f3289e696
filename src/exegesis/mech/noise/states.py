"""One hidden state of some texts of one length, as a function of their word vectors, and what noise does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.draws import generator
from exegesis.protocols.insides import Layered, Site

FIRST = 256  # probes of a Jacobian at first
SMALL = 0.1  # the part of the noise at which a state is taken to be linear


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts of one length with their word vectors. ``owner[b, t]`` is the number of the word of piece t, ``words`` for
    a piece of no word, which bears no noise; ``pieces[b, w]`` is how many pieces a word has, 0 beyond the last word."""

    model: Layered
    batch: Batch
    vectors: Float[Tensor, "b t d"]
    owner: Int[Tensor, "b t"]
    pieces: Float[Tensor, "b w"]

    @classmethod
    def of(cls, model: Layered, batch: Batch) -> Texts:
        """The texts of a batch, all of one length."""
        count = max(len(text.words) for text in batch.texts)
        owner = torch.full(batch.ids.shape, count, device=batch.device)
        for row, text in enumerate(batch.texts):
            for number, word in enumerate(text.words):
                owner[row, word.start : word.stop] = number
        vectors = model.embed(batch).detach()
        pieces = torch.zeros(len(batch), count + 1, device=batch.device, dtype=vectors.dtype)
        pieces.scatter_add_(1, owner, torch.ones_like(owner, dtype=vectors.dtype))
        return cls(model, batch, vectors, owner, pieces[:, :-1])

    def take(self, rows: Int[Tensor, " n"]) -> Texts:
        """The texts with these numbers."""
        at = rows.to(self.vectors.device)
        return Texts(self.model, self.batch.take(rows), self.vectors[at], self.owner[at], self.pieces[at])

    def at_pieces(self, values: Float[Tensor, "b w"]) -> Float[Tensor, "b t"]:
        """Values of words at their pieces, 0 at a piece of no word."""
        return torch.cat([values, values.new_zeros(len(values), 1)], 1).gather(1, self.owner)

    def at_words(self, values: Float[Tensor, "b m t"]) -> Float[Tensor, "b m w"]:
        """Values of pieces, summed over each word's."""
        whole = values.new_zeros(*values.shape[:2], self.pieces.shape[1] + 1)
        whole.scatter_add_(2, self.owner[:, None].expand_as(values), values)
        return whole[..., :-1]

    def noise(self, pairs: int, seed: int) -> Float[Tensor, "b m t d"]:
        """Gaussian noise for every text, seeded by the text."""
        shape = (pairs, *self.vectors.shape[1:])
        drawn = [torch.randn(shape, generator=generator(text, seed), dtype=torch.float32) for text in self.batch.texts]
        return torch.stack(drawn).to(self.vectors)

    def states(self, sites: Sequence[Site], vectors: Float[Tensor, "r t d"], rows: Int[Tensor, " r"]) -> list[Tensor]:
        """The states ``[row, dimension]`` at sites for vectors of the texts with these numbers."""
        batch = self.batch.take(rows)
        return [state.flatten(1) for state in self.model.states_from(vectors, batch, sites)]


def parts(count: int, texts: int, width: int, device: torch.device) -> Iterator[slice]:
    """Runs of ``count`` draws for each of ``texts`` texts that fit into one backward pass."""
    step = max(1, budget_for("gradients", device).rows_of(width) // texts)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


Goal = Callable[[Float[Tensor, "b w"]], Float[Tensor, " b"]]


def sensitivities(
    texts: Texts, sites: Sequence[Site], probes: int, goal: Goal, seed: int
) -> list[tuple[Float[Tensor, "b w"], Float[Tensor, "b w"]]]:
    """The squared norm ‖J_i‖² of the Jacobian of each state by each word's vectors, and its standard error.

    E ‖J_iᵀv‖² over probes v that are rows of an orthonormal cosine transform, with random signs of the dimensions: all
    words at once from a backward pass for each probe. ``FIRST`` probes are taken at first, then more until the relative
    error of every word's norm is below ``tolerance``, at most ``probes``; exact where the state has no more dimensions.
    """
    count = len(texts.batch)
    with torch.no_grad():
        sizes = [state.shape[1] for state in texts.states(sites, texts.vectors, torch.arange(count))]
    rows = [_probes(size, min(probes, size), seed + n).to(texts.vectors) for n, size in enumerate(sizes)]
    found: list[list[Tensor]] = [[] for _ in sites]
    words = texts.pieces.shape[1]
    answers = [
        (texts.vectors.new_zeros(count, words).double(), texts.vectors.new_full((count, words), torch.inf).double())
        for _ in sites
    ]
    going, start, stop = list(range(len(sites))), 0, FIRST
    while going:
        for part in parts(stop - start, count, texts.vectors.shape[1], texts.batch.device):
            chosen = [rows[number][start:stop][part] for number in going]
            width = max(map(len, chosen))
            if width:
                squares = _squares(texts, [sites[number] for number in going], chosen, width)
                for number, one in zip(going, squares, strict=True):
                    found[number].append(one)
        for number in list(going):
            mean, error = answers[number]
            open_ = _open(mean, error, goal)[:, None]  # a text that has enough keeps what it has
            now = _mean(torch.cat(found[number], 1) * sizes[number], sizes[number])
            answers[number] = (torch.where(open_, now[0], mean), torch.where(open_, now[1], error))
            if stop >= len(rows[number]) or not bool(_open(*answers[number], goal).any()):
                going.remove(number)
        start, stop = stop, 2 * stop
    return answers


def _open(mean: Float[Tensor, "b w"], error: Float[Tensor, "b w"], goal: Goal) -> Bool[Tensor, " b"]:
    """True for a text whose norms are not known well enough."""
    return (error > 2 * goal(mean)[:, None] * mean).any(1)


def _squares(
    texts: Texts, sites: Sequence[Site], probes: Sequence[Float[Tensor, "_ _"]], width: int
) -> list[Float[Tensor, "b k w"]]:
    """‖J_iᵀv‖² for every word and every probe of each state, from one run of the network."""
    count = len(texts.batch)
    index = torch.arange(count).repeat_interleave(width)
    vectors = texts.vectors.repeat_interleave(width, 0).requires_grad_()
    squares = []
    for state, chosen in zip(texts.states(sites, vectors, index), probes, strict=True):
        weights = torch.zeros(count, width, state.shape[1], dtype=state.dtype, device=state.device)
        weights[:, : len(chosen)] = chosen
        (slope,) = torch.autograd.grad(state, vectors, weights.flatten(0, 1), retain_graph=True)
        each = slope.square().sum(-1).view(count, width, -1)[:, : len(chosen)]
        squares.append(texts.at_words(each).double())
    return squares


def _mean(squares: Float[Tensor, "b k w"], size: int) -> tuple[Float[Tensor, "b w"], Float[Tensor, "b w"]]:
    """The mean over probes and its standard error, when k of ``size`` orthogonal ones were drawn."""
    count = squares.shape[1]
    spread = squares.std(1) if count > 1 else torch.zeros_like(squares[:, 0])
    return squares.mean(1), spread * ((1 - count / size) / count) ** 0.5


def _probes(size: int, count: int, seed: int) -> Float[Tensor, "k d"]:
    """``count`` rows of the orthonormal cosine transform, drawn without repetition, with random signs."""
    draws = torch.Generator().manual_seed(seed * 1_000_003 + size)
    chosen = torch.randperm(size, generator=draws)[:count].double()
    signs = torch.randint(0, 2, (size,), generator=draws).double() * 2 - 1
    angles = (torch.arange(size, dtype=torch.float64) + 0.5)[None] * chosen[:, None] * (torch.pi / size)
    scale = (torch.where(chosen == 0, 1.0, 2.0).double() / size).sqrt()
    return torch.cos(angles) * scale[:, None] * signs


Change = Callable[[Float[Tensor, "b w"]], tuple[Float[Tensor, "b m w"], Float[Tensor, "b m w"]]]


def changes(texts: Texts, site: Site, noise: Float[Tensor, "b m t d"]) -> Change:
    """A function of σ: for every pair of draws ±ε, σ_i ∂/∂σ_i of ‖Φ(x + σε) − Φ(x)‖², and of the same for a small part
    of the noise ε (where the state is all but linear) over the square of that part."""
    count, pairs = noise.shape[:2]
    with torch.no_grad():
        (rest,) = (state.detach() for state in texts.states([site], texts.vectors, torch.arange(count)))
    signs = noise.new_tensor([1.0, -1.0, SMALL])

    def change(sigma: Float[Tensor, "b w"]) -> tuple[Float[Tensor, "b m w"], Float[Tensor, "b m w"]]:
        spread = texts.at_pieces(sigma.to(noise))[:, None, :, None]
        found = []
        for part in parts(pairs, len(signs) * count, noise.shape[2], texts.batch.device):
            moves = (spread * noise[:, part])[:, :, None] * signs[:, None, None]  # [b, m, sign, t, d]
            index = torch.arange(count).repeat_interleave(moves.shape[1] * len(signs))
            vectors = (texts.vectors[:, None, None] + moves).flatten(0, 2).detach().requires_grad_()
            (state,) = texts.states([site], vectors, index)
            moved = (state - rest[index.to(rest.device)]).square().sum()
            (slope,) = torch.autograd.grad(moved, vectors)
            along = (slope.view_as(moves) * moves).sum(-1).double() / signs.square()[:, None]
            found.append(along)  # [b, m, sign, t]
        along = torch.cat(found, 1)
        return texts.at_words(along[:, :, :2].mean(2)), texts.at_words(along[:, :, 2])

    return change
