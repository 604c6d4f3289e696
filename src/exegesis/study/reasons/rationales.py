"""Training of classifiers that select their words, and the test whether selector and classifier are in collusion."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from exegesis.api import as_model
from exegesis.api.rationales import rationale
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.engine.methods import make
from exegesis.models.rationale_models.masked import MaskedNetwork
from exegesis.models.rationale_models.selectors.diffmask import DiffMask
from exegesis.models.rationale_models.selectors.fresh import Fresh
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.network import TextClassifier
from exegesis.models.trained.corpus import find_labels, single, split_off
from exegesis.models.trained.folder import TrainedClassifier, load_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import TrainResult, Watcher, train
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.results.rationale import Rationale

Ranges = list[list[int]]  # half-open ranges of characters


@entry
def train_selecting(
    examples: Sequence[Example],
    dev: Sequence[Example] | None,
    test: Sequence[Example] | None = None,
    *,
    config: RationaleConfig | str,
    options: TrainOptions | None = None,
    marks: Sequence[Any] | None = None,
    support: Classifier | str | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    keep: Path | None = None,
    watcher: Watcher | None = None,
) -> TrainResult:
    """Train a classifier that selects the words it reads.

    ``config`` is its shape, or a selector with its parameters, as in ``hardkuma:share=0.2``, for the usual sizes.
    ``marks`` has what people marked in each of ``examples`` (see ``data.marks``), or None; it is used as the
    ``supervision`` of ``config`` says, whatever share of the texts has marks. For the selector fresh, texts without
    marks get those that its method makes of the ``support`` model; without one, an ordinary classifier of the same
    sizes is trained first, on the same texts, with a checkpoint of its own beside ``checkpoint``. For diffmask
    ``support`` is the folder of the trained classifier that is masked as it is. The other arguments and the errors are
    those of ``models.trained.training.train``.
    """
    options = options or TrainOptions()
    config = RationaleConfig(selector=config) if isinstance(config, str) else config
    given = list(marks) if marks is not None else None
    if given is not None and len(given) != len(examples):
        raise UsageError(f"{len(given)} marks of {len(examples)} training texts; give one list per text, or None")
    if dev is None:
        by_id = dict(zip((id(one) for one in examples), given or [None] * len(examples), strict=True))
        examples, dev = split_off(examples, options.development, options.seed)
        given = None if given is None else [by_id[id(one)] for one in examples]
    if isinstance(config.chosen, Fresh) and (given is None or any(one is None for one in given)):
        if support is None:
            support = _support(examples, dev, config, options, checkpoint, resume)
        made = marks_by(support, [single(one) for one in examples], config.chosen)
        given = [new if old is None else old for old, new in zip(given or [None] * len(made), made, strict=True)]
    more: dict[str, Any] = {}
    if isinstance(config.chosen, DiffMask):
        config, options, more = _masking(config, options, support, examples)
    return train(
        examples, dev, test, config=config, options=options, marks=given, checkpoint=checkpoint, resume=resume,
        keep=keep, watcher=watcher, **more,
    )  # fmt: skip


def _masking(
    config: RationaleConfig, options: TrainOptions, support: object, examples: Sequence[Example]
) -> tuple[RationaleConfig, TrainOptions, dict[str, Any]]:
    """The shape, the options and further arguments for masks of a trained classifier, which stays as it is."""
    if not isinstance(support, str | os.PathLike):
        raise UsageError("diffmask masks a trained model as it is: name the folder of 'exegesis train' (--support)")
    trained = load_folder(Path(support))
    frozen = trained.module.config
    if not isinstance(frozen, RecurrentConfig) or frozen.pairs:
        raise UsageError(f"{support}: diffmask masks recurrent classifiers of single texts; give one")
    labels = find_labels(examples, options.neutral)
    if labels != frozen.labels:
        raise UsageError(f"the data have the labels {', '.join(labels)}, the model {', '.join(frozen.labels)}")

    def prepared(module: TextClassifier) -> None:
        cast(MaskedNetwork, module).base.load_state_dict(trained.module.state_dict())

    config = replace(config, embedding=frozen.embedding, base=json.dumps(frozen.entries()))
    options = replace(options, freeze=True, average=0.0, lowercase=trained.vocabulary.lowercase, vectors=None)
    return config, options, {"vocabulary": trained.vocabulary, "prepared": prepared, "last": True}


@entry
def marks_by(model: Classifier | str, texts: Sequence[str], given: Fresh) -> list[Ranges]:
    """The words that the method of fresh marks in each text for the model's prediction, as ranges of characters."""
    method = make(given.method)
    found = rationale(as_model(model), list(texts), method, share=given.share, contiguous=given.contiguous)
    return [[list(one.text.characters(span)) for span in one.spans] for one in found]


@dataclass(frozen=True)
class Collusion:
    """The accuracies on test texts of a model that selects its words, and of two fresh ordinary classifiers.

    ``model`` is its own, ``rationale`` that of a classifier trained on the words that it keeps, ``complement`` that of
    one trained on the other words, ``majority`` the share of the most frequent test label. A rationale that other
    readers understand brings the second close to the first; a selector that tells its classifier the label by *which*
    words it keeps does not. A complement far above the majority says that reasons were left out. ``empty`` and
    ``whole`` are the shares of test texts of which nothing, or everything, is kept.
    """

    model: float
    rationale: float
    complement: float
    majority: float
    empty: float
    whole: float


@entry
def collusion(
    model: Classifier | str,
    examples: Sequence[Example],
    dev: Sequence[Example],
    test: Sequence[Example],
    *,
    config: RecurrentConfig | None = None,
    options: TrainOptions | None = None,
) -> Collusion:
    """Whether fresh classifiers understand the words that a model keeps, and what they make of the others.

    They read the kept words of each text (or the others) as a text of their own; a text of which nothing is left is
    read as the word ``nothing``. Raises UnsupportedError for a model that does not select its words, and the errors of
    ``train``.
    """
    classifier = as_model(model)
    parts = {"train": examples, "dev": dev, "test": test}
    found = {name: rationale(classifier, [single(one) for one in part]) for name, part in parts.items()}
    gold = [one.label for one in test]
    right = sum(one.prediction.label == label for one, label in zip(found["test"], gold, strict=True)) / len(test)
    accuracy = {}
    for complement in (False, True):
        sets = {
            name: [_left(one, result, complement) for one, result in zip(part, found[name], strict=True)]
            for name, part in parts.items()
        }
        result = train(sets["train"], sets["dev"], sets["test"], config=config, options=options)
        assert result.test is not None
        accuracy[complement] = result.test.accuracy
    shares = [one.compactness.share for one in found["test"]]
    return Collusion(
        right, accuracy[False], accuracy[True], max(map(gold.count, gold)) / len(gold),
        shares.count(0.0) / len(shares), shares.count(1.0) / len(shares),
    )  # fmt: skip


def _left(example: Example, found: Rationale, complement: bool) -> Example:
    """A text of the kept words, or of the others."""
    kept = set(found.kept)
    words = [word for n, word in enumerate(found.text.word_strings()) if (n in kept) != complement]
    return Example.of(" ".join(words) or "nothing", example.label)


def _support(
    examples: Sequence[Example],
    dev: Sequence[Example],
    config: RationaleConfig,
    options: TrainOptions,
    checkpoint: Path | None,
    resume: bool,
) -> Classifier:
    """An ordinary classifier of the sizes of the one to be trained."""
    from exegesis.models.modules.wrap import wrap

    cell: Any = "gru" if config.encoder == "cnn" else config.encoder
    shape = RecurrentConfig(
        cell=cell, bidirectional=True, embedding=config.embedding, hidden=config.hidden, dropout=config.dropout
    )
    place = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.support")
    result = train(examples, dev, config=shape, options=replace(options), checkpoint=place, resume=resume)
    trained: TrainedClassifier = result.model
    return wrap(trained.module, vocabulary=trained.vocabulary, labels=list(trained.labels), name="support")
