"""Wrong predictions by the words that caused them."""

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
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.results.attribution import Prediction
from exegesis.results.faults import Cause, Corpora, Failures
from exegesis.results.study import Shown
from exegesis.study.causes import Share, findings, leans
from exegesis.study.predictions import in_parts, predict_all, without
from exegesis.study.texts import Corpus, Data, asked_of, explained, need_labels, normal, shown, signed
from exegesis.study.training import TrainingTexts, read_training

DRAWS = 5  # words drawn at random of a text, one at a time
SAMPLE = 2000  # training texts on which the accuracy is taken
LEAKS = 20  # named


@dataclass
class _Blamed:
    """The wrong predictions that one word caused."""

    labels: Counter[str] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)
    cured: int = 0
    examples: list[tuple[float, Shown]] = field(default_factory=list)


def failures(
    model: Classifier | str,
    data: Data,
    labels: Sequence[str | int] | None = None,
    *,
    train: Data | None = None,
    train_labels: Sequence[str | int] | None = None,
    method: str | Method | None = None,
    target: str | int | None = None,
    most: int = 20,
    examples: int = 2,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> Failures:
    """Why does the model fail? Wrong predictions by the words that caused them (REAT paper, Sec. 4.8.1, Figure 9).

    Every text of ``data`` needs its true label, of its own or in ``labels``. The cause of a wrong prediction is the
    word of the highest score for what was predicted (``target``: ``predicted`` or ``probability:predicted``), and
    whether the text comes right without it is tried. ``train``, the training texts with labels, adds the checks of
    the data: how often and with which labels each cause stands there, leakage, and the gap of the accuracies. The
    first ``most`` causes are looked into. Raises as ``explain``, and UsageError for no texts, missing labels, labels
    of one class only, or a method whose scores have no sign.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Plan.of(classifier, method, parameters, target)
    if plan.asked.labels:
        raise UsageError("failures are explained by the label that was predicted; leave the target out")
    corpus = _labelled(classifier, data, labels, "texts")
    trained = None if train is None else _labelled(classifier, train, train_labels, "training texts")
    with bar(progress, len(corpus), "predict") as advance:
        said = predict_all(classifier, corpus.raws, advance)
    wrong = [i for i, one in enumerate(said) if one.label != corpus.golds[i]]
    blamed, failed = _blame(plan, corpus, wrong, progress, examples)
    cured, chance = _try(classifier, failed, blamed)
    known = None if trained is None else read_training(classifier, trained)
    ranked = sorted(blamed, key=lambda word: _rank(word, blamed[word]))
    uses = _uses(classifier, plan, corpus, {word: _pushed(blamed[word]) for word in ranked[:most]}, progress)
    asking = sum(leans(known.of(word, _pushed(blamed[word]))) for word in ranked) if known else 0
    share = Share(len(corpus), len(wrong), asking)
    causes = tuple(_cause(word, blamed[word], uses[word], corpus, said, known, share) for word in ranked[:most])
    confusion: dict[str, dict[str, int]] = {a: dict.fromkeys(classifier.labels, 0) for a in classifier.labels}
    for gold, one in zip(corpus.golds, said, strict=True):
        confusion[str(gold)][one.label] += 1
    asked = asked_of(plan, len(corpus), sum(len(classifier.read(raw).words) for raw in corpus.raws), True)
    return Failures(asked, _corpora(classifier, corpus, said, trained, known), confusion, cured, chance, causes)


def _labelled(model: Classifier, data: Data, labels: Sequence[str | int] | None, what: str) -> Corpus:
    corpus = Corpus.of(data, labels, model.labels, what=what)
    need_labels(corpus, "failures")
    if len(set(corpus.golds)) < 2:
        raise UsageError(f"the {what} have one label only ({corpus.golds[0]}); give texts of at least two")
    return corpus


class _Wrong(NamedTuple):
    """A wrong prediction: the text, the number of the word that caused it, its true label."""

    text: Text
    top: int
    gold: str


def _blame(
    plan: Plan, corpus: Corpus, wrong: Sequence[int], progress: bool, examples: int
) -> tuple[dict[str, _Blamed], list[_Wrong]]:
    """The causes of the wrong predictions."""
    blamed: dict[str, _Blamed] = defaultdict(_Blamed)
    part: list[_Wrong] = []
    read = ((i, read_text(plan.model, corpus.raws[i], i, len(corpus))) for i in wrong)
    with bar(progress, len(wrong), plan.name) as advance:
        for number, result in explained(plan, read, advance):
            if not signed(result):
                raise UsageError(f"{plan.name} gives sizes without a sign, which name no cause; take another method")
            over = result.over_words()
            top = int(np.argmax(over.scores))
            word, gold = normal(over.words[top]), str(corpus.golds[number])
            one = blamed[word]
            one.labels[result.prediction.label] += 1
            one.scores.append(float(over.scores[top]))
            one.examples.append((-float(over.scores[top]), shown(result, number, gold, [top])))
            one.examples = sorted(one.examples, key=lambda pair: pair[0])[:examples]
            part.append(_Wrong(result.text, top, gold))
    return dict(blamed), part


def _try(model: Classifier, part: Sequence[_Wrong], blamed: Mapping[str, _Blamed]) -> tuple[int, float]:
    """How many predictions come right without their cause, and without one word drawn at random."""
    cured, chance = 0, 0
    for start in range(0, len(part), 1024):
        some = part[start : start + 1024]
        gone = [[[one.top], *([word] for word in _drawn(one.text))] for one in some]
        for one, (_, labels) in zip(some, without(model, [one.text for one in some], gone), strict=True):
            own = labels[0] == one.gold
            blamed[normal(one.text.word_strings()[one.top])].cured += own
            cured += own
            chance += labels[1:].count(one.gold)
    return cured, chance / DRAWS


def _drawn(text: Text) -> list[int]:
    """The numbers of words, drawn at random by the content of the text."""
    draws = np.random.default_rng(generator(text, 0).initial_seed())
    words: list[int] = draws.integers(len(text.words), size=DRAWS).tolist()
    return words


def _rank(word: str, one: _Blamed) -> tuple[int, int, float, str]:
    """First what came right without the word, then the number of predictions, then the score."""
    return -one.cured, -len(one.scores), -float(np.mean(one.scores)), word


def _pushed(one: _Blamed) -> str:
    """What a word made the model say most often."""
    return min(one.labels, key=lambda label: (-one.labels[label], label))


def _uses(
    model: Classifier, plan: Plan, corpus: Corpus, pushed: Mapping[str, str], progress: bool
) -> dict[str, dict[int, float]]:
    """For each cause its mean score for the label it pushes to, in every text that holds it."""
    found: dict[str, dict[int, float]] = {word: {} for word in pushed}
    for label in sorted(set(pushed.values())):
        words = {word for word, one in pushed.items() if one == label}
        towards = Plan.of(model, plan.method, None, f"{plan.asked.kind}:{label}")
        held = [
            (number, text)
            for start, part in in_parts(model, corpus.raws)
            for number, text in enumerate(part, start)
            if not words.isdisjoint(map(normal, text.word_strings()))
        ]
        with bar(progress, len(held), plan.name) as advance:
            for number, result in explained(towards, iter(held), advance):
                over = result.over_words()
                strings = list(map(normal, over.words))
                for word in words.intersection(strings):
                    own = [s for s, w in zip(over.scores.tolist(), strings, strict=True) if w == word]
                    found[word][number] = float(np.mean(own))
    return found


def _cause(
    word: str, one: _Blamed, uses: Mapping[int, float], corpus: Corpus, said: Sequence[Prediction],
    known: TrainingTexts | None, share: Share,
) -> Cause:  # fmt: skip
    label = _pushed(one)
    errors = sum(said[i].label != corpus.golds[i] for i in uses)
    cause = Cause(
        word, label, len(one.scores), one.cured, float(np.mean(one.scores)), len(uses), errors,
        float(np.mean([score > 0 for score in uses.values()])),
        float(np.mean([corpus.golds[i] == label for i in uses])),
        None if known is None else known.of(word, label), (), tuple(example for _, example in one.examples),
    )  # fmt: skip
    return cause._replace(findings=findings(cause, share))


def _corpora(
    model: Classifier, corpus: Corpus, said: Sequence[Prediction], trained: Corpus | None, known: TrainingTexts | None
) -> Corpora:
    right = sum(one.label == gold for one, gold in zip(said, corpus.golds, strict=True))
    if trained is None or known is None:
        return Corpora(right, len(corpus), {}, float("nan"), 0, 0, 0, ())
    picks = sorted(random.Random(0).sample(range(len(trained)), min(SAMPLE, len(trained))))
    again = predict_all(model, [trained.raws[i] for i in picks])
    hits = sum(one.label == trained.golds[i] for one, i in zip(again, picks, strict=True))
    leaks = [
        leak
        for start, part in in_parts(model, corpus.raws)
        for number, text in enumerate(part, start)
        if (leak := known.leak(text, str(corpus.golds[number]))) is not None
    ]
    clashing = sum(leak.gold != leak.training for leak in leaks)
    labels = {label: known.labels.get(label, 0) for label in model.labels}
    return Corpora(
        right, len(corpus), labels, hits / len(picks), len(picks), len(leaks), clashing, tuple(leaks[:LEAKS])
    )
