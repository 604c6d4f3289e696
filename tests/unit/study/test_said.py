"""What the pages of studies say: where words come from, which are absent, one of a thing, nothing that is not there."""

from __future__ import annotations

import json
import re

import pytest

import exegesis
from exegesis.core.errors import UsageError
from exegesis.core.plain import from_plain, to_plain
from exegesis.results.behaviour.study import WordUses

TEXTS = ["a fine , warm film", "not good at all", "the plot is thin and the jokes are stale", "a fine mess"] * 3
LABELS = ["positive", "negative", "negative", "negative"] * 3


@pytest.fixture(scope="module")
def model():
    return exegesis.load()


def said(study) -> str:
    return " ".join(study.table().split())


def test_sources_of_words_are_named_and_counted_apart(model):
    found = exegesis.study.substitute(
        model, "a fine mess", "mess", synonyms={"mess": ["chaos", "delight"]}, language="bundled", candidates=4
    )
    counts = found.by_source
    assert set(counts) == {"synonyms", "language model"}
    for name, (flips, count) in counts.items():
        own = [swap for swap in found.swaps if name in swap.sources]
        assert (flips, count) == (sum(swap.flips for swap in own), len(own))
    page, number = said(found), counts["language model"]
    assert f"It changes with {number[0] or 'none'} of the {number[1]} words that a language model holds likely" in page
    assert f"It changes with {counts['synonyms'][0] or 'none'} of the 2 words of the list of synonyms." in page
    assert "Other words than the synonyms listed need not mean the same" in page


def test_without_synonyms_the_words_are_said_to_be_merely_likely(model):
    page = said(exegesis.study.substitute(model, "a fine mess", "mess", candidates=3))
    assert "of the 3 words that a language model holds likely at this place, whatever they mean." in page
    assert "No list of synonyms named these words: they need not mean the same" in page


def test_scores_after_a_swap_are_said_to_be_for_the_label_before(model, tmp_path):
    found = exegesis.study.substitute(model, "a fine mess", "mess", synonyms={"mess": ["film"]})
    assert (found.before.label, found.pairs[0].after.label) == ("negative", "positive")
    page = said(found)
    assert "explained: logit of negative" in page
    assert re.search(r"scores for negative, predicted before a\(-\d\S+\) fine\(-\d\S+\) \[film\(-\d\S+\)\]", page)
    html = found.save(tmp_path / "a.html").read_text()
    assert "scores for negative, predicted before" in html
    assert "of the predicted label" not in page + html


def test_absent_words_are_named_and_the_others_reported(model):
    found = exegesis.study.word(model, TEXTS, ["zzzq", "fine", "stael"])
    assert [one.word for one in found.uses] == ["fine"]
    assert found.gaps == ()
    assert list(found.absent) == [("zzzq", ""), ("stael", "stale")]
    page = said(found)
    assert "No text holds “zzzq”." in page
    assert "No text holds “stael”; the nearest that stands in one is “stale”." in page
    values = json.loads(json.dumps(found.to_dict()))
    assert WordUses.from_dict(values).absent == found.absent
    del values["absent"]
    assert WordUses.from_dict(values).absent == ()  # a file of before
    with pytest.raises(UsageError, match="no text holds the word 'zzzq' or 'stael'"):
        exegesis.study.word(model, TEXTS, ["zzzq", "stael"])


def test_a_field_without_a_default_is_still_due(model):
    values = to_plain(exegesis.study.word(model, TEXTS, "fine"))
    del values["gaps"]
    with pytest.raises(ValueError, match="WordUses has no 'gaps'"):
        from_plain(WordUses, values)


def test_one_of_a_thing_is_one(model):
    golds = ["positive", "negative", "positive", "negative"]  # the third is wrong
    found = exegesis.study.failures(model, TEXTS[:4], golds, train=TEXTS[:4], train_labels=golds)
    page = said(found)
    assert found.causes[0].uses == 1
    assert "in the one text that holds it, which is not" in page
    assert "In training: 1 text, which is not" in page
    assert "1 of 4 predictions is wrong" in page
    assert "1 texts" not in page
    assert "100 % of the 1" not in page
    uses = said(exegesis.study.word(model, TEXTS[:4], "thin"))
    assert "in its one use;" in uses
    assert "1 use in 1 text" in uses
    assert "1 uses" not in uses


def test_the_training_columns_stand_only_with_training_texts(model):
    golds = ["negative", *LABELS[1:]]
    bare = exegesis.study.failures(model, TEXTS, golds)
    known = exegesis.study.failures(model, TEXTS, golds, train=TEXTS, train_labels=golds)
    assert bare.causes
    for column in ("in training", "so labelled", "of all"):
        assert column not in said(bare)
        assert column in said(known)
        assert column not in bare._repr_html_()
        assert column in known._repr_html_()


def test_words_without_weight_are_not_listed(model):
    found = exegesis.study.summary(model, TEXTS, minimum=1, most=100)
    for label in model.labels:
        own = [one.spread.median for one in found.words if one.label == label]
        assert own
        assert min(own) >= 0.01 * max(own)
    assert "+0.000" not in said(found)
