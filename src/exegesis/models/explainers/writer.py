"""A Hugging Face language model, causal or of two halves, that writes targets and says how likely one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

IGNORED = -100
AT_ONCE = 32
SEPARATOR = "\n"  # between a source and its target, of a causal model


@dataclass(frozen=True, eq=False)
class Writer:
    """A module of transformers with its tokenizer; ``module.config.is_encoder_decoder`` says which of the two it is."""

    module: Any
    tokenizer: Any

    @property
    def two_halves(self) -> bool:
        """True for an encoder and a decoder."""
        return bool(self.module.config.is_encoder_decoder)

    @property
    def end(self) -> int:
        """The id that ends a target."""
        return int(self.tokenizer.eos_token_id)

    def encoded(self, source: str, target: str, *, ended: bool = True) -> dict[str, list[int]]:
        """Ids as the module is trained on them, with labels for the target and its end alone; long sources are cut. A
        target that is not ``ended`` is the beginning of one."""
        limit = self._limit()
        told = [*self.tokenizer(target, add_special_tokens=False).input_ids, *[self.end] * ended][:limit]
        if self.two_halves:
            ids = self.tokenizer(source, truncation=True, max_length=limit).input_ids
            return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": told}
        own = self._prompt(source, limit - len(told))
        ids = [*own, *told]
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [IGNORED] * len(own) + told}

    def padded(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, Tensor]:
        """A batch, padded on the right."""
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.end
        fill = {"input_ids": pad, "attention_mask": 0, "labels": IGNORED}
        batch = {}
        for name, value in fill.items():
            width = max(len(row[name]) for row in rows)
            batch[name] = torch.tensor([[*row[name], *[value] * (width - len(row[name]))] for row in rows])
        return batch

    @torch.no_grad()
    def likelihoods(
        self, pairs: Sequence[tuple[str, str]], *, ended: bool = True
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """The log-likelihood of each target, with its end if ``ended``, given its source, in nats; and the number of
        its pieces."""
        totals, counts = [], []
        self.module.eval()
        for start in range(0, len(pairs), AT_ONCE):
            batch = self.padded([self.encoded(*pair, ended=ended) for pair in pairs[start : start + AT_ONCE]])
            batch = {name: value.to(self.module.device) for name, value in batch.items()}
            labels = batch["labels"]
            logits = self.module(**batch).logits
            if not self.two_halves:
                logits, labels = logits[:, :-1], labels[:, 1:]
            real = labels != IGNORED
            each = torch.log_softmax(logits.double(), -1).gather(2, labels.clamp(min=0)[..., None])[..., 0]
            totals.append((each * real).sum(1).cpu())
            counts.append(real.sum(1).double().cpu())
        return torch.cat(totals), torch.cat(counts)

    @torch.no_grad()
    def write(self, sources: Sequence[str], starts: Sequence[str] | None = None, most: int = 40) -> list[str]:
        """The likeliest target of each source, piece by piece, after a start if there is one (which is left out)."""
        self.module.eval()
        return [self._one(source, "" if starts is None else starts[n], most) for n, source in enumerate(sources)]

    def _one(self, source: str, start: str, most: int) -> str:
        begun = self.tokenizer(start, add_special_tokens=False).input_ids if start else []
        limit, config = self._limit(), self.module.config
        if self.two_halves:
            own = self.tokenizer(source, truncation=True, max_length=limit).input_ids
            first = config.decoder_start_token_id if config.decoder_start_token_id is not None else self.end
            written = [first, *begun]
        else:
            written = [*self._prompt(source, limit - len(begun) - most), *begun]
        device, skip = self.module.device, len(written)
        memory: Any = None
        if self.two_halves:
            memory = self.module.get_encoder()(input_ids=torch.tensor([own], device=device))
        while len(written) - skip < most and len(written) < limit:
            if self.two_halves:
                ids = torch.tensor([written], device=device)
                logits = self.module(encoder_outputs=memory, decoder_input_ids=ids).logits
            else:
                logits = self.module(input_ids=torch.tensor([written], device=device)).logits
            piece = int(logits[0, -1].argmax())
            if piece == self.end:
                break
            written.append(piece)
        return str(self.tokenizer.decode(written[skip:], skip_special_tokens=True)).strip()

    def _prompt(self, source: str, room: int) -> list[int]:
        ids = self.tokenizer(source + SEPARATOR, add_special_tokens=False).input_ids
        return list(ids[-max(room, 1) :])

    def _limit(self) -> int:
        config = self.module.config
        places = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 512
        return int(min(places, self.tokenizer.model_max_length, 1024))
