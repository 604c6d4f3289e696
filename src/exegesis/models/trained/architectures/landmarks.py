"""Classifiers by landmarks: a text is what a kernel says of it and of some training texts, read by a small network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import UsageError
from exegesis.models.trained.architectures.config import LandmarkConfig
from exegesis.models.trained.architectures.network import TextClassifier, pooled, real_places
from exegesis.nn.halves import half

LONGEST = 64  # words of a landmark at most
BASE = 1024  # ids are kept as two numbers below it, which float16 holds exactly
TINY = 1e-6  # share of the largest eigenvalue below which a direction of the kernel is cut off


class LandmarkClassifier(TextClassifier):
    """A kernel-based deep architecture (Croce et al. 2017; the survey's Sec. 3.3).

    With landmarks l_1 ... l_d, training texts drawn by the seed of the training (every label is among them), a text is
    k = [K(x, l_1) ... K(x, l_d)]. The Nyström layer makes φ(x) = S^(-1/2) Uᵀ k of it, where U S Uᵀ are the eigenvectors
    and eigenvalues of the kernel of the landmarks with each other, so that φ(l_i) · φ(l_j) = K(l_i, l_j) at the start;
    directions with less than a millionth of the largest eigenvalue are cut off (``cut``). Then ReLU layers and the
    output layer. The Nyström layer is trained with the others, the kernel is not.

    The kernel ``overlap`` is the cosine between sets of words, weighted by their inverse document frequencies; ``rbf``
    is exp(-γ |x̄ - l̄|²) of the means of word vectors, which may come from a file and are not trained, γ the inverse of
    the median of |l̄_i - l̄_j|².
    """

    config: LandmarkConfig
    still = True
    places: Tensor
    rarity: Tensor
    points: Tensor
    gamma: Tensor
    table: Tensor

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.config = config
        count = config.landmarks
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.nystrom = nn.Linear(count, count, bias=False)
        widths = [count, *[config.hidden] * config.layers]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.register_buffer("places", torch.zeros(count, LONGEST, 2))
        self.register_buffer("rarity", torch.zeros(config.vocabulary))
        self.register_buffer("points", torch.zeros(count, config.embedding))
        self.register_buffer("gamma", torch.ones(()))
        self.register_load_state_dict_post_hook(_prepare)  # type: ignore[no-untyped-call]
        self._frame(config)

    def begin(self, texts: Sequence[Int[Tensor, " _"]], classes: Sequence[int]) -> None:
        """Draw landmarks from training texts, and start the Nyström layer.

        Raises UsageError for too few texts, and for fewer landmarks than two or than labels.
        """
        needed = max(2, len({one for one in classes if one >= 0}))
        if self.config.landmarks < needed:
            raise UsageError(
                f"{self.config.landmarks} landmarks are too few, as every label is among them: ask for at least "
                f"{needed} (--landmarks)"
            )
        different: dict[tuple[int, ...], int] = {}
        for number, text in enumerate(texts):
            if len(text) <= LONGEST and classes[number] >= 0:
                different.setdefault(tuple(text.tolist()), number)
        numbers = list(different.values())
        if len(numbers) < self.config.landmarks:
            raise UsageError(
                f"there are {len(numbers)} different training texts of at most {LONGEST} words, and "
                f"{self.config.landmarks} landmarks: ask for fewer (exegesis train --landmarks)"
            )
        order = [numbers[row] for row in torch.randperm(len(numbers)).tolist()]
        firsts = {classes[number]: number for number in reversed(order)}.values()
        chosen = list(dict.fromkeys([*firsts, *order]))[: self.config.landmarks]
        with torch.no_grad():
            for row, number in enumerate(sorted(chosen)):
                ids = texts[number]
                self.places[row, : len(ids), 0] = (ids // BASE + 1).to(self.places)  # 0 is no word
                self.places[row, : len(ids), 1] = (ids % BASE).to(self.places)
            seen = torch.zeros(self.config.vocabulary)
            for text in texts:
                seen[torch.unique(text)] += 1
            self.rarity.copy_(torch.log((1 + len(texts)) / (1 + seen)) + 1)
            self.prepare()
            ids, lengths = self.landmark_ids()
            self.points.copy_(pooled(self.embedding(ids), real_places(ids[..., None], lengths), "mean"))
            apart = torch.pdist(self.points.double()).square()
            self.gamma.copy_(1 / apart.median().clamp_min(1e-12))
            values, axes = torch.linalg.eigh(self.kernel(ids, lengths).double())
            kept = values > TINY * values.max()
            scale = torch.where(kept, values.clamp_min(1e-30).rsqrt(), 0.0)
            self.nystrom.weight.copy_(scale[:, None] * axes.t())

    @property
    def cut(self) -> int:
        """How many directions of the kernel were cut off."""
        return int((self.nystrom.weight == 0).all(1).sum())

    def landmark_ids(self) -> tuple[Int[Tensor, "l t"], Int[Tensor, " l"]]:
        """The landmarks as ids, padded, and their lengths."""
        parts = self.places.round().long()
        real = parts[..., 0] > 0
        return torch.where(real, (parts[..., 0] - 1) * BASE + parts[..., 1], 0), real.sum(1)

    def prepare(self) -> None:
        """Make the table of words and landmarks that the kernel reads, of landmarks that were drawn or loaded."""
        ids, lengths = self.landmark_ids()
        table = torch.zeros(self.config.vocabulary, len(ids), dtype=self.rarity.dtype, device=self.rarity.device)
        real = real_places(ids[..., None], lengths)
        rows = torch.arange(len(ids), device=ids.device)[:, None].expand_as(ids)
        table[ids[real], rows[real]] = 1.0
        table *= self.rarity[:, None].square()
        self.register_buffer("table", table / table.sum(0).sqrt().clamp_min(1e-12), persistent=False)

    def kernel(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b l"]:
        """K(x, l) of each text and landmark."""
        lengths = lengths.to(ids.device)
        if self.config.kernel == "rbf":
            vectors = self.embedding(ids)
            means = pooled(vectors, real_places(vectors, lengths), "mean")
            return torch.exp(-self.gamma * (means[:, None] - self.points).square().sum(2))
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        again = (ids[:, :, None] == ids[:, None]).tril(-1) & real[:, None]
        new = (real & ~again.any(2)).to(self.table)
        size = (new * self.rarity[ids].square()).sum(1).sqrt().clamp_min(1e-12)
        return (self.table[ids] * new[..., None]).sum(1) / size[:, None]

    def parts(self) -> list[nn.Linear]:
        """The linear maps from kernel values to logits; ReLUs stand behind all but the first and the last."""
        return [self.nystrom, *(cast(nn.Linear, layer) for layer in self.layers), self.output]

    def forward(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """Logits of texts padded on the right; every length is at least 1."""
        values = half(self.nystrom(self.kernel(ids, lengths)), "nystrom")
        for number, layer in enumerate(self.layers):
            values = half(self.dropout(torch.relu(layer(values))), f"layer {number}")
        return cast(Tensor, self.output(values))


def _prepare(module: LandmarkClassifier, _: object) -> None:
    module.prepare()
