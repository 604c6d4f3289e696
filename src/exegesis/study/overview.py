"""What a model does over a corpus, on one page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from exegesis.api import Place, Plan, as_model, bar, chosen
from exegesis.core.errors import UsageError
from exegesis.engine.methods import Method
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.results.attribution import Attribution
from exegesis.results.faults import Contrary, Summary, TopWord, Unfaithful
from exegesis.statistics.bootstrap import spread
from exegesis.study.predictions import without
from exegesis.study.texts import Corpus, Data, asked_of, explained, need_labels, normal, shown, signed, texts_of
from exegesis.study.training import TrainingTexts, read_training

CONFIDENT, TOP, RANDOM = 0.9, 0.2, 10  # probability, share of the words, random sets drawn
FAINT = 0.01  # of the strongest word's median, below which a word is not listed
HELD, SURE = 10, 0.01  # training texts of a word, and the level at which they lean to a label


def summary(
    model: Classifier | str,
    data: Data,
    labels: Sequence[str | int] | None = None,
    *,
    train: Data | None = None,
    train_labels: Sequence[str | int] | None = None,
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
    """What does the model do over a corpus? The strongest words of each label, doubtful reasons, contrary words.

    For each label the ``most`` words of the highest median score (each label's logit, or ``kind="probability"``, less
    the mean over labels) of those with at least ``minimum`` uses, words below a hundredth of the strongest left out.
    Each text of which the model is sure (0.9 or more) loses its top fifth of words, and ten times as many at random;
    the worst ``texts`` are shown. With ``train``, the training texts with labels: words that lean to a label there (at
    least 10 texts, exact binomial p < 0.01) while the interval of their median score lies below 0 for it. Raises as
    ``explain``, and UsageError for no texts or a method whose scores have no sign.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, "all" if kind is None else f"{kind}:all")
    if len(classifier.labels) < 2:
        raise UsageError("the model has one output only; a summary compares labels")
    corpus = Corpus.of(data, labels, classifier.labels)
    known = None if train is None else _training(classifier, train, train_labels)
    found, said, doubts, count = _read(classifier, plan, corpus, seed, progress)
    usual = {word: rows for word, rows in found.items() if len(rows) >= minimum}
    tops = [one for i, label in enumerate(classifier.labels) for one in _tops(usual, i, label, most, samples, seed)]
    doubts.sort(key=lambda one: one.top - one.random)
    doubtful = [one for one in doubts if one.top <= one.random]
    golds = [gold for gold in corpus.golds if gold is not None]
    hits = sum(label == gold for label, gold in zip(said, corpus.golds, strict=True) if gold is not None)
    contrary = [] if known is None else _contrary(usual, known, classifier.labels, samples, seed)
    kind = classifier.link.called(plan.asked.kind)
    return Summary(
        asked_of(plan, len(corpus), count, True)._replace(target=f"{kind}:each label"),
        {label: said.count(label) for label in classifier.labels},
        hits / len(golds) if golds else float("nan"), minimum, tuple(tops), len(doubts), len(doubtful),
        tuple(doubtful[:texts]), tuple(contrary[:most]), 0 if known is None else known.total,
    )  # fmt: skip


def _training(model: Classifier, train: Data, labels: Sequence[str | int] | None) -> TrainingTexts:
    corpus = Corpus.of(train, labels, model.labels, what="training texts")
    need_labels(corpus, "training statistics")
    return read_training(model, corpus)


Rows = list[tuple[int, Float[np.ndarray, " labels"]]]


def _read(
    model: Classifier, plan: Plan, corpus: Corpus, seed: int, progress: bool
) -> tuple[dict[str, Rows], list[str], list[Unfaithful], int]:
    """Scores by word, the labels predicted, how the sure texts fare without words, and how many words there are."""
    found: dict[str, Rows] = defaultdict(list)
    said, doubts, count = [""] * len(corpus), [], 0
    sure: list[tuple[int, Attribution]] = []
    with bar(progress, len(corpus), plan.name) as advance:
        for number, result in explained(plan, texts_of(model, corpus), advance):
            if not signed(result):
                raise UsageError(f"{plan.name} gives sizes without a sign, which speak for no label; take another")
            over = result.over_words()
            centred = over.scores - over.scores.mean(0)
            for place, word in enumerate(over.words):
                found[normal(word)].append((number, centred[:, place]))
            count += len(over.words)
            said[number] = result.prediction.label
            if result.prediction.probability >= CONFIDENT and len(over.words) > 1:
                sure.append((number, result))
            if len(sure) == 256:
                doubts += _doubts(model, corpus, sure, seed)
                sure = []
    return found, said, doubts + _doubts(model, corpus, sure, seed), count


def _doubts(model: Classifier, corpus: Corpus, sure: Sequence[tuple[int, Attribution]], seed: int) -> list[Unfaithful]:
    """Texts without their top words, and without random ones."""
    gone, own = [], []
    for _, result in sure:
        part = result.for_target(result.prediction.label).over_words()
        size = max(1, round(TOP * len(part.words)))
        top = np.argsort(-part.scores, kind="stable")[:size].tolist()
        draws = np.random.default_rng(generator(result.text, seed).initial_seed())
        gone.append([top, *(draws.permutation(len(part.words))[:size].tolist() for _ in range(RANDOM))])
        own.append((part, top))
    answers = without(model, [result.text for _, result in sure], gone)
    found = []
    for (number, result), (part, top), (chances, _) in zip(sure, own, answers, strict=True):
        falls = result.prediction.probability - chances[:, model.labels.index(result.prediction.label)]
        text = shown(part, number, corpus.golds[number], top)
        found.append(Unfaithful(text, len(top), float(falls[0]), float(falls[1:].mean())))
    return found


def _tops(usual: Mapping[str, Rows], label: int, name: str, most: int, samples: int, seed: int) -> list[TopWord]:
    medians = {word: float(np.median([scores[label] for _, scores in rows])) for word, rows in usual.items()}
    least = FAINT * max(medians.values(), default=0.0)
    ranked = sorted((word for word in medians if medians[word] > max(0.0, least)), key=lambda w: (-medians[w], w))
    return [TopWord(word, name, _spread(usual[word], label, samples, seed)) for word in ranked[:most]]


def _spread(rows: Rows, label: int, samples: int, seed: int) -> Any:
    return spread(np.array([scores[label] for _, scores in rows]), np.array([n for n, _ in rows]), samples, seed)


def _contrary(
    usual: Mapping[str, Rows], known: TrainingTexts, labels: Sequence[str], samples: int, seed: int
) -> list[Contrary]:
    """Words whose scores contradict their training texts, the strongest contradiction first."""
    found = []
    for word, rows in usual.items():
        held = Counter(known.words.get(word, {}))
        if sum(held.values()) < HELD:
            continue
        leans = [(label, known.of(word, label)) for label in labels]
        label, training = max(leans, key=lambda one: one[1].share - one[1].base)
        if training.p < SURE and training.share > training.base:
            own = _spread(rows, labels.index(label), samples, seed)
            if own.median_high < 0:
                found.append(Contrary(word, label, own, training))
    return sorted(found, key=lambda one: (one.spread.median, one.word))
