"""The command line. Errors are one line on standard error; exit code 0, 1 for a failure of the work, 2 for wrong usage.

2: the command is wrong as it is written, on any machine (an unknown name, option, ending, kind of file, or a method
that does not go with a search). 1: the work fails (a file that is missing or damaged, a place that cannot be written,
a model that cannot serve a method).

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Annotated

import typer

from exegesis._version import __version__
from exegesis.cli.complaints import complaint
from exegesis.cli.encoding import show_all
from exegesis.cli.evaluate import compare, evaluate
from exegesis.cli.explain import explain
from exegesis.cli.listing import methods, predict
from exegesis.cli.recommend import recommend
from exegesis.cli.study import app as study
from exegesis.cli.train import train
from exegesis.core.errors import ExegesisError, UsageError

INTERRUPTED = 130  # the exit code, as shells count

app = typer.Typer(
    name="exegesis",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(explain)
app.command()(evaluate)
app.command()(compare)
app.command()(recommend)
app.command()(predict)
app.command()(methods)
app.command()(train)
app.add_typer(study, name="study")


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"exegesis {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    """Explains neural NLP models: why did this model say this about this text?

    \b
    exegesis explain "The fight scenes are fun but it grows tedious"
    exegesis explain "A fine film." --level all --figure why.svg
    exegesis predict --file reviews.txt
    exegesis evaluate --data reviews.tsv --methods reat,lime --report trust.html
    exegesis recommend --data reviews.tsv --budget 20 --out best.json
    exegesis methods --for bundled
    exegesis train sst2/ --arch bigru --out my-model
    exegesis study words reviews.tsv --report classes.html
    exegesis COMMAND --help
    """


def main() -> None:
    """Run the command line and leave with its exit code. A request to end is taken as Ctrl-C: nothing stays behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    show_all()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code. EXEGESIS_DEBUG=1 shows the traceback of an unexpected error."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments or ["--help"], prog_name="exegesis", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # what the parser makes of Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except ExegesisError as error:
        return _say(str(error), 2 if isinstance(error, UsageError) else 1)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", INTERRUPTED)
    except typer.Exit as leave:
        return int(leave.exit_code)
    except (BrokenPipeError, SystemExit):  # the reader of a pipe left, as `head` does; the parser makes it an exit
        _drop_output()
        return 0
    except OSError as error:
        if error.filename is None:
            _drop_output()
        place = error.filename or "standard output"
        return _say(f"cannot read or write {place} ({error.strerror or error})", 1)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # the parser's own complaint
            if not error.format_message():  # none: the help of a group was shown, as asked by its name alone
                return 0
            return _say(complaint(error), int(error.exit_code), hint=True)
        if os.environ.get("EXEGESIS_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        return _say(f"unexpected failure ({what}); EXEGESIS_DEBUG=1 shows where", 1)


def _drop_output() -> None:
    """Let what standard output still holds go nowhere: at the end Python would try to write it once more, and fail."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int, *, hint: bool = False) -> int:
    line = " ".join(message.split())
    tail = "" if not hint or line.endswith(("--help", ")")) else " (exegesis --help)"
    visible = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line + tail)
    print(f"exegesis: {visible}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
    return code
