"""Text classifiers of the kinds that are found in tutorials, course repositories and competition notebooks.

Each is written anew with the structure of its kind. ``call`` is how its author would run it on the ids ``[1, t]`` of
one text; the numbers that it gives there are what the wrapped module must give. ``able`` is the protocol that it should
offer, ``reason`` a part of the message that refuses REAT.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from tests.support.torch_toys import WORDS

V, D, H, C = len(WORDS), 5, 4, 3
YES = ("no", "yes")


def alone(module: nn.Module, ids: Tensor) -> Any:
    return module(ids)


def with_lengths(module: nn.Module, ids: Tensor) -> Any:
    return module(ids, torch.tensor([ids.shape[1]]))


@dataclass(frozen=True)
class Wild:
    make: Callable[[], nn.Module]
    able: str = "gated"
    call: Callable[[nn.Module, Tensor], Any] = alone
    reason: str = ""
    labels: tuple[str, ...] = ("a", "b", "c")
    options: dict[str, Any] = field(default_factory=dict)
    pick: Callable[[Any], Tensor] = lambda answer: answer  # the logits in what the author's call gives
    gradients: bool = True  # whether rules for LRP and DeepLIFT exist for all its parts
    longest: int = 9


WILD: dict[str, Wild] = {}


def wild(name: str, **options: Any) -> Callable[[type], type]:
    def register(cls: type) -> type:
        WILD[name] = Wild(cls, **options)
        return cls

    return register


class Words(nn.Module):
    """What nearly all have: word vectors, a recurrent layer, a linear one."""

    def __init__(self, cell: Any = nn.LSTM, width: int = H, outputs: int = C, size: int = D, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, D, padding_idx=0)
        self.rnn = cell(size, H, **options)
        self.fc = nn.Linear(width, outputs)
        self.dropout = nn.Dropout(0.4)


# how they want to be called -----------------------------------------------------------------------------------------


@wild("time first, packed, both last states", call=lambda m, x: m(x.t(), torch.tensor([x.shape[1]])))
class PackedTimeFirst(Words):
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, num_layers=2, bidirectional=True, dropout=0.5)

    def forward(self, text, text_lengths):
        packed = pack_padded_sequence(self.dropout(self.embedding(text)), text_lengths.to("cpu"))
        packed, (hidden, _) = self.rnn(packed)
        pad_packed_sequence(packed)
        return self.fc(self.dropout(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)))


class GivenState(Words):
    """The state comes in and goes out; every step has a probability, the last one counts."""

    def __init__(self, end=torch.sigmoid):
        super().__init__(nn.LSTM, outputs=1, num_layers=2, dropout=0.5, batch_first=True)
        self.end = end

    def init_hidden(self, batch_size):
        weight = next(self.parameters()).data
        return tuple(weight.new(2, batch_size, H).zero_() for _ in range(2))

    def forward(self, x, hidden):
        rows = x.size(0)
        output, hidden = self.rnn(self.embedding(x.long()), hidden)
        out = self.end(self.fc(self.dropout(output.contiguous().view(-1, H))))
        return out.view(rows, -1)[:, -1], hidden


def given_state(module: nn.Module, ids: Tensor) -> Any:
    return module(ids, module.init_hidden(len(ids)))


WILD["a state given and returned, a probability"] = Wild(
    GivenState, "gradients", given_state, "module without its last step", YES, {"outputs": "probabilities"},
    lambda answer: torch.stack([1 - answer[0], answer[0]], 1),
)  # fmt: skip
WILD["a state given and returned"] = Wild(
    lambda: GivenState(lambda z: z), call=given_state, labels=YES, pick=lambda answer: answer[0]
)


@wild("a state that may be left out", call=lambda m, x: m(x)[0], able="gated")
class MayGiveState(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, hidden=None):
        if hidden is None:
            hidden = torch.zeros(1, x.size(0), H, dtype=self.fc.weight.dtype)
        output, hidden = self.rnn(self.embedding(x), hidden)
        return self.fc(output[:, -1]), hidden


@wild("the state of one text a call kept on self")
class KeptState(Words):
    def __init__(self):
        super().__init__()
        self.batch_size = 1
        self.hidden = self.init_hidden()

    def init_hidden(self):
        return tuple(torch.zeros(1, self.batch_size, H, dtype=torch.float64) for _ in range(2))

    def forward(self, sentence):
        vectors = self.embedding(sentence)
        output, self.hidden = self.rnn(vectors.view(sentence.shape[1], self.batch_size, -1), self.hidden)
        return self.fc(output[-1])


@wild("the number of texts, else a fixed one", call=lambda m, x: m(x, batch_size=1))
class SaysRows(Words):
    def forward(self, input_sentences, batch_size=None):
        rows = 32 if batch_size is None else batch_size
        start = tuple(torch.zeros(1, rows, H, dtype=self.fc.weight.dtype) for _ in range(2))
        _, (last, _) = self.rnn(self.embedding(input_sentences).permute(1, 0, 2), start)
        return self.fc(last[-1])


@wild("one sentence as a row of ids", call=lambda m, x: m(x[0]))
class OneSentence(Words):
    def forward(self, sentence):
        vectors = self.embedding(sentence)
        output, _ = self.rnn(vectors.view(len(sentence), 1, -1))
        return self.fc(output.view(len(sentence), -1))[-1]


@wild("one sentence, an unbatched layer", call=lambda m, x: m(x[0]))
class Unbatched(Words):
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, bidirectional=True)

    def forward(self, sentence):
        _, (hidden, _) = self.rnn(self.embedding(sentence))
        return self.fc(torch.cat([hidden[0], hidden[1]]))


class Pair(Words):
    """The loader gives (ids, lengths), and the module takes the two as one."""

    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5)

    def forward(self, x):
        x, _ = x
        output, _ = self.rnn(self.embedding(x))
        return self.fc(output[:, -1, :])


def pair(module: nn.Module, ids: Tensor) -> Any:
    return module((ids, torch.tensor([ids.shape[1]])))


WILD["ids and lengths in a tuple"] = Wild(Pair, call=pair)


@wild("the first of a tuple, attention by a vector, ReLU", able="gradients", call=pair, reason="no layer between")
class PairAttention(Words):
    def __init__(self):
        super().__init__(nn.LSTM, H, num_layers=2, bidirectional=True, batch_first=True)
        self.w = nn.Parameter(torch.zeros(2 * H))
        self.tanh, self.fc1 = nn.Tanh(), nn.Linear(2 * H, H)

    def forward(self, x):
        output, _ = self.rnn(self.embedding(x[0]))
        weights = F.softmax(torch.matmul(self.tanh(output), self.w), dim=1).unsqueeze(-1)
        return self.fc(self.fc1(F.relu(torch.sum(output * weights, 1))))


@wild("by keyword alone", call=lambda m, x: m(input_ids=x, attention_mask=torch.ones_like(x))["logits"])
class KeywordsOnly(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, *, input_ids, attention_mask=None, labels=None):
        output, _ = self.rnn(self.embedding(input_ids))
        mask = attention_mask.unsqueeze(-1).to(output.dtype)
        return {"logits": self.fc((output * mask).sum(1) / mask.sum(1)), "loss": None}


@wild("lengths as a list", call=lambda m, x: m(x, [x.shape[1]]))
class ListOfLengths(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, lengths):
        assert isinstance(lengths, list)
        packed = pack_padded_sequence(self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][-1])


@wild("texts as rows, padded inside", call=lambda m, x: m(list(x)))
class PadsInside(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, texts):
        vectors = pad_sequence([self.embedding(torch.as_tensor(text)) for text in texts], batch_first=True)
        packed = pack_padded_sequence(vectors, [len(text) for text in texts], batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][-1])


class Bags(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embedding, self.fc = nn.EmbeddingBag(V, D, **options), nn.Linear(D, C)

    def forward(self, text, offsets=None):
        return self.fc(self.embedding(text, offsets))


WILD["bags with offsets"] = Wild(
    lambda: Bags(sparse=True), "gradients", lambda m, x: m(x[0], torch.tensor([0])), "runs no nn.LSTM"
)
WILD["maximal bags with offsets"] = replace(WILD["bags with offsets"], make=lambda: Bags(mode="max"))
WILD["bags that leave a word out"] = replace(WILD["bags with offsets"], make=lambda: Bags(mode="sum", padding_idx=5))


@wild("a bag of rows, two layers", able="gradients", reason="runs no nn.LSTM")
class BagOfRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(V, D, padding_idx=0)
        self.fc1, self.fc2 = nn.Linear(D, H), nn.Linear(H, C)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(self.bag(x))))


def _first_column(module: nn.Module, batch: Any) -> Any:
    return module(torch.cat([batch.lengths[:, None], batch.ids], 1))


@wild("lengths in the first column", call=lambda m, x: m(F.pad(x, (1, 0), value=x.shape[1])), labels=YES,
      options={"call": _first_column})  # fmt: skip
class FirstColumn(Words):
    def __init__(self):
        super().__init__(outputs=1)

    def forward(self, x):
        x = x.t()
        lengths, reviews = x[0, :], x[1:, :]
        out = self.fc(self.rnn(self.embedding(reviews))[0])
        return out[lengths - 1, range(len(lengths))].squeeze()


@wild("a dict of inputs", call=lambda m, x: m({"text": x, "len": torch.tensor([x.shape[1]])}),
      options={"call": lambda m, b: m({"text": b.ids, "len": b.lengths})})  # fmt: skip
class DictOfInputs(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, batch):
        packed = pack_padded_sequence(
            self.embedding(batch["text"]), batch["len"].cpu(), batch_first=True, enforce_sorted=False
        )
        return self.fc(self.rnn(packed)[1].squeeze(0))


@wild("a packed sequence of ids",
      call=lambda m, x: m(pack_padded_sequence(x, [x.shape[1]], batch_first=True)),
      options={"call": lambda m, b: m(
          pack_padded_sequence(b.ids, b.lengths.cpu(), batch_first=True, enforce_sorted=False))})  # fmt: skip
class PackedIds(Words):
    def __init__(self):
        super().__init__(nn.GRU)

    def forward(self, packed):
        vectors = packed._replace(data=self.embedding(packed.data))
        return self.fc(self.rnn(vectors)[1][-1])


@wild("documents of sentences of words", able="gradients", call=lambda m, x: m(x[:, None]),
      reason="one position per piece", options={"call": lambda m, b: m(b.ids[:, None])})  # fmt: skip
class Documents(Words):
    def __init__(self):
        super().__init__(nn.GRU, 2 * H, bidirectional=True, batch_first=True)
        self.over = nn.GRU(2 * H, H, bidirectional=True, batch_first=True)
        self.attend, self.query = nn.Linear(2 * H, H), nn.Linear(H, 1, bias=False)

    def pool(self, output):
        return (F.softmax(self.query(torch.tanh(self.attend(output))), 1) * output).sum(1)

    def forward(self, documents):
        rows, sentences, words = documents.shape
        output, _ = self.rnn(self.embedding(documents.view(-1, words)))
        return self.fc(self.pool(self.over(self.pool(output).view(rows, sentences, -1))[0]))


@wild("one-hot vectors", able="words", call=lambda m, x: m(F.one_hot(x, V).double()), reason="nn.Sequential",
      options={"call": lambda m, b: m(F.one_hot(b.ids, V).double())})  # fmt: skip
class OneHot(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.h2o, self.softmax = nn.RNN(V, H, batch_first=True), nn.Linear(H, C), nn.LogSoftmax(dim=1)

    def forward(self, lines):
        return self.softmax(self.h2o(self.rnn(lines)[1][0]))


def _sequence() -> nn.Module:
    class Behind(Words):
        def __init__(self):
            super().__init__(nn.GRU, batch_first=True)

        def forward(self, vectors):
            return self.fc(self.rnn(vectors)[1][-1])

    module = Behind()
    del module.embedding
    return nn.Sequential(nn.Embedding(V, D), module)


WILD["word vectors in front by nn.Sequential"] = Wild(_sequence)


# what they give back -------------------------------------------------------------------------------------------------

Output = namedtuple("Output", "loss logits states")


class Returns(Words):
    def __init__(self, end):
        super().__init__(nn.LSTM, batch_first=True)
        self.other, self.end = nn.Linear(H, 2), end

    def forward(self, x):
        output, _ = self.rnn(self.embedding(x))
        last = output[:, -1]
        return self.end(self, self.fc(last), last)


def returning(end: Callable[..., Any], pick: Callable[[Any], Tensor], **options: Any) -> Wild:
    return Wild(lambda: Returns(end), pick=pick, **options)


WILD |= {
    "a named tuple": returning(lambda m, z, h: Output(None, z, h), lambda a: a.logits),
    "an object with logits": returning(lambda m, z, h: SimpleNamespace(logits=z), lambda a: a.logits),
    "features, then logits": returning(lambda m, z, h: (h, z), lambda a: a[1]),
    "no loss, then logits": returning(lambda m, z, h: (None, z), lambda a: a[1]),
    "a dict of features and scores": returning(lambda m, z, h: {"features": h, "scores": z}, lambda a: a["scores"]),
    "two heads, the first": returning(lambda m, z, h: (z, m.other(h)), lambda a: a[0]),
    "two heads, the second by its labels": returning(lambda m, z, h: (z, m.other(h)), lambda a: a[1], labels=YES),
    "two heads in a dict, one by its labels": returning(
        lambda m, z, h: {"topic": z, "mood": m.other(h)}, lambda a: a["mood"], labels=YES
    ),
    "log-probabilities": returning(
        lambda m, z, h: F.log_softmax(z, -1), lambda a: a, able="gradients", reason="module without its last step"
    ),
}


# how states become logits --------------------------------------------------------------------------------------------


class Head(Words):
    """A bidirectional layer; ``end`` makes the logits of (the module, its output, its last states)."""

    def __init__(self, end, cell=nn.LSTM, width=2 * H, layers=1, outputs=C, **parts):
        super().__init__(cell, width, outputs, num_layers=layers, bidirectional=True, batch_first=True)
        self.end = end
        for name, part in parts.items():
            setattr(self, name, part())

    def forward(self, x):
        output, hidden = self.rnn(self.embedding(x))
        return self.end(self, output, hidden)


def head(end: Callable[..., Any], wrapping: dict[str, Any] | None = None, **parts: Any) -> Wild:
    return Wild(lambda: Head(end, **parts), **(wrapping or {}))


def no(reason: str, **more: Any) -> dict[str, Any]:
    return {"able": "gradients", "reason": reason, **more}


def _hops(module: Head, output: Tensor) -> Tensor:
    return F.softmax(module.queries(torch.tanh(module.first(output))).permute(0, 2, 1), dim=2)


WILD |= {
    "two linear layers in a row": head(
        lambda m, o, h: m.fc(m.dropout(m.between(torch.cat([h[0][-2], h[0][-1]], 1)))), width=H,
        between=lambda: nn.Linear(2 * H, H),
    ),
    "a batch norm before the linear layer": head(
        lambda m, o, h: m.fc(m.norm(o.mean(1))), norm=lambda: nn.BatchNorm1d(2 * H)
    ),
    "linear, batch norm, linear": head(
        lambda m, o, h: m.fc(m.norm(m.between(o[:, -1]))), width=H,
        between=lambda: nn.Linear(2 * H, H), norm=lambda: nn.BatchNorm1d(H, affine=False),
    ),
    "a layer norm before the linear layer": head(
        lambda m, o, h: m.fc(m.norm(o[:, -1])), no("no layer between"), norm=lambda: nn.LayerNorm(2 * H)
    ),
    "linear, ReLU, linear": head(
        lambda m, o, h: m.fc(F.relu(m.between(o[:, -1]))), no("no layer between"), width=H,
        between=lambda: nn.Linear(2 * H, H),
    ),
    "mean and max pooling side by side": head(
        lambda m, o, h: m.fc(torch.cat([
            F.adaptive_avg_pool1d(o.permute(0, 2, 1), 1).squeeze(-1),
            F.adaptive_max_pool1d(o.permute(0, 2, 1), 1).squeeze(-1),
        ], 1)), width=4 * H,
    ),
    "self-attention of several hops, flattened": head(
        lambda m, o, h: m.fc(torch.bmm(_hops(m, o), o).view(len(o), -1)), width=6 * H,
        first=lambda: nn.Linear(2 * H, H, bias=False), queries=lambda: nn.Linear(H, 3, bias=False),
    ),
    "self-attention of several hops, two linear layers": head(
        lambda m, o, h: m.fc(m.between(torch.bmm(_hops(m, o), o).view(len(o), -1))), width=H,
        first=lambda: nn.Linear(2 * H, H, bias=False), queries=lambda: nn.Linear(H, 3, bias=False),
        between=lambda: nn.Linear(6 * H, H),
    ),
    "self-attention of several hops, their mean": head(
        lambda m, o, h: m.fc((_hops(m, o) @ o).mean(1)),
        first=lambda: nn.Linear(2 * H, H, bias=False), queries=lambda: nn.Linear(H, 3, bias=False),
    ),
    "attention by the last state": head(
        lambda m, o, h: m.fc(torch.bmm(
            o.transpose(1, 2),
            F.softmax(torch.bmm(o, torch.cat([h[0][0], h[0][1]], 1).unsqueeze(2)).squeeze(2), 1).unsqueeze(2)
        ).squeeze(2)),
    ),
    "the last states of all layers": head(
        lambda m, o, h: m.fc(h[0].permute(1, 0, 2).contiguous().view(len(o), -1)), no("layer below"),
        width=4 * H, layers=2,
    ),
    "the cell state": head(lambda m, o, h: m.fc(torch.cat([h[1][-2], h[1][-1]], 1)), no("cell state")),
    "ReLU on the states, linear, summed": head(
        lambda m, o, h: m.fc(F.relu(o)).sum(1), no("nn.Linear called last"), cell=nn.GRU
    ),
    "the log odds of the last state, as a row": head(
        lambda m, o, h: m.fc(o[:, -1]).squeeze(-1), {"labels": YES}, outputs=1
    ),
}  # fmt: skip


@wild("word vectors beside the states, maximal over time", able="gradients", reason="not a last, first")
class RecurrentCnn(Words):
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H + D, bidirectional=True, batch_first=True)

    def forward(self, x):
        vectors = self.embedding(x)
        both = F.relu(torch.cat((vectors, self.rnn(vectors)[0]), 2)).permute(0, 2, 1)
        return self.fc(F.max_pool1d(both, both.size(2)).squeeze(2))


class SpatialDropout(nn.Dropout2d):
    def forward(self, x):
        return super().forward(x.unsqueeze(2).permute(0, 3, 2, 1)).permute(0, 3, 2, 1).squeeze(2)


@wild("spatial dropout, two layers, residual head, an auxiliary output", able="gradients",
      reason="nn.Linear called last", labels=("a", "b", "c", "d"), options={"outputs": "multi-label"})  # fmt: skip
class Competition(Words):
    def __init__(self):
        super().__init__(nn.LSTM, 4 * H, 1, bidirectional=True, batch_first=True)
        self.drop = SpatialDropout(0.3)
        self.upper = nn.LSTM(2 * H, H, bidirectional=True, batch_first=True)
        self.one, self.two = nn.Linear(4 * H, 4 * H), nn.Linear(4 * H, 4 * H)
        self.aside = nn.Linear(4 * H, 3)

    def forward(self, x, lengths=None):
        output, _ = self.upper(self.rnn(self.drop(self.embedding(x)))[0])
        pooled = torch.cat((torch.max(output, 1)[0], torch.mean(output, 1)), 1)
        deep = pooled + F.relu(self.one(pooled)) + F.relu(self.two(pooled))
        return torch.cat([self.fc(deep), self.aside(deep)], 1)


@wild("residual stack of single layers", able="gradients", reason="not a last, first")
class Residual(Words):
    def __init__(self):
        super().__init__(nn.LSTM, D)
        self.layers = nn.ModuleList(nn.LSTM(D, D, batch_first=True) for _ in range(2))
        del self.rnn

    def forward(self, x):
        vectors = self.embedding(x)
        for layer in self.layers:
            vectors = vectors + layer(vectors)[0]
        return self.fc(vectors[:, -1])


@wild("a convolution below the recurrent layer", able="gradients", reason="one position per piece",
      call=lambda m, x: m(F.pad(x, (0, max(0, 3 - x.shape[1])))))  # fmt: skip
class ConvolutionBelow(Words):
    def __init__(self):
        super().__init__(nn.LSTM, batch_first=True)
        self.conv = nn.Conv1d(D, D, 3)

    def forward(self, x):
        vectors = F.relu(self.conv(self.embedding(x).permute(0, 2, 1))).permute(0, 2, 1)
        return self.fc(self.rnn(vectors)[0][:, -1])


@wild("a loop over cells of its own", able="gradients", reason="runs no nn.LSTM")
class OwnCells(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.i2h, self.i2o = nn.Embedding(V, D), nn.Linear(D + H, H), nn.Linear(D + H, C)

    def forward(self, x):
        hidden = torch.zeros(len(x), H, dtype=self.i2h.weight.dtype)
        for vector in self.embedding(x).transpose(0, 1):
            both = torch.cat((vector, hidden), 1)
            hidden, out = torch.tanh(self.i2h(both)), self.i2o(both)
        return out


@wild("word vectors read twice", able="gated")
class ReadTwice(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)
        self.query = nn.Linear(D, 1)

    def forward(self, x):
        weights = torch.softmax(self.query(self.embedding(x)), 1)
        return self.fc((weights * self.rnn(self.embedding(x))[0]).sum(1))


@wild("word vectors and those of word pairs", able="words", reason="by another way than their vectors")
class WordPairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.pairs = nn.Embedding(V, D), nn.Embedding(31, D)
        self.fc1, self.fc2 = nn.Linear(2 * D, H), nn.Linear(H, C)

    def forward(self, x):
        before = F.pad(x, (1, 0))[:, :-1]
        pairs = (before * 14918087) % 31
        pooled = torch.cat((self.embedding(x), self.pairs(pairs)), -1).mean(dim=1)
        return self.fc2(F.relu(self.fc1(pooled)))


@wild("word vectors and those of characters", able="words", reason="by another way than their vectors")
class Characters(Words):
    spelling = torch.tensor([[1 + (7 * i + j) % 11 for j in range(3)] for i in range(V)])

    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, size=2 * D, bidirectional=True, batch_first=True)
        self.letters, self.speller = nn.Embedding(12, D), nn.LSTM(D, D, batch_first=True)

    def forward(self, x):
        spelled = self.letters(self.spelling[x].view(-1, 3))
        spelled = self.speller(spelled)[1][0][-1].view(*x.shape, D)
        hidden = self.rnn(torch.cat([self.embedding(x), spelled], -1))[1][0]
        return self.fc(torch.cat([hidden[0], hidden[1]], 1))


# fixed lengths -------------------------------------------------------------------------------------------------------


@wild("a fixed length, all states flattened", able="gradients", reason="not a last, first",
      call=lambda m, x: m(F.pad(x, (0, 10 - x.shape[1]))))  # fmt: skip
class Flattened(Words):
    def __init__(self, length=10):
        super().__init__(nn.LSTM, length * H, batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(self.embedding(x))[0].reshape(len(x), -1))


WILD["a long fixed length"] = Wild(
    lambda: Flattened(130), "gradients", lambda m, x: m(F.pad(x, (0, 130 - x.shape[1]))), "not a last, first"
)


@wild("a fixed length, asserted", able="gradients", reason="no layer between",
      call=lambda m, x: m(F.pad(x, (0, 80 - x.shape[1]))))  # fmt: skip
class Asserted(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)
        self.max_len = 80

    def forward(self, x):
        assert x.size(1) == self.max_len, "wrong length"
        mask = (x != 0).unsqueeze(-1)
        return self.fc(torch.tanh((self.rnn(self.embedding(x))[0] * mask).sum(1)))


# what wraps them, what is done to their weights -----------------------------------------------------------------------


def _weight_norm() -> nn.Module:
    module = Head(lambda m, o, h: m.fc(o[:, -1]))
    nn.utils.parametrizations.weight_norm(module.fc)
    nn.utils.parametrizations.spectral_norm(module.embedding)
    return module


class DropsWeights(Words):
    """The recurrent weights are dropped while training: put in place anew for every call."""

    def __init__(self):
        super().__init__(nn.LSTM, batch_first=True)
        raw = self.rnn.weight_hh_l0
        del self.rnn._parameters["weight_hh_l0"]
        self.raw = nn.Parameter(raw.data)

    def forward(self, x):
        self.rnn.weight_hh_l0 = F.dropout(self.raw, 0.5, self.training)
        self.rnn._flat_weights = [getattr(self.rnn, name) for name in self.rnn._flat_weights_names]
        return self.fc(self.rnn(self.embedding(x))[0][:, -1])


class Lengths(Words):
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, bidirectional=True, batch_first=True)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.embedding(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden = self.rnn(packed)[1][0]
        return self.fc(torch.cat([hidden[-2], hidden[-1]], 1))


class HandsOn(nn.Module):
    """As nn.DataParallel does where there is one device."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs, **options):
        return self.module(*inputs, **options)


WILD |= {
    "weight norm and spectral norm": Wild(_weight_norm),
    "recurrent weights dropped while training": Wild(DropsWeights),
    "handed on by a wrapper": Wild(lambda: HandsOn(Lengths()), call=with_lengths),
    "torch.compile": Wild(lambda: torch.compile(Lengths(), backend="eager"), call=with_lengths),
}
