"""A Hugging Face sequence classifier with its tokenizer, as the methods see it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, out_of_memory
from exegesis.core.text import Text
from exegesis.models.huggingface.padding import pad_id, widened
from exegesis.models.huggingface.text import Reader
from exegesis.models.huggingface.vectors import Lookup, replaced, word_vectors
from exegesis.nn.frozen import still
from exegesis.protocols.batch import Batch, groups, pad
from exegesis.protocols.model import Raw
from exegesis.protocols.target import Link

PIECES, ROWS = 16384, 256
SHORT = 16  # pieces to which a row is filled up that the module cannot take


@dataclass(frozen=True)
class About:
    """What a module's config and a trial say of it.

    ``tokens`` are ids by role, ``size`` is the number of ids that the module knows. ``padded`` says that rows of
    different lengths may share a call of the module: its outputs do not depend on the padding. Elsewhere (a head that
    reads the last position) only rows of equal length do. ``lookups`` are where the module looks its words up, and
    ``hidden`` why nothing can be put in their place, where it cannot.
    """

    name: str
    labels: tuple[str, ...]
    link: Link
    tokens: Mapping[str, int]
    size: int
    padded: bool
    lookups: tuple[Lookup, ...] = ()
    hidden: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class HuggingFaceModel:
    """A classifier whose word vectors are out of sight; ``HuggingFaceClassifier`` is one that shows them.

    It holds the user's module and puts it back as it was after each call: training mode, ``requires_grad``, hooks,
    config, whatever happens inside. A row that is left without any piece (the only word of a text removed, where the
    tokenizer adds no special pieces) is read as the tokenizer's beginning-of-text or end-of-text piece, else as
    ``tokens["pad"]``. Rows that the module refuses together (BART wants equally many end-of-text pieces in each) are
    run apart, and a row that is too short for it (CANINE folds four characters into one) is filled up with padding.
    """

    module: nn.Module
    reader: Reader
    about: About

    @property
    def lacks(self) -> Mapping[str, str]:
        """What the model cannot offer, with the reason."""
        vectors = {"Differentiable": self.about.hidden} if self.about.hidden else {}
        return vectors | {
            "Recurrent": "a Hugging Face model shows no recurrent states",
            "Gated": "a Hugging Face model shows no gates",
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, labels={list(self.labels)})"

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.about.labels

    @property
    def link(self) -> Link:
        return self.about.link

    @property
    def tokens(self) -> Mapping[str, int]:
        """Ids by role: ``pad``, and ``unknown`` and ``mask`` where the tokenizer has them and the module knows them."""
        return self.about.tokens

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    @property
    def tokenizer(self) -> Any:
        return self.reader.tokenizer

    def read(self, raw: Raw) -> Text:
        """See ``Reader.read``."""
        return self.reader.read(raw)

    def encode(self, texts: Sequence[Text]) -> Batch:
        """The texts padded on the right, whatever side the tokenizer pads on, on the module's device."""
        return pad(texts, self.tokens["pad"], self.device)

    @torch.no_grad()
    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        """The module's logits, half precision as float32. Raises ModelError where the module fails."""
        return self._run(self._filled(batch.to(self.device)), None)

    def _run(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        if not len(batch):
            return torch.zeros(0, self.link.width(len(self.labels)), device=self.device)
        parts = self._parts(batch)
        found = []
        for rows in parts:
            index = torch.tensor(rows, device=self.device)
            part = batch.take(index)
            vectors = None if embeds is None else embeds[index, : part.ids.shape[1]]
            found.append(self._answers(part, vectors))
        order = torch.tensor([row for rows in parts for row in rows], device=self.device)
        return torch.cat(found)[order.argsort()]

    def _parts(self, batch: Batch) -> list[list[int]]:
        """Rows that share a call of the module."""
        lengths = batch.lengths.tolist()
        if self.about.padded:
            return groups(lengths, PIECES, ROWS)
        equal: dict[int, list[int]] = {}
        for row, length in enumerate(lengths):
            equal.setdefault(length, []).append(row)
        step = {length: max(1, min(ROWS, PIECES // max(length, 1))) for length in equal}
        return [rows[i : i + step[n]] for n, rows in equal.items() for i in range(0, len(rows), step[n])]

    def _answers(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        """As ``_forward``; rows that the module refuses are run apart, and short ones filled up."""
        try:
            return self._forward(batch, embeds)
        except ModelError:
            if len(batch) == 1:
                wide = widened(batch, SHORT)
                if wide is None:
                    raise
                with suppress(ModelError):
                    return self._forward(wide, embeds)
                raise
        found = []
        for rows in torch.arange(len(batch), device=batch.device).tensor_split(2):
            part = batch.take(rows)
            found.append(self._answers(part, None if embeds is None else embeds[rows, : part.ids.shape[1]]))
        return torch.cat(found)

    def _forward(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        with still(self.module), self._pad_id(batch) as fill:
            ids = batch.ids.masked_fill(~batch.mask, fill)
            given: dict[str, Any] = {"attention_mask": batch.mask.long(), "use_cache": False, "return_dict": True}
            if self.reader.types is not None:
                given["token_type_ids"] = self._types(batch, self.reader.types)
            try:
                with self._vectors(ids, embeds):
                    out = self.module(ids, **{name: value for name, value in given.items() if name in self._accepted})
            except Exception as error:
                if isinstance(error, ExegesisError) or out_of_memory(error):
                    raise
                line = " ".join(str(error).split())[:200]
                raise ModelError(
                    f"model {self.name} failed with {type(error).__name__}: {line}; {_advice(line)}"
                ) from error
        logits = out[0] if isinstance(out, tuple) else getattr(out, "logits", None)
        width = self.link.width(len(self.labels))
        if not isinstance(logits, Tensor) or logits.shape != (len(batch), width):
            shape = list(logits.shape) if isinstance(logits, Tensor) else "no logits"
            raise ModelError(
                f"model {self.name} gives {shape} for {len(batch)} texts and {width} labels: take a module that "
                "classifies sequences, and as many labels as it has outputs"
            )
        return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits

    def _filled(self, batch: Batch) -> Batch:
        """Rows without any piece, given one (see the class)."""
        if bool(batch.mask.any(1).all()):
            return batch
        special = [self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokens["pad"]]
        size = max(batch.ids.shape[1], 1)
        tensors = (batch.ids, batch.mask, batch.segments)
        ids, mask, segments = (nn.functional.pad(t, (0, size - t.shape[1])).clone() for t in tensors)
        empty = ~mask.any(1)
        ids[empty, 0] = next(i for i in special if i is not None)
        mask[empty, 0] = True
        return Batch(ids, mask, segments)

    def _types(self, batch: Batch, parts: tuple[int, int]) -> Int[Tensor, "b t"]:
        types = torch.where(batch.segments == 0, *parts)
        for special, number in self.reader.exceptions.items():
            types = types.masked_fill(batch.ids == special, number)
        return types

    @cached_property
    def _accepted(self) -> set[str]:
        parameters = inspect.signature(self.module.forward).parameters
        if "attention_mask" in parameters:
            return set(parameters) | {"return_dict"}
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        return {*parameters, *(("attention_mask", "return_dict") if open_ended else ())}

    def _pad_id(self, batch: Batch) -> AbstractContextManager[int]:
        return pad_id(self.module, self.about.size, batch)

    @contextmanager
    def _vectors(self, ids: Int[Tensor, "b t"], embeds: Float[Tensor, "b t d"] | None) -> Iterator[None]:
        yield


class HuggingFaceClassifier(HuggingFaceModel):
    """A classifier whose word vectors (the input embeddings, before positions) can be seen and replaced.

    The vectors are put in where the module's own lookups give them out, while it still gets the ids: heads and position
    numbers that look at ids work as they do without, and ``outputs_from(embed(batch), batch)`` is ``outputs(batch)`` to
    the last bit. (Calling with ``inputs_embeds`` instead would make GPT-2 read padding, RoBERTa number its positions
    otherwise, and BART fail.) An encoder-decoder reads its words twice, the second time moved by one place: both times
    they are replaced. Where its halves have a table each, a word's vector is the two side by side.
    """

    @torch.no_grad()
    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The input embeddings, half precision as float32; they carry no gradient."""
        batch = self._filled(batch.to(self.device))
        with still(self.module), self._pad_id(batch) as fill:
            vectors = word_vectors(self.module, self.about.lookups, batch.ids.masked_fill(~batch.mask, fill))
        return vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors

    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]:
        """The logits with these vectors in place of the batch's own."""
        return self._run(self._filled(batch.to(self.device)), embeds.to(self.device))

    @contextmanager
    def _vectors(self, ids: Int[Tensor, "b t"], embeds: Float[Tensor, "b t d"] | None) -> Iterator[None]:
        if embeds is None:
            yield
            return
        with replaced(self.module, self.about.lookups, ids, embeds):
            yield


def _advice(line: str) -> str:
    """What to do about an error of a module's own."""
    if "Double" in line or "Half" in line or "BFloat16" in line:
        return "it does not run with weights of this type: take it in float32"
    return "see whether it runs by itself on what its tokenizer gives"
