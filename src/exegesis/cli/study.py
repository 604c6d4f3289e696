"""``exegesis study``: what has the model learned, over a corpus?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exegesis.cli import options as given
from exegesis.cli.train import Arch
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exegesis.core.data import Example
    from exegesis.core.model import Classifier
    from exegesis.core.studies import Study

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What has the model learned, over a corpus? Word classes, words, failures, substitutions.",
)

Data = Annotated[str, typer.Argument(metavar="DATA", help="A .txt, .tsv, .csv or .jsonl file, or a data set's name.")]
Label = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the label.", rich_help_panel=given.IN)]
Split = Annotated[
    str | None, typer.Option(metavar="NAME", help="train, dev or test of a folder.", rich_help_panel=given.IN)
]
Method = Annotated[
    str | None, typer.Option("--method", "-M", metavar="METHOD", help="See 'exegesis methods'; by default reat.")
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="The result, to be read again.", rich_help_panel=given.OUT)
]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="A self-contained page.", rich_help_panel=given.OUT)
]
Figure = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The picture, .svg, .png or .pdf.", rich_help_panel=given.OUT)
]
Seed = Annotated[int, typer.Option(min=0, help="Of the bootstrap and of language models.")]


class Sink:
    """Where a study goes: the terminal and files, whose names are checked before the work begins."""

    def __init__(
        self, json: Path | None, report: Path | None, figure: Path | None, palette: str | None, color: bool | None,
        quiet: bool,
    ) -> None:  # fmt: skip
        from exegesis.cli.output import JSON, PAGES, PICTURES, _check
        from exegesis.show.palette import palette_named

        self.palette = palette_named(palette or "green-red").name
        self.color, self.quiet, self.files = color, quiet, [p for p in (json, report, figure) if p is not None]
        _check("--json", json, JSON[:1])
        _check("--report", report, PAGES[:1])
        _check("--figure", figure, PICTURES)

    @property
    def progress(self) -> bool:
        return not self.quiet and sys.stderr.isatty()

    def put(self, study: Study) -> None:
        """Write the files, then show the result."""
        for path in self.files:
            study.save(path, **({} if path.suffix.lower() == ".json" else {"palette": self.palette}))
            self.say(path)
        if not self.quiet:
            from exegesis.show.sheet_lines import render

            sys.stdout.write(render(study, color=self.color, palette=self.palette))

    def say(self, path: Path) -> None:
        """Name a file that was written."""
        if not self.quiet:
            print(f"wrote {path}", file=sys.stderr)


def _model(model: str, device: str | None, truncate: bool) -> Classifier:
    from exegesis.api import load

    return load(model, device=device, truncate=truncate)


def _examples(
    data: str, column: str | None, label: str | None, pair: str | None, split: str | None, limit: int | None = None
) -> list[Example]:
    from exegesis.core.data import read_examples

    return read_examples(data, column, label, pair, split)[:limit]


def _parameters(method: str | None, param: list[str] | None, model: Classifier) -> tuple[str, dict[str, Any]]:
    from exegesis.api import preferred
    from exegesis.cli.given import parameters_given

    name = method or preferred(model)
    return name, parameters_given(param or [], [name])[name]


@app.command()
def words(
    data: Data,
    column: given.Column = None,
    pair_column: given.PairColumn = None,
    split: Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: Method = None,
    param: given.Param = None,
    target: given.Target = None,
    tags: Annotated[str, typer.Option(metavar="TAGS", help="merged, penn or universal.")] = "merged",
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: Seed = 0,
    json: Json = None,
    report: Report = None,
    figure: Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """Which kinds of words the model goes by: scores by part of speech.

    \b
    exegesis study words reviews.tsv --figure classes.svg
    exegesis study words sst2/ --split test --model my-model -M lrp --report classes.html
    """
    sink = Sink(json, report, figure, palette, color, quiet)
    examples = _examples(data, column, None, pair_column, split, limit)

    from exegesis import study

    known = _model(model, device, truncate)
    name, parameters = _parameters(method, param, known)
    sink.put(study.words(known, examples, name, target, tags=tags, seed=seed, progress=sink.progress, **parameters))


@app.command()
def word(
    data: Data,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="The word, or several to compare.")],
    column: given.Column = None,
    label: Label = None,
    pair_column: given.PairColumn = None,
    split: Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: Method = None,
    param: given.Param = None,
    target: given.Target = None,
    contexts: Annotated[int, typer.Option(min=0, metavar="N", help="Contexts shown of each end.")] = 3,
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: Seed = 0,
    json: Json = None,
    report: Report = None,
    figure: Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """How a word acts in all its contexts, several side by side.

    \b
    exegesis study word reviews.tsv terrible terribly
    exegesis study word sst2/ good not --split test --figure words.svg
    """
    sink = Sink(json, report, figure, palette, color, quiet)
    examples = _examples(data, column, label, pair_column, split, limit)

    from exegesis import study

    known = _model(model, device, truncate)
    name, parameters = _parameters(method, param, known)
    sink.put(
        study.word(
            known, examples, words, name, target, contexts=contexts, seed=seed, progress=sink.progress, **parameters
        )
    )  # fmt: skip


Train = Annotated[
    str | None, typer.Option(metavar="DATA", help="The training texts, with labels.", rich_help_panel=given.IN)
]


@app.command()
def failures(
    data: Data,
    train: Train = None,
    column: given.Column = None,
    label: Label = None,
    pair_column: given.PairColumn = None,
    split: Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: Method = None,
    param: given.Param = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Causes looked into.")] = 20,
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="Texts shown of each.")] = 2,
    device: given.Device = None,
    truncate: given.Truncate = False,
    json: Json = None,
    report: Report = None,
    figure: Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """Wrong predictions by the words that caused them, and checks of the training data.

    \b
    exegesis study failures test.tsv --train train.tsv --report failures.html
    exegesis study failures sst2/ --split test --train sst2/ --model my-model
    """
    sink = Sink(json, report, figure, palette, color, quiet)
    texts = _examples(data, column, label, pair_column, split, limit)
    trained = _training(train, column, label, pair_column)

    from exegesis import study

    known = _model(model, device, truncate)
    name, parameters = _parameters(method, param, known)
    sink.put(
        study.failures(
            known, texts, train=trained, method=name, most=most, examples=examples, progress=sink.progress, **parameters
        )
    )


def _training(train: str | None, column: str | None, label: str | None, pair: str | None) -> list[Example] | None:
    if train is None:
        return None
    return _examples(train, column, label, pair, "train" if Path(train).is_dir() else None)


@app.command()
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
    label: Label = None,
    pair_column: given.PairColumn = None,
    split: Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: Method = None,
    param: given.Param = None,
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: Seed = 0,
    json: Json = None,
    report: Report = None,
    figure: Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """Other words in a word's place: which flip the prediction, and whether they do in other texts.

    \b
    exegesis study substitute "A smart, dumb and funny movie." dumb --data reviews.tsv --neighbours 8
    exegesis study substitute "Terribly charismatic." --synonyms mine.txt --language bundled --report swaps.html
    """
    sink = Sink(json, report, figure, palette, color, quiet)
    others = None if data is None else _examples(data, column, label, pair_column, split, limit)

    from exegesis import study

    known = _model(model, device, truncate)
    name, parameters = _parameters(method, param, known)
    sink.put(
        study.substitute(
            known, text, word, data=others, gold=gold, synonyms=synonyms, vectors=vectors, neighbours=neighbours,
            language=language, method=name, seed=seed, progress=sink.progress, **parameters,
        )
    )  # fmt: skip


@app.command()
def summary(
    data: Data,
    train: Train = None,
    column: given.Column = None,
    label: Label = None,
    pair_column: given.PairColumn = None,
    split: Split = None,
    limit: given.Limit = None,
    model: given.Model = "bundled",
    method: Method = None,
    param: given.Param = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Words of each label.")] = 12,
    minimum: Annotated[int, typer.Option(min=1, metavar="N", help="Uses that a word needs.")] = 5,
    device: given.Device = None,
    truncate: given.Truncate = False,
    seed: Seed = 0,
    json: Json = None,
    report: Report = None,
    figure: Figure = None,
    palette: given.Palette = None,
    color: given.Color = None,
    quiet: given.Quiet = False,
) -> None:
    """The strongest words of each label, texts whose explanation is no reason, words that act unlike their training.

    \b
    exegesis study summary test.tsv --train train.tsv --report summary.html
    """
    sink = Sink(json, report, figure, palette, color, quiet)
    texts = _examples(data, column, label, pair_column, split, limit)
    trained = _training(train, column, label, pair_column)

    from exegesis import study

    known = _model(model, device, truncate)
    name, parameters = _parameters(method, param, known)
    sink.put(
        study.summary(
            known, texts, train=trained, method=name, most=most, minimum=minimum, seed=seed, progress=sink.progress,
            **parameters,
        )
    )  # fmt: skip


_SHAPE = "Training"


@app.command()
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
    label: Label = None,
    most: Annotated[int, typer.Option(min=1, metavar="N", help="New texts of each direction, at most.")] = 200,
    new: Annotated[
        Path | None, typer.Option("--new", metavar="FILE", help="The new texts as .tsv.", rich_help_panel=given.OUT)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Trainings of each kind.", rich_help_panel=_SHAPE)] = 3,
    arch: Annotated[Arch, typer.Option(help="Cell; bi- reads both ways.", rich_help_panel=_SHAPE)] = Arch.gru,
    embedding: Annotated[int, typer.Option(min=1, help="Width of the embeddings.", rich_help_panel=_SHAPE)] = 100,
    hidden: Annotated[int, typer.Option(min=1, help="Width of one direction.", rich_help_panel=_SHAPE)] = 150,
    vectors: Annotated[Path | None, typer.Option(help="Word vectors to start from.", rich_help_panel=_SHAPE)] = None,
    epochs: Annotated[int, typer.Option(min=1, help="At most.", rich_help_panel=_SHAPE)] = 20,
    lr: Annotated[float, typer.Option(help="Adam's step size.", rich_help_panel=_SHAPE)] = 1e-3,
    device: Annotated[str, typer.Option(help="cpu, or cuda.", rich_help_panel=_SHAPE)] = "cpu",
    json: Json = None,
    report: Report = None,
    figure: Figure = None,
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

    sink = Sink(json, report, figure, palette, color, quiet)
    if new is not None and new.suffix.lower() != ".tsv":
        raise UsageError(f"--new {new}: the name must end in .tsv")
    parts = _parts(data, test, dev, column, label)

    from exegesis import study
    from exegesis.models.options import TrainOptions
    from exegesis.models.rnn import Cell, RecurrentConfig

    cell = cast("Cell", arch.value.removeprefix("bi"))
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
    from exegesis.core.data import find_split

    folder = Path(data)
    sources: dict[str, tuple[str, str | None]] = {"train": (data, "train" if folder.is_dir() else None)}
    for name, own in (("test", test), ("dev", dev)):
        if own is not None:
            sources[name] = own, name if Path(own).is_dir() else None
        elif folder.is_dir() and find_split(folder, name):
            sources[name] = data, name
    return {name: _examples(source, column, label, None, split) for name, (source, split) in sources.items()}


def _swaps(given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        word, sign, others = one.partition("=")
        listed = [other.strip() for other in others.split(",") if other.strip()]
        if not sign or not word.strip() or not listed:
            raise UsageError(f"--swap {one}: write WORD=WORD,WORD, such as terribly=extremely,very")
        found.setdefault(word.strip(), []).extend(listed)
    return found
