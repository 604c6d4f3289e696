"""The attributes of a word: Eqs. 8 and 9 by both readings, and the words that cannot stand in its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import exegesis
from exegesis.core.errors import FileError, TextError, UsageError
from exegesis.data.concepts import read_concepts
from exegesis.show.documents.networks.attributes import document
from tests.support import matrix_samples
from tests.support.every_model import MODELS

RAW = "w1 w2 w3 w4"
CONCEPTS = {"small": ["w5", "w6", "nowhere"], "large": ["w7", "w8", "w9"]}


@pytest.fixture(scope="module")
def bag():
    return MODELS["linear bag"][1]()


def vectors(model, words):
    return np.stack([model.embed(model.encode([model.read(word)]))[0, 0].double().numpy() for word in words])


@pytest.mark.quick
def test_by_substitution_it_is_the_distance_of_states_over_the_temperature(bag):
    held = exegesis.information(bag, RAW, "pooled", reference=[RAW])
    found = exegesis.attributes(bag, RAW, "w3", CONCEPTS, "pooled", reference=[RAW])
    (own,) = vectors(bag, ["w3"])
    ways = {name: [word for word in words if word != "nowhere"] for name, words in CONCEPTS.items()}
    allowed = held.lam * held.variance[0]
    scale = {name: ((vectors(bag, words) - own) ** 2).sum(1).mean() / allowed for name, words in ways.items()}
    state = ((vectors(bag, ["w1", "w2"]).sum(0)) ** 2).sum()
    assert state > 0
    np.testing.assert_allclose(found.remaining[0], [scale["small"], scale["large"]], rtol=1e-6)
    assert found.counts == (2, 3)
    both = ((vectors(bag, ["w5", "w6", "w7", "w8", "w9"]) - own) ** 2).sum(1).mean() / allowed
    np.testing.assert_allclose(found.alone, [both], rtol=1e-6)
    np.testing.assert_allclose(found.shared[0], both - found.remaining[0], rtol=1e-6)


def test_by_the_gaussian_it_is_the_distance_over_sigma_and_ratios_stay():
    model = MODELS["two bilstms max"][1]()
    options = {"reference": [RAW, "w5 w6 w7"], "pairs": 16, "most": 16, "samples": 16}
    found = exegesis.attributes(model, RAW, 2, CONCEPTS, reading="gaussian", **options)
    held = exegesis.information(model, RAW, **options)
    (own,) = vectors(model, ["w3"])
    far = [((vectors(model, words) - own) ** 2).sum(1).mean() for words in (["w5", "w6"], ["w7", "w8", "w9"])]
    expected = np.array(far)[None] / (2 * held.sigma[:, 2:3] ** 2)
    np.testing.assert_allclose(found.remaining, expected, rtol=1e-6)
    other = exegesis.attributes(model, RAW, 2, CONCEPTS, **options).remaining
    assert np.ptp(other[:, 0] / other[:, 1]) > 1e-3  # by substitution, ratios change from layer to layer


def test_what_cannot_be_is_said(bag):
    with pytest.raises(TextError, match="none of the 1 words of the concept 'none' can stand for 'w3'"):
        exegesis.attributes(bag, RAW, "w3", {"none": ["nowhere"]})
    with pytest.raises(UsageError, match="unknown word of the text 'w33'"):
        exegesis.attributes(bag, RAW, "w33", CONCEPTS)
    with pytest.raises(UsageError, match="unknown reading"):
        exegesis.attributes(bag, RAW, "w3", CONCEPTS, reading="linear")


def test_concepts_are_read_from_lists_and_indices(tmp_path):
    (tmp_path / "hu.txt").write_bytes(";;; a comment\n\na+\nna\xefve\n".encode("latin-1"))
    (tmp_path / "index.txt").write_text("  1 licence\njoy n 4 3\nhigh_spirits n 1 1\n")
    assert read_concepts(tmp_path) == {"hu": ("a+", "naïve"), "index": ("joy",)}
    assert read_concepts([tmp_path / "index.txt"]) == {"index": ("joy",)}
    with pytest.raises(UsageError, match="has no words"):
        read_concepts({"empty": []})
    (tmp_path / "none").mkdir()
    with pytest.raises(FileError, match="holds no"):
        read_concepts(tmp_path / "none")


def test_large_numbers_are_drawn_in_thousands_of_nats() -> None:
    result = matrix_samples.attributes()
    size = 5e4 / float(abs(result.remaining).max())
    large = replace(result, alone=result.alone * size, shared=result.shared * size)
    assert "thousands of nats" not in repr(document([result]))
    assert "thousands of nats" in repr(document([large]))
    assert "50.0 ±" in repr(document([large]))
