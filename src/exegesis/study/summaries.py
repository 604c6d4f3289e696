"""Summaries: the behaviour of a model over a corpus on one page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from exegesis.api import Place, Plan, as_model, bar, chosen
from exegesis.core.errors import UsageError
from exegesis.engine.methods import Method
from exegesis.nn.context import entry
from exegesis.protocols.draws import generator
from exegesis.protocols.labels import Labels
from exegesis.protocols.model import Classifier
from exegesis.results.attribution import Attribution
from exegesis.results.behaviour.faults import Contrary, Summary, TopWord, Unfaithful
from exegesis.statistics.bootstrap import spread
from exegesis.study.corpus import Corpus, Data, asked_of, explained, need_labels, normal, shown, signed, texts_of
from exegesis.study.failing.training_texts import TrainingTexts, read_training
from exegesis.study.predictions import without

CONFIDENT = 0.9  # probability from which a text counts as confident
TOP_SHARE, RANDOM_SETS = 0.2, 10  # share of the words removed, and number of random sets as large
FAINT = 0.01  # share of the strongest word's median below which a word is not listed
MIN_TRAINING, LEANING_LEVEL = 10, 0.01  # training texts of a word, and the significance level of their leaning


@entry
def summary(
    model: Classifier | str,
    data: Data,
    labels: Labels | None = None,
    *,
    train: Data | None = None,
    train_labels: Labels | None = None,
    method: str | Method | None = None,
    kind: str | None = None,
    most: int = 12,
    minimum: int = 5,
    texts: int = 4,
    samples: int = 1000,
    seed: int = 0,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> Summary:
    """The strongest words of each label, texts with doubtful explanations, and words that contradict their statistics.

    For each label: the ``most`` words with the highest median score (of each label's logit, or ``kind="probability"``,
    minus the mean over labels) among those with at least ``minimum`` uses, without words below a hundredth of the
    strongest. Each text with a probability of 0.9 or more is predicted again without its top fifth of words, and
    without ten random sets as large; the worst ``texts`` are shown. With ``train``, the training texts with labels:
    words that lean to a label there (at least 10 texts, exact binomial p < 0.01) while the interval of their median
    score lies below 0 for it. Raises like ``explain``, and UsageError for no texts or a method whose scores have no
    sign.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, "all" if kind is None else f"{kind}:all")
    if len(classifier.labels) < 2:
        raise UsageError("the model has one output only; a summary compares labels")
    corpus = Corpus.of(data, labels, classifier.labels)
    statistics = None if train is None else _training(classifier, train, train_labels)
    scores, predicted, falls, count = _read(classifier, plan, corpus, seed, progress)
    frequent = {word: rows for word, rows in scores.items() if len(rows) >= minimum}
    tops = [top for i, label in enumerate(classifier.labels) for top in _tops(frequent, i, label, most, samples, seed)]
    falls.sort(key=lambda text: text.top - text.random)
    doubtful = [text for text in falls if text.top <= text.random]
    golds = [gold for gold in corpus.golds if gold is not None]
    hits = sum(label == gold for label, gold in zip(predicted, corpus.golds, strict=True) if gold is not None)
    contrary = [] if statistics is None else _contrary(frequent, statistics, classifier.labels, samples, seed)
    kind = classifier.link.called(plan.choice.kind)
    return Summary(
        asked_of(plan, len(corpus), count, True)._replace(target=f"{kind}:each label"),
        {label: predicted.count(label) for label in classifier.labels},
        hits / len(golds) if golds else float("nan"), minimum, tuple(tops), len(falls), len(doubtful),
        tuple(doubtful[:texts]), tuple(contrary[:most]), 0 if statistics is None else statistics.total,
    )  # fmt: skip


def _training(model: Classifier, train: Data, labels: Labels | None) -> TrainingTexts:
    corpus = Corpus.of(train, labels, model.labels, what="training texts")
    need_labels(corpus, "training statistics")
    return read_training(model, corpus)


Rows = list[tuple[int, Float[np.ndarray, " labels"]]]


def _read(
    model: Classifier, plan: Plan, corpus: Corpus, seed: int, progress: bool
) -> tuple[dict[str, Rows], list[str], list[Unfaithful], int]:
    """Scores by word, predicted labels, confident texts without their top words, and the number of words."""
    scores: dict[str, Rows] = defaultdict(list)
    predicted, falls, count = [""] * len(corpus), [], 0
    confident: list[tuple[int, Attribution]] = []
    with bar(progress, len(corpus), plan.name) as advance:
        for number, result in explained(plan, texts_of(model, corpus), advance):
            if not signed(result):
                raise UsageError(f"{plan.name} gives sizes without a sign, which speak for no label; take another")
            over = result.over_words()
            centred = over.scores - over.scores.mean(0)
            for place, word in enumerate(over.words):
                scores[normal(word)].append((number, centred[:, place]))
            count += len(over.words)
            predicted[number] = result.prediction.label
            if result.prediction.probability >= CONFIDENT and len(over.words) > 1:
                confident.append((number, result))
            if len(confident) == 256:
                falls += _falls(model, corpus, confident, seed)
                confident = []
    return scores, predicted, falls + _falls(model, corpus, confident, seed), count


def _falls(
    model: Classifier, corpus: Corpus, confident: Sequence[tuple[int, Attribution]], seed: int
) -> list[Unfaithful]:
    """The falls of the probability of texts without their top words, and without random words."""
    removed, parts = [], []
    for _, result in confident:
        part = result.for_target(result.prediction.label).over_words()
        size = max(1, round(TOP_SHARE * len(part.words)))
        top = np.argsort(-part.scores, kind="stable")[:size].tolist()
        draws = np.random.default_rng(generator(result.text, seed).initial_seed())
        removed.append([top, *(draws.permutation(len(part.words))[:size].tolist() for _ in range(RANDOM_SETS))])
        parts.append((part, top))
    answers = without(model, [result.text for _, result in confident], removed)
    texts = []
    for (number, result), (part, top), (chances, _) in zip(confident, parts, answers, strict=True):
        falls = result.prediction.probability - chances[:, model.labels.index(result.prediction.label)]
        text = shown(part, number, corpus.golds[number], top)
        texts.append(Unfaithful(text, len(top), float(falls[0]), float(falls[1:].mean())))
    return texts


def _tops(frequent: Mapping[str, Rows], label: int, name: str, most: int, samples: int, seed: int) -> list[TopWord]:
    medians = {word: float(np.median([scores[label] for _, scores in rows])) for word, rows in frequent.items()}
    least = FAINT * max(medians.values(), default=0.0)
    ranked = sorted((word for word in medians if medians[word] > max(0.0, least)), key=lambda w: (-medians[w], w))
    return [TopWord(word, name, _spread(frequent[word], label, samples, seed)) for word in ranked[:most]]


def _spread(rows: Rows, label: int, samples: int, seed: int) -> Any:
    return spread(np.array([scores[label] for _, scores in rows]), np.array([n for n, _ in rows]), samples, seed)


def _contrary(
    frequent: Mapping[str, Rows], statistics: TrainingTexts, labels: Sequence[str], samples: int, seed: int
) -> list[Contrary]:
    """Words whose scores contradict their training texts, the strongest contradiction first."""
    contrary = []
    for word, rows in frequent.items():
        held = Counter(statistics.words.get(word, {}))
        if sum(held.values()) < MIN_TRAINING:
            continue
        leanings = [(label, statistics.of(word, label)) for label in labels]
        label, training = max(leanings, key=lambda leaning: leaning[1].share - leaning[1].base)
        if training.p < LEANING_LEVEL and training.share > training.base:
            scores = _spread(rows, labels.index(label), samples, seed)
            if scores.median_high < 0:
                contrary.append(Contrary(word, label, scores, training))
    return sorted(contrary, key=lambda entry: (entry.spread.median, entry.word))
