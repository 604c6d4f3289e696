"""Failures: wrong predictions by the words that caused them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from exegesis.api import Place, Plan, as_model, bar, chosen, read_text
from exegesis.core.errors import UsageError
from exegesis.core.text import Text
from exegesis.engine.methods import Method
from exegesis.nn.context import entry
from exegesis.protocols.draws import generator
from exegesis.protocols.labels import Labels
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Wish
from exegesis.results.attribution import Prediction
from exegesis.results.behaviour.faults import Cause, Corpora, Failures
from exegesis.results.behaviour.study import Shown
from exegesis.study.corpus import Corpus, Data, asked_of, explained, need_labels, normal, shown, signed
from exegesis.study.failing.behind import behind
from exegesis.study.failing.causes import Share, findings, leans
from exegesis.study.failing.training_texts import TrainingTexts, read_training
from exegesis.study.predictions import in_parts, predict_all, without

DRAWS = 5  # random words per text, removed one at a time
MAX_SAMPLE = 2000  # training texts on which the accuracy is measured
MAX_LEAKS = 20  # leaks listed in the result


@dataclass
class _Blamed:
    """The wrong predictions that one word caused."""

    labels: Counter[str] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)
    cured: int = 0
    examples: list[tuple[float, Shown]] = field(default_factory=list)


@entry
def failures(
    model: Classifier | str,
    data: Data,
    labels: Labels | None = None,
    *,
    train: Data | None = None,
    train_labels: Labels | None = None,
    method: str | Method | None = None,
    target: Wish = None,
    most: int = 20,
    examples: int = 2,
    sources: int = 0,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> Failures:
    """Wrong predictions by the words that caused them (REAT paper, Sec. 4.8.1, Figure 9).

    Every text of ``data`` needs its true label, its own or one in ``labels``. The cause of a wrong prediction is the
    word with the highest score for the predicted label (``target``: ``predicted`` or ``probability:predicted``); each
    text is predicted again without its cause. ``train``, the training texts with labels, adds the checks of the data:
    how often and with which labels each cause occurs there, leakage, and the gap between the accuracies. The first
    ``most`` causes are examined; with ``sources``, so many training texts are named behind each of them (see
    ``study.behind``). Raises like ``explain``, and UsageError for no texts, missing labels, labels of one
    class only, or a method whose scores have no sign.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, target)
    if plan.choice.labels:
        raise UsageError("failures are explained by the label that was predicted; leave the target out")
    if sources and train is None:
        raise UsageError("training texts behind the causes are found among training texts: give train= (--train)")
    corpus = _labelled(classifier, data, labels, "texts")
    trained = None if train is None else _labelled(classifier, train, train_labels, "training texts")
    with bar(progress, len(corpus), "predict") as advance:
        predicted = predict_all(classifier, corpus.raws, advance)
    wrong = [i for i, prediction in enumerate(predicted) if prediction.label != corpus.golds[i]]
    blamed, failed = _blame(plan, corpus, wrong, progress, examples)
    cured, chance = _count_cured(classifier, failed, blamed)
    statistics = None if trained is None else read_training(classifier, trained)
    ranked = sorted(blamed, key=lambda word: _rank(word, blamed[word]))
    uses = _uses(classifier, plan, corpus, {word: _pushed(blamed[word]) for word in ranked[:most]}, progress)
    tested = sum(leans(statistics.of(word, _pushed(blamed[word]))) for word in ranked) if statistics else 0
    share = Share(len(corpus), len(wrong), tested)
    causes = tuple(
        _cause(word, blamed[word], uses[word], corpus, predicted, statistics, share) for word in ranked[:most]
    )
    if sources and trained is not None:
        wrongly: dict[str, list[tuple[Any, str]]] = {cause.word: [] for cause in causes}
        for i, one in zip(wrong, failed, strict=True):
            wrongly.get(normal(one.text.word_strings()[one.top]), []).append((corpus.raws[i], predicted[i].label))
        named = behind(classifier, trained, wrongly, sources)
        causes = tuple(cause._replace(behind=named[cause.word]) for cause in causes)
    confusion: dict[str, dict[str, int]] = {a: dict.fromkeys(classifier.labels, 0) for a in classifier.labels}
    for gold, prediction in zip(corpus.golds, predicted, strict=True):
        confusion[str(gold)][prediction.label] += 1
    asked = asked_of(plan, len(corpus), sum(len(classifier.read(raw).words) for raw in corpus.raws), True)
    return Failures(
        asked, _corpora(classifier, corpus, predicted, trained, statistics), confusion, cured, chance, causes
    )


def _labelled(model: Classifier, data: Data, labels: Labels | None, what: str) -> Corpus:
    corpus = Corpus.of(data, labels, model.labels, what=what)
    need_labels(corpus, "failures")
    if len(set(corpus.golds)) < 2:
        raise UsageError(f"the {what} have one label only ({corpus.golds[0]}); give texts of at least two")
    return corpus


class _Wrong(NamedTuple):
    """A wrong prediction: the text, the number of the word that caused it, the true label."""

    text: Text
    top: int
    gold: str


def _blame(
    plan: Plan, corpus: Corpus, wrong: Sequence[int], progress: bool, examples: int
) -> tuple[dict[str, _Blamed], list[_Wrong]]:
    """The causes of the wrong predictions, by word, and the wrong predictions themselves."""
    blamed: dict[str, _Blamed] = defaultdict(_Blamed)
    failed: list[_Wrong] = []
    read = ((i, read_text(plan.model, corpus.raws[i], i, len(corpus))) for i in wrong)
    with bar(progress, len(wrong), plan.name) as advance:
        for number, result in explained(plan, read, advance):
            if not signed(result):
                raise UsageError(f"{plan.name} gives sizes without a sign, which name no cause; take another method")
            over = result.over_words()
            top = int(np.argmax(over.scores))
            word, gold = normal(over.words[top]), str(corpus.golds[number])
            cause = blamed[word]
            cause.labels[result.prediction.label] += 1
            cause.scores.append(float(over.scores[top]))
            cause.examples.append((-float(over.scores[top]), shown(result, number, gold, [top])))
            cause.examples = sorted(cause.examples, key=lambda pair: pair[0])[:examples]
            failed.append(_Wrong(result.text, top, gold))
    return dict(blamed), failed


def _count_cured(model: Classifier, failed: Sequence[_Wrong], blamed: Mapping[str, _Blamed]) -> tuple[int, float]:
    """The numbers of predictions that come right without their cause, and without a random word instead."""
    cured, chance = 0, 0
    for start in range(0, len(failed), 1024):
        part = failed[start : start + 1024]
        removed = [[[wrong.top], *([word] for word in _drawn(wrong.text))] for wrong in part]
        for wrong, (_, labels) in zip(part, without(model, [w.text for w in part], removed), strict=True):
            right = labels[0] == wrong.gold
            blamed[normal(wrong.text.word_strings()[wrong.top])].cured += right
            cured += right
            chance += labels[1:].count(wrong.gold)
    return cured, chance / DRAWS


def _drawn(text: Text) -> list[int]:
    """Numbers of random words, seeded by the content of the text."""
    draws = np.random.default_rng(generator(text, 0).initial_seed())
    words: list[int] = draws.integers(len(text.words), size=DRAWS).tolist()
    return words


def _rank(word: str, cause: _Blamed) -> tuple[int, int, float, str]:
    """A sort key: most predictions cured first, then most predictions caused, then the highest score."""
    return -cause.cured, -len(cause.scores), -float(np.mean(cause.scores)), word


def _pushed(cause: _Blamed) -> str:
    """The label that a word made the model predict most often."""
    return min(cause.labels, key=lambda label: (-cause.labels[label], label))


def _uses(
    model: Classifier, plan: Plan, corpus: Corpus, pushed: Mapping[str, str], progress: bool
) -> dict[str, dict[int, float]]:
    """The mean score of each cause for the label that it pushes to, by the number of each text that holds it."""
    uses: dict[str, dict[int, float]] = {word: {} for word in pushed}
    for label in sorted(set(pushed.values())):
        words = {word for word, towards in pushed.items() if towards == label}
        plan_for_label = Plan.of(model, plan.method, None, f"{plan.choice.kind}:{label}")
        held = [
            (number, text)
            for start, part in in_parts(model, corpus.raws)
            for number, text in enumerate(part, start)
            if not words.isdisjoint(map(normal, text.word_strings()))
        ]
        with bar(progress, len(held), plan.name) as advance:
            for number, result in explained(plan_for_label, iter(held), advance):
                over = result.over_words()
                strings = list(map(normal, over.words))
                for word in words.intersection(strings):
                    scores = [s for s, w in zip(over.scores.tolist(), strings, strict=True) if w == word]
                    uses[word][number] = float(np.mean(scores))
    return uses


def _cause(
    word: str, blamed: _Blamed, uses: Mapping[int, float], corpus: Corpus, predicted: Sequence[Prediction],
    statistics: TrainingTexts | None, share: Share,
) -> Cause:  # fmt: skip
    label = _pushed(blamed)
    errors = sum(predicted[i].label != corpus.golds[i] for i in uses)
    cause = Cause(
        word, label, len(blamed.scores), blamed.cured, float(np.mean(blamed.scores)), len(uses), errors,
        float(np.mean([score > 0 for score in uses.values()])),
        float(np.mean([corpus.golds[i] == label for i in uses])),
        None if statistics is None else statistics.of(word, label), (),
        tuple(example for _, example in blamed.examples),
    )  # fmt: skip
    return cause._replace(findings=findings(cause, share))


def _corpora(
    model: Classifier, corpus: Corpus, predicted: Sequence[Prediction], trained: Corpus | None,
    statistics: TrainingTexts | None,
) -> Corpora:  # fmt: skip
    right = sum(prediction.label == gold for prediction, gold in zip(predicted, corpus.golds, strict=True))
    if trained is None or statistics is None:
        return Corpora(right, len(corpus), {}, float("nan"), 0, 0, 0, ())
    picks = sorted(random.Random(0).sample(range(len(trained)), min(MAX_SAMPLE, len(trained))))
    again = predict_all(model, [trained.raws[i] for i in picks])
    hits = sum(prediction.label == trained.golds[i] for prediction, i in zip(again, picks, strict=True))
    leaks = [
        leak
        for start, part in in_parts(model, corpus.raws)
        for number, text in enumerate(part, start)
        if (leak := statistics.leak(text, str(corpus.golds[number]))) is not None
    ]
    clashing = sum(leak.gold != leak.training for leak in leaks)
    labels = {label: statistics.labels.get(label, 0) for label in model.labels}
    return Corpora(
        right, len(corpus), labels, hits / len(picks), len(picks), len(leaks), clashing, tuple(leaks[:MAX_LEAKS])
    )
