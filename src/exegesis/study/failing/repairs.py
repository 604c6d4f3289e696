"""Repairs: new training texts against a fault, and the effect of training with them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from exegesis.api import bar
from exegesis.core.errors import UsageError
from exegesis.core.progress import tell
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import NetworkConfig
from exegesis.models.trained.card import describe
from exegesis.models.trained.corpus import find_labels, single, split_off
from exegesis.models.trained.folder import TrainedClassifier
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.scores import Epoch
from exegesis.models.trained.training import train as fit
from exegesis.nn.context import entry
from exegesis.results.behaviour.faults import Added, Mean, Repair, Retrained, Substitution
from exegesis.statistics.bootstrap import LEVEL, spread
from exegesis.study.corpus import Data, normal, read_data
from exegesis.study.predictions import predict_all
from exegesis.study.vocabulary.candidates import SYNONYMS
from exegesis.study.vocabulary.replacements import replaced, starts

TRAININGS = "trainings"  # the name under which their progress is announced
Swaps = Mapping[str, Sequence[str]] | Substitution
NOTHING = Mean(float("nan"), float("nan"), float("nan"), 0, 0, 0)


@entry
def repair(
    train: Data,
    swaps: Swaps,
    test: Data | None = None,
    *,
    dev: Data | None = None,
    config: NetworkConfig | None = None,
    options: TrainOptions | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    most: int = 200,
    samples: int = 2000,
    progress: bool = False,
) -> Repair:
    """Counterfactual training texts against a fault, and the accuracy gained and lost by training with them.

    ``swaps`` lists the words that may stand for each other with the same label: a word with its replacements
    (``{"terribly": ["extremely", "very"]}``), or a ``Substitution``, whose listed synonyms that flip are used. New
    texts are the training texts that hold one word of a pair with the other in its place, in both directions, under
    their own labels (an article before the word stays as it is): at most ``most`` per direction, drawn by a seed; none
    that is among the training, development or test texts already, or among those on which the fault is measured.

    With ``test``, classifiers of ``config`` are trained from each of ``seeds``: without the new texts, with their
    originals once more instead (a control), and with them, on the same development texts (a tenth is set aside if
    ``dev`` is not given). The fault is measured on the test texts that hold a word of a pair, changed in the same way.
    Intervals cover other texts and, from two seeds on, other trainings (see ``Mean``). Raises UsageError if no training
    text or no test text holds a word of a swap, or if there are no labels.
    """
    pairs = _pairs(swaps)
    examples = read_data(train)
    labels = find_labels(examples)
    tested, development = ([] if data is None else read_data(data) for data in (test, dev))
    excluded = {_key(single(example)) for example in (*examples, *development)}
    fault = propose(tested, pairs, most=len(tested), without=excluded)
    excluded |= {_key(single(example)) for example in tested} | {_key(text.text) for text in fault}
    added = propose(examples, pairs, most=most, without=excluded)
    if not added:
        raise UsageError(f"no training text holds one of {_words(pairs)}, or none that gives a new text; give others")
    proposal = Repair("", tuple(pairs), tuple(added), len(examples), (), NOTHING, NOTHING, NOTHING)
    seeds = list(dict.fromkeys(seeds))
    if test is None or not seeds:
        return proposal
    find_labels([*tested, *(Example.of("", label) for label in labels)])
    if not fault:
        raise UsageError(
            f"no test text holds one of {_words(pairs)}, so the fault cannot be measured; give other texts"
        )
    options = options or TrainOptions()
    if not development:
        examples, development = split_off(examples, options.development, options.seed)
    trainer = _Trainer(examples, development, config, options, added)
    tell(f"{TRAININGS} on {len(examples):,} texts", 0, len(trainer.extras) * len(seeds))
    with bar(progress, len(trainer.extras) * len(seeds), "train") as advance:
        shows = [Example.of(text.text, text.label) for text in fault]
        trained = [trainer.runs(seed, shows, tested, advance) for seed in seeds]
    origins, keys = [_key(text.origin) for text in fault], [_key(single(example)) for example in tested]
    means = [
        _mean(np.array([changes[i] for _, changes in trained]), owners, samples)
        for i, owners in enumerate((origins, origins, keys))
    ]
    runs = tuple(run for run, _ in trained)
    return replace(proposal, trained=trainer.name, runs=runs, fault=means[0], beyond=means[1], test=means[2])


class _Trainer:
    """Trains the three classifiers of a seed: without new texts, with their originals again, and with them."""

    def __init__(
        self, examples: list[Example], development: list[Example], config: NetworkConfig | None,
        options: TrainOptions, added: Sequence[Added],
    ) -> None:  # fmt: skip
        self.examples, self.development, self.config, self.options = examples, development, config, options
        held = {single(example) for example in examples}
        new = [text for text in added if text.origin in held]
        self.extras: tuple[list[Example], ...] = (
            [],
            [Example.of(text.origin, text.label) for text in new],
            [Example.of(text.text, text.label) for text in new],
        )
        self.watch, self.name = _Watch(options.epochs), ""

    def runs(
        self, seed: int, fault: Sequence[Example], tested: Sequence[Example], advance: Callable[[], object]
    ) -> tuple[Retrained, tuple[Float[np.ndarray, " n"], ...]]:
        """The accuracies of the classifiers of a seed, and the changes text by text: fault, beyond control, test."""
        rights = []
        options = replace(self.options, seed=seed)
        for extra in self.extras:
            result = fit(
                self.examples, self.development, extra=extra, config=self.config, options=options, watcher=self.watch
            )
            self.watch.over()
            rights.append([_right(result.model, part) for part in (fault, tested)])
            advance()
        self.name = describe(result)
        (a, b), (c, d), (e, f) = rights
        accuracies = Retrained(seed, *(float(right.mean()) for right in (a, c, e, b, d, f)))
        return accuracies, (e - a, e - c, f - b)


class _Watch:
    """Reports the progress of one training, which may stop before all epochs are done (``over``)."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def step(self, epoch: int, done: int, total: int, loss: float) -> None:
        tell("batches of the epoch", done, total)

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        tell("epochs, at most", epoch.number, self.epochs)

    def over(self) -> None:
        tell("epochs, at most", self.epochs, self.epochs)


@entry
def propose(
    examples: Sequence[Example], pairs: Sequence[tuple[str, str]], *, most: int = 200, without: set[str] | None = None
) -> list[Added]:
    """New texts: those that hold one word of a pair, with the other in its place, under their labels; each once.

    Both directions of a pair are used, at most ``most`` texts per direction, drawn by a seed; none of ``without``
    (texts as written by ``normal``).
    """
    vocabulary = Vocabulary(("<pad>", "<unk>"))
    used, added = set(without or ()), []
    texts = [(single(example), example.label or "") for example in examples]
    read = [vocabulary.read(raw) for raw, _ in texts]
    words = [set(map(normal, text.word_strings())) for text in read]
    for old, new in (move for a, b in pairs for move in ((a, b), (b, a))):
        parts = list(map(normal, vocabulary.read(old).word_strings()))
        rows = [i for i, held in enumerate(words) if held.issuperset(parts) and starts(read[i], parts)]
        random.Random(0).shuffle(rows)
        count = 0
        for i in rows:
            changed = str(replaced(texts[i][0], read[i], starts(read[i], parts), new, len(parts)))
            key = _key(changed)
            if count < most and key not in used:
                used.add(key)
                count += 1
                added.append(Added(changed, texts[i][1], texts[i][0]))
    return added


def _pairs(swaps: Swaps) -> list[tuple[str, str]]:
    if isinstance(swaps, Substitution):
        listed = [swap.word for swap in swaps.flips if SYNONYMS in swap.sources]
        swaps = {swaps.word: listed}
    pairs = [(normal(old), normal(new)) for old, replacements in swaps.items() for new in replacements]
    pairs = list(dict.fromkeys((a, b) for a, b in pairs if a != b))
    if not pairs:
        raise UsageError("there are no swaps for a repair; give words with their replacements")
    return pairs


def _words(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(word for pair in pairs for word in pair))


def _key(text: str) -> str:
    return " ".join(normal(text).split())


def _right(trained: TrainedClassifier, examples: Sequence[Example]) -> Float[np.ndarray, " n"]:
    """1 for each text that a classifier predicts correctly, else 0."""
    model = wrap(trained.module, vocabulary=trained.vocabulary, labels=trained.labels)
    predicted = predict_all(model, [example.text for example in examples])
    return np.array([float(p.label == example.label) for p, example in zip(predicted, examples, strict=True)])


def _mean(changes: Float[np.ndarray, "seeds texts"], origins: Sequence[str], samples: int) -> Mean:
    """The mean of changes with its interval (see ``Mean``)."""
    _, owners = np.unique(origins, return_inverse=True)
    texts, seeds = spread(changes.mean(0), owners, samples), changes.mean(1)
    low, high = texts.mean_low, texts.mean_high
    if len(seeds) > 1:
        reach = stats.t.ppf((1 + LEVEL) / 2, len(seeds) - 1) * seeds.std(ddof=1) / np.sqrt(len(seeds))
        low, high = (texts.mean + side * np.hypot(end - texts.mean, reach) for side, end in ((-1, low), (1, high)))
    return Mean(texts.mean, float(low), float(high), len(origins), texts.texts, len(seeds))
