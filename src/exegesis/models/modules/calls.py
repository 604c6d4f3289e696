"""How a user's module wants to be called: found out by its signature and a few trial runs, never by its code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, out_of_memory
from exegesis.models.modules.answers import choose, logits, readable
from exegesis.models.modules.plan import Call, Plan, plans
from exegesis.nn.frozen import still
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch

Found = tuple[Plan, int, Batch]
LENGTHS = (12, 7, 5, 3, 2, 1)  # of the texts on which plans are tried, longest first
LONGEST = 64  # pieces that the shortest text of a module may need, unless the module names a number
FURTHEST = 2048  # pieces of a fixed length that the module names


def find_plan(
    module: nn.Module,
    probing: Callable[[Sequence[int]], Batch],
    own: Call | None,
    pad: int,
    widths: Collection[int] = (),
) -> Found:
    """The plan that works on a probe of texts of different lengths, the number of outputs, and the probe.

    ``probing`` gives texts of the lengths asked for, which are as in ``LENGTHS`` and as much longer as the module needs
    to tell them apart.
    Prefers a plan under which a text's outputs do not depend on a longer neighbour. ``pad`` is the id that fills up
    texts which are too short for the module, ``widths`` the numbers of outputs that the labels allow. Raises ModelError
    with the module's own complaint where no plan works.
    """
    search = _Search(module, probing, pad, widths)
    usual, unusual = plans(module, own)
    tried = list(usual)
    near = range(1, LONGEST + 1)
    found = search.among(tried, near)
    complaint = search.complaint
    if found is None and not isinstance(complaint, _RanError):
        found = search.among(unusual, near) or search.among(tried, _named_lengths(module))
    if found is not None:
        return found
    assert complaint is not None
    if isinstance(complaint, ModelError):
        raise ModelError(str(complaint)) from complaint
    reason = f"{type(complaint).__name__}: {complaint}".splitlines()[0].removesuffix(": ")
    advice = "give call=lambda module, batch: ..., where batch has ids [b, t], mask, lengths and segments"
    if not any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules()):
        advice = "it has no nn.Embedding, so put that in front, by nn.Sequential(embedding, module), or " + advice
    raise ModelError(f"the module could not be run on a batch of ids ({reason}); {advice}") from complaint


class _RanError(ModelError):
    """The module ran, but gave no function of a text."""


@dataclass
class _Search:
    """Trials of plans; ``complaint`` is what tells most of why none worked."""

    module: nn.Module
    probing: Callable[[Sequence[int]], Batch]
    pad: int
    widths: Collection[int]
    complaint: Exception | None = None

    def among(self, tried: Iterable[Plan], shortest: Sequence[int]) -> Found | None:
        """The best of some plans: one that is exact beside longer texts, one that takes many texts, any that works."""
        inexact: list[Found] = []
        for plan in tried:
            try:
                plan, probe = self.fitted(plan, shortest)
                plan, alone = _alone(plan, self.module, probe, self.widths)
            except Exception as error:  # the user's own code: whatever it raises is a reason to try the next plan
                if self.complaint is None or _telling(error) > _telling(self.complaint):
                    self.complaint = error
                continue
            try:
                if plan.rows != 1 and _near(_try(plan, self.module, probe), alone):
                    return plan, alone.shape[1], probe
            except Exception:  # a module that takes texts of one length only
                pass
            inexact.append((replace(plan, pads=False), alone.shape[1], probe))
        return next((found for found in inexact if found[0].rows != 1), inexact[0] if inexact else None)

    def fitted(self, plan: Plan, shortest: Sequence[int]) -> tuple[Plan, Batch]:
        """The plan with the lengths that the module takes, and texts for trials."""
        least = next((width for width in shortest if self._takes(plan, width)), 1)
        most, far = 0, least + LENGTHS[0] - 1
        if not self._takes(plan, far):
            most = next((width for width in range(least, far) if not self._takes(plan, width + 1)), far)
        if most == 1:  # one text of one piece tells nothing: what it does with more is heard
            least, most = far, 0
        plan = replace(plan, least=least, most=most if self._takes(plan, least) else 0, pad=self.pad)
        lengths = [length + least - 1 for length in LENGTHS] + [2, 1] * (least > 1)
        if plan.most:
            lengths = sorted((min(length, most) for length in (*LENGTHS, *lengths)), reverse=True)
        return plan, self.probing(lengths)

    def _takes(self, plan: Plan, width: int) -> bool:
        """Whether the module runs on a text of some pieces."""
        try:
            return readable(_run(replace(plan, least=width), self.module, self.probing((width,))))
        except Exception as error:  # the user's own code
            if out_of_memory(error):
                raise
            return False


def _named_lengths(module: nn.Module) -> list[int]:
    """Numbers that stand in a module and may be the one length of text that it takes."""
    found: set[int] = set()
    for part in module.modules():
        for value in vars(part).values():
            single = value[0] if isinstance(value, tuple) and len(value) == 1 else value
            found |= {single} if isinstance(single, int) else set()
        if isinstance(part, nn.Linear):
            found |= {width for width in range(1, FURTHEST + 1) if part.in_features % width == 0}
    return sorted(width for width in found if LONGEST < width <= FURTHEST)


def _telling(error: Exception) -> int:
    """How much an error says of the module itself: more if it ran, less if its outputs have another shape."""
    return 2 if isinstance(error, _RanError) else 0 if isinstance(error, ExegesisError) else 1


def _alone(plan: Plan, module: nn.Module, probe: Batch, widths: Collection[int]) -> tuple[Plan, Float[Tensor, "b c"]]:
    """The outputs of each text by itself, and the plan with what was learned from them.

    Raises ModelError where they are no function of the text.
    """
    answers = [_run(plan, module, probe.take(torch.tensor([row]))) for row in range(len(probe))]
    plan = replace(plan, part=choose(answers, widths))
    alone = [logits(answer, 1, plan.part) for answer in answers]
    if len({out.shape[1] for out in alone}) != 1:
        raise ModelError(f"the module returns {_shapes(alone)} outputs for texts of {_shapes(probe.lengths)} pieces")
    found = torch.cat(alone)
    if not bool(torch.isfinite(found).all()):
        raise _RanError("the module's outputs are not finite (NaN or infinity): check its weights")
    again = torch.cat([_try(plan, module, probe.take(torch.tensor([row]))) for row in range(len(probe))])
    if not _near(again, found):
        raise _RanError(
            "the module gives the same text other outputs each time: let it be deterministic in eval mode (F.dropout "
            "needs training=self.training, nn.Dropout is made in __init__, a state to begin with is not drawn)"
        )
    if plan.rows == 1:
        return plan, found
    try:
        twice = _try(plan, module, probe.take(torch.tensor([0, 0])))
    except ExegesisError:
        raise
    except Exception as error:  # the user's own code: it takes one text at a time
        if out_of_memory(error):
            raise
        return replace(plan, rows=1), found
    if not _near(twice, found[[0, 0]]):
        raise _RanError(
            "the module's outputs for a text depend on its batch (is batch_first right, does every view or reshape "
            "keep the texts apart?)"
        )
    return plan, found


def _shapes(values: Sequence[Tensor] | Tensor) -> str:
    return ", ".join(str(int(v) if v.ndim == 0 else v.shape[1]) for v in values)


def _try(plan: Plan, module: nn.Module, batch: Batch) -> Tensor:
    return logits(_run(plan, module, batch), len(batch), plan.part)


def _run(plan: Plan, module: nn.Module, batch: Batch) -> Any:
    with torch.no_grad(), still(module):
        return plan(module, batch)


def _near(first: Tensor, second: Tensor) -> bool:
    return agree(first, second, double=1e-9, single=1e-5)
