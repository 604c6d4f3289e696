"""Answers as a page shows them: fragments of the documents that every medium draws, and the words as parts to click."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exegesis.core.errors import UsageError
from exegesis.results.attribution import Attribution
from exegesis.results.header import TextResult
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.result import Result, rendered, restored
from exegesis.show import document_of
from exegesis.show.document import largest, share
from exegesis.show.documents.hierarchy import tree
from exegesis.show.html.page import inserted, stylesheet
from exegesis.show.html.style import paint_class
from exegesis.show.palette import PALETTES
from exegesis.show.wording import model_name, signed, target_phrase, visible

Values = Sequence[Mapping[str, Any]]
TYPES = {"html": "text/html; charset=utf-8", "svg": "image/svg+xml"}
_ROOT = re.compile(r"\.(exegesis-[0-9a-f]+)")


def file(answers: Values, form: str, palette: str) -> bytes:
    """The file that ``save`` would write of results as plain values."""
    content = rendered(_results(answers), f".{form}", palette=palette)
    return content if isinstance(content, bytes) else content.encode("utf-8", "replace")


def view(answers: Values, palette: str) -> dict[str, Any]:
    """What a page shows of results on one text: a fragment, and of each result its prediction, words and tree."""
    results = _results(answers)
    return {"html": inserted(document_of(results), palette), "results": [_told(result) for result in results]}


def style() -> str:
    """The style of all fragments, in every palette."""
    return "\n".join(stylesheet(palette) for palette in PALETTES.values())


def roots() -> dict[str, str]:
    """The class of a fragment's root in each palette, so that a page colours its own words alike."""
    found = {name: _ROOT.search(stylesheet(palette)) for name, palette in PALETTES.items()}
    return {name: match[1] for name, match in found.items() if match}


def _results(answers: Values) -> list[Result]:
    found = [restored(values) for values in answers]
    results = [one for one in found if isinstance(one, Result)]
    if not results:
        raise UsageError("there is no result to draw")
    return results


def _told(result: Result) -> dict[str, Any]:
    if not isinstance(result, TextResult):
        return {}
    predicted = result.prediction
    told: dict[str, Any] = {
        "model": model_name(result.model), "method": visible(result.name), "label": visible(predicted.label),
        "target": target_phrase(result.target),
        "probabilities": [[visible(label), _finite(value)] for label, value in
                          sorted(predicted.probabilities.items(), key=lambda item: -item[1])],
    }  # fmt: skip
    if isinstance(result, Attribution):
        told["words"] = list(_words(result))
    elif isinstance(result, Hierarchy):
        told["tree"] = list(_tree(result))
    return told


def _words(result: Attribution) -> Iterator[dict[str, Any]]:
    """The user's text in order: words with their number, score and class of colour, and what stands between them."""
    part = next(iter(result.each_target()))
    scores = {part.spans[i]: float(part.scores[i]) for i, level in enumerate(part.levels) if level == "word"}
    limit, signs = largest(list(scores.values())), result.details.get("signed") is not False
    raw, at = part.text.raw, 0
    for number, word in enumerate(part.text.words):
        start, stop = part.text.characters(word)
        if start > at:
            yield {"text": raw[at:start]}
        score = scores.get(word, math.nan)
        said = signed(score, limit, sign=signs) if math.isfinite(score) else ""
        yield {"text": raw[start:stop], "word": number, "score": said, "paint": paint_class(share(score, limit), signs)}
        at = max(at, stop)
    if at < len(raw):
        yield {"text": raw[at:]}


def _tree(result: Hierarchy) -> Iterator[dict[str, Any]]:
    """The phrases from left to right, each before its parts, with their depth."""
    phrases = tree(result)
    for depth, node in phrases.nested:
        yield {
            "depth": depth, "text": phrases.layout.surface(node.cell.start, node.cell.stop),
            "score": phrases.written(node.cell.score), "interaction": phrases.joint(node),
            "paint": paint_class(node.cell.share, phrases.signed),
        }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
