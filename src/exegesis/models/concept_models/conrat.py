"""ConRAT: a mask a concept, kept apart by penalties, attention that prunes, a linear sum (Antognini, Faltings 2021)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from exegesis.models.concept_models.network import TINY, ConceptNetwork, bernoulli, usual
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.trained.taught import Lesson
from exegesis.protocols.conceptual import Decision

WEIGHT = 5.0  # of orthogonality among the penalties
LIGHT = 0.1  # of all penalties beside the cross-entropy
SHARP = 2.0  # how much what a word says of its concept counts in the choice of words
OFTEN = 0.3  # the share of texts in which a concept is usually present


class Conrat(ConceptNetwork):
    """The parts of ConRAT (Sun et al. 2021, Sec. 4.3.2): a generator chooses words for each concept, a selector says
    which concepts are present, and the logits are a linear sum of them.

    The generator gives every word a probability for every concept, which rises with what the concept's own detector
    says of the word by itself. An excerpt holds the words that are likelier than not, and the likeliest one always, so
    that none is empty. It is read as the mean of its words' vectors through a tanh layer; a concept's attention
    is the sigmoid of its detector, a linear function of what is read, and a concept whose attention is below a half is
    pruned. A concept then adds attention x w_k to the logits, or nothing. The loss is the cross-entropy plus
    a tenth of ``consistency`` times

    - ``overlap``: how many concepts beyond one have a word, in the mean over words;
    - ``cosine``: the mean squared cosine of the vectors of two concepts of a text;
    - ``orthogonality``: the mean squared cosine of an excerpt of one concept with one of another, of any two texts of
      the batch, five times;
    - ``size``: how far a concept's expected share of a batch's words lies from ``share`` (``usual``), ten times; and
      a tenth of the changes from one word of a text to the next;
    - ``usage``: how far the mean attention of each concept lies from 0.3 (``usual``).

    Deviations: presence is drawn by the straight-through binary concrete estimator, and words are chosen with its
    gradient, but not drawn; attention is a number for each concept, not a softmax over them, by which all would be
    present in most texts; a concept adds a weight for each label, not a linear function of what is read of it: as a
    vector it would tell labels apart while it stands for several things; the further techniques of the paper are left
    out; these penalties are named after its two, and their forms are this package's.
    """

    def __init__(self, config: ConceptConfig) -> None:
        super().__init__(config, 1)
        self.attention = nn.Linear(config.hidden, config.concepts)
        nn.init.constant_(self.attention.bias, -1.0)
        nn.init.normal_(self.attention.weight, std=0.5)

    def decide(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Decision:
        """The concepts of texts: the words that are likelier than not or likeliest, and the concepts not pruned."""
        masks, _, attention, present, _ = self._concepts(ids, lengths, drawn=False)
        parts = (attention.double() * present)[..., None] * self.output.weight.double().t()
        excerpt = functional.pad(masks > 0.5, (0, ids.shape[1] - masks.shape[2]))
        return Decision(excerpt, attention, present > 0.5, parts, self.output.bias.double())

    def loss(self, lesson: Lesson) -> Float[Tensor, ""]:
        """The cross-entropy, and the penalties that keep concepts small and apart."""
        masks, vectors, attention, present, chances = self._concepts(lesson.ids, lesson.lengths, drawn=True)
        total = self.mean_loss(lesson, self.output(attention * present))
        apart = self.penalties(masks, vectors, attention, chances, lesson.lengths)
        return total + LIGHT * self.config.consistency * sum(apart.values(), total.new_zeros(()))

    def penalties(
        self,
        masks: Float[Tensor, "b k t"],
        vectors: Float[Tensor, "b k d"],
        attention: Float[Tensor, "b k"],
        chances: Float[Tensor, "b k t"],
        lengths: Int[Tensor, " b"],
    ) -> dict[str, Float[Tensor, ""]]:
        """The penalties by name, weighted."""
        count = lengths.sum()
        inside = torch.arange(1, masks.shape[2], device=masks.device) < lengths.to(masks.device)[:, None]
        changes = ((masks[:, :, 1:] - masks[:, :, :-1]).abs() * inside[:, None]).sum() / (count * masks.shape[1])
        return {
            "overlap": (masks.sum(1) - 1).clamp(min=0).sum() / count,
            "cosine": _apart(functional.normalize(vectors, dim=-1)),
            "orthogonality": WEIGHT * _alike(functional.normalize(vectors, dim=-1), attention),
            "size": 10 * usual(chances.sum((0, 2)) / count, self.config.share) + 0.1 * changes,
            "usage": usual(attention.mean(0), OFTEN),
        }

    def _concepts(self, ids: Tensor, lengths: Tensor, *, drawn: bool) -> tuple[Tensor, ...]:
        """Masks ``[b, k, t]``, mean vectors, attention, presence, and the words' chances."""
        words, states, real = self.seen(ids, lengths)
        own = torch.tanh(self.reader(words)) @ self.attention.weight.t() + self.attention.bias
        logits = (torch.tanh(self.generator(states)) + SHARP * own).transpose(1, 2)
        masks, chances = chosen(logits.masked_fill(~real[:, None], -torch.inf))
        vectors = masks @ words / masks.sum(2)[..., None]  # 0 x a word leaves no trace of it
        scores = (torch.tanh(self.reader(vectors)) * self.attention.weight).sum(-1) + self.attention.bias
        return masks, vectors, torch.sigmoid(scores), bernoulli(scores, drawn), chances


def chosen(logits: Float[Tensor, "b k t"]) -> tuple[Float[Tensor, "b k t"], Float[Tensor, "b k t"]]:
    """Ones on the words that are likelier than not and on the likeliest, with the gradient of the chances; these."""
    chances = torch.sigmoid(logits)
    best = functional.one_hot(logits.argmax(2), logits.shape[2]).bool()
    return ((logits > 0) | best).to(chances) + (chances - chances.detach()), chances


def _apart(vectors: Float[Tensor, "b k d"]) -> Float[Tensor, ""]:
    """The mean squared cosine of two different ones of k unit vectors; 0 for a single one."""
    count = vectors.shape[1]
    if count < 2:
        return vectors.new_zeros(())
    cosines = vectors @ vectors.transpose(1, 2)
    off = cosines.masked_fill(torch.eye(count, dtype=torch.bool, device=vectors.device), 0.0)
    return off.square().sum((1, 2)).mean() / (count * (count - 1))


def _alike(vectors: Float[Tensor, "b k d"], attention: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """The mean squared cosine of an excerpt of one concept with one of another, of any two texts of the batch.

    Excerpts weigh their attention. It is the product of the concepts' mean outer products, over pairs of concepts.
    """
    count = vectors.shape[1]
    if count < 2:
        return vectors.new_zeros(())
    share = attention / attention.sum(0, keepdim=True).clamp(min=TINY)
    moments = torch.einsum("bk,bki,bkj->kij", share, vectors, vectors).flatten(1)
    products = moments @ moments.t()
    return (products.sum() - products.diagonal().sum()) / (count * (count - 1))
