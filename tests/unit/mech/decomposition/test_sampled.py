"""Sampling contextual decomposition against its formulas, one phrase and one context at a time; its limits."""

from __future__ import annotations

import numpy as np
import pytest

from exegesis.api import explain, hierarchy
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.models.language_models.counted import CountedLanguageModel
from exegesis.protocols.budget import limited
from exegesis.protocols.language import fillings
from exegesis.questions.attributions.scd import Scd
from tests.reference import sampled as slow
from tests.reference import toys
from tests.support.torch_toys import WORDS, Shape, model, texts

LANGUAGE = CountedLanguageModel(texts([9, 9, 9], 5), order=2)
SHAPES = [
    Shape("lstm", seed=1),
    Shape("lstm", 1, True, "concat", starts=True, seed=2),
    Shape("lstm", 2, True, "mean", seed=3),
    Shape("gru", 1, True, "last", starts=True, seed=4),
    Shape("gru", 2, readout="attention", seed=5),
    Shape("rnn", 1, True, "max", seed=6),
    Shape("relu", 2, False, "sum", seed=7, scale=0.4),
]


def own_states(shape, weights, first, x):
    """States of the text itself, for the poolings that look at them."""
    for layer, ways in enumerate(weights):
        found = []
        for way, w in enumerate(ways):
            turn = slice(None, None, -1 if way else 1)
            found.append(slow.direction(shape.cell, w, [x[turn]], 0 * x[turn], *first[layer][way])[0][0][turn])
        x = np.concatenate(found, 1)
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("neighbours", [1, 9])
def test_every_phrase_of_every_text(shape, neighbours):
    seen = model(shape)
    weights, first = toys.layers(shape, seen.module)
    method = Scd(neighbours=neighbours, samples=4, language=LANGUAGE, seed=2)
    for result in explain(seen, texts([5, 1, 3], shape.seed), method, "all", spans="all"):
        words = list(result.words)
        x = toys.vectors(seen.module, [WORDS.index(word) for word in words])
        blocks = toys.blocks(shape, seen.module, own_states(shape, weights, first, x))
        for column, (start, stop) in enumerate(result.spans):
            places = [p for p in range(len(words)) if start - neighbours <= p < stop + neighbours]
            places = [p for p in places if not start <= p < stop]
            drawn = fillings(LANGUAGE, [words], [places], 4, 2)[0] if places else [()]
            contexts = []
            for filling in drawn:
                text = list(words)
                for place, word in zip(places, filling, strict=True):
                    text[place] = word
                contexts.append(toys.vectors(seen.module, [WORDS.index(word) for word in text]))
            expected = slow.parts(shape.cell, weights, contexts, first, blocks, start, stop)
            np.testing.assert_allclose(result.scores[:, column], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_without_biases_the_whole_text_is_the_number(cell):
    seen = model(Shape(cell, 1, True, bias=False, seed=3))
    for result in explain(seen, texts([5, 1, 3], 3), Scd(samples=2, language=LANGUAGE), "all", spans="all"):
        whole = result.scores[:, [tuple(span) for span in result.spans].index((0, len(result.words)))]
        np.testing.assert_allclose(whole + toys.bias(seen.module), result.explained, atol=1e-10)


class Splits:
    """A language model whose words the model cuts in two."""

    name = "splits"

    def sample(self, given, positions, count, seed):
        return [[tuple("w1-w2" for _ in places)] * count for places in positions]


def test_contexts_that_do_not_fit_are_left_out():
    """Where no context has as many pieces as the text, the text itself is the only one."""
    from exegesis.models.modules.wrap import wrap
    from tests.support.torch_toys import net

    seen = wrap(net(Shape("gru", seed=4)), vocabulary=WORDS, tokenizer=lambda s: s.replace("-", " - ").split())
    one = explain(seen, "w3 w4 w5", Scd(language=Splits(), neighbours=1, samples=2), spans="all")
    none = explain(seen, "w3 w4 w5", Scd(language=Splits(), neighbours=0), spans="all")
    np.testing.assert_allclose(one.scores, none.scores, atol=1e-12)


def test_batches_and_chunks_change_nothing():
    seen = model(Shape("lstm", 2, True, seed=3))
    method, raw = Scd(neighbours=2, samples=3, language=LANGUAGE), texts([6, 1, 4, 3], 5)
    together = explain(seen, raw, method, spans="all")
    for text, one in zip(raw, together, strict=True):
        with limited("states", numbers=1):
            alone = explain(seen, text, method, spans="all")
        np.testing.assert_allclose(alone.scores, one.scores, rtol=0, atol=1e-12)


def test_a_hierarchy_by_scd():
    result = hierarchy(model(Shape("lstm", seed=1)), "w1 w2 w3 w4", "scd", samples=2, language=LANGUAGE, percentile=100)
    assert result.name == "scd"
    assert len(result) == 7
    assert "Scd(" in result.method


def test_what_cannot_be_split_is_refused():
    seen = model(Shape("lstm", seed=1))
    with pytest.raises(UnsupportedError, match="cannot decompose a probability"):
        explain(seen, "w1 w2", Scd(language=LANGUAGE), "probability:c1")
    for options in ({"samples": 0}, {"neighbours": -1}):
        with pytest.raises(UsageError, match=r"^Scd: (samples|neighbours) must be .* of at least [01], not "):
            Scd(**options)
