"""``exegesis recommend``: the most faithful method for a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exegesis.cli import options as given
from exegesis.cli.evaluate import Data, How, Measures, Seed
from exegesis.cli.inputs import listed, parameters_given, texts_given
from exegesis.cli.outputs import JSON, check_file

Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods",
        "--method",
        "-M",
        metavar="A,B,C",
        help="Candidates; by default the usual ones that the model serves.",
    ),
]
Budget = Annotated[float | None, typer.Option(metavar="MS", help="Only methods that take at most so many ms a text.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", rich_help_panel=given.OUT,
        help="Save it as .json; 'explain -M best' finds it as recommendation.json in the model's folder.",
    ),
]  # fmt: skip


def recommend(
    texts: given.Texts = None,
    data: Data = None,
    column: given.Column = None,
    pair: given.Pair = None,
    pair_column: given.PairColumn = None,
    limit: given.Limit = None,
    skip_blank: given.SkipBlank = False,
    model: given.Model = "bundled",
    methods: Methods = None,
    param: given.Param = None,
    measures: Measures = None,
    how: How = None,
    budget: Budget = None,
    target: given.Target = None,
    seed: Seed = 0,
    device: given.Device = None,
    truncate: given.Truncate = False,
    out: Out = None,
    quiet: given.Quiet = False,
) -> None:
    """The method that explains a model most faithfully within a budget of time, and how sure that is.

    \b
    exegesis recommend --model my-model --data reviews.tsv --limit 200 --out my-model/recommendation.json
    exegesis recommend --data reviews.tsv --methods reat,lrp,lime --budget 20 --out best.json
    exegesis explain "A fine film." -M best --recommendation best.json
    """
    raws = texts_given(texts, data, column, pair, pair_column, skip_blank)[:limit]
    check_file("--out", out, JSON[:1])

    from dataclasses import replace

    from exegesis.api import candidates, each_method, load, refuse_best
    from exegesis.api import recommend as run
    from exegesis.questions.trust.request import choose

    asked = listed(measures) or None
    choose(asked, listed([how]))
    known = load(model, device=device, truncate=truncate)
    names = each_method(methods or []) or candidates(known)
    refuse_best(names)
    found = run(
        known, raws, names, budget, parameters=parameters_given(param or [], names), measures=asked,
        how=listed([how]), target=target, seed=seed, progress=not quiet and sys.stderr.isatty(),
    )  # fmt: skip
    if data is not None:
        found = replace(found, data=data.name)
    if not quiet:
        print(found)
    if out is not None:
        found.save(out)
        if not quiet:
            print(f"wrote {out}", file=sys.stderr)
