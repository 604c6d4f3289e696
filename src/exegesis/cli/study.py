"""``exegesis study``: what has the model learned, over a corpus?"""

from __future__ import annotations

from typing import Annotated

import typer

from exegesis.cli import options as given
from exegesis.cli import study_options as opt
from exegesis.cli.study_faults import failures, repair, substitute

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What has the model learned, over a corpus? Word classes, words, failures, substitutions, repair.",
)


@app.command()
def words(
    data: opt.Data,
    column: given.Column = None,
    pair_column: given.PairColumn = None,
    split: opt.Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: opt.Method = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
    target: given.Target = None,
    tags: Annotated[str, typer.Option(metavar="TAGS", help="merged, penn or universal.")] = "merged",
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: opt.Seed = 0,
    json: opt.Json = None,
    report: opt.Report = None,
    figure: opt.Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """Which kinds of words the model goes by: scores by part of speech.

    \b
    exegesis study words reviews.tsv --figure classes.svg
    exegesis study words sst2/ --split test --model my-model -M lrp --report classes.html
    """
    sink = opt.Sink(json, report, figure, palette, color, quiet)
    examples = opt.examples_of(data, column, None, pair_column, split, limit)

    from exegesis import study

    known = opt.model_named(model, device, truncate)
    name, parameters = opt.parameters_of(method, param, known, recommendation, model)
    sink.put(study.words(known, examples, name, target, tags=tags, seed=seed, progress=sink.progress, **parameters))


@app.command()
def word(
    data: opt.Data,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="The word, or several to compare.")],
    column: given.Column = None,
    label: opt.Label = None,
    pair_column: given.PairColumn = None,
    split: opt.Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: opt.Method = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
    target: given.Target = None,
    contexts: Annotated[int, typer.Option(min=0, metavar="N", help="Contexts shown of each end.")] = 3,
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: opt.Seed = 0,
    json: opt.Json = None,
    report: opt.Report = None,
    figure: opt.Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """How a word acts in all its contexts, several side by side.

    \b
    exegesis study word reviews.tsv terrible terribly
    exegesis study word sst2/ good not --split test --figure words.svg
    """
    sink = opt.Sink(json, report, figure, palette, color, quiet)
    examples = opt.examples_of(data, column, label, pair_column, split, limit)

    from exegesis import study

    known = opt.model_named(model, device, truncate)
    name, parameters = opt.parameters_of(method, param, known, recommendation, model)
    sink.put(
        study.word(
            known, examples, words, name, target, contexts=contexts, seed=seed, progress=sink.progress, **parameters
        )
    )  # fmt: skip


@app.command()
def summary(
    data: opt.Data,
    train: opt.Train = None,
    column: given.Column = None,
    label: opt.Label = None,
    pair_column: given.PairColumn = None,
    split: opt.Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: opt.Method = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Words of each label.")] = 12,
    minimum: Annotated[int, typer.Option(min=1, metavar="N", help="Uses that a word needs.")] = 5,
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: opt.Seed = 0,
    json: opt.Json = None,
    report: opt.Report = None,
    figure: opt.Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """The strongest words of each label, texts whose explanation is no reason, words that act unlike their training.

    \b
    exegesis study summary test.tsv --train train.tsv --report summary.html
    """
    sink = opt.Sink(json, report, figure, palette, color, quiet)
    texts = opt.examples_of(data, column, label, pair_column, split, limit)
    trained = opt.training_of(train, column, label, pair_column)

    from exegesis import study

    known = opt.model_named(model, device, truncate)
    name, parameters = opt.parameters_of(method, param, known, recommendation, model)
    sink.put(
        study.summary(
            known, texts, train=trained, method=name, most=most, minimum=minimum, seed=seed, progress=sink.progress,
            **parameters,
        )
    )  # fmt: skip


app.command()(failures)
app.command()(substitute)
app.command()(repair)
