"""Training of classifiers that select their words, and the test whether selector and classifier are in collusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exegesis.api import as_model
from exegesis.api.rationales import rationale
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.engine.methods import make
from exegesis.models.rationale_models.selectors.diffmask import DiffMask
from exegesis.models.rationale_models.selectors.fresh import Fresh
from exegesis.models.rationale_models.shape import HF, RationaleConfig
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.corpus import single, split_off
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import TrainResult, Watcher, train
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.results.rationale import Rationale
from exegesis.study.reasons.starts import masking, pretrained, starts_warm, warmed, whole_reader

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
    warm: bool = True,
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
    ``support`` is the folder of the trained classifier, or of a Hugging Face one, that is masked as it is. An encoder
    ``hf:FOLDER`` is read first, and both parts start from it.

    With ``warm`` selector and classifier start from a classifier that was trained before on random parts of the texts
    (``Whole`` with ``drawn``; with its own checkpoint too), so that it knows of any words what they say, before a
    selector chooses them. Started together from nothing, both soon agree on a code (``collusion``). Selectors that
    learn marks or read pairs (fresh, matching), and diffmask, start as in their papers. A run that is resumed with more
    epochs keeps what was trained before it. The other arguments and the errors are those of
    ``models.trained.training.train``.
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
    more: dict[str, Any] = {}
    if isinstance(config.chosen, DiffMask):
        config, options, more = masking(config, options, support, examples)
    elif config.encoder.startswith(f"{HF}:"):
        config, more = pretrained(config)
    if isinstance(config.chosen, Fresh) and (given is None or any(one is None for one in given)):
        if support is None:
            support = whole_reader(examples, dev, config, options, checkpoint, resume, more)
        made = marks_by(support, [single(one) for one in examples], config.chosen)
        given = [new if old is None else old for old, new in zip(given or [None] * len(made), made, strict=True)]
    if not (warm and starts_warm(config)):
        config = replace(config, rehearsal=0.0)
    else:
        more = warmed(examples, dev, config, options, checkpoint, resume, more)
    return train(
        examples, dev, test, config=config, options=options, marks=given, checkpoint=checkpoint, resume=resume,
        keep=keep, watcher=watcher, **more,
    )  # fmt: skip


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
