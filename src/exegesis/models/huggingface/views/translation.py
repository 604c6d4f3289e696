"""A step of an encoder-decoder: the next word of its answer to a source text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import TextError, UnsupportedError
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.adapter import PARTS, HuggingFaceClassifier
from exegesis.models.huggingface.vectors import Lookup, find_lookups, replaced, word_vectors
from exegesis.models.huggingface.views.apart import apart, joined, taken
from exegesis.models.huggingface.views.prompts import answered, generated, given
from exegesis.models.huggingface.views.reading import at_pieces, every_logit, last_pieces, open_ended
from exegesis.models.huggingface.views.steps import AnswerParts, scored_places, span_of, summed
from exegesis.nn.alone import alone
from exegesis.nn.context import ability
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import Work
from exegesis.protocols.generative import Number, Prompt
from exegesis.protocols.model import Classifier, Differentiable, Raw, refuse_denied


@dataclass(frozen=True, eq=False, repr=False)
class AnswerWordClassifier(HuggingFaceClassifier):
    """The next word of an encoder-decoder's answer, of the whole vocabulary.

    A text is the source, or a pair ``(source, beginning of the answer)``; without a beginning the first word of the
    answer is explained. Both are parts of one text: the number depends on the source and on the beginning, and neither
    alone accounts for it. The pieces with which every answer begins are special. ``answer_lookups`` are where the
    decoder looks its words up, ``profile.lookups`` where the encoder does.
    """

    answer_lookups: tuple[Lookup, ...] = ()

    work: ClassVar[Work] = "language"

    @classmethod
    def probes(cls) -> Sequence[Raw]:
        return [("a word", "some"), ("a word or", "some"), ("a word", "more of them and"), ("a word and", "some more")]

    @property
    def lacks(self) -> Mapping[str, str]:
        """The abilities that this model does not have: hidden states have no place in a text whose parts run apart."""
        return {**self.profile.lacks, "Layered": "it reads the two parts of a text apart"}

    def read(self, raw: Raw) -> Text:
        """Read a source, and the beginning of an answer if there is one."""
        source, beginning = raw if isinstance(raw, tuple) else (raw, "")
        return joined(self.reader.read(source), self.beginning(beginning))

    def beginning(self, answer: str) -> Text:
        """The beginning of an answer as the decoder reads it, after its starting pieces."""
        if not answer.strip():
            return self._start()
        with _as_target(self.tokenizer):
            text = self.reader.read(answer)
        start = self._started(text.ids)
        if start[1:] != list(text.ids[:-1]):
            raise TextError(f"model {self.name} begins its answers in a way that is not served: {start[:3]}")
        first = int(start[0])
        whole = Text(
            raw=text.raw,
            pieces=(str(self.tokenizer.convert_ids_to_tokens(first)), *text.pieces),
            ids=(first, *text.ids),
            offsets=((0, 0), *text.offsets),
            words=tuple(Span(word.start + 1, word.stop + 1) for word in text.words),
            segments=(Span(0, len(text) + 1),),
            special=(True, *text.special),
        )
        return open_ended(whole)

    def _start(self) -> Text:
        """The pieces with which every answer begins: those before the first word of any."""
        with _as_target(self.tokenizer):
            text = self.reader.read("a")
        ids = [self._started(text.ids)[0]]
        for number, special in zip(text.ids, text.special, strict=True):
            if not special:
                break
            ids.append(number)
        pieces = tuple(map(str, self.tokenizer.convert_ids_to_tokens(ids)))
        count = len(ids)
        return Text("", pieces, tuple(ids), ((0, 0),) * count, (), (Span(0, count),), (True,) * count)

    def _started(self, ids: Sequence[int]) -> list[int]:
        """What the decoder reads to give these pieces: moved by one place, a starting piece before them."""
        make = getattr(self.module, "prepare_decoder_input_ids_from_labels", None)
        if make is None:
            return [self._first(), *ids[:-1]]
        return [int(number) for number in make(labels=torch.tensor([list(ids)], device=self.device))[0].tolist()]

    def prompted(self, prompt: Prompt) -> Text:
        """The source of an answer (see ``Generative``). Raises UnsupportedError for the messages of a chat."""
        if not isinstance(prompt, str):
            raise UnsupportedError(f"model {self.name} answers to a text, not to the messages of a chat")
        return self.read(prompt)

    @ability
    def continued(self, text: Text, answer: str | Sequence[int] | None, most: int) -> Text:
        """A text with an answer behind it (see ``Generative``)."""
        border = text.segments[0].stop
        if answer is None:
            source = torch.tensor([text.ids[:border]], device=self.device)
            inputs = {"input_ids": source, "attention_mask": torch.ones_like(source)}
            answer = generated(self, most, inputs, text.ids[border:])
        if isinstance(answer, str):
            with _as_target(self.tokenizer):
                return given(self, text, answer)
        return answered(self, text, list(answer))

    def steps(self, text: Text, parts: Mapping[str, Span], number: Number) -> Classifier:
        """The parts of an answer as numbers (see ``Generative``)."""
        fields = (self.module, self.reader, self.profile, self.answer_lookups)
        return AnswerSteps(*fields, text=text, parts=parts, number=number)

    def _first(self) -> int:
        config = self.module.config
        first = getattr(config, "decoder_start_token_id", None)
        return int(first if first is not None else self.tokens["pad"])

    def looked_up(self, row: Batch) -> AnswerWordClassifier:
        """The model with the lookups of its encoder and of its decoder."""
        (source, _), (answer, _) = self._parted(row)
        lookups, answers = (find_lookups(self.module, part.ids, lambda: self.outputs(row)) for part in (source, answer))
        return replace(self, profile=replace(self.profile, lookups=lookups), answer_lookups=answers)

    def _parted(self, batch: Batch) -> list[tuple[Batch, Int[Tensor, "b s"]]]:
        return [apart(batch, 0, self.tokens["pad"]), apart(batch, 1, self._first())]

    @ability
    @torch.no_grad()
    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """Return the vectors of the encoder's words and of the decoder's, each from its own table."""
        refuse_denied(self.name, self.lacks, Differentiable)
        batch = self._filled(batch.to(self.device))
        with self.at_rest(), self._pad_id(batch) as fill:
            ids = batch.ids.masked_fill(~batch.mask, fill)
            source, answer = (
                word_vectors(self.module, lookups, ids) for lookups in (self.profile.lookups, self.answer_lookups)
            )
        vectors = torch.where((batch.segments % PARTS == 0)[..., None], source, answer)
        return vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors

    def _called(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Any:
        (source, places), (answer, answer_places) = self._parted(batch)
        if source.ids.shape == answer.ids.shape and torch.equal(source.ids, answer.ids):  # to be told apart by value
            wide = [nn.functional.pad(part, (0, 1)) for part in (answer.ids, answer.mask, answer.segments)]
            answer, answer_places = Batch(wide[0], wide[1], wide[2]), nn.functional.pad(answer_places, (0, 1))
        with self.at_rest(), self._pad_id(batch) as fill:
            ids, answers = (part.ids.masked_fill(~part.mask, fill) for part in (source, answer))
            arguments = {
                "attention_mask": source.mask.long(),
                "decoder_input_ids": answers,
                "decoder_attention_mask": answer.mask.long(),
                "use_cache": False,
                "return_dict": True,
            }
            vectors, others = taken(embeds, places), taken(embeds, answer_places)
            with (
                self._one_line(),
                nullcontext() if vectors is None else replaced(self.module, self.profile.lookups, ids, vectors),
                nullcontext() if others is None else replaced(self.module, self.answer_lookups, answers, others),
            ):
                return self.module(ids, **arguments)

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        own, _ = self._parted(batch)[1]
        return at_pieces(every_logit(self, answer, own, len(self.labels)), last_pieces(own))


@dataclass(frozen=True, eq=False, repr=False)
class AnswerSteps(AnswerParts, AnswerWordClassifier):
    """The parts of one answer as numbers (see ``Generative.steps``), of an encoder-decoder."""

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        own, _ = self._parted(batch)[1]
        logits = every_logit(self, answer, own, None)
        return summed(logits, scored_places(own, span_of(self.parts)), self.text, self.parts, self.number)


@contextmanager
def _as_target(tokenizer: Any) -> Iterator[None]:
    """The tokenizer as it reads answers, for the length of a block."""
    switch, back = (getattr(tokenizer, name, None) for name in ("_switch_to_target_mode", "_switch_to_input_mode"))
    if switch is None or back is None:
        yield
        return
    with alone(tokenizer):
        switch()
        try:
            yield
        finally:
            back()
