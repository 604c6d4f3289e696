"""Models to explain, and language models to draw words from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import nn

from exegesis.core.disk.files import as_path
from exegesis.core.errors import UsageError
from exegesis.core.shown import Catalogue
from exegesis.engine.methods import Card, cards, lacking
from exegesis.models.blackbox import BlackBox
from exegesis.models.modules.adapter import TorchClassifier
from exegesis.models.modules.wrap import wrap
from exegesis.models.pipelines import asked_of, is_estimator, is_pipeline
from exegesis.models.text.words import Words, worded
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.nn.context import entry
from exegesis.protocols.labels import Labels
from exegesis.protocols.language import LanguageModel
from exegesis.protocols.model import Classifier, offers, usable_device

BUNDLED = "bundled"
OWN = "rationale"  # the method of a model that selects the words it reads
THROUGH = "concepts"  # and of one that decides through concepts
PREFERRED = (
    OWN,
    THROUGH,
    "integrated-gradients",
    "leave-one-out",
)  # the others by the measures of experiments/default-method


@entry
def load(
    model: str | os.PathLike[str] = BUNDLED,
    *,
    device: str | None = None,
    truncate: bool = False,
    windows: int | None = None,
    labels: Labels | None = None,
    outputs: str | None = None,
    words: Words | None = None,
    task: str | None = None,
) -> Classifier:
    """Load a model to explain: ``"bundled"``, a folder that ``exegesis train`` wrote, or a Hugging Face name or folder.

    A Hugging Face model needs safetensors weights. Its ``task`` is read from its files, or named: text-classification,
    token-classification, question-answering, fill-mask, text-generation, text2text-generation, sentence-similarity,
    feature-extraction (docs/huggingface.md says which texts each of them takes). ``truncate`` lets it cut texts that
    are longer than its positions, ``windows=64`` reads them in windows that share 64 pieces. ``labels`` and ``outputs``
    are those of ``wrap``, by default the model's own: ``labels=["no", "yes"]`` makes a single output that of a sigmoid,
    ``outputs="multi-label"`` gives every label a probability of its own, ``outputs="regression"`` a plain number.
    ``words`` is a function from a text to its words, or to their (start, stop), for scripts without blanks and other
    notions of a word; a piece that straddles two words joins them. Nothing is ever unpickled. Raises FileError if files
    are missing or damaged, UsageError for labels that do not fit.
    """
    from exegesis.models.trained.folder import is_model_folder, load_folder

    if is_pipeline(model) or is_estimator(model):
        way = "wrap" if is_pipeline(model) else "blackbox"
        raise UsageError(
            f"load takes a name or a folder; a {type(model).__name__} is taken by exegesis.{way}(pipeline)"
        )
    path = as_path(model, "load takes 'bundled', a folder, or the name of a Hugging Face model")
    path = bundled_folder() if str(model) == BUNDLED else path
    if task not in (None, "text-classification") and (is_model_folder(path) or _is_trained(path)):
        raise UsageError(f"{model} classifies texts; the task {task} belongs to a Hugging Face model: leave it out")
    if is_model_folder(path) or _is_trained(path):
        trained = load_folder(path)
        module = trained.module.to(usable_device(device))
        name = BUNDLED if str(model) == BUNDLED else path.name
        names = trained.labels if labels is None else labels
        wrapped = wrap(module, vocabulary=trained.vocabulary, labels=names, name=name, outputs=outputs, words=words)
        return _explaining(cast(TorchClassifier, wrapped), path)
    from exegesis.models.explainers.explainer import is_explainer

    if task is None and is_explainer(path):
        raise UsageError(
            f"{model} tells a label and writes why: exegesis study written scores that; to explain it as a language "
            "model, name its task: text2text-generation or text-generation (--task)"
        )
    from exegesis.models.huggingface.load import load_huggingface

    found = load_huggingface(
        os.fspath(model), device=device, truncate=truncate, windows=windows, labels=labels, outputs=outputs, task=task
    )
    return worded(found, words)


def _explaining(model: TorchClassifier, folder: Path) -> Classifier:
    """The model of a folder of ours; one that shows what it reads has an adapter of its own."""
    config = cast(TextClassifier, model.module).config
    if config.family == "rationale":
        from exegesis.models.rationale_models.model import RationaleClassifier

        return RationaleClassifier.of(model)
    if config.family == "concepts":
        from exegesis.models.concept_models.model import ConceptClassifier
        from exegesis.models.concept_models.names import read_names

        return ConceptClassifier.of(model, read_names(folder, cast(Any, config).concepts))
    from exegesis.models.trained.spanned import SpanClassifier, weighs_spans

    return SpanClassifier.of(model) if weighs_spans(model.module) else model


def bundled_folder() -> Path:
    """The folder of the bundled sentiment model."""
    return Path(__file__).parents[1] / "models" / "bundled" / "sentiment"


def _is_trained(path: Path) -> bool:
    """True if a folder without a readable configuration was written by ``exegesis train``."""
    return path.is_dir() and (path / "vocabulary.json").exists()


@entry
def blackbox(function: Callable[[list[str]], Any] | Any, labels: Labels | None = None, **options: Any) -> BlackBox:
    """A model made of any function from a list of texts to an array of probabilities (see ``BlackBox``).

    A fitted pipeline of scikit-learn is asked for its ``predict_proba`` (a regressor for its ``predict``), a pipeline
    of transformers for the scores of all labels; their ``labels`` are their own by default. Raises UnsupportedError,
    with the way, for a pipeline that gives no probabilities.
    """
    if is_pipeline(function) or is_estimator(function):
        asked = asked_of(function, labels)
        return BlackBox(asked.function, asked.labels, **{"name": type(function).__name__, **asked.options, **options})
    if labels is None:
        raise UsageError("a black box needs labels=[...]: the names of the numbers that the function gives")
    return BlackBox(function, labels, **options)


def as_model(model: Classifier | str | os.PathLike[str]) -> Classifier:
    """A model to explain, from a model, a name, a folder or a pipeline. Raises UsageError, with advice, for others."""
    if isinstance(model, str | os.PathLike):
        return load(model)
    if is_pipeline(model):
        return wrap(cast(Any, model))
    if is_estimator(model):
        return blackbox(cast(Any, model))
    if isinstance(model, nn.Module):
        raise UsageError(
            f"a bare {type(model).__name__} reads no text: explain exegesis.wrap(module, vocabulary=..., labels=[...])"
        )
    if not offers(model, Classifier):
        if callable(model):
            raise UsageError("a function is explained through exegesis.blackbox(function, labels=[...])")
        raise UsageError(
            f"{type(model).__name__} is not a model: use exegesis.load, exegesis.wrap or exegesis.blackbox"
        )
    return model


@entry
def methods(model: Classifier | str | None = None) -> Catalogue[Card]:
    """The cards of all methods, or of those that a model can serve."""
    classifier = None if model is None else as_model(model)
    return Catalogue(card for card in cards() if classifier is None or lacking(classifier, card) is None)


def preferred(model: Classifier) -> str:
    """The default method: the first of ``PREFERRED`` that the model can serve (docs/evaluation.md says why these)."""
    able = {card.name for card in methods(model)}
    return next(name for name in PREFERRED if name in able)


@entry
def language(name: str = "bundled") -> LanguageModel:
    """Load a language model that draws words: ``bundled``, a folder, or a masked Hugging Face model (name or folder).

    Any other object with a ``name`` and a ``sample`` can serve too (see ``protocols.language.LanguageModel``). Raises
    FileError if files are missing or damaged.
    """
    from exegesis.models.language_models.opening import open_language

    return open_language(name)
