"""One way of calling a user's module, and the ways that are worth a trial."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from exegesis.core.errors import ModelError
from exegesis.models.modules.answers import Part
from exegesis.models.modules.arguments import ROWS_NAMES, Arguments, arguments_of, starter
from exegesis.protocols.batch import Batch

Call = Callable[[nn.Module, Batch], Any]
NONE = Arguments()
MASKS = ("bool", "int", "float")


@dataclass(frozen=True)
class Plan:
    """One way of calling a module: how it receives the ids, and what each further argument receives.

    ``form`` of the ids: ``rows`` [b, t], ``columns`` [t, b], ``one`` text alone [t], ``flat``: all texts end to end
    without padding, ``pair``: the tuple (ids [b, t], lengths). ``lengths_as`` is ``cpu``, ``device`` or ``list``.
    ``pads`` says that a text's outputs are the same beside a longer text; otherwise only texts of one
    length share a call. ``rows`` is the most texts a call in which the module keeps their order, 0 for any number.
    ``least`` is the length of the shortest text that the module takes (a convolution needs as many pieces as its
    kernel is wide); shorter ones are filled up with ``pad`` tokens, which masks and lengths tell from the text's own
    pieces. ``most`` is that of the longest (a module that flattens its states takes one length), 0 where none was seen.
    ``part`` is where the logits are in what it returns.
    """

    arguments: Arguments = NONE
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
        """What the module returns. Raises ModelError for a text that is longer than it takes."""
        batch = self.widened(batch)
        if self.most and batch.ids.shape[1] > self.most:
            raise ModelError(
                f"the module takes texts of {self.most} pieces and no more, and one has {batch.ids.shape[1]}: let "
                "tokenizer= cut texts where they were cut for training"
            )
        if self.own is not None:
            return self.own(module, batch)
        given = {name: self._value(kind, batch, module) for name, kind in self.arguments.others}
        if self.arguments.ids:
            return module(**{self.arguments.ids: self._ids(batch)}, **given)
        return module(self._ids(batch), **given)

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
            return len(batch) if kind == "rows" else _state(module, batch)
        value = {"mask": batch.mask, "padding": ~batch.mask, "segments": batch.segments}[kind]
        if kind != "segments":
            weights = () if module is None else module.parameters()
            floats = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
            value = value.to({"bool": torch.bool, "int": torch.long, "float": floats}[self.mask_type])
        return value.t().contiguous() if self.form == "columns" else value


def _state(module: nn.Module | None, batch: Batch) -> Any:
    """The state that the module itself makes to begin with; None, which is zeros, where it makes none."""
    make = None if module is None else starter(module)
    if make is None:
        return None
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(make).parameters.items():
        if name in ROWS_NAMES or "batch" in name or name in ("bs", "b", "n", "size"):
            given[name] = len(batch)
        elif "device" in name:
            given[name] = batch.device
        elif parameter.default is parameter.empty:
            raise ModelError(
                f"cannot tell what {make.__name__}'s argument {name!r} wants: give call=lambda module, batch: "
                "module(batch.ids, the state), where batch has ids, mask, lengths and segments"
            )
    return make(**given)


def plans(module: nn.Module, own: Call | None) -> tuple[Iterator[Plan], Iterator[Plan]]:
    """The ways of calling that are worth a trial, the likeliest first; and those to try where none of them works.

    A mask named after padding is tried both ways, true on padding and true on pieces.
    """
    if own is not None:
        return iter([Plan(own=own)]), iter(())
    named = arguments_of(module)
    return _usual(named), _unusual(named)


def _usual(named: Arguments) -> Iterator[Plan]:
    kinds = named.kinds
    turned = tuple((name, "mask" if kind == "padding" else kind) for name, kind in named.others)
    for arguments in (named, replace(named, others=turned)) if "padding" in kinds else (named,):
        for form in ("flat",) if "offsets" in kinds else ("rows", "columns"):
            for mask_type in MASKS if kinds & {"mask", "padding"} else ("bool",):
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
