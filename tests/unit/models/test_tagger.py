"""The bundled tagger, spaCy pipelines as taggers, and Penn tags read as coarse ones."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exegesis.core.errors import FileError, MissingExtraError, ModelError, UnsupportedError
from exegesis.models.tagger import BUNDLED, UNIVERSAL, default_tagger, load_tagger, spacy_tagger, universal
from exegesis.nn.tag_network import FEATURES, features, shape

ODD = ["", "\ud800", "\0", "a\0b", "\U0001f600", "שלום", "a b", "\u202e", "x" * 100_000]


def gold(name: str) -> list[tuple[list[str], list[str]]]:
    """Words and Penn tags of EWT's sentences; skips where there is no data folder."""
    root = os.environ.get("EXEGESIS_DATA")
    if not root:
        pytest.skip("EXEGESIS_DATA is not set")
    text = (Path(root) / "ewt" / f"en_ewt-ud-{name}.conllu").read_text(encoding="utf-8")
    blocks = [[line.split("\t") for line in block.split("\n") if line[:1].isdigit()] for block in text.split("\n\n")]
    rows = [[row for row in block if row[0].isdigit()] for block in blocks]
    return [([row[1] for row in block], [row[4] for row in block]) for block in rows if block]


@pytest.mark.parametrize(
    ("tag", "coarse"),
    [
        ("MD", "VERB"),
        ("VBZ", "VERB"),
        ("RP", "PART"),
        ("TO", "PART"),
        ("POS", "PART"),
        ("RB", "ADV"),
        ("NNP", "NOUN"),
        ("IN", "ADP"),
        ("CC", "CONJ"),
        ("DT", "DET"),
        ("PRP$", "PRON"),
        ("JJS", "ADJ"),
        ("?", "X"),
        ("", "X"),
    ],
)
def test_universal(tag, coarse):
    assert universal(tag) == coarse


def test_every_tag_of_the_tagger_and_of_ewt_is_mapped():
    assert set(default_tagger().tags) <= set(UNIVERSAL)
    assert {tag for name in ("dev", "test") for _, tags in gold(name) for tag in tags} <= set(UNIVERSAL)


@pytest.mark.parametrize("change", [str, str.lower])
def test_bundled_tags_on_the_papers_sentences(change):
    found = default_tagger()(change("The movie does n't serve up lot of laughs .").split())
    coarse = ["DET", "NOUN", "VERB", "ADV", "VERB", "PART", "NOUN", "ADP", "NOUN", "PUNCT"]
    assert [universal(tag) for tag in found] == coarse
    found = default_tagger()(change("The fight scenes are fun but it grows tedious").split())
    assert found == ["DT", "NN", "NNS", "VBP", "JJ", "CC", "PRP", "VBZ", "JJ"]


@pytest.mark.parametrize(("change", "least"), [(str, 0.94), (str.lower, 0.93)])
def test_bundled_accuracy_on_ewt_test(change, least):
    right = total = 0
    for words, tags in gold("test")[::5]:
        found = default_tagger()([change(word) for word in words])
        right += sum(a == b for a, b in zip(found, tags, strict=True))
        total += len(words)
    assert right / total > least


@given(st.lists(st.text(st.characters(exclude_categories=())), max_size=8))
def test_bundled_takes_any_strings(words):
    found = default_tagger()(words)
    assert len(found) == len(words)
    assert set(found) <= set(default_tagger().tags)
    assert default_tagger()(words) == found


def test_bundled_takes_odd_and_many_words():
    assert len(default_tagger()(ODD)) == len(ODD)
    assert len(default_tagger()(["word"] * 10_000)) == 10_000
    assert default_tagger()([]) == []


def test_the_bundle_is_small_and_holds_no_pickle():
    files = list(BUNDLED.iterdir())
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    assert sum(path.stat().st_size for path in files) < 3_000_000


def test_loading_leaves_torch_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        tagger = load_tagger(BUNDLED)
        assert tagger(["It", "works"]) == ["PRP", "VBZ"]
        assert tagger._network.table.weight.dtype == torch.float32
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(torch.rand(2), expected)
    assert default_tagger() is default_tagger()


@pytest.mark.parametrize("damage", ["cut", "tags", "missing", "nan"])
def test_a_damaged_folder_is_named(tmp_path, damage):
    folder = tmp_path / "tagger"
    shutil.copytree(BUNDLED, folder)
    if damage == "cut":
        whole = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    elif damage == "missing":
        (folder / "model.safetensors").unlink()
    elif damage == "nan":
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        weights["readout.bias"][0] = float("nan")
        save_file(weights, folder / "model.safetensors")
    else:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "tags": config["tags"][1:]}))
    with pytest.raises(FileError, match="cannot be read"):
        load_tagger(folder)


def test_features_and_shape():
    assert len(features("The", 1000)) == len(features("", 1000)) == FEATURES
    assert features("The", 10**6)[:-1] == features("the", 10**6)[:-1]
    assert features("1990", 99) == features("2024", 99)
    assert features("The", 10**6)[-1] != features("the", 10**6)[-1]
    assert 0 not in features("anything", 11)
    assert [shape(word) for word in ("Hollywood", "U.S.", "1990s", "x" * 99, "")] == ["Xxxx", "X.X.", "000x", "xxx", ""]


@pytest.fixture
def pipeline():
    """A blank spaCy pipeline with a tagger that knows two tags, untrained."""
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    tagger = nlp.add_pipe("tagger")
    for tag in ("NN", "VB"):
        tagger.add_label(tag)
    nlp.initialize()
    return nlp


def test_spacy_pipeline_works_on_our_words(pipeline):
    words = ["don't", "split", "me", *ODD[:-1]]
    found = spacy_tagger(pipeline)(words)
    assert len(found) == len(words)
    assert set(found) <= {"NN", "VB"}
    assert spacy_tagger(pipeline)([]) == []


def test_spacy_tags_are_the_pipelines_own(pipeline):
    from spacy.language import Language

    @Language.component("two_tags", assigns=["token.tag"])
    def two_tags(doc):
        for token in doc:
            token.tag_ = "VBZ" if token.text.endswith("s") else "NN"
        return doc

    pipeline.replace_pipe("tagger", "two_tags")
    assert spacy_tagger(pipeline)(["film", "works"]) == ["NN", "VBZ"]


def test_spacy_pipelines_without_a_tagger_are_refused(pipeline):
    pipeline.remove_pipe("tagger")
    pipeline.add_pipe("sentencizer")
    with pytest.raises(UnsupportedError, match=r"sets no part-of-speech tags \(its components: sentencizer\)"):
        spacy_tagger(pipeline)
    with pytest.raises(UnsupportedError, match="not str"):
        spacy_tagger("en_core_web_sm")


def test_spacy_pipeline_that_merges_words_is_refused(pipeline):
    from spacy.language import Language

    @Language.component("merger")
    def merger(doc):
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[0:2])
        return doc

    pipeline.add_pipe("merger")
    with pytest.raises(ModelError, match="made 2 tokens of 3 words"):
        spacy_tagger(pipeline)(["a", "b", "c"])


def test_without_spacy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.language", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'exegesis\[spacy\]'"):
        spacy_tagger(object())
