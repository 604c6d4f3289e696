"""The abilities that a question may ask of a model, each a protocol; a method needs the ability that it names.

Abilities are a set: a model offers some of them, and says in ``lacks`` why it lacks others. A protocol without new
members combines its bases: ``class Both(Layered, Attentive, Protocol)`` asks for two abilities at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.silence import silent
from exegesis.core.text import Text
from exegesis.protocols.batch import Batch
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link

Raw = str | tuple[str, str]


class Classifier(Protocol):
    """Any model of texts, a black box included: enough for word removal, LIME, Shapley values.

    ``outputs`` are raw: logits, or probabilities if ``link`` says so; they carry no gradient. A text's outputs do
    not depend on its neighbours in the batch. Every call leaves the model unchanged, also after an error.

    A class may have the members of abilities that one of its objects lacks (an adapter for many kinds of modules, say).
    Such an object has a mapping ``lacks`` from the name of each denied ability to the reason in words.
    """

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def link(self) -> Link: ...
    @property
    def tokens(self) -> Mapping[str, int]:
        """Ids by role: always ``pad``; ``unknown`` and ``mask`` if the vocabulary has them."""
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
    """A recurrent model with a gate that keeps or forgets its states: an LSTM or a GRU."""

    @property
    def forgetting(self) -> str:
        """The letter of that gate in PyTorch's names: f of an LSTM, z of a GRU."""
        ...


WITHOUT = {  # what is said of a model that offers nothing of an ability which only models of our own have
    "Selective": "it selects no words that it reads (exegesis train --arch rationale makes a model that does)",
    "Conceptual": "it decides through no concepts (exegesis train --arch concepts makes a model that does)",
}


@cache
def members(ability: type) -> frozenset[str]:
    """The names of all members that an ability asks for, inherited ones included."""
    return frozenset(name for protocol in ability.__mro__ for name in _own_members(protocol))


@cache
def parts_of(ability: type) -> tuple[type, ...]:
    """The abilities that a protocol combines if it adds no members itself; else the protocol alone."""
    bases = [base for base in ability.__bases__ if _is_ability(base)]
    if _own_members(ability) or not bases:
        return (ability,)
    parts = list(dict.fromkeys(part for base in bases for part in parts_of(base)))
    return tuple(part for part in parts if not any(part in extending.__mro__[1:] for extending in parts))


def missing(model: object, ability: type) -> dict[str, str]:
    """The names of the abilities that a model lacks for ``ability``, each with its reason; empty if it offers it.

    A model offers an ability if its *type* has all members (an nn.Module's ``__getattr__`` would fool a look at the
    object), and its ``lacks``, if there is one, names neither the ability nor one that the ability extends.
    """
    denied = getattr(model, "lacks", None)
    denied = denied if isinstance(denied, Mapping) else {}
    reasons: dict[str, str] = {}
    for part in parts_of(ability):
        names = [protocol.__name__ for protocol in part.__mro__ if _is_ability(protocol)]
        reason = next((denied[name] for name in names if name in denied), None)
        absent = sorted(member for member in members(part) if not hasattr(type(model), member))
        if reason is not None:
            reasons[part.__name__] = reason
        elif absent:
            none = not any(hasattr(type(model), member) for member in _own_members(part))
            told = WITHOUT.get(part.__name__) if none else None
            reasons[part.__name__] = told or f"it offers no {', '.join(absent)}"
    if ability.__name__ in denied:  # a combination that is denied as a whole
        reasons.setdefault(ability.__name__, denied[ability.__name__])
    return reasons


def offers(model: object, ability: type) -> bool:
    """True if a model has an ability (see ``missing``)."""
    return not missing(model, ability)


def refuse_denied(name: str, lacks: Mapping[str, str], ability: type) -> None:
    """Raise UnsupportedError, with the reason, if a model of this name lacks an ability; for use in adapters."""
    if ability.__name__ in lacks:
        raise UnsupportedError(f"the model {name} is not {ability.__name__.lower()}: {lacks[ability.__name__]}")


def usable_device(device: str | torch.device | None) -> torch.device:
    """Return a device by name, the CPU for None. Raise UsageError if it is unknown or this machine does not have it."""
    try:
        with silent():
            chosen = torch.device(device or "cpu")
            torch.zeros(1, device=chosen)[0].item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"the device '{device}' cannot be used here; give cpu, or cuda where there is one") from error
    return chosen


def _is_ability(cls: type) -> bool:
    return bool(getattr(cls, "_is_protocol", False)) and cls is not Protocol


def _own_members(protocol: type) -> set[str]:
    """The public names that a protocol itself declares; none for a class that is not a protocol."""
    if not _is_ability(protocol):
        return set()
    declared = {*vars(protocol), *inspect.get_annotations(protocol)}
    return {name for name in declared if not name.startswith("_")}
