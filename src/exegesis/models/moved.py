"""Outputs of a module whose hidden states are moved at named sites while it runs."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from exegesis.core.errors import UsageError
from exegesis.models.layers import edited, first_tensor, is_recurrence
from exegesis.models.sites import Run
from exegesis.protocols.batch import Batch
from exegesis.protocols.insides import Site

Moves = Sequence[tuple[Site, Tensor]]


def moved_outputs(
    module: nn.Module,
    run: Run,
    embeds: Float[Tensor, "b t d"],
    batch: Batch,
    sites: Sequence[Site],
    shifts: Sequence[Float[Tensor, "b _"]],
) -> Any:
    """What ``run`` gives when each state at ``sites`` has moved by its shift, at the step of the site or at all steps.

    What stands above reads the moved states: of a recurrence also its last states (within a layer, each step still
    reads the unmoved state before it). Raises UsageError for a step that the text does not have.
    """
    moves = list(zip(sites, shifts, strict=True))
    for site, shift in moves:
        if not site.path:
            embeds = _added(embeds, site, shift, rows=0, steps=1)
    with _moving(module, [(site, shift) for site, shift in moves if site.path]):
        return run(embeds, batch)


@contextmanager
def _moving(module: nn.Module, moves: Moves) -> Iterator[None]:
    """Move the states of submodules in this thread, for the length of a block."""
    thread, handles, calls = get_ident(), [], Counter[tuple[str, bool]]()
    parts = dict(module.named_modules())
    for path in dict.fromkeys(site.path for site, _ in moves):
        read = [(site, shift) for site, shift in moves if site.path == path and site.reads]
        given = [(site, shift) for site, shift in moves if site.path == path and not site.reads]

        def before(
            part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: str = path, read: Moves = read
        ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
            if get_ident() != thread:
                return None
            call = calls[path, True]
            calls[path, True] += 1
            if args:
                return (_replaced(args[0], read, call), *args[1:]), kwargs
            name = next(iter(kwargs))
            return args, {**kwargs, name: _replaced(kwargs[name], read, call)}

        def after(
            part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, path: str = path,
            given: Moves = given,
        ) -> Any:  # fmt: skip
            if get_ident() != thread:
                return None
            call = calls[path, False]
            calls[path, False] += 1
            own = [(site, shift) for site, shift in given if site.call == call or site.stacked]
            if is_recurrence(part) and own:
                again = edited(part, _Edit(own, part), *args[:2], **kwargs)
                return result if again is None else again
            return _replaced(result, given, call)

        if read:
            handles.append(parts[path].register_forward_pre_hook(before, with_kwargs=True))
        if given:
            handles.append(parts[path].register_forward_hook(after, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Edit:
    """Moves what the layers of a recurrence give, and their last states with them."""

    def __init__(self, moves: Moves, part: Any) -> None:
        self.moves, self.ways, self.count, self.first = moves, 2 if part.bidirectional else 1, part.num_layers, part

    def __call__(self, layer: int, output: Any, last: Tensor) -> tuple[Any, Tensor]:
        for site, shift in self.moves:
            if (site.layer or self.count) == layer:
                output, last = self._one(site, _whole(site, shift), output, last)
        return output, last

    def _one(self, site: Site, shift: Tensor, output: Any, last: Tensor) -> tuple[Any, Tensor]:
        packed = isinstance(output, PackedSequence)
        if packed and output.sorted_indices is not None:
            shift = shift[output.sorted_indices]
        if packed:
            count = len(output.batch_sizes)
            rows = output.data.view(count, -1, output.data.shape[-1])  # all texts of a call have one length
            output = output._replace(data=_added(rows, site, shift, rows=1, steps=0).flatten(0, 1))
        else:
            rows, steps = (0, 1) if self.first.batch_first else (1, 0)
            count = output.shape[steps]
            output = _added(output, site, shift, rows=rows, steps=steps)
        ends = (count - 1, 0)[: self.ways]
        parts = shift.chunk(self.ways, -1)
        reached = [site.step is None or site.step % count == end for end in ends]
        moved = [end + part * float(hit) for end, part, hit in zip(last, parts, reached, strict=True)]
        return output, torch.stack(moved)


def _replaced(value: Any, moves: Moves, call: int) -> Any:
    """What a submodule gives or reads, its first tensor moved."""
    tensor = first_tensor(value)
    for site, shift in moves:
        if site.stacked and tensor is not None and site.step in (None, call):
            tensor = tensor + _shaped(tensor, _whole(site, shift), site.rows, None)
        elif site.call == call and not site.stacked and tensor is not None:
            tensor = _added(tensor, site, _whole(site, shift), rows=site.rows, steps=site.steps)
    return value if tensor is None else _put(value, tensor)


def _put(value: Any, tensor: Tensor) -> Any:
    """The value with this as its first tensor."""
    if isinstance(value, PackedSequence):
        lengths = pad_packed_sequence(value)[1]
        return pack_padded_sequence(tensor, lengths, batch_first=True, enforce_sorted=False)
    if isinstance(value, Mapping):
        changed: Any = copy.copy(value)
        name = next(iter(value))
        changed[name] = _put(value[name], tensor)
        return changed
    if isinstance(value, tuple | list) and value:
        new = [_put(value[0], tensor), *value[1:]]
        return type(value)(*new) if hasattr(value, "_fields") else type(value)(new)
    return tensor


def _whole(site: Site, shift: Tensor) -> Tensor:
    """The shift of both directions of a site: zero in the direction that it does not name."""
    if site.direction is None:
        return shift
    still = torch.zeros_like(shift)
    return torch.cat([shift, still] if site.direction == 0 else [still, shift], -1)


def _added(tensor: Tensor, site: Site, shift: Tensor, *, rows: int, steps: int | None) -> Tensor:
    """The tensor, moved at the step of the site, or at all of them."""
    there = _shaped(tensor, shift, rows, steps)
    if steps is None or site.step is None:
        return tensor + there
    count = tensor.shape[steps]
    if not -count <= site.step < count:
        raise UsageError(f"there is no {site.place}: the text has {count} steps there")
    at = torch.zeros(count, device=tensor.device, dtype=tensor.dtype)
    at[site.step] = 1.0
    shape = [count if axis == steps else 1 for axis in range(tensor.dim())]
    return tensor + there * at.view(shape)


def _shaped(tensor: Tensor, shift: Tensor, rows: int, steps: int | None) -> Tensor:
    """A shift ``[row, dimension]`` in the layout of a tensor, the same at all steps."""
    if steps is None:
        rest = [size for axis, size in enumerate(tensor.shape) if axis != rows]
        return shift.to(tensor).reshape(tensor.shape[rows], *rest).movedim(0, rows)
    rest = [size for axis, size in enumerate(tensor.shape) if axis not in (rows, steps)]
    return shift.to(tensor).reshape(tensor.shape[rows], 1, *rest).movedim((0, 1), (rows, steps))
