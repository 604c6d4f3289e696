"""Is attention explanation? The debate as one report on a user's model, each test beside its control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats

from exegesis.api import Plan, as_model, bar, read_text
from exegesis.core.errors import UsageError
from exegesis.core.text import Span, Text
from exegesis.engine.answer import array
from exegesis.mech.attending.interventions import CEILING, Held, held, jensen_shannon, total_variation
from exegesis.models.trained.architectures.attending import attending
from exegesis.nn.context import entry
from exegesis.protocols.batch import compact
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link
from exegesis.results.behaviour.study import Asked
from exegesis.results.internals.attention_test import AttentionTest, Tested
from exegesis.statistics.bootstrap import draw_texts, interval, owners_of, resampled_means
from exegesis.study.corpus import Corpus, Data, read_data
from exegesis.study.insides.retrained_attention import retrained_tests

ENOUGH = 0.5  # share of the agreement of two other methods, and of the ceiling of divergence, that decides
ROW = dict[str, float]


@entry
def attention_test(
    model: Classifier | str,
    data: Data,
    *,
    place: int | None = None,
    permutations: int = 100,
    starts: int = 4,
    steps: int = 60,
    near: float = 0.01,
    searched: int = 40,
    train: Data | None = None,
    seeds: int = 3,
    epochs: int = 5,
    apart: float = 0.001,
    samples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> AttentionTest:
    """Test whether the attention of a model explains its predictions, over the texts of ``data``.

    ``place`` is the number of the attention, by default the last. Five tests decide; every number is a mean over texts
    with its bootstrap interval:

    - ``agreement``: Kendall's tau of attention with leave-one-out is above zero, and at least half of that of two other
      methods with each other (gradient x input with leave-one-out);
    - ``erasure``: without its top weight the prediction moves farther than without another one, drawn at random
      (difference of Jensen-Shannon divergences; Serrano and Smith 2019);
    - ``permutation``: weights in another order (the median of ``permutations``) move the probabilities farther than
      leaving out one word of the text does on average (Jain and Wallace 2019);
    - ``uniform``: so do equal weights on all words (Wiegreffe and Pinter 2019);
    - ``adversary``: the farthest weights that keep the probabilities within a total variation of ``near`` are nearer
    than half the largest divergence there is, ln 2 (Jain and Wallace 2019, Eq. 5-6; over ``starts`` searches of
    ``steps`` steps, on the first ``searched`` texts).

    With ``train`` texts, models of the same shape are trained beside it, over ``epochs``: three more tests decide, of
    attention over ``seeds``, as the guide of a bag of words, and of an adversary trained to the same predictions
    (``study.retrained_attention``; ``data`` then needs labels).

    Agreement with gradient x input and flips of the decision are reported besides. For a transformer the attention of
    the last layer is exchanged, of [CLS] alone where texts begin with a special piece. Its states already mix words, so
    that the weight of a word is not all that the word does.

    Raises the errors of ``exegesis.attention`` and of ``exegesis.explain``; UsageError for a regression, whose outputs
    are no distribution, and for fewer than two texts.
    """
    classifier = as_model(model)
    if classifier.link is Link.IDENTITY:
        raise UsageError("a regression gives no distribution, and these tests compare distributions: take a classifier")
    for name, value in (("permutations", permutations), ("starts", starts), ("steps", steps), ("seeds", seeds),
                        ("epochs", epochs)):  # fmt: skip
        if type(value) is not int or value < 1:
            raise UsageError(f"{name} must be a whole number of at least 1, not {value!r}")
    if train is not None:
        attending(getattr(classifier, "module", None), classifier.name)
    corpus = Corpus.of(data, None, classifier.labels)
    texts = [read_text(classifier, raw, number, len(corpus)) for number, raw in enumerate(corpus.raws)]
    if len(texts) < 2:
        raise UsageError("the tests compare means over texts: give at least two")
    rows, name = [], ""
    with bar(progress, len(texts), "attention-test") as advance:
        for number, text in enumerate(texts):
            one = held(classifier, classifier.encode([text]), place)
            name = f"attention {one.place + 1}"
            tries = (starts, steps, near) if number < searched else None
            rows.append(_tested(one, text, permutations, tries, seed))
            advance()
    asked = Asked(classifier.name, "AttentionTest()", "attention", "logit:predicted", len(texts),
                  sum(len(text.words) for text in texts), False)  # fmt: skip
    pairs = any(len(text.segments) > 1 for text in texts)
    tests = _judged(rows, owners_of([text.raw for text in texts]), samples, seed)
    if train is not None:
        with bar(progress, seeds + 3, "trainings") as advance:
            tests += retrained_tests(
                classifier, read_data(data), read_data(train), seeds=seeds, epochs=epochs, apart=apart,
                samples=samples, seed=seed, told=advance,
            )  # fmt: skip
    return AttentionTest(asked, name, pairs, near, tests)


def _tested(one: Held, text: Text, permutations: int, tries: tuple[int, int, float] | None, seed: int) -> ROW:
    """The numbers of one text; NaN for a test that it is too short for."""
    draws = generator(text, seed)
    own, label = one.own, int(one.own.argmax())
    words = [word for word in text.words if one.across.covers(word)]
    inside = torch.tensor([word.start - one.across.start for word in words])
    row: ROW = dict.fromkeys(
        ("tau", "gradient", "others", "top", "random", "top flips", "random flips", "adversary"), math.nan
    )
    row |= {"permuted": math.nan, "uniform": math.nan, "removed": math.nan, "uniform flips": math.nan}
    removed = _without(one, text, words)
    if len(words) > 1:
        shares = array(
            torch.stack([one.shares[w.start - one.across.start : w.stop - one.across.start].sum() for w in words])
        )
        scores = {
            method: np.abs(Plan.of(one.model, method).explain([text])[0].scores)
            for method in ("leave-one-out", "gradient-x-input")
        }
        at = [text.words.index(word) for word in words]
        gone, slopes = (np.asarray(values)[at] for values in scores.values())
        row |= {"tau": _tau(shares, gone), "gradient": _tau(shares, slopes), "others": _tau(slopes, gone)}
        top = int(one.shares[inside].argmax())
        other = int(torch.randint(len(words) - 1, (1,), generator=draws))
        columns = inside[torch.tensor([top, other + (other >= top)])]
        erased = one.probabilities(one.erased(columns))
        row |= dict(zip(("top", "random"), jensen_shannon(erased, own).tolist(), strict=True))
        flips = (erased.argmax(-1) != label).double().tolist()
        row |= dict(zip(("top flips", "random flips"), flips, strict=True))
        moved = total_variation(one.probabilities(one.permuted(permutations, draws)), own)
        level = one.probabilities(one.uniform())
        row |= {"permuted": float(moved.median()), "uniform": float(total_variation(level, own)[0])}
        row |= {"uniform flips": float(level.argmax() != label), "removed": float(total_variation(removed, own).mean())}
        if tries is not None:
            row["adversary"] = one.adversarial(*tries, draws)[0]
    return row


def _without(one: Held, text: Text, words: Sequence[Span]) -> Float[torch.Tensor, "n c"]:
    """The probabilities of the text without each of its words."""
    if len(text.words) < 2:
        return one.own
    batch = one.batch.take(torch.zeros(len(words), dtype=torch.long))
    keep = batch.mask.clone()
    for row, word in enumerate(words):
        keep[row, word.start : word.stop] = False
    raw = one.model.outputs(compact(batch, keep, one.model.tokens["pad"]))
    return one.model.link.probabilities(raw).double()


def _tau(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float:
    """Kendall's tau-b; NaN where one side is constant."""
    return float(stats.kendalltau(first, second).statistic) if np.ptp(first) and np.ptp(second) else math.nan


def _judged(rows: Sequence[ROW], owners: Any, samples: int, seed: int) -> tuple[Tested, ...]:
    """The tests from the numbers of all texts."""
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    draws = draw_texts(int(owners.max()) + 1, samples, seed)[:, owners]  # copies of a text are drawn together

    def mean(numbers: Float[np.ndarray, " texts"]) -> tuple[float, float, float]:
        finite = np.isfinite(numbers)
        if not finite.any():
            return math.nan, math.nan, math.nan
        low, high = interval(resampled_means(numbers[None], draws)[0], len(np.unique(owners[finite])))
        return float(numbers[finite].mean()), low, high

    def test(name: str, question: str, value: str, control: str, said: str, share: float = 1.0, decides: bool = True,
             above: bool = False) -> Tested:  # fmt: skip
        """A value beside a control; it passes if value - share x control is surely above zero (and the value too)."""
        own, beside = values[value], values[control]
        apart = mean(own - share * beside)
        found = mean(own)
        passed = apart[1] > 0 and (not above or found[1] > 0)
        count = int(np.isfinite(own).sum())
        return Tested(name, question, *found, said, *mean(beside), *apart[1:], bool(passed), decides, count)

    values["ceiling"] = np.where(np.isfinite(values["adversary"]), CEILING, math.nan)
    found, searched = mean(values["adversary"]), int(np.isfinite(values["adversary"]).sum())
    apart = (ENOUGH * CEILING - found[2], ENOUGH * CEILING - found[1])
    adversary = Tested(
        "adversary", "How far are other weights that keep the prediction?", *found, "largest divergence",
        CEILING, CEILING, CEILING, *apart, bool(apart[0] > 0), searched > 0, searched,
    )  # fmt: skip
    gone = "one word left out"
    return (
        test("agreement", "Does attention rank words as leaving them out does?", "tau", "others",
             "gradient x input with leave-one-out", ENOUGH, above=True),
        test("erasure", "Does the top weight matter more than another?", "top", "random", "another weight"),
        test("permutation", "Does it matter where the weights lie?", "permuted", "removed", gone),
        test("uniform", "Do equal weights change the prediction?", "uniform", "removed", gone),
        adversary,
        test("agreement with gradient x input", "Does attention rank words as gradients do?", "gradient", "others",
             "gradient x input with leave-one-out", ENOUGH, False, True),
        test("flips without the top weight", "How often is the decision another?", "top flips", "random flips",
             "another weight", decides=False),
        test("flips with equal weights", "How often is the decision another?", "uniform flips", "random flips",
             "another weight", decides=False),
    )  # fmt: skip
