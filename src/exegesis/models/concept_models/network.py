"""What the networks through concepts share: embedding, encoder, excerpts, and a linear layer over concepts."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.conceptual import Decision

TINY = 1e-6  # uniform draws stay so far from 0 and 1


class ConceptNetwork(TextClassifier):
    """A network whose logits are ``bias + sum_k part_k``: a part for each concept, which reads its excerpt alone.

    The encoder, a GRU in both directions, sees the whole text and chooses the excerpts; what a concept adds follows
    from the word vectors of its excerpt alone. Logits are summed in float64, so that the parts give them exactly.
    """

    config: ConceptConfig

    def __init__(self, config: ConceptConfig, each: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.encoder = nn.GRU(config.embedding, config.hidden, batch_first=True, bidirectional=True)
        self.generator = nn.Linear(2 * config.hidden, each * config.concepts)
        self.reader = nn.Linear(config.embedding, config.hidden)
        self._frame(config)
        nn.init.normal_(self.embedding.weight, std=0.5)

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of texts padded on the right; every length is at least 1."""
        decision = self.decide(ids, lengths)
        return decision.bias + decision.parts.sum(1)

    def decide(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Decision:
        """The concepts of texts, and what each adds; nothing is drawn."""
        raise NotImplementedError

    def loss(self, lesson: Lesson) -> Float[Tensor, ""]:
        """The number that a step of training makes smaller."""
        raise NotImplementedError

    def seen(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Bool[Tensor, "b t"]]:
        """The word vectors, the encoder's states, and which places hold words, as wide as the longest text."""
        vectors = self.dropout(self.embedding(ids)[:, : int(lengths.max())])
        real = torch.arange(vectors.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
        if bool(real.all()):
            return vectors, self.encoder(vectors)[0], real
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states = pad_packed_sequence(self.encoder(packed)[0], batch_first=True, total_length=vectors.shape[1])[0]
        return vectors, states, real

    def mean_loss(self, lesson: Lesson, logits: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
        """The cross-entropy of logits in the type of the targets."""
        return lesson.cross_entropy(logits.to(lesson.targets.dtype))


def bernoulli(logits: Float[Tensor, "*n"], drawn: bool) -> Float[Tensor, "*n"]:
    """Zeros and ones with the gradient of a relaxed draw (the straight-through binary concrete estimator, biased).

    If not ``drawn``, ones where the probability is above a half.
    """
    if drawn:
        u = torch.rand_like(logits).clamp(TINY, 1 - TINY)
        logits = logits + torch.log(u) - torch.log1p(-u)
    soft = torch.sigmoid(logits)
    hard = (logits > 0).to(soft)
    return hard + (soft - soft.detach()) if drawn else hard


def usual(shares: Float[Tensor, " k"], wanted: float) -> Float[Tensor, ""]:
    """The mean divergence of a wanted share from each of some shares, in nats; its slope does not vanish at 0 and 1."""
    inside = shares.clamp(TINY, 1 - TINY)
    away = wanted * torch.log(wanted / inside) + (1 - wanted) * torch.log((1 - wanted) / (1 - inside))
    return away.mean()
