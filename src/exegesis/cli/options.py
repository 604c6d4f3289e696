"""Commands and their options as values: groups of options, which ``unfolded`` unfolds into what Typer reads.

A command is a group whose fields are its options, most of them declared once in the groups below; its docstring is its
help, and ``run`` does the work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, dataclass_transform, get_args, get_type_hints

from typer import Argument, Option
from typer.models import OptionInfo

from exegesis.cli.outputs import JSON, PAGES, Files
from exegesis.core.errors import unknown


def option(text: str, *names: str, default: Any = None, **more: Any) -> Any:
    """A field of a group that is an option of the command line; ``text`` is its help."""
    return field(default=default, metadata={"info": Option(*names, help=text, **more)})


def argument(text: str, metavar: str | None, default: Any = MISSING) -> Any:
    """A field of a group that is an argument of the command line, required unless it has a default."""
    return field(default=default, metadata={"info": Argument(metavar=metavar, help=text)})


def choice(text: str, names: Sequence[str], default: str | None, prefix: str | tuple[str, ...] = "") -> Any:
    """A field of a group that is an option with one of several values, or with any that begins with a ``prefix``."""

    def check(_: Any, param: Any, value: str | None) -> str | None:  # Typer also hands over its context
        if value is not None and value not in names and not (prefix and value.startswith(prefix)):
            begun = (prefix,) if isinstance(prefix, str) else prefix
            raise unknown(param.opts[0], value, [*names, *(f"{beginning}FOLDER" for beginning in begun if beginning)])
        return value

    return option(text, metavar=f"<{'|'.join(names)}>", callback=check, default=default)


def methods(text: str) -> Any:
    """A field of a group that is the option of several methods."""
    return option(text, "--methods", "--method", "-M", metavar="A,B,C")


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Group:
    """Options that belong together. Every subclass is a frozen dataclass of fields that the functions above make."""

    panel: ClassVar[str | None] = None  # the panel of the help that shows the options

    def __init_subclass__(cls, panel: str | None = None) -> None:
        cls.panel = panel
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """One keyword parameter per field, annotated for Typer: those of the bases first, the last base before all."""
        hints, flat = get_type_hints(cls), []
        for known in fields(cls):  # type: ignore[arg-type]
            info, hint, default = copy(known.metadata["info"]), hints[known.name], known.default
            if isinstance(info, OptionInfo):
                home: Any = next(base for base in cls.__mro__ if known.name in inspect.get_annotations(base))
                info.rich_help_panel = info.rich_help_panel or home.panel
                info.metavar = "" if bool in (hint, *get_args(hint)) else info.metavar  # a flag takes no value
            default = inspect.Parameter.empty if default is MISSING else default
            kind = inspect.Parameter.KEYWORD_ONLY
            flat.append(inspect.Parameter(known.name, kind, default=default, annotation=Annotated[hint, info]))
        return flat


class Command(Group):
    """A command of the command line."""

    def run(self) -> None:
        """Do what the options ask for. Raises ExegesisError, whose one line is shown."""
        raise NotImplementedError


def unfolded(command: type[Command]) -> Callable[..., None]:
    """The function with the flat signature that Typer reads; it runs the command with the options that it gets."""

    def run(**values: Any) -> None:
        command(**values).run()

    flat = command.parameters()
    run.__name__, run.__doc__ = command.__name__.lower(), command.__doc__
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return run


OUTPUT: Any = {"rich_help_panel": "Output"}
TABLES = "Read texts from .txt, .jsonl, .tsv or .csv."
COLUMN = partial(option, "Column of the text: its name, or its number from 1.", metavar="COLUMN")
PAIR_COLUMN = partial(option, "Column of the second text.", metavar="COLUMN")
LABEL = partial(option, "Column of the label.", metavar="COLUMN")
PAIR = partial(option, "Second text, for a model of text pairs.", metavar="TEXT")
DELIMITER = partial(option, "What stands between the cells of a table; a tab is 'tab'.", metavar="CHARACTER")
ENCODING = partial(option, "Of a file that is not UTF-8, such as cp1252.", metavar="NAME")
LIMIT = partial(option, "Read only the first N texts.", metavar="N", min=1)
PARAM = partial(option, "Of a method, such as samples=500; repeatable.", "--param", "-p", metavar="NAME=VALUE")
RECOMMENDATION = partial(option, "For -M best: what 'exegesis recommend' wrote for this model.", metavar="FILE")
TARGET = partial(option, "LABEL, all, probability:LABEL, margin:A,B; by default the predicted label.", "--target", "-t",
                 metavar="TARGET")  # fmt: skip
NUMBERS = partial(option, "Show every score as a number.", "--numbers", "-n", default=False, **OUTPUT)
QUIET = partial(option, "Show no result and no progress.", "--quiet", "-q", default=False, **OUTPUT)
LINES = partial(option, "Print JSON lines.", "--json", default=False, **OUTPUT)
SEED = partial(option, metavar="N", min=0, default=0)


class Texts(Group, panel="Texts"):
    """The texts that a command reads."""

    texts: list[str] | None = argument(
        "One or more texts; '-' or nothing reads one text per line from standard input.", "TEXT...", None
    )
    file: Path | None = option(TABLES, "--file", "-f", metavar="FILE")
    column: str | None = COLUMN()
    pair: str | None = PAIR()
    pair_column: str | None = PAIR_COLUMN()
    limit: int | None = LIMIT()
    delimiter: str | None = DELIMITER()
    encoding: str | None = ENCODING()
    skip_blank: bool = option("Leave out blank texts and say which.", "--skip-blank", default=False)


class Collection(Texts, panel="Texts"):
    """The texts that methods are judged by."""

    file: Path | None = option(TABLES, "--data", "--file", "-f", metavar="FILE")


class Model(Group):
    """The model to explain."""

    model: str = option(
        "'bundled', a folder, or a Hugging Face name or folder.", "--model", "-m", metavar="MODEL", default="bundled"
    )
    device: str | None = option("cpu, cuda, ...", metavar="DEVICE")
    truncate: bool = option("Cut texts that are too long for a Hugging Face model.", "--truncate", default=False)
    windows: int | None = option("Read texts that are too long in windows that share N pieces.", metavar="N", min=0)
    task: str | None = option("Of a Hugging Face model: fill-mask, ...; by default its own.", metavar="TASK")


class Recommended(Model):
    """A model, parameters of methods, and a file that recommends a method."""

    recommendation: Path | None = RECOMMENDATION()
    param: list[str] | None = PARAM()


class Measures(Group, panel="Measures"):
    """Measures of explanations."""

    measures: list[str] | None = option("By default the usual ones; with parameters: deletion:words=5.", metavar="A,B")
    how: str | None = option(
        "What replaces a removed word, each measured: drop, zero, pad, unknown, mask, resample.", metavar="A,B"
    )
    seed: int = SEED("Seed of random scores and of intervals.")


class Look(Group, panel="Output"):
    """Colours of a result."""

    palette: str | None = option("Colours: green-red or blue-orange.", metavar="NAME")
    color: bool | None = option("By default only on a terminal.", "--color/--no-color")

    def view(self) -> dict[str, Any]:
        """Options of a view in the terminal. Raises UsageError for an unknown palette."""
        from exegesis.show.palette import palette_named

        return {"palette": palette_named(self.palette or "green-red").name, "color": self.color}


class Report(Group, panel="Output"):
    """Files of one result."""

    json: Path | None = option("All numbers, for exegesis.read.", "--json", metavar="FILE")
    report: Path | None = option("A self-contained .html page.", "--html", "--report", metavar="FILE")

    def files(self) -> Files:
        """The files by option, with the endings that they may have."""
        return {"--json": (self.json, JSON[:1]), "--html": (self.report, PAGES[:1])}
