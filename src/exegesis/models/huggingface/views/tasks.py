"""The tasks of Hugging Face models, each with the view that makes a classifier of its models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from exegesis.core.errors import UnsupportedError, UsageError, unknown
from exegesis.models.huggingface.adapter import HuggingFaceClassifier, Profile
from exegesis.models.huggingface.files import CONFIG, Files
from exegesis.models.huggingface.text import Reader
from exegesis.models.huggingface.views import answers, similarity
from exegesis.models.huggingface.views.features import FeatureClassifier, dimensions
from exegesis.models.huggingface.views.reading import vocabulary
from exegesis.models.huggingface.views.tags import TagClassifier
from exegesis.models.huggingface.views.translation import AnswerWordClassifier
from exegesis.models.huggingface.views.words import MaskedWordClassifier, NextWordClassifier
from exegesis.protocols.target import Link

View = Callable[[nn.Module, Reader, Profile], HuggingFaceClassifier]


@dataclass(frozen=True)
class Task:
    """A task: its name (that of the hub), its models, and the view of them.

    ``auto`` is the class of transformers that loads them, ``endings`` are those of the names of their classes.
    ``head`` names what the class adds to a pretrained model, and what to do without it. ``labels`` are the numbers that
    a view explains: the config's labels (None), names, the vocabulary (``"vocabulary"``) or the components of hidden
    states (``"dimensions"``), with their ``link``.
    """

    name: str
    auto: str
    endings: tuple[str, ...]
    view: View
    head: tuple[str, str]
    labels: Sequence[str] | str | None = None
    link: Link = Link.SOFTMAX


CLASSIFICATION = "text-classification"
SIMILARITY = "sentence-similarity"
WINDOWED = (CLASSIFICATION, "token-classification", "question-answering", "fill-mask")  # tasks that windows serve
WORDS, DIMENSIONS = "vocabulary", "dimensions"
LANGUAGE = "language model", "take a model that was trained to predict words"
TASKS = {
    task.name: task
    for task in (
        Task(CLASSIFICATION, "AutoModelForSequenceClassification", ("ForSequenceClassification",),
             HuggingFaceClassifier, ("classification head", "take a model that was fine-tuned to classify texts")),
        Task("token-classification", "AutoModelForTokenClassification", ("ForTokenClassification",), TagClassifier,
             ("token classification head", "take a model that was fine-tuned to tag words")),
        Task("question-answering", "AutoModelForQuestionAnswering", ("ForQuestionAnswering",),
             answers.AnswerClassifier, ("question answering head", "take a model that was fine-tuned to find answers"),
             answers.LABELS, Link.IDENTITY),
        Task("fill-mask", "AutoModelForMaskedLM", ("ForMaskedLM", "WithLMHeadModel"), MaskedWordClassifier,
             ("masked language model", "take a model that was trained to fill masks"), WORDS),
        Task("text-generation", "AutoModelForCausalLM", ("ForCausalLM", "LMHeadModel"), NextWordClassifier, LANGUAGE,
             WORDS),
        Task("text2text-generation", "AutoModelForSeq2SeqLM", ("ForConditionalGeneration", "MTModel"),
             AnswerWordClassifier, LANGUAGE, WORDS),
        Task(SIMILARITY, "AutoModel", (), similarity.SimilarityClassifier,
             ("encoder", "take a sentence encoder"), similarity.LABELS, Link.IDENTITY),
        Task("feature-extraction", "AutoModel", (), FeatureClassifier, ("encoder", "take an encoder of texts"),
             DIMENSIONS, Link.IDENTITY),
    )
}  # fmt: skip


def task_named(name: str | None) -> Task | None:
    """The task of a name; None for None. Raises UsageError for an unknown name."""
    if name is None:
        return None
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def task_of_class(name: str, config: Any) -> Task:
    """The task of a model by the name of its class; classification for any other name."""
    ending = next((task for task in TASKS.values() if name.endswith(task.endings) and task.endings), None)
    if ending is None:
        return TASKS[CLASSIFICATION]
    if ending.name == "text2text-generation" and not _is_encoder_decoder(config):
        return TASKS["text-generation"]
    if ending.name == "fill-mask" and _is_encoder_decoder(config):
        return TASKS["text2text-generation"]
    return ending


def task_of_files(files: Files) -> Task:
    """The task that the files of a model name: the class of its weights, or the modules of a sentence encoder."""
    config = files.json(CONFIG)
    listed = config.get("architectures")
    name = str(listed[0]) if isinstance(listed, list) and listed else ""
    task = task_of_class(name, config)
    if task.name == CLASSIFICATION and not name.endswith(task.endings) and similarity.is_sentence_encoder(files):
        return TASKS[SIMILARITY]
    return task


def meaning_of(task: Task, tokenizer: Any, size: int, config: Any, given: object) -> tuple[tuple[str, ...], Link]:
    """The labels and the link of a view that brings its own. Raises UsageError for a user's labels."""
    if given is not None:
        raise UsageError(f"labels belong to a classifier; a model of the task {task.name} has its own, leave them out")
    if task.labels == DIMENSIONS:
        return dimensions(config), task.link
    if isinstance(task.labels, str):
        return vocabulary(tokenizer, size), task.link
    return tuple(task.labels or ()), task.link


def check_tokenizer(task: Task, tokenizer: Any, name: str) -> None:
    """Raise UnsupportedError for a tokenizer that lacks what the task needs."""
    if task.name == "fill-mask" and tokenizer.mask_token_id is None:
        raise UnsupportedError(f"the tokenizer of model {name} has no mask token, so no word can be masked")


def finished(model: HuggingFaceClassifier, files: Files) -> HuggingFaceClassifier:
    """The model with what only the files of its folder say."""
    if isinstance(model, similarity.SimilarityClassifier | FeatureClassifier):
        return replace(model, pooling=similarity.pooling_of(files))
    return model


def _is_encoder_decoder(config: Any) -> bool:
    value = config.get("is_encoder_decoder") if isinstance(config, dict) else getattr(config, "is_encoder_decoder", 0)
    return bool(value)
