"""Wrong predictions put right: training texts that influence names are left out, or added, and models trained anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from exegesis.api import bar, influence, influence_methods
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import NetworkConfig
from exegesis.models.trained.card import describe
from exegesis.models.trained.corpus import find_labels, split_off
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train as fit
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.results.behaviour.amended import Amended, Amendment, Named
from exegesis.results.behaviour.study import Asked
from exegesis.statistics.bootstrap import LEVEL
from exegesis.study.corpus import Data, read_data
from exegesis.study.predictions import predict_all

RANDOM = "random"
SHOWN = 10  # texts of each change that are listed


@entry
def amend(
    train: Data,
    test: Data,
    *,
    pool: Data | None = None,
    dev: Data | None = None,
    method: str = "influence-functions",
    parameters: Mapping[str, Any] | None = None,
    count: int = 50,
    queries: int = 30,
    config: NetworkConfig | None = None,
    options: TrainOptions | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    progress: bool = False,
) -> Amended:
    """Put wrong predictions right by removing or adding the training texts that influence names, beside random ones.

    The test texts fall into two halves, by content. From each of ``seeds`` a classifier of ``config`` is trained. Of
    the first half, at most ``queries`` texts that it gets wrong are asked about: ``method`` (with its ``parameters``)
    scores every training text for the log-probability of the right label, and the scores are summed over the queries.
    Then classifiers are trained anew, from the same first weights and on the same development texts: without the
    ``count`` texts that hurt most, without as many drawn at random, with the ``count`` texts that help most added, and
    with as many random ones. Added texts come from ``pool``, labelled texts that were not trained on, such as those of
    another domain, scored with the curvature of the training texts; without a pool they are copies of these. What comes
    of it is the share of the queries that are right then, and the change of the accuracy on the second half, which
    nobody asked about.

    Raises UsageError if nothing is predicted wrongly or for fewer texts than ``count``, and the errors of
    ``exegesis.influence`` (UnsupportedError for a pool with fast-influence or random-projections).
    """
    examples, tested = read_data(train), read_data(test)
    labels = find_labels(examples)
    options, seeds = options or TrainOptions(), list(dict.fromkeys(seeds))
    if dev is None:
        examples, development = split_off(examples, options.development, options.seed)
    else:
        development = read_data(dev)
    others = examples if pool is None else read_data(pool)
    for name, texts in (("training", examples), ("pool", others)):
        if not 0 < count < len(texts):
            raise UsageError(f"count is {count}, and there are {len(texts)} {name} texts: give a number below it")
    if not seeds:
        raise UsageError("give at least one seed")
    asked, judged = split_off(tested, 0.5, 0)
    if any(one.label not in labels for one in (*tested, *others)):
        raise UsageError("test and pool texts need the labels of the training texts: name their column (--label)")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    wrong, before, named, told = list[int](), list[float](), list[Named](), ""
    with bar(progress, 5 * len(seeds), "trainings") as advance:
        for seed in seeds:
            chosen = replace(options, seed=seed)

            def trained(extra: Sequence[Example] = (), absent: Sequence[int] = (), own: TrainOptions = chosen) -> Any:
                result = fit(examples, development, extra=extra, config=config, options=own, absent=absent)
                advance()
                return result

            result = trained()
            told, first = describe(result), _wrapped(result)
            said, accuracy = _right(first, asked), _right(first, judged).mean()
            lost = [one for one, right in zip(asked, said, strict=True) if not right][:queries]
            if not lost:
                raise UsageError("no test text is predicted wrongly: give more test texts")
            wrong.append(len(lost))
            before.append(float(accuracy))
            options_of = dict(parameters or {})
            sums = _sums(first, examples, lost, method, options_of)
            pooled = sums if pool is None else _of_pool(first, examples, others, lost, method, options_of)
            draws = np.random.default_rng(seed)
            ways = {
                ("remove", method): np.argsort(sums, kind="stable")[:count],
                ("remove", RANDOM): draws.permutation(len(examples))[:count],
                ("add", method): np.argsort(-pooled, kind="stable")[:count],
                ("add", RANDOM): draws.permutation(len(others))[:count],
            }
            for (change, by), rows in ways.items():
                numbers = rows.tolist()
                added = [others[n] for n in numbers] if change == "add" else []
                after = _wrapped(trained(added, numbers if change == "remove" else []))
                gained = float(_right(after, judged).mean() - accuracy)
                found.setdefault((change, by), []).append((float(_right(after, lost).mean()), gained))
                if seed == seeds[0] and by == method:
                    source, values = (examples, sums) if change == "remove" else (others, pooled)
                    named += [Named(change, float(values[n]), source[n].label or "", str(source[n].text))
                              for n in numbers[:SHOWN]]  # fmt: skip
    amendments = tuple(_amendment(*way, pairs) for way, pairs in found.items())
    asked_of = Asked(told, method, method, "log-probability:its own label", len(examples), 0, False)
    return Amended(asked_of, float(np.mean(wrong)), len(judged), count, len(seeds), float(np.mean(before)), amendments,
                   tuple(named))  # fmt: skip


def _wrapped(result: Any) -> Classifier:
    model = result.model
    return wrap(model.module, vocabulary=model.vocabulary, labels=model.labels, name="trained")


def _right(model: Classifier, examples: Sequence[Example]) -> Float[np.ndarray, " n"]:
    """1 for each text that is predicted correctly, else 0."""
    predicted = predict_all(model, [one.text for one in examples])
    return np.array([float(p.label == one.label) for p, one in zip(predicted, examples, strict=True)])


def _of_pool(
    model: Classifier,
    texts: list[Example],
    pool: list[Example],
    lost: Sequence[Example],
    method: str,
    parameters: dict[str, Any],
) -> Float[np.ndarray, " n"]:
    """The same of a pool: a matrix that a method inverts stays that of the texts that the model was trained on."""
    card = next((card for card in influence_methods() if card.name == method), None)
    if card is None or not card.inverse:
        return _sums(model, pool, lost, method, parameters)
    return _sums(model, texts, lost, method, {**parameters, "pool": pool})


def _sums(
    model: Classifier, texts: list[Example], lost: Sequence[Example], method: str, parameters: dict[str, Any]
) -> Float[np.ndarray, " n"]:
    """The scores of texts for the right labels of some others, summed over these; what was not looked at counts 0."""
    total = np.zeros(len(parameters.get("pool", texts)))
    for label in dict.fromkeys(one.label for one in lost):
        mine: list[Any] = [one.text for one in lost if one.label == label]
        results = influence(model, texts, mine, method, target=f"log-probability:{label}", top=1, **parameters)
        for one in results:
            total += np.nan_to_num(one.scores)
    return total


def _amendment(change: str, by: str, pairs: Sequence[tuple[float, float]]) -> Amendment:
    fixed, test = zip(*pairs, strict=True)
    return Amendment(change, by, *_interval(fixed), *_interval(test))


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean over seeds, and its interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    quantile: Callable[..., float] = stats.t.ppf
    reach = float(quantile((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - reach, mean + reach
