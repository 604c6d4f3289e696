"""A model of the same kind that has learned nothing but noise: trained on the same texts with their labels shuffled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.text.reader import WordReader
from exegesis.models.trained.network import RecurrentClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import Watcher, train
from exegesis.protocols.model import Classifier

SEEN = 2000  # training texts on which the epochs are judged
STEPS, WAIT = 1500, 150  # of the optimiser: how many there may be, and how many without a gain, of few texts


class Randomised(NamedTuple):
    """The model, and the share of its training texts (of ``SEEN`` of them, at most) whose shuffled label it names."""

    model: Classifier
    fitted: float
    texts: int


def trained_on_shuffled(
    model: Classifier,
    examples: Sequence[Example],
    *,
    seed: int = 0,
    options: TrainOptions | None = None,
    watcher: Watcher | None = None,
) -> Randomised:
    """A classifier of the same shape, trained anew on ``examples`` whose labels are dealt out at random.

    Adebayo et al. 2018 (Sec. 4.2) have the second model memorise the random labels, so it trains without dropout, and
    the epoch kept is the one that names most of the labels it was trained on; how many it names is told (``fitted``).
    Each label stays as frequent as it was. Labels are names of the model's labels, or their numbers.

    Raises UnsupportedError for a model that Exegesis does not train, UsageError for examples without labels, with
    others, or without any of some label.
    """
    module, reader = getattr(model, "module", None), getattr(model, "reader", None)
    if not isinstance(module, RecurrentClassifier) or not isinstance(reader, WordReader) or reader.tokenize is not None:
        raise UnsupportedError(
            f"{model.name} is no model that Exegesis trains, so none of its kind can be trained on shuffled labels: "
            "train one yourself and give it (other=MODEL, --other MODEL)"
        )
    numbers = [_number(example, model.labels) for example in examples]
    missing = [label for i, label in enumerate(model.labels) if i not in numbers]
    if missing:
        raise UsageError(f"no training text has the label {missing[0]!r}; give texts of every label")
    random.Random(seed).shuffle(numbers)
    dealt = [Example.of(example.text, str(number)) for example, number in zip(examples, numbers, strict=True)]
    own = replace(options or usual(len(dealt)), seed=seed, lowercase=reader.vocabulary.lowercase)
    config = replace(module.config, dropout=0.0, embedding_dropout=0.0)
    seen = dealt if len(dealt) <= SEEN else random.Random(seed).sample(dealt, SEEN)
    found = train(dealt, seen, config=config, options=own, watcher=watcher)
    name = f"{model.name} on shuffled labels"
    made = wrap(found.model.module, vocabulary=found.model.vocabulary, labels=model.labels, name=name)
    return Randomised(made, found.dev.accuracy, len(dealt))


def usual(texts: int) -> TrainOptions:
    """How so many texts are memorised: of few in smaller batches and more epochs."""
    batch = min(64, max(8, texts // 40))
    steps = max(1, -(-texts // batch))
    return TrainOptions(batch=batch, epochs=max(30, STEPS // steps), patience=max(2, WAIT // steps), lr=3e-3)


def _number(example: Example, labels: Sequence[str]) -> int:
    label = example.label
    if label is None:
        raise UsageError("a training text has no label; shuffling needs the label of every text")
    if label in labels:
        return list(labels).index(label)
    if label.isdecimal() and int(label) < len(labels):
        return int(label)
    raise UsageError(f"the label {label!r} is none of the model's ({', '.join(labels)}), nor the number of one")
