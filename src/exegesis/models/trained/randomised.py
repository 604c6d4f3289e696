"""Label randomisation: a model of the same kind, trained on the same texts with shuffled labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.text.reader import WordReader
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import Watcher, train
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier

MAX_JUDGED = 2000  # training texts on which the epochs are judged
MAX_STEPS, MAX_WAIT = 1500, 150  # optimiser steps for few texts: in all, and without a gain


class Randomised(NamedTuple):
    """The trained model, and the share of (at most ``MAX_JUDGED``) training texts whose shuffled label it predicts."""

    model: Classifier
    fitted: float
    texts: int


@entry
def trained_on_shuffled(
    model: Classifier,
    examples: Sequence[Example],
    *,
    seed: int = 0,
    options: TrainOptions | None = None,
    watcher: Watcher | None = None,
) -> Randomised:
    """Train a classifier of the same shape on ``examples`` whose labels are shuffled.

    In Adebayo et al. 2018 (Sec. 4.2) the second model memorises the random labels, so training uses no dropout, and the
    best epoch is the one that predicts most of its training labels (their share is ``fitted``). The frequency of each
    label is unchanged. Labels are names of the model's labels, or their numbers.

    Raises UnsupportedError for a model that Exegesis does not train, UsageError for examples without labels, with
    others, or without any of some label.
    """
    module, reader = getattr(model, "module", None), getattr(model, "reader", None)
    if not isinstance(module, TextClassifier) or not isinstance(reader, WordReader) or reader.tokenize is not None:
        raise UnsupportedError(
            f"{model.name} is not a model that Exegesis trains, so none of its kind can be trained on shuffled labels: "
            "train one yourself and give it (other=MODEL, --other MODEL)"
        )
    numbers = [_number(example, model.labels) for example in examples]
    missing = [label for i, label in enumerate(model.labels) if i not in numbers]
    if missing:
        raise UsageError(f"no training text has the label {missing[0]!r}; give texts of every label")
    random.Random(seed).shuffle(numbers)
    dealt = [Example.of(example.text, str(number)) for example, number in zip(examples, numbers, strict=True)]
    chosen = replace(options or memorising_options(len(dealt)), seed=seed, lowercase=reader.vocabulary.lowercase)
    config = replace(module.config, dropout=0.0, embedding_dropout=0.0)
    judged = dealt if len(dealt) <= MAX_JUDGED else random.Random(seed).sample(dealt, MAX_JUDGED)
    result = train(dealt, judged, config=config, options=chosen, watcher=watcher)
    name = f"{model.name} on shuffled labels"
    randomised = wrap(result.model.module, vocabulary=result.model.vocabulary, labels=model.labels, name=name)
    return Randomised(randomised, result.dev.accuracy, len(dealt))


def memorising_options(texts: int) -> TrainOptions:
    """Options for memorising ``texts`` texts: fewer texts get smaller batches and more epochs."""
    batch = min(64, max(8, texts // 40))
    steps = max(1, -(-texts // batch))
    return TrainOptions(batch=batch, epochs=max(30, MAX_STEPS // steps), patience=max(2, MAX_WAIT // steps), lr=3e-3)


def _number(example: Example, labels: Sequence[str]) -> int:
    label = example.label
    if label is None:
        raise UsageError("a training text has no label; shuffling needs the label of every text")
    if label in labels:
        return list(labels).index(label)
    if label.isdecimal() and int(label) < len(labels):
        return int(label)
    raise UsageError(f"the label {label!r} is none of the model's ({', '.join(labels)}), nor the number of one")
