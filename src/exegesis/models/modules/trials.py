"""The search for the way of calling a user's module that works, by a few trial runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, out_of_memory
from exegesis.core.escapes import escaped
from exegesis.models.modules.answers import choose, logits, readable
from exegesis.models.modules.calls import Call, Plan, plans, tried
from exegesis.nn.kept import Watch
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch

LENGTHS = (12, 7, 5, 3, 2, 1)  # lengths of the texts on which plans are tried, longest first
COMPANY = ((12, 3), (3, 3), (1, 5))  # lengths, and how many different texts of that length are tried together
MANY = 256  # texts together, of the second of these lengths: some behave otherwise in large calls
MAX_COMPANY = 512  # texts together that are tried because the module keeps a state for so many
MAX_LEAST = 64  # pieces that the shortest text of a module may need, unless the module names a number
MAX_FIXED = 2048  # pieces of a fixed length that the module names
_log = logging.getLogger("exegesis.wrap")

Trial = tuple[Plan, int, Batch]  # a plan, the number of outputs under it, and the texts on which it was tried


def find_plan(
    module: nn.Module,
    probing: Callable[[Sequence[int]], Batch],
    own: Call | None,
    pad: int,
    widths: Collection[int] = (),
    *,
    known: bool = False,
) -> Trial:
    """Find the plan that works on a probe of texts of different lengths.

    Returns the plan, the number of outputs and the probe. ``probing`` makes texts of the lengths asked for, which are
    those of ``LENGTHS``, longer if the module needs longer texts to tell them apart. A plan under which a text's
    outputs do not depend on a longer neighbour is preferred. ``pad`` is the id that fills up texts which are too short
    for the module, ``widths`` the numbers of outputs that the labels allow. Of a ``known`` module, which reads rows of
    ids and keeps texts apart whatever their lengths, only the outputs are looked at.

    Raises ModelError with the module's own complaint if no plan works.
    """
    search = _Search(Watch(module), probing, pad, widths)
    if known and own is None:
        return search.known()
    likely, unusual = (list(candidates) for candidates in plans(module, own))
    near = range(1, MAX_LEAST + 1)
    best = search.among(likely, near)
    complaint = search.complaint
    if best is None and not isinstance(complaint, _RanError):
        best = search.among(unusual, near) or search.among(likely, _named_lengths(module))
    if best is not None:
        if search.mixing and best[0].rows == 1:
            _log.warning(
                "%s gives a text other numbers beside other texts: it runs with one text a call",
                escaped(type(module).__name__),
            )
        plan, width, probe = best
        return replace(plan, kept=search.watch.kept), width, probe
    assert complaint is not None
    if isinstance(complaint, ModelError):
        raise ModelError(str(complaint)) from complaint
    reason = f"{type(complaint).__name__}: {complaint}".splitlines()[0].removesuffix(": ")
    advice = "give call=lambda module, batch: ..., where batch has ids [b, t], mask, lengths and segments"
    if not any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules()):
        advice = "it has no nn.Embedding, so put that in front, by nn.Sequential(embedding, module), or " + advice
    if own is None:
        advice += f" (tried: {tried([*likely, *unusual])})"
    raise ModelError(f"the module could not be run on a batch of ids ({reason}); {advice}") from complaint


class _RanError(ModelError):
    """The module ran, but gave no function of a text."""


@dataclass
class _Search:
    """Trials of plans; ``complaint`` is the error that says most about why none worked.

    ``mixing`` says that under some plan the outputs of a text depended on the other texts of its call.
    """

    watch: Watch
    probing: Callable[[Sequence[int]], Batch]
    pad: int
    widths: Collection[int]
    complaint: Exception | None = None
    mixing: bool = False

    def known(self) -> Trial:
        """The plan of a module of which everything is known but whether its outputs are numbers."""
        plan, probe = next(iter(plans(self.watch.module, None)[0])), self.probing(LENGTHS)
        plan = replace(plan, pad=self.pad)
        outputs = self._try(plan, probe)
        _refuse_infinite(outputs)
        return replace(plan, kept=self.watch.kept), outputs.shape[1], probe

    def among(self, candidates: Iterable[Plan], shortest: Sequence[int]) -> Trial | None:
        """Find the best plan: one that is exact beside longer texts, one that takes many texts, any that works."""
        inexact: list[Trial] = []
        for plan in candidates:
            try:
                plan, probe = self.fitted(plan, shortest)
                plan, alone = self.alone(plan, probe)
                if plan.rows != 1 and not self._keeps_apart(plan):
                    plan, self.mixing = replace(plan, rows=1), True
            except Exception as error:  # the user's own code: whatever it raises is a reason to try the next plan
                if self.complaint is None or _weight(error) > _weight(self.complaint):
                    self.complaint = error
                continue
            try:
                if plan.rows != 1 and self._near(self._try(plan, probe), alone):
                    return plan, alone.shape[1], probe
            except Exception:  # a module that takes texts of one length only
                pass
            inexact.append((replace(plan, pads=False), alone.shape[1], probe))
        return next((trial for trial in inexact if trial[0].rows != 1), inexact[0] if inexact else None)

    def fitted(self, plan: Plan, shortest: Sequence[int]) -> tuple[Plan, Batch]:
        """The plan with the lengths that the module takes, and texts for trials."""
        least = next((width for width in shortest if self._takes(plan, width)), 1)
        most, far = 0, least + LENGTHS[0] - 1
        if not self._takes(plan, far):
            most = next((width for width in range(least, far) if not self._takes(plan, width + 1)), far)
        if most == 1:  # a text of one piece tells nothing; the module's complaint about longer texts does
            least, most = far, 0
        plan = replace(plan, least=least, most=most if self._takes(plan, least) else 0, pad=self.pad)
        if plan.form == "one" and plan.most == least > 1:  # as many pieces as a vector has numbers, by chance
            raise ModelError(f"the module takes a text's ids [t] of {least} pieces alone")
        lengths = [length + least - 1 for length in LENGTHS] + [2, 1] * (least > 1)
        if plan.most:
            lengths = sorted((min(length, most) for length in (*LENGTHS, *lengths)), reverse=True)
        return plan, self.probing(lengths)

    def _keeps_apart(self, plan: Plan) -> bool:
        try:
            return self.keeps_apart(plan)
        except Exception as error:  # the user's own code: a state that is kept for other numbers of texts, say
            if out_of_memory(error):
                raise
            return False

    def keeps_apart(self, plan: Plan) -> bool:
        """True if different texts of one length have the outputs together that each has alone.

        A maximum or a mean over the whole call shows beside other texts only, not in a text beside itself.
        """
        for length, texts in COMPANY:
            longest = length + plan.least - 1
            batch = self.probing((min(longest, plan.most) if plan.most else longest,) * texts)
            alone = [self._try(plan, batch.take(torch.tensor([row]))) for row in range(texts)]
            if not self._near(self._try(plan, batch), torch.cat(alone)):
                return False
            if length == COMPANY[1][0]:
                rows = torch.arange(MANY) % texts
                if not self._near(self._try(plan, batch.take(rows)), torch.cat(alone)[rows.to(batch.device)]):
                    return False
        return all(self._bears(plan, texts) for texts in self.watch.kept.sizes if 1 < texts <= MAX_COMPANY)

    def _bears(self, plan: Plan, texts: int) -> bool:
        """True if a text has the outputs beside itself, so many times, that it has alone.

        A state that the module keeps may have been made for so many texts.
        """
        batch = self.probing((plan.least + 1 if not plan.most else plan.least,))
        together = self._try(plan, batch.take(torch.zeros(texts, dtype=torch.long)))
        return self._near(together, self._try(plan, batch).expand_as(together))

    def _takes(self, plan: Plan, width: int) -> bool:
        """True if the module runs on a text of ``width`` pieces."""
        try:
            return readable(self._run(replace(plan, least=width), self.probing((width,))))
        except Exception as error:  # the user's own code
            if out_of_memory(error):
                raise
            return False

    def alone(self, plan: Plan, probe: Batch) -> tuple[Plan, Float[Tensor, "b c"]]:
        """The outputs of each text by itself, and the plan with the findings.

        Raises ModelError if the outputs are not a function of the text.
        """
        answers = [self._run(plan, probe.take(torch.tensor([row]))) for row in range(len(probe))]
        plan = replace(plan, part=choose(answers, self.widths))
        alone = [logits(answer, 1, plan.part) for answer in answers]
        if len({out.shape[1] for out in alone}) != 1:
            raise ModelError(
                f"the module returns {_widths(alone)} outputs for texts of {_listed(probe.lengths)} pieces"
            )
        outputs = torch.cat(alone)
        _refuse_infinite(outputs)
        again = torch.cat([self._try(plan, probe.take(torch.tensor([row]))) for row in range(len(probe))])
        if not self._near(again, outputs):
            raise _RanError(
                "the module gives the same text other outputs each time: let it be deterministic in eval mode "
                "(F.dropout needs training=self.training, nn.Dropout is made in __init__, a state to begin with is not "
                "drawn or kept outside)"
            )
        if plan.rows == 1:
            return plan, outputs
        try:
            twice = self._try(plan, probe.take(torch.tensor([0, 0])))
        except ExegesisError:
            raise
        except Exception as error:  # the user's own code: it takes one text at a time
            if out_of_memory(error):
                raise
            return replace(plan, rows=1), outputs
        if not self._near(twice, outputs[[0, 0]]) and self.watch.kept.sizes:  # it keeps a state for one text
            self.mixing = True
            return replace(plan, rows=1), outputs
        if not self._near(twice, outputs[[0, 0]]):
            raise _RanError(
                "the module's outputs for a text depend on its batch (is batch_first right, does every view or reshape "
                "keep the texts apart?)"
            )
        return plan, outputs

    def _near(self, first: Tensor, second: Tensor) -> bool:
        return agree(first, second, double=1e-9, single=1e-5, of=self.watch.module)

    def _try(self, plan: Plan, batch: Batch) -> Tensor:
        return logits(self._run(plan, batch), len(batch), plan.part)

    def _run(self, plan: Plan, batch: Batch) -> Any:
        with torch.no_grad():
            return self.watch.run(lambda: plan(self.watch.module, batch))


def _refuse_infinite(outputs: Tensor) -> None:
    if not bool(torch.isfinite(outputs).all()):
        raise _RanError("the module's outputs are not finite (NaN or infinity): check its weights")


def _named_lengths(module: nn.Module) -> list[int]:
    """Numbers among a module's attributes that may be the only length of text that it takes."""
    lengths: set[int] = set()
    for part in module.modules():
        for value in vars(part).values():
            single = value[0] if isinstance(value, tuple) and len(value) == 1 else value
            lengths |= {single} if isinstance(single, int) else set()
        if isinstance(part, nn.Linear):
            lengths |= {width for width in range(1, MAX_FIXED + 1) if part.in_features % width == 0}
    return sorted(length for length in lengths if MAX_LEAST < length <= MAX_FIXED)


def _weight(error: Exception) -> int:
    """Rank an error by how much it says about the module: more if it ran, less if its outputs have another shape."""
    return 2 if isinstance(error, _RanError) else 0 if isinstance(error, ExegesisError) else 1


def _widths(outputs: Sequence[Tensor]) -> str:
    return ", ".join(str(out.shape[1]) for out in outputs)


def _listed(numbers: Tensor) -> str:
    return ", ".join(map(str, numbers.tolist()))
