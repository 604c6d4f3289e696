"""The adapter of any torch module, which explains the module unchanged, through forward hooks that it removes again.

``wrap`` finds out by trials what a module can serve; the adapter holds the findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, out_of_memory
from exegesis.core.place import Place
from exegesis.core.text import Text
from exegesis.models.modules.answers import logits
from exegesis.models.modules.calls import Plan
from exegesis.models.modules.hooks import join, readouts, unroll, watching
from exegesis.models.modules.lookups import Reading, bagged, gathered, placed, reads, replacing
from exegesis.models.modules.profile import Profile, Recurrence
from exegesis.models.modules.readout import settle
from exegesis.models.moved import moved_outputs
from exegesis.models.parts import in_order
from exegesis.models.profiled import Profiled
from exegesis.models.sites import COPIES, found_sites, read_states
from exegesis.models.text.reader import Reader
from exegesis.nn.alone import alone
from exegesis.nn.context import ability
from exegesis.nn.frozen import frozen
from exegesis.nn.rounding import agree
from exegesis.nn.weights import weights_in
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.insides import Site
from exegesis.protocols.model import Differentiable, Gated, Raw, Recurrent, refuse_denied
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Link

FAR = 8.0  # how far out a recurrence is tried on drawn vectors, in spreads of the words' vectors
MAX_FOLDED = 3  # linear layers and batch norms in a row that are folded into the last linear layer
OTHER_IDS = "an embedding is read with other ids than the text's; its vectors stay out of reach"
MOVING = (
    "the vectors of its {} depend on more than the word (its place, its neighbours) and are not taken from its weights "
    "by torch's embedding, so each word's own vector is out of sight: add behind the table what is not the word's own"
)
FORGETTING = {"lstm": "f", "gru": "z"}  # the gate of each cell that keeps or forgets


@dataclass(eq=False, repr=False)
class TorchClassifier(Profiled):
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
    def plan(self) -> Plan:
        """The way in which the module is called."""
        return self.profile.plan

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
            return in_order(parts, [self._call(batch.take(rows)) for rows in parts])

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The module's weights by name. Raises UnsupportedError for a module whose weights are out of sight."""
        return weights_in(self.module, self.name)

    @ability
    def calls(self, batch: Batch) -> list[Int[Tensor, " n"]]:
        """Return the rows of a batch that the module takes in one call each."""
        parts = self._parts(batch)
        return [torch.arange(len(batch))] if parts is None else parts

    @ability
    def outputs_by_weights(self, batch: Batch) -> Float[Tensor, "b c"]:
        """Return the outputs of one call's rows, with a gradient to what stands in for the weights."""
        if self.profile.blank is not None:
            batch = _filled(batch, self.tokens["pad"], self.profile.blank)
        return self._call(batch)

    @ability
    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """Return the vectors of each piece; if several embeddings read the ids, theirs side by side.

        Raises UnsupportedError for a module that lacks ``Differentiable``.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        return self._vectors(batch)[:, : batch.ids.shape[1]]

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
        return in_order(parts, outputs)

    @ability
    def sites(self, batch: Batch) -> Mapping[Place, Site]:
        """Return the sites of the module's hidden states (see ``Layered``), found on the batch's first text.

        Raises UnsupportedError for a module that lacks ``Differentiable`` or takes one text a call.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        if 0 < self.plan.rows < max(COPIES):
            raise UnsupportedError(f"the model {self.name} takes one text a call, so its states cannot be told apart")
        return found_sites(self.module, self._call_from, self.embed, batch)

    @ability
    def states_from(
        self, embeds: Float[Tensor, "b t d"], batch: Batch, sites: Sequence[Site]
    ) -> list[Float[Tensor, "b s h"]]:
        """Return the states at sites for these vectors (see ``Layered``); they carry a gradient to the vectors."""
        refuse_denied(self.name, self.lacks, Differentiable)
        parts, runs = self._parts(batch) or [torch.arange(len(batch))], []
        for rows in parts:
            vectors = embeds[rows.to(embeds.device)]
            runs.append(read_states(self.module, self._call_from, vectors, batch.take(rows), sites))
        return [in_order(parts, states) for states in zip(*runs, strict=True)]

    @ability
    def outputs_moved(
        self,
        embeds: Float[Tensor, "b t d"],
        batch: Batch,
        sites: Sequence[Site],
        shifts: Sequence[Float[Tensor, "b _"]],
    ) -> Float[Tensor, "b c"]:
        """Return the outputs when the states at sites have moved (see ``Movable``)."""
        refuse_denied(self.name, self.lacks, Differentiable)
        parts, runs = self._parts(batch) or [torch.arange(len(batch))], []
        for rows in parts:
            at = rows.to(embeds.device)
            own = [shift[at] for shift in shifts]
            runs.append(moved_outputs(self.module, self._call_from, embeds[at], batch.take(rows), sites, own))
        return in_order(parts, runs)

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
    def learn(self, batch: Batch, *, known: bool = False) -> Recurrence:
        """Recognise the way from states to outputs on some texts. A ``known`` recurrence is tried on no others.

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
        if not known:
            self._try_strange(batch, recurrence)
        top = self._unrolled(batch, recurrence).layers[-1]
        starts = [start for direction in top for start in (direction.h0, direction.c0) if start is not None]
        return replace(
            recurrence,
            same_start=all(torch.equal(start, start[:1].expand_as(start)) for start in starts),
            blind=self._is_blind(batch),
            forgetting=FORGETTING.get(top[0].cell, ""),
        )

    @torch.no_grad()
    def _try_strange(self, batch: Batch, recurrence: Recurrence) -> None:
        """Raise UnsupportedError unless the recurrence holds for other vectors too, among them some far out.

        There a clamp shows that seldom bites at words. The farthest vectors are the same at each step, so that states
        grow as large as they can.
        """
        vectors = self.embed(batch)
        drawn = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0)).to(vectors) * vectors.std()
        for rows in self._parts(batch) or [torch.arange(len(batch))]:
            part = batch.take(rows)
            near = drawn[rows.to(drawn.device), : part.ids.shape[1]]
            for strange in (near, FAR * near, FAR**2 * near[:, :1].expand_as(near)):
                if bool(self._call_from(strange, part).isfinite().all()):
                    self._run_unrolled(part, recurrence, strange)

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

    @torch.no_grad()
    def _vectors(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The vectors of each lookup, side by side; of a batch that the module widens, maybe also those of the filling.

        Those of a lookup that shows them only while the module runs are taken from such a run.
        """
        lookups = self.profile.lookups
        shown = self._shown(batch) if any(lookup.seen for lookup in lookups) else []
        with frozen(self.module):
            rows = [shown[n] if lookup.seen else lookup.rows(batch.ids) for n, lookup in enumerate(lookups)]
        return torch.cat([part.to(self.profile.dtype) for part in rows], -1)

    def _shown(self, batch: Batch) -> list[Float[Tensor, "b t d"]]:
        """The vectors of each lookup, as a run of the module shows them. Raises UnsupportedError if it reads no ids."""
        parts = self._parts(batch) or [torch.arange(len(batch))]
        found: list[list[Tensor]] = [[] for _ in self.profile.lookups]
        for rows in parts:
            part = self.plan.widened(batch.take(rows))
            seen: dict[int, Tensor] = {}

            def note(number: int, reading: Reading, part: Batch = part, seen: dict[int, Tensor] = seen) -> None:
                turned = self.profile.lookups[number].turned
                if reads(reading.ids, part, turned=turned):
                    seen[number] = gathered(reading.vectors, part, turned=turned)

            with replacing(self.profile.lookups, note):
                self._call(part)
            for number, vectors in enumerate(found):
                if number not in seen:
                    raise UnsupportedError(MOVING.format(type(self.profile.lookups[number].table).__name__))
                vectors.append(seen[number])
        width = max(vectors.shape[1] for vectors in found[0])
        filled = [[nn.functional.pad(part, (0, 0, 0, width - part.shape[1])) for part in vectors] for vectors in found]
        return [in_order(parts, vectors) for vectors in filled]

    def _call_from(self, embeds: Tensor, batch: Batch) -> Tensor:
        short, batch = embeds.shape[1], self.plan.widened(batch)
        if batch.ids.shape[1] > short:  # pad tokens that are not part of the text keep their own vectors
            embeds = torch.cat([embeds, self._vectors(batch)[:, short:].to(embeds.dtype)], 1)
        lookups = self.profile.lookups
        vectors = torch.split(embeds, [lookup.table.embedding_dim for lookup in lookups], -1)

        def give(number: int, reading: Reading) -> Tensor:
            if reading.pools:
                replacement = bagged(vectors[number], reading, batch)
            else:
                replacement = placed(vectors[number], reading.ids, batch, turned=lookups[number].turned)
            if replacement is None:
                raise UnsupportedError(OTHER_IDS)
            return replacement.to(reading.result.dtype) if self.profile.casts else replacement

        with replacing(lookups, give):
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

    def _run_unrolled(self, batch: Batch, recurrence: Recurrence, vectors: Tensor | None = None) -> Unrolled:
        attends = any(kind == "attention" for pooling in recurrence.readout for _, _, kind in pooling)
        with watching(self.module, functions=attends) as recording:
            outputs = self._call(batch) if vectors is None else self._call_from(vectors, batch)
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
