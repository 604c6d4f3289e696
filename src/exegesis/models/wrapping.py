"""``wrap``: find out by trial runs how a module wants to be called and how far it can be seen through.

Trials tell the layout of its ids, its lengths and masks, where its word vectors and its recurrent layer are, and how
states become outputs. The class of what comes back tells what the module can serve; ``lacks`` tells what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from exegesis.core.batch import Batch, pad
from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, UsageError
from exegesis.core.target import Labels, Link, label_names
from exegesis.core.text import text_of_words
from exegesis.models.calling import find_plan
from exegesis.models.heads import NO_LINEAR
from exegesis.models.hf_model import HuggingFaceModel
from exegesis.models.hf_wrapping import wrap_huggingface
from exegesis.models.plan import Call
from exegesis.models.reader import Reader, reader_of
from exegesis.models.sight import Table, reads, replacing
from exegesis.models.wrapped import TorchClassifier, TorchDifferentiable, TorchGated, TorchRecurrent
from exegesis.nn.rounding import near

T = TypeVar("T", bound=TorchClassifier)
OUTPUTS = ("logits", "probabilities", "multi-label")
SHAPING = ("queeze", "View", "Select", "Slice", "Reshape", "Transpose", "TBackward", "Clone", "Alias", "Cat", "Index")


def wrap(
    module: nn.Module,
    *,
    vocabulary: object = None,
    tokenizer: object = None,
    labels: Labels | None = None,
    call: Call | None = None,
    outputs: str | None = None,
    lowercase: bool | None = None,
    name: str | None = None,
) -> TorchClassifier | HuggingFaceModel:
    """Explain your own trained module as it stands.

    ``vocabulary``: words in the order of their ids, a dict from words to ids, or an object with ``stoi`` / ``itos``.
    ``tokenizer``: a function from a text to tokens, or a Hugging Face tokenizer. ``labels`` in the order of the
    outputs; two labels and one output make a sigmoid model whose output speaks for the second label, one label and one
    output a regression. ``call=lambda module, batch: ...`` says how to run the module where its signature does not
    tell (batch has ids [b, t], mask, lengths, segments). ``outputs`` says what the module returns: ``"logits"``,
    ``"probabilities"`` (it ends in a softmax or a sigmoid) or ``"multi-label"`` (logits of labels that do not exclude
    each other); without it logits are assumed, and what looks like probabilities is refused. Outputs whose exponentials
    sum to one (the module ends in a log-softmax) are log-probabilities, and are called so. The module is run in
    evaluation mode and comes back as it was. Texts shorter than the module takes (one with convolutions needs as many
    pieces as its widest kernel) are filled up with pad tokens. A Hugging Face model with its tokenizer, given
    without ``call``, ``outputs`` or ``lowercase``, is what ``load`` makes of its name, its labels its config's. Of an
    answer with several parts the first with as many outputs as labels is taken; of a compiled module the one inside.

    Raises UsageError for missing or contradicting arguments, ModelError where the module cannot be run.
    """
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"wrap takes a torch nn.Module, not {type(module).__name__}; for a function use blackbox(), weights alone "
            "are to be loaded into their module"
        )
    plain = all(given is None for given in (vocabulary, call, outputs, lowercase))
    if plain and _pretrained(module, tokenizer):
        return wrap_huggingface(module, tokenizer, None if labels is None else label_names(labels), name=name)
    module = getattr(module, "_orig_mod", module)  # what torch.compile was given: it looks past hooks
    if any(nn.parameter.is_lazy(weight) for weight in module.parameters()):
        raise UsageError("the module has lazy layers without weights: run it once, or load its trained weights, first")
    reader = reader_of(vocabulary, tokenizer, lowercase)
    usable = _usable(module, reader)

    def probing(lengths: Sequence[int]) -> Batch:
        return _probe(module, reader, usable, lengths)

    plan, width, probe = find_plan(module, probing, call, reader.tokens["pad"], _widths(labels))
    names, link = _labels(labels, width, outputs)
    bare = TorchClassifier(module, reader, names, link, plan, name or type(module).__name__)
    able = _most(bare, probe, probing)
    _check_outputs(able, probe, said=outputs is not None)
    if link is Link.SOFTMAX and _are_logs(able.outputs(probe)):
        able._link = Link.LOG_SOFTMAX
    able.lacks = _advised(able)
    able.blank = _blank(able)
    return able


def _pretrained(module: nn.Module, tokenizer: object) -> bool:
    """Whether a module and its tokenizer are Hugging Face's."""
    own = any(cls.__name__ == "PreTrainedModel" for cls in type(module).__mro__)
    return own and callable(tokenizer) and hasattr(tokenizer, "convert_ids_to_tokens")


def _usable(module: nn.Module, reader: Reader) -> list[int]:
    """Ids of ordinary words for trials. Raises UsageError where the vocabulary does not fit the module."""
    sizes = [part.num_embeddings for part in module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)]
    if sizes and reader.size > max(sizes):
        raise UsageError(f"the vocabulary has {reader.size} ids, but the module's embedding only {max(sizes)} rows")
    special = set(reader.tokens.values())
    return [i for i in range(min(reader.size, 128)) if i not in special] or [0]


def _probe(module: nn.Module, reader: Reader, usable: Sequence[int], lengths: Sequence[int]) -> Batch:
    """Texts of some lengths, longest first, with ids drawn from a fixed seed."""
    draws = torch.Generator().manual_seed(0)
    texts = []
    for length in lengths:
        ids = [usable[int(i)] for i in torch.randint(len(usable), (length,), generator=draws)]
        texts.append(text_of_words("", [("", 0, 0)] * length, ids))
    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
    return pad(texts, reader.tokens["pad"], device)


def _labels(labels: Labels | None, width: int, outputs: str | None) -> tuple[tuple[str, ...], Link]:
    if outputs is not None and outputs not in OUTPUTS:
        raise UsageError(f"outputs must be 'logits', 'probabilities' or 'multi-label', not {outputs!r}")
    if labels is None and width == 1:
        raise UsageError("the module has one output: give labels=[no, yes] for a sigmoid, one label for a regression")
    names = tuple(str(i) for i in range(width)) if labels is None else label_names(labels)
    if len(set(names)) != len(names):
        raise UsageError(f"labels must differ from each other: {', '.join(names)}")
    if width == 1 and len(names) == 2 and outputs != "multi-label":
        return names, Link.PROBABILITY if outputs == "probabilities" else Link.BINARY
    if len(names) != width:
        raise UsageError(f"{len(names)} labels are given, but the module has {width} outputs")
    if outputs == "probabilities":
        return names, Link.PROBABILITY
    if outputs == "multi-label":
        return names, Link.SIGMOID
    return names, Link.IDENTITY if width == 1 else Link.SOFTMAX


def _widths(labels: Labels | None) -> set[int]:
    """The numbers of outputs that the labels allow; none where none are given."""
    count = 0 if labels is None else len(label_names(labels))
    return {1, 2} if count == 2 else {count} if count else set()


def _check_outputs(model: TorchClassifier, probe: Batch, *, said: bool) -> None:
    """Raises UsageError for outputs that are probabilities though logits are expected, and the other way round."""
    raw = model.outputs(probe).cpu().double()
    inside = bool(((raw >= 0) & (raw <= 1)).all())
    if model.link is Link.PROBABILITY and not inside:
        raise UsageError("outputs='probabilities' is said, but the module's outputs do not lie between 0 and 1")
    if model.link in (Link.PROBABILITY, Link.IDENTITY) or not inside:
        return
    end = _end(model, probe) if isinstance(model, TorchDifferentiable) else None
    sums = bool(torch.allclose(raw.sum(1), raw.new_ones(()), atol=1e-3)) and raw.shape[1] > 1
    unseen = not isinstance(model, TorchDifferentiable) and not said
    if end in ("softmax", "sigmoid") or (sums and end is None) or unseen:
        what = f"the module ends in a {end}" if end else "the module's outputs look like probabilities, from 0 to 1"
        rest = "" if end or sums else "; outputs='logits' where they are logits all the same"
        raise UsageError(
            f"{what}: let it return logits, or say outputs='probabilities' (then no logit can be explained){rest}"
        )


def _are_logs(raw: Tensor) -> bool:
    """Whether outputs are log-probabilities: their exponentials sum to one for every text."""
    near = 1e-4 if raw.dtype in (torch.float32, torch.float64) else 2e-2
    return bool((raw.cpu().double().logsumexp(1).abs() < near).all())


def _advised(model: TorchClassifier) -> dict[str, str]:
    """What a module lacks, with what to do where it ends in a softmax, a log-softmax or a sigmoid."""
    given = {Link.PROBABILITY: "probabilities", Link.LOG_SOFTMAX: "log-probabilities"}.get(model.link)
    advice = (
        f"its outputs are {given}, and the method decomposes the logits before them: hand it the module without its "
        "last step, so that it ends in an nn.Linear that reads pooled states"
    )
    return {name: advice if given and reason == NO_LINEAR else reason for name, reason in model.lacks.items()}


def _end(model: TorchDifferentiable, probe: Batch) -> str | None:
    """The non-linear function that the module applied last, read off the graph of a differentiable run."""
    with torch.enable_grad():
        raw = model.outputs_from(model.embed(probe).requires_grad_(True), probe)
    step = raw.grad_fn
    while step is not None and any(name in step.name() for name in SHAPING):
        step = next((before for before, _ in step.next_functions if before is not None), None)
    name = "" if step is None else step.name()
    if name.startswith(("SoftmaxBackward", "SigmoidBackward")):
        return "softmax" if name.startswith("Soft") else "sigmoid"
    return None


def _blank(model: TorchClassifier) -> int | None:
    """What stands for an empty text: None where the module can take pad tokens alone, else the unknown token."""
    pad_id = model.tokens["pad"]
    for blank in (pad_id, model.tokens.get("unknown")):
        if blank is None:
            continue
        texts = [text_of_words("", [("", 0, 0)] * n, [blank, *[pad_id] * (n - 1)]) for n in (2, 1)]
        try:
            if bool(torch.isfinite(model.outputs(pad(texts, pad_id, model.device))).all()):
                return None if blank == pad_id else blank
        except ModelError:
            pass
    return None


def _most(bare: TorchClassifier, probe: Batch, probing: Callable[[Sequence[int]], Batch]) -> TorchClassifier:
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
    tight = near(expected, double=1e-9, single=1e-4)
    if not torch.allclose(given, expected, rtol=tight, atol=tight):
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
