"""The abilities of a user's module, found by trials: its word vectors, their gradient, its recurrent layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, out_of_memory
from exegesis.core.text import text_of_words
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.lookups import Lookup, Reading, reads, replacing, steady
from exegesis.models.slopes import NO_SLOPE, has_slope
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.ways import ELSEWHERE, by_another_way, texts_of, tried_words
from exegesis.nn.frozen import frozen
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, pad

Probing = Callable[[Sequence[int]], Batch]  # makes texts of some lengths
NO_GATE = "the module's recurrent layer is a plain nn.RNN, which has no gate that forgets"
MADE_WITHOUT = "its weights were made inside torch.inference_mode(), where no gradient passes: take copy.deepcopy of it"
TRIED = (12, 3, 1, 40)  # lengths of the texts in which other words are tried; every word in those of the first length
FEW = 24  # texts of each other length
ROWS = (0, 8, 1)  # rows per call that are tried for a module that may mix up its rows; 0 is any number


def with_abilities(bare: TorchClassifier, probe: Batch, probing: Probing) -> TorchClassifier:
    """Try every ability that a module may have; the result's ``lacks`` has the reasons for those that failed."""
    known = is_our_own(bare.module)
    ties = None if known else probing((3,) * 32 + (2,) * 32)
    try:
        model = _with_vectors(bare, probe, probing, ties)
        if not known:
            _check_words(model)
    except ExegesisError as error:
        return changed(bare, lacks=dict.fromkeys(("Differentiable", "Recurrent", "Gated"), str(error)))
    found = _with_states(model, probe, ties)
    if known or _slopes(model, probe):
        return found
    return changed(found, lacks={"Differentiable": NO_SLOPE, **found.lacks})


def _with_states(model: TorchClassifier, probe: Batch, ties: Batch | None) -> TorchClassifier:
    try:
        recurrent = changed(model, recurrence=model.learn(probe, known=ties is None))
        if ties is not None:
            _check_aligned(recurrent, probe)
            recurrent = _in_order(recurrent, lambda model: model.unroll(ties))
    except ExegesisError as error:
        return changed(model, lacks=dict.fromkeys(("Recurrent", "Gated"), str(error)))
    return recurrent if recurrent.forgetting else changed(recurrent, lacks={"Gated": NO_GATE})


def changed(model: TorchClassifier, **changes: Any) -> TorchClassifier:
    return replace(model, profile=replace(model.profile, **changes))


def _with_vectors(bare: TorchClassifier, probe: Batch, probing: Probing, ties: Batch | None) -> TorchClassifier:
    """The model with its word vectors found, with as many texts per call as its way of reading them allows.

    ``ties`` are many texts of like length, in which a module may mix up its rows; None for one that does not.
    Raises UnsupportedError if they cannot be replaced even in a text alone.
    """
    if any(weight.is_inference() for weight in bare.module.parameters()):
        raise UnsupportedError(MADE_WITHOUT)
    complaint: ExegesisError | None = None
    single = replace(bare.plan, pads=False, rows=1)
    for plan in dict.fromkeys((bare.plan, replace(bare.plan, pads=False), single)):
        model = changed(bare, plan=plan)
        try:
            longest = int(probe.lengths.max())
            model = changed(model, lookups=_lookups(model, probing((longest,) * (1 if plan.rows == 1 else 2))))
            model = _typed(model, probe)
            return model if ties is None else _in_order(model, lambda model: _check_vectors(model, ties))
        except ExegesisError as error:
            complaint = complaint or error
    assert complaint is not None
    raise complaint


def _lookups(bare: TorchClassifier, batch: Batch) -> tuple[Lookup, ...]:
    """The embeddings and bags that read the ids of texts of one length."""
    turned: dict[int, bool] = {}
    weighted: set[int] = set()
    tables = [part for part in bare.module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)]
    texts = bare.plan.widened(batch)
    tried = [Lookup(table, turned=False, inner=isinstance(table, nn.EmbeddingBag)) for table in tables]

    def note(number: int, reading: Reading) -> None:
        for time_first in (False, True):
            if number not in turned and reads(reading.ids, texts, turned=time_first):
                turned[number] = time_first
        if reading.options.get("per_sample_weights") is not None:
            weighted.add(number)

    with replacing(tried, note):
        bare.outputs(batch)
    if not turned:
        raise UnsupportedError(f"its word vectors are out of sight: {_without_lookup(bare.module)}")
    words = torch.unique(texts.ids)
    lookups = []
    with torch.no_grad(), frozen(bare.module):
        for number, time_first in turned.items():
            table, found = tables[number], replace(tried[number], turned=time_first, seen=number in weighted)
            moves = isinstance(table, nn.Embedding) and not steady(table, words)
            lookups.append(replace(found, inner=True, seen=True) if moves else found)
    return tuple(lookups)


def _without_lookup(module: nn.Module) -> str:
    """The reason why no embedding was found to read a text, with advice."""
    parts = list(module.modules())
    if any(isinstance(part, torch.jit.ScriptModule) for part in parts):
        return "it is scripted or traced code, whose parts cannot be watched; hand it the module that was scripted"
    none = "no nn.Embedding reads the ids of whole texts in a call"
    if not any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in parts):
        return f"{none}; put the one that stands outside in front, by nn.Sequential(embedding, module)"
    return none


def _check_vectors(model: TorchClassifier, batch: Batch) -> None:
    """Raise UnsupportedError if the outputs do not follow from the word vectors, or carry no gradient to them."""
    vectors = model.embed(batch)
    with torch.enable_grad():
        try:
            outputs = model.outputs_from(vectors.requires_grad_(True), batch)
        except ModelError as error:
            raise UnsupportedError(f"its word vectors cannot be replaced ({error})") from error
        try:
            torch.autograd.grad(outputs.sum(), vectors)
        except RuntimeError as error:
            if "inplace" not in str(error):  # the rules of LRP and DeepLIFT do not need overwritten values
                raise UnsupportedError(
                    "no gradient reaches its word vectors: quantised layers have none, nor has what runs under no_grad "
                    "or behind a detach(); hand it the module before it was quantised, or without that"
                ) from error
        outputs = outputs.detach()
    if not agree(outputs, model.outputs(batch), double=1e-9, single=1e-4, of=model.module):
        raise UnsupportedError("its outputs do not follow from its word vectors alone")


def _hooked(part: nn.Module) -> bool:
    """True for a part with hooks, or with a forward of its own."""
    hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
    return any(hooks) or "forward" in vars(part)


def is_our_own(module: nn.Module) -> bool:
    """True for a network that Exegesis trains, unless something hangs on it or a part was exchanged for a stranger.

    Whatever its weights, its words have one way to the outputs, each text is read by itself and in its order, and the
    gradient is the slope. So it is read like any other module, and not tried out like one.
    """
    parts = list(module.modules())
    ours = all(type(part).__module__.startswith(("torch.nn.modules.", "exegesis.")) for part in parts)
    return type(module) is RecurrentClassifier and ours and not any(map(_hooked, parts))


def _slopes(model: TorchClassifier, probe: Batch) -> bool:
    """True if the gradient is the slope of the outputs, or torch refuses it for values that are written over."""
    try:
        return has_slope(model, model.module, probe)
    except RuntimeError as error:
        if out_of_memory(error) or "inplace" not in str(error):
            raise
        return True


def _check_words(model: TorchClassifier) -> None:
    """Raise UnsupportedError if words reach the outputs by another way than their vectors (see ``models.ways``)."""
    tables = [lookup.table for lookup in model.profile.lookups]
    pads = {table.padding_idx for table in tables}
    words = tried_words(model.module, [word for word in model.reader.words if word not in pads], tables)
    lengths = [length + model.plan.least - 1 for length in TRIED]
    for length in dict.fromkeys(min(length, model.plan.most or length) for length in lengths if len(words)):
        texts = min(FEW, max(2, len(words) // length)) if model.plan.rows == 1 or length != lengths[0] else None
        for ids, others in texts_of(words.to(model.device), length, texts):
            batch = Batch(others, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
            try:
                besides = by_another_way(model, batch, ids)
            except ModelError as error:
                if length == lengths[-1]:  # the module has fewer positions
                    return
                raise UnsupportedError(f"it does not run with every word of its vocabulary ({error})") from error
            if besides:
                raise UnsupportedError(
                    f"{ELSEWHERE} (a bias per word, a hashed table, characters, counts): let them all go through "
                    "nn.Embedding layers that read the ids of a text"
                )


def _typed(model: TorchClassifier, probe: Batch) -> TorchClassifier:
    """The model with its word vectors in the type of its outputs, which are cast to their own type if need be.

    Raises UnsupportedError if they cannot be replaced.
    """
    model = changed(model, dtype=model.outputs(probe).dtype)
    try:
        _check_vectors(model, probe)
    except UnsupportedError:
        if all(lookup.table.weight.dtype == model.profile.dtype for lookup in model.profile.lookups):
            raise
        model = changed(model, casts=True)
        _check_vectors(model, probe)
    return model


def _in_order(model: TorchClassifier, trial: Callable[[TorchClassifier], object]) -> TorchClassifier:
    """The model with no more texts per call than its module keeps in order.

    A module that sorts its rows by length permutes rows of one length if the library's sort is unstable; for few
    rows it is stable. Raises UnsupportedError if the trial, over a batch with many such rows, fails with any number.
    """
    for rows in ROWS if model.plan.rows == 0 else (n for n in ROWS if 0 < n <= model.plan.rows):
        limited = changed(model, plan=replace(model.plan, rows=rows))
        try:
            trial(limited)
            break
        except UnsupportedError:
            if rows == 1:
                raise
    return limited


def _check_aligned(model: TorchClassifier, probe: Batch) -> None:
    """Raise UnsupportedError unless position t of the recurrent layer moves with word t (for every t of a text).

    A module that turns its texts round or puts a token in front of them would get its scores on wrong words.
    """
    row = probe.take(torch.tensor([0]))
    vectors = model.embed(row)[0]
    count = len(vectors)
    ids = row.ids.expand(count + 1, -1).clone()
    moved = []
    for t in range(count):
        others = (vectors != vectors[t]).any(1).nonzero().flatten().tolist()
        if others:
            ids[t, t] = row.ids[0, others[0]]
            moved.append(t)
    texts = tuple(text_of_words("", [("", 0, 0)] * count, text_ids) for text_ids in ids.tolist())
    inputs = model.unroll(pad(texts, model.tokens["pad"], model.device)).layers[0][0].inputs
    if any(torch.equal(inputs[t, t], inputs[count, t]) for t in moved):
        raise UnsupportedError(
            "its recurrent layer reads the words at other positions than the text's (turned round, or behind a token "
            "put in front), so that states and words do not match: let it read the text as it stands"
        )
