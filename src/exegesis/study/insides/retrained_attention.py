"""Tests of attention that train models beside the one that is asked about (Wiegreffe and Pinter 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.data.examples import Example
from exegesis.mech.attending.interventions import CEILING, jensen_shannon, total_variation
from exegesis.models.trained.architectures.attending import attending, guided, guides, opponent, run
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.corpus import Corpus, split_off
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train as fit
from exegesis.protocols.model import Classifier
from exegesis.results.internals.attention_test import Tested
from exegesis.statistics.bootstrap import draw_texts, interval, owners_of, resampled_means

HALF = 0.5  # of the largest divergence


def retrained_tests(
    model: Classifier, texts: Sequence[Example], train: Sequence[Example], *, seeds: int, epochs: int, apart: float,
    samples: int, seed: int, told: Callable[[], object],
) -> tuple[Tested, ...]:  # fmt: skip
    """Three tests that need training texts; ``told`` is called after each of the ``seeds + 3`` trainings.

    - ``seeds``: the attention of models trained from other seeds is nearer to the model's than the model's own weights
      in another order (Jensen-Shannon divergences, means over seeds);
    - ``guide``: a bag of words trained with the model's weights, held fast, is right more often than with equal ones;
    - ``trained adversary``: a model trained to the same predictions with other attention (``apart`` weighs how other)
      stays within half the largest divergence. ``its predictions`` says how far they are from the model's, beside
      those of the models of other seeds.

    Raises UnsupportedError for a model that is not one of ``exegesis train`` with an attention.
    """
    module = attending(getattr(model, "module", None), model.name)
    vocabulary = getattr(getattr(model, "reader", None), "vocabulary", None)
    if vocabulary is None:
        raise UnsupportedError(f"the vocabulary of {model.name} is out of sight: leave the training texts out")
    labels = module.config.labels
    corpus, asked = (Corpus.of(part, vocabulary, labels) for part in (train, texts))
    rest, held = split_off(list(train), 0.1, seed)
    options = TrainOptions(epochs=epochs, patience=epochs, lowercase=vocabulary.lowercase)
    others = []
    for number in range(seeds):
        chosen = replace(options, seed=seed + 1 + number)
        result = fit(rest, held, config=module.config, options=chosen, vocabulary=vocabulary)
        others.append(cast(RecurrentClassifier, result.model.module))
        told()
    own = _attention(module, asked)
    beside = [_attention(other, asked) for other in others]
    values: dict[str, Float[np.ndarray, " texts"]] = {
        "seeds": _mean([_apart(own, other) for other in beside]),
        "order": np.array(
            [_shuffled(weights, text, seed) for (_, weights), text in zip(own, asked.texts, strict=True)]
        ),
        "own seeds": _mean([_moved(own, other) for other in beside]),
    }
    for kind in ("learned", "uniform"):
        bag = guided(module, corpus, cast(Any, kind), epochs, seed)
        told()
        right = []
        for number in range(len(asked)):
            batch = asked.batch([number])
            with torch.no_grad():
                scores = bag(batch.ids, guides(module, batch, cast(Any, kind)))
            right.append(float(scores.argmax() == batch.classes[0]))
        values[kind] = np.array(right)
    adversary = _attention(opponent(module, corpus, apart, epochs, seed), asked)
    told()
    values |= {"adversary": _apart(own, adversary), "its predictions": _moved(own, adversary)}
    values["ceiling"] = np.full(len(asked), CEILING)
    owners = owners_of([str(one.text) for one in texts])
    return _judged(values, owners, samples, seed)


def _attention(module: RecurrentClassifier, corpus: Corpus) -> list[tuple[Tensor, Tensor]]:
    """The probabilities and the weights of each text."""
    found = []
    with torch.no_grad():
        for number in range(len(corpus)):
            probabilities, weights = run(module.eval(), corpus.batch([number]))
            found.append((probabilities[0].double(), weights[0].double()))
    return found


def _apart(first: Sequence[tuple[Tensor, Tensor]], second: Sequence[tuple[Tensor, Tensor]]) -> Float[np.ndarray, " n"]:
    return np.array([float(jensen_shannon(a, b)) for (_, a), (_, b) in zip(first, second, strict=True)])


def _moved(first: Sequence[tuple[Tensor, Tensor]], second: Sequence[tuple[Tensor, Tensor]]) -> Float[np.ndarray, " n"]:
    return np.array([float(total_variation(a, b)) for (a, _), (b, _) in zip(first, second, strict=True)])


def _mean(rows: Sequence[Float[np.ndarray, " n"]]) -> Float[np.ndarray, " n"]:
    return np.asarray(np.mean(rows, 0))


def _shuffled(weights: Float[Tensor, " t"], ids: Tensor, seed: int) -> float:
    """The mean divergence of weights from themselves in another order, over twenty orders."""
    draws = torch.Generator().manual_seed(seed + int(ids.sum()))
    orders = torch.stack([torch.randperm(len(weights), generator=draws) for _ in range(20)])
    return float(jensen_shannon(weights.expand(len(orders), -1), weights[orders]).mean())


def _judged(
    values: dict[str, Float[np.ndarray, " texts"]], owners: Int[np.ndarray, " texts"], samples: int, seed: int
) -> tuple[Tested, ...]:
    count = len(values["seeds"])
    distinct = int(owners.max()) + 1
    draws = draw_texts(distinct, samples, seed)[:, owners]  # copies of a text are drawn together

    def mean(numbers: Float[np.ndarray, " texts"]) -> tuple[float, float, float]:
        return float(numbers.mean()), *interval(resampled_means(numbers[None], draws)[0], distinct)

    def test(name: str, question: str, value: str, control: str, said: str, better: Float[np.ndarray, " texts"],
             decides: bool = True) -> Tested:  # fmt: skip
        low, high = mean(better)[1:]
        return Tested(name, question, *mean(values[value]), said, *mean(values[control]), low, high,
                      bool(low > 0), decides, count)  # fmt: skip

    return (
        test("seeds", "Is attention the same in models of other seeds?", "seeds", "order", "weights in another order",
             values["order"] - values["seeds"]),
        test("guide", "Does a bag of words do better with these weights?", "learned", "uniform", "equal weights",
             values["learned"] - values["uniform"]),
        test("trained adversary", "How far is a model's attention that predicts the same?", "adversary", "ceiling",
             "largest divergence", HALF * values["ceiling"] - values["adversary"]),
        test("its predictions", "How far are the predictions of the trained adversary?", "its predictions", "own seeds",
             "models of other seeds", values["own seeds"] - values["its predictions"], False),
    )  # fmt: skip
