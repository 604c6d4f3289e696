"""How a user's module wants to be called: found out by its signature and a few trial runs, never by its code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.batch import Batch
from exegesis.core.errors import ExegesisError, ModelError, UsageError, out_of_memory
from exegesis.nn.still import still

Call = Callable[[nn.Module, Batch], Any]
LENGTHS = (12, 7, 5, 3, 2, 1)  # of the texts on which plans are tried, longest first
LONGEST = 64  # pieces that the shortest text of a module may need
MASKS = ("bool", "int", "float")
LENGTH_NAMES = re.compile(r"(?:^|_|seq|sent|text|src|input|word|token)(?:len|lens|length|lengths|sizes)(?:_|$)")


@dataclass(frozen=True)
class Plan:
    """One way of calling a module: the ids' layout, and what each further argument receives.

    ``arguments`` maps a parameter's name to ``lengths``, ``mask``, ``padding`` (a mask that is true on padding) or
    ``segments``. ``pads`` says that a text's outputs are the same beside a longer text; otherwise only texts of one
    length share a call. ``rows`` is the most texts a call in which the module keeps their order, 0 for any number.
    ``least`` is the length of the shortest text that the module takes (a convolution needs as many pieces as its
    kernel is wide); shorter ones are filled up with ``pad`` tokens, which masks and lengths tell from the text's own
    pieces.
    """

    time_first: bool = False
    arguments: tuple[tuple[str, str], ...] = ()
    lengths_on_device: bool = False
    mask_type: str = "bool"
    pads: bool = True
    rows: int = 0
    own: Call | None = None
    least: int = 1
    pad: int = 0

    def widened(self, batch: Batch) -> Batch:
        """The batch filled up with pad tokens, where it is narrower than the module takes."""
        missing = self.least - batch.ids.shape[1]
        if missing <= 0:
            return batch
        return replace(
            batch,
            ids=nn.functional.pad(batch.ids, (0, missing), value=self.pad),
            mask=nn.functional.pad(batch.mask, (0, missing), value=False),
            segments=nn.functional.pad(batch.segments, (0, missing)),
        )

    def __call__(self, module: nn.Module, batch: Batch) -> Any:
        batch = self.widened(batch)
        if self.own is not None:
            return self.own(module, batch)
        ids = batch.ids.t().contiguous() if self.time_first else batch.ids
        floats = next((w.dtype for w in module.parameters() if w.is_floating_point()), torch.float32)
        return module(ids, **{name: self._value(kind, batch, floats) for name, kind in self.arguments})

    def _value(self, kind: str, batch: Batch, floats: torch.dtype) -> Tensor:
        if kind == "lengths":
            return batch.lengths if self.lengths_on_device else batch.lengths.cpu()
        value = {"mask": batch.mask, "padding": ~batch.mask, "segments": batch.segments}[kind]
        if kind != "segments":
            value = value.to({"bool": torch.bool, "int": torch.long, "float": floats}[self.mask_type])
        return value.t().contiguous() if self.time_first else value


def arguments_of(module: nn.Module) -> tuple[tuple[str, str], ...]:
    """What each argument of ``forward`` behind the first is to receive, by its name.

    Raises UsageError for a required argument that no rule knows.
    """
    found: list[tuple[str, str]] = []
    parameters = list(inspect.signature(module.forward).parameters.values())
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY, p.POSITIONAL_ONLY)]
    for parameter in plain[1:]:
        kind = _kind(parameter.name.lower())
        if kind is not None:
            found.append((parameter.name, kind))
        elif parameter.default is parameter.empty:
            raise UsageError(
                f"cannot tell what forward's argument {parameter.name!r} wants: give "
                "call=lambda module, batch: module(batch.ids, ...), where batch has ids, mask, lengths and segments"
            )
    return tuple(found)


def _kind(name: str) -> str | None:
    if LENGTH_NAMES.search(name) and not re.search(r"max|min|total|hidden|embed", name):
        return "lengths"
    if "mask" in name.split("_") or name in ("masks", "attnmask"):
        return "padding" if "pad" in name else "mask"
    return "segments" if name in ("token_type_ids", "segments", "segment_ids") else None


def plans(module: nn.Module, own: Call | None) -> Iterator[Plan]:
    """The ways of calling that are worth a trial, the likeliest first.

    A mask named after padding is tried both ways, true on padding and true on pieces.
    """
    if own is not None:
        yield Plan(own=own)
        return
    named = arguments_of(module)
    kinds = {kind for _, kind in named}
    turned = tuple((name, "mask" if kind == "padding" else kind) for name, kind in named)
    for arguments in (named, turned) if "padding" in kinds else (named,):
        for time_first in (False, True):
            for mask_type in MASKS if kinds & {"mask", "padding"} else ("bool",):
                for on_device in (False, True) if "lengths" in kinds else (False,):
                    yield Plan(time_first, arguments, on_device, mask_type)


def logits(answer: Any, rows: int) -> Float[Tensor, "b c"]:
    """The raw outputs in whatever a module returns.

    A tensor [b, c], [b], or with one more dimension of size one; else the first of a tuple, ``.logits``, a mapping's
    ``logits`` or its only tensor.
    """
    if hasattr(answer, "logits"):
        answer = answer.logits
    elif isinstance(answer, Mapping):
        only = [value for value in answer.values() if isinstance(value, Tensor)]
        answer = answer.get("logits", only[0] if len(only) == 1 else answer)
    elif isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    if not isinstance(answer, Tensor) or not answer.is_floating_point():
        raise ModelError(f"the module returns {type(answer).__name__}; it must return logits of shape [batch, classes]")
    found: Tensor = answer
    shape = list(found.shape)
    if found.ndim == 3 and 1 in shape[:2] and rows in shape[:2]:
        found = found.squeeze(1 - shape[:2].index(rows))
    if found.ndim == 1 and len(found) == rows:
        return found[:, None]
    if rows == 1 and found.ndim < 2:
        return found.reshape(1, -1)
    if found.ndim != 2 or len(found) != rows:
        raise ModelError(f"the module returns shape {shape} for {rows} texts; it must return logits [batch, classes]")
    return found


def find_plan(
    module: nn.Module, probing: Callable[[Sequence[int]], Batch], own: Call | None, pad: int
) -> tuple[Plan, int, Batch]:
    """The plan that works on a probe of texts of different lengths, the number of outputs, and the probe.

    ``probing`` gives texts of the lengths asked for, which are as in ``LENGTHS`` and as much longer as the module needs
    to tell them apart.
    Prefers a plan under which a text's outputs do not depend on a longer neighbour. ``pad`` is the id that fills up
    texts which are too short for the module. Raises ModelError with the
    module's own complaint where no plan works.
    """
    complaint: Exception | None = None
    fallback: tuple[Plan, int, Batch] | None = None
    for plan in plans(module, own):
        try:
            plan = replace(plan, least=_least(plan, module, probing((LONGEST,))), pad=pad)
            probe = probing([length + plan.least - 1 for length in LENGTHS] + [2, 1] * (plan.least > 1))
            alone = _alone(plan, module, probe)
        except Exception as error:  # the user's own code: whatever it raises is a reason to try the next plan
            complaint = error if complaint is None or _telling(error) > _telling(complaint) else complaint
            continue
        try:
            if _near(_try(plan, module, probe), alone):
                return plan, alone.shape[1], probe
        except Exception:  # a module that takes texts of one length only
            pass
        fallback = fallback or (replace(plan, pads=False), alone.shape[1], probe)
    if fallback is not None:
        return fallback
    assert complaint is not None
    if isinstance(complaint, ModelError):
        raise ModelError(str(complaint)) from complaint
    reason = f"{type(complaint).__name__}: {complaint}".splitlines()[0]
    raise ModelError(
        f"the module could not be run on a batch of ids ({reason}); give call=lambda module, batch: ..., "
        "where batch has ids [b, t], mask, lengths and segments"
    ) from complaint


class _RanError(ModelError):
    """The module ran, but gave no function of a text."""


def _telling(error: Exception) -> int:
    """How much an error says of the module itself: more if it ran, less if its outputs have another shape."""
    return 2 if isinstance(error, _RanError) else 0 if isinstance(error, ExegesisError) else 1


def _least(plan: Plan, module: nn.Module, longest: Batch) -> int:
    """The length of the shortest text that the module takes; 1 where it takes none, whose complaint then is heard."""
    for width in range(1, LONGEST + 1):
        cut = replace(
            longest, ids=longest.ids[:, :width], mask=longest.mask[:, :width], segments=longest.segments[:, :width]
        )
        try:
            _try(replace(plan, least=width), module, cut)
        except Exception as error:  # the user's own code
            if out_of_memory(error):
                raise
            continue
        return width
    return 1


def _alone(plan: Plan, module: nn.Module, probe: Batch) -> Float[Tensor, "b c"]:
    """The outputs of each text by itself. Raises ModelError where they are no function of the text."""
    alone = [_try(plan, module, probe.take(torch.tensor([row]))) for row in range(len(probe))]
    if len({out.shape[1] for out in alone}) != 1:
        raise ModelError(f"the module returns {_shapes(alone)} outputs for texts of {_shapes(probe.lengths)} pieces")
    found = torch.cat(alone)
    if not bool(torch.isfinite(found).all()):
        raise _RanError("the module's outputs are not finite (NaN or infinity): check its weights")
    if not _near(_try(plan, module, probe.take(torch.tensor([0]))), found[:1]):
        raise _RanError("the module gives the same text other outputs each time: let it be deterministic in eval mode")
    if not _near(_try(plan, module, probe.take(torch.tensor([0, 0]))), found[[0, 0]]):
        raise _RanError("the module's outputs for a text depend on its batch (is batch_first right?)")
    return found


def _shapes(values: Sequence[Tensor] | Tensor) -> str:
    return ", ".join(str(int(v) if v.ndim == 0 else v.shape[1]) for v in values)


def _try(plan: Plan, module: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad(), still(module):
        return logits(plan(module, batch), len(batch))


def _near(first: Tensor, second: Tensor) -> bool:
    tight = {torch.float64: 1e-9, torch.float32: 1e-5}.get(first.dtype, 1e-2)
    return first.shape == second.shape and torch.allclose(first, second, rtol=tight, atol=tight)
