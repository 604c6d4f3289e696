"""What a method may ask of a model. A method's needs are the protocol that it names, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from exegesis.core.text import Text
from exegesis.protocols.batch import Batch
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link

Raw = str | tuple[str, str]


class Classifier(Protocol):
    """Any model of texts, a black box included: enough for word removal, LIME, Shapley values.

    ``outputs`` are raw: logits, or probabilities where ``link`` says so; they carry no gradient. A text's outputs do
    not depend on its neighbours in the batch. Everything leaves the model as it was, also after an error.
    """

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def link(self) -> Link: ...
    @property
    def tokens(self) -> Mapping[str, int]:
        """Ids by role: always ``pad``; ``unknown`` and ``mask`` where the vocabulary has them."""
        ...

    def read(self, raw: Raw) -> Text: ...
    def encode(self, texts: Sequence[Text]) -> Batch: ...
    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]: ...


class Differentiable(Classifier, Protocol):
    """A model whose word vectors can be seen and replaced: gradients, integrated gradients, DeepLIFT.

    ``outputs(batch)`` equals ``outputs_from(embed(batch), batch)``; the latter carries a gradient to the vectors and
    to nothing else.
    """

    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]: ...
    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]: ...


class Recurrent(Differentiable, Protocol):
    """A model that runs an LSTM, GRU or RNN over its pieces and reads its outputs off the states."""

    def unroll(self, batch: Batch) -> Unrolled: ...


class Gated(Recurrent, Protocol):
    """A recurrent model whose states are kept or forgotten by a gate: an LSTM or a GRU."""

    @property
    def forgetting(self) -> str:
        """The letter of that gate in PyTorch's names: f of an LSTM, z of a GRU."""
        ...


def members(protocol: type) -> set[str]:
    """The names that a protocol asks for, those it inherits included."""
    own = {
        name
        for cls in protocol.__mro__
        if getattr(cls, "_is_protocol", False) and cls is not Protocol
        for name in vars(cls)
    }
    return {name for name in own if not name.startswith("_")}


def offers(model: object, protocol: type) -> bool:
    """Whether a model's *type* has all members (an nn.Module's ``__getattr__`` would fool a look at the object)."""
    return all(hasattr(type(model), name) for name in members(protocol))
