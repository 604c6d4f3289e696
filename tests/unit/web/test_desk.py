"""The queue of a model: what is answered together, what is tried again, what is stopped. Its process is played here."""

from __future__ import annotations

import queue
import time
from dataclasses import replace
from typing import Any

import pytest

from exegesis.web import desk as desks
from exegesis.web.asks import Ask
from exegesis.web.desk import Desk, Full
from exegesis.web.limits import Limits
from exegesis.web.worker import STOPPED, Source

ENDED = ("done", "error")


class Played:
    """A process that answers a text with its length; it dies of ``crash``, and takes long for ``slow``."""

    seen: list[list[str]]
    memory = 0

    def __init__(self, source: Source, ready: bool = True) -> None:
        self.said: queue.Queue[Any] = queue.Queue()
        self.until: float | None = None
        self.stubborn = False
        self.asks: list[Ask] = []
        self.said.put(("ready", {}) if ready else ("failed", "no such folder"))

    def send(self, asks: list[Ask]) -> None:
        self.asks = asks
        self.seen.append([ask.text for ask in asks])
        texts = [ask.text for ask in asks]
        self.stubborn = "stubborn" in texts
        if "crash" in texts:
            self.said.put(("dead", -9))
        elif "slow" in texts or self.stubborn:
            self.until = time.monotonic() + 30
        else:
            self.said.put(("answers", [[{"length": len(text)}] for text in texts]))

    def poll(self, seconds: float) -> Any:
        try:
            return self.said.get(timeout=seconds / 10)
        except queue.Empty:
            return None

    def stop(self) -> None:
        if not self.stubborn:
            self.said.put(("answers", [STOPPED] * len(self.asks)))

    def kill(self) -> None:
        pass


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(Played, "seen", [], raising=False)
    monkeypatch.setattr(desks, "GRACE", 0.1)
    opened = []

    def make(start=Played, **limits: Any) -> Desk:
        opened.append(Desk("m", Source("m"), Limits(**limits), start))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


class Heard:
    """A client: the events of its request."""

    def __init__(self, desk: Desk, text: str, **options: Any) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.desk = desk
        self.job = desk.put(Ask(text=text, **options), self.events.put)

    def last(self) -> dict[str, Any]:
        while True:
            event = self.events.get(timeout=20)
            if event["event"] in ENDED:
                return event


def held(desk: Desk) -> Heard:
    """A request that keeps the process busy, so that those behind it queue up."""
    busy = Heard(desk, "slow", view="pairs")
    while not Played.seen:
        time.sleep(0.005)
    return busy


def test_requests_of_one_kind_are_answered_together_and_others_in_their_turn(made):
    desk = made()
    busy = held(desk)
    clients = [Heard(desk, "a"), Heard(desk, "bb", view="gates"), Heard(desk, "ccc")]
    desk.cancel(busy.job)
    assert busy.last()["status"] == 499
    assert [client.last()["results"] for client in clients] == [[{"length": 1}], [{"length": 2}], [{"length": 3}]]
    assert Played.seen == [["slow"], ["a", "ccc"], ["bb"]]


def test_a_request_that_ends_the_process_harms_no_other(made):
    desk = made()
    busy = held(desk)
    good, bad, other = Heard(desk, "a"), Heard(desk, "crash"), Heard(desk, "ccc")
    desk.cancel(busy.job)
    assert bad.last()["status"] == 500
    assert good.last()["results"] == [{"length": 1}]
    assert other.last()["results"] == [{"length": 3}]
    assert desk.restarts == 2  # together, and alone
    assert Played.seen[1:] == [["a", "crash", "ccc"], ["a"], ["crash"], ["ccc"]]


@pytest.mark.parametrize("text", ["slow", "stubborn"])
def test_what_takes_too_long_is_stopped_and_what_does_not_stop_is_killed(made, text):
    desk = made(seconds=0.2)
    late = Heard(desk, text).last()
    assert (late["status"], late["error"][:38]) == (504, "the answer took longer than 0.2 second")
    assert desk.restarts == (text == "stubborn")
    assert Heard(desk, "a").last()["results"] == [{"length": 1}]


def test_one_late_request_does_not_take_those_beside_it_along(made):
    desk = made(seconds=0.3)
    busy = held(desk)
    good, bad = Heard(desk, "a"), Heard(desk, "slow")
    desk.cancel(busy.job)
    assert bad.last()["status"] == 504
    assert good.last()["results"] == [{"length": 1}]


def test_no_more_wait_than_the_limit(made):
    desk = made(waiting=2)
    held(desk)
    waiting = [Heard(desk, "a"), Heard(desk, "b")]
    with pytest.raises(Full):
        Heard(desk, "c")
    desk.cancel(waiting[0].job)
    assert waiting[0].last()["status"] == 499
    Heard(desk, "c")


def test_a_model_that_does_not_load_says_so(made):
    desk = made(lambda source: Played(source, ready=False))
    assert Heard(desk, "a").last() == {
        "event": "error", "status": 503, "error": "the model m could not be loaded: no such folder",
    }  # fmt: skip
    assert (desk.state, desk.reason) == ("failed", "no such folder")


def test_only_the_same_question_shares_a_call():
    ask = Ask(text="a")
    assert ask.key("m") == replace(ask, text="b", changes={"0": ""}, form="view", palette="x").key("m")
    for change in ({"view": "gates"}, {"methods": ("lrp",)}, {"target": "good"}, {"level": "all"}, {"trust": True},
                   {"parameters": {"samples": 2}}, {"search": "soc"}):  # fmt: skip
        assert ask.key("m") != replace(ask, **change).key("m")
