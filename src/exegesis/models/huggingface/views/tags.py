"""Token classification: the tag of one word of a text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import TextError
from exegesis.core.text import Text
from exegesis.models.huggingface.views.places import PlacedClassifier, places_of, word_named
from exegesis.models.huggingface.views.reading import every_logit
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Raw


class TagClassifier(PlacedClassifier):
    """The tag of a word: the outputs at the word's first piece, where such models are trained.

    A text comes with the word: ``("Ann went to Paris", "Paris")``, ``"the#2"`` for its second occurrence, ``"#3"`` for
    the word of that number, from 0. The word itself has a score like any other; a method that removes it lets the
    model read its mask token instead (see ``places``).
    """

    def read(self, raw: Raw) -> Text:
        """Read a text and the word whose tag is explained.

        Raises TextError without a word, for one that the text does not have, and those of a text.
        """
        if not isinstance(raw, tuple):
            raise TextError(f"model {self.name} tags each word: name one beside the text, as (text, 'word') or '#0'")
        text = self.reader.read(raw[0])
        return replace(text, places=(word_named(text, raw[1]),))

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        logits = every_logit(self, answer, batch, len(self.labels))
        return logits[torch.arange(len(batch), device=logits.device), places_of(batch, 0)]
