"""Hierarchies of texts as nobody wishes them: every search, on three kinds of models, down to a page and back."""

from __future__ import annotations

import json

import pytest

from exegesis.api import hierarchy
from exegesis.models.language_models.counted import CountedLanguageModel
from exegesis.models.language_models.opening import open_language
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.result import restored
from exegesis.show import render
from tests.support.hostile import FIXED, model
from tests.support.pages import fragment

LANGUAGE = CountedLanguageModel(["👍🏽 <b>", "\udfff fine don't", "good film"], cased=True)
OPTIONS = {
    "soc": {"samples": 2, "neighbours": 1, "language": LANGUAGE},
    "acd": {"method": "leave-one-out"},
    "owen": {"samples": 4, "limit": 64},
    "hedge": {"window": 1},
    "parse": {"method": "leave-one-out"},
}


@pytest.mark.parametrize("search", OPTIONS)
@pytest.mark.parametrize("kind", ["bundled", "wrapped", "black box"])
def test_any_text_has_its_tree(search, kind):
    results = hierarchy(model(kind), FIXED, search, **OPTIONS[search])
    for raw, result in zip(FIXED, results, strict=True):
        assert result.text.raw == raw
        assert result.root.span == (result.text.words[0].start, result.text.words[-1].stop)
        covered = [phrase.text for phrase in result if not phrase.height]
        assert covered == list(result.text.word_strings())
        again = restored(json.loads(json.dumps(result.to_dict())))
        assert isinstance(again, Hierarchy)
        assert again.parts == result.parts


def test_hostile_trees_are_shown():
    results = hierarchy(model("bundled"), FIXED, "hedge", window=0)
    assert "<script>alert" not in fragment(results)
    assert "\x1b[2J" not in render(results, color=True, width=60)
    assert open_language(LANGUAGE) is LANGUAGE
