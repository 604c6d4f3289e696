"""Any torch module as it stands, explained through forward hooks: no change in its code, nothing left behind.

``wrap`` finds out by trial runs how the module wants its ids (layout, lengths, masks), where its word vectors and its
recurrent layer are, and how states become outputs. What it can serve is told by the class that it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from exegesis.core.batch import Batch, pad
from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, UsageError
from exegesis.core.model import Raw
from exegesis.core.recurrent import Unrolled
from exegesis.core.target import Link
from exegesis.core.text import Text, text_of_words
from exegesis.models.calling import Call, Plan, find_plan, logits
from exegesis.models.reader import Reader, reader_of
from exegesis.models.sight import join, replacing, unroll, watching
from exegesis.nn.still import still

T = TypeVar("T")


class TorchClassifier:
    """A module as a black box that reads ids (``core.model.Classifier``)."""

    def __init__(
        self, module: nn.Module, reader: Reader, labels: Sequence[str], link: Link, plan: Plan, name: str
    ) -> None:
        self.module, self.reader, self.plan = module, reader, plan
        self._labels, self._link, self._name = tuple(labels), link, name
        self.lacks: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(self.labels)}>"

    @property
    def name(self) -> str:
        return self._name

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def link(self) -> Link:
        return self._link

    @property
    def tokens(self) -> Mapping[str, int]:
        return self.reader.tokens

    @property
    def device(self) -> torch.device:
        return next((weight.device for weight in self.module.parameters()), torch.device("cpu"))

    def read(self, raw: Raw) -> Text:
        return self.reader.read(raw)

    def encode(self, texts: Sequence[Text]) -> Batch:
        return pad(texts, self.tokens["pad"], self.device)

    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        with torch.no_grad(), still(self.module):
            return self._in_order(batch, self._call)

    def _call(self, batch: Batch) -> Float[Tensor, "b c"]:
        """The module's raw outputs for a batch that it can take as it is."""
        return logits(self.plan(self.module, batch), len(batch))

    def _in_order(self, batch: Batch, run: Callable[[Batch], Tensor]) -> Tensor:
        """Run parts of a batch that the module can take, longest first, and put the rows back in order.

        A module that is not exact under padding gets texts of one length at a time. The longest first suits modules
        that pack sequences with the library's default.
        """
        parts = self._parts(batch)
        if len(parts) == 1 and parts[0] is None:
            return run(batch)
        found = [run(batch.take(rows)) for rows in parts if rows is not None]
        order = torch.cat([rows for rows in parts if rows is not None])
        return torch.cat(found)[torch.argsort(order).to(found[0].device)]

    def _parts(self, batch: Batch) -> list[Tensor | None]:
        lengths = batch.lengths.cpu()
        if len(lengths) and int(lengths.min()) == 0:
            raise UnsupportedError("a text without any piece cannot be run through this module")
        full = len(lengths) == 0 or int(lengths[0]) == batch.ids.shape[1]
        if full and (bool((lengths == lengths[0]).all()) if not self.plan.pads else bool((lengths.diff() <= 0).all())):
            return [None]
        order = torch.argsort(lengths, descending=True, stable=True)
        if self.plan.pads:
            return [order]
        _, counts = torch.unique_consecutive(lengths[order], return_counts=True)
        return list(torch.split(order, counts.tolist()))


class TorchDifferentiable(TorchClassifier):
    """A module whose word vectors are seen (``core.model.Differentiable``)."""

    embeddings: tuple[nn.Embedding, ...] = ()

    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The vectors of each piece; of several embeddings that read the ids, side by side."""
        with torch.no_grad():
            return torch.cat([part(batch.ids) for part in self.embeddings], -1)

    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]:
        with still(self.module):
            parts = self._parts(batch)
            if len(parts) == 1 and parts[0] is None:
                return self._call_from(embeds, batch)
            found, order = [], []
            for rows in parts:
                assert rows is not None
                part = batch.take(rows)
                found.append(self._call_from(embeds[rows.to(embeds.device), : part.ids.shape[1]], part))
                order.append(rows)
            return torch.cat(found)[torch.argsort(torch.cat(order)).to(embeds.device)]

    def _call_from(self, embeds: Tensor, batch: Batch) -> Tensor:
        sizes = [part.embedding_dim for part in self.embeddings]
        vectors: tuple[Tensor, ...] = torch.split(embeds, sizes, -1)

        def give(number: int, ids: Tensor, _: Tensor) -> Tensor | None:
            if ids.shape == batch.ids.shape and torch.equal(ids, batch.ids):
                return vectors[number]
            if ids.shape == batch.ids.t().shape and torch.equal(ids, batch.ids.t()):
                return vectors[number].transpose(0, 1)
            raise UnsupportedError("an embedding is read with other ids than the text's; its vectors stay out of reach")

        with replacing(self.embeddings, give):
            return self._call(batch)


class TorchRecurrent(TorchDifferentiable):
    """A module whose recurrent layer and readout are seen through (``core.model.Recurrent``)."""

    def unroll(self, batch: Batch) -> Unrolled:
        """Raises UnsupportedError, naming what is out of sight, where states or readout are not recognised."""
        with torch.no_grad(), still(self.module):
            parts = self._parts(batch)
            if len(parts) == 1 and parts[0] is None:
                return self._see(batch)
            rows = torch.cat([part for part in parts if part is not None])
            seen = [self._see(batch.take(part)) for part in parts if part is not None]
            return join(seen, torch.argsort(rows).to(batch.device))

    def _see(self, batch: Batch) -> Unrolled:
        with watching(self.module) as seen:
            outputs = self._call(batch)
        return unroll(seen, outputs, batch.lengths)


class TorchGated(TorchRecurrent):
    """A module whose recurrent layer is an LSTM or a GRU (``core.model.Gated``)."""

    forgetting: str = ""


def wrap(
    module: nn.Module,
    *,
    vocabulary: object = None,
    tokenizer: object = None,
    labels: Sequence[str] | None = None,
    call: Call | None = None,
    outputs: str = "logits",
    lowercase: bool | None = None,
    name: str | None = None,
) -> TorchClassifier:
    """Explain your own trained module as it stands.

    ``vocabulary``: words in the order of their ids, a dict from words to ids, or an object with ``stoi`` / ``itos``.
    ``tokenizer``: a function from a text to tokens, or a Hugging Face tokenizer. ``labels`` in the order of the
    outputs; two labels and one output make a sigmoid model whose output speaks for the second label, one label and one
    output a regression. ``call=lambda module, batch: ...`` says how to run the module where its signature does not
    tell (batch has ids [b, t], mask, lengths, segments). ``outputs="probabilities"`` for a module that ends in a
    softmax. The module is run in evaluation mode and comes back as it was.

    Raises UsageError for missing or contradicting arguments, ModelError where the module cannot be run.
    """
    if not isinstance(module, nn.Module):
        raise UsageError(f"wrap takes a torch nn.Module, not {type(module).__name__}; for a function use blackbox()")
    reader = reader_of(vocabulary, tokenizer, lowercase)
    probe = _probe(module, reader)
    plan, width = find_plan(module, probe, call)
    labels, link = _labels(labels, width, outputs)
    bare = TorchClassifier(module, reader, labels, link, plan, name or type(module).__name__)
    _check_outputs(bare.outputs(probe), link)
    return _most(bare, probe)


def _probe(module: nn.Module, reader: Reader) -> Batch:
    """Texts of 5, 3 and 1 pieces with ids that the module's smallest embedding can take."""
    sizes = [part.num_embeddings for part in module.modules() if isinstance(part, nn.Embedding)]
    if sizes and reader.size > max(sizes):
        raise UsageError(f"the vocabulary has {reader.size} ids, but the module's embedding only {max(sizes)} rows")
    special = set(reader.tokens.values())
    usable = [i for i in range(min(reader.size, 64)) if i not in special] or [0]
    texts = []
    for length in (5, 3, 1):
        ids = [usable[(7 * i + length) % len(usable)] for i in range(length)]
        texts.append(text_of_words("", [("", 0, 0)] * length, ids))
    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
    return pad(texts, reader.tokens["pad"], device)


def _labels(labels: Sequence[str] | None, width: int, outputs: str) -> tuple[tuple[str, ...], Link]:
    if outputs not in ("logits", "probabilities", "multi-label"):
        raise UsageError(f"outputs must be 'logits', 'probabilities' or 'multi-label', not {outputs!r}")
    if labels is None and width == 1:
        raise UsageError("the module has one output: give labels=[no, yes] for a sigmoid, one label for a regression")
    names = tuple(str(i) for i in range(width)) if labels is None else tuple(str(label) for label in labels)
    if len(set(names)) != len(names):
        raise UsageError(f"labels must differ from each other: {', '.join(names)}")
    if width == 1 and len(names) == 2 and outputs == "logits":
        return names, Link.BINARY
    if len(names) != width:
        raise UsageError(f"{len(names)} labels are given, but the module has {width} outputs")
    if outputs == "probabilities":
        return names, Link.PROBABILITY
    if outputs == "multi-label":
        return names, Link.SIGMOID
    return names, Link.IDENTITY if width == 1 else Link.SOFTMAX


def _check_outputs(raw: Tensor, link: Link) -> None:
    sums = raw.double().sum(1)
    looks = raw.shape[1] > 1 and bool((raw >= 0).all()) and bool(torch.allclose(sums, sums.new_ones(()), atol=1e-4))
    if looks and link is Link.SOFTMAX:
        raise UsageError(
            "the module ends in probabilities (its outputs sum to one): let it return logits, or say "
            "outputs='probabilities' (then no logit can be explained)"
        )
    if link is Link.PROBABILITY and not looks:
        raise ModelError("outputs='probabilities' is said, but the module's outputs do not sum to one")


def _most(bare: TorchClassifier, probe: Batch) -> TorchClassifier:
    """The most able adapter that the module allows; what it lacks is kept as reasons."""
    try:
        embeddings = _embeddings(bare, probe)
        seen: TorchDifferentiable = _as(TorchDifferentiable, bare)
        seen.embeddings = embeddings
        if not torch.allclose(seen.outputs_from(seen.embed(probe), probe), bare.outputs(probe), equal_nan=True):
            raise UnsupportedError("its outputs do not follow from its word vectors alone")
    except ExegesisError as error:
        bare.lacks = dict.fromkeys(("Differentiable", "Recurrent", "Gated"), str(error))
        return bare
    able: TorchRecurrent = _as(TorchRecurrent, bare)
    able.embeddings = embeddings
    try:
        cell = able.unroll(probe.take(torch.tensor([0]))).layers[-1][0].cell
    except ExegesisError as error:
        seen.lacks = {"Recurrent": str(error), "Gated": str(error)}
        return seen
    if cell not in ("lstm", "gru"):
        able.lacks = {"Gated": "the module's recurrent layer is a plain nn.RNN, which has no gate that forgets"}
        return able
    gated: TorchGated = _as(TorchGated, able)
    gated.forgetting = {"lstm": "f", "gru": "z"}[cell]
    return gated


def _as(kind: type[T], bare: TorchClassifier) -> T:
    made = kind.__new__(kind)
    made.__dict__.update(bare.__dict__)
    return made


def _embeddings(bare: TorchClassifier, probe: Batch) -> tuple[nn.Embedding, ...]:
    """The embeddings that read the ids of the text."""
    found: list[nn.Embedding] = []
    parts = [part for part in bare.module.modules() if isinstance(part, nn.Embedding)]
    longest = probe.take(torch.tensor([0]))

    def note(number: int, ids: Tensor, _: Tensor) -> None:
        own = longest.ids
        if ids.shape in (own.shape, own.t().shape) and torch.equal(ids.flatten(), own.flatten()):
            found.append(parts[number])

    with replacing(parts, note):
        bare.outputs(longest)
    if not found:
        raise UnsupportedError("no nn.Embedding of the module reads the ids, so its word vectors are out of sight")
    if len(found) != len(set(map(id, found))):
        raise UnsupportedError("an nn.Embedding of the module reads the ids more than once")
    return tuple(found)
