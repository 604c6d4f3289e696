"""The adapter of any torch module, which explains the module unchanged, through forward hooks that it removes again.

``wrap`` finds out by trials what a module can serve; the adapter holds the findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import embedding

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, out_of_memory
from exegesis.core.text import Text
from exegesis.models.modules.answers import logits
from exegesis.models.modules.calls import Plan
from exegesis.models.modules.hooks import Table, bagged, join, placed, readouts, replacing, unroll, watching
from exegesis.models.modules.readout import Readout, settle
from exegesis.models.text.reader import Reader
from exegesis.nn.alone import alone
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.model import Differentiable, Gated, Raw, Recurrent, refuse_denied
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link

MAX_FOLDED = 3  # linear layers and batch norms in a row that are folded into the last linear layer
FORGETTING = {"lstm": "f", "gru": "z"}  # the gate of each cell that keeps or forgets


@dataclass(frozen=True)
class Lookup:
    """An embedding that reads a text's ids; ``turned`` if it reads them time first."""

    table: Table
    turned: bool


@dataclass(frozen=True)
class Recurrence:
    """The way from a module's recurrent states to its outputs, learned once on texts that tell poolings apart.

    (On a single short text a maximum may be the last state, and any initial state is the same for all.) ``folded`` is
    the number of linear parts that are folded into the last one; ``same_start`` and ``blind`` as in ``Unrolled``;
    ``forgetting`` is the letter of the gate that keeps or forgets, empty for a plain RNN.
    """

    readout: Readout
    folded: int
    same_start: bool = False
    blind: bool = False
    forgetting: str = ""


@dataclass(frozen=True)
class Profile:
    """The findings of the trials of a module.

    ``blank`` is the id for an empty text if the module cannot take a pad token alone (because it drops pads itself, for
    instance), else None. ``lookups`` are the places at which it looks its words up, ``recurrence`` describes its
    recurrent layer. ``lacks`` has the reason for each ability that the trials deny.
    """

    name: str
    labels: tuple[str, ...]
    link: Link
    plan: Plan
    blank: int | None = None
    lookups: tuple[Lookup, ...] = ()
    recurrence: Recurrence | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class TorchClassifier:
    """A torch module as a model, with the members of every ability that a module may have.

    ``lacks`` names the abilities that this module does not have, with the reasons; their members raise
    UnsupportedError.
    """

    module: nn.Module
    reader: Reader
    profile: Profile

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(self.labels)}; {self.reader}>"

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.profile.labels

    @property
    def link(self) -> Link:
        return self.profile.link

    @property
    def plan(self) -> Plan:
        """The way in which the module is called."""
        return self.profile.plan

    @property
    def lacks(self) -> Mapping[str, str]:
        """The abilities that the trials deny to this module, by name, each with the reason in words."""
        return self.profile.lacks

    @property
    def tokens(self) -> Mapping[str, int]:
        return self.reader.tokens

    @property
    def device(self) -> torch.device:
        return next((weight.device for weight in self.module.parameters()), torch.device("cpu"))

    def read(self, raw: Raw) -> Text:
        with alone(self.reader):
            return self.reader.read(raw)

    @ability
    def encode(self, texts: Sequence[Text]) -> Batch:
        return pad(texts, self.tokens["pad"], self.device)

    @ability
    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        if self.profile.blank is not None:
            batch = _filled(batch, self.tokens["pad"], self.profile.blank)
        with torch.no_grad():
            parts = self._parts(batch)
            if parts is None:
                return self._call(batch)
            outputs = torch.cat([self._call(batch.take(rows)) for rows in parts])
            return outputs[torch.argsort(torch.cat(parts)).to(outputs.device)]

    @ability
    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """Return the vectors of each piece; if several embeddings read the ids, theirs side by side.

        Raises UnsupportedError for a module that lacks ``Differentiable``.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        with torch.no_grad(), frozen(self.module):
            return self._vectors(batch.ids)

    @ability
    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]:
        """Return the outputs for these vectors instead of the batch's own; they carry a gradient to the vectors.

        Raises UnsupportedError for a module that lacks ``Differentiable``.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        parts = self._parts(batch)
        if parts is None:
            return self._call_from(embeds, batch)
        outputs = []
        for rows in parts:
            part = batch.take(rows)
            outputs.append(self._call_from(embeds[rows.to(embeds.device), : part.ids.shape[1]], part))
        return torch.cat(outputs)[torch.argsort(torch.cat(parts)).to(embeds.device)]

    @ability
    def unroll(self, batch: Batch) -> Unrolled:
        """Return the recurrent pass over a batch.

        Raises UnsupportedError for a module that lacks ``Recurrent``, and for texts whose states or readout are not
        recognised, with what is out of sight.
        """
        refuse_denied(self.name, self.lacks, Recurrent)
        assert self.profile.recurrence is not None
        return self._unrolled(batch, self.profile.recurrence)

    @property
    def forgetting(self) -> str:
        """The letter of the gate that keeps or forgets. Raises UnsupportedError for a module that lacks ``Gated``."""
        refuse_denied(self.name, self.lacks, Gated)
        assert self.profile.recurrence is not None
        return self.profile.recurrence.forgetting

    @ability
    def learn(self, batch: Batch) -> Recurrence:
        """Recognise the way from states to outputs on some texts.

        Raises UnsupportedError, naming what is out of sight, if it is not recognised.
        """
        runs = []
        with torch.no_grad():
            for rows in self._parts(batch) or [torch.arange(len(batch))]:
                part = batch.take(rows)
                with watching(self.module, functions=True) as recording:
                    runs.append((recording, self._call(part), part.lengths))
        complaint: UnsupportedError | None = None
        for folded in range(MAX_FOLDED + 1):
            try:
                readout = settle([readouts(recording, raw, lengths, folded) for recording, raw, lengths in runs])
                break
            except UnsupportedError as error:
                complaint = complaint or error
        else:
            assert complaint is not None
            raise complaint
        recurrence = Recurrence(readout, folded)
        top = self._unrolled(batch, recurrence).layers[-1]
        starts = [start for direction in top for start in (direction.h0, direction.c0) if start is not None]
        return replace(
            recurrence,
            same_start=all(torch.equal(start, start[:1].expand_as(start)) for start in starts),
            blind=self._is_blind(batch),
            forgetting=FORGETTING.get(top[0].cell, ""),
        )

    def _call(self, batch: Batch) -> Float[Tensor, "b c"]:
        """Run the module on a batch that it can take directly, and return its raw outputs.

        Each call starts from the module's state at rest: a state that it keeps on itself is not carried from one call
        to the next. Raises ModelError, with the module's own complaint, if it raises.
        """
        try:
            with frozen(self.module):
                raw = logits(self.plan(self.module, batch), len(batch), self.plan.part)
        except Exception as error:  # the user's own code
            if isinstance(error, ExegesisError) or out_of_memory(error):
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ModelError(f"the module {self.name} raised {reason} on texts of {_sizes(batch)}") from error
        return torch.cat([1 - raw, raw], 1) if self.link is Link.PROBABILITY and raw.shape[1] == 1 else raw

    def _parts(self, batch: Batch) -> list[Tensor] | None:
        """Split a batch into row numbers of parts that the module can take, longest first; None for all as they are.

        A module that is not exact under padding gets texts of one length at a time. The longest first suits modules
        that pack sequences with the library's default.
        """
        lengths = batch.lengths.cpu()
        if len(lengths) and int(lengths.min()) == 0:
            raise UnsupportedError("a text without any piece cannot be run through this module")
        limit = self.plan.rows or max(len(batch), 1)
        full = len(lengths) == 0 or int(lengths[0]) == batch.ids.shape[1]
        in_order = bool((lengths.diff() <= 0).all()) if self.plan.pads else bool((lengths == lengths[:1]).all())
        if full and in_order and len(batch) <= limit:
            return None
        order = torch.argsort(lengths, descending=True, stable=True)
        runs = [order]
        if not self.plan.pads:
            _, counts = torch.unique_consecutive(lengths[order], return_counts=True)
            runs = list(torch.split(order, counts.tolist()))
        return [part for run in runs for part in torch.split(run, limit)]

    def _vectors(self, ids: Tensor) -> Tensor:
        """The rows of each table; those of a bag before they are pooled."""
        tables = [lookup.table for lookup in self.profile.lookups]
        rows = [part(ids) if isinstance(part, nn.Embedding) else embedding(ids, part.weight) for part in tables]
        return torch.cat(rows, -1)

    def _call_from(self, embeds: Tensor, batch: Batch) -> Tensor:
        short, batch = embeds.shape[1], self.plan.widened(batch)
        if batch.ids.shape[1] > short:  # pad tokens that are not part of the text keep their own vectors
            with torch.no_grad(), frozen(self.module):
                filling = self._vectors(batch.ids[:, short:])
            embeds = torch.cat([embeds, filling.to(embeds.dtype)], 1)
        lookups = self.profile.lookups
        vectors = torch.split(embeds, [lookup.table.embedding_dim for lookup in lookups], -1)

        def give(number: int, ids: Tensor, _: Tensor) -> Tensor | None:
            table = lookups[number].table
            if isinstance(table, nn.EmbeddingBag):
                replacement = bagged(table, vectors[number], ids, batch)
            else:
                replacement = placed(vectors[number], ids, batch, turned=lookups[number].turned)
            if replacement is None:
                raise UnsupportedError(
                    "an embedding is read with other ids than the text's; its vectors stay out of reach"
                )
            return replacement

        with replacing([lookup.table for lookup in lookups], give):
            return self._call(batch)

    def _is_blind(self, batch: Batch) -> bool:
        """True if pieces are told apart by their vectors alone.

        Then the outputs stay as they are if all ids but the first turn into pads (the vectors being kept), and hardly
        move if vectors of zeros become tiny ones.
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
        return all(agree(first, second, double=1e-7, single=1e-3, half=1e-3) for first, second in pairs)

    def _unrolled(self, batch: Batch, recurrence: Recurrence) -> Unrolled:
        with torch.no_grad():
            parts = self._parts(batch)
            if parts is None:
                unrolled = self._run_unrolled(batch, recurrence)
            else:
                runs = [self._run_unrolled(batch.take(rows), recurrence) for rows in parts]
                unrolled = join(runs, torch.argsort(torch.cat(parts)).to(batch.device))
        return replace(unrolled, same_start=recurrence.same_start, blind=recurrence.blind)

    def _run_unrolled(self, batch: Batch, recurrence: Recurrence) -> Unrolled:
        attends = any(kind == "attention" for pooling in recurrence.readout for _, _, kind in pooling)
        with watching(self.module, functions=attends) as recording:
            outputs = self._call(batch)
        return unroll(recording, outputs, batch.lengths, recurrence.readout, recurrence.folded)


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
