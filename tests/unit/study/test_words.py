"""Word classes and words over their contexts, worked by hand on a linear bag of words."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exegesis
from exegesis import study
from exegesis.api import Plan
from exegesis.core.errors import FileError, UsageError
from exegesis.core.text import Span, text_of_words
from exegesis.data.examples import Example
from exegesis.statistics import bootstrap
from exegesis.statistics.bootstrap import median_difference, spread
from exegesis.study import corpus, predictions
from exegesis.study.vocabulary.classes import _tags
from tests.reference import study as plain
from tests.support import study_toys as toys

TEXTS = ["the film is fine", "the plot is awful", "a great film", "it is poor", "it is fine", "the awful plot"]


@pytest.fixture(scope="module")
def bag():
    return toys.model()


@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(0, 7)), min_size=1, max_size=30))
def test_a_spread_equals_one_written_plainly(pairs) -> None:
    values, owners = np.array([v / 3 for v, _ in pairs]), np.array([o for _, o in pairs])
    found = spread(values, owners, 40, 3)
    assert (found.low, found.high) == pytest.approx(plain.fences(values))
    assert [found.q1, found.median, found.q3] == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
    assert (found.size, found.texts, found.mean) == (len(pairs), len(set(owners)), pytest.approx(values.mean()))
    assert found.positive == pytest.approx(np.mean(values > 0))
    if found.texts < 6:
        assert math.isnan(found.median_low)
        assert math.isnan(found.mean_high)
        return
    medians, means = plain.bootstrap(values, owners, 40, 3)
    assert [found.median_low, found.median_high] == pytest.approx(plain.expanded(medians, found.texts))
    assert [found.mean_low, found.mean_high] == pytest.approx(plain.expanded(means, found.texts))


def test_large_samples_are_drawn_in_parts(monkeypatch) -> None:
    values, owners = np.arange(40.0) ** 1.5, np.repeat(np.arange(10), 4)
    whole = spread(values, owners, 50, 1)
    monkeypatch.setattr(bootstrap, "MAX_CELLS", 100)
    assert spread(values, owners, 50, 1) == pytest.approx(whole)


def test_a_difference_of_medians_knows_when_it_is_sure() -> None:
    own = np.arange(12)
    low, high = median_difference((np.linspace(5, 6, 12), own), (np.linspace(0, 1, 12), own))
    assert 3.5 < low < high < 6
    low, high = median_difference((np.linspace(0, 1, 12), own), (np.linspace(0, 1, 12), own))
    assert low < 0 < high
    assert math.isnan(median_difference((np.ones(3), np.arange(3)), (np.ones(12), own))[0])


def test_classes_by_hand(bag) -> None:
    found = study.words(bag, TEXTS, "leave-one-out", "good", tagger=toys.tagger)
    scores = {one.tag: one.spread for one in found.classes}
    assert {tag: one.size for tag, one in scores.items()} == {"DT": 4, "NN": 4, "VB": 4, "JJ": 6, "PRP": 2}
    worths = [toys.WORTH[w] / 2 for w in ("fine", "awful", "great", "poor", "fine", "awful")]
    assert scores["JJ"].median == pytest.approx(np.median(worths))
    assert scores["JJ"].mean == pytest.approx(np.mean(worths))
    assert scores["NN"].mean == pytest.approx(0.025)
    assert found.of("NN").common == ("film", "plot")
    medians = [one.spread.median for one in found.classes]
    assert medians == sorted(medians, reverse=True)
    assert (found.asked.target, found.asked.texts, found.asked.words) == ("logit:good", 6, 20)


def test_the_predicted_label_is_explained_by_default(bag) -> None:
    found = study.words(bag, TEXTS, "leave-one-out", tagger=toys.tagger)
    assert found.asked.target == "logit:predicted"
    assert found.of("JJ").spread.low > 0  # each adjective speaks for what it made the model say


@pytest.mark.parametrize(("tags", "verbs"), [("merged", {"VB"}), ("penn", {"VBZ", "VBD"}), ("universal", {"VERB"})])
def test_verbs_are_taken_together_unless_told_otherwise(bag, tags, verbs) -> None:
    found = study.words(bag, ["it is fine", "it was fine"], "leave-one-out", tags=tags, tagger=toys.tagger)
    assert {one.tag for one in found.classes if one.tag.startswith("V")} == verbs


def test_each_part_of_a_pair_is_tagged_alone() -> None:
    text = text_of_words(
        "is fine\nis awful", [("is", 0, 2), ("fine", 3, 7), ("is", 8, 10), ("awful", 11, 16)], range(4)
    )
    seen = []

    def tag(words):
        seen.append(list(words))
        return ["NN", "JJ"] if len(words) == 2 else ["X"] * len(words)

    assert _tags(replace(text, segments=(Span(0, 2), Span(2, 4))), tag, "penn") == ["NN", "JJ", "NN", "JJ"]
    assert seen == [["is", "fine"], ["is", "awful"]]


def test_one_word_by_hand(bag) -> None:
    data = [*TEXTS, "Awful awful film"]
    labels = ["good", "bad", "good", "bad", "good", "bad", "bad"]
    found = study.word(bag, data, ["awful", "plot"], "leave-one-out", labels=labels, contexts=1)
    assert found.asked.target == "logit:good"
    awful, plot = found.uses
    assert awful.scores == pytest.approx([-1.5] * 4)
    assert (awful.spread.size, awful.spread.texts, awful.texts) == (4, 3, (1, 5, 6, 6))
    assert plot.scores == pytest.approx([0.05, 0.05])
    assert [w.text for w in awful.lowest[0].words if w.marked] == ["awful"]
    assert (awful.lowest[0].number, awful.lowest[0].gold, awful.lowest[0].label) == (1, "bad", "bad")
    assert found.gaps[0].value == pytest.approx(-1.55)


def test_extreme_contexts_are_the_extremes() -> None:
    model = exegesis.blackbox(
        lambda texts: [[1 - (len(t) / 40) ** 2, (len(t) / 40) ** 2] for t in texts], ["no", "yes"]
    )
    sizes = [4, 1, 9, 2, 7, 5, 3, 8, 6]
    texts = ["so " + "x" * n for n in sizes]  # the longer the text, the more "so" adds
    found = study.word(model, texts, "so", "leave-one-out", "probability:yes", contexts=2).uses[0]
    assert [len(one.words[1].text) for one in found.lowest] == [1, 2]
    assert [len(one.words[1].text) for one in found.highest] == [9, 8]
    few = study.word(model, texts[:3], "so", "leave-one-out", "probability:yes", contexts=2).uses[0]
    assert [len(one.words[1].text) for one in (*few.lowest, *few.highest)] == [1, 9]


@pytest.mark.parametrize("what", ["words", "word"])
def test_a_result_is_saved_and_shown(bag, what, tmp_path) -> None:
    texts = ["<b>fine</b> film", *TEXTS] if what == "word" else TEXTS
    given = {"words": {"tagger": toys.tagger}, "word": {"words": ["film", "awful"]}}[what]
    found = getattr(study, what)(bag, texts, method="leave-one-out", **given)
    again = exegesis.read(found.save(tmp_path / "a.json"))
    assert again == found
    assert type(again) is type(found)
    assert again.to_dict() == found.to_dict()
    assert again.table() == found.table()
    assert max(map(len, found.table(width=90).splitlines())) <= 130
    page = found.save(tmp_path / "a.html").read_text()
    assert "<script" not in page
    assert "<b>fine" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    for ending, start in ((".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
        assert found.save(tmp_path / f"a{ending}").read_bytes().startswith(start)
    assert found._repr_html_().startswith('<div class="exegesis-')
    both = exegesis.save([found, found], tmp_path / "b.svg").read_text()
    assert both.count("bag · leave-one-out: Scores") == 2  # in the title of each chart


def test_a_damaged_file_is_refused(bag, tmp_path) -> None:
    values = study.words(bag, TEXTS, "leave-one-out", tagger=toys.tagger).to_dict()
    for key, wrong in (("classes", 3), ("study", "nothing"), ("asked", None), ("version", 99)):
        (tmp_path / "a.json").write_text(json.dumps({**values, key: wrong}))
        with pytest.raises(FileError) as error:
            exegesis.read(tmp_path / "a.json")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: study.words(m, []), "no texts"),
        (lambda m: study.words(m, TEXTS, target="all"), "one number"),
        (lambda m: study.words(m, TEXTS, tags="nltk"), "unknown choice of tags"),
        (lambda m: study.words(m, ["fine", " "]), "text 2 of 2"),
        (lambda m: study.word(m, TEXTS, "fin"), "'fine'"),
        (lambda m: study.word(m, TEXTS, []), "no word"),
        (lambda m: study.word(m, TEXTS, "fine", labels=["good"]), "as many labels"),
        (lambda m: study.word(m, [Example.of("fine", "happy")], "fine"), "'happy' is none"),
        (lambda m: study.word(m, [Example.of("fine", "2")], "fine"), "'2' is none"),
    ],
)
def test_wrong_use_is_one_line(bag, call, says) -> None:
    with pytest.raises(UsageError, match=says) as error:
        call(bag)
    assert "\n" not in str(error.value)


def test_a_corpus_is_explained_part_by_part(bag, monkeypatch) -> None:
    whole = study.words(bag, TEXTS, "leave-one-out", tagger=toys.tagger)
    sizes = []
    explain = Plan.explain

    def watched(plan, texts, advance=lambda: None):
        sizes.append(len(texts))
        return explain(plan, texts, advance)

    monkeypatch.setattr(Plan, "explain", watched)
    monkeypatch.setattr(corpus, "MAX_EXPLAINED", 4)
    assert study.words(bag, TEXTS, "leave-one-out", tagger=toys.tagger).to_dict() == whole.to_dict()
    assert sizes == [4, 2]


def test_a_text_is_named_by_its_number_in_the_corpus(bag, monkeypatch) -> None:
    monkeypatch.setattr(predictions, "MAX_READ", 2)
    with pytest.raises(UsageError, match="text 4 of 4"):
        study.failures(bag, ["fine", "awful", "poor", " "], ["good", "bad", "bad", "bad"], method="leave-one-out")
