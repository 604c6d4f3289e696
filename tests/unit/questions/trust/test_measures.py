"""Each measure is what its paper says, and tells a perfect explanation from random and reversed scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.core.errors import FileError, UnsupportedError, UsageError
from exegesis.core.text import Span
from exegesis.questions.trust.measure import make, measures
from exegesis.questions.trust.measuring.people import average_precision, runs
from exegesis.questions.trust.measuring.scores import Infidelity
from tests.reference import evaluate as slow

TEXTS = toys.texts(48)
PARAMETERS = {"faithfulness": ["", ":unit=phrase"], "deletion": ["", ":words=5"], "insertion": ["", ":words=3"]}


@pytest.fixture(scope="module")
def linear():
    return toys.model()


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    for name, sign in (("plus", 1), ("minus", -1)):
        words = [word for word, weight in toys.WEIGHTS.items() if sign * weight > 0.3]
        (folder / name).write_text("; remarks\n" + "\n".join(words))
    return folder


def removes(name: str, how: str) -> bool:
    """Whether what takes a word's place matters to a measure; all are tried with words dropped."""
    return how == "drop" or not name.startswith(("plaus", "compl"))


def every_measure(lists) -> list[str]:
    found = []
    for card in measures():
        if card.name == "interpretability":
            found.append(f"interpretability:positive={lists / 'plus'}:negative={lists / 'minus'}:label=good")
        else:
            found += [card.name + tail for tail in PARAMETERS.get(card.name, [""])]
    return found


@pytest.mark.parametrize("how", ["drop", "pad", "resample"])
def test_every_measure_tells_perfect_from_random_from_reversed(linear, lists, how):
    main = [[make_(linear, text) for text in TEXTS] for make_ in (toys.perfect, toys.reversed_)]
    result = exegesis.evaluate(
        linear,
        TEXTS,
        measures=[name for name in every_measure(lists) if not name.startswith("interpret") and removes(name, how)],
        explanations={"perfect": main[0], "reversed": main[1]},
        marks=[toys.marks(one) for one in main[0]],
        how=[how],
    )
    assert len(result.measures) >= (14 if how == "drop" else 10)
    for one in result.measures:
        for better, worse in (("perfect", "random"), ("random", "reversed")):
            (found,) = result.compare(better, worse, one.name)
            assert found.better == better, (one.name, better, worse, found)


def test_interpretability_does_too(linear, lists):
    about = [[make_(linear, text, target="good") for text in TEXTS] for make_ in (toys.perfect, toys.reversed_)]
    (name,) = [name for name in every_measure(lists) if name.startswith("interpret")]
    from exegesis.questions.trust.explanations import Explanations
    from exegesis.questions.trust.run import evaluate

    texts = [linear.read(text) for text in TEXTS]
    given = [Explanations(n, r, labelled={"good": r}) for n, r in zip(["perfect", "reversed"], about, strict=True)]
    result = evaluate(linear, texts, given, [make(name)])
    both = sum(make(name).concerns(text) for text in texts)
    means = [result.mean(result.measures[0].name, method) for method in ("perfect", "random", "reversed")]
    assert [one.texts for one in means] == [both] * 3
    assert 10 < both < len(TEXTS)
    assert means[0].value == 1 > means[1].high
    assert means[2].value == 0 < means[1].low


def test_fast_is_slow(linear):
    """Every number of a bag of words against its plain formula, for dropped words and for unknown ones."""
    text = "superb film the dull likes long fine"  # the model finds it good
    words = text.split()
    result = exegesis.explain(linear, text, "leave-one-out", "good")
    scores = np.array([0.3, -0.2, 0.9, 0.1, 0.5, -0.4, 0.0])
    given = [result.replace(scores=scores, name="own", account={})]

    def g(kept):
        return 0.1 + sum(toys.WEIGHTS[words[i]] for i in kept)

    def f(kept):
        return 1 / (1 + math.exp(-g(kept)))

    names = ["faithfulness", "deletion", "insertion", "comprehensiveness", "sufficiency", "aopc-comprehensiveness",
             "aopc-sufficiency", "decision-flip", "infidelity", "infidelity:scaled=false", "monotonicity",
             "completeness", "plausibility-f1", "plausibility-auprc"]  # fmt: skip
    marked = [True, False, False, True, True, False, False]
    found = exegesis.evaluate(linear, [text], [], names, explanations=given, marks=[marked], how=["drop"])
    own = {one.name: float(found.of(one.name, "own")[0]) for one in found.measures}
    plain, scaled = slow.infidelity(g, scores, Infidelity().drawn(result.text))
    expected = {
        "faithfulness": slow.faithfulness(f, [[i] for i in range(7)], 7, scores),
        "deletion": slow.deletion(f, scores),
        "insertion": slow.insertion(f, scores),
        "comprehensiveness": slow.comprehensiveness(f, scores, 0.2),
        "sufficiency": slow.sufficiency(f, scores, 0.2),
        "aopc-comprehensiveness": slow.aopc(slow.comprehensiveness, f, scores),
        "aopc-sufficiency": slow.aopc(slow.sufficiency, f, scores),
        "decision-flip": slow.decision_flip(f, scores),
        "infidelity": scaled,
        "infidelity (scaled=False)": plain,
        "monotonicity": slow.monotonicity(f, scores),
        "completeness": abs(g(range(7)) - scores.sum()) / abs(g(range(7))),
        "plausibility-f1": slow.token_f1(scores, marked, 3),
        "plausibility-auprc": slow.average_precision(scores, marked),
    }
    assert own == pytest.approx(expected, abs=1e-9)


def test_by_hand(linear):
    """superb +2.2, the -0.07, dull -1.2, and 0.1: the logit is 1.03; without superb -1.17, so that one word flips."""
    text = "superb the dull"
    result = exegesis.evaluate(
        linear, [text], [], ["faithfulness", "decision-flip", "flip-rate", "deletion:words=1"],
        explanations=[toys.perfect(linear, text)],
    )  # fmt: skip
    whole, less = 1 / (1 + math.exp(-1.03)), 1 / (1 + math.exp(1.17))
    assert result.values[:, 0, 0].tolist() == pytest.approx([whole - less, 1 / 3, 1.0, (whole + less) / 2])


def test_a_unit_is_taken_by_the_sum_of_its_words_unless_the_method_scores_it(linear):
    text = "the superb film the dull awful film"
    for name, level in (("leave-one-out", True), ("own", False)):
        measure = make("faithfulness:unit=phrase")
        given = exegesis.explain(linear, text, "leave-one-out", level="phrase")
        scores = np.where([one == "phrase" for one in given.levels], -given.scores, given.scores)
        given = given.replace(scores=scores, name=name)
        if not level:
            given = given.at("word")
        result = exegesis.evaluate(linear, [text], [], [measure], explanations=[given])
        phrases = exegesis.explain(linear, text, "leave-one-out", "probability:bad", level="phrase").at("phrase").scores
        expected = phrases.min() if level else phrases.max()  # the worst phrase where phrases are scored in reverse
        assert result.values[0, 0, 0] == pytest.approx(expected)


def test_curves_end_where_they_should(linear):
    texts = ["superb film the dull", "awful dull", "fine"]
    result = exegesis.evaluate(linear, texts, ["leave-one-out"], ["deletion", "insertion"])
    row = result.names.index("leave-one-out")
    whole = np.mean([max(p.values()) for p in exegesis.predict(linear, texts)])
    empty = 1 / (1 + math.exp(-0.1))
    ends = np.mean([empty if label == "good" else 1 - empty for label in result.labels])
    assert result.curves["deletion"][row, [0, -1]].tolist() == pytest.approx([whole, ends])
    assert result.curves["insertion"][row, [0, -1]].tolist() == pytest.approx([ends, whole])


def test_runs_and_their_f1():
    assert runs(np.array([1, 1, 0, 1], bool)) == [Span(0, 2), Span(3, 4)]
    assert average_precision(np.array([1.0, 1.0, 0.0]), np.array([True, False, False])) == 0.5  # ties come together


def test_iou_by_hand(linear):
    """Marked 0-2 and 5; the top three are 0, 1, 3: run 0-2 of two words shares 2 of 3 with the first, 3 shares none."""
    text = "superb fine film the long dull"
    one = toys.perfect(linear, text)
    one = one.replace(scores=np.array([5.0, 4.0, 0.0, 3.0, 1.0, 2.0]))
    marked = [True, True, True, False, False, True]
    result = exegesis.evaluate(
        linear,
        [text],
        [],
        ["plausibility-iou:share=0.5", "plausibility-f1:share=0.5"],
        explanations=[one],
        marks=[marked],
    )
    assert result.values[:, 0, 0].tolist() == pytest.approx([0.5, 4 / 7])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("delete", "unknown measure 'delete'"),
        ("deletion:pad", "write deletion:parameter=value"),
        ("deletion:size=3", "unknown parameter of deletion"),
        ("deletion:how=burn", "how must be drop, .* or resample, not 'burn'"),
        ("deletion:steps=0", "steps must be a whole number of at least 1"),
        ("comprehensiveness:share=2", "share must be a number above 0 and of at most 1"),
        ("infidelity:samples=1", "samples must be a whole number of at least 2"),
        ("faithfulness:unit=letter", "unit must be word, phrase or clause"),
        ("interpretability", "needs positive, negative and label"),
    ],
)
def test_wrong_measures(name, message):
    with pytest.raises(UsageError, match=message):
        make(name)


def test_missing_word_lists(linear, tmp_path):
    (tmp_path / "empty").write_text("; nothing\n")
    for path, message in ((tmp_path / "none", "cannot be read"), (tmp_path / "empty", "holds no words")):
        with pytest.raises(FileError, match=message):
            exegesis.evaluate(linear, TEXTS[:1], None, [f"interpretability:positive={path}:negative={path}:label=good"])


def test_a_regression_flips_nothing():
    plain = exegesis.wrap(toys.Linear(), vocabulary=toys.WORDS, tokenizer=str.split, labels=["stars"], name="stars")
    with pytest.raises(UnsupportedError, match="decides nothing"):
        exegesis.evaluate(plain, TEXTS[:2], ["leave-one-out"], ["decision-flip"])
    result = exegesis.evaluate(plain, TEXTS[:2], ["leave-one-out"])
    assert np.isfinite(result.of("deletion", "leave-one-out")).all()


def test_the_page_names_every_measure():
    page = (Path(__file__).parents[4] / "docs" / "evaluation.md").read_text("utf-8")
    named = {
        name for line in page.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")[1::2]
    }
    assert named == {card.name for card in measures()}
