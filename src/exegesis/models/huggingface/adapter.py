"""The adapter of a Hugging Face sequence classifier with its tokenizer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, out_of_memory
from exegesis.core.place import Place
from exegesis.core.text import Span, Text
from exegesis.models.huggingface.text import Reader, pad_id, widened
from exegesis.models.huggingface.vectors import Lookup, find_lookups, replaced, word_vectors
from exegesis.models.huggingface.windows import marked, windowed
from exegesis.models.moved import moved_outputs
from exegesis.models.parts import in_order
from exegesis.models.profiled import Profiled
from exegesis.models.sites import found_sites, read_states
from exegesis.nn.context import ability
from exegesis.nn.kept import Kept, Watch
from exegesis.nn.offloaded import running_device
from exegesis.nn.weights import weights_in
from exegesis.protocols.batch import Batch, groups, pad
from exegesis.protocols.budget import Work, budget_for
from exegesis.protocols.insides import Layered, Site
from exegesis.protocols.model import Differentiable, Raw, refuse_denied
from exegesis.protocols.target import Link

NAMED = 100  # labels that a representation names
PARTS = 2  # of a pair, numbered in ``segments``
MIN_WIDTH = 16  # a row that is too short for the module is filled up to as many pieces
_PROBES = ("a word", "a word or", "a word and some", "a word and some more of them")
NO_STATES = {
    "Recurrent": "a Hugging Face model shows no recurrent states",
    "Gated": "a Hugging Face model shows no gates",
}


@dataclass(frozen=True)
class Profile:
    """The findings in a module's config and in a trial of it.

    ``tokens`` are ids by role, ``size`` is the number of ids that the module knows. ``padded`` says that rows of
    different lengths may share a call of the module: its outputs do not depend on the padding. Otherwise (a head that
    reads the last position) only rows of equal length do, and if it is not ``shared`` (a maximum over the call, a state
    kept for so many texts) none do. ``lookups`` are where the module looks its words up. ``lacks`` has the reason for
    each ability that it does not have. ``kept`` is what the module keeps on itself from call to call, as it was when it
    was tried: every call begins with that.
    """

    name: str
    labels: tuple[str, ...]
    link: Link
    tokens: Mapping[str, int]
    size: int
    padded: bool
    shared: bool = True
    lookups: tuple[Lookup, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=lambda: dict(NO_STATES))
    kept: Kept | Watch = field(default_factory=Kept, compare=False)


@dataclass(frozen=True, eq=False, repr=False)
class HuggingFaceClassifier(Profiled):
    """A Hugging Face sequence classifier as a model, with the members of every ability that one may have.

    It holds the user's module and puts it back as it was after each call: training mode, ``requires_grad``, hooks,
    config, whatever happens inside. A row that is left without any piece (the only word of a text removed, if the
    tokenizer adds no special pieces) is read as the tokenizer's beginning-of-text or end-of-text piece, else as
    ``tokens["pad"]``. Rows that the module refuses together (BART wants equally many end-of-text pieces in each) are
    run apart, and a row that is too short for it (CANINE folds four characters into one) is filled up with padding.

    Its word vectors (the input embeddings, before positions) are replaced at the module's own lookups, while it still
    gets the ids: heads and position numbers that look at ids work as they do without, and
    ``outputs_from(embed(batch), batch)`` is ``outputs(batch)`` to the last bit. (Calling with ``inputs_embeds`` would
    make GPT-2 read padding, make RoBERTa number its positions otherwise, and make BART fail.) An encoder-decoder reads
    its words twice, the second time moved by one place: both times they are replaced. If its halves have a table each,
    a word's vector is the two side by side. ``lacks`` says why if they cannot be replaced.

    With ``reader.windows`` a text beyond the limit is read in windows (see ``windows``), and its outputs are the means
    of theirs. Weights, hidden states and attention are those of a single window, so questions about them refuse it.
    """

    module: nn.Module
    reader: Reader
    profile: Profile
    accepted: frozenset[str] = field(init=False)

    work: ClassVar[Work] = "classifier"

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted", _accepted(self.module))

    @classmethod
    def probes(cls) -> Sequence[Raw]:
        """Short inputs of different lengths, on which the module is tried."""
        return _PROBES

    def looked_up(self, row: Batch) -> Self:
        """The model with the lookups of its words, found while the module runs one row of a batch."""
        lookups = find_lookups(self.module, row.ids, lambda: self.outputs(row))
        return replace(self, profile=replace(self.profile, lookups=lookups))

    def __repr__(self) -> str:
        labels = f"{list(self.labels[:NAMED])}" if len(self.labels) <= NAMED else f"{len(self.labels)} words"
        return f"{type(self).__name__}({self.name!r}, labels={labels})"

    @property
    def tokens(self) -> Mapping[str, int]:
        """Ids by role: ``pad``, and ``unknown`` and ``mask`` if the tokenizer has them and the module knows them."""
        return self.profile.tokens

    @property
    def device(self) -> torch.device:
        return running_device(self.module)

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self.reader.tokenizer

    def read(self, raw: Raw) -> Text:
        """Read a text or a pair (see ``Reader.read``)."""
        return self.reader.read(raw)

    @ability
    def encode(self, texts: Sequence[Text]) -> Batch:
        """Pad texts on the right, whatever side the tokenizer pads on, and move them to the module's device."""
        return self._marked(pad(texts, self.tokens["pad"]), texts).to(self.device)

    def windows(self, text: Text) -> tuple[Span, ...]:
        """The pieces of each window that the outputs for a text come from; none for a text that is read whole."""
        return () if self.reader.windows is None else self.reader.windows.over(text)

    def _marked(self, batch: Batch, texts: Sequence[Text]) -> Batch:
        """The batch with the windows of its long texts."""
        windows = [self.windows(text) for text in texts]
        return marked(batch, windows, self._unit) if any(windows) else batch

    @property
    def _unit(self) -> int:
        """What ``segments`` say besides windows is below this number."""
        return PARTS

    @ability
    @torch.no_grad()
    def outputs(self, batch: Batch) -> Float[Tensor, "b c"]:
        """Return the module's logits, half precision as float32. Raises ModelError if the module fails."""
        return self._run(self._filled(batch.to(self.device)), None)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The module's weights by name. Raises UnsupportedError for a module whose weights are out of sight."""
        return weights_in(self.module, self.name)

    @ability
    def calls(self, batch: Batch) -> list[Int[Tensor, " n"]]:
        """Return the rows of a batch that the module takes in one call each."""
        self._whole(batch, "attention and gradients")
        return [torch.tensor(rows) for rows in self._parts(self._filled(batch))]

    @ability
    def outputs_by_weights(self, batch: Batch) -> Float[Tensor, "b c"]:
        """Return the outputs of one call's rows, with a gradient to what stands in for the weights."""
        return self._answers(self._filled(batch.to(self.device)), None)

    @ability
    @torch.no_grad()
    def embed(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """Return the input embeddings, half precision as float32; they carry no gradient.

        Raises UnsupportedError for a model that lacks ``Differentiable``.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        batch = self._filled(batch.to(self.device))
        with self.at_rest(), self._pad_id(batch) as fill:
            vectors = word_vectors(self.module, self.profile.lookups, batch.ids.masked_fill(~batch.mask, fill))
        return vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors

    @ability
    def outputs_from(self, embeds: Float[Tensor, "b t d"], batch: Batch) -> Float[Tensor, "b c"]:
        """Return the logits for these vectors instead of the batch's own; they carry a gradient to the vectors.

        Raises UnsupportedError for a model that lacks ``Differentiable``.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        return self._run(self._filled(batch.to(self.device)), embeds.to(self.device))

    @ability
    def sites(self, batch: Batch) -> Mapping[Place, Site]:
        """Return the sites of the module's hidden states (see ``Layered``), found on the batch's first text.

        Raises UnsupportedError for a model that lacks ``Differentiable`` or ``Layered``.
        """
        refuse_denied(self.name, self.lacks, Differentiable)
        refuse_denied(self.name, self.lacks, Layered)
        self._whole(batch, "hidden states")
        return found_sites(self.module, lambda embeds, rows: self._forward(rows, embeds), self.embed, batch)

    @ability
    def states_from(
        self, embeds: Float[Tensor, "b t d"], batch: Batch, sites: Sequence[Site]
    ) -> list[Float[Tensor, "b s h"]]:
        """Return the states at sites for these vectors (see ``Layered``); they carry a gradient to the vectors."""
        refuse_denied(self.name, self.lacks, Differentiable)
        batch, embeds, runs = batch.to(self.device), embeds.to(self.device), []
        parts = [torch.tensor(rows, device=self.device) for rows in self._parts(batch)]
        for rows in parts:
            part = batch.take(rows)
            runs.append(read_states(self.module, lambda e, b: self._forward(b, e), embeds[rows], part, sites))
        return [in_order(parts, states) for states in zip(*runs, strict=True)]

    @ability
    def outputs_moved(
        self,
        embeds: Float[Tensor, "b t d"],
        batch: Batch,
        sites: Sequence[Site],
        shifts: Sequence[Float[Tensor, "b _"]],
    ) -> Float[Tensor, "b c"]:
        """Return the logits when the states at sites have moved (see ``Movable``)."""
        refuse_denied(self.name, self.lacks, Differentiable)
        batch, embeds, runs = batch.to(self.device), embeds.to(self.device), []
        parts = [torch.tensor(rows, device=self.device) for rows in self._parts(batch)]
        for rows in parts:
            own = [shift.to(self.device)[rows] for shift in shifts]
            part = self._filled(batch.take(rows))
            runs.append(moved_outputs(self.module, lambda e, b: self._forward(b, e), embeds[rows], part, sites, own))
        return in_order(parts, runs)

    def _whole(self, batch: Batch, what: str) -> None:
        """Raise UnsupportedError for a batch with a text that is read in windows."""
        if self.reader.windows is not None and windowed(batch, self._unit, self.tokens["pad"]) is not None:
            raise UnsupportedError(
                f"model {self.name} reads a text of this length in windows, which have {what} each of their own: "
                "shorten it"
            )

    def _run(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        if not len(batch):
            return torch.zeros(0, self.link.width(len(self.labels)), device=self.device)
        found = None if self.reader.windows is None else windowed(batch, self._unit, self.tokens["pad"])
        if found is not None:
            if embeds is not None:
                return found.merged(self._run(self._filled(found.batch), found.taken(embeds)))
            first, back = found.distinct()
            return found.merged(self._run(self._filled(found.batch.take(first)), None)[back])
        runs = self._parts(batch)
        if runs == [[0]] and int(batch.lengths[0]) == batch.ids.shape[1]:  # one text, which is all that there is
            return self._answers(batch, None if embeds is None else embeds[:, : batch.ids.shape[1]])
        parts = [torch.tensor(rows, device=self.device) for rows in runs]
        outputs = []
        for rows in parts:
            part = batch.take(rows)
            outputs.append(self._answers(part, None if embeds is None else embeds[rows, : part.ids.shape[1]]))
        return in_order(parts, outputs)

    def _parts(self, batch: Batch) -> list[list[int]]:
        """Split a batch into rows that share a call of the module."""
        lengths, budget = batch.lengths.tolist(), budget_for(self.work, self.device)
        if not self.profile.shared:
            return [[row] for row in range(len(lengths))]
        if self.profile.padded:
            return groups(lengths, budget.pieces, budget.rows)
        equal: dict[int, list[int]] = {}
        for row, length in enumerate(lengths):
            equal.setdefault(length, []).append(row)
        step = {length: budget.rows_of(length) for length in equal}
        return [rows[i : i + step[n]] for n, rows in equal.items() for i in range(0, len(rows), step[n])]

    def _answers(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        """Run a batch (see ``_forward``); rows that the module refuses are run apart, and short ones filled up."""
        try:
            return self._forward(batch, embeds)
        except ModelError:
            if len(batch) == 1:
                wide = widened(batch, MIN_WIDTH)
                if wide is None:
                    raise
                with suppress(ModelError):
                    return self._forward(wide, embeds)
                raise
        halves = []
        for rows in torch.arange(len(batch), device=batch.device).tensor_split(2):
            part = batch.take(rows)
            halves.append(self._answers(part, None if embeds is None else embeds[rows, : part.ids.shape[1]]))
        return torch.cat(halves)

    def _forward(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Float[Tensor, "b c"]:
        logits = self._read_off(self._called(batch, embeds), batch)
        return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits

    def at_rest(self) -> AbstractContextManager[None]:
        """The module frozen, with all that it keeps from call to call as it was when it was tried."""
        return self.profile.kept.at_rest(self.module)

    def _called(self, batch: Batch, embeds: Float[Tensor, "b t d"] | None) -> Any:
        """The module's answer for a batch, with these vectors of its words if there are any."""
        with self.at_rest(), self._pad_id(batch) as fill:
            ids = batch.ids.masked_fill(~batch.mask, fill)
            arguments: dict[str, Any] = {"attention_mask": batch.mask.long(), "use_cache": False, "return_dict": True}
            if self.reader.types is not None:
                arguments["token_type_ids"] = self._types(batch, self.reader.types)
            arguments = {name: value for name, value in arguments.items() if name in self.accepted}
            arguments |= self._further(batch)
            with self._one_line(), self._replacing(ids, embeds):
                return self.module(ids, **arguments)

    def _further(self, batch: Batch) -> dict[str, Any]:
        """Further arguments of the module for a batch."""
        return {}

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Raise a ModelError of one line for any failure of the module."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ExegesisError) or out_of_memory(error):
                raise
            line = " ".join(str(error).split())[:200]
            raise ModelError(
                f"model {self.name} failed with {type(error).__name__}: {line}; {_advice(line)}"
            ) from error

    def _read_off(self, answer: Any, batch: Batch) -> Float[Tensor, "b c"]:
        """The logits of the labels in the module's answer. Raises ModelError if it has no such logits."""
        logits = answer[0] if isinstance(answer, tuple) else getattr(answer, "logits", None)
        width = self.link.width(len(self.labels))
        if not isinstance(logits, Tensor) or logits.shape != (len(batch), width):
            shape = list(logits.shape) if isinstance(logits, Tensor) else "no logits"
            raise ModelError(
                f"model {self.name} gives {shape} for {len(batch)} texts and {width} labels: take a module that "
                "classifies sequences, and as many labels as it has outputs"
            )
        return logits

    def _filled(self, batch: Batch) -> Batch:
        """The batch with one piece in each row that has none (see the class)."""
        if bool(batch.mask.any(1).all()):
            return batch
        special = [self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokens["pad"]]
        size = max(batch.ids.shape[1], 1)
        tensors = (batch.ids, batch.mask, batch.segments)
        ids, mask, segments = (nn.functional.pad(t, (0, size - t.shape[1])).clone() for t in tensors)
        empty = ~mask.any(1)
        ids[empty, 0] = next(i for i in special if i is not None)
        mask[empty, 0] = True
        return Batch(ids, mask, segments)

    def _types(self, batch: Batch, parts: tuple[int, int]) -> Int[Tensor, "b t"]:
        types = torch.where(batch.segments == 0, *parts)
        for special, number in self.reader.exceptions.items():
            types = types.masked_fill(batch.ids == special, number)
        return types

    def _pad_id(self, batch: Batch) -> AbstractContextManager[int]:
        return pad_id(self.module, self.profile.size, batch)

    def _replacing(
        self, ids: Int[Tensor, "b t"], embeds: Float[Tensor, "b t d"] | None
    ) -> AbstractContextManager[None]:
        return nullcontext() if embeds is None else replaced(self.module, self.profile.lookups, ids, embeds)


def _accepted(module: nn.Module) -> frozenset[str]:
    """The names of the arguments that a module takes."""
    parameters = inspect.signature(module.forward).parameters
    if "attention_mask" in parameters:
        return frozenset(parameters) | {"return_dict"}
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return frozenset(parameters) | (frozenset({"attention_mask", "return_dict"}) if open_ended else frozenset())


def _advice(line: str) -> str:
    """A remedy for an error of a module's own."""
    if "Double" in line or "Half" in line or "BFloat16" in line:
        return "it does not run with weights of this type: take it in float32"
    if "flex" in line.lower() or "flash" in line.lower():
        return "load it with attn_implementation='sdpa'"
    return "see whether it runs by itself on what its tokenizer gives"
