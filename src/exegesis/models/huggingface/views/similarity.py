"""Similarity of two texts by a sentence encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import TextError, UnsupportedError
from exegesis.core.text import Text
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.files import Files
from exegesis.models.huggingface.vectors import find_lookups
from exegesis.models.huggingface.views.apart import apart, joined, taken
from exegesis.models.huggingface.views.features import pooled_states
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Raw

MODULES = "modules.json"  # of a sentence encoder: its layers after the model itself
LABELS = ("similarity",)


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityClassifier(HuggingFaceClassifier):
    """The cosine of the vectors of two texts, each read apart.

    A text is a pair. The vector of a text is the mean of the last hidden states of its pieces, special ones included
    (``pooling="mean"``), the first piece's (``"cls"``) or the last one's (``"last"``), as the folder of a sentence
    encoder says (``1_Pooling/config.json``).
    """

    pooling: str = "mean"

    @classmethod
    def probes(cls) -> Sequence[Raw]:
        return [
            ("a word", "some"),
            ("a word or", "a word"),
            ("a word", "more of them and"),
            ("a word and more", "some"),
        ]

    @property
    def lacks(self) -> Mapping[str, str]:
        """The abilities that this model does not have: hidden states have no place in a text whose parts run apart."""
        return {**self.profile.lacks, "Layered": "it reads the two parts of a text apart"}

    def read(self, raw: Raw) -> Text:
        """Read two texts. Raises TextError for anything but a pair."""
        if not isinstance(raw, tuple):
            raise TextError(f"model {self.name} compares two texts: give a pair, (text, other text)")
        return joined(self.reader.read(raw[0]), self.reader.read(raw[1]))

    def looked_up(self, row: Batch) -> SimilarityClassifier:
        """The model with the lookups of its words, found while it reads the first part of a row."""
        first, _ = apart(row, 0, self.tokens["pad"])  # the first part has number 0 for its segment
        lookups = find_lookups(self.module, first.ids, lambda: super(SimilarityClassifier, self)._run(first, None))
        return replace(self, profile=replace(self.profile, lookups=lookups))

    def _run(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        if not len(batch):
            return super()._run(batch, embeds)
        vectors = []
        for part in (0, 1):
            own, order = apart(batch, part, self.tokens["pad"])
            single = replace(own, segments=torch.zeros_like(own.ids))
            vectors.append(super()._run(single, taken(embeds, order)))
        return torch.nn.functional.cosine_similarity(vectors[0], vectors[1], dim=1)[:, None]

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b d"]:
        return pooled_states(answer, batch, self.pooling, self.name)


def is_sentence_encoder(files: Files) -> bool:
    """True if a folder says how the states of its model become the vector of a text."""
    return files.path(MODULES) is not None


def pooling_of(files: Files) -> str:
    """How a sentence encoder makes one vector of its states: ``mean``, ``cls`` or ``last``; the mean if it is silent.

    Raises UnsupportedError for a pooling, or a further layer, that is not served.
    """
    path = files.path(MODULES)
    if path is None:
        return "mean"
    import json

    pooling = "mean"
    for module in json.loads(path.read_text("utf-8")):
        kind, place = str(module.get("type", "")).rsplit(".", 1)[-1], str(module.get("path", ""))
        if kind in ("Transformer", "Normalize"):
            continue
        if kind != "Pooling":
            raise UnsupportedError(f"the sentence encoder {files.name} has a further layer {kind}, which is not served")
        values = files.json(str(PurePosixPath(place) / "config.json"))
        chosen = sorted(key for key, value in values.items() if key.startswith("pooling_mode_") and value is True)
        names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
        if len(chosen) != 1 or chosen[0] not in names:
            raise UnsupportedError(
                f"the sentence encoder {files.name} pools by {chosen}: mean, cls and last are served"
            )
        pooling = names[chosen[0]]
    return pooling
