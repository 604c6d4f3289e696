"""How a user's module wants to be called: found out by its signature and a few trial runs, never by its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.batch import Batch
from exegesis.core.errors import ExegesisError, ModelError, UsageError
from exegesis.nn.still import still

Call = Callable[[nn.Module, Batch], Any]
MASKS: dict[str, torch.dtype] = {"bool": torch.bool, "int": torch.long, "float": torch.float32}


@dataclass(frozen=True)
class Plan:
    """One way of calling a module: the ids' layout, and what each further argument receives.

    ``arguments`` maps a parameter's name to ``lengths``, ``mask``, ``padding`` (a mask that is true on padding) or
    ``segments``. ``pads`` says that a text's outputs are the same beside a longer text; otherwise only texts of one
    length share a call.
    """

    time_first: bool = False
    arguments: tuple[tuple[str, str], ...] = ()
    lengths_on_device: bool = False
    mask_type: str = "bool"
    pads: bool = True
    own: Call | None = None

    def __call__(self, module: nn.Module, batch: Batch) -> Any:
        if self.own is not None:
            return self.own(module, batch)
        ids = batch.ids.t().contiguous() if self.time_first else batch.ids
        return module(ids, **{name: self._value(kind, batch) for name, kind in self.arguments})

    def _value(self, kind: str, batch: Batch) -> Tensor:
        if kind == "lengths":
            return batch.lengths if self.lengths_on_device else batch.lengths.cpu()
        value = {"mask": batch.mask, "padding": ~batch.mask, "segments": batch.segments}[kind]
        value = value if kind == "segments" else value.to(MASKS[self.mask_type])
        return value.t().contiguous() if self.time_first else value


def arguments_of(module: nn.Module) -> tuple[tuple[str, str], ...]:
    """What each argument of ``forward`` behind the first is to receive, by its name.

    Raises UsageError for a required argument that no rule knows.
    """
    found: list[tuple[str, str]] = []
    parameters = list(inspect.signature(module.forward).parameters.values())
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY, p.POSITIONAL_ONLY)]
    for parameter in plain[1:]:
        name = parameter.name.lower()
        if "len" in name or name in ("sizes", "seq_sizes"):
            found.append((parameter.name, "lengths"))
        elif "pad" in name and "mask" in name:
            found.append((parameter.name, "padding"))
        elif name in ("mask", "masks", "attention_mask", "attn_mask", "input_mask", "text_mask", "token_mask"):
            found.append((parameter.name, "mask"))
        elif name in ("token_type_ids", "segments", "segment_ids"):
            found.append((parameter.name, "segments"))
        elif parameter.default is parameter.empty:
            raise UsageError(
                f"cannot tell what forward's argument {parameter.name!r} wants: give "
                "call=lambda module, batch: module(batch.ids, ...), where batch has ids, mask, lengths and segments"
            )
    return tuple(found)


def plans(module: nn.Module, own: Call | None) -> Iterator[Plan]:
    """The ways of calling that are worth a trial, the likeliest first."""
    if own is not None:
        yield Plan(own=own)
        return
    arguments = arguments_of(module)
    kinds = {kind for _, kind in arguments}
    for time_first in (False, True):
        for mask_type in MASKS if kinds & {"mask", "padding"} else ("bool",):
            for on_device in (False, True) if "lengths" in kinds else (False,):
                yield Plan(time_first, arguments, on_device, mask_type)


def logits(answer: Any, rows: int) -> Float[Tensor, "b c"]:
    """The raw outputs in whatever a module returns: a tensor, the first of a tuple, ``.logits``, ``["logits"]``."""
    if hasattr(answer, "logits"):
        answer = answer.logits
    elif isinstance(answer, dict) and "logits" in answer:
        answer = answer["logits"]
    elif isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    if not isinstance(answer, Tensor) or not answer.is_floating_point():
        raise ModelError(f"the module returns {type(answer).__name__}; it must return logits of shape [batch, classes]")
    if answer.ndim == 1 and len(answer) == rows:
        return answer[:, None]
    if rows == 1 and answer.ndim < 2:
        return answer.reshape(1, -1)
    if answer.ndim != 2 or len(answer) != rows:
        raise ModelError(
            f"the module returns shape {list(answer.shape)} for {rows} texts; it must return logits [batch, classes]"
        )
    return answer


def find_plan(module: nn.Module, probe: Batch, own: Call | None) -> tuple[Plan, int]:
    """The plan that works on a probe of texts of different lengths, longest first, and the number of outputs.

    Prefers a plan under which a text's outputs do not depend on a longer neighbour. Raises ModelError with the
    module's own complaint where no plan works.
    """
    complaint: Exception | None = None
    fallback: tuple[Plan, int] | None = None
    for plan in plans(module, own):
        try:
            alone = [_try(plan, module, probe.take(torch.tensor([row]))) for row in range(len(probe))]
            twice = _try(plan, module, probe.take(torch.tensor([0, 0])))
        except ExegesisError as error:
            complaint = complaint or error
            continue
        except Exception as error:  # the user's own code: whatever it raises is a reason to try the next plan
            complaint = error if complaint is None or isinstance(complaint, ExegesisError) else complaint
            continue
        if len({out.shape[1] for out in [*alone, twice]}) != 1 or not _near(twice, torch.cat([alone[0]] * 2)):
            continue
        try:
            together = _try(plan, module, probe)
            if _near(together, torch.cat(alone)):
                return plan, together.shape[1]
        except Exception:
            pass
        if fallback is None:
            fallback = (replace(plan, pads=False), alone[0].shape[1])
    if fallback is not None:
        return fallback
    reason = f"{type(complaint).__name__}: {complaint}" if complaint else "its outputs depend on the neighbours"
    reason = reason.splitlines()[0]
    raise ModelError(
        f"the module could not be run on a batch of ids ({reason}); give call=lambda module, batch: ..., "
        "where batch has ids [b, t], mask, lengths and segments"
    )


def _try(plan: Plan, module: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad(), still(module):
        return logits(plan(module, batch), len(batch))


def _near(first: Tensor, second: Tensor) -> bool:
    tight = 1e-9 if first.dtype == torch.float64 else 1e-5 if first.dtype == torch.float32 else 1e-2
    return first.shape == second.shape and torch.allclose(first, second, rtol=tight, atol=tight)
