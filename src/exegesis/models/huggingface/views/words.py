"""Words of a vocabulary: the one under a mask, and the next one of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import TextError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.views.places import PlacedClassifier, places_of, word_named
from exegesis.models.huggingface.views.prompts import answered, chat_text, generated, given
from exegesis.models.huggingface.views.reading import at_pieces, every_logit, last_pieces, open_ended
from exegesis.models.huggingface.views.steps import Steps
from exegesis.nn.context import ability
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Work
from exegesis.protocols.generative import Number, Prompt
from exegesis.protocols.model import Raw


class MaskedWordClassifier(PlacedClassifier):
    """The word under a mask, of the whole vocabulary.

    A text has one mask token (``"Paris is the [MASK] of France."``), or comes with the word to be masked:
    ``("Paris is the capital of France.", "capital")``, named as for tags. The mask is no word of the text: methods
    keep it, and its share of a number is booked as that of special tokens.
    """

    work: ClassVar[Work] = "language"

    def read(self, raw: Raw) -> Text:
        """Read a text with a mask, or a text and the word to mask.

        Raises TextError for a text without a mask or with several, and if no word is left besides.
        """
        mask = self.tokens["mask"]
        if isinstance(raw, tuple):
            whole = self.reader.read(raw[0])
            start, stop = whole.characters(word_named(whole, raw[1]))
            raw = raw[0][:start] + str(self.tokenizer.mask_token) + raw[0][stop:]
        text = self.reader.read(raw)
        masks = [n for n, number in enumerate(text.ids) if number == mask]
        if len(masks) != 1:
            raise TextError(
                f"the text has {len(masks)} mask tokens ({self.tokenizer.mask_token}): give it one, or name the word "
                "to mask, as (text, 'word')"
            )
        (at,) = masks
        words = tuple(word for word in text.words if not word.start <= at < word.stop)
        special = tuple(flag or n == at for n, flag in enumerate(text.special))
        return replace(text, words=words, special=special, places=(Span(at, at + 1),))

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        return at_pieces(every_logit(self, answer, batch, len(self.labels)), places_of(batch, 0))


class NextWordClassifier(HuggingFaceClassifier):
    """The next word of a text, of the whole vocabulary: the outputs of a causal model at the text's last piece.

    A piece with which the tokenizer ends every text (end of sequence) is left out, since the text goes on.
    """

    work: ClassVar[Work] = "language"

    def read(self, raw: Raw) -> Text:
        """Read a text. Raises TextError for a pair, and for a text that cannot be read."""
        if isinstance(raw, tuple):
            raise TextError(f"model {self.name} goes on with one text: give a text, not a pair")
        return open_ended(self.reader.read(raw))

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        return at_pieces(every_logit(self, answer, batch, len(self.labels)), last_pieces(batch))

    def prompted(self, prompt: Prompt) -> Text:
        """A prompt, or the messages of a chat in the tokenizer's template (see ``Generative``)."""
        return self.read(prompt) if isinstance(prompt, str) else chat_text(self.reader, prompt)

    @ability
    def continued(self, text: Text, answer: str | Sequence[int] | None, most: int) -> Text:
        """A text with an answer behind it (see ``Generative``)."""
        if answer is None:
            ids = torch.tensor([text.ids], device=self.device)
            answer = generated(self, most, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, text.ids)
        return given(self, text, answer) if isinstance(answer, str) else answered(self, text, list(answer))

    def steps(self, text: Text, parts: Mapping[str, Span], number: Number) -> Steps:
        """The parts of an answer as numbers (see ``Generative``)."""
        return Steps(self.module, self.reader, self.profile, text=text, parts=parts, number=number)
