"""Small files damaged by seeded mutations: JSON at one place, bytes anywhere."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator

PUT = [{}, [], [1], {"a": 1}, None, 10**400, 10**12, float("nan"), float("inf"), 1e308, "x", "", -1, -0.5, True, 0]


def seeds(count: int) -> range:
    """As many seeds as a test can afford; EXEGESIS_DAMAGES asks for more."""
    return range(max(count, int(os.environ.get("EXEGESIS_DAMAGES", "0"))))


def places(values: object, here: tuple = ()) -> Iterator[tuple]:
    """The path of every part of plain values."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield (*here, key)
        yield from places(value, (*here, key))


def damaged(values: object, seed: object, within: tuple = ()) -> tuple[object, tuple]:
    """Plain values with another part put, or none left, at one place, and what was done; ``within`` leads to the part
    to damage. Each depth as often as any other, so that the few outer fields are met as well as the many numbers."""
    draws, values = random.Random(str(seed)), copy.deepcopy(values)
    inside = values
    for key in within:
        inside = inside[key]
    every = list(places(inside, within))
    depth = draws.choice(sorted({len(place) for place in every}))
    place = draws.choice([one for one in every if len(one) == depth])
    inner, what = values, draws.choice([*PUT, ...])
    for key in place[:-1]:
        inner = inner[key]
    if what is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = what
    return values, (*place, "=", what if what != 10**400 else "10**400")


def flipped(data: bytes, seed: object) -> bytes:
    """Bytes cut, changed at one place, or with some put in."""
    draws = random.Random(str(seed))
    at, kind = draws.randrange(len(data)), draws.randrange(4)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([data[at] ^ (1 << draws.randrange(8))]) + data[at + 1 :]
    some = draws.randbytes(draws.randint(1, 9))
    return data[:at] + some + data[at + (len(some) if kind == 2 else 0) :]
