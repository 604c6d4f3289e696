"""``wrap``: find out by trial runs how a module wants to be called and how far it can be seen through.

Trials tell the layout of its ids, its lengths and masks, where its word vectors and its recurrent layer are, and how
states become outputs. The class of what comes back tells what the module can serve; ``lacks`` tells what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from exegesis.core.errors import ModelError, UsageError
from exegesis.core.text import text_of_words
from exegesis.models.huggingface.adapter import HuggingFaceModel
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.models.modules.ability import most_able
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.calls import find_plan
from exegesis.models.modules.outputs import advised, are_logs, check_outputs, labels_of, widths_of
from exegesis.models.modules.plan import Call
from exegesis.models.text.reader import Reader, reader_of
from exegesis.protocols.batch import Batch, pad
from exegesis.protocols.target import Labels, Link, label_names


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

    plan, width, probe = find_plan(module, probing, call, reader.tokens["pad"], widths_of(labels))
    names, link = labels_of(labels, width, outputs)
    bare = TorchClassifier(module, reader, names, link, plan, name or type(module).__name__)
    able = most_able(bare, probe, probing)
    check_outputs(able, probe, said=outputs is not None)
    if link is Link.SOFTMAX and are_logs(able.outputs(probe)):
        able._link = Link.LOG_SOFTMAX
    able.lacks = advised(able)
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
