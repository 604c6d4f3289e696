"""Suspected label errors of training texts, with the trial of the suspicion on errors that were planted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from jaxtyping import Float
from scipy import stats

from exegesis.api import as_model, bar
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import NetworkConfig
from exegesis.models.trained.corpus import find_labels, split_off
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train as fit
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.protocols.trained import Trained
from exegesis.questions.sources.method import Training
from exegesis.questions.sources.suspects import SIGNS, suspicion
from exegesis.results.behaviour.mislabels import Cured, Mislabels, Sign, Suspect
from exegesis.results.behaviour.study import Asked
from exegesis.study.corpus import Data, read_data

LEAD = "self-influence"  # the sign by which suspects are listed and left out


@entry
def mislabels(
    train: Data,
    model: Classifier | str | None = None,
    test: Data | None = None,
    *,
    planted: float = 0.1,
    config: NetworkConfig | None = None,
    options: TrainOptions | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    most: int = 20,
    progress: bool = False,
) -> Mislabels:
    """Which training texts seem to have a wrong label, and how good the signs are at finding wrong ones.

    First the signs are tried: from each of ``seeds``, the share ``planted`` of the labels is made wrong, a classifier
    of ``config`` is trained on them, and of as many texts as were made wrong the most suspicious are taken, by
    self-influence, by the gradient, by the loss, by the labels of nearest neighbours, and at random. With ``test``
    texts it is also trained without the texts that self-influence suspects, and on the right labels. Then the ``most``
    suspicious texts of the data as they are: of ``model``, which was trained on them, or of a classifier of ``config``.
    Without ``seeds`` only that is done.

    Raises UsageError for texts without labels, for a share that makes no label wrong, and for a model that does not
    show its weights UnsupportedError.
    """
    examples = read_data(train)
    labels = find_labels(examples)
    count = round(planted * len(examples))
    seeds = list(dict.fromkeys(seeds))
    if seeds and not 1 <= count < len(examples):
        raise UsageError(f"planted is {planted}, which makes {count} of {len(examples)} labels wrong: give another")
    options, tests = options or TrainOptions(), [] if test is None else read_data(test)

    def trained(texts: list[Example], seed: int) -> Classifier:
        chosen = replace(options, seed=seed)
        rest, held = split_off(texts, chosen.development, seed)
        result = fit(texts if len(rest) < 2 else rest, held, config=config, options=chosen)
        return wrap(result.model.module, vocabulary=result.model.vocabulary, labels=result.model.labels, name="trained")

    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SIGNS}
    cured = []
    with bar(progress, (3 if tests else 1) * len(seeds) + 1, "trainings") as advance:
        for seed in seeds:
            wrong, noisy = _planted(examples, labels, count, seed)
            first = trained(noisy, seed)
            signs = suspicion(cast(Trained, first), Training.of(first, noisy), seed)
            advance()
            for name, values in signs.items():
                found[name].append(_quality(values, wrong))
            if tests:
                cured.append(_cured(seed, examples, noisy, signs, count, (first, trained, tests), advance))
        judge = as_model(model) if model is not None else trained(examples, options.seed)
        training = Training.of(judge, examples)
        suspects = _suspects(judge, training, suspicion(cast(Trained, judge), training, 0), most)
        advance()
    ranked = sorted((_sign(name, pairs) for name, pairs in found.items() if pairs), key=lambda sign: -sign.precision)
    words = sum(len(text.words) for text in training.texts)
    asked = Asked(judge.name, LEAD, LEAD, "loss:its own label", len(examples), words, False)
    return Mislabels(asked, count if seeds else 0, len(seeds), tuple(ranked), tuple(cured), tuple(suspects))


def _planted(
    examples: Sequence[Example], labels: Sequence[str], count: int, seed: int
) -> tuple[set[int], list[Example]]:
    """The numbers of texts whose labels are made wrong, and all texts with their labels then."""
    draws = random.Random(seed)
    wrong = set(draws.sample(range(len(examples)), count))
    return wrong, [
        Example.of(example.text, draws.choice([label for label in labels if label != example.label]))
        if number in wrong
        else example
        for number, example in enumerate(examples)
    ]


def _quality(values: Float[np.ndarray, " n"], wrong: set[int]) -> tuple[float, float]:
    """The share of wrong labels among as many suspects, and the chance that a wrong one is above a right one."""
    order = np.argsort(-values, kind="stable")[: len(wrong)].tolist()
    ranks = stats.rankdata(values)
    bad = np.array(sorted(wrong))
    above = (ranks[bad].sum() - len(bad) * (len(bad) + 1) / 2) / (len(bad) * (len(values) - len(bad)))
    return len(wrong.intersection(order)) / len(wrong), float(above)


def _sign(name: str, pairs: Sequence[tuple[float, float]]) -> Sign:
    precisions = [precision for precision, _ in pairs]
    above = float(np.mean([area for _, area in pairs]))
    return Sign(name, SIGNS[name], float(np.mean(precisions)), min(precisions), max(precisions), above)


def _cured(
    seed: int,
    examples: list[Example],
    noisy: list[Example],
    signs: Mapping[str, Float[np.ndarray, " n"]],
    count: int,
    parts: tuple[Classifier, Callable[[list[Example], int], Classifier], list[Example]],
    advance: Callable[[], object],
) -> Cured:
    """The accuracies on test texts with wrong labels, without the suspects, and with right labels."""
    first, trained, tests = parts
    suspected = set(np.argsort(-signs[LEAD], kind="stable")[:count].tolist())
    without = trained([example for number, example in enumerate(noisy) if number not in suspected], seed)
    advance()
    right = trained(examples, seed)
    advance()
    return Cured(seed, *(_accuracy(model, tests) for model in (first, without, right)))


def _accuracy(model: Classifier, tests: Sequence[Example]) -> float:
    from exegesis.api import predict

    said = predict(model, [example.text for example in tests])
    return float(np.mean([max(one, key=one.__getitem__) == test.label for one, test in zip(said, tests, strict=True)]))


def _suspects(
    model: Classifier, training: Training, signs: Mapping[str, Float[np.ndarray, " n"]], most: int
) -> list[Suspect]:
    """The most suspicious texts by self-influence."""
    from exegesis.api import predict

    order = np.argsort(-signs[LEAD], kind="stable")[:most].tolist()
    said = predict(model, [training.examples[number].text for number in order])
    return [
        Suspect(
            number,
            training.texts[number].raw,
            training.labels[number],
            max(one, key=one.__getitem__),
            float(signs[LEAD][number]),
            float(signs["loss"][number]),
            1 - float(signs["conformity"][number]),
        )
        for number, one in zip(order, said, strict=True)
    ]
