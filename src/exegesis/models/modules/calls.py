"""Ways of calling a user's module, and the search for the one that works: by its signature and a few trial runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, out_of_memory
from exegesis.models.modules.answers import Part, choose, logits, readable
from exegesis.models.modules.arguments import ROWS_NAMES, Arguments, arguments_of, starter
from exegesis.nn.frozen import frozen
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch

Call = Callable[[nn.Module, Batch], Any]
NO_ARGUMENTS = Arguments()
MASK_TYPES = ("bool", "int", "float")
LENGTHS = (12, 7, 5, 3, 2, 1)  # lengths of the texts on which plans are tried, longest first
MAX_LEAST = 64  # pieces that the shortest text of a module may need, unless the module names a number
MAX_FIXED = 2048  # pieces of a fixed length that the module names


@dataclass(frozen=True)
class Plan:
    """A way of calling a module: the form in which it receives the ids, and the value of each further argument.

    ``form`` of the ids: ``rows`` [b, t], ``columns`` [t, b], ``one`` text alone [t], ``flat``: all texts end to end
    without padding, ``pair``: the tuple (ids [b, t], lengths). ``lengths_as`` is ``cpu``, ``device`` or ``list``.
    ``pads`` says that a text's outputs are the same beside a longer text; otherwise only texts of equal length share a
    call. ``rows`` is the largest number of texts per call in which the module keeps their order, 0 for any number.
    ``least`` is the length of the shortest text that the module accepts (a convolution needs as many pieces as its
    kernel is wide); shorter ones are filled up with ``pad`` tokens, which masks and lengths tell from the text's own
    pieces. ``most`` is the length of the longest (a module that flattens its states accepts one length), 0 if the
    trials showed none. ``part`` is the place of the logits in its return value.
    """

    arguments: Arguments = NO_ARGUMENTS
    form: str = "rows"
    lengths_as: str = "cpu"
    mask_type: str = "bool"
    pads: bool = True
    rows: int = 0
    own: Call | None = None
    least: int = 1
    most: int = 0
    pad: int = 0
    part: Part = None

    def widened(self, batch: Batch) -> Batch:
        """Fill a batch up with pad tokens if it is narrower than the module takes."""
        shortfall = self.least - batch.ids.shape[1]
        if shortfall <= 0:
            return batch
        return replace(
            batch,
            ids=nn.functional.pad(batch.ids, (0, shortfall), value=self.pad),
            mask=nn.functional.pad(batch.mask, (0, shortfall), value=False),
            segments=nn.functional.pad(batch.segments, (0, shortfall)),
        )

    def __call__(self, module: nn.Module, batch: Batch) -> Any:
        """Call the module and return its answer. Raises ModelError for a text that is longer than it takes."""
        batch = self.widened(batch)
        if self.most and batch.ids.shape[1] > self.most:
            raise ModelError(
                f"the module takes texts of {self.most} pieces and no more, and one has {batch.ids.shape[1]}: let "
                "tokenizer= cut texts where they were cut for training"
            )
        if self.own is not None:
            return self.own(module, batch)
        further = {name: self._value(kind, batch, module) for name, kind in self.arguments.others}
        if self.arguments.ids:
            return module(**{self.arguments.ids: self._ids(batch)}, **further)
        return module(self._ids(batch), **further)

    def _ids(self, batch: Batch) -> Any:
        if self.form == "pair":
            return batch.ids, self._value("lengths", batch, None)
        if self.form == "flat":
            return batch.ids[batch.mask]
        if self.form == "one":
            return batch.ids[0]
        return batch.ids.t().contiguous() if self.form == "columns" else batch.ids

    def _value(self, kind: str, batch: Batch, module: nn.Module | None) -> Any:
        if kind == "lengths":
            lengths = batch.lengths
            return {"cpu": lengths.cpu, "device": lambda: lengths, "list": lengths.tolist}[self.lengths_as]()
        if kind == "offsets":
            return batch.lengths.cumsum(0) - batch.lengths
        if kind in ("rows", "state"):
            return len(batch) if kind == "rows" else _first_state(module, batch)
        value = {"mask": batch.mask, "padding": ~batch.mask, "segments": batch.segments}[kind]
        if kind != "segments":
            weights = () if module is None else module.parameters()
            floats = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
            value = value.to({"bool": torch.bool, "int": torch.long, "float": floats}[self.mask_type])
        return value.t().contiguous() if self.form == "columns" else value


def _first_state(module: nn.Module | None, batch: Batch) -> Any:
    """The state that the module itself makes to begin with; None, which means zeros, if it makes none."""
    make = None if module is None else starter(module)
    if make is None:
        return None
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(make).parameters.items():
        if name in ROWS_NAMES or "batch" in name or name in ("bs", "b", "n", "size"):
            arguments[name] = len(batch)
        elif "device" in name:
            arguments[name] = batch.device
        elif parameter.default is parameter.empty:
            raise ModelError(
                f"cannot tell what {make.__name__}'s argument {name!r} wants: give call=lambda module, batch: "
                "module(batch.ids, the state), where batch has ids, mask, lengths and segments"
            )
    return make(**arguments)


def plans(module: nn.Module, own: Call | None) -> tuple[Iterator[Plan], Iterator[Plan]]:
    """The plans that are worth a trial, the likeliest first; and those to try if none of them works.

    A mask named after padding is tried both ways, true on padding and true on pieces.
    """
    if own is not None:
        return iter([Plan(own=own)]), iter(())
    arguments = arguments_of(module)
    return _usual(arguments), _unusual(arguments)


def _usual(named: Arguments) -> Iterator[Plan]:
    kinds = named.kinds
    inverted = tuple((name, "mask" if kind == "padding" else kind) for name, kind in named.others)
    for arguments in (named, replace(named, others=inverted)) if "padding" in kinds else (named,):
        for form in ("flat",) if "offsets" in kinds else ("rows", "columns"):
            for mask_type in MASK_TYPES if kinds & {"mask", "padding"} else ("bool",):
                for lengths_as in ("cpu", "device") if "lengths" in kinds else ("cpu",):
                    yield Plan(arguments, form, lengths_as, mask_type)


def _unusual(named: Arguments) -> Iterator[Plan]:
    if "lengths" in named.kinds:
        for plan in _usual(named):
            if plan.lengths_as == "cpu":
                yield replace(plan, lengths_as="list")
    elif named.kinds <= {"state", "rows"}:
        yield Plan(named, "one", rows=1, pads=False)
        for lengths_as in ("cpu", "device"):
            yield Plan(named, "pair", lengths_as)


Trial = tuple[Plan, int, Batch]  # a plan, the number of outputs under it, and the texts on which it was tried


def find_plan(
    module: nn.Module,
    probing: Callable[[Sequence[int]], Batch],
    own: Call | None,
    pad: int,
    widths: Collection[int] = (),
) -> Trial:
    """Find the plan that works on a probe of texts of different lengths.

    Returns the plan, the number of outputs and the probe. ``probing`` makes texts of the lengths asked for, which are
    those of ``LENGTHS``, longer if the module needs longer texts to tell them apart. A plan under which a text's
    outputs do not depend on a longer neighbour is preferred. ``pad`` is the id that fills up texts which are too short
    for the module, ``widths`` the numbers of outputs that the labels allow.

    Raises ModelError with the module's own complaint if no plan works.
    """
    search = _Search(module, probing, pad, widths)
    usual, unusual = plans(module, own)
    likely = list(usual)
    near = range(1, MAX_LEAST + 1)
    best = search.among(likely, near)
    complaint = search.complaint
    if best is None and not isinstance(complaint, _RanError):
        best = search.among(unusual, near) or search.among(likely, _named_lengths(module))
    if best is not None:
        return best
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
    """Trials of plans; ``complaint`` is the error that says most about why none worked."""

    module: nn.Module
    probing: Callable[[Sequence[int]], Batch]
    pad: int
    widths: Collection[int]
    complaint: Exception | None = None

    def among(self, candidates: Iterable[Plan], shortest: Sequence[int]) -> Trial | None:
        """Find the best plan: one that is exact beside longer texts, one that takes many texts, any that works."""
        inexact: list[Trial] = []
        for plan in candidates:
            try:
                plan, probe = self.fitted(plan, shortest)
                plan, alone = _alone(plan, self.module, probe, self.widths)
            except Exception as error:  # the user's own code: whatever it raises is a reason to try the next plan
                if self.complaint is None or _weight(error) > _weight(self.complaint):
                    self.complaint = error
                continue
            try:
                if plan.rows != 1 and _near(_try(plan, self.module, probe), alone):
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
        lengths = [length + least - 1 for length in LENGTHS] + [2, 1] * (least > 1)
        if plan.most:
            lengths = sorted((min(length, most) for length in (*LENGTHS, *lengths)), reverse=True)
        return plan, self.probing(lengths)

    def _takes(self, plan: Plan, width: int) -> bool:
        """True if the module runs on a text of ``width`` pieces."""
        try:
            return readable(_run(replace(plan, least=width), self.module, self.probing((width,))))
        except Exception as error:  # the user's own code
            if out_of_memory(error):
                raise
            return False


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


def _alone(plan: Plan, module: nn.Module, probe: Batch, widths: Collection[int]) -> tuple[Plan, Float[Tensor, "b c"]]:
    """The outputs of each text by itself, and the plan with the findings.

    Raises ModelError if the outputs are not a function of the text.
    """
    answers = [_run(plan, module, probe.take(torch.tensor([row]))) for row in range(len(probe))]
    plan = replace(plan, part=choose(answers, widths))
    alone = [logits(answer, 1, plan.part) for answer in answers]
    if len({out.shape[1] for out in alone}) != 1:
        raise ModelError(f"the module returns {_widths(alone)} outputs for texts of {_listed(probe.lengths)} pieces")
    outputs = torch.cat(alone)
    if not bool(torch.isfinite(outputs).all()):
        raise _RanError("the module's outputs are not finite (NaN or infinity): check its weights")
    again = torch.cat([_try(plan, module, probe.take(torch.tensor([row]))) for row in range(len(probe))])
    if not _near(again, outputs):
        raise _RanError(
            "the module gives the same text other outputs each time: let it be deterministic in eval mode (F.dropout "
            "needs training=self.training, nn.Dropout is made in __init__, a state to begin with is not drawn)"
        )
    if plan.rows == 1:
        return plan, outputs
    try:
        twice = _try(plan, module, probe.take(torch.tensor([0, 0])))
    except ExegesisError:
        raise
    except Exception as error:  # the user's own code: it takes one text at a time
        if out_of_memory(error):
            raise
        return replace(plan, rows=1), outputs
    if not _near(twice, outputs[[0, 0]]):
        raise _RanError(
            "the module's outputs for a text depend on its batch (is batch_first right, does every view or reshape "
            "keep the texts apart?)"
        )
    return plan, outputs


def _widths(outputs: Sequence[Tensor]) -> str:
    return ", ".join(str(out.shape[1]) for out in outputs)


def _listed(numbers: Tensor) -> str:
    return ", ".join(map(str, numbers.tolist()))


def _try(plan: Plan, module: nn.Module, batch: Batch) -> Tensor:
    return logits(_run(plan, module, batch), len(batch), plan.part)


def _run(plan: Plan, module: nn.Module, batch: Batch) -> Any:
    with torch.no_grad(), frozen(module):
        return plan(module, batch)


def _near(first: Tensor, second: Tensor) -> bool:
    return agree(first, second, double=1e-9, single=1e-5)
