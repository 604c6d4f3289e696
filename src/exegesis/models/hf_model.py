"""A Hugging Face sequence classifier with its tokenizer, as the methods see it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.batch import Batch, groups, pad
from exegesis.core.errors import ExegesisError, ModelError, out_of_memory
from exegesis.core.model import Raw
from exegesis.core.target import Link
from exegesis.core.text import Text
from exegesis.models.hf_reading import Reader
from exegesis.nn.still import still

PIECES, ROWS = 16384, 256
_ABSENT = object()


@dataclass(frozen=True)
class About:
    """What a module's config and a trial say of it.

    ``tokens`` are ids by role, ``size`` is the number of ids that the module knows. ``padded`` says that rows of
    different lengths may share a call of the module: its outputs do not depend on the padding. Elsewhere (a head that
    reads the last position) only rows of equal length do.
    """

    name: str
    labels: tuple[str, ...]
    link: Link
    tokens: Mapping[str, int]
    size: int
    padded: bool


@dataclass(frozen=True, eq=False, repr=False)
class HuggingFaceModel:
    """A classifier whose word vectors are out of sight; ``HuggingFaceClassifier`` is one that shows them.

    It holds the user's module and puts it back as it was after each call: training mode, ``requires_grad``, hooks,
    config, whatever happens inside. A row that is left without any piece (the only word of a text removed, where the
    tokenizer adds no special pieces) is read as the tokenizer's beginning-of-text or end-of-text piece, else as
    ``tokens["pad"]``.
    """

    module: nn.Module
    reader: Reader
    about: About

    lacks: ClassVar[Mapping[str, str]] = {
        "Differentiable": "its word vectors cannot be replaced from outside (an encoder-decoder, say)",
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
            found.append(self._forward(part, vectors))
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

    def _forward(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        with still(self.module), self._pad_id(batch) as fill, self._vectors(embeds):
            ids = batch.ids.masked_fill(~batch.mask, fill)
            given: dict[str, Any] = {"attention_mask": batch.mask.long(), "use_cache": False, "return_dict": True}
            if self.reader.types is not None:
                given["token_type_ids"] = self._types(batch, self.reader.types)
            try:
                out = self.module(ids, **{name: value for name, value in given.items() if name in self._accepted})
            except Exception as error:
                if isinstance(error, ExegesisError) or out_of_memory(error):
                    raise
                line = " ".join(str(error).split())[:200]
                raise ModelError(f"model {self.name} failed with {type(error).__name__}: {line}") from error
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

    @contextmanager
    def _pad_id(self, batch: Batch) -> Iterator[int]:
        """The id to fill up with: the config's, by which many heads find a row's last piece.

        Where the config has none (GPT-2), an id that the batch does not use, told to the config for this one call.
        """
        configs = _configs(self.module)
        known = getattr(configs[-1], "pad_token_id", None) if configs else None
        if known is not None and 0 <= known < self.about.size:
            yield known
            return
        used = set(batch.ids[batch.mask].tolist())
        fill = next(i for i in range(len(used) + 1) if i not in used)
        before = [vars(config).get("pad_token_id", _ABSENT) for config in configs]
        try:
            for config in configs:
                config.pad_token_id = fill
            yield fill
        finally:
            for config, value in zip(configs, before, strict=True):
                if value is _ABSENT:
                    vars(config).pop("pad_token_id", None)
                else:
                    config.pad_token_id = value

    @contextmanager
    def _vectors(self, embeds: Float[Tensor, "b t d"] | None) -> Iterator[None]:
        yield


class HuggingFaceClassifier(HuggingFaceModel):
    """A classifier whose word vectors (the input embeddings, before positions) can be seen and replaced.

    The vectors are put in where the module's own embedding gives them out, while it still gets the ids: heads and
    position numbers that look at ids work as they do without, and ``outputs_from(embed(batch), batch)`` is
    ``outputs(batch)`` to the last bit. (Calling with ``inputs_embeds`` instead would make GPT-2 read padding, RoBERTa
    number its positions otherwise, and BART fail.)
    """

    lacks: ClassVar[Mapping[str, str]] = {
        need: reason for need, reason in HuggingFaceModel.lacks.items() if need != "Differentiable"
    }

    @torch.no_grad()
    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The input embeddings, half precision as float32; they carry no gradient."""
        batch = self._filled(batch.to(self.device))
        with still(self.module), self._pad_id(batch) as fill:
            vectors: Tensor = input_embeddings(self.module)(batch.ids.masked_fill(~batch.mask, fill))
        return vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors

    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]:
        """The logits with these vectors in place of the batch's own."""
        return self._run(self._filled(batch.to(self.device)), embeds.to(self.device))

    @contextmanager
    def _vectors(self, embeds: Float[Tensor, "b t d"] | None) -> Iterator[None]:
        if embeds is None:
            yield
            return
        with _replaced(input_embeddings(self.module), embeds):
            yield


@contextmanager
def _replaced(layer: nn.Module, vectors: Float[Tensor, "b t d"]) -> Iterator[None]:
    """A layer that gives these vectors out for the length of a block.

    What a module pads by itself (Longformer, to whole windows) keeps the layer's own vectors.
    """

    def replace(_layer: nn.Module, _given: object, own: Tensor) -> Tensor:
        given = vectors.to(own)
        return given if own.shape == given.shape else torch.cat([given, own[:, given.shape[1] :]], 1)

    handle = layer.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def input_embeddings(module: Any) -> nn.Module:
    """The layer that turns ids into word vectors."""
    layer: nn.Module = module.get_input_embeddings()
    return layer


def _configs(module: Any) -> list[Any]:
    """The module's config, and the part of it that speaks of text where that is another; the latter is last."""
    config = getattr(module, "config", None)
    if config is None:
        return []
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return [config] if text is config else [config, text]
