"""``wrap``: find out by trial runs how to call a module, and which abilities it has.

Trials tell the layout of its ids, its lengths and masks, the places of its word vectors and its recurrent layer, and
the way from states to outputs. If the trial of an ability fails, the adapter's ``lacks`` has the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from exegesis.core.errors import ModelError, UsageError
from exegesis.core.escapes import escaped
from exegesis.core.text import text_of_words
from exegesis.models.modules.abilities import changed, is_our_own, with_abilities
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.calls import Call
from exegesis.models.modules.lookups import Table
from exegesis.models.modules.outputs import advised, are_logs, check_outputs, labels_of, widths_of
from exegesis.models.modules.profile import Profile
from exegesis.models.modules.trials import find_plan
from exegesis.models.modules.wrappers import see_through, unwrapped
from exegesis.models.pipelines import is_estimator, is_pipeline, outputs_of
from exegesis.models.text.reader import Reader, reader_of
from exegesis.models.text.words import Words, worded
from exegesis.nn.context import entry
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.labels import Labels
from exegesis.protocols.target import Link

if TYPE_CHECKING:
    from exegesis.models.huggingface.adapter import HuggingFaceClassifier

FAR = 2  # times the ids of a vocabulary: an embedding of more rows was made for another one
_log = logging.getLogger("exegesis.wrap")


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

    ``vocabulary``: words in the order of their ids, a dict from words to ids, or an object with ``stoi`` / ``itos``
    or ``word_index`` (a tokenizer of Keras).
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
        from exegesis.models.huggingface.wrap import wrap_huggingface

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
    rows = min((lookup.table.num_embeddings for lookup in model.profile.lookups), default=0)
    if rows > FAR * reader.size:
        _log.warning(
            "%s: the vocabulary has %d ids and the embedding %d rows: what it does not list is read as unknown; is it "
            "the one that the module was trained with?",
            escaped(model.name), reader.size, rows,
        )  # fmt: skip
    _log.info("%s: %s; tokenizer= and lowercase= say otherwise", escaped(model.name), model.reader)
    return worded(model, words)


def _explored(
    module: nn.Module, reader: Reader, labels: Labels | None, call: Call | None, outputs: str | None, name: str | None
) -> TorchClassifier:
    """The module as a model, with all that trials find out."""
    usable = _usable_ids(module, reader)

    def probing(lengths: Sequence[int]) -> Batch:
        return _probe(module, reader, usable, lengths)

    plan, width, probe = find_plan(
        module, probing, call, reader.tokens["pad"], widths_of(labels), known=is_our_own(module)
    )
    names, link = labels_of(labels, width, outputs)
    bare = TorchClassifier(module, reader, Profile(name or type(module).__name__, names, link, plan))
    model = with_abilities(bare, probe, probing)
    check_outputs(model, probe, stated=outputs is not None)
    if link is Link.SOFTMAX and are_logs(model.outputs(probe)):
        model = changed(model, link=Link.LOG_SOFTMAX)
    model = changed(model, lacks=advised(model.lacks, model.link))
    return changed(model, blank=_blank(model))


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
