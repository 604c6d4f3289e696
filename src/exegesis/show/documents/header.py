"""The facts that stand over the results of one text: prediction, target, method, model, time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from exegesis.core.text import Text
from exegesis.results.attribution import Prediction
from exegesis.show.document import Document, Fact, Facts, Section
from exegesis.show.wording import (
    clipped,
    common,
    duration,
    model_name,
    number,
    prediction_phrase,
    target_phrase,
    visible,
)

TITLE = 120  # characters of a title


class OfText(Protocol):
    """A result of one text and one target."""

    @property
    def text(self) -> Text: ...
    @property
    def prediction(self) -> Prediction: ...
    @property
    def target(self) -> str: ...
    @property
    def explained(self) -> Any: ...
    @property
    def model(self) -> str: ...
    @property
    def seconds(self) -> float: ...


def facts(results: Sequence[OfText], methods: Sequence[str]) -> Facts:
    """The facts that all results of a text share, each with the name of its method."""
    every = [_facts(result, method) for result, method in zip(results, methods, strict=True)]
    shared = {name: common([values[name] for values in every]) for name in every[0]}
    return Facts(tuple(Fact(name, text, name == "prediction") for name, text in shared.items() if text))


def _facts(result: OfText, method: str) -> dict[str, str]:
    explained = single(result.explained)
    target = target_phrase(result.target)
    return {
        "prediction": prediction_phrase(*result.prediction[:2]),
        "target": f"{target} {number(explained)}" if math.isfinite(explained) else target,
        "method": visible(method),
        "model": model_name(result.model),
        "time": duration(result.seconds),
    }


def assembled(kind: str, noun: str, sections: Sequence[Section]) -> Document:
    """A document of texts, titled by its text, or by how many texts there are."""
    titles = list(dict.fromkeys(section.title for section in sections))
    title = titles[0] if len(titles) == 1 else f"{len(sections)} {noun}"
    return Document(title, kind, tuple(sections))


def title_of(text: Text) -> str:
    """The beginning of a text, as a title."""
    return clipped(visible(" ".join(text.raw[: 4 * TITLE].split())), TITLE)


def single(value: Any) -> float:
    """A number that may be an array of one."""
    return float(np.asarray(value, dtype=np.float64).reshape(-1)[0])
