"""``exegesis explain``: texts in, views and files out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli import options as given
from exegesis.cli.inner import check_alone, interactions_plan, relevance_plan
from exegesis.cli.inputs import methods_given, search_parameters, texts_given
from exegesis.cli.outputs import Output, check_apart
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.api import Growth
    from exegesis.protocols.model import Classifier

PART = 2048  # texts explained before their results go out


def explain(
    texts: given.Texts = None,
    file: given.File = None,
    column: given.Column = None,
    pair: given.Pair = None,
    pair_column: given.PairColumn = None,
    limit: given.Limit = None,
    skip_blank: given.SkipBlank = False,
    model: given.Model = "bundled",
    method: given.Methods = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
    target: given.Target = None,
    level: given.Level = "word",
    hierarchy: given.Search = None,
    interactions: given.Interactions = None,
    relevance: given.Relevance = False,
    trust: given.Trust = False,
    device: given.Device = None,
    truncate: given.Truncate = False,
    json: given.Json = None,
    html: given.Html = None,
    figure: given.Figure = None,
    numbers: given.Numbers = False,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """Which words and phrases made the model say what it said.

    \b
    exegesis explain "The fight scenes are fun but it grows tedious"
    exegesis explain "A fine film." --level all -M reat -M lime --figure why.svg
    exegesis explain "A fine film." -M lime --trust
    exegesis explain "Not a good film." --hierarchy acd --html tree.html
    exegesis explain "Not a good film." --interactions shapley --figure pairs.png
    exegesis explain --file reviews.tsv --model my-model --json results.jsonl
    exegesis explain "Two dogs run." --pair "Dogs move." --model nli-model
    """
    from exegesis.show.palette import palette_named

    if trust and hierarchy is not None:
        raise UsageError("--trust belongs to explanations of words; leave it out of a hierarchy")
    inner = "--interactions" if interactions is not None else "--relevance" if relevance else ""
    if inner:
        others = {"--relevance": relevance and inner != "--relevance", "--hierarchy": hierarchy, "--trust": trust,
                  "--method": method, "--recommendation": recommendation, "--level": level != "word"}  # fmt: skip
        check_alone(inner, others)
    raws = texts_given(texts, file, column, pair, pair_column, skip_blank)[:limit]
    view = {"color": color, "numbers": numbers, "palette": palette_named(palette or "green-red").name}
    check_apart([json, html, figure], [file, recommendation])
    output = Output(json, html, figure, view, quiet)

    from exegesis.api import Plan, bar, each_method, load, preferred, read_text

    names = each_method(method or [])
    plans: list[Any]
    known = load(model, device=device, truncate=truncate)
    if inner:
        plan = (
            interactions_plan(known, interactions, param or [], target)
            if interactions is not None
            else relevance_plan(known, param or [], target)
        )
        plans, names = [plan], [plan.name]
    elif hierarchy is not None:
        place = (recommendation, model)
        plans, names = [_growth(known, hierarchy, names, param or [], target, level, place)], [hierarchy]
    else:
        names, parameters = methods_given(known, names or [preferred(known)], param or [], recommendation, model)
        plans = [Plan.of(known, name, parameters[name], target, level, trust=trust) for name in names]
    for number, raw in enumerate(raws):  # a text that cannot be explained is known before any is
        read_text(known, raw, number, len(raws))
    busy, total = not quiet and sys.stderr.isatty(), len(raws) * len(plans)
    with output:
        for start in range(0, len(raws), PART):
            part = [read_text(known, raw) for raw in raws[start : start + PART]]
            with bar(busy, total, ", ".join(names), start * len(plans)) as advance:
                runs = [plan.explain(part, advance) for plan in plans]
            output.add(list(zip(*runs, strict=True)))


def _growth(
    model: Classifier, search: str, names: list[str], param: list[str], target: str | None, level: str,
    place: tuple[Path | None, str],
) -> Growth:  # fmt: skip
    """The search of ``--hierarchy``. Raises UsageError for options that do not go with it."""
    from exegesis.api import Growth

    if len(names) > 1:
        raise UsageError(f"--hierarchy {search} takes one method to score its phrases, not {', '.join(names)}")
    if level != "word":
        raise UsageError("--level belongs to explanations of words; a hierarchy has levels of its own, leave it out")
    names, saved = methods_given(model, names, [], *place)
    method = names[0] if names else None
    parameters = {**(saved[method] if method else {}), **search_parameters(param, search, method)}
    return Growth.of(model, search, method, parameters, target)
