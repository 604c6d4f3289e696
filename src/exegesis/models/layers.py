"""The layers inside torch's recurrences, run one by one: their states, and what follows when a state is moved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from exegesis.nn.rounding import agree

_KERNELS: Mapping[str, Callable[..., Any]] = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}
Edit = Callable[
    [int, Any, Tensor], tuple[Any, Tensor]
]  # a layer from 1, its output, its last states: both as they go on


def inner(part: Any, input: Any, hx: Any = None) -> list[Any]:
    """The states of each layer of a torch recurrence from below, in the layout of its output; none if it is called on
    a single text without an axis of texts."""
    states: list[Any] = []

    def keep(layer: int, data: Any, last: Tensor) -> tuple[Any, Tensor]:
        states.append(data)
        return data, last

    edited(part, keep, input, hx)
    return states


def agreeing(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> list[Any]:
    """The states of every layer of a recurrence, computed one by one; none if the last are not its own output."""
    states = inner(part, *args[:2], **kwargs)
    own, last = first_tensor(result), first_tensor(states[-1]) if states else None
    fits = own is not None and last is not None and agree(own, last, double=1e-7, single=1e-3)
    return states if fits else []


def edited(part: Any, edit: Edit, input: Any, hx: Any = None) -> Any:
    """What a torch recurrence gives when the output of each of its layers goes on as ``edit`` leaves it.

    ``edit`` gets the number of the layer from 1, its output (packed if the input is, with the rows in that order), and
    the last states of its directions ``[direction, row, width]``. None if there is no axis of texts.
    """
    packed = isinstance(input, PackedSequence)
    data = input.data if packed else input
    if not packed and data.dim() != 3:
        return None
    rows = int(input.batch_sizes[0]) if packed else data.shape[0 if part.batch_first else 1]
    ways, cell = 2 if part.bidirectional else 1, part.mode == "LSTM"
    if hx is None:
        sizes = (getattr(part, "proj_size", 0) or part.hidden_size, part.hidden_size)[: 2 if cell else 1]
        start = tuple(data.new_zeros(part.num_layers * ways, rows, size) for size in sizes)
    else:
        start = tuple(part.permute_hidden(hx, input.sorted_indices if packed else None)) if cell else (
            part.permute_hidden(hx, input.sorted_indices if packed else None),)  # fmt: skip
    finals = []
    for layer in range(part.num_layers):
        at = slice(layer * ways, (layer + 1) * ways)
        weights = [weight for way in part.all_weights[at] for weight in way]
        first = [value[at] for value in start]
        options = (weights, part.bias, 1, 0.0, part.training, part.bidirectional)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the weights of one layer do not lie in one block
            if packed:
                data, *last = _KERNELS[part.mode](data, input.batch_sizes, first if cell else first[0], *options)
            else:
                data, *last = _KERNELS[part.mode](data, first if cell else first[0], *options, part.batch_first)
        out, last[0] = edit(layer + 1, input._replace(data=data) if packed else data, last[0])
        data = out.data if packed else out
        finals.append(last)
    hidden = tuple(torch.cat(values) for values in zip(*finals, strict=True))
    whole: Any = input._replace(data=data) if packed else data
    return whole, part.permute_hidden(hidden if cell else hidden[0], input.unsorted_indices if packed else None)


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of numbers in what a submodule gives, packed ones padded; None if there is none."""
    if isinstance(value, PackedSequence):
        padded: Tensor = pad_packed_sequence(value, batch_first=True)[0]
        return padded
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list) and value:
        return first_tensor(value[0])
    fits = isinstance(value, Tensor) and value.is_floating_point() and not value.is_nested and value.dim() > 0
    return value if fits else None


def is_recurrence(part: nn.Module) -> bool:
    """True for torch's own recurrent layers."""
    return isinstance(part, nn.RNNBase)
