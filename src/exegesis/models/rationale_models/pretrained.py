"""Hugging Face encoders as selector and classifier: states of whole texts, one vector of the pieces that are left."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.models.rationale_models.encoders import Encoder, real
from exegesis.nn.rounding import agree

LEAK = 1e-6  # weight of a key whose gate is 0, while gates have a gradient
NO_MASK = "its attention takes no mask of numbers, or its places do not follow from position_ids"


class PretrainedEncoder(Encoder):
    """An encoder of transformers. Pieces that are gone are **removed**: the others move together, places and all.

    A text is summed up by the state of its first piece ([CLS], which is always kept). With gates of no gradient the
    pieces that are left are run as a shorter text, so that nothing of the others is in the calculation, neither their
    number nor where they stood. Gates between 0 and 1 weigh: as a key of every attention a piece counts as its gate
    says (log(gate + 1e-6) is added to its scores), and the place of a piece is the number of pieces before it whose
    gate is above a half. With gates that have a gradient all pieces are run so: for gates of 0 and 1 that is removal
    but for the 1e-6, by which the gradient reaches gates of 0.
    """

    def __init__(self, stated: str, kind: str = "AutoModel") -> None:
        super().__init__()
        self.stated, self.kind = stated, kind
        self.offset = int(_parsed(stated)["offset"])
        self.module = _built(stated, kind)
        self.width = int(self.module.config.hidden_size)
        self.register_load_state_dict_post_hook(_completed)  # type: ignore[no-untyped-call]

    @property
    def table(self) -> nn.Embedding:
        """The vectors of pieces."""
        return cast(nn.Embedding, self.module.get_input_embeddings())

    def states(self, vectors: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b t h"]:
        return self._run(vectors, real(vectors, lengths))

    def read(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b h"]:
        left = gate != 0
        if gate.requires_grad:
            return self.weighed(vectors, gate)
        counts = left.sum(1)
        width = max(int(counts.max()), 1)
        order = torch.argsort((~left).to(torch.uint8), dim=1, stable=True)[:, :width]
        rest = vectors.gather(1, order[..., None].expand(-1, -1, vectors.shape[2]))
        there = torch.arange(width, device=vectors.device) < counts[:, None]
        rest = torch.where(there[..., None], rest, torch.zeros_like(rest))
        if bool((left & (gate != 1)).any()):
            found = self.weighed(rest, gate.gather(1, order) * there, there)
        else:
            found = self._run(rest, there | (counts == 0)[:, None])[:, 0]  # no row without a key
        return found.masked_fill((counts == 0)[:, None], 0.0)

    def weighed(
        self, vectors: Float[Tensor, "b t d"], gate: Float[Tensor, "b t"], there: Bool[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b h"]:
        """The state of the first piece that is left, where pieces weigh their gate as keys; of those ``there`` alone.

        That of a text without any piece means nothing.
        """
        above = gate > 0.5
        places = (above.cumsum(1) - 1).clamp(min=0) + self.offset
        scores = torch.log(gate + LEAK)
        if there is not None:
            scores = scores.masked_fill(~there, torch.finfo(scores.dtype).min)
        scores = scores[:, None, None].expand(-1, -1, gate.shape[1], -1)
        found = self.module(inputs_embeds=vectors, attention_mask=scores, position_ids=places).last_hidden_state
        first = above.to(torch.uint8).argmax(1)
        return cast(Tensor, found[torch.arange(len(found), device=found.device), first])

    def _run(self, vectors: Float[Tensor, "b t d"], there: Bool[Tensor, "b t"]) -> Float[Tensor, "b t h"]:
        return cast(Tensor, self.module(inputs_embeds=vectors, attention_mask=there.long()).last_hidden_state)


def stated_encoder(module: Any, *, masked: bool = False) -> str:
    """What is needed to build a model of transformers again, as JSON; its weights go elsewhere.

    ``offset`` is the number of the first place, found by trying. Raises UnsupportedError for an encoder that cannot be
    told, by the mask of its attention, what is gone; a classifier that is ``masked`` need not be.
    """
    config = {name: value for name, value in module.config.to_dict().items() if not name.startswith("_")}
    if not hasattr(module.config, "hidden_size"):
        raise UnsupportedError(f"a {type(module).__name__} names no width of its states; take another encoder")
    if masked:
        return json.dumps({"offset": 0, "config": config}, sort_keys=True)
    pad = getattr(module.config, "pad_token_id", None)
    for offset in dict.fromkeys((0, (pad or 0) + 1)):
        stated = json.dumps({"offset": offset, "config": config}, sort_keys=True)
        if _removes(module, stated):
            return stated
    raise UnsupportedError(f"a {type(module).__name__} cannot read a part of a text as it is trained to: {NO_MASK}")


def _removes(module: Any, stated: str) -> bool:
    """True if pieces that weigh nothing are as good as removed."""
    tried = PretrainedEncoder.__new__(PretrainedEncoder)
    nn.Module.__init__(tried)
    tried.module, tried.offset, tried.width = module, json.loads(stated)["offset"], module.config.hidden_size
    width = module.get_input_embeddings().embedding_dim
    vectors = torch.randn(1, 8, width, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    gate = torch.tensor([[1.0, 1, 0, 1, 0, 0, 1, 1]], dtype=torch.float32)
    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            removed = tried.read(vectors, gate, torch.tensor([8]))
            return agree(tried.weighed(vectors, gate), removed, double=1e-3, single=1e-3)
    except Exception:  # whatever a module raises that takes no such mask
        return False
    finally:
        module.train(was)


def _parsed(stated: str) -> Mapping[str, Any]:
    """The parts of what ``stated_encoder`` wrote. Raises UsageError for anything else."""
    try:
        found = json.loads(stated)
        if not (isinstance(found["config"]["model_type"], str) and type(found["offset"]) is int):
            raise TypeError("the kind of encoder is missing")
        return cast(Mapping[str, Any], found)
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"the shape of the Hugging Face encoder is damaged ({error})") from None


def width_of(stated: str) -> int:
    """The width of the states of a stated encoder."""
    return int(_parsed(stated)["config"]["hidden_size"])


def layers_of(stated: str) -> int:
    """The number of layers of a stated encoder."""
    return int(_parsed(stated)["config"]["num_hidden_layers"])


def _built(stated: str, kind: str) -> Any:
    """The module, with weights of no meaning. Raises UsageError for a kind that transformers does not have."""
    import transformers

    config = dict(_parsed(stated)["config"])
    try:
        shape = transformers.AutoConfig.for_model(config.pop("model_type"), **config)
        auto = getattr(transformers, kind)
        module = auto.from_config(shape, **({"trust_remote_code": False} if _takes(auto.from_config) else {}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        line = " ".join(str(error).split())[:200]
        raise UsageError(f"transformers cannot build this Hugging Face encoder ({line})") from None
    if kind == "AutoModel" and getattr(module, "pooler", None) is not None:
        module.pooler = None  # a layer that nothing here reads
    return module


def _takes(function: Any) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def _completed(encoder: nn.Module, _: Any) -> None:
    """Make the numbers that are not saved with the weights, such as those of places, where they are missing."""
    missing = [name for name, buffer in encoder.named_buffers() if buffer.is_meta]
    if not missing:
        return
    assert isinstance(encoder, PretrainedEncoder)
    with torch.device("cpu"):
        fresh = dict(_built(encoder.stated, encoder.kind).named_buffers())
    for name in missing:
        path, _, last = name.removeprefix("module.").rpartition(".")
        encoder.module.get_submodule(path)._buffers[last] = fresh[name.removeprefix("module.")]
