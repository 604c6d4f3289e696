"""Evaluations and studies made by hand for the views."""

from __future__ import annotations

import math

import numpy as np

from exegesis.results.behaviour.amended import Amended, Amendment, Named
from exegesis.results.behaviour.calibrated import Calibrated, Reading, Step
from exegesis.results.behaviour.corpus import (
    Agreeing,
    Answered,
    CorpusSummary,
    Judged,
    Leading,
    Moved,
    Same,
    Shifted,
    Slice,
    Strong,
)
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
from exegesis.results.behaviour.mislabels import Cured, Mislabels, Sign, Suspect
from exegesis.results.behaviour.said import Fact, Said, SaidText
from exegesis.results.behaviour.study import Absent, Asked, Gap, Shown, Uses, Word, WordClass, WordClasses, WordUses
from exegesis.results.behaviour.written import Exchanged, Simulated, WrittenStudy, WrittenText
from exegesis.results.evaluation import Evaluation, Measurand, Measured
from exegesis.results.internals.attention_test import AttentionTest, Tested
from exegesis.results.internals.concepts import ConceptAt, ConceptStudy
from exegesis.results.internals.excerpts import ConceptPage, Excerpt, LearnedConcept
from exegesis.results.internals.heads import HeadStudy, Relation
from exegesis.results.internals.information_study import InformationStudy, LayerHeld, Survivor
from exegesis.results.internals.links import Linking, LinkStudy, Rule
from exegesis.results.internals.probes import Probed, ProbeStudy, Structure
from exegesis.statistics.bootstrap import Spread
from tests.support import samples

ASKED = Asked("lstm-sst2", "REAT()", "reat", "logit:predicted", 120, 1400, True)


def shown(raw: str = samples.FIGHT, marked: int = 8, gold: str = "positive") -> Shown:
    """A text with scores, one word of which is marked."""
    words = raw.split()
    scores = np.random.default_rng(len(raw)).normal(size=len(words)).tolist()
    found = tuple(Word(word, score, i == marked) for i, (word, score) in enumerate(zip(words, scores, strict=True)))
    return Shown(found, "negative", 0.83, gold, 3)


def spread(middle: float, size: int = 40) -> Spread:
    """A distribution around a middle."""
    steps = (-0.9, -0.3, 0.0, 0.4, 1.1)
    low, q1, median, q3, high = (middle + step for step in steps)
    return Spread(size, 30, low, q1, median, q3, high, median - 0.1, median + 0.1, middle, middle - 0.1, middle + 0.1,
                  0.8 if middle > 0 else 0.2)  # fmt: skip


def evaluation() -> Evaluation:
    """Three methods and three controls on four measures, two of which have curves."""
    names = ("reat", "integrated-gradients", "lime", "random", "leave-one-out", "greedy (exact)")
    methods = tuple(
        Measurand(name, f"{name}()", i > 2, 0.001 * 4**i if i < 3 else math.nan) for i, name in enumerate(names)
    )
    measures = (
        Measured("deletion", "Does the probability fall when the top words go?", "Samek et al. 2017", False),
        Measured("insertion", "Does it rise when they come first?", "Petsiuk et al. 2018", True),
        Measured("aopc-comprehensiveness", "Do the words named matter?", "DeYoung et al. 2020", True),
        Measured("plausibility-auprc", "Do people mark the same words?", "DeYoung et al. 2020", True, ranks=False),
    )
    rng = np.random.default_rng(0)
    level = np.array([0.2, 0.3, 0.4, 0.7, 0.3, 0.1])[None, :, None]
    level = np.where(np.array([False, True, True, True])[:, None, None], 1 - level, level)
    values = level + rng.normal(0, 0.05, (4, 6, 24))
    values[3, 5] = np.nan
    grid = tuple(np.linspace(0, 1, 11).tolist())
    curves = {
        name: np.array([np.linspace(start, stop, 11) ** (1 + k) for k in range(6)])
        for name, start, stop in (("deletion", 1.0, 0.1), ("insertion", 0.1, 1.0))
    }
    agreement = np.array([[1, 0.72, 0.41], [0.72, 1, -0.05], [0.41, -0.05, 1]])
    return Evaluation(
        "lstm-sst2", tuple(f"text {i}" for i in range(24)), ("positive", "negative") * 12, measures, methods, values,
        curves=curves, grid=grid, agreement=agreement, overlap=np.abs(agreement), disputes=np.full(24, 0.5),
        contested=(tuple(samples.methods()[3:]),), counts={"asked": 900, "run": 640, "calls": 12}, seconds=3.2,
        notes=("2 of 24 texts were too long for greedy removal.",),
    )  # fmt: skip


def check() -> Evaluation:
    """One measure that is a check of the methods; nothing is ranked."""
    methods = (Measurand("reat", "REAT()", False, math.nan),)
    question, paper = "Do scores change with the weights?", "Adebayo et al. 2018"
    measures = (Measured("parameter-randomisation", question, paper, False),)
    return Evaluation("m", ("a", "b"), ("x", "x"), measures, methods, np.array([[[0.1, 0.2]]]),
                      agreement=np.eye(1), overlap=np.eye(1), remark="The scores depend on the weights.")  # fmt: skip


def classes() -> WordClasses:
    """Words by their part of speech; one class is rare."""
    found = tuple(
        WordClass(tag, spread(middle, size), words)
        for tag, middle, size, words in (
            ("JJ", 0.9, 200, ("good", "bad", "funny")), ("NN", 0.1, 400, ("movie", "film")),
            ("FW", 0.0, 3, ("déjà",)), ("RB", -0.4, 120, ("not", "never")),
        )
    )  # fmt: skip
    return WordClasses(ASKED, "merged", "the bundled tagger", found)


def uses() -> WordUses:
    """Two words over their contexts, and one that no text holds."""
    rng = np.random.default_rng(2)
    found = tuple(
        Uses(word, spread(middle), rng.normal(middle, 0.5, 40), tuple(range(40)), (shown(), shown(samples.MOVIE, 2)),
             (shown(samples.MOVIE, 3),))
        for word, middle in (("not", -0.8), ("never", -0.5))
    )  # fmt: skip
    return WordUses(ASKED, found, (Gap("not", "never", -0.3, -0.5, -0.1),), (Absent("nevr", "never"),))


TRAINING = Training({"negative": 90, "positive": 10}, 0.9, 0.5, 1e-5)


def failures() -> Failures:
    """Wrong predictions with their causes and the check of the training texts."""
    causes = (
        Cause("grows", "negative", 7, 5, 1.2, 20, 8, 0.95, 0.5, TRAINING, ("imbalanced", "shortcut"), (shown(),)),
        Cause("n't", "negative", 3, 0, 0.7, 1, 1, 1.0, 0.0, Training({}, math.nan, 0.5, math.nan), ("unseen",), ()),
    )
    corpora = Corpora(100, 120, {"negative": 500, "positive": 480}, 0.97, 200, 2, 1,
                      (Leak("The same text", "positive", "negative"),))  # fmt: skip
    return Failures(ASKED, corpora, {"positive": {"negative": 12}, "negative": {"positive": 8}}, 9, 3.4, causes)


def right() -> Failures:
    """A corpus without a wrong prediction."""
    corpora = Corpora(5, 5, {}, math.nan, 0, 0, 0, ())
    return Failures(ASKED, corpora, {}, 0, 0.0, ())


def summary() -> Summary:
    """Strongest words of one label, none of the other, and texts with an explanation that is no reason."""
    words = tuple(TopWord(word, "positive", spread(middle)) for word, middle in (("funny", 1.2), ("moving", 0.8)))
    contrary = (Contrary("tedious", "positive", spread(0.4), TRAINING),)
    unfaithful = (Unfaithful(shown(), 2, 0.01, 0.04),)
    return Summary(ASKED, {"positive": 70, "negative": 50}, 0.9, 5, words, 60, 4, unfaithful, contrary, 980)


def substitution() -> Substitution:
    """A word replaced by others, two of which flip the prediction."""
    before, after = shown(), shown("The fight scenes are fun but it grows slow")
    swaps = (
        Swap("slow", ("synonyms",), True, "positive", 0.31, True),
        Swap("dull", ("synonyms", "neighbours"), True, "negative", 0.77, False),
        Swap("up", ("language model",), False, "positive", 0.44, True),
    )
    pair = Pair(before, after)
    transfers = (Transfer("tedious", "slow", 14, 6, 2, 4, -0.21, (pair,)),)
    return Substitution(ASKED, "tedious", before, swaps, (pair,), transfers)


def repair() -> Repair:
    """New training texts with the runs that tried them."""
    added = tuple(Added(f"It grows slow {i}", "negative", f"It grows tedious {i}") for i in range(22))
    runs = (Retrained(0, 0.5, 0.55, 0.8, 0.9, 0.9, 0.89), Retrained(1, 0.52, 0.5, 0.78, 0.91, 0.9, 0.9))
    return Repair("lstm-sst2", (("tedious", "slow"),), added, 900, runs, Mean(0.28, 0.1, 0.4, 60, 30, 2),
                  Mean(0.26, 0.1, 0.4, 60, 60, 1), Mean(-0.005, math.nan, math.nan, 3, 3, 2))  # fmt: skip


def untrained() -> Repair:
    """New training texts that nothing was trained on."""
    none = Mean(math.nan, math.nan, math.nan, 0)
    return Repair("", (("tedious", "slow"),), (Added("slow", "negative", "tedious"),), 1, (), none, none, none)


def store() -> CorpusSummary:
    """Two methods of a store, beside another store."""
    return CorpusSummary(
        "explained", "target", "word", 5,
        (Answered("reat", "Reat()", "lstm-sst2", "0a1b2c3d", "word", "logit:predicted", "1f2e3d4c", 120, 2, 118, 101),
         Answered("lrp", "Lrp()", "lstm-sst2", "0a1b2c3d", "word", "logit:predicted", "5a6b7c8d", 120, 2, 0, 0),
         Answered("reat", "Reat()", "lstm-sst2", "0a1b2c3d", "word", "logit:predicted", "9a6b7c8d", 120, 2, 0, 0,
                  "evaluation", "Deletion()")),
        (Slice("reat", "logit:positive", 70, 0.93, 70, 61), Slice("lrp", "", 50, math.nan, 0, 0)),
        (Strong("reat", "logit:positive", "tedious", -1.2, 17), Strong("lrp", "", "fun", 0.4, 5)),
        (Agreeing("reat", "lrp", 0.61, 0.7, 118),), {"the text is empty": 4}, "last-week",
        (Moved("reat", "logit:positive", "slow", 0.1, -0.8, 12, 9),), (Shifted("reat", "logit:positive", 0.6, 0.4),),
        (Same("reat", 0, 0, math.nan),),
        (Judged("reat", "logit:positive", "deletion", 0.31, 0.25, 0.37, 70, False),
         Judged("random", "", "deletion", 0.5, math.nan, math.nan, 3, False)),
        (Leading("nearest", "logit:positive", 7, "a caf\xe9 scene", "positive", 5, 1, 0.02),),
    )  # fmt: skip


def amended() -> Amended:
    """Two ways to change the training data, each beside random texts; one interval is missing."""
    nan = float("nan")
    rows = (Amendment("remove", "tracin", 0.5, 0.4, 0.6, 0.01, -0.01, 0.03),
            Amendment("remove", "random", 0.25, nan, nan, 0.0, nan, nan),
            Amendment("add", "tracin", 0.75, 0.5, 1.0, -0.02, -0.05, 0.01),
            Amendment("add", "random", 0.3, 0.2, 0.4, 0.0, -0.01, 0.01))  # fmt: skip
    asked = ASKED._replace(model="LSTM", method="tracin", name="tracin")
    named = (Named("remove", -0.25, "positive", "a caf\xe9 scene"), Named("add", 0.5, "negative", "dull"))
    return Amended(asked, 12.5, 40, 10, 3, 0.75, rows, named)


def calibrated() -> Calibrated:
    """The confidence as it is, and one that is fitted and better."""
    steps = (Step(20, 0.6, 0.55), Step(20, 0.95, 0.8))
    rows = (Reading("probability", "what it says", 0.12, 0.1, 0.15, 0.15, 0.12, 0.2, steps),
            Reading("conformity, fitted", "what others are", 0.02, 0.0, 0.05, 0.1, 0.08, 0.15, steps[:1]))  # fmt: skip
    return Calibrated(ASKED, 0.7, 50, 20, rows)


def suspects() -> Mislabels:
    signs = (Sign("self-influence", "its own", 0.8, 0.7, 0.9, 0.95), Sign("random", "drawn", 0.1, 0.0, 0.2, 0.5))
    listed = (Suspect(3, "a fine film", "negative", "positive", 1.5, 2.25, 0.1),)
    asked = Asked("lstm-sst2", "self-influence", "self-influence", "loss:its own label", 40, 90, False)
    return Mislabels(asked, 4, 2, signs, (Cured(0, 0.7, 0.75, 0.8),), listed)


EVALUATIONS = (evaluation, check)


def attention_test() -> AttentionTest:
    """Two tests that decide, one for and one against, and one that does not."""
    row = ("Does it?", 0.25, 0.125, 0.5, "drawn words", 0.5, 0.25, 0.75, -0.5, 0.25)
    tests = (
        Tested("erasure", *row, False, True, 9),
        Tested("agreement", *row, True, True, 9),
        Tested("equal weights", *row[:-2], math.nan, math.nan, False, False, 9),
    )
    return AttentionTest(ASKED, "recurrent 1", False, 0.01, tests)


def heads() -> HeadStudy:
    """Two layers of two heads, one of which finds the subject."""
    relation = Relation("nsubj", 30, 1, 2, "to head", 0.75, 0.5, 0.875, 1, 0.25, 0.125, 0.5, 0.25, 0.75)
    rarely = Relation("obj", 12, 2, 1, "to dependent", 0.25, 0.0, 0.5, -1, 0.5, 0.25, 0.75, -0.5, 0.125)
    shares = np.array([[0.1, 0.25], [0.5, 0.75]])
    offsets = {"previous": shares, "same": shares / 2, "next": shares / 4}
    return HeadStudy(ASKED, (relation, rarely), shares, offsets, {"NOUN": shares}, shares, shares / 8, 3)


def links() -> LinkStudy:
    """Two kinds of link, the first of which has rivals."""
    rules = (Rule("offset -1", 0.25, 0.125, 0.5, 0.25, 0.75), Rule("nearest mention", 0.5, 0.25, 0.75, -0.125, 0.5))
    row = Linking("antecedent", 30, 1, 2, 0.75, 0.5, 0.875, rules, 2, 1, 0.5, 0.25, 0.75, 0.625)
    return LinkStudy(ASKED, (row, Linking("scope", 9, 2, 2, 0.5, 0.25, 0.75, rules[:1], 0, 0, *(math.nan,) * 4)))


def probes() -> ProbeStudy:
    """Two properties, one at two layers and by two probes, and a tree."""
    row = (0.75, 0.5, 0.875, 0.25, 0.25, 0.625, 0.5, 0.375)
    bits = (math.nan, math.nan, 2.0)
    probed = (
        Probed("tag", "word", "linear", "layer 1", 4, 90, *row, 0.5, 1.5, 2.0),
        Probed("tag", "word", "mlp", "layer 1", 4, 90, *row, *bits),
        Probed("tag", "word", "linear", "<pooled>", 4, 90, *row, 1.0, 2.5, 2.0),
        Probed("length", "sentence", "mlp", "layer 1", 4, 9, 0.5, *bits[:2], 0.25, *bits[:2], 0.5, 0.25, *bits),
    )  # fmt: skip
    tree = Structure("distance", "layer 1", 9, 0.5, 0.25, 0.75, 0.625, 0.25, math.nan, 0.375)
    return ProbeStudy(ASKED, probed, (tree,), 21, 9)


def information() -> InformationStudy:
    """Two layers of a model, the first of which has no layer before it."""
    none, rest = (math.nan,) * 3, (2.0, 2.5, 1.5, 1.0, 0.5, 1.5, 0.875, 0.125)
    rows = (
        LayerHeld("lstm-sst2", "layer 1", 9, -300.0, -320.0, -280.0, *none, *rest),
        LayerHeld("lstm-sst2", "pooled", 9, -250.0, -260.0, -240.0, 50.0, 40.0, 60.0, *rest),
    )
    return InformationStudy(ASKED, 0.01, rows, (Survivor("lstm-sst2", "tedious", 5, 6),))


def concepts() -> ConceptStudy:
    """Two concepts at two layers, one of which is followed, and one of which has too few examples for halves."""
    way, least = np.array([0.5, -1 / 3]), (-0.25, 0.125, 1.0)
    rows = (
        ConceptAt("warm", "layer 1", 8, 0.875, 1.0, 0.0, 1.0, 0.5, 1.5, -0.5, 0.5, 0.004, way),
        ConceptAt("warm", "pooled", 8, 0.75, 0.9, 0.1, 0.95, 0.5, 0.75, -0.5, 0.5, 0.004, way[:1]),
        ConceptAt("cold", "layer 1", 2, math.nan, 0.5, 0.0, 1.0, 1.0, 0.01, *least, way),
        ConceptAt("cold", "pooled", 2, math.nan, 0.4, 0.0, 1.0, 1.0, -0.01, *least, way[:1]),
    )
    return ConceptStudy(ASKED, 40, 500, True, rows)


def excerpts() -> ConceptPage:
    """Three concepts, of which one is never present and one always."""
    used = (Excerpt("slow waiter", 4, 0.875), Excerpt("long", 1, 0.75))
    concepts = (
        LearnedConcept("service", 0.5, np.array([0.75, -1 / 3]), 0.75, 1.0, used),
        LearnedConcept("unused 2", 0.0, np.array([math.nan, math.nan]), math.nan, math.nan, ()),
        LearnedConcept("always", 1.0, np.array([-0.5, 0.25]), 1.0, 0.5, used[:1]),
    )
    return ConceptPage(ASKED, ("negative", "positive"), 0.875, 0.8, 0.5, concepts)


def explainer() -> WrittenStudy:
    """Two texts, tests of exchanged explanations, and no BLEU."""
    tests = (
        Exchanged("removed", "no explanation is read", 0.5, 0.25, math.nan),
        Exchanged("exchanged", "the explanations of two labels are exchanged", 0.25, 0.75, 0.5),
    )
    texts = (
        WrittenText("Two dogs run.", "entailment", 0.75, "entailment", "dogs are animals", "a dog is an animal"),
        WrittenText("A cat.", "neutral", 0.5, "entailment", "", "cats purr"),
    )
    scores = (0.5, 1 / 3, 12.5, math.nan, math.nan, math.nan)
    return WrittenStudy(
        ASKED, "label-specific", *scores, tests, Simulated(0.5, 0.75, 0.875, 0.75, 0.25), "BLEU is missing.", texts
    )


def said() -> Said:
    """A text with words, facts and another label's explanation, and one of which nothing is written."""
    facts = (Fact("fine", "is a", "quality"), Fact("film", "part of", "cinema"))
    texts = (
        SaidText("A fine film.", "positive", 0.75, "fine is good", ("fine", "film"), facts, (("negative", "dull"),)),
        SaidText("A cat.", "negative", 0.5, ""),
    )
    return Said(ASKED, "label-specific", texts)


STUDIES = (
    store, classes, uses, failures, right, summary, substitution, repair, untrained, suspects, amended, attention_test,
    heads, links, probes, information, concepts, excerpts, calibrated, explainer,
    said,
)  # fmt: skip
