"""Places have one name each, which reads back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exegesis.core.errors import UsageError
from exegesis.core.place import DIRECTIONS, STATES, WORD_VECTORS, Place

NAMES = {
    "word vectors": Place("word vectors"),
    "conv1d 2": Place("conv1d", 2),
    "linear 1": Place("linear", 1),
    "sum 13": Place("sum", 13),
    "layer 1 forward": Place(STATES, 1, direction="forward"),
    "layer 2 reverse cells": Place("cells", 2, direction="reverse"),
    "layer 1 forward from above": Place("from above", 1, direction="forward"),
    "recurrent 2 layer 1 reverse": Place(STATES, 1, direction="reverse", part="recurrent 2"),
    "recurrent 12 layer 3 forward cells": Place("cells", 3, direction="forward", part="recurrent 12"),
    "lstm_cell 1 layer 1 forward cells": Place("cells", 1, direction="forward", part="lstm_cell 1"),
    "attention 3 head 1": Place("attention", 3, head=1),
    "head 2": Place("head", 2),
    "mine": Place("mine"),
    "layer 1 forward states": Place("layer 1 forward states"),
    "conv1d 02": Place("conv1d 02"),
    "conv1d ٢": Place("conv1d ٢"),
    "": Place(""),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_and_its_place(name):
    assert Place.parse(name) == NAMES[name]
    assert str(NAMES[name]) == name
    assert Place.parse(NAMES[name]) is NAMES[name]
    assert WORD_VECTORS == "word vectors"


WORDS = st.text("abc d123\n ", max_size=6)
PIECES = st.sampled_from(
    ["recurrent", "layer", "head", *DIRECTIONS, *map(str, range(12)), STATES, "cells", " ", "  ", "01"]
)


@settings(deadline=None)
@given(st.lists(PIECES | WORDS, max_size=7).map(" ".join) | st.text(max_size=8))
def test_every_name_reads_back(name):
    assert str(Place.parse(name)) == name


@settings(deadline=None)
@given(
    st.sampled_from([STATES, "cells", "from above", "conv1d", "attention"]),
    st.integers(0, 30),
    st.integers(0, 3),
    st.sampled_from(["", *DIRECTIONS]),
    st.sampled_from(["", "recurrent 2", "gru_cell 1", "recurrent", "a b 1"]),
)
def test_every_place_reads_back_or_is_refused(kind, layer, head, direction, part):
    try:
        place = Place(kind, layer, head, direction, part)
    except UsageError:
        assert (direction and (head or not layer or part in ("recurrent", "a b 1"))) or (part and not direction)
        return
    again = Place.parse(str(place))
    assert (again.kind, again.layer, again.head, again.direction, again.part) == (kind, layer, head, direction, part)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "conv1d 2"},
        {"kind": "conv1d", "layer": -1},
        {"kind": "cells", "direction": "forward"},
        {"kind": "cells", "layer": 1, "direction": "backward"},
        {"kind": "linear", "part": "recurrent 2"},
        {"kind": "layer 1 forward"},
        {"kind": "", "layer": 1, "direction": "forward"},
    ],
    ids=str,
)
def test_what_has_no_name_of_its_own_is_refused(fields):
    with pytest.raises(UsageError, match="must read back from its name"):
        Place(**fields)


def test_a_mapping_by_places_can_be_asked_for_names():
    states = {Place(STATES, 1, direction="forward"): 1.0, Place("conv1d", 2): 2.0}
    assert (states["layer 1 forward"], states["conv1d 2"]) == (1.0, 2.0)
    assert "layer 2 forward" not in states
    assert list(states) == ["layer 1 forward", "conv1d 2"]
    assert {"conv1d 2": 2.0}[Place("conv1d", 2)] == 2.0
    assert Place("conv1d", 2) != Place("conv1d", 1)
    assert Place("conv1d", 2) != 2
    assert f"{Place('conv1d', 2):>10}" == "  conv1d 2"


def test_layers_that_read_step_by_step():
    names = [
        "layer 1 forward",
        "recurrent 2 layer 1 reverse cells",
        "lstm_cell 1 layer 1 forward",
        "conv1d 1",
        "layer 1",
    ]
    assert [Place.parse(name).has_steps for name in names] == [True, True, False, False, False]


def test_places_are_ordered_by_number_and_not_by_letters():
    names = ["conv1d 10", "conv1d 9", "linear 1", "conv1d 1"]
    assert sorted(map(Place.parse, names)) == ["conv1d 1", "conv1d 9", "conv1d 10", "linear 1"]
