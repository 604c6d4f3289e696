"""Networks with Hugging Face encoders: a selector and a classifier that start from one, and masks of a classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.models.rationale_models.encoders import real
from exegesis.models.rationale_models.network import RationaleNetwork
from exegesis.models.rationale_models.pretrained import PretrainedEncoder
from exegesis.models.rationale_models.selectors.selector import Look
from exegesis.models.rationale_models.shape import RationaleConfig

CLASSIFIER = "AutoModelForSequenceClassification"


class FineTunedNetwork(RationaleNetwork):
    """A selector and a classifier that are two copies of an encoder of transformers, each with vectors of its own."""

    encoder: PretrainedEncoder | None
    reader: PretrainedEncoder

    def __init__(self, config: RationaleConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.encoder = None if config.blind else cast(PretrainedEncoder, config.new_encoder())
        self.chooser = config.chosen.build(config)
        self.reader = cast(PretrainedEncoder, config.new_encoder())
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.width, len(config.labels))
        self._group()
        self.register_buffer("prior", torch.zeros(len(config.labels), dtype=torch.float32))

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """The classifier's vectors of pieces."""
        return self.reader.table

    def begin_from(self, module: Any) -> None:
        """Take the weights of an encoder into all parts that are encoders."""
        for part in self.modules():
            if isinstance(part, PretrainedEncoder):
                part.module.load_state_dict(module.state_dict(), strict=False)

    def vectors(self, ids: Int[Tensor, "b t"], width: int) -> tuple[Float[Tensor, "b w d"], Float[Tensor, "b w d"]]:
        read = self.reader.table(ids)[:, :width]
        return read if self.encoder is None else self.encoder.table(ids)[:, :width], read


class MaskedFineTuned(RationaleNetwork):
    """A frozen classifier of transformers of which the kept words are the vectors of their own, all others one vector.

    Words that are not kept are **blanked**: no bit of the logits depends on which they are, but their number and
    places are seen. The classifier's weights are part of the network and never trained.
    """

    def __init__(self, config: RationaleConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.base = PretrainedEncoder(config.pretrained, CLASSIFIER)
        self.chooser = config.chosen.build(config)
        self.blank = nn.Parameter(torch.zeros(config.embedding, dtype=torch.float32))
        self._group()
        self.base.requires_grad_(False)
        self.base.eval()

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """The classifier's own."""
        return self.base.table

    @property
    def output(self) -> nn.Linear:  # type: ignore[override]
        """The last linear layer of the classifier that has as many outputs as there are labels."""
        return last_layer(self.base.module, len(self.config.labels))

    @property
    def players(self) -> tuple[nn.Module, ...]:
        return (self.base,)

    def train(self, mode: bool = True) -> MaskedFineTuned:
        """Set the mode of the probes; the classifier stays in evaluation mode."""
        super().train(mode)
        self.base.eval()
        return self

    def vectors(self, ids: Int[Tensor, "b t"], width: int) -> tuple[Float[Tensor, "b w d"], Float[Tensor, "b w d"]]:
        found = self.base.table(ids)[:, :width]
        return found, found

    def look(self, ids: Int[Tensor, "b t"], lengths: Int[Tensor, " b"]) -> Look:
        vectors = self.vectors(ids, int(lengths.max()))[0]
        there = real(vectors, lengths)
        with heard(layers_in(self.base.module, len(self.config.depths))) as told:
            self.base.module(inputs_embeds=vectors, attention_mask=there.long())
        states = torch.cat([vectors, *told], -1).masked_fill(~there[..., None], 0.0)
        return self.seen(states, vectors, ids, lengths)

    def represent(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        """The logits of what gates leave of texts."""
        share = gate[..., None]
        masked = share * vectors + (1 - share) * self.blank
        if not gate.requires_grad:
            masked = torch.where(share == 0, self.blank.expand_as(masked), masked)  # no trace of what is gone
        there = real(vectors, lengths).long()
        return cast(Tensor, self.base.module(inputs_embeds=masked, attention_mask=there).logits)

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c"]:
        return self.represent(vectors, gate, lengths)

    def begin(self, texts: Sequence[Int[Tensor, " _"]], classes: Sequence[int]) -> None:
        """The classifier knows the labels already."""


def last_layer(module: nn.Module, outputs: int) -> nn.Linear:
    """The last linear layer with so many outputs. Raises UnsupportedError if there is none."""
    found = [part for part in module.modules() if isinstance(part, nn.Linear) and part.out_features == outputs]
    if not found:
        raise UnsupportedError(f"a {type(module).__name__} has no linear layer of {outputs} labels; take another one")
    return found[-1]


def layers_in(module: nn.Module, count: int) -> list[nn.Module]:
    """The layers of an encoder: the outermost list of so many. Raises UnsupportedError if there is none."""
    for part in module.modules():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return list(part)
    raise UnsupportedError(f"a {type(module).__name__} has no list of {count} layers; take another classifier")


@contextmanager
def heard(layers: list[nn.Module]) -> Iterator[list[Tensor]]:
    """What each layer gives to the next one in a run within the block."""
    told = list[Tensor]()

    def hear(_: nn.Module, given: Any, answer: Any) -> None:
        told.append(answer[0] if isinstance(answer, tuple) else answer)

    hooks = [layer.register_forward_hook(hear) for layer in layers]
    try:
        yield told
    finally:
        for hook in hooks:
            hook.remove()
