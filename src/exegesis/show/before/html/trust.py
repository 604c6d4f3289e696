"""An evaluation as HTML: a fragment for notebooks, and a page that needs nothing else. Imports no torch.

Every name and text passes through autoescaping; the drawings escape what they are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from exegesis.results.advice import RANDOM
from exegesis.results.evaluation import Evaluation, Measured
from exegesis.show.before.figure.trust import curves, dots, paint
from exegesis.show.before.html import parts as html
from exegesis.show.before.html.page import templates, whole_page
from exegesis.show.palette import DARK, LIGHT
from exegesis.show.terminal.table import agreement_line, check, direction, favoured_lines, shown
from exegesis.show.wording import MINUS, duration, visible

LIGHT_HUES = ("#2563c9", "#d1690a", "#0d8660", "#8a4cc2", "#c7354a", "#10859c", "#86602f", "#bd4a96")
DARK_HUES = ("#7fabf7", "#f2a65f", "#5ecb9f", "#be95ec", "#f28d98", "#62c6d9", "#cda676", "#e896c9")
TITLE = "How far can these explanations be trusted?"


def fragment(results: Sequence[Evaluation]) -> str:
    """Evaluations as one ``<div>`` each, with its own style."""
    template = templates().get_template("trust.html.j2")
    last = len(results) - 1
    return "".join(template.render(**_values(one), last=number == last) for number, one in enumerate(results))


def page(results: Sequence[Evaluation], *, title: str = "") -> str:
    """The report: advice, ranking, every measure with intervals, curves, agreement, times, disputed texts."""
    return whole_page(title, fragment(results), TITLE)


def _values(result: Evaluation) -> dict[str, Any]:
    order = shown(result)
    own = list(result.ranking())
    return {
        "light": LIGHT,
        "dark": DARK,
        "hues": list(zip(LIGHT_HUES, DARK_HUES, strict=True)),
        "advice": visible(result.advice()),
        "facts": _facts(result),
        "ranking": [_ranked(result, name, place) for place, name in enumerate(own)],
        "chance": RANDOM in result.names,
        "unranked": [one.name for one in result.measures if one not in result.ranking_by],
        "favoured": [visible(one) for one in favoured_lines(result)],
        "panels": [
            {
                "name": one.name,
                "question": one.question,
                "direction": direction(one),
                "paper": one.paper,
                "plot": dots(result, one, order),
            }
            for one in result.measures
        ],
        "curves": [(one, curves(result, one, order)) for one in result.measures if one.name in result.curves],
        "legend": [(visible(name), paint(place)) for place, name in enumerate(own)],
        "controls": [visible(name) for name in order[len(own) :]],
        "names": [visible(name) for name in own],
        "agreement": _matrix(result, own, result.agreement.tolist()),
        "overlap": _matrix(result, own, result.overlap.tolist()),
        "k": result.k,
        "said": agreement_line(result),
        "beats": [[_beats(result, row, column) for column in own] for row in own],
        "contested": Markup(html.fragment([one for each in result.contested for one in each]))  # autoescaped already
        if result.contested
        else "",
        "notes": [visible(note) for note in result.notes],
        "parameters": [(visible(one.name), visible(one.parameters)) for one in result.methods],
        "samples": result.samples,
    }


def _facts(result: Evaluation) -> list[tuple[str, str]]:
    counts = {label: result.labels.count(label) for label in sorted(set(result.labels))}
    asked, run, calls = (result.counts.get(name, 0) for name in ("asked", "run", "calls"))
    return [
        *([("check", check(result))] if result.remark else []),
        ("model", visible(result.model)),
        ("texts", f"{len(result.texts):,} ({', '.join(f'{visible(k)} {n}' for k, n in counts.items())})"),
        *(
            [("perturbed texts", f"{asked:,} asked for, {run:,} run, in {calls:,} pooled calls")]
            if result.counts
            else []
        ),
        *([("time", duration(result.seconds))] if result.seconds > 0 else []),
    ]


def _ranked(result: Evaluation, name: str, place: int) -> dict[str, Any]:
    own = {one.name: one for one in result.methods}
    won, lost, made = result.tally(name)
    above = result.above_random(name)
    times = [one.seconds for one in result.methods if one.seconds > 0]
    seconds = own[name].seconds
    return {
        "name": visible(name),
        "paint": paint(place),
        "above": above.won,
        "of": above.made,
        "won": won,
        "lost": lost,
        "made": made,
        "time": duration(seconds) or "not measured",
        "width": round(100 * seconds / max(times), 1) if seconds > 0 else 0,
    }


def _beats(result: Evaluation, row: str, column: str) -> dict[str, Any]:
    """On how many measures the method of the row is better."""
    if row == column:
        return {"text": "", "share": 0}
    counted = [one for one in result.measures if not result.favoured(one, row, column)]
    count = sum(_better(result, row, column, one) for one in counted)
    return {"text": str(count), "share": round(100 * count / max(len(counted), 1))}


def _better(result: Evaluation, first: str, second: str, measure: Measured) -> bool:
    return result.compare(first, second, measure.name)[0].better == first


def _matrix(result: Evaluation, own: Sequence[str], values: list[list[float]]) -> list[list[dict[str, Any]]]:
    """Cells of a square of methods by rank."""
    place = [result.names.index(name) for name in own]
    return [[_cell(values[i][j], i == j) for j in place] for i in place]


def _cell(value: float, same: bool) -> dict[str, Any]:
    if same or not math.isfinite(value):
        return {"text": "" if same else "none", "share": 0}
    return {"text": f"{value:.2f}".replace("-", MINUS), "share": round(100 * max(0.0, value))}
