"""Networks with Hugging Face encoders: a selector and a classifier that start from one, and masks of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError
from exegesis.models.rationale_models.encoders import real
from exegesis.models.rationale_models.masked import Masked
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


class MaskedFineTuned(Masked):
    """A frozen classifier of transformers behind a mask."""

    base: PretrainedEncoder

    def __init__(self, config: RationaleConfig) -> None:
        super().__init__(config, PretrainedEncoder(config.pretrained, CLASSIFIER), config.embedding)

    @property
    def embedding(self) -> nn.Embedding:  # type: ignore[override]
        """The classifier's own."""
        return self.base.table

    @property
    def output(self) -> nn.Linear:  # type: ignore[override]
        """The last linear layer of the classifier that has as many outputs as there are labels."""
        return last_layer(self.base.module, len(self.config.labels))

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
        there = real(vectors, lengths).long()
        return cast(Tensor, self.base.module(inputs_embeds=self.blanked(vectors, gate), attention_mask=there).logits)

    def decide(self, vector: Float[Tensor, "b h"]) -> Float[Tensor, "b c"]:
        """The logits as they are."""
        return vector


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
