"""The sites of a module: hidden states found by running it, and read off by hooks while it runs.

Nothing is known of a module's class. It runs three times, on copies of one text and on a text with one piece more or
less; the axis of each submodule's output that grows with the copies counts texts, the one that grows with the pieces
counts time steps. Names follow structure: layers of torch's recurrences, members of a list of like modules, the width
of a convolution's kernel, what the last linear layer reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.errors import ModelError, UnsupportedError, UsageError
from exegesis.core.place import DIRECTIONS, STATES, WORD_VECTORS, Place
from exegesis.models.layers import agreeing, first_tensor, inner
from exegesis.protocols.batch import Batch
from exegesis.protocols.insides import Site

COPIES = (3, 5)  # rows of the trials: the axis of texts is the one that grows so
_MEMBER = re.compile(r"(?:(?P<stack>.*)\.)?(?P<number>[0-9]+)")
Run = Callable[[Float[Tensor, "b t d"], Batch], object]  # runs the module on vectors in place of the batch's own
Vectors = Callable[[Batch], Float[Tensor, "b t d"]]
Key = tuple[
    str, bool, int
]  # a submodule's path, whether its input is read, a layer inside a recurrence (0: its output)


class Reached(BaseException):
    """Ends a run of a module whose states have all been read; no handler in the module's own code stops it."""


@dataclass
class _Seen:
    """What submodules gave and read in one run, one entry for each call; ``order`` are their paths as they ended.

    ``wanted`` are the calls after which the run ends; None lets it run and keeps everything.
    """

    wanted: Mapping[Key, int] | None = None
    values: dict[Key, list[Tensor]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def keep(self, key: Key, value: Any) -> None:
        if self.wanted is None or key in self.wanted:
            tensor = first_tensor(value)
            if tensor is not None:
                self.values.setdefault(key, []).append(tensor)

    def stop(self) -> None:
        """Raise Reached once every wanted call has been read."""
        if self.wanted and all(len(self.values.get(key, ())) >= calls for key, calls in self.wanted.items()):
            raise Reached


def found_sites(module: nn.Module, run: Run, vectors: Vectors, batch: Batch) -> dict[Place, Site]:
    """The sites of a module, found on the first text of a batch; layers come first, in the order of the run."""
    text = replace(batch.take(torch.tensor([0])), texts=())

    def tried(ids: Batch, copies: int) -> _Seen:
        many = ids.take(torch.zeros(copies, dtype=torch.long))
        with torch.enable_grad(), _watched(module, None) as seen:
            run(vectors(many).detach().requires_grad_(), many)
        return seen

    runs, change = [tried(text, copies) for copies in COPIES], 1
    try:
        runs.append(tried(_resized(text, longer=True), COPIES[0]))
    except ModelError:  # as many places as the text has, and no more
        runs.append(tried(_resized(text, longer=False), COPIES[0]))
        change = -1
    trial = _Trial(runs, change)
    whole = Site(WORD_VECTORS, "", steps=1, layered=True)
    named = [*_layers(module, trial), *_convolutions(module, trial), *_pooled(module, trial)]
    sites = {site.place: site for site in (whole, *named)}
    for path in trial.runs[0].order:
        site = trial.placed(path) if path else None
        if site is not None:
            sites.setdefault(site.place, site)
    return sites


def read_states(
    module: nn.Module, run: Run, embeds: Float[Tensor, "b t d"], batch: Batch, sites: Sequence[Site]
) -> list[Float[Tensor, "b s h"]]:
    """The states at sites while ``run`` runs the module, which ends as soon as all are read.

    Raises UnsupportedError if a submodule does not run, UsageError for a time step that the text does not have.
    """
    wanted: dict[Key, int] = {}
    for site in sites:
        if site.path:
            key = (site.path, site.reads, site.layer)
            wanted[key] = max(wanted.get(key, 0), 1 << 30 if site.stacked else site.call + 1)
    if not embeds.requires_grad:
        embeds = embeds.detach().requires_grad_()
    with _watched(module, wanted) as seen, torch.enable_grad(), suppress(Reached):
        if wanted:
            run(embeds, batch)
    return [_states(site, seen, embeds) for site in sites]


def _states(site: Site, seen: _Seen, embeds: Tensor) -> Float[Tensor, "b s h"]:
    if not site.path:
        states = embeds
    else:
        calls = seen.values.get((site.path, site.reads, site.layer), [])
        if len(calls) <= site.call:
            raise UnsupportedError(f"{site.path} did not run on this text, so there is no state at {site.place}")
        if site.stacked:
            states = torch.stack([call.movedim(site.rows, 0).flatten(1) for call in calls], 1)
        elif site.steps is None:
            states = calls[site.call].movedim(site.rows, 0).flatten(1)[:, None]
        else:
            states = calls[site.call].movedim((site.rows, site.steps), (0, 1)).flatten(2)
    if site.direction is not None:
        states = states.chunk(2, -1)[site.direction]
    if site.step is None:
        return states
    if not -states.shape[1] <= site.step < states.shape[1]:
        raise UsageError(f"there is no {site.place}: the text has {states.shape[1]} steps there")
    return states[:, [site.step]]


@dataclass(frozen=True)
class _Trial:
    """Three runs of a module; the third has a text with ``change`` more pieces."""

    runs: list[_Seen]
    change: int

    def placed(self, path: str, place: Place | None = None, **spot: Any) -> Site | None:
        """A site with its axes of texts and of time steps; None if what is read there has no axis of texts."""
        site = Site(place or Place(path), path, **spot)
        calls = [seen.values.get((path, site.reads, site.layer), []) for seen in self.runs]
        stacked = len(calls[2]) - len(calls[0]) == self.change and len(calls[0]) > 0 and site.call == 0
        if not stacked and any(len(values) <= site.call for values in calls):
            return None
        if not calls[0][site.call].requires_grad:  # the same for all words, or what the vectors stand in for
            return None
        first, more, longer = (values[site.call].shape for values in calls)
        if not len(first) == len(more) == len(longer):
            return None
        rows = [axis for axis, sizes in enumerate(zip(first, more, strict=True)) if sizes == COPIES]
        if len(rows) != 1 or any(
            a != b for axis, (a, b) in enumerate(zip(first, more, strict=True)) if axis != rows[0]
        ):
            return None
        grown = [axis for axis, (a, b) in enumerate(zip(first, longer, strict=True)) if a != b]
        if not grown:
            return replace(site, rows=rows[0], steps=1 if stacked else None, stacked=stacked)
        if len(grown) > 1 or longer[grown[0]] - first[grown[0]] != self.change or grown == rows:
            return None
        return replace(site, rows=rows[0], steps=grown[0])


def _layers(module: nn.Module, trial: _Trial) -> Iterator[Site]:
    """The layers of recurrences and of lists of like modules; several such groups have names of their own."""
    parts, groups = dict(module.named_modules()), dict[str, list[list[Site]]]()
    for path in dict.fromkeys(trial.runs[0].order):
        stack = _stack_of(path, parts)
        count = Counter(trial.runs[0].order)[path]
        if stack is None and isinstance(parts[path], nn.RNNBase) and count == 1:
            found: list[list[Site]] = []
            for layer in range(1, parts[path].num_layers + 1):
                both = [trial.placed(path, layer=layer, layered=True)]
                if parts[path].bidirectional:
                    both += [trial.placed(path, layer=layer, direction=way) for way in (0, 1)]
                found += [[site for site in both if site is not None and site.steps is not None]]
            groups[path] = [sites for sites in found if sites]
        elif stack is not None:
            several = (trial.placed(path, call=call, layered=True) for call in range(count))
            groups.setdefault(stack, []).extend([s] for s in several if s is not None and s.steps is not None)
    groups = {path: found for path, found in groups.items() if found}
    for name, layers in zip(_names(groups, parts), groups.values(), strict=True):
        for number, sites in enumerate(layers, 1):
            for site in sites:
                if site.direction is None:
                    yield replace(site, place=Place(f"{name} layer".lstrip(), number))
                elif not name or re.fullmatch(r"\S+ [1-9][0-9]*", name):
                    way = DIRECTIONS[site.direction]
                    yield replace(site, place=Place(STATES, number, direction=way, part=name))


def _names(groups: Mapping[str, object], parts: Mapping[str, nn.Module]) -> list[str]:
    """What tells the groups of layers apart: nothing for one, encoder and decoder where the paths say so."""
    if len(groups) == 1:
        return [""]
    halves = [[half for half in ("encoder", "decoder") if half in path.lower()] for path in groups]
    if all(len(half) == 1 for half in halves) and len({half[0] for half in halves}) == len(halves):
        return [half[0] for half in halves]
    kind = "recurrent" if all(isinstance(parts[path], nn.RNNBase) for path in groups) else "stack"
    return [f"{kind} {number}" for number in range(1, len(groups) + 1)]


def _stack_of(path: str, parts: Mapping[str, nn.Module]) -> str | None:
    """The path of the outermost list of like modules of which a submodule is a member; None if there is none."""
    names = path.split(".")
    for depth in range(1, len(names) + 1):
        match = _MEMBER.fullmatch(".".join(names[:depth]))
        if match is None:
            continue
        owner = parts.get((match["stack"] or "").rpartition(".")[0])
        if getattr(owner, "bidirectional", False) is True:  # the list holds directions, not layers
            return None
        members = list(parts[match["stack"] or ""].children())
        alike = len({type(member) for member in members}) == 1
        inner = all(isinstance(m, nn.RNNBase) or any(m.children()) or _own(m) for m in members)
        if alike and inner and isinstance(parts[match["stack"] or ""], nn.ModuleList | nn.Sequential):
            return (match["stack"] or "") if depth == len(names) else None
    return None


def _own(module: nn.Module) -> bool:
    """True for a class that is not torch's."""
    return not type(module).__module__.startswith("torch.")


def _convolutions(module: nn.Module, trial: _Trial) -> Iterator[Site]:
    """Convolutions by the width of their kernels, where these differ."""
    parts = dict(module.named_modules())
    widths = {p: parts[p].kernel_size[0] for p in trial.runs[0].order if isinstance(parts[p], nn.Conv1d | nn.Conv2d)}
    for path, width in sorted(widths.items(), key=lambda item: item[1]):
        site = trial.placed(path, Place("width", width), layered=True)
        if site is not None and list(widths.values()).count(width) == 1:
            yield site


def _pooled(module: nn.Module, trial: _Trial) -> Iterator[Site]:
    """The vector that the last linear layer reads."""
    parts = dict(module.named_modules())
    last = next((path for path in reversed(trial.runs[0].order) if isinstance(parts[path], nn.Linear)), None)
    site = None if last is None else trial.placed(last, Place("pooled"), reads=True, layered=True)
    if site is not None and site.steps is None:
        yield site


def _resized(text: Batch, *, longer: bool) -> Batch:
    """The batch with the middle piece of its text twice, or without it."""
    width = text.ids.shape[1]
    middle, places = width // 2, list(range(width))
    again = [*places[: middle + 1], *places[middle:]] if longer else [*places[:middle], *places[middle + 1 :]]
    chosen = torch.tensor(again, device=text.device)
    return replace(text, ids=text.ids[:, chosen], mask=text.mask[:, chosen], segments=text.segments[:, chosen])


@contextmanager
def _watched(module: nn.Module, wanted: Mapping[Key, int] | None) -> Iterator[_Seen]:
    """Record what submodules give and read, those of ``wanted`` or all, in this thread."""
    seen, thread, handles = _Seen(wanted), get_ident(), []
    keys = wanted or {}
    for path, part in module.named_modules():
        layers = max((layer for at, _, layer in keys if at == path), default=0)
        inside = isinstance(part, nn.RNNBase) and (wanted is None or layers > 0)
        if wanted is not None and not any(at == path for at, _, _ in keys):
            continue

        def before(
            part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: str = path, most: int = layers,
            inside: bool = inside,
        ) -> None:  # fmt: skip
            if get_ident() != thread:
                return
            seen.keep((path, True, 0), args[0] if args else next(iter(kwargs.values()), None))
            if inside and wanted is not None:
                for layer, states in enumerate(inner(part, *args[:2], **kwargs)[:most], 1):
                    seen.keep((path, False, layer), states)
            seen.stop()

        def after(
            part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, path: str = path,
            inside: bool = inside,
        ) -> None:  # fmt: skip
            if get_ident() != thread:
                return
            seen.order.append(path)
            seen.keep((path, False, 0), result)
            if inside and wanted is None:
                for layer, states in enumerate(agreeing(part, args, kwargs, result), 1):
                    seen.keep((path, False, layer), states)
            seen.stop()

        handles.append(part.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(part.register_forward_hook(after, with_kwargs=True))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
