"""One small result of every kind, made by hand; the files of version 1 in ``saved/version1`` hold the same results."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from exegesis.results.attribution import Attribution
from exegesis.results.behaviour.faults import (
    Added,
    Cause,
    Contrary,
    Corpora,
    Failures,
    Leak,
    Mean,
    Pair,
    Repair,
    Retrained,
    Substitution,
    Summary,
    Swap,
    TopWord,
    Training,
    Transfer,
    Unfaithful,
)
from exegesis.results.behaviour.study import Absent, Asked, Gap, Shown, Uses, Word, WordClass, WordClasses, WordUses
from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.results.recommendation import Ranked, Recommendation
from exegesis.statistics.bootstrap import Spread
from tests.support import influence_samples, matrix_samples, nested_samples, rationale_samples, samples

ASKED = Asked("lstm-sst2", "Reat()", "reat", "logit:predicted", 3, 9, True)
SPREAD = Spread(9, 3, -1.0, -0.5, 0.1, 0.75, 2.0, math.nan, math.nan, 0.3, math.nan, math.nan, 5 / 9)
SHOWN = Shown((Word("a", 0.1, False), Word("caf\xe9", -1.25, True)), "positive", 0.75, "negative", 2)
TRAINING = Training({"positive": 30, "negative": 2}, 0.9375, 0.5, 1e-6)


def sizes() -> Attribution:
    """Scores that are sizes, of words that the model does not know."""
    return samples.result("a zorpy film", [0.5, 0.25, 1 / 3], name="gradient", complete=False, gap=math.nan,
                          details={"signed": False, "unknown": [1]})  # fmt: skip


def evaluation() -> Evaluation:
    measures = (
        Measured("deletion", "How far does the probability fall?", "a paper", True),
        Measured("interpretability", "What would people mark?", "", False, False, ("lime",)),
    )
    methods = (
        Measurand("reat", "Reat()", False, 0.25),
        Measurand("lime", "Lime(samples=9)", False, math.nan),
        Measurand("random", "", True, math.nan),
    )
    values = np.array([[[0.5, 1 / 3], [0.25, math.nan], [0.0, -0.125]], [[math.nan, 1.0], [0.5, 0.5], [0.1, 0.2]]])
    return Evaluation(
        model="lstm-sst2",
        texts=("a fine film", "dull"),
        labels=("positive", "negative"),
        measures=measures,
        methods=methods,
        values=values,
        curves={"deletion": np.array([[1.0, 0.5], [1.0, math.nan], [1.0, 0.75]])},
        grid=(0.0, 1.0),
        agreement=np.array([[1.0, 0.5], [0.5, 1.0]]),
        overlap=np.array([[1.0, math.nan], [math.nan, 1.0]]),
        k=2,
        disputes=np.array([0.5, math.nan]),
        contested=((samples.result("a fine film", [0.5, 1.5, 0.25]), sizes()),),
        counts={"asked": 12, "run": 9, "calls": 2},
        seconds=1.5,
        notes=("A note.",),
        remark="",
        seed=3,
        samples=50,
    )


def recommendation() -> Recommendation:
    ranking = (Ranked("reat", 3, 0, 1.5, True), Ranked("lime", 0, 3, math.nan, True), Ranked("soc", 0, 0, 900.0, False))
    return Recommendation(
        model="lstm-sst2",
        fingerprint="0f" * 32,
        labels=("negative", "positive"),
        method="reat",
        parameters={"epsilon": 0.5, "how": "drop", "exact": None},
        data="dev.tsv",
        texts=20,
        measures=("deletion",),
        ranking=ranking,
        sure=True,
        advice="Take reat.",
        lead="reat less lime, the next in rank.",
        budget=500.0,
        seed=1,
    )


def classes() -> WordClasses:
    return WordClasses(ASKED, "merged", "bundled", (WordClass("JJ", SPREAD, ("fine", "dull")),))


def uses() -> WordUses:
    fine = Uses("fine", SPREAD, np.array([0.5, -1 / 3, 1e-12]), (0, 2, 2), (SHOWN,), (SHOWN, SHOWN))
    return WordUses(ASKED, (fine,), (Gap("fine", "dull", 0.5, math.nan, math.nan),), (Absent("stael", "stale"),))


def failures() -> Failures:
    causes = (
        Cause("friday", "positive", 4, 3, 0.75, 9, 5, 0.9, 0.5, TRAINING, ("giveaway",), (SHOWN,)),
        Cause("plot", "negative", 1, 0, 0.5, 2, 1, 1.0, math.nan, None, (), ()),
    )
    corpora = Corpora(
        3, 8, {"positive": 40, "negative": 38}, math.nan, 0, 1, 1, (Leak("a plot", "positive", "negative"),)
    )
    return Failures(ASKED, corpora, {"positive": {"negative": 1}, "negative": {"positive": 4}}, 3, 0.6, causes)


def summary() -> Summary:
    return Summary(
        asked=ASKED,
        labels={"positive": 2, "negative": 1},
        accuracy=math.nan,
        minimum=2,
        words=(TopWord("fine", "positive", SPREAD),),
        confident=2,
        doubtful=1,
        unfaithful=(Unfaithful(SHOWN, 1, 0.01, 0.125),),
        contrary=(Contrary("plot", "negative", SPREAD, TRAINING),),
        trained=78,
    )


def substitution() -> Substitution:
    return Substitution(
        asked=ASKED,
        word="friday",
        before=SHOWN,
        swaps=(Swap("monday", ("synonyms",), True, "negative", 0.25, True),),
        pairs=(Pair(SHOWN, SHOWN),),
        transfers=(Transfer("friday", "monday", 5, 2, 1, 1, -0.25, (Pair(SHOWN, SHOWN),)),),
    )


def repair() -> Repair:
    return Repair(
        trained="lstm",
        swaps=(("friday", "monday"),),
        added=(Added("a fine monday", "positive", "a fine friday"),),
        training=78,
        runs=(Retrained(0, 0.5, 0.5, 0.75, 0.9, 0.9, 0.875),),
        fault=Mean(0.25, math.nan, math.nan, 4, 1, 1),
        beyond=Mean(0.25, 0.125, 0.5, 4, 1, 1),
        test=Mean(-0.025, math.nan, math.nan, 40, 40, 1),
    )


EVERY: dict[str, Callable[[], object]] = {
    "words": samples.hierarchy,
    "pair": samples.pair,
    "targets": samples.targets,
    "sizes": sizes,
    "hierarchy": nested_samples.fight,
    "closed hierarchy": nested_samples.closed,
    "interactions": matrix_samples.pairs,
    "estimated interactions": matrix_samples.estimated,
    "relevance": matrix_samples.relevance,
    "information": matrix_samples.information,
    "adversary": matrix_samples.adversary,
    "attributes": matrix_samples.attributes,
    "decision": matrix_samples.decision,
    "attention": matrix_samples.attention,
    "gates": matrix_samples.gates,
    "generation": matrix_samples.generation,
    "influence": influence_samples.influence,
    "rationale": rationale_samples.rationale,
    "empty rationale": rationale_samples.nothing,
    "evaluation": evaluation,
    "recommendation": recommendation,
    "study of classes": classes,
    "study of words": uses,
    "failures": failures,
    "summary": summary,
    "substitution": substitution,
    "repair": repair,
}
