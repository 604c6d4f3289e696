"""Small modules as users write them, made to show mistakes: the pad vector is not zero, dropout is on, heads bend."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.wrap import wrap

WORDS = ["<pad>", "<unk>", "<mask>", *(f"w{i}" for i in range(17))]
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN, "relu": partial(nn.RNN, nonlinearity="relu")}
READOUTS = ("last", "first", "mean", "sum", "max", "attention", "concat", "summed", "averaged")


def texts(lengths: list[int], seed: int = 0) -> list[str]:
    """Texts of random words, one of each length."""
    draws = torch.Generator().manual_seed(seed)
    return [" ".join(WORDS[3 + int(i)] for i in torch.randint(0, 17, (n,), generator=draws)) for n in lengths]


@dataclass(frozen=True)
class Shape:
    cell: str = "lstm"
    layers: int = 1
    both: bool = False
    readout: str = "last"
    outputs: int = 3
    hidden: int = 4
    size: int = 3
    bias: bool = True
    head_bias: bool = True
    starts: bool = False  # learned initial states, not zero
    bends: bool = False  # a non-linear head
    scale: float = 1.0
    seed: int = 0


class Net(nn.Module):
    """Embedding, recurrent layers over packed texts, a pooling, a linear layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        ways = 2 if shape.both else 1
        self.embedding = nn.Embedding(len(WORDS), shape.size)
        self.rnn = CELLS[shape.cell](
            shape.size, shape.hidden, shape.layers, batch_first=True, bidirectional=shape.both, bias=shape.bias,
            dropout=0.4 if shape.layers > 1 else 0.0,
        )  # fmt: skip
        width = shape.hidden * (1 if shape.readout in ("summed", "averaged") else ways)
        self.attend = nn.Linear(shape.hidden * ways, 1)
        self.softmax = nn.Softmax(1)
        self.dropout = nn.Dropout(0.5)
        width *= 3 if shape.readout == "concat" else 1
        self.bend = nn.Sequential(nn.Linear(width, width), nn.ReLU()) if shape.bends else nn.Identity()
        self.out = nn.Linear(width, shape.outputs, bias=shape.head_bias)
        self.start = nn.ParameterList(nn.Parameter(torch.zeros(shape.layers * ways, 1, shape.hidden)) for _ in range(2))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        vectors = self.dropout(self.embedding(ids))
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        state = None
        if self.shape.starts:
            h, c = (start.expand(-1, len(ids), -1).contiguous() for start in self.start)
            state = (h, c) if self.shape.cell == "lstm" else h
        states, final = self.rnn(packed, state)
        final = final[0] if isinstance(final, tuple) else final
        states, _ = pad_packed_sequence(states, batch_first=True)
        return self.out(self.bend(self.dropout(self.pool(states, final, lengths.to(ids.device)))))

    def pool(self, states: Tensor, final: Tensor, lengths: Tensor) -> Tensor:
        mask = (torch.arange(states.shape[1], device=states.device) < lengths[:, None])[..., None]
        last = torch.cat([final[-2], final[-1]], 1) if self.shape.both else final[-1]
        mean = (states * mask).sum(1) / lengths[:, None]
        highest = states.masked_fill(~mask, -torch.inf).max(1).values
        match self.shape.readout:
            case "last":
                return last
            case "first":
                return states[:, 0]
            case "mean":
                return mean
            case "sum":
                return (states * mask).sum(1)
            case "max":
                return highest
            case "attention":
                scores = self.attend(torch.tanh(states)).masked_fill(~mask, -torch.inf)
                return (self.softmax(scores) * states).sum(1)
            case "concat":
                return torch.cat([last, highest, mean], 1)
            case "summed":
                return final[-2] + final[-1]
            case "averaged":
                return 0.5 * (states[..., : self.shape.hidden] + states[..., self.shape.hidden :])[:, 0]
        raise AssertionError(self.shape.readout)


def net(shape: Shape | None = None, dtype: torch.dtype = torch.float64) -> Net:
    """The module with normal weights of deviation ``scale``, left in training mode."""
    shape = shape or Shape()
    module = Net(shape).to(dtype)
    draws = torch.Generator().manual_seed(shape.seed)
    for weight in module.parameters():
        weight.data = (torch.randn(weight.shape, generator=draws, dtype=torch.float64) * shape.scale).to(dtype)
    return module.train()


def model(shape: Shape | None = None, labels: list[str] | None = None, **options: object) -> TorchClassifier:
    """The same, wrapped: a module and an adapter of the caller's own.

    Trials find out how a module is built, and take far longer than most tests, so they run once for all modules that
    differ in their weights alone. What is handed out is a copy of what they gave, with the weights of its seed.
    """
    shape = shape or Shape()
    labels = labels or [f"c{i}" for i in range(shape.outputs)]
    built = _wrapped(wrap, replace(shape, seed=0, scale=1.0), tuple(labels), tuple(options.items()))
    found = copy.deepcopy(built)
    module = net(shape)
    found.module.load_state_dict(module.state_dict())
    found.module.shape = module.shape  # type: ignore[assignment]
    return found


@lru_cache(256)
def _wrapped(
    wrapping: Callable[..., TorchClassifier], shape: Shape, labels: tuple[str, ...], options: tuple[tuple[str, object]]
) -> TorchClassifier:
    """By the function that wraps too, which tests of devices replace."""
    return wrapping(net(shape), vocabulary=WORDS, tokenizer=str.split, labels=list(labels), **dict(options))


class Bag(nn.Module):
    """Masked sum of word vectors into a linear layer; with ``bends`` through a tanh layer after a mean."""

    def __init__(self, outputs: int = 3, size: int = 4, bends: bool = False, seed: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), size)
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Sequential(nn.Linear(size, size), nn.Tanh()) if bends else None
        self.out = nn.Linear(size, outputs)
        draws = torch.Generator().manual_seed(seed)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        vectors = self.dropout(self.embedding(ids)) * mask[..., None]
        if self.hidden is None:
            return self.out(vectors.sum(1))
        return self.out(self.hidden(vectors.sum(1) / mask.sum(1, keepdim=True)))
