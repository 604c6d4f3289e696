"""The trust line of an explanation: its numbers worked out by plain predictions, and its words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import exegesis
import tests.support.evaluate_toys as toys
from exegesis.protocols.draws import generator
from exegesis.questions.trust import line
from exegesis.show.documents.account import trust_line
from tests.support.torch_toys import Shape, model, texts

TEXT = "superb film the dull fine some long warm flat awful"


def of(result) -> dict:
    return dict(result.details["trust"])


def fall(one, text: str, label: str, gone) -> float:
    kept = " ".join(word for i, word in enumerate(text.split()) if i not in gone)
    return exegesis.predict(one, text)[label] - exegesis.predict(one, kept)[label]


def flipped(one, text, result):
    """The words, from the highest score down, whose going first changes the label."""
    words, order = text.split(), np.argsort(-result.scores, kind="stable").tolist()
    for some in range(1, len(words)):
        left = " ".join(word for at, word in enumerate(words) if at not in order[:some])
        chances = exegesis.predict(one, left)
        label = max(chances, key=chances.get)
        if label != result.prediction.label:
            return {"words": [words[at] for at in order[:some]], "to": label}
    return None


@pytest.mark.parametrize("method", ["reat", "gradient", "leave-one-out", "integrated-gradients"])
def test_numbers_against_plain_predictions(method):
    one, several = model(Shape(cell="gru")), texts([10, 6, 7, 3])
    results = exegesis.explain(one, several, method, trust=True)
    plain = exegesis.explain(one, several, method)
    left = exegesis.explain(one, several, "leave-one-out")
    other = "lrp"
    second = exegesis.explain(one, several, other)
    sizes = method == "gradient"
    for i, (text, result) in enumerate(zip(several, results, strict=True)):
        found, label, count = of(result), result.prediction.label, len(text.split())
        many = {10: 2, 6: 1, 7: 1, 3: 1}[count]
        order = np.argsort(-result.scores, kind="stable")
        assert (found["words"], found["top"], found["label"]) == (count, many, label)
        assert found["drop"] == pytest.approx(fall(one, text, label, order[:many]), abs=1e-6)
        draws = np.random.default_rng(generator(one.read(text), 0).initial_seed())
        every = [fall(one, text, label, draws.permutation(count)[:many]) for _ in range(line.DRAWS)]
        assert found["random"] == pytest.approx(np.mean(every), abs=1e-6)
        assert found["flip"] == flipped(one, text, result)
        turned = np.abs if sizes else np.asarray
        expected = {"leave-one-out": left[i], other: second[i]}
        expected.pop(method, None)
        assert set(found["agreement"]) == set(expected)
        for name, reference in expected.items():
            rank = stats.spearmanr(result.scores, turned(reference.scores)).statistic
            assert found["agreement"][name] == pytest.approx(rank, abs=1e-9)
        missed = None if sizes else abs(result.gap) / abs(result.explained)
        assert found["gap"] == (missed if missed is None else pytest.approx(missed))
        assert np.array_equal(plain[i].scores, result.scores)
        assert "trust" not in plain[i].details


def test_a_good_explanation_is_above_random_and_a_reversed_one_below():
    linear = toys.model()
    given = [toys.perfect(linear, TEXT), toys.reversed_(linear, TEXT)]
    good, bad = (of(one) for one in line.with_trust(linear, given))
    assert good["drop"] > good["random"] + 0.02
    assert bad["drop"] < bad["random"] - 0.02
    assert good["agreement"]["leave-one-out"] == pytest.approx(1.0)
    assert bad["agreement"]["leave-one-out"] == pytest.approx(-1.0)
    assert good["random"] == bad["random"]  # the draws belong to the text
    assert "rises by" in trust_line(line.with_trust(linear, given)[1])


def test_neighbours_change_nothing_and_texts_are_pooled(monkeypatch):
    one, several = model(), texts([8, 5, 8, 6])
    calls = []
    raw = line.Pool.raw
    monkeypatch.setattr(line.Pool, "raw", lambda pool, how, asked: calls.append(len(asked)) or raw(pool, how, asked))
    together = exegesis.explain(one, several, "reat", trust=True)
    assert calls == [4]
    for text, result in zip(several, together, strict=True):
        alone, mine = of(exegesis.explain(one, text, "reat", trust=True)), of(result)
        assert alone.pop("agreement") == pytest.approx(mine.pop("agreement"), abs=1e-6)
        assert {k: v for k, v in alone.items() if not isinstance(v, float)} == {
            k: v for k, v in mine.items() if not isinstance(v, float)
        }
        assert [alone[k] for k in ("drop", "random")] == pytest.approx([mine[k] for k in ("drop", "random")], abs=1e-6)


def test_one_word_and_equal_scores_have_no_top_word():
    linear = toys.model()
    short = exegesis.explain(linear, "superb", "leave-one-out", trust=True)
    assert (of(short)["drop"], of(short)["agreement"]) == (None, {})
    assert trust_line(short).startswith("Trust: one word is the whole text")
    flat = exegesis.explain(linear, "fine fine fine", "leave-one-out", trust=True)
    assert of(flat)["drop"] is None
    assert trust_line(flat).startswith("Trust: all words score the same")


def test_the_words_that_turn_the_label_are_named():
    linear = toys.model()
    found = exegesis.explain(linear, "superb fine awful dire", "leave-one-out", trust=True)
    assert of(found)["flip"] == {"words": ["superb"], "to": "bad"}
    assert "without “superb” the label is bad" in trust_line(found)
    sure = exegesis.explain(linear, "superb fine superb", "leave-one-out", trust=True)
    assert of(sure)["flip"] is None
    assert "no run of top words changes the label" in trust_line(sure)
    other = exegesis.explain(linear, "superb fine awful dire", "leave-one-out", target="bad", trust=True)
    assert "flip" not in of(other)  # its top words speak against what is predicted


def test_a_regression_speaks_of_its_output():
    plain = exegesis.wrap(toys.Linear(), vocabulary=toys.WORDS, tokenizer=str.split, labels=["stars"], name="stars")
    found = exegesis.explain(plain, TEXT, "leave-one-out", trust=True)
    assert of(found)["what"] == "output"
    assert of(found)["drop"] == pytest.approx(toys.WEIGHTS["superb"] + toys.WEIGHTS["fine"])
    assert "without the top 2 words the output of stars falls by 3.50" in trust_line(found)


def test_a_black_box_and_a_target_of_its_own():
    def words(given: list[str]) -> list[float]:
        return [0.2 + 0.6 * ("good" in text) - 0.1 * ("bad" in text) for text in given]

    box = exegesis.blackbox(words, ["no", "yes"])
    found = exegesis.explain(box, "a good or bad film", "leave-one-out", "probability:no", trust=True)
    assert of(found)["label"] == "no"
    assert of(found)["drop"] == pytest.approx(0.1)
    assert of(found)["agreement"] == {}
    assert "rank correlation" not in trust_line(found)


def test_several_targets_have_a_line_each(tmp_path):
    one = model()
    result = exegesis.explain(one, texts([8])[0], "reat", "all", trust=True)
    result.save(tmp_path / "all.json")
    again = exegesis.read(tmp_path / "all.json")
    assert again.details == result.details
    lines = [trust_line(part) for part in again.each_target()]
    assert len(set(lines)) == 3
    for part, said in zip(again.each_target(), lines, strict=True):
        assert f"probability of {part.targets[0].split(':')[1]} " in said
        alone = exegesis.explain(one, texts([8])[0], "reat", part.targets[0], trust=True)
        assert trust_line(alone) == said


def test_the_line_in_words():
    result = toys.perfect(toys.model(), TEXT)
    values = {
        "target": result.targets[0], "label": "good", "what": "probability", "words": 10, "top": 2, "drop": 0.612,
        "random": 0.08, "draws": 20, "agreement": {"leave-one-out": 0.93, "reat": -0.88}, "gap": 0.031,
        "complete": False,
    }  # fmt: skip

    def said(**changed) -> str:
        return trust_line(result.replace(details={"trust": {**values, **changed}}))

    assert said() == (
        "Trust: without the top 2 words the probability of good falls by 0.61 (random words: 0.08); rank correlation "
        "0.93 with leave-one-out, −0.88 with reat; scores and account miss the number by 3.1 % (the method promises "
        "no sum)."
    )
    assert "the top word the probability of good rises by 0.20 (a random word: it falls by 0.08)" in said(
        top=1, drop=-0.2
    )
    assert "falls by less than 0.01 (" in said(drop=0.001)
    assert said(gap=1e-9).endswith("; nothing of the number is left open.")
    assert trust_line(result) == trust_line(result.replace(details={"trust": 3})) == ""
    assert trust_line(result.replace(details={"trust": {"drop": "x", "agreement": [1], "gap": True}})) != "x"
