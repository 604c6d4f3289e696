"""Labels that are not predicted, labels on their own, long texts, pairs, and short curves, by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.core.errors import UsageError
from exegesis.protocols.target import Link, ask
from exegesis.questions.phrases.catalogue import trees_for
from exegesis.questions.phrases.levels import levels_of
from exegesis.questions.trust.batches import Setting
from exegesis.questions.trust.measure import make
from exegesis.questions.trust.measuring.sanity import randomisation
from exegesis.questions.trust.measuring.scores import spearman
from exegesis.questions.trust.recommendations import only, recommended

FLIPS = ["decision-flip", "flip-rate"]


@pytest.fixture(scope="module")
def linear():
    return toys.model()


@pytest.fixture(scope="module")
def texts():
    return toys.texts(24)


def predicted(linear, texts, label):
    return [text for text in texts if exegesis.predict(linear, [text])[0][label] > 0.5]


def turned(results):
    return [one.replace(scores=-one.scores, name="reversed", method="reversed") for one in results]


def test_flips_of_a_label_that_is_not_predicted_are_no_numbers(linear, texts):
    """The highest words for it speak against the prediction: a perfect explanation would be the worst of all."""
    bad = predicted(linear, texts, "bad")
    perfect = [toys.perfect(linear, text, target="good") for text in texts]
    found = exegesis.evaluate(linear, texts, [], FLIPS, explanations={"perfect": perfect, "reversed": turned(perfect)})
    for name in FLIPS:
        for method in found.names:
            none = [text for text, value in zip(texts, found.of(name, method), strict=True) if math.isnan(value)]
            assert none == bad
        better, worse = ("reversed", "perfect") if name == "decision-flip" else ("perfect", "reversed")
        assert found.mean(name, better).value > found.mean(name, worse).value
    assert found.notes == (
        f"{len(bad)} texts explained for a label that is not predicted: decision-flip and flip-rate leave them out.",
    )
    assert exegesis.evaluate(linear, texts, ["leave-one-out"], FLIPS).notes == ()
    assert exegesis.evaluate(linear, texts, ["leave-one-out"], ["deletion"], target="good").notes == ()


def test_flips_of_labels_that_stand_alone():
    """The label's own decision at 0.5 is what flips, though another label has the higher probability throughout."""
    weights = {"good": 2.5, "ok": 1.0, "flat": -1.0}

    def chances(several):
        sums = [sum(weights.get(word, 0) for word in text.split()) - 0.5 for text in several]
        return np.array([[0.999, 1 / (1 + math.exp(-one))] for one in sums])

    model = exegesis.blackbox(chances, ["a", "b"], multilabel=True)
    text = "the good film flat"  # 1.0 for b: gone with "good"
    given = [exegesis.explain(model, text, "leave-one-out", "b")]
    found = exegesis.evaluate(model, [text], [], FLIPS, explanations={"given": given, "turned": turned(given)})
    assert found.of("decision-flip", "given")[0] == 1 / 4
    assert found.of("flip-rate", "given")[0] == 1
    assert found.of("decision-flip", "turned")[0] == 1  # "good" goes last of all
    assert found.of("flip-rate", "turned")[0] == 0
    below = [exegesis.explain(model, "the flat film", "leave-one-out", "b")]
    alone = exegesis.evaluate(model, ["the flat film"], [], FLIPS, explanations={"given": below})
    assert np.isnan(alone.values).all()


def test_a_text_of_one_word_has_no_flips(linear):
    found = exegesis.evaluate(linear, ["superb", "superb dull"], ["leave-one-out"], FLIPS)
    assert np.isnan(found.values[:, 0, 0]).all()
    assert np.isfinite(found.values[:, 0, 1]).all()


def listed(tmp_path, name="", plus=("superb", "fine", "warm"), minus=("awful", "dull", "flat"), label="good"):
    paths = [tmp_path / f"{name}{side}" for side in ("plus", "minus")]
    for path, words in zip(paths, (plus, minus), strict=True):
        path.write_text("\n".join(words))
    return f"interpretability:positive={paths[0]}:negative={paths[1]}:label={label}"


@pytest.mark.parametrize("file", [False, True])
def test_given_explanations_of_the_lists_label_are_measured(linear, texts, tmp_path, file):
    name = listed(tmp_path)
    perfect = [toys.perfect(linear, text, target="good") for text in texts]
    both = sum(make(name).concerns(one.text) for one in perfect)
    given = {"perfect": perfect}
    if file:
        given = tmp_path / "tool.jsonl"
        given.write_text("\n".join(
            json.dumps({"text": text, "words": text.split(), "method": "perfect", "target": "good",
                        "scores": [toys.WEIGHTS[word] for word in text.split()]}) for text in texts
        ))  # fmt: skip
    found = exegesis.evaluate(linear, texts, [], [name], explanations=given)
    assert found.mean(found.measures[0].name, "perfect")[0::3] == (1, both)
    assert both > 5
    assert not [note for note in found.notes if "interpretability" in note]


def test_given_explanations_of_another_label_are_told(linear, texts, tmp_path):
    name = listed(tmp_path)
    own = [toys.perfect(linear, text) for text in texts]
    found = exegesis.evaluate(linear, texts, [], [name], explanations={"perfect": own})
    good = [text for text in texts if text in predicted(linear, texts, "good")]
    concerned = [text for text in texts if make(name).concerns(linear.read(text))]
    missing = len(set(concerned) - set(good))
    assert found.mean(found.measures[0].name, "perfect").texts == len(concerned) - missing
    assert found.notes[0].startswith(f"{missing} texts with listed words explained by perfect for another label than")


def test_two_measures_of_lists_each_have_their_texts(linear, tmp_path):
    """A text that one of the lists concerns is explained for it."""
    first = listed(tmp_path, "a", ["superb"], ["dull"])
    second = listed(tmp_path, "b", ["fine"], ["awful"])
    found = exegesis.evaluate(linear, ["superb dull", "awful fine"], ["leave-one-out"], [first, second])
    assert found.values[:, 0].tolist() == pytest.approx(np.array([[1, math.nan], [math.nan, 1]]), nan_ok=True)


def test_scores_that_are_no_numbers_are_refused(linear, texts):
    one = toys.perfect(linear, texts[0])
    for wrong in (math.nan, math.inf):
        scores = np.where(np.arange(len(one.scores)) == 0, wrong, one.scores)
        with pytest.raises(UsageError, match="the scores of perfect must be finite numbers"):
            exegesis.evaluate(linear, texts[:1], [], ["deletion"], explanations=[one.replace(scores=scores)])


@pytest.mark.parametrize("file", [False, True])
def test_two_explanations_of_one_text_are_refused(linear, texts, tmp_path, file):
    one = exegesis.explain(linear, texts[0], "leave-one-out")
    other = one.replace(scores=-one.scores)
    about = exegesis.explain(linear, texts[0], "leave-one-out", "bad" if "good" in one.target else "good")

    def run(*results):
        given = list(results)
        if file:
            given = tmp_path / "given.jsonl"
            given.write_text("\n".join(json.dumps(result.to_dict()) for result in results))
        return exegesis.evaluate(linear, [texts[0]] * 2, [], ["deletion"], explanations=given)

    for second in (other, about):
        with pytest.raises(UsageError, match="two different explanations by leave-one-out"):
            run(one, second)
    assert run(one, one).mean("deletion", "leave-one-out").texts == 2  # one for each copy of the text


def test_long_texts_without_greedy_removal_are_told(linear, texts):
    long = " ".join(np.random.default_rng(0).choice(list(toys.WEIGHTS), 65))
    found = exegesis.evaluate(linear, [*texts[:3], long], ["leave-one-out"], ["deletion"])
    assert found.mean("deletion", "greedy").texts == 3
    assert found.notes == ("1 text of more than 64 words: greedy removal leaves them out.",)
    assert exegesis.evaluate(linear, [*texts[:3], long], ["leave-one-out"], ["monotonicity"]).notes == ()


def test_one_huge_score_leaves_the_other_ranks():
    huge, fair = np.array([1e6, 0.3, 0.2, 0.1, 0.05]), np.array([5.0, 4, 3, 2, 1])
    assert spearman(huge, fair) == pytest.approx(1)
    assert spearman(np.array([1.0, 0.5 + 1e-9, 0.5, 0.1]), np.array([1, 0.5, 0.5 + 1e-9, 0.1])) == pytest.approx(1)


def test_few_texts_assure_nothing(linear, texts):
    some = [linear.read(text) for text in texts[:5]]
    said = "5 texts are too few to say whether a method looks at what was learned: take more."
    assert randomisation(linear, some, ["leave-one-out"]).advice() == said
    assert randomisation(linear, some[:1] * 9, ["leave-one-out"]).advice().startswith("1 text is too few")


def test_scores_of_leave_one_out_under_another_name(linear):
    """They have the best numbers by definition whatever they are called; what is no copy of them has not."""
    model, several = exegesis.load(), ["not a bad film at all", "a warm , fine mess of a film", "dull and long"]
    own = [exegesis.explain(model, text, "leave-one-out") for text in several]
    named = {"occlusion": own, "half": [one.replace(scores=one.scores / 2 + 1e-5) for one in own]}
    named["reversed"] = turned(own)
    found = exegesis.evaluate(model, several, ["lrp"], ["faithfulness", "monotonicity"], explanations=named)
    assert [one.name for one in found.methods if found.favoured(found.measures[0], one.name)] == ["occlusion", "half"]


def test_no_unit_crosses_the_border_of_a_pair():
    pytest.importorskip("transformers")
    from exegesis.models.huggingface.wrap import wrap_huggingface
    from tests.support.hf_toys import bert, wordpiece

    model, pair = wrap_huggingface(bert(), wordpiece()), ("people like dogs", "cats run")
    text = model.read(pair)
    parts = levels_of(text, lambda words: ["NN"] * len(words))  # one long noun phrase, were it one text
    assert parts["phrase"] == parts["clause"] == ((0, 3), (3, 5))
    assert parts["text"] == ((0, 5),)
    for name in ("phrase", "clause"):
        spans = [(one.start, one.stop) for one in make(f"faithfulness:unit={name}").units(case(text))]
        assert [start for _, start in spans[:-1]] == [start for start, _ in spans[1:]]
        assert 3 in [stop for _, stop in spans]
    tree = trees_for([text], None, lambda: lambda words: ["NN"] * len(words))(text)
    assert {span for span in tree.spans if span.width > 1} == {(0, 3), (3, 5), (0, 5)}
    found = exegesis.explain(model, pair, "leave-one-out", level="phrase")
    spans = [text.words_under(span) for span in found.spans]
    assert not any(span.start < 3 < span.stop for span in spans)


def case(text):
    from exegesis.questions.trust.measure import Case

    return Case(text, "x", 0.5)


def test_a_curve_of_fewer_words_than_are_to_go(linear):
    """``words=5`` of a text of three words: behind the third nothing more happens, up to the end of the axis."""
    given = [toys.perfect(linear, "superb fine warm")]
    found = exegesis.evaluate(linear, ["superb fine warm"], [], ["deletion:words=5"], explanations=given)
    sums = [2.2 + 1.3 + 0.9 + 0.1, 1.3 + 0.9 + 0.1, 0.9 + 0.1, 0.1]
    heights = [1 / (1 + math.exp(-one)) for one in sums]
    heights += heights[-1:] * 2  # four and five words
    area = sum((a + b) / 2 / 5 for a, b in pairwise(heights))
    assert found.of("deletion (words=5)", "perfect")[0] == pytest.approx(area)


def test_a_budget_is_in_milliseconds(linear, texts):
    found = exegesis.evaluate(linear, texts[:6], ["leave-one-out", "gradient-x-input"], ["deletion"])
    first, second, *rest = found.methods
    timed = replace(found, methods=(first._replace(seconds=0.2), second._replace(seconds=0.002), *rest))
    assert recommended(linear, timed, "data", 10).method == "gradient-x-input"
    assert only(timed, ["gradient-x-input"]).names[0] == "gradient-x-input"


def test_the_texts_that_are_contested_are_those_of_least_agreement(linear):
    """Those of eight words and more, if any are; the one whose scores are turned round is the first."""
    draws = np.random.default_rng(0)
    texts = [" ".join(draws.choice(list(toys.WEIGHTS), 9, replace=False)) for _ in range(5)] + ["superb dull"]
    first = [toys.perfect(linear, text) for text in texts]
    second = [*first[:3], *turned(first[3:4]), first[4].replace(scores=np.abs(first[4].scores)), *turned(first[5:])]
    found = exegesis.evaluate(linear, texts, [], ["deletion"], explanations={"first": first, "second": second})
    worst = [one[0].text.raw for one in found.contested]
    assert (worst[:2], worst[2] in texts[:3]) == ([texts[3], texts[4]], True)
    assert found.disputes[[0, 1, 2, 3, 5]].tolist() == pytest.approx([1, 1, 1, -1, -1])


def test_a_phrase_scores_what_its_words_add_up_to(linear):
    """0.7 of "the film" is more than 0.5 of "superb", though its words have 0.35 each."""
    text = "superb the film dull"
    given = exegesis.explain(linear, text, "leave-one-out", "good").replace(scores=np.array([0.5, 0.3, 0.4, 0.0]))
    measure = make("faithfulness:unit=phrase")
    assert (1, 3) in measure.units(case(given.text))
    found = exegesis.evaluate(linear, [text], [], [measure], explanations=[given])
    whole, left = (exegesis.predict(linear, one)["good"] for one in (text, "superb dull"))
    assert found.values[0, 0, 0] == pytest.approx(whole - left)


def test_answers_of_several_draws_are_their_mean():
    raw = torch.tensor([[[0.0, 1.0], [0.0, -2.0], [1.0, 1.0], [3.0, 0.0]]], dtype=torch.float64)
    target = ask("logit:b", ["a", "b"], Link.SOFTMAX).of(raw[:, 0], Link.SOFTMAX)
    found = Setting(0, case(toys.model().read("superb")), target, 0).answers(raw, target)
    assert found.number.tolist() == [0]
    chances = [1 / (1 + math.exp(a - b)) for a, b in raw[0].tolist()]
    assert found.chance.tolist() == pytest.approx([sum(chances) / 4])
    assert found.same.tolist() == [True]  # "a" has the higher mean probability, though "b" is ahead in the first
