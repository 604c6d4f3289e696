"""The cost that methods state, by the rows that they run; what cannot end or does not fit is refused in one line."""

from __future__ import annotations

import logging
import re
import time

import numpy as np
import pytest
import torch

import exegesis
from exegesis.api import blackbox, explain, hierarchy
from exegesis.core.errors import CapacityError, UsageError
from exegesis.core.parameters import hints
from exegesis.engine import cost
from exegesis.engine.methods import cards, make
from exegesis.mech.removal.coalitions import Game
from exegesis.mech.removal.perturbed import Remover
from exegesis.models.language_models.bundled import bundled_language
from exegesis.models.language_models.counted import CountedLanguageModel
from exegesis.protocols.budget import BUDGETS, limited, main_memory
from exegesis.protocols.language import fillings
from exegesis.questions.attributions.leave_one_out import LeaveOneOut
from exegesis.questions.attributions.shapley import Shapley
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.trust.controls import Searched
from exegesis.questions.trust.measure import make as measure

TEXT = "w0 w1 w2 w3 w4 w5 w6 w7"


def box(seconds=0.0, rows=None):
    """A black box of 1 / (words + 1), which takes so many seconds a text; its first label is never in danger."""

    def function(texts):
        time.sleep(seconds * len(texts))
        if rows is not None:
            rows.extend(texts)
        low = np.array([0.4 / (len(text.split()) + 1) for text in texts])
        return np.stack([1 - low, low], 1)

    return blackbox(function, ["a", "b"])


def test_every_method_and_search_states_its_passes():
    for card in cards():
        if card.cls.__module__.startswith("exegesis."):
            counts = [card.cls().passes(words, numbers) for words, numbers in ((1, 1), (5, 1), (40, 1), (40, 3))]
            assert counts == sorted(counts)
            assert counts[0] >= 1
    for card in SEARCHES:
        if card.cls.__module__.startswith("exegesis."):
            search = card.cls(LeaveOneOut()) if "scorer" in hints(card.cls) else card.cls()
            assert search.passes(1) <= search.passes(9) <= search.passes(200)


@pytest.mark.parametrize(
    ("method", "options", "least"),
    [
        ("leave-one-out", {}, 1.0),
        ("lime", {"samples": 60}, 0.5),
        ("shapley", {"exact": 8}, 1.0),
        ("shapley", {"exact": 0, "samples": 4}, 0.5),
        ("input-reduction", {"beam": 1}, 0.9),
        ("input-reduction", {"beam": 3}, 0.4),
    ],
)
def test_the_passes_are_the_rows_that_run(method, options, least):
    """No more than stated, and not far fewer (equal texts run once)."""
    rows = []
    model = box(rows=rows)
    stated = make(method, options).passes(8, 1)
    rows.clear()
    explain(model, TEXT, method, **options)
    distinct = {row for row in rows if row.strip() and set(row.split()) <= set(TEXT.split())}
    assert least * stated - 2 <= len(distinct) <= stated


def test_too_many_passes_are_refused_before_any_work():
    rows = []
    model, long = box(rows=rows), " ".join(["word"] * 20_000)
    rows.clear()
    with pytest.raises(UsageError, match=r"^input-reduction runs the model 1,000,050,001 times on a text of 20,000 wo"):
        explain(model, long, "input-reduction")
    with pytest.raises(
        UsageError, match=r"^text 2 of 2: leave-one-out .* 9 times on a text of 8 words \(at most 8 unl"
    ):
        explain(model, ["w", TEXT], "leave-one-out", most=8)
    with pytest.raises(UsageError, match=r"^acd runs the model 33 times"):
        hierarchy(model, TEXT, "acd", most=32)
    with pytest.raises(UsageError, match=r"^leave-one-out runs the model 9 times"):
        exegesis.evaluate(model, [TEXT], ["leave-one-out"], ["deletion"], most=8, controls=False)
    for most in (0, -1, True):
        with pytest.raises(UsageError, match="most must be a whole number of passes"):
            explain(model, TEXT, "leave-one-out", most=most)
    assert not rows
    assert len(explain(model, TEXT, "leave-one-out", most=9).scores) == 8


@pytest.mark.parametrize("method", ["soc", "scd"])
def test_readings_of_the_language_model_are_counted(method, monkeypatch):
    """Those of the bundled model are one for each filling and one more; one that says nothing has one for each word."""

    class Said(CountedLanguageModel):
        def readings(self, positions, count):
            return 1000

    own = {"soc": 2, "scd": 1}[method]
    for language, each in (("bundled", 5), (CountedLanguageModel(["a b"]), 4 * 6), (Said(["a b"]), 1000)):
        question = make(method, {"language": language, "samples": 4, "neighbours": 3})
        assert question.passes(20, 1) == 20 * (4 * own + each) + (method == "scd")
        assert question.passes(1, 1) == 4 * own + (method == "scd")
    bundled, read = bundled_language(), []
    run = type(bundled)._read

    def seen(*given):
        read.append(torch.as_tensor(given[2]).shape)
        return run(*given)

    monkeypatch.setattr(type(bundled), "_read", seen)
    fillings(bundled, [["a", "good", "film"]], [[0, 2]], 4, 0)
    rows = sum(shape[0] if len(shape) > 1 else 1 for shape in read)
    assert bundled.readings(2, 4) == 5 >= rows - 1  # the piece before the first word is read once for all fillings


def test_greedy_removal_of_an_evaluation_is_counted(monkeypatch, caplog):
    """Refused before any method runs, and announced; another control or measure costs nothing of the kind."""
    rows = []
    model = box(rows=rows)
    rows.clear()
    with pytest.raises(
        UsageError, match=r"^greedy removal \(a control of evaluate\) runs the model 36 times on a text"
    ):
        exegesis.evaluate(model, [TEXT], ["leave-one-out"], ["deletion"], most=35)
    assert not rows
    for options in ({"most": 36}, {"most": 9, "controls": False}):
        exegesis.evaluate(model, [TEXT], ["leave-one-out"], ["deletion"], **options)
    exegesis.evaluate(model, [TEXT], ["leave-one-out"], ["infidelity"], most=9)
    ways = [measure("deletion"), measure("deletion:how=resample"), measure("deletion:how=drop:words=5")]
    text = model.read(TEXT)
    assert Searched(ways).passes(text, 1) == 1 + 35 + 4 * 35
    assert Searched(ways).passes(model.read("w " * 65), 1) == 1
    monkeypatch.setattr(cost, "LONG", 0.0)
    with caplog.at_level(logging.WARNING, "exegesis.cost"):
        exegesis.evaluate(model, [TEXT], ["leave-one-out"], ["deletion"])
    assert any(line.startswith("greedy removal (a control of evaluate) takes ") for line in caplog.messages)


def test_spans_are_counted_before_they_are_made(monkeypatch):
    rows = []
    model = box(rows=rows)
    with pytest.raises(UsageError, match=r"leave-one-out runs the model 46 times"):
        explain(model, TEXT, "leave-one-out", spans="all", most=45)
    monkeypatch.setattr(cost, "main_memory", lambda: 400 * 36)
    with pytest.raises(CapacityError, match=r"the answer of leave-one-out for 8 words needs 0 GB of memory, and 0 GB"):
        explain(model, TEXT, "leave-one-out", spans="all")
    monkeypatch.setattr(cost, "main_memory", lambda: 16 << 30)
    with pytest.raises(CapacityError, match=r"for 50,000 words needs 503 GB of memory, and 16 GB are free: take fewer"):
        explain(model, " ".join(["w"] * 50_000), "lime", spans="all")
    assert not rows
    monkeypatch.undo()
    assert 1 << 20 < main_memory() < 1 << 60


@pytest.mark.parametrize(
    ("method", "options"), [("leave-one-out", {}), ("lime", {"samples": 60}), ("shapley", {"exact": 0, "samples": 4})]
)
def test_the_announced_time_is_right_within_a_factor_of_two(method, options, monkeypatch, caplog):
    monkeypatch.setattr(cost, "LONG", 0.0)
    monkeypatch.setattr(cost, "spoken", str)
    model = box(seconds=0.02)
    with caplog.at_level(logging.WARNING, "exegesis.cost"):
        explain(model, " ".join(f"w{n}" for n in range(20)), method, **options)
    took, (line,) = time.time() - caplog.records[0].created, caplog.messages
    found = re.fullmatch(rf"{method} takes ([\d.]+) here, at most, for [\d,]+ passes of the model", line)
    assert 0.5 < float(found[1]) / took < 2


def test_no_special_piece_is_left_out_to_measure_the_time(monkeypatch):
    """UMT5 refuses a text without its end."""
    pytest.importorskip("transformers")
    from tests.support.hf_toys import bert, wordpiece

    kept, compact = [], cost.compact
    monkeypatch.setattr(cost, "LONG", 0.0)
    monkeypatch.setattr(cost, "compact", lambda batch, keep, pad: kept.append(keep) or compact(batch, keep, pad))
    model = exegesis.wrap(bert(2), tokenizer=wordpiece())
    text = model.read("a good film")
    explain(model, "a good film", "leave-one-out")
    (rows,) = kept
    assert rows[:, torch.tensor(text.special)].all()
    assert (~rows).sum(1).tolist() == [1] * len(rows)


def test_short_work_is_not_announced(caplog):
    explain(box(), [TEXT, "w"], "leave-one-out")
    assert not caplog.messages


def test_work_without_an_end_is_refused_unless_it_is_allowed(monkeypatch):
    monkeypatch.setattr(cost, "LONG", 0.0)
    monkeypatch.setattr(cost, "ENDLESS", 0.0)
    with pytest.raises(
        UsageError, match=r"^leave-one-out would take less than a second here, for 9 passes .* most=9 runs"
    ):
        explain(box(), TEXT, "leave-one-out")
    assert len(explain(box(), TEXT, "leave-one-out", most=9).scores) == 8


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1.2, "1 second"),
        (31, "31 seconds"),
        (100, "2 minutes"),
        (7300, "2 hours"),
        (86400 * 2.5, "3 days"),
        (1e9, "11,575 days"),
    ],
)
def test_times_in_words(seconds, words):
    assert cost.spoken(seconds) == f"about {words}"


def test_input_reduction_writes_out_a_part_at_a_time(monkeypatch):
    """No more rows than the budget are ever held, and the result is that of all at once."""
    held, run = [], Remover.keeping

    def keeping(self, owner, keep):
        held.append(len(keep))
        return run(self, owner, keep)

    monkeypatch.setattr(Remover, "keeping", keeping)
    whole = explain(box(), TEXT, "input-reduction", beam=3)
    assert max(held) > 6
    held.clear()
    with limited("masks", pieces=6 * 8):
        parts = explain(box(), TEXT, "input-reduction", beam=3)
    assert max(held) == 6
    assert parts.details == whole.details
    np.testing.assert_array_equal(parts.scores, whole.scores)


def test_shapley_values_of_long_texts_run_in_parts(monkeypatch):
    held, run = [], Game.raw

    def raw(self, coalitions):
        held.append(max(map(len, coalitions)))
        return run(self, coalitions)

    monkeypatch.setattr(Game, "raw", raw)
    for method in (Shapley(exact=0, samples=6), Shapley(exact=8)):
        whole = explain(box(), [TEXT, "w1 w2"], method)
        held.clear()
        with limited("coalitions", numbers=5 * 8, rows=BUDGETS["coalitions"].rows):
            parts = explain(box(), [TEXT, "w1 w2"], method)
        assert max(held) <= 20
        for one, other in zip(whole, parts, strict=True):
            np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-15)
