"""Modules as users write them: every way of embedding, packing, pooling and returning that the wrapper should bear.

Each is registered with what it should be able to do: ``gated`` (REAT and all else), ``recurrent`` (a plain RNN),
``gradients`` (all but the recurrent methods), ``words`` (only what a black box can).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.support.torch_toys import WORDS

V, D, H, C = len(WORDS), 5, 4, 3


@dataclass(frozen=True)
class Case:
    make: Callable[[], nn.Module]
    able: str = "gated"
    reason: str = ""  # in the refusal of REAT
    pads: bool = True  # a text's outputs are the same beside a longer one
    labels: tuple[str, ...] = ("a", "b", "c")
    options: dict[str, Any] = field(default_factory=dict)


ZOO: dict[str, Case] = {}


def case(name: str, *args: Any, **options: Any) -> Callable[[type], type]:
    def register(cls: type) -> type:
        ZOO[name] = Case(lambda: cls(*args), **options)
        return cls

    return register


class Base(nn.Module):
    def __init__(self, cell=nn.LSTM, width=H, outputs=C, size=D, **options):
        super().__init__()
        self.emb = nn.Embedding(V, size)
        self.rnn = cell(size, H, **options)
        self.fc = nn.Linear(width, outputs)


# layouts -------------------------------------------------------------------------------------------------------


@case("time first: ids are [t, b]", pads=False)
class TimeFirst(Base):
    def forward(self, text):
        _, (hidden, _) = self.rnn(self.emb(text))
        return self.fc(hidden[-1])


@case("turns the ids inside", pads=False)
class TurnsInside(Base):
    def forward(self, text):
        output, _ = self.rnn(self.emb(text.t()))
        return self.fc(output[-1])


@case("turns the vectors inside", pads=False)
class TurnsVectors(Base):
    def forward(self, text):
        output, _ = self.rnn(self.emb(text).permute(1, 0, 2))
        return self.fc(output[-1])


@case("time first with lengths, packed")
class TimeFirstPacked(Base):
    def forward(self, text, text_lengths):
        packed = pack_padded_sequence(self.emb(text), text_lengths.to("cpu"))
        _, (hidden, _) = self.rnn(packed)
        return self.fc(hidden.squeeze(0))


@case("time first, bidirectional, mean over all steps", pads=False)
class TimeFirstMean(Base):
    def __init__(self):
        super().__init__(nn.GRU, 2 * H, bidirectional=True)

    def forward(self, text):
        output, _ = self.rnn(self.emb(text))
        return self.fc(output.mean(dim=0))


# lengths and masks ----------------------------------------------------------------------------------------------


@case("packed, sorted demanded")
class PackedSorted(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x, x_len):
        _, (hidden, _) = self.rnn(pack_padded_sequence(self.emb(x), x_len, batch_first=True))
        return self.fc(hidden[-1])


@case("packed, sorted inside")
class PackedUnsorted(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][-1])


@case("sorts its rows before the embedding")
class SortsBefore(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, lengths):
        lengths, order = lengths.sort(descending=True)
        packed = pack_padded_sequence(self.emb(x[order]), lengths, batch_first=True)
        hidden = self.rnn(packed)[1][-1]
        return self.fc(hidden)[order.argsort()]


@case("sorts its rows behind the embedding")
class SortsBehind(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, lengths):
        lengths, order = lengths.sort(descending=True)
        packed = pack_padded_sequence(self.emb(x)[order], lengths, batch_first=True)
        return self.fc(self.rnn(packed)[1][-1][order.argsort()])


@case("gathers the last step by lengths")
class Gathers(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x, seq_lens):
        output, _ = self.rnn(self.emb(x))
        at = (seq_lens.to(x.device) - 1)[:, None, None].expand(-1, 1, H)
        return self.fc(output.gather(1, at).squeeze(1))


@case("mask that is inverted by ~")
class BoolMask(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x, mask):
        output, _ = self.rnn(self.emb(x))
        return self.fc(output.masked_fill(~mask[..., None], -1e9).max(1)[0])


@case("mask that is inverted by 1 -")
class IntMask(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, input_ids, attention_mask):
        output, _ = self.rnn(self.emb(input_ids))
        output = output - 1e9 * (1 - attention_mask)[..., None]
        return self.fc(output.max(dim=1).values)


@case("mask that is multiplied as numbers")
class FloatMask(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, mask):
        output, _ = self.rnn(self.emb(x))
        mean = torch.bmm(mask.unsqueeze(1), output).squeeze(1) / mask.sum(1, keepdim=True)
        return self.fc(mean)


@case("mask that is true on padding")
class PaddingMask(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, padding_mask):
        output, _ = self.rnn(self.emb(x))
        return self.fc(output.masked_fill(padding_mask[..., None], float("-inf")).max(1)[0])


@case("mask named after padding but true on words")
class MisnamedMask(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x, pad_mask):
        output, _ = self.rnn(self.emb(x))
        return self.fc((output * pad_mask[..., None]).sum(1) / pad_mask.sum(1)[:, None])


@case("mask from the ids inside")
class MaskInside(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        mask = (x != 0).unsqueeze(-1).float()
        output, _ = self.rnn(self.emb(x))
        return self.fc((output * mask).sum(1) / mask.sum(1))


@case("lengths from the ids inside, packed")
class LengthsInside(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        lengths = (x != 0).sum(1).cpu()
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][0][-1])


@case("no lengths: the last step, padding and all", pads=False)
class NoLengths(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        output, _ = self.rnn(self.emb(x))
        return self.fc(output[:, -1, :])


@case("no lengths: max over padding too", pads=False)
class MaxOverPads(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x):
        output, _ = self.rnn(self.emb(x))
        return self.fc(F.adaptive_max_pool1d(output.transpose(1, 2), 1).squeeze(2))


@case("optional arguments and a state", pads=False)
class Optional(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x, hidden=None, silent=False, max_len=None):
        assert max_len is None
        assert silent is False
        output, _ = self.rnn(self.emb(x), hidden)
        return self.fc(output[:, -1])


# embeddings -------------------------------------------------------------------------------------------------------


@case("two embeddings side by side")
class TwoEmbeddings(Base):
    def __init__(self):
        super().__init__(nn.GRU, size=2 * D, batch_first=True)
        self.emb, self.fixed = nn.Embedding(V, D), nn.Embedding(V, D)

    def forward(self, x, lengths):
        vectors = torch.cat([self.emb(x), self.fixed(x)], dim=-1)
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        return self.fc(self.rnn(packed)[1][-1])


@case("projection and LayerNorm in front", pads=False)
class Projected(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.project, self.norm = nn.Linear(D, D), nn.LayerNorm(D)

    def forward(self, x):
        output, _ = self.rnn(torch.tanh(self.norm(self.project(self.emb(x)))))
        return self.fc(output[:, -1])


@case("frozen pretrained embedding", pads=False)
class Frozen(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.emb = nn.Embedding.from_pretrained(torch.randn(V, D), freeze=True, padding_idx=0)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0][:, -1])


@case("embedding with max_norm, written into", pads=False)
class MaxNorm(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.emb = nn.Embedding(V, D, max_norm=1.0)

    def forward(self, x):
        vectors = self.emb(x)
        vectors *= 2.0
        return self.fc(self.rnn(vectors)[0][:, -1])


@case("embedding called by keyword", pads=False)
class Keywords(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        states, _ = self.rnn(input=self.emb(input=x), hx=None)
        return self.fc(input=states[:, -1])


@case("embedding bag", able="gradients", reason="runs no nn.LSTM", pads=False)
class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag, self.fc = nn.EmbeddingBag(V, D), nn.Linear(D, C)

    def forward(self, x):
        return self.fc(self.bag(x))


@case("functional embedding", able="words", reason="no nn.Embedding", pads=False)
class FunctionalEmbedding(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(F.embedding(x, self.emb.weight))[0][:, -1])


# readouts ---------------------------------------------------------------------------------------------------------


def both(readout, name, width=2 * H, **options):
    """A packed bidirectional LSTM of two layers with a readout of (outputs, hidden, lengths)."""

    class Both(Base):
        def __init__(self):
            super().__init__(
                nn.LSTM, width, num_layers=2, bidirectional=True, batch_first=True, dropout=options.pop("dropout", 0.3)
            )
            self.drop = nn.Dropout(0.5)

        def forward(self, x, lengths):
            packed = pack_padded_sequence(self.drop(self.emb(x)), lengths, batch_first=True, enforce_sorted=False)
            packed, (hidden, _) = self.rnn(packed)
            output, _ = pad_packed_sequence(packed, batch_first=True)
            return self.fc(self.drop(readout(output, hidden, lengths.to(x.device))))

    ZOO[name] = Case(Both, **options)


def _mask(output, lengths):
    return (torch.arange(output.shape[1], device=output.device) < lengths.to(output.device)[:, None])[..., None]


both(lambda o, h, n: torch.cat((h[-2], h[-1]), 1), "last states of both directions")
both(lambda o, h, n: torch.cat((h[-1], h[-2]), 1), "last states, the reverse one first")
both(lambda o, h, n: h[-2] + h[-1], "sum of the last states", H)
both(lambda o, h, n: (h[-2] + h[-1]) / 2, "mean of the last states", H)
both(lambda o, h, n: h[-1], "reverse state only", H)
both(lambda o, h, n: o[:, 0], "states at the first word")
both(lambda o, h, n: (o[..., :H] + o[..., H:])[torch.arange(len(n)), n - 1], "directions added, at the last word", H)
both(lambda o, h, n: o.sum(1) / n[:, None], "mean of packed states")
both(lambda o, h, n: o.sum(1), "sum of packed states")
both(lambda o, h, n: o.masked_fill(~_mask(o, n), -1e4).max(1)[0], "max of states")
both(lambda o, h, n: o.max(1)[0], "max with the zeros of padding", pads=False)
both(
    lambda o, h, n: torch.cat([o.sum(1) / n[:, None], o.masked_fill(~_mask(o, n), -1e4).amax(1), h[-2], h[-1]], 1),
    "mean, max and last side by side",
    6 * H,
)
both(lambda o, h, n: h[-4] + h[-1], "state of a lower layer", H, able="gradients", reason="not a last, first, mean")
both(lambda o, h, n: h[-2] * h[-1], "product of states", H, able="gradients", reason="not a last, first, mean")


class Attended(Base):
    def __init__(self, softmax, layout="b t 1"):
        super().__init__(nn.LSTM, 2 * H, bidirectional=True, batch_first=True)
        self.score, self.softmax, self.layout = nn.Linear(2 * H, 1), softmax, layout

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        scores = self.score(torch.tanh(output)).masked_fill(~_mask(output, lengths.to(x.device)), float("-inf"))
        if self.layout == "b t":
            weights = self.softmax(scores.squeeze(2))
            return self.fc(torch.bmm(weights.unsqueeze(1), output).squeeze(1))
        if self.layout == "b 1 t":
            return self.fc((self.softmax(scores.transpose(1, 2)) @ output)[:, 0])
        if self.layout == "t b":
            weights = self.softmax(scores.squeeze(2).t())
            return self.fc((weights.unsqueeze(2) * output.transpose(0, 1)).sum(0))
        return self.fc((self.softmax(scores) * output).sum(dim=1))


for _layout, _axis in (("b t 1", 1), ("b t", 1), ("b 1 t", 2), ("t b", 0)):
    ZOO[f"attention through nn.Softmax, {_layout}"] = Case(
        lambda layout=_layout, axis=_axis: Attended(nn.Softmax(axis), layout)
    )


for _layout, _axis in (("b t 1", 1), ("b t", 1), ("b 1 t", 2), ("t b", 0)):
    ZOO[f"attention through F.softmax, {_layout}"] = Case(
        lambda layout=_layout, axis=_axis: Attended(lambda scores: F.softmax(scores, axis), layout)
    )
ZOO["attention through a tensor's softmax"] = Case(lambda: Attended(lambda scores: scores.softmax(1)))
ZOO["attention without a softmax"] = Case(
    lambda: Attended(lambda scores: scores.exp() / scores.exp().sum(1, keepdim=True)),
    "gradients",
    "where a softmax or a part",
)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(2 * H, 1)

    def forward(self, output, mask):
        weights = F.softmax(self.score(output).masked_fill(~mask, -1e9), 1)
        return (weights * output).sum(1), weights.squeeze(-1)


@case("an attention part that returns its weights")
class AttentionPart(Base):
    def __init__(self):
        super().__init__(nn.GRU, 2 * H, bidirectional=True, batch_first=True)
        self.attend = Scorer()

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        context, weights = self.attend(output, _mask(output, lengths.to(x.device)))
        return self.fc(context), weights


# heads ------------------------------------------------------------------------------------------------------------


@case("head on all steps, the last taken", pads=False)
class AllSteps(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0])[:, -1, :]


@case("head on all steps, time first", pads=False)
class AllStepsTimeFirst(Base):
    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0])[-1]


@case("head on all steps, the mean taken", pads=False)
class MeanOfLogits(Base):
    def __init__(self):
        super().__init__(nn.GRU, 2 * H, bidirectional=True, batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0]).mean(1)


@case("head with ReLU", able="gradients", reason="no layer between", pads=False)
class Bends(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.hidden = nn.Linear(H, H)

    def forward(self, x):
        return self.fc(torch.relu(self.hidden(self.rnn(self.emb(x))[0][:, -1])))


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


@case("a linear layer of its own kind", able="gradients", reason="nn.Linear called last", pads=False)
class OwnLinear(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.fc = Doubled(H, C)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0][:, -1])


@case("head on hidden [1, b, h]", pads=False)
class KeepsLayer(Base):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[1])


class Single(Base):
    def __init__(self, end=lambda z: z.squeeze(1)):
        super().__init__(batch_first=True, outputs=1)
        self.end = end

    def forward(self, x):
        return self.end(self.fc(self.rnn(self.emb(x))[0][:, -1]))


YES = ("no", "yes")
ZOO["one output, squeezed"] = Case(lambda: Single(lambda z: z.squeeze()), labels=YES, pads=False)
ZOO["one output, [b, 1]"] = Case(lambda: Single(lambda z: z), labels=YES, pads=False)
ZOO["one output, view(-1)"] = Case(lambda: Single(lambda z: z.view(-1)), labels=YES, pads=False)
ZOO["a regression"] = Case(Single, labels=("stars",), pads=False)
ZOO["one probability"] = Case(
    lambda: Single(lambda z: torch.sigmoid(z).squeeze(1)), "gradients", "module without its last step", False, YES,
    {"outputs": "probabilities"},
)  # fmt: skip
ZOO["labels that do not exclude each other"] = Case(NoLengths, pads=False, options={"outputs": "multi-label"})


class Ends(NoLengths):
    def __init__(self, end):
        super().__init__()
        self.end = end

    def forward(self, x):
        return self.end(super().forward(x))


ZOO["a tuple"] = Case(lambda: Ends(lambda z: (z, z * 0)), pads=False)
ZOO["a dict with logits"] = Case(lambda: Ends(lambda z: {"loss": None, "logits": z}), pads=False)
ZOO["a dict with one tensor"] = Case(lambda: Ends(lambda z: {"pred": z}), pads=False)
ZOO["log_softmax"] = Case(
    lambda: Ends(lambda z: F.log_softmax(z, 1)), "gradients", "module without its last step", pads=False
)  # fmt: skip
ZOO["softmax, said"] = Case(
    lambda: Ends(lambda z: F.softmax(z, 1)), "gradients", "module without its last step", False,
    options={"outputs": "probabilities"},
)  # fmt: skip


# states and layers ------------------------------------------------------------------------------------------------


@case("learned initial states", pads=False)
class LearnedStart(Base):
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, num_layers=2, bidirectional=True, batch_first=True)
        self.h, self.c = (nn.Parameter(torch.randn(4, 1, H)) for _ in range(2))

    def forward(self, x):
        state = tuple(start.repeat(1, x.shape[0], 1) for start in (self.h, self.c))
        return self.fc(self.rnn(self.emb(x), state)[0][:, -1])


@case("keeps its state on self", pads=False)
class Stateful(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.hidden = None
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        self.hidden = tuple(torch.zeros(1, x.shape[0], H, dtype=self.fc.weight.dtype) for _ in range(2))
        output, self.hidden = self.rnn(self.emb(x), self.hidden)
        self.last = output
        return self.fc(output[:, -1])


@case("parts within parts")
class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = PackedUnsorted()
        self.encoder.fc = nn.Identity()
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(H, C))

    def forward(self, x, lengths):
        return self.head(self.encoder(x, lengths))


@case("two LSTMs in sequence", pads=False)
class TwoInSequence(Base):
    def __init__(self):
        super().__init__(nn.LSTM, batch_first=True, bidirectional=True)
        self.second = nn.GRU(2 * H, H, batch_first=True)

    def forward(self, x):
        return self.fc(self.second(self.rnn(self.emb(x))[0])[0][:, -1])


@case("a projected LSTM", able="gradients", reason="proj_size", pads=False)
class Projecting(Base):
    def __init__(self):
        super().__init__(nn.LSTM, 2, batch_first=True, proj_size=2)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0][:, -1])


@case("a loop over nn.LSTMCell", able="gradients", reason="runs no nn.LSTM", pads=False)
class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.cell, self.fc = nn.Embedding(V, D), nn.LSTMCell(D, H), nn.Linear(H, C)

    def forward(self, x):
        state = None
        for vector in self.emb(x).unbind(1):
            state = self.cell(vector, state)
        return self.fc(state[0])


@case("a plain tanh RNN", able="recurrent", reason="no gate that forgets", pads=False)
class Tanh(Base):
    def __init__(self, nonlinearity="tanh"):
        super().__init__(nn.RNN, batch_first=True, nonlinearity=nonlinearity, num_layers=2)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0][:, -1])


ZOO["a plain ReLU RNN"] = Case(lambda: Tanh("relu"), "recurrent", "no gate that forgets", False)


@case("texts turned round", able="gradients", reason="other positions", pads=False)
class TurnedRound(Base):
    def __init__(self):
        super().__init__(batch_first=True)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x).flip(1))[0][:, -1])


@case("a vector put in front", able="gradients", reason="other positions", pads=False)
class PutInFront(Base):
    def __init__(self):
        super().__init__(batch_first=True)
        self.first = nn.Parameter(torch.randn(1, 1, D))

    def forward(self, x):
        vectors = torch.cat([self.first.expand(len(x), -1, -1), self.emb(x)], 1)
        return self.fc(self.rnn(vectors)[0][:, :-1].mean(1))


@case("two encoders side by side", able="gradients", reason="not a last, first, mean", pads=False)
class TwoEncoders(Base):
    def __init__(self):
        super().__init__(nn.LSTM, 2 * H, batch_first=True)
        self.other = nn.GRU(D, H, batch_first=True)

    def forward(self, x):
        vectors = self.emb(x)
        return self.fc(torch.cat([self.rnn(vectors)[0][:, -1], self.other(vectors)[0][:, -1]], 1))


@case("no recurrent layer", able="gradients", reason="runs no nn.LSTM")
class MeanOfVectors(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.fc = nn.Embedding(V, D), nn.Linear(D, C)

    def forward(self, x, mask):
        vectors = self.emb(x) * mask[..., None]
        return self.fc(torch.tanh(vectors.sum(1) / mask.sum(1)[:, None]))
