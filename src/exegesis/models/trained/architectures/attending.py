"""The attention of a classifier put to other uses: held fast in a bag of words, and trained away from itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from exegesis.core.errors import UnsupportedError
from exegesis.models.trained.architectures.kinds import network
from exegesis.models.trained.architectures.network import TextClassifier, real_places
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.corpus import Batch, Corpus

Weights = Literal["learned", "uniform"]
BATCH, RATE = 32, 2e-3  # of Adam


def attending(module: object, name: str) -> RecurrentClassifier:
    """A recurrent classifier with one attention over its states. Raises UnsupportedError for any other module."""
    if not isinstance(module, RecurrentClassifier) or not module.config.readout.startswith("attention"):
        raise UnsupportedError(
            f"{name} is no classifier of 'exegesis train' with --readout attention, so none of its kind can be trained "
            "beside it: leave the training texts out"
        )
    return module


@contextmanager
def watched(module: RecurrentClassifier) -> Iterator[list[Float[Tensor, "b t"]]]:
    """The weights of attention of every batch that runs in the block."""
    seen: list[Tensor] = []
    part = cast(Any, module.attention).softmax
    handle = part.register_forward_hook(lambda _, __, weights: seen.append(weights))
    try:
        yield seen
    finally:
        handle.remove()


def run(module: RecurrentClassifier, batch: Batch) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b t"]]:
    """The probabilities of a batch and the weights of attention."""
    with watched(module) as seen:
        probabilities = cast(Tensor, module(batch.ids, batch.lengths)).softmax(-1)
    return probabilities, seen[0]


class GuidedBag(nn.Module):
    """A network that reads each word alone, and sums what it reads by weights that others give (Wiegreffe and Pinter
    2019, Sec. 3.4): W Σ_t α_t tanh(V x_t + b)."""

    def __init__(self, vocabulary: int, embedding: int, hidden: int, labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.hidden = nn.Linear(embedding, hidden)
        self.output = nn.Linear(hidden, labels)
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, ids: Int[Tensor, "b t"], weights: Float[Tensor, "b t"]) -> Float[Tensor, "b c"]:
        states = torch.tanh(self.hidden(self.embedding(ids[:, : weights.shape[1]])))
        return cast(Tensor, self.output(torch.einsum("bt,bth->bh", weights, states)))


@torch.enable_grad()
def guided(module: RecurrentClassifier, corpus: Corpus, weights: Weights, epochs: int, seed: int) -> GuidedBag:
    """A bag of words trained on a corpus, with the weights of the module's attention held fast, or equal ones."""
    config = module.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bag = GuidedBag(config.vocabulary, config.embedding, config.states, len(config.labels))
    optimizer = torch.optim.Adam(bag.parameters(), lr=RATE)
    draws = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in corpus.shuffled(BATCH, draws):
            batch = corpus.batch(rows)
            optimizer.zero_grad()
            loss = functional.cross_entropy(bag(batch.ids, guides(module, batch, weights)), batch.classes)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return bag.requires_grad_(False)


@torch.no_grad()
def guides(module: RecurrentClassifier, batch: Batch, weights: Weights) -> Float[Tensor, "b t"]:
    """The weights that a bag of words is guided by."""
    own = run(module.eval(), batch)[1]
    real = real_places(own[..., None], batch.lengths).to(own)
    return own if weights == "learned" else real / real.sum(1, keepdim=True)


@torch.enable_grad()
def opponent(module: RecurrentClassifier, corpus: Corpus, apart: float, epochs: int, seed: int) -> RecurrentClassifier:
    """A classifier of the same shape, trained to the module's predictions with other attention.

    The loss is TVD(y, y_module) − ``apart`` KL(α ‖ α_module), the means over the texts of a batch (Wiegreffe and Pinter
    2019, Eq. 2-3).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        other = cast(RecurrentClassifier, network(module.config)).train()
        other.dropout.p = 0.0
        optimizer = torch.optim.Adam(other.parameters(), lr=RATE)
        draws = torch.Generator().manual_seed(seed)
        for _ in range(epochs):
            for rows in corpus.shuffled(BATCH, draws):
                batch = corpus.batch(rows)
                with torch.no_grad():
                    wanted, own = run(module.eval(), batch)
                optimizer.zero_grad()
                loss = other_attention_loss(*run(other, batch), wanted, own, apart)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(other.parameters(), 1.0)
                optimizer.step()
    return cast(RecurrentClassifier, cast(TextClassifier, other).eval().requires_grad_(False))


def other_attention_loss(
    found: Float[Tensor, "b c"], weights: Float[Tensor, "b t"], wanted: Float[Tensor, "b c"], own: Float[Tensor, "b t"],
    apart: float,
) -> Float[Tensor, ""]:  # fmt: skip
    """TVD(y, y_module) − ``apart`` KL(α ‖ α_module), the means over a batch."""
    variation = (found - wanted).abs().sum(-1) / 2
    tiny = torch.finfo(own.dtype).tiny
    divergence = (weights * (weights.clamp_min(tiny).log() - own.clamp_min(tiny).log())).sum(-1)
    return (variation - apart * divergence).mean()
