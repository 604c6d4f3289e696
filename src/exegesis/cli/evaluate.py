"""``exegesis evaluate``: how far explanations can be trusted."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exegesis.cli import options as given
from exegesis.cli.inputs import listed, methods_given, texts_given
from exegesis.cli.outputs import JSON, PAGES, check_apart, check_file
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.protocols.model import Classifier, Raw
    from exegesis.results.evaluation import Evaluation

ASKED = "Measures"
COMPARED = ("reat", "lrp", "integrated-gradients", "gradient-x-input", "leave-one-out", "lime")  # those that can be

Data = Annotated[
    Path | None,
    typer.Option("--data", "--file", "-f", metavar="FILE", help="Texts from .txt, .jsonl, .tsv or .csv.",
                 rich_help_panel=given.IN),
]  # fmt: skip
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--methods", "--method", "-M", metavar="A,B,C", help="See 'exegesis methods'; by default reat, if it can."
    ),
]
Compared = Annotated[
    list[str] | None,
    typer.Option(
        "--methods", "--method", "-M", metavar="A,B,C",
        help="See 'exegesis methods'; by default the usual ones that the model serves.",
    ),
]  # fmt: skip
Measures = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B",
        help="By default the usual ones; NAME:PARAMETER=VALUE, such as deletion:words=5.",
        rich_help_panel=ASKED,
    ),
]
How = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="What takes a word's place, each measured: drop, zero, pad, unknown, mask, resample.",
        rich_help_panel=ASKED,
    ),
]  # fmt: skip
Explanations = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Another tool's explanations of the same texts, .jsonl.", rich_help_panel=ASKED),
]
Marks = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What people marked, .jsonl of text and marks.", rich_help_panel=ASKED),
]
Words = Annotated[
    str | None,
    typer.Option(
        metavar="PLUS,MINUS,LABEL",
        help="Word lists for and against a label: adds interpretability.",
        rich_help_panel=ASKED,
    ),
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="All numbers.", rich_help_panel=given.OUT)]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="A self-contained .html page.", rich_help_panel=given.OUT),
]
Sanity = Annotated[
    bool,
    typer.Option(
        "--sanity",
        metavar="",
        help="Also: do explanations change with shuffled weights, or labels?",
        rich_help_panel=ASKED,
    ),
]
Other = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="For --sanity: a model trained on shuffled labels.", rich_help_panel=ASKED),
]
Train = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help="For --sanity: training texts, to train a model of the same kind on them with shuffled labels.",
        rich_help_panel=ASKED,
    ),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of random scores and intervals.", rich_help_panel=ASKED)]


def evaluate(
    texts: given.Texts = None,
    data: Data = None,
    column: given.Column = None,
    pair: given.Pair = None,
    pair_column: given.PairColumn = None,
    limit: given.Limit = None,
    skip_blank: given.SkipBlank = False,
    model: given.Model = "bundled",
    methods: Methods = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
    measures: Measures = None,
    how: How = None,
    explanations: Explanations = None,
    marks: Marks = None,
    words: Words = None,
    target: given.Target = None,
    sanity: Sanity = False,
    train: Train = None,
    other: Other = None,
    seed: Seed = 0,
    device: given.Device = None,
    truncate: given.Truncate = False,
    json: Json = None,
    report: Report = None,
    quiet: given.Quiet = False,
) -> None:
    """How far explanations can be trusted: methods beside random scores, leave-one-out and greedy removal.

    \b
    exegesis evaluate --data reviews.tsv --methods reat,lime,integrated-gradients --report trust.html
    exegesis evaluate --data reviews.tsv --methods reat --how drop,pad,resample --limit 200 --json numbers.json
    exegesis evaluate --data reviews.tsv --explanations other-tool.jsonl
    exegesis evaluate --data test.tsv --methods reat,lrp --sanity --train train.tsv
    """
    raws = texts_given(texts, data, column, pair, pair_column, skip_blank)[:limit]
    check_file("--json", json, JSON[:1])
    check_file("--report", report, PAGES[:1])
    check_apart([json, report], [data, explanations, marks, recommendation])
    asked = _measures(measures, words)
    for option, value in (("--other", other), ("--train", train)):
        if value is not None and not sanity:
            raise UsageError(f"{option} belongs to --sanity")
    if other is not None and train is not None:
        raise UsageError("--train trains the model that --other names; give one of them")

    from exegesis.api import each_method, load, preferred
    from exegesis.api import evaluate as run
    from exegesis.questions.trust.request import PLAUSIBLE, USUAL, choose

    trained = _training(train)
    choose(asked, listed([how]))  # what is wrong with them is known before the model is loaded
    if asked is None and words is not None:
        asked = [*USUAL, *(PLAUSIBLE if marks else ()), _lists(words)]
    known = load(model, device=device, truncate=truncate)
    names = each_method(methods or []) or ([] if explanations else [preferred(known)])
    names, parameters = methods_given(known, names, param or [], recommendation, model)
    options: dict[str, Any] = {"how": listed([how]), "target": target, "seed": seed, "explanations": explanations}
    result = run(
        known, raws, names, asked, marks=marks, parameters=parameters,
        progress=not quiet and sys.stderr.isatty(), **options,
    )  # fmt: skip
    results = [result]
    if sanity:
        second = None if other is None else load(other, device=device, truncate=truncate)
        results += _randomised(
            known, raws, names, trained, second, target=target, parameters=parameters, seed=seed,
            progress=not quiet and sys.stderr.isatty(),
        )  # fmt: skip
    if not quiet:
        sys.stdout.write("\n".join(one.table(width=_width()) for one in results))
    _write(results, json, report, quiet=quiet)


def compare(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text.")],
    pair: given.Pair = None,
    model: given.Model = "bundled",
    methods: Compared = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
    measures: Measures = None,
    how: How = None,
    target: given.Target = None,
    seed: Seed = 0,
    device: given.Device = None,
    truncate: given.Truncate = False,
    json: Json = None,
    report: Report = None,
    numbers: given.Numbers = False,
    palette: given.Palette = None,
    color: given.Color = None,
) -> None:
    """Several methods on one text, under each other, ranked by the same measures.

    \b
    exegesis compare "The fight scenes are fun but it grows tedious" --methods reat,lrp,lime
    """
    from exegesis.show.palette import palette_named

    raws = texts_given([text], None, None, pair, None)
    if len(raws) != 1:
        raise UsageError(f"compare takes one text, not {len(raws)}; for more: exegesis evaluate")
    check_file("--json", json, JSON[:1])
    check_file("--report", report, PAGES[:1])
    check_apart([json], [recommendation])
    view: dict[str, Any] = {"color": color, "numbers": numbers, "palette": palette_named(palette or "green-red").name}
    asked = listed(measures) or None

    from exegesis.api import each_method, explain, load
    from exegesis.api import evaluate as run
    from exegesis.api import methods as able
    from exegesis.questions.trust.request import choose
    from exegesis.show.terminal.page import render

    choose(asked, listed([how]))
    known = load(model, device=device, truncate=truncate)
    served = {card.name for card in able(known)}
    names = each_method(methods or []) or [name for name in COMPARED if name in served]
    names, parameters = methods_given(known, names, param or [], recommendation, model)
    results = [explain(known, raws, name, target=target, **parameters[name])[0] for name in names]
    found = run(known, raws, [], asked, how=listed([how]), explanations=results, seed=seed)
    order = {name: place for place, name in enumerate(found.ranking())}
    results.sort(key=lambda one: order.get(one.name, 0))
    sys.stdout.write(render(results, **view) + "\n")
    sys.stdout.write(found.table(width=_width()))
    _write([found], json, report)


def _randomised(
    model: Classifier, raws: list[Raw], names: list[str], train: list[Example] | None, other: Classifier | None,
    **options: Any,
) -> list[Evaluation]:  # fmt: skip
    """Shuffled weights, where they are in sight, and shuffled labels where there is a model of them."""
    from exegesis.api import randomisation

    found = []
    if other is None or hasattr(model, "module"):
        found.append(randomisation(model, raws, names, **options))
    if other is not None or train is not None:
        found.append(randomisation(model, raws, names, train=train, other=other, **options))
    return found


def _training(train: str | None) -> list[Example] | None:
    from exegesis.cli.study_options import training_of

    return training_of(train, None, None, None)


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def _write(results: list[Evaluation], *paths: Path | None, quiet: bool = False) -> None:
    from exegesis.core.files import write_whole
    from exegesis.results.result import rendered

    for path in paths:
        if path is not None:
            write_whole(path, rendered(results, path.suffix))
            if not quiet:
                print(f"wrote {path}", file=sys.stderr)


def _measures(measures: list[str] | None, words: str | None) -> list[str] | None:
    found = listed(measures)
    if not found:
        return None
    return [*found, *([_lists(words)] if words is not None else [])]


def _lists(words: str) -> str:
    parts = [part.strip() for part in words.split(",")]
    if len(parts) != 3 or not all(parts):
        raise UsageError("--words names two files and a label: positive.txt,negative.txt,LABEL")
    return f"interpretability:positive={parts[0]}:negative={parts[1]}:label={parts[2]}"
