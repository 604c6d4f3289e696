"""Options and helpers that the commands of ``exegesis study`` share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exegesis.cli import options as given
from exegesis.core.errors import ExegesisError, UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.protocols.model import Classifier
    from exegesis.results.study import Study

Data = Annotated[
    str,
    typer.Argument(metavar="DATA", help="A .txt, .tsv, .csv or .jsonl file, a folder with a --split, or a dataset."),
]
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
Train = Annotated[
    str | None, typer.Option(metavar="DATA", help="The training texts, with labels.", rich_help_panel=given.IN)
]


class Sink:
    """Where a study goes: the terminal and files, whose names are checked before the work begins."""

    def __init__(
        self, json: Path | None, report: Path | None, figure: Path | None, palette: str | None, color: bool | None,
        quiet: bool,
    ) -> None:  # fmt: skip
        from exegesis.cli.outputs import JSON, PAGES, PICTURES, check_file
        from exegesis.show.palette import palette_named

        self.palette = palette_named(palette or "green-red").name
        self.color, self.quiet, self.files = color, quiet, [p for p in (json, report, figure) if p is not None]
        check_file("--json", json, JSON[:1])
        check_file("--report", report, PAGES[:1])
        check_file("--figure", figure, PICTURES)

    @property
    def progress(self) -> bool:
        return not self.quiet and sys.stderr.isatty()

    def put(self, study: Study) -> None:
        """Write the files, then show the result. Raises ExegesisError at the end for a file that cannot show it."""
        refused = None
        for path in self.files:
            try:
                study.save(path, **({} if path.suffix.lower() == ".json" else {"palette": self.palette}))
            except UsageError as error:  # what was found has no picture: known only now, and the rest is worth having
                refused = f"{path}: {error}"
                continue
            self.say(path)
        if not self.quiet:
            from exegesis.show.terminal.page import render

            sys.stdout.write(render(study, color=self.color, palette=self.palette))
        if refused is not None:
            raise ExegesisError(refused)

    def say(self, path: Path) -> None:
        """Name a file that was written."""
        if not self.quiet:
            print(f"wrote {path}", file=sys.stderr)


def model_named(model: str, device: str | None, truncate: bool) -> Classifier:
    from exegesis.api import load

    return load(model, device=device, truncate=truncate)


def examples_of(
    data: str, column: str | None, label: str | None, pair: str | None, split: str | None, limit: int | None = None
) -> list[Example]:
    from exegesis.data.examples import read_examples

    if split is not None and Path(data).is_file():
        raise UsageError(f"--split belongs to a folder or a data set, and {data} is a file; leave it out")
    return read_examples(data, column, label, pair, split)[:limit]


def parameters_of(
    method: str | None, param: list[str] | None, model: Classifier, recommendation: Path | None, folder: str
) -> tuple[str, dict[str, Any]]:
    """The method and its parameters; ``best`` is the recommended one."""
    from exegesis.api import preferred
    from exegesis.cli.inputs import methods_given

    names, parameters = methods_given(model, [method or preferred(model)], param or [], recommendation, folder)
    return names[0], parameters[names[0]]


def training_of(train: str | None, column: str | None, label: str | None, pair: str | None) -> list[Example] | None:
    if train is None:
        return None
    return examples_of(train, column, label, pair, "train" if Path(train).is_dir() else None)
