"""Repair: the new texts by hand, and a planted shortcut that retraining mends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import exegesis
from exegesis import study
from exegesis.core.errors import UsageError
from exegesis.core.plain import from_plain, to_plain
from exegesis.core.progress import heard
from exegesis.data.examples import Example
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.options import TrainOptions
from exegesis.results.behaviour.faults import Added, Mean, Repair, Retrained
from exegesis.study.failing import repairs as repairing
from exegesis.study.failing.repairs import _mean
from tests.reference import study as plain
from tests.support import study_toys as toys

GOOD, BAD = ("fine", "great", "lovely"), ("poor", "awful", "dull")
SMALL = RecurrentConfig(cell="gru", embedding=8, hidden=8, dropout=0.0)


def examples(day: str, labels: tuple[str, ...], frames: tuple[str, ...]) -> list[Example]:
    words = {"good": GOOD, "bad": BAD}
    return [Example.of(f.format(word, day), label) for label in labels for word in words[label] for f in frames]


def test_new_texts_by_hand() -> None:
    train = [Example.of("Very fine , very", "good"), Example.of("terribly poor", "bad"), Example.of("a film", "bad")]
    found = study.propose(train, [("terribly", "very")])
    assert [tuple(one) for one in found] == [
        ("very poor", "bad", "terribly poor"), ("Terribly fine , terribly", "good", "Very fine , very"),
    ]  # fmt: skip
    again = study.propose(train, [("terribly", "very")], without={"terribly fine , terribly"})
    assert [one.text for one in again] == ["very poor"]


def test_at_most_so_many_of_a_direction_and_none_twice() -> None:
    train = [Example.of(f"very {word} film", "good") for word in "abcdefgh"] * 2
    found = study.propose(train, [("terribly", "very")], most=5)
    assert len(found) == len({one.text for one in found}) == 5


def test_a_planted_shortcut_is_mended() -> None:
    frames = ("the film is {} {}", "{} film , {}", "a {} one on {}")
    train = examples("monday", ("good", "bad"), frames) + examples("friday", ("bad",), frames)
    dev = examples("monday", ("good", "bad"), ("this is {} {}",))
    test = examples("monday", ("good", "bad"), ("my {} film {}", "so {} , {}"))
    found = study.repair(
        train, {"friday": ["monday"]}, test, dev=dev, config=SMALL, seeds=(0,),
        options=TrainOptions(epochs=8, patience=8, lr=0.03, batch=16),
    )  # fmt: skip
    assert found.fault.texts == len(test)
    assert found.fault.low > 0
    assert all(run.fault_after > run.fault_before for run in found.runs)
    assert found.test.texts == len(test)
    assert found.beyond.low > 0  # the originals once more do not mend it
    assert all(run.fault_after > run.fault_control for run in found.runs)
    assert not {one.text for one in found.added} & {example.text for example in (*train, *dev, *test)}
    assert {one.label for one in found.added if "friday" in one.text} == {"good"}  # "bad" ones stand there already


def test_a_substitution_gives_its_synonyms() -> None:
    swaps = study.substitute(
        toys.model(), "it is fine terribly", synonyms={"terribly": ["really", "awful"]}, method="leave-one-out",
        tagger=lambda words: ["RB"] * len(words),
    )  # fmt: skip
    found = study.repair([Example.of("really fine", "good"), Example.of("poor", "bad")], swaps)
    assert found.swaps == (("terribly", "really"),)
    assert [one.text for one in found.added] == ["terribly fine"]
    assert found.runs == ()


def names(count: int) -> list[str]:
    return [f"{number:04d}" for number in range(count)]


def test_the_interval_of_one_training_is_that_of_its_texts() -> None:
    found = _mean(np.array([[1.0, 0.0, 0.0, 1.0] * 25]), names(100), 500)
    picks = np.random.default_rng(0).integers(100, size=(500, 100))
    means = [sum(1.0 if i % 4 in (0, 3) else 0.0 for i in row) / 100 for row in picks]
    assert (found.value, found.texts, found.origins, found.seeds) == (0.5, 100, 100, 1)
    assert (found.low, found.high) == pytest.approx(tuple(plain.expanded(means, 100)))


def test_texts_of_one_origin_are_drawn_together() -> None:
    changes = np.repeat([[1.0, 0.0, 0.0, 1.0, 1.0, 0.0]], 20, axis=1)
    found = _mean(changes, [name for name in names(6) for _ in range(20)], 500)
    means = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])[np.random.default_rng(0).integers(6, size=(500, 6))].mean(1)
    assert (found.texts, found.origins) == (120, 6)
    assert (found.low, found.high) == pytest.approx(tuple(plain.expanded(means, 6)))


def test_the_chance_of_the_seed_is_in_the_interval() -> None:
    """No text moves alone, so that all of the interval is the seeds': Student's t of three means."""
    changes = np.repeat([[0.1], [0.2], [0.6]], 50, axis=1)
    found = _mean(changes, names(50), 200)
    reach = 4.302653 * np.std([0.1, 0.2, 0.6], ddof=1) / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.3 - reach, 0.3 + reach))
    assert found.seeds == 3


def test_the_chances_of_texts_and_seeds_add_up_in_squares() -> None:
    own = np.array([1.0, 0.0, 0.0, 0.0] * 25)
    texts = _mean(own[None], names(100), 500)
    seeds = _mean(np.repeat([[0.05], [0.45]], 100, axis=1), names(100), 500)
    both = _mean(own + np.array([[-0.2], [0.2]]), names(100), 500)
    assert both.value == pytest.approx(0.25)
    assert both.value - both.low == pytest.approx(math.hypot(texts.value - texts.low, seeds.value - seeds.low))
    assert both.high - both.value == pytest.approx(math.hypot(texts.high - texts.value, seeds.high - seeds.value))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Changes of 0 on the whole, with chance of the seed, of the text, and of both: 100 studies of five seeds."""
    draws, held, texts_alone = np.random.default_rng(3), 0, 0
    for _ in range(100):
        seeds, texts, rest = (draws.normal(0, s, n) for s, n in ((0.1, (5, 1)), (0.2, (1, 60)), (0.3, (5, 60))))
        found, alone = (_mean(one, names(60), 200) for one in (seeds + texts + rest, (seeds + texts + rest)[:1]))
        held += found.low <= 0 <= found.high
        texts_alone += alone.low <= 0 <= alone.high
    assert held >= 92
    assert texts_alone < 80


def test_few_origins_have_no_interval() -> None:
    found = _mean(np.ones((3, 40)), names(5) * 8, 100)
    assert (found.value, found.texts, found.origins) == (1.0, 40, 5)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert not math.isnan(_mean(np.ones((3, 48)), names(6) * 8, 100).low)


# which texts are trained on, and which are measured ------------------------------------------------------

FAST = TrainOptions(epochs=1, batch=4)
FILLED = [Example.of(f"{word} thing", label) for word, label in (("fine", "good"), ("poor", "bad"), ("dull", "bad"))]


class Watched:
    """The texts that classifiers are trained on and that their right answers are counted on."""

    def __init__(self, monkeypatch) -> None:
        self.fits, self.measured = [], []
        fit, right = repairing.fit, repairing._right

        def fitted(examples, held, *, extra, **options):
            self.fits.append(([one.text for one in examples], [one.text for one in held], [one.text for one in extra]))
            return fit(examples, held, extra=extra, **options)

        def counted(trained, texts):
            found = right(trained, texts)
            self.measured.append(([one.text for one in texts], found))
            return found

        monkeypatch.setattr(repairing, "fit", fitted)
        monkeypatch.setattr(repairing, "_right", counted)


def test_no_text_is_measured_on_that_was_trained_on(monkeypatch) -> None:
    watched = Watched(monkeypatch)
    train = [*FILLED, Example.of("terribly good film", "good"), Example.of("a very nice film", "good")]
    dev = [Example.of("Terribly  bad film", "bad"), Example.of("good", "good")]
    test = [
        Example.of(f"very {word} film", label) for word, label in (("good", "good"), ("bad", "bad"), ("new", "bad"))
    ]
    found = study.repair(train, {"terribly": ["very"]}, test, dev=dev, config=SMALL, options=FAST, seeds=(0,))
    assert watched.measured[0][0] == ["terribly new film"]  # the others stand among training or development texts
    assert found.fault.texts == 1
    assert watched.measured[1][0] == [one.text for one in test]


def test_no_new_text_is_one_that_the_fault_is_measured_on(monkeypatch) -> None:
    watched = Watched(monkeypatch)
    train = [*FILLED, Example.of("a very good film", "good"), Example.of("very dull", "bad")]
    test = [Example.of("a extremely good film", "good"), Example.of("poor", "bad")]
    swaps = {"terribly": ["extremely", "very"]}
    found = study.repair(train, swaps, test, dev=FILLED, config=SMALL, options=FAST, seeds=(0,))
    assert watched.measured[0][0] == ["a terribly good film"]
    assert [one.text for one in found.added] == ["terribly dull"]
    assert watched.fits[2][2] == ["terribly dull"]


def test_origins_are_the_texts_that_others_were_made_from() -> None:
    train = [*FILLED, Example.of("very dull", "bad")]
    test = [Example.of(text, "good") for text in ("terribly good", "Terribly  good", "poor thing", "Poor thing")]
    swaps = {"terribly": ["extremely", "very"]}
    found = study.repair(train, swaps, test, dev=FILLED, config=SMALL, options=FAST, seeds=(0,))
    assert (found.fault.texts, found.fault.origins) == (2, 1)
    assert (found.test.texts, found.test.origins) == (4, 2)


def test_no_new_text_is_a_test_text() -> None:
    train = [*FILLED, Example.of("very good", "good"), Example.of("very dull", "bad")]
    test = [Example.of("Terribly good", "good")]
    found = study.repair(train, {"terribly": ["very"]}, test, config=SMALL, seeds=())
    assert [one.text for one in found.added] == ["terribly dull"]


def test_texts_set_aside_for_development_give_no_new_texts(monkeypatch) -> None:
    watched = Watched(monkeypatch)
    train = [Example.of(f"very {GOOD[n % 3]} {n}", "good") for n in range(12)]
    train += [Example.of(f"very {BAD[n % 3]} {n}", "bad") for n in range(12)]
    test = [Example.of("so fine , very", "good")]
    options = replace(FAST, development=0.4)
    found = study.repair(train, {"terribly": ["very"]}, test, config=SMALL, options=options, seeds=(0,))
    (kept, aside, none), (_, _, again), (_, _, new) = watched.fits
    assert none == []
    assert set(again) == set(kept)  # every kept text gives one
    assert len(again) == len(new) == len(kept) < len(found.added)
    assert not {f"terribly {text.partition(' ')[2]}" for text in aside} & set(new)


def test_the_changes_are_those_of_the_trainings(monkeypatch) -> None:
    draws = np.random.default_rng(2)
    monkeypatch.setattr(repairing, "_right", lambda trained, texts: draws.integers(2, size=len(texts)).astype(float))
    test = [Example.of(f"very {word} {n}", "good") for word in GOOD for n in range(5)]
    train = [*FILLED, Example.of("very dull", "bad")]
    found = study.repair(train, {"very": ["so"]}, test, dev=FILLED, config=SMALL, seeds=(0, 1, 0), options=FAST)
    runs = found.runs
    assert [run.seed for run in runs] == [0, 1]  # a seed given twice is one training
    columns = np.array([run[1:] for run in runs]).sum(0)
    assert len({round(one, 9) for one in columns}) == 6  # no two of the numbers below agree by chance
    assert found.fault.seeds == found.beyond.seeds == found.test.seeds == 2
    assert found.fault.value == pytest.approx(np.mean([run.fault_after - run.fault_before for run in runs]))
    assert found.beyond.value == pytest.approx(np.mean([run.fault_after - run.fault_control for run in runs]))
    assert found.test.value == pytest.approx(np.mean([run.test_after - run.test_before for run in runs]))


def test_it_is_told_how_far_the_trainings_are() -> None:
    told: list[tuple[str, int, int]] = []
    test = [Example.of(f"very {word}", "good") for word in GOOD]
    with heard(lambda *one: told.append(one)):
        study.repair([*FILLED, Example.of("very dull", "bad")], {"very": ["so"]}, test, dev=FILLED, config=SMALL,
                     seeds=(0,), options=FAST)  # fmt: skip
    assert told[0] == ("trainings on 4 texts", 0, 3)
    ends = [one for one in told if one[0].startswith("epochs") and one[1] == one[2]]
    assert len(ends) >= 3  # each training is over at some time, so that no bar is left
    assert any(name == "batches of the epoch" for name, _, _ in told)


def test_two_words_are_swapped_both_ways() -> None:
    train = [Example.of("very very fine", "good"), Example.of("terribly poor , Terribly", "bad")]
    found = study.propose(train, [("terribly", "very very")])
    assert [one.text for one in found] == ["very very poor , Very very", "terribly fine"]


def said(mean: Mean) -> str:
    runs = tuple(Retrained(seed, *(0.5,) * 6) for seed in range(mean.seeds))
    study = Repair("m", (("a", "b"),), (Added("b", "x", "a"),), 3, runs, mean, mean, mean)
    return " ".join(study.table().split())


def test_a_page_claims_no_more_than_the_intervals_hold() -> None:
    assert (
        "The accuracy on the test texts rises: +20.0 points (+10.0 to +30.0 for other texts and trainings; 50 texts "
        "made from 40, 5 seeds)." in said(Mean(0.2, 0.1, 0.3, 50, 40, 5))
    )
    assert "falls: -20.0 points" in said(Mean(-0.2, -0.3, -0.1, 50, 50, 5))
    assert "made from" not in said(Mean(-0.2, -0.3, -0.1, 50, 50, 5)).partition("Accuracy where")[0]
    assert "does not change for sure: +20.0 points" in said(Mean(0.2, -0.1, 0.3, 50, 40, 5))
    one = said(Mean(0.2, 0.1, 0.3, 50, 40, 1))
    assert "changes by +20.0 points in one training (for other texts +10.0 to +30.0, 50 texts made from 40)" in one
    assert "another training may change it otherwise, so nothing is claimed." in one
    few = said(Mean(0.2, math.nan, math.nan, 12, 4, 3))
    assert "changes by +20.0 points (12 texts made from 4): too few for an interval, so nothing is claimed." in few
    assert not any(claim in one + few for claim in (" rises", " falls", "nan"))


def test_a_result_of_before_is_read() -> None:
    values = to_plain(Mean(0.2, 0.1, 0.3, 50, 40, 5))
    del values["origins"], values["seeds"]
    assert from_plain(Mean, values) == Mean(0.2, 0.1, 0.3, 50, 0, 1)  # its interval held the texts alone


def test_a_result_is_saved_and_shown(tmp_path) -> None:
    found = study.repair([Example.of("really <b>fine</b>", "good"), Example.of("poor", "bad")], {"very": ["really"]})
    again = exegesis.read(found.save(tmp_path / "a.json"))
    assert again == found
    assert again.to_dict() == found.to_dict()
    assert "<b>fine" not in found.save(tmp_path / "a.html").read_text()
    assert "new training text" in found.table()


def test_a_page_says_that_nothing_was_trained(tmp_path) -> None:
    found = study.repair([Example.of("really fine", "good"), Example.of("poor", "bad")], {"very": ["really"]})
    page = found.table()
    assert page.startswith("Does training on counterfactual texts mend the fault?\n")
    for text in (" ".join(page.split()), found.save(tmp_path / "a.html").read_text()):
        assert "Nothing was trained, so the question is open" in text
        assert "(--test in the command line, test= in Python)" in text
    assert "Nothing was trained" not in said(Mean(0.2, 0.1, 0.3, 50, 40, 5))


@pytest.mark.parametrize(
    ("swaps", "test", "says"),
    [
        ({"very": ["quite"]}, None, "no training text holds"),
        ({}, None, "no swap"),
        ({"fine": ["fine"]}, None, "no swap"),
        ({"fine": ["great"]}, [Example.of("awful", "bad")], "no test text holds"),
    ],
)
def test_wrong_use_is_one_line(swaps, test, says) -> None:
    with pytest.raises(UsageError, match=says) as error:
        study.repair([Example.of("fine", "good"), Example.of("poor", "bad")], swaps, test, config=SMALL)
    assert "\n" not in str(error.value)


def test_labels_are_needed() -> None:
    with pytest.raises(UsageError, match="no label"):
        study.repair(["fine", "poor"], {"fine": ["great"]})
