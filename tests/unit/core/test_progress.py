"""What long work tells a progress bar: rising counts that end at their total, and nothing where nobody listens."""

from __future__ import annotations

import pytest

import exegesis
from exegesis.core.progress import Tally, counted, heard, tell
from exegesis.protocols.budget import limited

TEXT = "the fight scenes are fun but it grows tedious and longer than it needs to be ."


def test_counts_are_told_to_the_listener_alone() -> None:
    told: list[tuple[str, int, int]] = []
    tell("a", 0, 3)
    with heard(lambda *what: told.append(what)):
        assert list(counted("xyz", "letters", 3)) == ["x", "y", "z"]
        tally = Tally("parts", 5)
        tally.add(2)
        tally.add(3)
    tell("a", 1, 3)
    assert told == [*(("letters", at, 3) for at in range(4)), ("parts", 2, 5), ("parts", 5, 5)]


def test_a_listener_goes_with_its_block() -> None:
    told: list[str] = []

    def failing() -> None:
        with heard(lambda what, *_: told.append(what)):
            with heard(lambda what, *_: told.append(f"inner {what}")):
                tell("a", 1, 2)
            tell("b", 1, 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    tell("c", 1, 2)
    assert told == ["inner a", "b"]


@pytest.mark.parametrize(
    ("call", "named", "told"),
    [
        ("explain", "shapley", "coalitions run"),
        ("explain", "scd", "phrases scored"),
        ("hierarchy", "hedge", "cuts made"),
        ("hierarchy", "acd", "words joined"),
        ("hierarchy", "scd", "words joined"),
        ("interactions", "removal", "coalitions run"),
    ],
)
def test_long_work_on_one_text_tells_how_far_it_is(call, named, told) -> None:
    heard_of: dict[str, list[tuple[int, int]]] = {}
    options = {"samples": 2} if named == "scd" else {}
    with (
        limited("coalitions", pieces=200),
        heard(lambda what, done, total: heard_of.setdefault(what, []).append((done, total))),
    ):
        getattr(exegesis, call)(exegesis.load(), TEXT, named, **options)
    counts = heard_of[told]
    runs, last = 1, -1
    for done, total in counts:
        assert 0 <= done <= total
        runs += done < last
        last = done
    assert last == counts[-1][1]
    assert len(counts) - runs > 3
