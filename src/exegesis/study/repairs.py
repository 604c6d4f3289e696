"""New training texts against a fault, and what retraining with them changes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
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
from exegesis.models.trained.card import describe
from exegesis.models.trained.corpus import find_labels, single, split_off
from exegesis.models.trained.folder import TrainedClassifier
from exegesis.models.trained.network import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import Epoch
from exegesis.models.trained.training import train as fit
from exegesis.results.swaps import Added, Mean, Repair, Retrained, Substitution
from exegesis.statistics.bootstrap import LEVEL, spread
from exegesis.study.candidates import SYNONYMS
from exegesis.study.predictions import predict_all
from exegesis.study.replacements import replaced, starts
from exegesis.study.texts import Data, normal, read_data

TRAININGS = "trainings"  # what is told before the first of them
Swaps = Mapping[str, Sequence[str]] | Substitution


def repair(
    train: Data,
    swaps: Swaps,
    test: Data | None = None,
    *,
    dev: Data | None = None,
    config: RecurrentConfig | None = None,
    options: TrainOptions | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    most: int = 200,
    samples: int = 2000,
    progress: bool = False,
) -> Repair:
    """Does training on counterfactual pairs mend a fault, and what does it cost?

    ``swaps`` says which words may stand for each other with the same label: a word with its replacements
    (``{"terribly": ["extremely", "very"]}``), or a ``Substitution``, whose listed synonyms that flip are taken. New
    texts are the training texts that hold one word of a pair with the other in its place, both ways, under their own
    labels (an article before the word stays as it is): at most ``most`` of each direction, drawn by a seed; none that
    stands among the training, development or test texts already, or among those that the fault is measured on.

    With ``test``, classifiers of ``config`` are trained from each of ``seeds``: without the new texts, with their
    originals once more in their place (a control), and with them, on the same development texts (a tenth set aside
    where ``dev`` is not given). The fault is measured on the test texts that hold a word of a pair, changed in the same
    way. Intervals cover other texts and, from two seeds on, other trainings (see ``Mean``). Raises UsageError where no
    training text holds a word of a swap, no test text does, or there are no labels.
    """
    pairs = _pairs(swaps)
    examples = read_data(train)
    labels = find_labels(examples)
    tested = [] if test is None else read_data(test)
    held = [] if dev is None else read_data(dev)
    known = {_key(single(one)) for one in (*examples, *held)}
    fault = propose(tested, pairs, most=len(tested), without=known)
    taken = known | {_key(single(one)) for one in tested} | {_key(one.text) for one in fault}
    added = propose(examples, pairs, most=most, without=taken)
    if not added:
        raise UsageError(f"no training text holds one of {_words(pairs)}, or none that gives a new text; give others")
    nothing = Mean(float("nan"), float("nan"), float("nan"), 0, 0, 0)
    found = Repair("", tuple(pairs), tuple(added), len(examples), (), nothing, nothing, nothing)
    seeds = list(dict.fromkeys(seeds))
    if test is None or not seeds:
        return found
    find_labels([*tested, *(Example.of("", label) for label in labels)])
    if not fault:
        raise UsageError(
            f"no test text holds one of {_words(pairs)}, so the fault cannot be measured; give other texts"
        )
    options = options or TrainOptions()
    if not held:
        examples, held = split_off(examples, options.development, options.seed)
    kept = {single(example) for example in examples}
    new = [one for one in added if one.origin in kept]
    extras: tuple[list[Example], ...] = (
        [],
        [Example.of(one.origin, one.label) for one in new],
        [Example.of(one.text, one.label) for one in new],
    )
    runs, changes = [], []
    shows = [Example.of(one.text, one.label) for one in fault]
    watch = _Watch(options.epochs)
    tell(f"{TRAININGS} on {len(examples):,} texts", 0, len(extras) * len(seeds))
    with bar(progress, len(extras) * len(seeds), "train") as advance:
        for seed in seeds:
            rights = []
            for extra in extras:
                own = replace(options, seed=seed)
                result = fit(examples, held, extra=extra, config=config, options=own, watcher=watch)
                watch.over()
                rights.append([_right(result.model, part) for part in (shows, tested)])
                advance()
            (a, b), (c, d), (e, f) = rights
            runs.append(Retrained(seed, *(float(one.mean()) for one in (a, c, e, b, d, f))))
            changes.append((e - a, e - c, f - b))
    made, whole = [_key(one.origin) for one in fault], [_key(single(one)) for one in tested]
    means = [_mean(np.array([one[i] for one in changes]), own, samples) for i, own in enumerate((made, made, whole))]
    name = describe(result)
    return replace(found, trained=name, runs=tuple(runs), fault=means[0], beyond=means[1], test=means[2])


class _Watch:
    """Tells how far one training is; it may stop before all epochs are done, which ``over`` says."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def step(self, epoch: int, done: int, total: int, loss: float) -> None:
        tell("batches of the epoch", done, total)

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        tell("epochs, at most", epoch.number, self.epochs)

    def over(self) -> None:
        tell("epochs, at most", self.epochs, self.epochs)


def propose(
    examples: Sequence[Example], pairs: Sequence[tuple[str, str]], *, most: int = 200, without: set[str] | None = None
) -> list[Added]:
    """Texts that hold one word of a pair with the other in its place, both ways, under their labels; each once.

    At most ``most`` of each direction, drawn by a seed; none of ``without`` (texts as ``normal`` writes them).
    """
    vocabulary = Vocabulary(("<pad>", "<unk>"))
    seen, found = set(without or ()), []
    texts = [(single(one), one.label or "") for one in examples]
    read = [vocabulary.read(raw) for raw, _ in texts]
    words = [set(map(normal, text.word_strings())) for text in read]
    for old, new in (move for a, b in pairs for move in ((a, b), (b, a))):
        parts = list(map(normal, vocabulary.read(old).word_strings()))
        rows = [i for i, own in enumerate(words) if own.issuperset(parts) and starts(read[i], parts)]
        random.Random(0).shuffle(rows)
        kept = 0
        for i in rows:
            changed = str(replaced(texts[i][0], read[i], starts(read[i], parts), new, len(parts)))
            key = _key(changed)
            if kept < most and key not in seen:
                seen.add(key)
                kept += 1
                found.append(Added(changed, texts[i][1], texts[i][0]))
    return found


def _pairs(swaps: Swaps) -> list[tuple[str, str]]:
    if isinstance(swaps, Substitution):
        listed = [swap.word for swap in swaps.flips if SYNONYMS in swap.sources]
        swaps = {swaps.word: listed}
    pairs = [(normal(old), normal(new)) for old, others in swaps.items() for new in others]
    pairs = list(dict.fromkeys((a, b) for a, b in pairs if a != b))
    if not pairs:
        raise UsageError("there is no swap to repair by; give words with the words that may stand for them")
    return pairs


def _words(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(word for pair in pairs for word in pair))


def _key(text: str) -> str:
    return " ".join(normal(text).split())


def _right(trained: TrainedClassifier, examples: Sequence[Example]) -> Float[np.ndarray, " n"]:
    """1 for each text that a classifier predicts rightly, else 0."""
    model = wrap(trained.module, vocabulary=trained.vocabulary, labels=trained.labels)
    said = predict_all(model, [one.text for one in examples])
    return np.array([float(one.label == example.label) for one, example in zip(said, examples, strict=True)])


def _mean(changes: Float[np.ndarray, "seeds texts"], origins: Sequence[str], samples: int) -> Mean:
    """The mean of changes with its interval: see ``Mean``."""
    _, owners = np.unique(origins, return_inverse=True)
    over, each = spread(changes.mean(0), owners, samples), changes.mean(1)
    low, high = over.mean_low, over.mean_high
    if len(each) > 1:
        reach = stats.t.ppf((1 + LEVEL) / 2, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
        low, high = (over.mean + side * np.hypot(one - over.mean, reach) for side, one in ((-1, low), (1, high)))
    return Mean(over.mean, float(low), float(high), len(origins), over.texts, len(each))
