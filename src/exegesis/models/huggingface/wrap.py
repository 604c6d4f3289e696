"""The trials of a Hugging Face module: its labels, link, positions and padding, and whether its words can be replaced.

Most is read off its config; a few short texts tell the rest.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from exegesis.core.errors import ExegesisError, ModelError, TextError, UnsupportedError, UsageError, out_of_memory
from exegesis.models.huggingface.adapter import HuggingFaceClassifier, Profile
from exegesis.models.huggingface.kinds import kind_of
from exegesis.models.huggingface.offsets import readable
from exegesis.models.huggingface.text import Reader, token_types
from exegesis.models.huggingface.trials import beside_others, of_one_length
from exegesis.models.huggingface.vectors import input_embeddings
from exegesis.models.huggingface.views.tasks import (
    CLASSIFICATION,
    WINDOWED,
    check_tokenizer,
    meaning_of,
    task_named,
    task_of_class,
)
from exegesis.models.huggingface.windows import Windows
from exegesis.models.modules.outputs import labels_of
from exegesis.models.slopes import NO_SLOPE, has_slope
from exegesis.models.ways import ELSEWHERE, by_another_way, texts_of, tried_words
from exegesis.nn.kept import Watch
from exegesis.protocols.batch import Batch
from exegesis.protocols.labels import Labels, label_names
from exegesis.protocols.target import Link

_POSITIONS = ("position_embeddings", "position_embedding", "embed_positions", "positions_embed", "wpe")
_INPUTS = {"input_ids", "token_type_ids", "attention_mask"}
_PROBE = "a word"
NOWHERE = "no layer of it turns its ids into word vectors (CANINE hashes its characters, say)"
FEWEST, TEXTS = 16, 64  # words that are tried in any case, and texts of words that are tried at most
FEW = 3  # pieces with which a row tells words from positions
SHARE, ROUNDING = 0.02, 1e-6  # the share of the change by other words, and of the outputs, that may be rounding


def wrap_huggingface(
    module: nn.Module,
    tokenizer: Any,
    labels: Labels | None = None,
    *,
    name: str | None = None,
    truncate: bool = False,
    windows: int | None = None,
    outputs: str | None = None,
    task: str | None = None,
) -> HuggingFaceClassifier:
    """Explain a PreTrainedModel with its tokenizer, both unchanged.

    ``task`` is one of ``views.tasks.TASKS``, by default that of the module's class; a class that none of them knows
    classifies sequences. A model of another task is viewed as a classifier, with labels of its own.

    ``labels`` default to the config's ``id2label``. Two labels for a single output make it a sigmoid's, which speaks
    for the second. Else ``outputs`` (``"logits"``, ``"multi-label"`` or ``"regression"``) says what the outputs mean,
    by default the config's ``problem_type``; without one they are a softmax, or plain numbers (a regression) for a
    single output. ``truncate`` cuts texts that are longer than the model's positions; ``windows`` reads them in windows
    of which neighbours share so many pieces, for the tasks of ``views.tasks.WINDOWED``. The name of the model says so.

    The module is tried on a few short texts: if padding changes its outputs, only texts of equal length share a call;
    if its word vectors cannot be replaced, its ``lacks`` says why.

    Raises UnsupportedError for a module of another kind, for a tokenizer that gives neither offsets nor pieces, or that
    gives the module more than ids, types and a mask (boxes of a page, say), and for outputs that differ from run to
    run; UsageError for labels that do not fit; ModelError for a module that gives no logits or too many.
    """
    config = getattr(module, "config", None)
    if config is None or not callable(getattr(module, "forward", None)):
        raise UsageError(f"a {type(module).__name__} is not a Hugging Face model: it has no config; use exegesis.wrap")
    chosen, own = task_named(task) or task_of_class(type(module).__name__, config), type(module).__module__
    kind = kind_of(type(module).__name__) if own.startswith("transformers.") else ""
    if chosen.name == CLASSIFICATION and kind:
        raise UnsupportedError(
            f"the module is {kind}: wrap one that classifies texts, or give call= for one of its own"
        )
    name = name or getattr(config, "_name_or_path", "") or type(module).__name__
    if not getattr(tokenizer, "is_fast", False) and not readable(tokenizer):
        raise UnsupportedError(
            f"the tokenizer of model {name} ({type(tokenizer).__name__}) gives no character offsets: take its fast "
            "version (AutoTokenizer.from_pretrained, with tokenizer.json or the package sentencepiece installed)"
        )
    limit = _limit(module, config, tokenizer)
    if truncate and limit is not None:
        name = f"{name} (texts cut at {limit} pieces)"
    reading = None
    if windows is not None:
        reading = _windows(windows, limit, truncate, chosen.name, name)
        name = f"{name} (texts beyond {limit} pieces in windows that share {windows})"
    size = _size(module, config, tokenizer)
    _check_inputs(module, tokenizer, name)
    types, exceptions = _types(module, tokenizer, name)
    reader = Reader(tokenizer, name, limit, truncate, types, exceptions, windows=reading)
    check_tokenizer(chosen, tokenizer, name)
    if chosen.labels is None:
        names, link = _meaning(config, labels, outputs, name)
    else:
        names, link = meaning_of(chosen, tokenizer, _width(module, config, size), config, labels or outputs)
    profile = Profile(name, names, link, _tokens(config, tokenizer, size), size, padded=True)
    return _tried(chosen.view(module, reader, profile))


def _windows(overlap: int, limit: int | None, truncate: bool, task: str, name: str) -> Windows:
    """The windows of a model. Raises UsageError for what does not go together, UnsupportedError for another task."""
    if truncate:
        raise UsageError("truncate=True cuts long texts, and windows reads all of them: say one of the two")
    if task not in WINDOWED:
        raise UnsupportedError(
            f"windows serve the tasks {', '.join(WINDOWED)}; the number of a model of the task {task} is not one that "
            "windows share"
        )
    if limit is None:
        raise UsageError(f"model {name} takes texts of any length: leave windows out")
    return Windows(limit, overlap)


def _meaning(config: Any, labels: Labels | None, outputs: str | None, name: str) -> tuple[tuple[str, ...], Link]:
    """The labels' names, and the link from the outputs to probabilities. Raises UsageError if they do not fit."""
    listed = getattr(config, "id2label", None) or {}
    names = label_names([listed[key] for key in sorted(listed)] if labels is None else labels)
    count, problem = getattr(config, "num_labels", len(names)), getattr(config, "problem_type", None)
    if len(set(names)) < len(names):
        raise UsageError(f"model {name} has two labels of one name ({', '.join(names[:10])}): give labels=[...]")
    if outputs == "probabilities":
        raise UsageError(f"model {name} is one of logits: leave outputs out, or say 'multi-label' or 'regression'")
    if outputs is not None:
        return labels_of(names, count, outputs)
    if count == 1 and len(names) == 2:
        return names, Link.BINARY
    if len(names) != count:
        single = "labels=[no, yes] for a sigmoid, one label for a regression"
        advice = single if count == 1 else "labels=[...], one per output"
        raise UsageError(f"model {name} has {count} outputs and {len(names)} labels: give {advice}")
    if problem == "regression" or (problem is None and count == 1):
        return names, Link.IDENTITY
    return names, Link.SIGMOID if problem == "multi_label_classification" or count == 1 else Link.SOFTMAX


def _tokens(config: Any, tokenizer: Any, size: int) -> dict[str, int]:
    pads = (tokenizer.pad_token_id, getattr(config, "pad_token_id", None), tokenizer.eos_token_id, 0)
    roles = {"pad": pads, "unknown": (tokenizer.unk_token_id,), "mask": (tokenizer.mask_token_id,)}
    usable = {role: [i for i in ids if isinstance(i, int) and 0 <= i < size] for role, ids in roles.items()}
    return {role: ids[0] for role, ids in usable.items() if ids}


def _limit(module: nn.Module, config: Any, tokenizer: Any) -> int | None:
    """The number of pieces that the model takes: the smaller one of its config's number and its table of positions.

    Of the table's rows those count that its numbering does not skip. A table of fewer rows than the config says is not
    of the text, but of a picture's parts.
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    stated = getattr(text, "max_position_embeddings", None)
    tables: list[Any] = [
        len(part.weight) - (0 if part.padding_idx is None else part.padding_idx + 1) - getattr(part, "offset", 0)
        for path, part in module.named_modules()
        if path.rsplit(".", 1)[-1] in _POSITIONS and hasattr(part, "padding_idx") and len(part.weight) >= (stated or 0)
    ]
    return min((int(n) for n in [*tables, stated] if isinstance(n, int) and 0 < n < 10**9), default=_stated(tokenizer))


def _stated(tokenizer: Any) -> int | None:
    """The number of pieces that its model takes according to a tokenizer."""
    limit = tokenizer.model_max_length
    return int(limit) if isinstance(limit, int) and 0 < limit < 10**9 else None


def _size(module: nn.Module, config: Any, tokenizer: Any) -> int:
    rows = getattr(input_embeddings(module), "num_embeddings", None)
    return int(rows) if rows is not None else int(getattr(config, "vocab_size", len(tokenizer)))


def _width(module: nn.Module, config: Any, size: int) -> int:
    """The number of words that a module of a language model chooses from."""
    head = getattr(module, "get_output_embeddings", lambda: None)()
    rows = getattr(head, "out_features", None) or getattr(getattr(head, "weight", None), "shape", [None])[0]
    return int(rows or getattr(config, "vocab_size", size))


def _takes_types(module: nn.Module) -> bool:
    return "token_type_ids" in inspect.signature(module.forward).parameters


def _types(module: nn.Module, tokenizer: Any, name: str) -> tuple[tuple[int, int] | None, dict[int, int]]:
    if "token_type_ids" not in tokenizer.model_input_names or not _takes_types(module):
        return None, {}
    try:
        return token_types(tokenizer)
    except ExegesisError:
        raise
    except Exception as error:
        line = " ".join(str(error).split())[:150]
        raise UnsupportedError(
            f"the tokenizer of model {name} does not read a plain text ({line}): take a model that classifies texts"
        ) from error


def _check_inputs(module: nn.Module, tokenizer: Any, name: str) -> None:
    """Raise UnsupportedError if a tokenizer gives the module more than a text's ids, types and mask."""
    try:
        names = set(tokenizer(_PROBE, verbose=False))
    except Exception:  # a vocabulary that cannot spell the probes
        return
    more = (names & set(inspect.signature(module.forward).parameters)) - _INPUTS
    if more:
        raise UnsupportedError(
            f"the tokenizer of model {name} gives it {', '.join(sorted(more))} with its ids, which do not follow from "
            "the words of a text: explain it through exegesis.blackbox"
        )


def _tried(model: HuggingFaceClassifier) -> HuggingFaceClassifier:
    """The model after its trials.

    Beside which texts it answers as alone is found out, what it keeps from call to call is seen, and its word vectors
    are found or named in ``lacks``.
    """
    watch = Watch(model.module)
    model = replace(model, profile=replace(model.profile, kept=watch))
    try:
        batch = model.encode([model.read(probe) for probe in model.probes()])
        row = batch.take(batch.lengths.argmax()[None])
    except TextError:  # the vocabulary cannot spell the probes: assume that padding matters
        batch = row = _made_up(model)
    row = row if int(row.lengths[0]) >= FEW else _made_up(model)
    model = beside_others(model, batch, of_one_length(row, _free(row), _ordinary(model)))
    model = _with_vectors(model, row)
    return replace(model, profile=replace(model.profile, kept=watch.kept))


def _free(row: Batch) -> Int[Tensor, " n"]:
    """The places of a row whose words may be others."""
    free = torch.tensor([not special for special in row.texts[0].special]) if row.texts else row.mask[0].cpu()
    return free.nonzero()[:, 0].to(row.device)


def _ordinary(model: HuggingFaceClassifier) -> list[int]:
    """The ids of all words but special ones."""
    special = {*model.tokenizer.all_special_ids, model.tokens["pad"]}
    return [number for number in range(min(model.profile.size, len(model.tokenizer))) if number not in special]


def _made_up(model: HuggingFaceClassifier) -> Batch:
    """A row of ids for a vocabulary that cannot spell the trial texts, or spells them in a piece or two.

    The ids fall, because numbers of positions rise.
    """
    ids = torch.arange(min(8, model.profile.size, model.reader.limit or 8), device=model.device).flip(0)[None]
    return Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))


def _with_vectors(model: HuggingFaceClassifier, row: Batch) -> HuggingFaceClassifier:
    """The model with its lookups of words if their vectors can be replaced, else with the reason in ``lacks``.

    On trial, the vectors of other words must give what these words give, and a gradient must come back.
    """
    try:
        able = model.looked_up(row)
        reason = _objection(able, row) if able.profile.lookups else NOWHERE
    except ModelError as error:
        reason = str(error)
    if reason is None:
        return able
    return replace(model, profile=replace(model.profile, lacks={"Differentiable": reason, **model.lacks}))


def _objection(model: HuggingFaceClassifier, row: Batch) -> str | None:
    """The reason why the vectors of a row cannot be replaced; None if they can."""
    at, ids = _free(row), row.ids.clone()
    ids[0, at] = row.ids[0, at.roll(1)]
    others = Batch(ids, row.mask, row.segments)
    before, after = model.outputs(row), model.outputs(others)
    with torch.no_grad():
        replaced = model.outputs_from(model.embed(others), row)
    allowed = max(SHARE * float((after - before).abs().max()), ROUNDING * float(after.abs().max()))
    if float((replaced - after).abs().max()) > allowed or _by_another_way(model, row, at):
        return ELSEWHERE
    return _without_gradient(model, row)


def _by_another_way(model: HuggingFaceClassifier, row: Batch, at: Int[Tensor, " n"]) -> bool:
    """True if other words in these places of a row show another way than their vectors (see ``models.ways``)."""
    tables = [model.module.get_submodule(lookup.path) for lookup in model.profile.lookups]
    words = tried_words(model.module, _ordinary(model), tables, FEWEST)
    if not len(words) or not len(at):
        return False
    most = max(2, min(TEXTS, len(words) // len(at)))
    for pair in texts_of(words.to(row.device), len(at), most):
        ids, others = (row.ids.repeat(len(part), 1).index_copy(1, at, part) for part in pair)
        batch = Batch(others, row.mask.expand_as(ids), row.segments.expand_as(ids))
        if by_another_way(model, batch, ids):
            return True
    return False


def _without_gradient(model: HuggingFaceClassifier, row: Batch) -> str | None:
    """The reason why no gradient reaches the vectors of a row; None if one does."""
    try:
        with torch.enable_grad():
            vectors = model.embed(row).requires_grad_()
            outputs = model.outputs_from(vectors, row)
            if not outputs.requires_grad:
                return "no gradient comes back to its word vectors: it runs under no_grad, or behind a detach()"
            torch.autograd.grad(outputs.sum(), vectors)
            if not has_slope(model, model.module, row):
                return NO_SLOPE
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        if out_of_memory(error):
            raise
        quantised = next((part for part in model.module.modules() if "quantized" in type(part).__module__), None)
        if quantised is not None:
            return (
                f"no gradient passes its quantised layers ({type(quantised).__name__}): take the model they come from"
            )
        return f"it has no gradient in evaluation mode ({' '.join(str(error).split())[:100]})"
    return None
