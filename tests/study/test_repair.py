"""Repair: the new texts by hand, and a planted shortcut that retraining mends."""

from __future__ import annotations

import numpy as np
import pytest

import exegesis
from exegesis import study
from exegesis.core.data import Example
from exegesis.core.errors import UsageError
from exegesis.models.options import TrainOptions
from exegesis.models.rnn import RecurrentConfig
from exegesis.study.repairing import _mean
from study import toys

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


def test_an_interval_is_paired_over_texts() -> None:
    found = _mean(np.array([1.0, 0.0, 0.0, 1.0] * 25), 500)
    picks = np.random.default_rng(0).integers(100, size=(500, 100))
    means = [sum(1.0 if i % 4 in (0, 3) else 0.0 for i in row) / 100 for row in picks]
    assert (found.value, found.texts) == (0.5, 100)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_a_result_is_saved_and_shown(tmp_path) -> None:
    found = study.repair([Example.of("really <b>fine</b>", "good"), Example.of("poor", "bad")], {"very": ["really"]})
    again = exegesis.read(found.save(tmp_path / "a.json"))
    assert again == found
    assert again.to_dict() == found.to_dict()
    assert "<b>fine" not in found.save(tmp_path / "a.html").read_text()
    assert "new training text" in found.table()


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
