"""The facts that stand over the results of one text: prediction, target, method, model, time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exegesis.core.text import Text
from exegesis.results.header import TextResult
from exegesis.show import wording
from exegesis.show.document import Document, Fact, Facts, Section

TITLE = 120  # characters of a title


def facts(results: Sequence[TextResult], methods: Sequence[str]) -> Facts:
    """The facts that all results of a text share, each with the name of its method."""
    rows = [_facts(result, method) for result, method in zip(results, methods, strict=True)]
    shared = {name: wording.common([row[name] for row in rows]) for name in rows[0]}
    return Facts(tuple(Fact(name, text, name == "prediction") for name, text in shared.items() if text))


def _facts(result: TextResult, method: str) -> dict[str, str]:
    target = wording.target_phrase(result.target)
    several = result.prediction.labels > 1 and not math.isfinite(result.prediction.probability)
    return {
        "prediction": "" if several else wording.prediction_phrase(*result.prediction[:2]),  # of several plain numbers
        "target": f"{target} {wording.number(result.explained)}" if math.isfinite(result.explained) else target,
        "method": wording.visible(method),
        "model": wording.model_name(result.model),
        "time": wording.duration(result.seconds),
    }


def assembled(kind: str, noun: str, sections: Sequence[Section]) -> Document:
    """A document of texts, titled by its text, or by how many texts there are."""
    titles = list(dict.fromkeys(section.title for section in sections))
    title = titles[0] if len(titles) == 1 else f"{len(sections)} {noun}"
    return Document(title, kind, tuple(sections))


def title_of(text: Text) -> str:
    """The beginning of a text, as a title."""
    return wording.clipped(wording.visible(" ".join(text.raw[: 4 * TITLE].split())), TITLE)
