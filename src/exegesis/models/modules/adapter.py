"""Any torch module as it stands, explained through forward hooks: no change in its code, nothing left behind.

``models.modules.wrapping`` makes these; what a module can serve is told by the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import embedding

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, out_of_memory
from exegesis.core.text import Text
from exegesis.models.modules.answers import logits
from exegesis.models.modules.hooks import Table, bagged, join, placed, readouts, replacing, unroll, watching
from exegesis.models.modules.plan import Plan
from exegesis.models.modules.readout import Readout, settle
from exegesis.models.text.reader import Reader
from exegesis.nn.frozen import still
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.model import Raw
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link

DEEPEST = 3  # linear layers and batch norms in a row, before the last


class TorchClassifier:
    """A module as a black box that reads ids (``core.model.Classifier``).

    ``blank`` is the id that stands for an empty text where the module cannot take a pad token alone (one that drops
    pads itself, for instance), or None where it can.
    """

    blank: int | None = None

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
        if self.blank is not None:
            batch = _filled(batch, self.tokens["pad"], self.blank)
        with torch.no_grad():
            parts = self._parts(batch)
            if parts is None:
                return self._call(batch)
            found = torch.cat([self._call(batch.take(rows)) for rows in parts])
            return found[torch.argsort(torch.cat(parts)).to(found.device)]

    def _call(self, batch: Batch) -> Float[Tensor, "b c"]:
        """The module's raw outputs for a batch that it can take as it is, from what it holds at rest: a state that it
        keeps on itself does not go from one call to the next.

        Raises ModelError, with the module's own complaint, where it raises.
        """
        try:
            with still(self.module):
                raw = logits(self.plan(self.module, batch), len(batch), self.plan.part)
        except Exception as error:  # the user's own code
            if isinstance(error, ExegesisError) or out_of_memory(error):
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ModelError(f"the module {self.name} raised {reason} on texts of {_sizes(batch)}") from error
        return torch.cat([1 - raw, raw], 1) if self.link is Link.PROBABILITY and raw.shape[1] == 1 else raw

    def _parts(self, batch: Batch) -> list[Tensor] | None:
        """Row numbers of parts of a batch that the module can take, longest first; None for the batch as it is.

        A module that is not exact under padding gets texts of one length at a time. The longest first suits modules
        that pack sequences with the library's default.
        """
        lengths = batch.lengths.cpu()
        if len(lengths) and int(lengths.min()) == 0:
            raise UnsupportedError("a text without any piece cannot be run through this module")
        most = self.plan.rows or max(len(batch), 1)
        full = len(lengths) == 0 or int(lengths[0]) == batch.ids.shape[1]
        sorted_ = bool((lengths.diff() <= 0).all()) if self.plan.pads else bool((lengths == lengths[:1]).all())
        if full and sorted_ and len(batch) <= most:
            return None
        order = torch.argsort(lengths, descending=True, stable=True)
        runs = [order]
        if not self.plan.pads:
            _, counts = torch.unique_consecutive(lengths[order], return_counts=True)
            runs = list(torch.split(order, counts.tolist()))
        return [part for run in runs for part in torch.split(run, most)]


class TorchDifferentiable(TorchClassifier):
    """A module whose word vectors are seen (``core.model.Differentiable``).

    ``turned`` says of each embedding whether it reads the ids time first.
    """

    embeddings: tuple[Table, ...] = ()
    turned: tuple[bool, ...] = ()

    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The vectors of each piece; of several embeddings that read the ids, side by side."""
        with torch.no_grad(), still(self.module):
            return self._vectors(batch.ids)

    def _vectors(self, ids: Tensor) -> Tensor:
        """The rows of each table; a bag's before they are pooled."""
        each = (
            part(ids) if isinstance(part, nn.Embedding) else embedding(ids, part.weight) for part in self.embeddings
        )
        return torch.cat(list(each), -1)

    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]:
        parts = self._parts(batch)
        if parts is None:
            return self._call_from(embeds, batch)
        found = []
        for rows in parts:
            part = batch.take(rows)
            found.append(self._call_from(embeds[rows.to(embeds.device), : part.ids.shape[1]], part))
        return torch.cat(found)[torch.argsort(torch.cat(parts)).to(embeds.device)]

    def _call_from(self, embeds: Tensor, batch: Batch) -> Tensor:
        short, batch = embeds.shape[1], self.plan.widened(batch)
        if batch.ids.shape[1] > short:  # pad tokens that are no part of the text keep their own vectors
            with torch.no_grad(), still(self.module):
                filling = self._vectors(batch.ids[:, short:])
            embeds = torch.cat([embeds, filling.to(embeds.dtype)], 1)
        vectors = torch.split(embeds, [part.embedding_dim for part in self.embeddings], -1)

        def give(number: int, ids: Tensor, _: Tensor) -> Tensor | None:
            part = self.embeddings[number]
            if isinstance(part, nn.EmbeddingBag):
                found = bagged(part, vectors[number], ids, batch)
            else:
                found = placed(vectors[number], ids, batch, turned=self.turned[number])
            if found is None:
                raise UnsupportedError(
                    "an embedding is read with other ids than the text's; its vectors stay out of reach"
                )
            return found

        with replacing(self.embeddings, give):
            return self._call(batch)


class TorchRecurrent(TorchDifferentiable):
    """A module whose recurrent layer and readout are seen through (``core.model.Recurrent``).

    ``readout``, ``depth`` (how many linear parts are folded into the last one), ``same_start`` and ``blind`` (see
    ``core.recurrent.Unrolled``) are learned once, on texts that tell poolings apart: on a single short text a maximum
    may be the last state, and any initial state is the same for all.
    """

    readout: Readout = ()
    depth: int = 0
    same_start: bool = False
    blind: bool = False

    def learn(self, batch: Batch) -> None:
        """Learn the readout. Raises UnsupportedError, naming what is out of sight, where it is not recognised."""
        runs = []
        with torch.no_grad():
            for rows in self._parts(batch) or [torch.arange(len(batch))]:
                part = batch.take(rows)
                with watching(self.module, functions=True) as seen:
                    runs.append((seen, self._call(part), part.lengths))
        complaint: UnsupportedError | None = None
        for self.depth in range(DEEPEST + 1):
            try:
                self.readout = settle([readouts(seen, raw, lengths, self.depth) for seen, raw, lengths in runs])
                break
            except UnsupportedError as error:
                complaint = complaint or error
        else:
            assert complaint is not None
            raise complaint
        starts = [s for d in self.unroll(batch).layers[-1] for s in (d.h0, d.c0) if s is not None]
        self.same_start = all(torch.equal(start, start[:1].expand_as(start)) for start in starts)
        self.blind = self._blind(batch)

    def _blind(self, batch: Batch) -> bool:
        """Whether the outputs stay as they are where all ids but the first turn into pads (the vectors being kept), and
        hardly move where vectors of zeros become tiny ones.
        """
        later = batch.mask.clone()
        later[:, 0] = False
        vectors = self.embed(batch)
        padded = replace(batch, ids=batch.ids.masked_fill(later, self.tokens["pad"]), texts=())
        zeros = vectors.masked_fill(later[..., None], 0.0)
        tiny = zeros.masked_fill(later[..., None], 1e-10 if vectors.dtype == torch.float64 else 1e-6)
        try:
            with torch.no_grad():
                pairs = [(self.outputs_from(vectors, padded), self.outputs_from(vectors, batch))]
                pairs.append((self.outputs_from(zeros, batch), self.outputs_from(tiny, batch)))
        except (ModelError, UnsupportedError):
            return False
        return all(agree(one, other, double=1e-7, single=1e-3, half=1e-3) for one, other in pairs)

    def unroll(self, batch: Batch) -> Unrolled:
        """Raises UnsupportedError, naming what is out of sight, where states or readout are not recognised."""
        with torch.no_grad():
            parts = self._parts(batch)
            if parts is None:
                found = self._see(batch)
            else:
                seen = [self._see(batch.take(rows)) for rows in parts]
                found = join(seen, torch.argsort(torch.cat(parts)).to(batch.device))
        return replace(found, same_start=self.same_start, blind=self.blind)

    def _see(self, batch: Batch) -> Unrolled:
        attends = any(kind == "attention" for pooling in self.readout for _, _, kind in pooling)
        with watching(self.module, functions=attends) as seen:
            outputs = self._call(batch)
        return unroll(seen, outputs, batch.lengths, self.readout, self.depth)


class TorchGated(TorchRecurrent):
    """A module whose recurrent layer is an LSTM or a GRU (``core.model.Gated``)."""

    forgetting: str = ""


def _filled(batch: Batch, pad_id: int, blank: int) -> Batch:
    """The batch with ``blank`` as the first piece of every text that holds nothing but pad tokens."""
    empty = ~((batch.ids != pad_id) & batch.mask).any(1)
    if not bool(empty.any()):
        return batch
    ids = batch.ids.clone()
    ids[empty, 0] = blank
    return replace(batch, ids=ids)


def _sizes(batch: Batch) -> str:
    shortest, longest = int(batch.lengths.min()), int(batch.lengths.max())
    return f"{shortest} pieces" if shortest == longest else f"{shortest} to {longest} pieces"
