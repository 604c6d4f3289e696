"""What probes read off the layers of a small model, beside what is read off by hand; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis import study
from exegesis.core.errors import ExegesisError, UnsupportedError, UsageError
from exegesis.data.treebank import Sentence, read_treebank
from exegesis.mech.probing.classifiers import linear
from exegesis.show import render
from exegesis.study.insides.properties import labelled
from tests.support.torch_toys import WORDS, Shape, model

NOUNS, VERBS = WORDS[2:8], WORDS[8:12]


def sentences(count: int = 40) -> list[Sentence]:
    """A noun, a verb and nouns, each noun under the word before; a noun that begins a sentence is a pronoun."""
    draws, made = np.random.default_rng(1), []
    for number in range(count):
        nouns = [str(noun) for noun in draws.choice(NOUNS, 2 + number % 4)]
        verb = str(draws.choice(VERBS))
        words = (nouns[0], verb, *nouns[1:])
        heads = (1, -1, *range(1, len(nouns)))
        tags = ("PRON", "VERB", *("NOUN",) * (len(nouns) - 1))
        relations = ("nsubj", "root", *("obj",) * (len(nouns) - 1))
        tense = "Tense=Past" if verb in VERBS[:2] else "Tense=Pres|VerbForm=Fin"
        made.append(Sentence(words, tags, heads, relations, ("_", tense, *("_",) * (len(nouns) - 1))))
    return made


@pytest.fixture(scope="module")
def lstm():
    return model(Shape("lstm", starts=False))


@pytest.fixture(scope="module")
def found(lstm):
    options = {"minimum": 4, "samples": 50, "epochs": 2, "hidden": 4, "rank": 4}
    return study.probe(lstm, sentences(), "tag,tense", "word vectors,layer 1,pooled", **options)


def test_probes_are_those_that_are_fitted_by_hand(lstm, found) -> None:
    given = list(dict.fromkeys(sentences()))
    assert found.fitted + found.held == len(given)
    tags = labelled("tag", given, 4, 0)
    kept = [n for n, _ in tags.places]
    row = found.of("tag", "layer 1")
    assert (row.classes, row.level, row.uniform) == (3, "word", pytest.approx(np.log2(3)))
    assert row.examples < len(kept)
    by_hand = {}
    for number, sentence in enumerate(given):
        batch = lstm.encode([lstm.read(sentence.text)])
        site = next(site for place, site in lstm.sites(batch).items() if str(place) == "layer 1")
        by_hand[number] = lstm.states_from(lstm.embed(batch).detach(), batch, [site])[0][0].detach().double()
    import random

    order = list(range(len(given)))
    random.Random(0).shuffle(order)
    first = set(order[: round(0.7 * len(order))])
    names = sorted(set(tags.labels))
    places = zip(tags.places, tags.labels, strict=True)
    rows = [(by_hand[n][w], names.index(label), n in first) for (n, w), label in places]
    fit, rest = ([one for one in rows if one[2] is inside] for inside in (True, False))
    probe = linear(torch.stack([s for s, *_ in fit]), torch.tensor([y for _, y, _ in fit]), 3, 0.01)
    right = probe.logs(torch.stack([s for s, *_ in rest])).argmax(1) == torch.tensor([y for _, y, _ in rest])
    assert row.accuracy == pytest.approx(float(right.double().mean()))
    assert row.low <= row.accuracy <= row.high
    most = max({y for _, y, _ in fit}, key=[y for _, y, _ in fit].count)
    assert row.majority == pytest.approx(float(np.mean([y == most for _, y, _ in rest])))


def test_what_a_word_alone_tells_is_known_by_heart(found) -> None:
    tense = found.of("tense", "word vectors")
    assert (tense.level, tense.classes) == ("sentence", 2)
    tag = found.of("tag", "word vectors")
    assert tag.accuracy < 1.0  # a pronoun is a noun that stands first
    assert found.of("tag", "layer 1").accuracy > tag.accuracy
    assert tag.control > 0.9  # what a word type alone decides
    for row in found.probed:
        assert np.isnan(row.bits) == (row.probe != "linear")
        assert row.layer != "pooled" or row.level == "sentence"  # a single vector has no words
    kinds = {(row.kind, row.layer) for row in found.structures}
    assert kinds == {(kind, layer) for kind in ("distance", "depth") for layer in ("word vectors", "layer 1")}
    assert "Read best: " in render(found, color=False)


def test_labels_of_properties_and_of_control_tasks() -> None:
    given = sentences()
    tags = labelled("tag", given, 2, 0)
    seen: dict[str, set[str]] = {}
    for (number, word), label in zip(tags.places, tags.control, strict=True):
        seen.setdefault(given[number].words[word], set()).add(label)
    assert all(len(labels) == 1 for labels in seen.values())  # a word type has one label
    assert set(tags.control) <= set(tags.labels)
    depth = dict(zip(labelled("depth", given, 1, 0).places, labelled("depth", given, 1, 0).labels, strict=True))
    assert [depth[3, word] for word in range(len(given[3].words))] == ["1", "0", "1", "2", "3", "4"]
    assert labelled("tense", given, 2, 0).labels.count("past") == sum("Past" in s.features[1] for s in given)
    assert labelled("tag", given, 10**6, 0) is None
    lengths = labelled("length", given, 1, 0)
    assert set(lengths.places) == {(number, -1) for number in range(len(given))}
    content = labelled("content", given, 1, 0)
    assert all(word in given[n].words for (n, _), word in zip(content.places, content.labels, strict=True))


def test_what_is_refused(lstm, tmp_path) -> None:
    with pytest.raises(UsageError, match="did you mean 'depth'"):
        study.probe(lstm, sentences(), "dept")
    with pytest.raises(UsageError, match="no site 'layer 9'"):
        study.probe(lstm, sentences(), "tag", "layer 9")
    with pytest.raises(UsageError, match="probe"):
        study.probe(lstm, sentences(), probes="lines")
    with pytest.raises(UsageError, match="leave properties out"):
        study.probe(lstm, sentences(), "depth", probes="attention")
    with pytest.raises(UsageError, match="at least ten"):
        study.probe(lstm, sentences()[:4])
    with pytest.raises(ExegesisError, match="penalty"):
        study.probe(lstm, sentences(), penalty=0)
    with pytest.raises(UnsupportedError, match="layered"):
        study.probe(exegesis.blackbox(lambda rows: [[0.5, 0.5]] * len(rows), ["a", "b"]), sentences())
    row = "1\tw2\tw2\tNOUN\t_\tNumber=Sing\t0\troot\t_\t_\n\n"
    (tmp_path / "t.conllu").write_text(row)
    assert read_treebank(tmp_path / "t.conllu")[0].features == ("Number=Sing",)
