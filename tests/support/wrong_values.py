"""Values of wrong types at every public function, tried without the checks of types that tests add: a program."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import exegesis
from tests.support.one_line import said_in_one_line

TEXT = "a good film"
WRONG: list[Any] = [
    None,
    3,
    -1,
    2.5,
    math.nan,
    True,
    "",
    "no such",
    "a" * 5000,
    b"a",
    [],
    [3],
    [[1]],
    {},
    {"a": 1},
    {1},
    (),
]
WRONG += [np.array([1, 2]), np.float64(2), object(), len, str]


def box() -> Any:
    return exegesis.blackbox(lambda texts: [[0.4, 0.6]] * len(texts), ["no", "yes"])


def explained(**options: Any) -> Any:
    return exegesis.explain(box(), TEXT, **{"method": "leave-one-out", **options})


def evaluated(**options: Any) -> Any:
    given = {"data": [TEXT], "methods": ["leave-one-out"], "measures": ["deletion"], "samples": 20, **options}
    return exegesis.evaluate(box(), **given)


CALLS: dict[str, Callable[[Any], Any]] = {
    "model": lambda value: exegesis.predict(value, TEXT) if not isinstance(value, str) else None,
    "texts": lambda value: exegesis.predict(box(), value),
    "method": lambda value: explained(method=value),
    "target": lambda value: explained(target=value),
    "level": lambda value: explained(level=value),
    "spans": lambda value: explained(spans=value),
    "how": lambda value: explained(how=value),
    "labels": lambda value: exegesis.blackbox(len, value),
    "evaluated texts": lambda value: evaluated(data=value) if not isinstance(value, str) else None,
    "evaluated methods": lambda value: evaluated(methods=value),
    "measures": lambda value: evaluated(measures=value),
    "seed": lambda value: evaluated(seed=value),
    "samples": lambda value: evaluated(samples=value),
    "parameters": lambda value: evaluated(parameters=value),
    "marks": lambda value: evaluated(marks=value) if not isinstance(value, str) else None,
    "tree": lambda value: exegesis.hierarchy(box(), TEXT, "parse", method="leave-one-out", tree=value),
    "file": lambda value: exegesis.read_examples(value) if not isinstance(value, str) or len(value) > 99 else None,
}
LIGHT = {"tree", "level"}  # None loads the tagger


def main() -> None:
    """Print a line for each value that is neither served nor refused in one line."""
    logging.disable()
    for name, call in CALLS.items():
        for value in WRONG:
            if value is None and name in LIGHT:
                continue
            try:
                with said_in_one_line():
                    call(value)
            except Exception as error:
                print(f"{name} {value!r:.40}: {type(error).__name__}: {error!s:.200}")


if __name__ == "__main__":
    main()
