"""The time that is left, told from the work that is done."""

from __future__ import annotations

import pytest

from exegesis.api import bars
from exegesis.api.bars import Bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_follows_the_work_not_the_number_of_texts(clock: list[float]) -> None:
    bar = Bar(False, 4, "lime", (1.0, 1.0, 9.0, 9.0))
    with bar.running() as advance:
        assert bar.left is None
        clock[0] = 2.0
        advance(0)
        advance(1)
        assert bar.left == pytest.approx(18.0)  # a tenth of the work took two seconds
        clock[0] = 5.0
        assert bar.left == pytest.approx(15.0)
    clock[0] = 100.0  # between two parts no work is done
    bar.first = 2
    with bar.running() as advance:
        clock[0] = 103.0
        advance(0)
        assert bar.left == pytest.approx(8.0 * 9 / 11)
        assert bar.times() == "0:08, about 0:07 left"


def test_units_without_weights_and_units_done_before(clock: list[float]) -> None:
    bar = Bar(False, 10, "epochs")
    with bar.running() as advance:
        clock[0] = 60.0
        advance()
        assert bar.times() == "1:00, about 9:00 left"
    resumed = Bar(False, 3, "lime", (5.0, 1.0, 1.0))
    resumed.skip(1)
    with resumed.running() as advance:
        clock[0] = 61.0
        resumed.first = 1
        advance(0)
        assert (resumed.count, resumed.left) == (2, pytest.approx(1.0))
