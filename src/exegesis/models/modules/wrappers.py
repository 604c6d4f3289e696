"""Wrappers around a module that change nothing of what it computes: torch.compile, DataParallel, PEFT and so on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from exegesis.core.errors import ExegesisError
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch

if TYPE_CHECKING:
    from exegesis.models.huggingface.adapter import HuggingFaceClassifier

TEXTS = ("a word and some more of them", "a word")
COLUMNS = 8  # pieces of the longer of two made-up texts


def is_pretrained(module: nn.Module) -> bool:
    """True for a model of Hugging Face's, which brings its labels and settings with it."""
    return any(cls.__name__ == "PreTrainedModel" for cls in type(module).__mro__)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch's own wrappers, in any order: the hooks that watch a module do not see through them."""
    inside: Any = module
    while True:
        if isinstance(getattr(inside, "_orig_mod", None), nn.Module):  # torch.compile
            inside = inside._orig_mod
        elif isinstance(inside, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inside = inside.module
        else:
            return inside  # type: ignore[no-any-return]


def see_through(module: nn.Module, make: Callable[[nn.Module], HuggingFaceClassifier]) -> HuggingFaceClassifier | None:
    """The Hugging Face model inside a module, made by ``make``, if the module gives its outputs and nothing else.

    If it gives others (virtual tokens of prompt tuning), but has a Hugging Face model's config and takes all that the
    tokenizer gives, it is taken as it stands; None if that does not work either.
    """
    if is_pretrained(module):
        return make(module)
    for inside in _insides(module):
        if is_pretrained(inside):
            for candidate in (inside, module) if hasattr(module, "config") else (inside,):
                try:
                    model = make(candidate)
                    hidden = candidate is not inside and make(inside).reader.types != model.reader.types
                    if not hidden and _alike(model, module):
                        return model
                except ExegesisError:  # it is of the user's own making
                    continue
            return None
    return None


def _insides(module: nn.Module) -> Iterator[nn.Module]:
    """What a module is wrapped around, from outside to inside, as long as there is one part that does the work."""
    seen = {id(module)}
    while True:
        base = getattr(module, "base_model", None)  # of PEFT, which has its prompts beside it
        parts = list(module.children())
        if isinstance(base, nn.Module) and any(base is part for part in parts):
            parts = [base]
        if len(parts) != 1 or id(parts[0]) in seen:
            return
        module = parts[0]
        seen.add(id(module))
        yield module


def _alike(model: HuggingFaceClassifier, module: nn.Module) -> bool:
    """True if a module gives the outputs of a model, for a text alone and for one beside a shorter one."""
    batch = _texts(model)
    around = replace(model, module=module)
    compiled = any(hasattr(part, "_orig_mod") for part in module.modules())
    with _eager() if compiled else nullcontext():
        return all(
            agree(model.outputs(part), around.outputs(part), double=1e-9, single=1e-5, of=module)
            for part in (batch.take(torch.tensor([0])), batch)
        )


def _texts(model: HuggingFaceClassifier) -> Batch:
    """A text beside a shorter one; made up if the vocabulary cannot spell them."""
    try:
        return model.encode([model.read(text) for text in TEXTS])
    except ExegesisError:
        ids = torch.arange(min(COLUMNS, model.profile.size), device=model.device).flip(0).expand(2, -1)
        mask = torch.ones_like(ids, dtype=torch.bool)
        mask[1, len(ids[1]) // 2 :] = False
        return Batch(ids.masked_fill(~mask, model.tokens["pad"]), mask, torch.zeros_like(ids))


def _eager() -> AbstractContextManager[Any]:
    """No compiling for the length of a block, where torch offers that."""
    stance = getattr(torch.compiler, "set_stance", None)
    return nullcontext() if stance is None else stance("force_eager")
