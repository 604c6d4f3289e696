"""Masked language models of Hugging Face as a source of words for positions of a text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import UsageError
from exegesis.core.progress import Tally
from exegesis.models.huggingface.load import fetching, load_both
from exegesis.nn.alone import alone
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.protocols.budget import budget_for
from exegesis.protocols.language import Filling, Words, generator
from exegesis.protocols.model import usable_device

HEAD = "masked language model", "take a model that was trained to fill masks"


@dataclass(frozen=True, eq=False)
class MaskedLanguageModel:
    """Draws whole words from a masked language model, position by position from left to right.

    Every position is read as one mask token and filled from the module's distribution there, given the rest of the text
    and the positions filled before; ``at_once`` positions are filled in one pass, independently of each other. Only
    pieces that are whole words are drawn (no ``##ing``), special tokens never. The result is not a sample from a joint
    distribution: a masked model has none. A word of the text that reads as a mask token becomes the unknown token.
    """

    module: nn.Module
    tokenizer: Any
    name: str
    at_once: int = 1

    def __post_init__(self) -> None:
        if self.tokenizer.mask_token_id is None:
            raise UsageError(f"the tokenizer of {self.name} has no mask token, so its model cannot fill positions")
        if self.at_once < 1:
            raise UsageError(
                f"at_once must be the number of positions filled in one pass, at least 1, not {self.at_once}"
            )

    @ability
    def sample(
        self, texts: Sequence[Words], positions: Sequence[Sequence[int]], count: int, seed: int
    ) -> list[list[Filling]]:
        """``count`` fillings of each text (see ``protocols.language.LanguageModel``)."""
        shares = [
            torch.from_numpy(generator(words, places, seed).random((count, len(places))))
            for words, places in zip(texts, positions, strict=True)
        ]
        sampled: list[list[list[str]]] = [[[] for _ in range(count)] for _ in texts]
        tally = Tally("words drawn", count * sum(map(len, positions)))
        for start in range(0, max(map(len, positions), default=0), self.at_once):
            alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}  # the fillings that are equal so far
            for text, places in enumerate(positions):
                for sample in range(count if start < len(places) else 0):
                    alike.setdefault((text, tuple(sampled[text][sample])), []).append(sample)
            distinct = list(alike.items())
            written = [self._written(texts[text], positions[text], filled) for (text, filled), _ in distinct]
            for place, weights in self._weights(written):
                (text, _), ones = distinct[place]
                for sample in ones:
                    shares_left = shares[text][sample, start:].tolist()
                    sampled[text][sample] += [
                        self._draw(row, share) for row, share in zip(weights, shares_left, strict=False)
                    ]
                tally.add(len(ones) * len(weights))
        return [[tuple(filling) for filling in fillings] for fillings in sampled]

    def readings(self, positions: int, count: int) -> int:
        """Once for each filling and each portion of its positions."""
        return count * -(-positions // self.at_once)

    def _written(self, words: Words, places: Sequence[int], filled: Sequence[str]) -> str:
        """The text with the positions filled so far, and masks at the others."""
        mask, unknown = self.tokenizer.mask_token, self.tokenizer.unk_token or ""
        written = [unknown if mask in word else word for word in words]
        for number, place in enumerate(places):
            written[place] = filled[number] if number < len(filled) else mask
        return " ".join(written)

    def _weights(self, written: Sequence[str]) -> Iterator[tuple[int, Float[Tensor, "m v"]]]:
        """The cumulative distributions over words at the first ``at_once`` masks of each text, float64.

        Yields the number of each text with its distributions, longest texts first; one batch at a time, since a
        distribution is as long as the vocabulary.
        """
        with alone(self.tokenizer):
            encoded = [self.tokenizer(text, return_attention_mask=False)["input_ids"] for text in written]
        longest = getattr(self.module.config, "max_position_embeddings", None) or 1 << 30
        if any(len(ids) > min(longest, self.tokenizer.model_max_length) for ids in encoded):
            raise UsageError(f"a text has more pieces than the language model {self.name} reads; take a shorter text")
        order = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
        at, budget = 0, budget_for("language", next(self.module.parameters()).device)
        while at < len(order):
            part = order[at : at + budget.rows_of(len(encoded[order[at]]))]
            for row, logits in zip(part, self._logits([encoded[row] for row in part]), strict=True):
                yield row, logits.cpu().double()[:, self._words].softmax(-1).cumsum(-1)
            at += len(part)

    def _logits(self, encoded: Sequence[Sequence[int]]) -> list[Float[Tensor, "m v"]]:
        device = next(self.module.parameters()).device
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.full((len(encoded), max(map(len, encoded))), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, pieces in enumerate(encoded):
            ids[row, : len(pieces)] = torch.tensor(pieces)
            mask[row, : len(pieces)] = 1
        with frozen(self.module), torch.no_grad():
            logits = self.module(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        return [logits[row, self._masks(ids[row]).to(device)] for row in range(len(encoded))]

    def _masks(self, ids: Int[Tensor, " t"]) -> Int[Tensor, " m"]:
        masks: Tensor = (ids == self.tokenizer.mask_token_id).nonzero()[: self.at_once, 0]
        return masks

    def _draw(self, weights: Float[Tensor, " v"], share: float) -> str:
        number = int(torch.searchsorted(weights, torch.tensor(share * float(weights[-1]), dtype=torch.float64)))
        return self._strings[min(number, len(weights) - 1)]

    @cached_property
    def _known(self) -> dict[int, str]:
        """The pieces that are whole words, with their words."""
        special = set(self.tokenizer.all_special_ids)
        tokens = self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer))))
        marked = next((sign for sign in ("Ġ", "▁") if any(str(token).startswith(sign) for token in tokens)), "")
        words = {}
        for number, token in enumerate(tokens):
            if number in special or token is None or token.startswith("##") or not token.startswith(marked):
                continue
            word = self.tokenizer.decode([number]).strip()
            if word and word.split() == [word] and "\N{REPLACEMENT CHARACTER}" not in word:
                words[number] = word
        return words

    @cached_property
    def _words(self) -> Int[Tensor, " v"]:
        return torch.tensor(list(self._known))

    @cached_property
    def _strings(self) -> list[str]:
        return list(self._known.values())


def load_masked(source: str | os.PathLike[str], *, device: str | None = None, at_once: int = 1) -> MaskedLanguageModel:
    """Load a masked language model and its tokenizer from a folder or by its name on the hub; safetensors weights only.

    Raises MissingExtraError without the package transformers, FileError if there is no such model, the errors of
    ``load_both``, and UsageError if its tokenizer has no mask token.
    """
    where = usable_device(device)
    with fetching(source) as (transformers, files):
        module, tokenizer = load_both(transformers, "AutoModelForMaskedLM", files, HEAD)
    return MaskedLanguageModel(module.to(where).eval(), tokenizer, files.name, at_once)
