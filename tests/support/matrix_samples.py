"""Interactions, relevance and attention made by hand for the views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exegesis.core.text import Text
from exegesis.results.generation import Generation
from exegesis.results.header import Account, Origin, Prediction, Subject
from exegesis.results.interactions import Interactions
from exegesis.results.internals.adversary import Adversary, Pull, Rewrite
from exegesis.results.internals.attention import AttentionMap, AttentionMaps
from exegesis.results.internals.attributes import Attributes
from exegesis.results.internals.decision import ConceptDecision
from exegesis.results.internals.gates import GateCurves, Gates
from exegesis.results.internals.information import Information
from exegesis.results.internals.relevance import Relevance
from tests.support import samples

SAID = Prediction("positive", 0.9, {"positive": 0.9, "negative": 0.1}, 2)


def pairs(raw: str | Text = samples.FIGHT, *, seed: int = 1, kind: str = "shapley", scale: float = 1.0) -> Interactions:
    """Interactions that are drawn; three in ten of them are zero."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    count, rng = len(text.words), np.random.default_rng(seed)
    upper = np.triu(rng.normal(0, scale, (count, count)) * (rng.random((count, count)) > 0.3), 1)
    origin = Origin("interactions", f"Pairwise(kind={kind!r}, how='drop')", 0.01)
    return Interactions(subject(text), origin, upper + upper.T, kind, "drop")


def subject(text: Text, explained: float = 2.5) -> Subject:
    """A text with a prediction and the number explained."""
    return Subject(text, "lstm-sst2", SAID, ("logit:positive",), (explained,))


def estimated() -> Interactions:
    """With standard errors, as of drawn orders."""
    one = pairs("not a bad film", scale=1e-3)
    details = {"orders": 50, "standard_error": np.full((4, 4), 2e-4).tolist()}
    origin = Origin("interactions", "Pairwise(kind='shapley', how='pad')", 0.2, details)
    return Interactions(Subject(one.text, "m", SAID, ("margin:a,b",), (2.5,)), origin, one.values, one.kind, "pad")


def alone() -> Interactions:
    return pairs("fine")


def long() -> Interactions:
    return pairs(" ".join(f"{samples.LONG} {n}" for n in range(3)))


def pair() -> Interactions:
    return pairs(samples.pair().text)


def right_to_left() -> Interactions:
    return pairs("هذا فيلم good جيد جدا")


PAIRS = [pairs, estimated, alone, long, pair, right_to_left]


def relevance(raw: str | Text = samples.FIGHT, *, layers: int = 1) -> Relevance:
    """Relevance of a bidirectional layer or more, and of a convolution whose places are not those of the text."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    rng, count = np.random.default_rng(len(text)), len(text)
    parts = [f"layer {n + 1} {way}{part}" for n in range(layers) for way in ("forward", "reverse")
             for part in ("", " from above")]  # fmt: skip
    dimensions = rng.normal(0, 0.2, (count, 4))
    states = {part: rng.normal(0, 0.2, (count, 3)) for part in parts}
    states["conv1d 1"] = rng.normal(0, 1, (6, count + 1))
    total = float(dimensions.sum()) + 0.25
    account = Account({"output bias": (0.25,)})
    return Relevance(subject(text, total), Origin("relevance", "Lrp()", 0.02), dimensions, states, remainder=account)


def deep() -> Relevance:
    return relevance(samples.LONG, layers=2)


def of_pair() -> Relevance:
    return relevance(samples.pair().text)


def one_word() -> Relevance:
    return relevance("fine")


PLACES = [relevance, deep, of_pair, one_word]


def attention(raw: str | Text = samples.FIGHT, *, layers: int = 2, signed: bool = False) -> AttentionMaps:
    """Maps of two heads a layer, and one that pools the text."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    rng, spans = np.random.default_rng(2), text.words
    maps = [
        AttentionMap(layer, head, spans, spans, rng.normal(0, 1, (len(spans), len(spans))) ** (1 if signed else 2))
        for layer in range(1, layers + 1)
        for head in (1, 2)
    ]
    maps.append(AttentionMap(layers + 1, 0, (), spans, rng.random((1, len(spans)))))
    origin = Origin("attention-saliency", "AttentionSaliency(form='signed')", 0.01, {"at_bound": 0.5})
    return AttentionMaps(subject(text), origin, tuple(maps), "attention-saliency", False, signed)


def attention_of_pair() -> AttentionMaps:
    return attention(samples.pair().text, layers=4, signed=True)


def gates(raw: str | Text = samples.FIGHT) -> Gates:
    """The curves of an LSTM's two directions and of a GRU."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    rng, pieces = np.random.default_rng(3), text.words
    names = {"lstm": ("input", "forget", "output", "candidate", "cell", "hidden"), "gru": ("reset", "update", "hidden")}
    curves = tuple(
        GateCurves(
            number, 1, way, cell, pieces, *({name: rng.random(len(pieces)) for name in names[cell]} for _ in "ab")
        )
        for number, way, cell in ((1, "forward", "lstm"), (1, "reverse", "lstm"), (2, "forward", "gru"))
    )
    return Gates(subject(text), Origin("gates", "GateSignals()", 0.01), curves)


def information(raw: str | Text = samples.FIGHT, *, settled: bool = True) -> Information:
    """Two layers, in the second of which a word is discarded, and another has no minimum unless all is ``settled``."""
    text = samples.words_of(raw) if isinstance(raw, str) else raw
    count, rng = len(text.words), np.random.default_rng(4)
    sigma = np.exp(rng.normal(-1.0, 0.5, (2, count)))
    sigma[1, 0] = 9.0
    states = [["minimum"] * count, ["discarded", *["minimum"] * (count - 1)]]
    if not settled:
        states[0][-1], states[1][-1], sigma[1, -1] = "unsettled", "none", 9.0
    origin = Origin("information", "Measure(rate=0.01)", 0.2)
    return Information(
        subject(text), origin, ("layer 1", "pooled"), sigma, 0.9 * sigma, 0.01 + 0 * sigma, 1 + 0 * sigma,
        0.02 + 0 * sigma, tuple(map(tuple, states)), (2.5, 0.75), (12, 4), 0.01, 3, 9.0, "words drawn from 3 texts",
    )  # fmt: skip


def information_of_pair() -> Information:
    return information(samples.pair().text, settled=False)


def generation(raw: str = samples.FIGHT, *, first: int = 4, complete: bool = True) -> Generation:
    """An answer of which every word has scores of the words before it."""
    text = samples.words_of(raw)
    outputs, rng = text.words[first:], np.random.default_rng(5)
    values = np.tril(rng.normal(0, 1, (len(outputs), len(text.words))), first - 1)
    targets = tuple(f"log-probability:{n}" for n in range(len(outputs)))
    explained = tuple((values.sum(1) + 0.25).tolist())
    return Generation(
        replace(subject(text), targets=targets, explained=explained),
        Origin("lrp", "Lrp()", 0.01),
        text.words,
        outputs,
        values,
        first,
        remainder=Account({"special tokens": (0.25,) * len(outputs)}, complete),
    )


def contrast() -> Generation:
    """One number for a whole answer."""
    return generation(first=len(samples.words_of(samples.FIGHT).words) - 1, complete=False)


def adversary() -> Adversary:
    """Two words pulled, one that is not, and a sentence that flips the decision."""
    text = samples.words_of("a <fine> film")
    pulls = ((Pull("the", 0.5, 1.5), Pull("an", -0.25, 2.0)), (Pull("dull & dark", 1.25, 3.0),), ())
    flip = Rewrite("a dull & dark film", ((1, "dull & dark"),), "bad", 1.5)
    origin = Origin("adversarial", "Moving(budget=1.0)", 0.1)
    return Adversary(subject(text), origin, "good", 1.5, 0.25, 0.75, np.array([0.5, 1.25, 0.0]), pulls, flip)


def attributes() -> Attributes:
    """Two layers and three concepts."""
    rng, text = np.random.default_rng(5), samples.words_of("tension and unhappiness")
    alone, shared, error = rng.random(2) + 2, rng.random((2, 3)), rng.random((2, 3)) / 9
    origin = Origin("attributes", "Measure(rate=0.01)", 0.1)
    return Attributes(
        subject(text), origin, 2, ("layer 1", "pooled"), ("emotion", "noun", "all words"), alone, shared, error,
        (20, 24, 30), "substitution", 0.01, 5,
    )  # fmt: skip


def decision() -> ConceptDecision:
    """Three concepts, of which one reads two runs and is present, one is not, and one reads nothing."""
    text = samples.words_of("a fine film , not dull")
    parts, account = np.array([[2.0], [0.0], [1 / 3]]), Account({"output bias": (2.5 - 2 - 1 / 3,)}, complete=True)
    return ConceptDecision(
        subject(text), Origin("concepts", "Concepts()", 0.25), ("praise", "tedium", "unused 3"), ((1, 2, 5), (0,), ()),
        np.array([0.9, 0.1, 0.5]), (True, False, True), parts, account,
    )  # fmt: skip
