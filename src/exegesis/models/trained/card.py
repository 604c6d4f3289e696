"""The model card: a README with the model's kind, its training data and its scores."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime

import torch

from exegesis._version import __version__
from exegesis.core.escapes import code, markdown
from exegesis.models.concept_models.shape import ConceptConfig
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.config import (
    ConvolutionalConfig,
    LandmarkConfig,
    RecurrentConfig,
    TransformerConfig,
)
from exegesis.models.trained.scores import Epoch
from exegesis.models.trained.training import TrainResult

READOUTS = {"last": "last state", "first": "first state", "decoder": "attention of a decoder, the next word"}


def card_text(
    name: str, result: TrainResult, *, command: str, data: Mapping[str, str], seed: int, about: str = ""
) -> str:
    """A model card in Markdown. ``data`` maps train, dev and test to their sources; ``about`` is the author's own
    Markdown, placed before the facts."""
    config = result.model.module.config
    best = result.history[result.best_epoch - 1]
    weights = sum(parameter.numel() for parameter in result.model.module.parameters())
    labels = ", ".join(map(markdown, config.labels))
    lines = [
        f"# {markdown(name)}",
        "",
        f"A text classifier with the labels {labels}, trained with Exegesis {__version__}.",
        "",
        *([about.strip(), ""] if about.strip() else []),
        "## Training",
        "",
        f"- Model: {describe(result)}; {weights:,} weights.",
        *(f"- {split}: {markdown(where)}, {result.sizes[split]:,} texts" for split, where in data.items()),
        f"- Seed: {seed}. Best of {len(result.history)} epochs on the development texts: {result.best_epoch}.",
        *_kept(best),
        f"- Command: {code(command)}",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}. Machine: {machine()}.",
        "",
        "## Accuracy",
        "",
        f"- Training loss of the kept epoch: {best.loss:.4f} nats",
        f"- Development: {result.dev.accuracy:.2%} of {result.dev.total:,} texts",
    ]
    if result.test is not None:
        lines += [f"- Test: {result.test.accuracy:.2%} of {result.test.total:,} texts", "", *result.test.table()]
    return "\n".join(lines) + "\n"


def _kept(best: Epoch) -> list[str]:
    """What the kept epoch of a classifier that selects its words keeps of the development texts, and a collapse."""
    if best.shares is None:
        return []
    selected, whole, none = best.shares
    said = f"{selected:.1%} of the words, everything of {whole:.1%} and nothing of {none:.1%} of the development texts"
    collapse = best.shares.collapse
    return [f"- Keeps {said}.{f' Beware: {collapse}.' if collapse else ''}"]


def describe(result: TrainResult) -> str:
    """The shape of a model in one phrase."""
    config = result.model.module.config
    words = f"{config.embedding} wide embeddings of {config.vocabulary:,} words"
    if isinstance(config, TransformerConfig):
        shape = f"{_layers(config.layers)} of {config.heads} heads, {config.feedforward} wide inside"
        return f"Transformer encoder, {shape}, {words}, readout: {READOUTS.get(config.readout, config.readout)}"
    if isinstance(config, ConvolutionalConfig):
        widths = ", ".join(map(str, config.kernels))
        return f"CNN, kernels of the widths {widths} with {config.hidden} filters each, {words}"
    if isinstance(config, LandmarkConfig):
        return (
            f"classifier by {config.landmarks:,} landmarks, kernel {config.kernel}, {_layers(config.layers)} of "
            f"{config.hidden} units, {words}"
        )
    if isinstance(config, RationaleConfig | ConceptConfig):
        return f"{config.describe()} on {words}"
    if not isinstance(config, RecurrentConfig):
        return f"{config.family} network, {words}"
    cell = {"rnn": "tanh-RNN", "lstm": "LSTM", "gru": "GRU"}.get(config.cell, f"{config.cell} (Arras et al. 2019)")
    name = f"bidirectional {cell}" if config.bidirectional else cell
    return (
        f"{name}, {_layers(config.layers)}, {words}, hidden size {config.hidden}, "
        f"readout: {READOUTS.get(config.readout, config.readout)}"
    )


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def machine() -> str:
    """The platform, Python and torch of a run in a few words."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}"
