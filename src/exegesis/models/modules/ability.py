"""How far a module can be seen through: the most able adapter whose trials it passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError
from exegesis.core.text import text_of_words
from exegesis.models.modules.adapter import TorchClassifier, TorchDifferentiable, TorchGated, TorchRecurrent
from exegesis.models.modules.hooks import Table, reads, replacing
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, pad

T = TypeVar("T", bound=TorchClassifier)


def most_able(bare: TorchClassifier, probe: Batch, probing: Callable[[Sequence[int]], Batch]) -> TorchClassifier:
    """The most able adapter that the module allows; what it lacks is kept as reasons."""
    ties = probing((3,) * 32 + (2,) * 32)
    try:
        seen = _differentiable(bare, probe, probing, ties)
    except ExegesisError as error:
        bare.lacks = dict.fromkeys(("Differentiable", "Recurrent", "Gated"), str(error))
        return bare
    able = _as(TorchRecurrent, seen)
    try:
        able.learn(probe)
        cell = able.unroll(probe).layers[-1][0].cell
        _check_aligned(able, probe)
        _keep_order(able, lambda: able.unroll(ties))
    except ExegesisError as error:
        seen.lacks = {"Recurrent": str(error), "Gated": str(error)}
        return seen
    if cell not in ("lstm", "gru"):
        able.lacks = {"Gated": "the module's recurrent layer is a plain nn.RNN, which has no gate that forgets"}
        return able
    gated = _as(TorchGated, able)
    gated.forgetting = {"lstm": "f", "gru": "z"}[cell]
    return gated


def _differentiable(
    bare: TorchClassifier, probe: Batch, probing: Callable[[Sequence[int]], Batch], ties: Batch
) -> TorchDifferentiable:
    """The adapter that replaces word vectors: of as many texts a call as the module's way of reading them allows.

    Raises UnsupportedError where they cannot be replaced even in a text alone.
    """
    complaint: ExegesisError | None = None
    plan = bare.plan
    single = replace(plan, pads=False, rows=1)
    for each in dict.fromkeys((plan, replace(plan, pads=False), single)):
        seen = _as(TorchDifferentiable, bare)
        seen.plan = each
        try:
            longest = int(probe.lengths.max())
            seen.embeddings, seen.turned = _embeddings(seen, probing((longest,) * (1 if each.rows == 1 else 2)))
            _follows(seen, probe)
            _keep_order(seen, lambda seen=seen: _follows(seen, ties))  # type: ignore[misc]
        except ExegesisError as error:
            complaint = complaint or error
            continue
        return seen
    assert complaint is not None
    raise complaint


def _as(kind: type[T], bare: TorchClassifier) -> T:
    made = kind.__new__(kind)
    made.__dict__.update(bare.__dict__)
    return made


def _embeddings(bare: TorchClassifier, batch: Batch) -> tuple[tuple[Table, ...], tuple[bool, ...]]:
    """The embeddings and bags that read the ids of texts of one length, and whether they read them time first."""
    found: dict[int, bool] = {}
    parts = [part for part in bare.module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)]
    texts = bare.plan.widened(batch)

    def note(number: int, ids: Tensor, _: Tensor) -> None:
        for turned in (False, True):
            if number not in found and reads(ids, texts, turned=turned):
                found[number] = turned

    with replacing(parts, note):
        bare.outputs(batch)
    if not found:
        raise UnsupportedError(f"its word vectors are out of sight: {_hidden(bare.module)}")
    return tuple(parts[number] for number in found), tuple(found.values())


def _hidden(module: nn.Module) -> str:
    """Why no embedding was seen to read a text, and what to do."""
    parts = list(module.modules())
    if any(isinstance(part, torch.jit.ScriptModule) for part in parts):
        return "it is scripted or traced code, whose parts cannot be watched; hand it the module that was scripted"
    none = "no nn.Embedding reads the ids of whole texts in a call"
    if not any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in parts):
        return f"{none}; put the one that stands outside in front, by nn.Sequential(embedding, module)"
    return none


def _follows(model: TorchDifferentiable, batch: Batch) -> None:
    """Raises UnsupportedError where the outputs are not those of the word vectors given, or carry no gradient."""
    vectors = model.embed(batch)
    with torch.enable_grad():
        try:
            given = model.outputs_from(vectors.requires_grad_(True), batch)
        except ModelError as error:
            raise UnsupportedError(f"its word vectors cannot be replaced ({error})") from error
        try:
            torch.autograd.grad(given.sum(), vectors)
        except RuntimeError as error:
            if "inplace" not in str(error):  # the rules of LRP and DeepLIFT do without what was written over
                raise UnsupportedError(
                    "no gradient reaches its word vectors: quantised layers have none, nor has what runs under no_grad "
                    "or behind a detach(); hand it the module before it was quantised, or without that"
                ) from error
        given = given.detach()
    expected = model.outputs(batch)
    if not agree(given, expected, double=1e-9, single=1e-4):
        raise UnsupportedError("its outputs do not follow from its word vectors alone")


def _keep_order(model: TorchClassifier, trial: Callable[[], object]) -> None:
    """Let no more texts share a call than the module keeps in order.

    A module that sorts its rows by length permutes rows of one length, where the library's sort is unstable; for few
    rows it is stable. Raises UnsupportedError where the trial, over a batch with many such rows, fails with any number.
    """
    for rows in (0, 8, 1) if model.plan.rows == 0 else (model.plan.rows,):
        model.plan = replace(model.plan, rows=rows)
        try:
            trial()
            return
        except UnsupportedError:
            if rows == 1:
                raise


def _check_aligned(model: TorchRecurrent, probe: Batch) -> None:
    """Raises UnsupportedError unless position t of the recurrent layer moves with word t (for every t of a text).

    A module that turns its texts round or puts a token in front of them would otherwise have its scores on wrong words.
    """
    row = probe.take(torch.tensor([0]))
    vectors = model.embed(row)[0]
    count = len(vectors)
    ids = row.ids.expand(count + 1, -1).clone()
    moved = []
    for t in range(count):
        other = (vectors != vectors[t]).any(1).nonzero().flatten().tolist()
        if other:
            ids[t, t] = row.ids[0, other[0]]
            moved.append(t)
    texts = tuple(text_of_words("", [("", 0, 0)] * count, each) for each in ids.tolist())
    inputs = model.unroll(pad(texts, model.tokens["pad"], model.device)).layers[0][0].inputs
    if any(torch.equal(inputs[t, t], inputs[count, t]) for t in moved):
        raise UnsupportedError(
            "its recurrent layer reads the words at other positions than the text's (turned round, or behind a token "
            "put in front), so that states and words do not match: let it read the text as it stands"
        )
