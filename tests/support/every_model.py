"""Every kind of model that can be explained, and what each method is told so that a table of all of them is quick."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import pytest
import torch

import tests.support.text_cnns as text_cnns
from exegesis.api import blackbox
from exegesis.engine.methods import cards, make
from exegesis.models.concept_models.model import ConceptClassifier
from exegesis.models.language_models.bundled import ClozeLanguageModel
from exegesis.models.language_models.cloze import BLANK, START, STOP, ClozeConfig, ClozeNetwork
from exegesis.models.modules.wrap import wrap
from exegesis.models.rationale_models.model import RationaleClassifier
from exegesis.models.text.vocabulary import PAD, UNKNOWN, Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.spanned import SpanClassifier
from exegesis.protocols.model import Classifier
from tests.support import concept_toys, rationale_toys
from tests.support.torch_toys import WORDS, Bag, Shape, model
from tests.support.user_modules import ZOO

LENGTHS = [4, 1, 7, 2, 4]


def probabilities(rows: list[str]) -> np.ndarray:
    """A black box that looks at words and their order."""
    found = []
    for row in rows:
        z = np.zeros(3)
        for place, word in enumerate(row.split()):
            z[zlib.crc32(word.encode()) % 3] += 1 / (1 + place)
        found.append(np.exp(z) / np.exp(z).sum())
    return np.array(found)


def zoo(name: str) -> Classifier:
    torch.manual_seed(3)
    module = ZOO[name].make()
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape) * 0.8
    labels = list(ZOO[name].labels)
    return wrap(module.double().train(), vocabulary=WORDS, tokenizer=str.split, labels=labels, **ZOO[name].options)


@lru_cache(None)
def wordpieces() -> object:
    """One tokenizer: what a trainer puts first among equals differs from one to the next."""
    return pytest.importorskip("tests.support.hf_toys").wordpiece()


def hugging_face() -> Classifier:
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    from exegesis.models.huggingface.wrap import wrap_huggingface

    return wrap_huggingface(hf_toys.bert().double(), wordpieces(), name="bert")


def variant(kind: str) -> Classifier:
    """A variant of the LSTM (Arras et al. 2019, Sec. 11.4), both directions."""
    shape = {"embedding": 3, "hidden": 4, "vocabulary": len(WORDS), "labels": ("c0", "c1", "c2")}
    config = RecurrentConfig(cell=f"lstm-{kind}", bidirectional=True, readout="mean", **shape)
    module = RecurrentClassifier(config).double().train()
    draws = torch.Generator().manual_seed(9)
    for name, weight in module.named_parameters():
        if "bias_" not in name:
            weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)
    return wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])


def deciding() -> Classifier:
    """A classifier that decides through concepts."""
    module = concept_toys.network("educe", labels=("c0", "c1", "c2"), vocabulary=len(WORDS))
    return ConceptClassifier.of(wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"]))


def selecting() -> Classifier:
    """A classifier that reads only some of the words."""
    module = rationale_toys.network("bottleneck:share=0.5", labels=("c0", "c1", "c2"), vocabulary=len(WORDS))
    wrapped = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    return RationaleClassifier.of(wrapped)


def weighing() -> Classifier:
    """A classifier with attention over spans."""
    shape = {"embedding": 3, "hidden": 4, "vocabulary": len(WORDS), "labels": ("c0", "c1", "c2")}
    torch.manual_seed(4)
    module = RecurrentClassifier(RecurrentConfig("gru", True, readout="spans", span=2, **shape)).double()
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, dtype=torch.float64)
    return SpanClassifier.of(wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"]))


ANY = {"context-cite", "leave-one-out", "lime", "input-reduction", "shapley", "soc"}
GRADIENTS = ANY | {"deeplift", "gradient", "gradient-x-input", "integrated-gradients", "smoothgrad"}
PARTS = GRADIENTS | {"lrp"}  # every part has a rule of relevance propagation
RECURRENT = PARTS | {"naive-reat", "contextual-decomposition", "scd"}
GATED = RECURRENT | {"reat"}
# every kind of model, with the methods that it must be able to serve at least
MODELS: dict[str, tuple[set[str], Callable[[], Classifier]]] = {
    "linear bag": (PARTS, lambda: wrap(Bag(), vocabulary=WORDS, tokenizer=str.split)),
    "bending bag": (PARTS, lambda: wrap(Bag(bends=True, seed=1), vocabulary=WORDS, tokenizer=str.split)),
    "lstm": (GATED, lambda: model(Shape("lstm", starts=True))),
    "bigru attention": (GATED, lambda: model(Shape("gru", 1, True, "attention", seed=2))),
    "two bilstms max": (GATED, lambda: model(Shape("lstm", 2, True, "max", seed=3))),
    "gru with a bent head": (PARTS, lambda: model(Shape("gru", bends=True, seed=4))),
    "tanh rnn": (RECURRENT, lambda: model(Shape("rnn", 1, True, "mean", seed=5))),
    "one output": (GATED, lambda: model(Shape("gru", outputs=1, readout="concat", seed=6), ["no", "yes"])),
    "regression": (GATED, lambda: model(Shape("lstm", 2, outputs=1, seed=7), ["stars"])),
    "multi-label": (GATED, lambda: model(Shape("gru", readout="sum", seed=8), outputs="multi-label")),
    "inexact under padding": (GATED, lambda: zoo("max with the zeros of padding")),
    "time first": (GATED, lambda: zoo("time first with lengths, packed")),
    "sorts its rows": (GATED, lambda: zoo("sorts its rows before the embedding")),
    "drops pads itself": (GATED, lambda: zoo("lengths from the ids inside, packed")),
    "cells in a loop": (PARTS, lambda: zoo("a loop over nn.LSTMCell")),
    "markov lstm": (PARTS, lambda: variant("markov")),
    "text cnn": (PARTS, lambda: wrap(text_cnns.made(text_cnns.TextCnn()), vocabulary=WORDS, tokenizer=str.split)),
    "embedding bag": (PARTS, lambda: zoo("embedding bag")),
    "probabilities": (GRADIENTS, lambda: zoo("softmax, said")),
    "one probability": (GRADIENTS, lambda: zoo("one probability")),
    "black box": (ANY, lambda: blackbox(probabilities, ["a", "b", "c"])),
    "transformer": (PARTS, hugging_face),
    "selects its words": (PARTS, selecting),
    "decides through concepts": (ANY, deciding),
    "weighs spans": (PARTS, weighing),
}
MECHANISMS: dict[str, tuple[str, ...]] = {  # how scores are computed; the methods of a mechanism share their code
    "removal": ("leave-one-out", "lime", "context-cite", "input-reduction", "shapley"),
    "contexts": ("soc", "scd"),
    "gradients": ("gradient", "gradient-x-input", "integrated-gradients", "smoothgrad"),
    "deeplift": ("deeplift",),
    "lrp": ("lrp",),
    "additive decomposition": ("reat", "naive-reat"),
    "contextual decomposition": ("contextual-decomposition",),
}
# one model of each kind, on which every method is tried; the other models are tried with each mechanism
KINDS = ("linear bag", "bigru attention", "two bilstms max", "tanh rnn", "text cnn", "one probability", "black box",
         "transformer", "selects its words")  # fmt: skip
QUICK = ("two bilstms max", "text cnn", "transformer", "selects its words")  # one of each way to read
built = lru_cache(None)(lambda name: MODELS[name][1]())
# few points and samples, so that the whole table is quick
OPTIONS: dict[str, dict[str, object]] = {
    "integrated-gradients": {"points": 3, "limit": 6},
    "lime": {"samples": 15},
    "context-cite": {"samples": 15},
    "smoothgrad": {"samples": 2},
    "soc": {"samples": 2, "neighbours": 1},
    "scd": {"samples": 2, "neighbours": 1},
}


@lru_cache(None)
def writer() -> ClozeLanguageModel:
    """A small language model that draws the words of the models, which thus read what is drawn."""
    torch.manual_seed(0)
    words = Vocabulary((PAD, UNKNOWN, *WORDS[3:], BLANK, START, STOP))
    network = ClozeNetwork(ClozeConfig(len(words), embedding=4, hidden=4)).eval().requires_grad_(False)
    return ClozeLanguageModel(network, words, "writer")


def made(method: str) -> object:
    language = {"language": writer()} if method in ("soc", "scd") else {}
    return make(method, OPTIONS.get(method, {}) | language)


def target_of(seen: Classifier, method: str) -> str:
    return "predicted" if method == "input-reduction" else "all"


def chosen_pairs() -> list[tuple[str, str]]:
    """Models with methods that they can serve, by name: each method meets each kind of model, and each model each
    mechanism.

    A model that stands for no kind gets the methods of a mechanism in turn, so that all of them meet many models. A
    method that is in no mechanism (a new one) meets every kind.
    """
    new = sorted({card.name for card in cards()} - GATED)
    pairs = [(name, method) for name in KINDS for method in [*sorted(MODELS[name][0]), *new]]
    for turn, name in enumerate(name for name in MODELS if name not in KINDS):
        for methods in MECHANISMS.values():
            able = [method for method in methods if method in MODELS[name][0]]
            pairs += [(name, able[turn % len(able)])] if able else []
    return pairs


def quick(cases: Sequence[tuple[str, ...]]) -> list[object]:
    """Cases, each with the name of its model first, as parameters of a test: those of quick models are marked.

    Of a convolutional model a method of each mechanism is quick; a recurrent model and a transformer try them all.
    """
    first = {methods[0] for methods in MECHANISMS.values()}
    return [
        pytest.param(*case, marks=pytest.mark.quick)
        if case[0] in QUICK and not (case[0] == "text cnn" and len(case) > 1 and case[1] not in first)
        else pytest.param(*case)
        for case in cases
    ]
