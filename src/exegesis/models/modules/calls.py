"""Ways of calling a user's module, by its signature, the likeliest first."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from exegesis.core.errors import ModelError
from exegesis.models.modules.answers import Part
from exegesis.models.modules.arguments import ROWS_NAMES, Arguments, arguments_of, starter
from exegesis.nn.kept import Kept
from exegesis.protocols.batch import Batch

Call = Callable[[nn.Module, Batch], Any]
NO_ARGUMENTS = Arguments()
MASK_TYPES = ("bool", "int", "float")
FORMS = {
    "rows": "ids [b, t]",
    "columns": "ids [t, b]",
    "flat": "all ids end to end",
    "one": "one text's ids [t]",
    "pair": "(ids, lengths)",
}


@dataclass(frozen=True)
class Plan:
    """A way of calling a module: the form in which it receives the ids, and the value of each further argument.

    ``form`` of the ids: ``rows`` [b, t], ``columns`` [t, b], ``one`` text alone [t], ``flat``: all texts end to end
    without padding, ``pair``: the tuple (ids [b, t], lengths). ``lengths_as`` is ``cpu``, ``device`` or ``list``.
    ``masks_turned`` says that masks are time first if the ids are (torch's attention wants its masks texts first).
    ``pads`` says that a text's outputs are the same beside a longer text; otherwise only texts of equal length share a
    call. ``rows`` is the largest number of texts per call in which the module keeps their order, 0 for any number.
    ``least`` is the length of the shortest text that the module accepts (a convolution needs as many pieces as its
    kernel is wide); shorter ones are filled up with ``pad`` tokens, which masks and lengths tell from the text's own
    pieces. ``most`` is the length of the longest (a module that flattens its states accepts one length), 0 if the
    trials showed none. ``part`` is the place of the logits in its return value. ``kept`` is what the module keeps on
    itself from call to call, as it was when it was tried: every call begins with that.
    """

    arguments: Arguments = NO_ARGUMENTS
    form: str = "rows"
    lengths_as: str = "cpu"
    mask_type: str = "bool"
    masks_turned: bool = True
    pads: bool = True
    rows: int = 0
    own: Call | None = None
    least: int = 1
    most: int = 0
    pad: int = 0
    part: Part = None
    kept: Kept = field(default_factory=Kept, compare=False)

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
        """Call the module, which is frozen, on copies: it may write into what it receives. Return its answer.

        Raises ModelError for a text that is longer than it takes.
        """
        batch = self.widened(batch)
        batch = replace(batch, ids=batch.ids.clone(), mask=batch.mask.clone(), segments=batch.segments.clone())
        if self.most and batch.ids.shape[1] > self.most:
            raise ModelError(
                f"the module takes texts of {self.most} pieces and no more, and one has {batch.ids.shape[1]}: let "
                "tokenizer= cut texts where they were cut for training"
            )
        self.kept.put(module)
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
        value, turned = {"mask": batch.mask, "padding": ~batch.mask, "segments": batch.segments}[kind], True
        if kind != "segments":
            weights = () if module is None else module.parameters()
            floats = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
            value = value.to({"bool": torch.bool, "int": torch.long, "float": floats}[self.mask_type])
            turned = self.masks_turned
        return value.t().contiguous() if self.form == "columns" and turned else value


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
            masked = bool(kinds & {"mask", "padding"})
            for turned in (True, False) if masked and form == "columns" else (True,):
                for mask_type in MASK_TYPES if masked else ("bool",):
                    for lengths_as in ("cpu", "device") if "lengths" in kinds else ("cpu",):
                        yield Plan(arguments, form, lengths_as, mask_type, turned)


def _unusual(named: Arguments) -> Iterator[Plan]:
    for left_out in ({"mask"}, {"mask", "padding"}):  # a mask may be one of attention, from each word to each
        fewer = named.without(left_out)
        if fewer != named and (left_out == {"mask"} or fewer != named.without({"mask"})):
            yield from _usual(fewer)
    if "lengths" in named.kinds:
        for plan in _usual(named):
            if plan.lengths_as == "cpu":
                yield replace(plan, lengths_as="list")
    elif named.kinds <= {"state", "rows"}:
        yield Plan(named, "one", rows=1, pads=False)
        for lengths_as in ("cpu", "device"):
            yield Plan(named, "pair", lengths_as)


def tried(candidates: Sequence[Plan]) -> str:
    """The ways of calling among some plans, in words, for the author of a module that none of them fits."""
    ways = [", ".join(dict.fromkeys(FORMS[plan.form] for plan in candidates))]
    kinds = {name: kind for plan in candidates for name, kind in plan.arguments.others}
    forms = "[b, t] or [t, b]" if any(plan.form == "columns" for plan in candidates) else "[b, t]"
    for name, kind in kinds.items():
        if kind in ("mask", "padding"):
            ways.append(f"{name} {forms} as {', '.join(MASK_TYPES)}")
        elif kind == "lengths":
            ways.append(f"{name} as {', '.join(dict.fromkeys(plan.lengths_as for plan in candidates))}")
        else:
            ways.append(name)
    return "; ".join(ways)
