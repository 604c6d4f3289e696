"""``exegesis study failures``, ``substitute`` and ``repair``: where the model fails, and what mends it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exegesis.cli import options as given
from exegesis.cli import study_options as opt
from exegesis.cli.outputs import check_apart, check_file
from exegesis.cli.train import Arch
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example

_SHAPE = "Training"


def failures(
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
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Causes looked into.")] = 20,
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="Texts shown of each.")] = 2,
    device: given.Device = None,
    truncate: given.Truncate = False,
    json: opt.Json = None,
    report: opt.Report = None,
    figure: opt.Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """Wrong predictions by the words that caused them, and checks of the training data.

    \b
    exegesis study failures test.tsv --train train.tsv --report failures.html
    exegesis study failures sst2/ --split test --train sst2/ --model my-model
    """
    sink = opt.Sink(json, report, figure, palette, color, quiet)
    texts = opt.examples_of(data, column, label, pair_column, split, limit)
    trained = opt.training_of(train, column, label, pair_column)

    from exegesis import study

    known = opt.model_named(model, device, truncate)
    name, parameters = opt.parameters_of(method, param, known, recommendation, model)
    sink.put(
        study.failures(
            known, texts, train=trained, method=name, most=most, examples=examples, progress=sink.progress, **parameters
        )
    )


def substitute(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text.")],
    word: Annotated[
        str | None, typer.Argument(metavar="WORD", help="The word to replace; by default the one of most weight.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Other texts to try the swaps on.", rich_help_panel=given.IN)
    ] = None,
    synonyms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A line is a word, a colon, its synonyms with commas.")
    ] = None,
    neighbours: Annotated[
        int, typer.Option(min=0, metavar="N", help="Words of the nearest vectors, among those of --data.")
    ] = 0,
    vectors: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Word vectors; by default the model's own.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="NAME", help="A language model: 'bundled', or a masked Hugging Face model.")
    ] = None,
    gold: Annotated[str | None, typer.Option(metavar="LABEL", help="The true label of the text.")] = None,
    column: given.Column = None,
    label: opt.Label = None,
    pair_column: given.PairColumn = None,
    split: opt.Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: opt.Method = None,
    recommendation: given.Recommendation = None,
    param: given.Param = None,
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
    """Other words in a word's place: which flip the prediction, and whether they do in other texts.

    \b
    exegesis study substitute "A smart, dumb and funny movie." dumb --data reviews.tsv --neighbours 8
    exegesis study substitute "Terribly charismatic." --synonyms mine.txt --language bundled --report swaps.html
    """
    sink = opt.Sink(json, report, figure, palette, color, quiet)
    if data is None:
        reading = {"--column": column, "--label": label, "--pair-column": pair_column, "--split": split}
        for option, value in {**reading, "--limit": limit}.items():
            if value is not None:
                raise UsageError(f"{option} belongs to --data, the other texts to try the swaps on")
    others = None if data is None else opt.examples_of(data, column, label, pair_column, split, limit)

    from exegesis import study

    known = opt.model_named(model, device, truncate)
    name, parameters = opt.parameters_of(method, param, known, recommendation, model)
    sink.put(
        study.substitute(
            known, text, word, data=others, gold=gold, synonyms=synonyms, vectors=vectors, neighbours=neighbours,
            language=language, method=name, seed=seed, progress=sink.progress, **parameters,
        )
    )  # fmt: skip


def repair(
    data: Annotated[str, typer.Argument(metavar="TRAIN", help="Training texts with labels; a folder: its parts.")],
    swap: Annotated[
        list[str], typer.Option("--swap", metavar="WORD=WORD,...", help="Words that may stand for a word; repeatable.")
    ],
    test: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Test texts; without them nothing is trained.", rich_help_panel=given.IN),
    ] = None,
    dev: Annotated[
        str | None, typer.Option(metavar="DATA", help="Development texts.", rich_help_panel=given.IN)
    ] = None,
    column: given.Column = None,
    label: opt.Label = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="New texts of each direction, at most.")] = 200,
    new: Annotated[
        Path | None, typer.Option("--new", metavar="FILE", help="The new texts as .tsv.", rich_help_panel=given.OUT)
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Trainings of each kind; one alone proves nothing.", rich_help_panel=_SHAPE
        ),
    ] = 5,
    arch: Annotated[Arch, typer.Option(help="Cell; bi- reads both ways.", rich_help_panel=_SHAPE)] = Arch.gru,
    embedding: Annotated[int, typer.Option(min=1, help="Width of the embeddings.", rich_help_panel=_SHAPE)] = 100,
    hidden: Annotated[int, typer.Option(min=1, help="Width of one direction.", rich_help_panel=_SHAPE)] = 150,
    vectors: Annotated[Path | None, typer.Option(help="Word vectors to start from.", rich_help_panel=_SHAPE)] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At most.", rich_help_panel=_SHAPE)] = 20,
    lr: Annotated[float, typer.Option(help="Adam's step size.", rich_help_panel=_SHAPE)] = 1e-3,
    device: Annotated[str, typer.Option(help="cpu, or cuda.", rich_help_panel=_SHAPE)] = "cpu",
    json: opt.Json = None,
    report: opt.Report = None,
    figure: opt.Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """New training texts against a fault, and what retraining with them changes there and on the test texts.

    \b
    exegesis study repair sst2/ --swap terribly=extremely,very --report repair.html
    exegesis study repair train.tsv --swap dumb=silly --new more.tsv
    """
    from typing import cast

    sink = opt.Sink(json, report, figure, palette, color, quiet)
    check_file("--new", new, (".tsv",))
    check_apart([new], [data, test, dev, vectors])
    if new is not None and Path(data).is_dir():
        check_apart([new], [path for path in Path(data).iterdir() if path.is_file()])
    parts = _parts(data, test, dev, column, label)

    from exegesis import study
    from exegesis.core.progress import heard
    from exegesis.models.trained.network import Cell, RecurrentConfig
    from exegesis.models.trained.options import TrainOptions
    from exegesis.study.repairs import TRAININGS

    def say(what: str, done: int, total: int) -> None:
        """One line before the first training, also where standard error is no terminal."""
        if what.startswith(TRAININGS) and not quiet:
            print(f"{total} {what} (without the new texts, with their originals again, with them; seeds: {seeds})",
                  file=sys.stderr, flush=True)  # fmt: skip

    cell = cast("Cell", arch.value.removeprefix("bi"))
    with heard(say):
        found = study.repair(
            parts["train"], _swaps(swap), parts.get("test"), dev=parts.get("dev"), seeds=range(seeds), most=most,
            config=RecurrentConfig(cell, arch.value.startswith("bi"), embedding=embedding, hidden=hidden),
            options=TrainOptions(epochs=epochs, lr=lr, vectors=vectors, device=device), progress=sink.progress,
        )  # fmt: skip
    if new is not None:
        from exegesis.core.files import write_whole

        lines = (f"{' '.join(one.text.split())}\t{one.label}\n" for one in found.added)
        write_whole(new, "".join(lines))
        sink.say(new)
    sink.put(found)


def _parts(
    data: str, test: str | None, dev: str | None, column: str | None, label: str | None
) -> dict[str, list[Example]]:
    from exegesis.data.examples import find_split

    folder = Path(data)
    sources: dict[str, tuple[str, str | None]] = {"train": (data, "train" if folder.is_dir() else None)}
    for name, own in (("test", test), ("dev", dev)):
        if own is not None:
            sources[name] = own, name if Path(own).is_dir() else None
        elif folder.is_dir() and find_split(folder, name):
            sources[name] = data, name
    return {name: opt.examples_of(source, column, label, None, split) for name, (source, split) in sources.items()}


def _swaps(given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        word, sign, others = one.partition("=")
        listed = [other.strip() for other in others.split(",") if other.strip()]
        if not sign or not word.strip() or not listed:
            raise UsageError(f"--swap {one}: write WORD=WORD,WORD, such as terribly=extremely,very")
        found.setdefault(word.strip(), []).extend(listed)
    return found
