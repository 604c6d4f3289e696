"""Influence on the saliency of a word, and the words of training texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.mech.curvature import saliency
from exegesis.mech.curvature.passes import Passes
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([4, 3, 5, 2, 6, 3])
TEXT = "w1 w5 w2 w5"


@pytest.fixture(scope="module")
def toy():
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=2, scale=0.7), ["no", "yes"])
    return model, [(text, ["no", "yes"][n % 2]) for n, text in enumerate([*TEXTS, "w3"])]


@pytest.mark.parametrize(
    ("kind", "method", "options"),
    [("x-input", "gradient-x-input", {}), ("l2", "gradient", {}), ("integrated", "integrated-gradients", {})],
)
def test_gradients_of_saliencies_by_small_steps(toy, kind, method, options):
    """Saliencies are those of ``explain``, and their gradients to the weights the slopes along any direction."""
    model, _ = toy
    passes = Passes(model)
    text = model.read(TEXT)
    steps = 400 if kind == "integrated" else 1
    own = lambda raw: raw[:, 1]  # noqa: E731
    scores = saliency.saliencies(passes, model.encode([text]), own, text.words, kind, steps)
    close = {"rtol": 1e-3, "atol": 1e-5} if kind == "integrated" else {"rtol": 1e-9}
    np.testing.assert_allclose(scores, exegesis.explain(model, TEXT, method, "logit:yes", **options).scores, **close)
    if kind == "integrated":
        steps = 3
    slopes = saliency.gradients(passes, model.encode([text]), own, text.words, kind, steps)
    along = torch.randn(passes.layout.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parts, sides = passes.layout.split(along[None]), []
    for step in (1e-5, -1e-5):
        moved = {name: weight.detach() + step * parts[name][0] for name, weight in passes.weights.items()}
        sides.append(saliency.saliencies(Passes(model, by=moved), model.encode([text]), own, text.words, kind, steps))
    np.testing.assert_allclose(slopes @ along, (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-8)


def test_which_texts_make_it_look_at_a_word(toy):
    model, train = toy
    options = {"damping": 0.1, "tolerance": 1e-12, "iterations": 200}
    found = [exegesis.influence(model, train, TEXT, target="yes", word=n, **options) for n in range(4)]
    assert [one.word for one in found] == [0, 1, 2, 3]
    assert found[1].target == "saliency:w5"
    assert found[1].explained == found[0].marks[1]
    top = exegesis.influence(model, train, TEXT, target="yes", word="top", **options)
    assert top.word == int(np.abs(top.marks).argmax())
    assert exegesis.influence(model, train, TEXT, word="W2", **options).word == 2
    # linear: the influence on the sum of saliencies is the sum of the influences
    passes, text = Passes(model), model.read(TEXT)
    slopes = saliency.gradients(passes, model.encode([text]), lambda raw: raw[:, 1], text.words, "x-input", 1)
    whole = saliency.gradients(passes, model.encode([text]), lambda raw: raw[:, 1], [exegesis_span(text)], "x-input", 1)
    torch.testing.assert_close(slopes.sum(0), whole[0])
    above = Passes(model, ["rnn", "out"])  # the table is none of the weights that count
    few = saliency.gradients(above, model.encode([text]), lambda raw: raw[:, 1], text.words, "x-input", 1)
    named = passes.layout.split(slopes)
    torch.testing.assert_close(few, above.layout.joined({name: named[name] for name in above.layout.shapes}))
    with pytest.raises(exegesis.UsageError, match="the text has no word 'w9'; its words are w1, w5, w2, w5"):
        exegesis.influence(model, train, TEXT, word="w9")
    with pytest.raises(exegesis.UsageError, match="word 4 lies outside the text"):
        exegesis.influence(model, train, TEXT, word=4)
    with pytest.raises(exegesis.UnsupportedError, match=r"nearest scores no words: take one of .*gradient-similarity"):
        exegesis.influence(model, train, TEXT, "nearest", word=0)


def exegesis_span(text):
    from exegesis.core.text import Span

    return Span(0, len(text))


def test_words_of_training_texts(toy):
    """A word's score is that of its text less that of the text without it, scored as any other."""
    model, train = toy
    found = exegesis.influence(model, train, TEXT, "gradient-similarity", words=True, top=7)
    assert len(found.sources) == 7
    for source in found.sources:
        words = source.text.split()
        assert [source.text[mark.start : mark.stop] for mark in source.words] == words
        shorter = [" ".join(words[:n] + words[n + 1 :]) for n in range(len(words))]
        if len(words) == 1:
            assert source.words[0].score == source.score
            continue
        without = exegesis.influence(
            model, [(text, source.label) for text in shorter], TEXT, "gradient-similarity"
        ).scores
        np.testing.assert_allclose([mark.score for mark in source.words], source.score - without, rtol=1e-9)
    with pytest.raises(exegesis.UnsupportedError, match="gives no scores of words"):
        exegesis.influence(model, train, TEXT, "gradient-similarity", measure="cosine", words=True)
