"""``wrap``: find out by trial runs how to call a module, and which abilities it has.

Trials tell the layout of its ids, its lengths and masks, the places of its word vectors and its recurrent layer, and
the way from states to outputs. If the trial of an ability fails, the adapter's ``lacks`` has the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from exegesis.core.errors import ExegesisError, ModelError, UnsupportedError, UsageError
from exegesis.core.escapes import escaped
from exegesis.core.text import text_of_words
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.models.modules.adapter import Profile, TorchClassifier
from exegesis.models.modules.calls import Call
from exegesis.models.modules.lookups import Lookup, Reading, Table, reads, replacing, steady
from exegesis.models.modules.outputs import advised, are_logs, check_outputs, labels_of, widths_of
from exegesis.models.modules.trials import find_plan
from exegesis.models.modules.wrappers import see_through, unwrapped
from exegesis.models.pipelines import is_estimator, is_pipeline, outputs_of
from exegesis.models.text.reader import Reader, reader_of
from exegesis.models.text.words import Words, worded
from exegesis.models.trained.recurrent import RecurrentClassifier
from exegesis.models.ways import ELSEWHERE, by_another_way, texts_of, tried_words
from exegesis.nn.context import entry
from exegesis.nn.frozen import frozen
from exegesis.nn.rounding import agree
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.labels import Labels
from exegesis.protocols.target import Link

Probing = Callable[[Sequence[int]], Batch]  # makes texts of some lengths
NO_GATE = "the module's recurrent layer is a plain nn.RNN, which has no gate that forgets"
MADE_WITHOUT = "its weights were made inside torch.inference_mode(), where no gradient passes: take copy.deepcopy of it"
TRIED = (12, 3, 1, 40)  # lengths of the texts in which other words are tried; every word in those of the first length
FEW = 24  # texts of each other length
_log = logging.getLogger("exegesis.wrap")
ROWS = (0, 8, 1)  # rows per call that are tried for a module that may mix up its rows; 0 is any number


@entry
def wrap(
    module: nn.Module | Any,
    *,
    vocabulary: object = None,
    tokenizer: object = None,
    labels: Labels | None = None,
    call: Call | None = None,
    outputs: str | None = None,
    lowercase: bool | None = None,
    name: str | None = None,
    words: Words | None = None,
    task: str | None = None,
) -> TorchClassifier | HuggingFaceClassifier:
    """Explain your own trained module unchanged.

    ``vocabulary``: words in the order of their ids, a dict from words to ids, or an object with ``stoi`` / ``itos``.
    ``tokenizer``: a function from a text to tokens, or a Hugging Face tokenizer. ``labels`` in the order of the
    outputs; two labels and one output make a sigmoid model whose output speaks for the second label, one label and one
    output a regression. ``call=lambda module, batch: ...`` says how to run the module if its signature does not
    tell (batch has ids [b, t], mask, lengths, segments). ``outputs`` says what the module returns: ``"logits"``,
    ``"probabilities"`` (it ends in a softmax or a sigmoid), ``"multi-label"`` (logits of labels that do not exclude
    each other) or ``"regression"`` (a plain number for each label); by default logits are assumed, and outputs that
    look like probabilities are refused. Outputs whose exponentials sum to one (the module ends in a log-softmax) are
    log-probabilities, and are called so.

    ``words`` is a function from a text to its words, or to their (start, stop), each of one or more tokens or pieces.

    The module runs in evaluation mode and is restored afterwards. Texts shorter than the module takes (a convolution
    needs as many pieces as its kernel is wide) are filled up with pad tokens. A Hugging Face model with its tokenizer,
    without ``call`` or ``lowercase``, becomes the model that ``load`` makes of its name, with the labels and the kind
    of outputs of its config by default (not for ``outputs="probabilities"``, which no such model gives by itself). If
    the module returns several parts, the first with as many outputs as labels is used; for a compiled or parallel
    module, the original one inside; ``task`` says what such a model does, by default its class (``load``), and a
    pipeline of transformers stands for its model and tokenizer. PEFT and wrappers like it around a Hugging Face model
    keep its labels if their outputs are its own. How texts are cut, and whether they are looked up in lower case, is
    what ``print(model)`` shows, and the log.

    Raises UsageError for missing or contradicting arguments, ModelError if the module cannot be run.
    """
    if is_pipeline(module):
        held: Any = module
        outputs = outputs or outputs_of(held)
        return wrap(held.model, tokenizer=tokenizer or held.tokenizer, labels=labels, outputs=outputs, name=name,
                    words=words, task=task)  # fmt: skip
    if is_estimator(module):
        raise UsageError(f"a {type(module).__name__} is no torch module: explain exegesis.blackbox(pipeline)")
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"wrap takes a torch nn.Module, not {type(module).__name__}; for a function use blackbox(), weights alone "
            "are to be loaded into their module"
        )
    plain = all(value is None for value in (vocabulary, call, lowercase)) and outputs != "probabilities"
    if plain and callable(tokenizer) and hasattr(tokenizer, "convert_ids_to_tokens"):
        found = see_through(
            unwrapped(module),
            lambda inside: wrap_huggingface(inside, tokenizer, labels, name=name, outputs=outputs, task=task),
        )
        if found is not None:
            return worded(found, words)
    if task is not None:
        raise UsageError("task= belongs to a Hugging Face model with its tokenizer; leave it out")
    module = unwrapped(module)
    if any(nn.parameter.is_lazy(weight) for weight in module.parameters()):
        raise UsageError("the module has lazy layers without weights: run it once, or load its trained weights, first")
    told = reader_of(vocabulary, tokenizer, lowercase)
    reader = _padded(told, [part for part in module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)])
    model = _explored(module, reader, labels, call, outputs, name)
    seen = _padded(told, [lookup.table for lookup in model.profile.lookups], warn=True)
    if model.profile.lookups and seen.tokens["pad"] != reader.tokens["pad"]:
        model = _explored(module, seen, labels, call, outputs, name)
    _log.info("%s: %s; tokenizer= and lowercase= say otherwise", escaped(model.name), model.reader)
    return worded(model, words)


def _explored(
    module: nn.Module, reader: Reader, labels: Labels | None, call: Call | None, outputs: str | None, name: str | None
) -> TorchClassifier:
    """The module as a model, with all that trials find out."""
    usable = _usable_ids(module, reader)

    def probing(lengths: Sequence[int]) -> Batch:
        return _probe(module, reader, usable, lengths)

    plan, width, probe = find_plan(module, probing, call, reader.tokens["pad"], widths_of(labels))
    names, link = labels_of(labels, width, outputs)
    bare = TorchClassifier(module, reader, Profile(name or type(module).__name__, names, link, plan))
    model = with_abilities(bare, probe, probing)
    check_outputs(model, probe, stated=outputs is not None)
    if link is Link.SOFTMAX and are_logs(model.outputs(probe)):
        model = _with(model, link=Link.LOG_SOFTMAX)
    model = _with(model, lacks=advised(model.lacks, model.link))
    return _with(model, blank=_blank(model))


def with_abilities(bare: TorchClassifier, probe: Batch, probing: Probing) -> TorchClassifier:
    """Try every ability that a module may have; the result's ``lacks`` has the reasons for those that failed."""
    ties = probing((3,) * 32 + (2,) * 32)
    try:
        model = _with_vectors(bare, probe, probing, ties)
        _check_words(model)
    except ExegesisError as error:
        return _with(bare, lacks=dict.fromkeys(("Differentiable", "Recurrent", "Gated"), str(error)))
    try:
        recurrent = _with(model, recurrence=model.learn(probe))
        _check_aligned(recurrent, probe)
        recurrent = _in_order(recurrent, lambda model: model.unroll(ties))
    except ExegesisError as error:
        return _with(model, lacks=dict.fromkeys(("Recurrent", "Gated"), str(error)))
    return recurrent if recurrent.forgetting else _with(recurrent, lacks={"Gated": NO_GATE})


def _with(model: TorchClassifier, **changes: Any) -> TorchClassifier:
    return replace(model, profile=replace(model.profile, **changes))


def _padded(reader: Reader, tables: Sequence[Table], *, warn: bool = False) -> Reader:
    """The reader with the padding_idx of the tables that its words are looked up in, if it names no pad itself.

    Among tables that only may be those, the smallest that hold all words count. A pad that contradicts them is logged.
    """
    fitting = [table.num_embeddings for table in tables if table.num_embeddings >= reader.size]
    found = {table.padding_idx for table in tables if table.num_embeddings == min(fitting, default=0)}
    pads = sorted(number for number in found if number is not None)
    pad = reader.tokens["pad"] if reader.names_pad or not pads else pads[0]
    if warn and pads and pads != [pad]:
        _log.warning("batches are filled up with %d, though the module's padding_idx is %s", pad, pads)
    return reader if reader.names_pad or not pads else reader.padded(pad)


def _usable_ids(module: nn.Module, reader: Reader) -> list[int]:
    """Ids of ordinary words for trials. Raises UsageError if the vocabulary does not fit the module."""
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


def _blank(model: TorchClassifier) -> int | None:
    """The id for an empty text: None if the module can take pad tokens alone, else the unknown token."""
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


def _with_vectors(bare: TorchClassifier, probe: Batch, probing: Probing, ties: Batch) -> TorchClassifier:
    """The model with its word vectors found, with as many texts per call as its way of reading them allows.

    Raises UnsupportedError if they cannot be replaced even in a text alone.
    """
    if any(weight.is_inference() for weight in bare.module.parameters()):
        raise UnsupportedError(MADE_WITHOUT)
    complaint: ExegesisError | None = None
    single = replace(bare.plan, pads=False, rows=1)
    for plan in dict.fromkeys((bare.plan, replace(bare.plan, pads=False), single)):
        model = _with(bare, plan=plan)
        try:
            longest = int(probe.lengths.max())
            model = _with(model, lookups=_lookups(model, probing((longest,) * (1 if plan.rows == 1 else 2))))
            model = _typed(model, probe)
            return _in_order(model, lambda model: _check_vectors(model, ties))
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
    return bool(part._forward_hooks or part._forward_pre_hooks) or "forward" in vars(part)


def _check_words(model: TorchClassifier) -> None:
    """Raise UnsupportedError if words reach the outputs by another way than their vectors (see ``models.ways``).

    A network that Exegesis trains has no other way, whatever its weights; what a user has hung on it may.
    """
    if type(model.module) is RecurrentClassifier and not any(map(_hooked, model.module.modules())):
        return
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
    model = _with(model, dtype=model.outputs(probe).dtype)
    try:
        _check_vectors(model, probe)
    except UnsupportedError:
        if all(lookup.table.weight.dtype == model.profile.dtype for lookup in model.profile.lookups):
            raise
        model = _with(model, casts=True)
        _check_vectors(model, probe)
    return model


def _in_order(model: TorchClassifier, trial: Callable[[TorchClassifier], object]) -> TorchClassifier:
    """The model with no more texts per call than its module keeps in order.

    A module that sorts its rows by length permutes rows of one length if the library's sort is unstable; for few
    rows it is stable. Raises UnsupportedError if the trial, over a batch with many such rows, fails with any number.
    """
    for rows in ROWS if model.plan.rows == 0 else (n for n in ROWS if 0 < n <= model.plan.rows):
        limited = _with(model, plan=replace(model.plan, rows=rows))
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
