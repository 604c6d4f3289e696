"""The command line. Errors are one line on standard error; the exit code is 0, 1 if the work fails, 2 for wrong usage.

Usage is wrong if the command is wrong on any machine: an unknown name, option, ending or kind of file, a method that
does not go with a search. The work fails for a missing or damaged file, a place that cannot be written, a model that
cannot serve a method. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer

from exegesis import _interrupt
from exegesis._version import __version__
from exegesis.cli.complaints import Interrupted, OnceEach, complaint, spoken
from exegesis.cli.options import unfolded
from exegesis.cli.outputs import show_all
from exegesis.core.errors import ExegesisError, UsageError
from exegesis.core.escapes import escaped

INTERRUPTED = _interrupt.CODE

COMMANDS = {  # in the order of the help; each is a class of its file, imported when it is asked for
    "explain": "explain.Explain",
    "generate": "generate.Generate",
    "influence": "influence.Influence",
    "index": "influence.Index",
    "evaluate": "evaluate.Evaluate",
    "compare": "evaluate.Compare",
    "recommend": "recommend.Recommend",
    "predict": "listing.Predict",
    "methods": "listing.Methods",
    "train": "training.train.Train",
    "run": "corpus.Run",
    "corpus": "corpus.Corpus",
    "report": "report.Report",
    "serve": "serve.Serve",
    "attention-test": "studies.attention.AttentionTest",
    "nli": "nli.Nli",
    "rename": "training.deciding.Rename",
}
STUDIES = {  # likewise
    "heads": "studies.treebanks.Heads",
    "probe": "studies.treebanks.Probe",
    "words": "studies.by_method.Words",
    "word": "studies.by_method.Word",
    "summary": "studies.by_method.Summary",
    "failures": "studies.by_method.Failures",
    "substitute": "studies.by_method.Substitute",
    "repair": "studies.trained.Repair",
    "mislabels": "studies.trained.Mislabels",
    "amend": "studies.trained.Amend",
    "calibrate": "studies.trained.Calibrate",
    "information": "studies.information.Information",
    "concepts": "studies.concepts.Concepts",
    "excerpts": "studies.excerpts.Excerpts",
    "links": "studies.links.Links",
    "written": "studies.written.Written",
    "bridge": "studies.written.Bridge",
}
STUDY = "Study what the model has learned, over a corpus: word classes, words, failures, substitutions, repair."


def command_line(wanted: str | None = None) -> typer.Typer:
    """The parser, with one command if it is the name of one, else with all: no command is loaded for another."""
    app = _group(COMMANDS if wanted not in COMMANDS else {wanted: COMMANDS[wanted]}, name="exegesis")
    app.callback()(root)
    if wanted not in COMMANDS:
        app.add_typer(_group(STUDIES, name="study", help=STUDY, no_args_is_help=True))
    return app


def _group(commands: Mapping[str, str], **more: Any) -> typer.Typer:
    settings = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich", context_settings=settings, **more
    )
    for name, place in commands.items():
        module, _, kind = place.rpartition(".")
        app.command(name, cls=OnceEach)(unfolded(getattr(import_module(f"exegesis.cli.{module}"), kind)))
    return app


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"exegesis {__version__}")
        raise typer.Exit
    return wanted


def root(
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Explain neural NLP models: why did this model say this about this text?

    \b
    exegesis explain "The fight scenes are fun but it grows tedious"
    exegesis explain "A fine film." --level all --figure why.svg
    exegesis influence "A fine film." --model my-model --train sst2/
    exegesis index sst2/ --model my-model --out indexed
    exegesis generate "The capital of France is" --model my-language-model
    exegesis predict --file reviews.txt
    exegesis evaluate --data reviews.tsv --methods reat,lime --html trust.html
    exegesis recommend --data reviews.tsv --budget 20 --out best.json
    exegesis methods --model bundled
    exegesis train sst2/ --arch bigru --out my-model
    exegesis attention-test --model my-model --data reviews.tsv
    exegesis study words reviews.tsv --html classes.html
    exegesis run reviews.tsv --store explained --processes 4
    exegesis corpus explained --by label
    exegesis report --data reviews.tsv --out report.html
    exegesis serve
    exegesis COMMAND --help
    """


def main() -> None:
    """Run the command line and exit. A request to terminate counts as Ctrl-C, so that nothing is left behind."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    show_all()
    ours = signal.getsignal(signal.SIGINT) in (_interrupt.leave, signal.default_int_handler)  # not that of a job behind
    try:
        signal.signal(signal.SIGTERM, _interrupt.interrupt)
        if ours:
            signal.signal(signal.SIGINT, _interrupt.interrupt)
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # between two lines of this function
        code = _say("interrupted", INTERRUPTED)
    if ours:
        signal.signal(signal.SIGINT, _interrupt.leave)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. EXEGESIS_DEBUG=1 shows the traceback of an unexpected error."""
    try:
        command = typer.main.get_command(command_line(next(iter(arguments), None)))
        code = command.main(args=arguments or ["--help"], prog_name="exegesis", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # the parser's answer to Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        lost = _interrupt.came() and not isinstance(error, typer.Exit)  # it became another error, as in an import
        if lost or isinstance(error, KeyboardInterrupt | typer.Abort | Interrupted):
            return _say(str(error) if isinstance(error, Interrupted) else "interrupted", INTERRUPTED)
        return _ended(error)


def _ended(error: BaseException) -> int:
    """The exit code of a command that ended with an error, which is said in one line."""
    if isinstance(error, ExegesisError):
        return _say(spoken(str(error)), 2 if isinstance(error, UsageError) else 1)
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, BrokenPipeError | SystemExit):  # the reader of a pipe left, as `head` does
        _drop_output()
        return 0
    if isinstance(error, OSError):
        if error.filename is None:
            _drop_output()
        place = error.filename or "standard output"
        return _say(f"cannot read or write {place} ({error.strerror or error})", 1)
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # the parser's own complaint
        words = complaint(error)  # none: the help of a group was shown, because only its name was given
        return _say(words, int(error.exit_code), hint=True) if words else 0
    if os.environ.get("EXEGESIS_DEBUG"):
        raise error
    first = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return _say(f"unexpected failure ({first}); EXEGESIS_DEBUG=1 shows where", 1)


def _drop_output() -> None:
    """Discard the rest of standard output, which Python would try to write once more at its end, and fail."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int, *, hint: bool = False) -> int:
    line = " ".join(message.split())
    tail = "" if not hint or line.endswith(("--help", ")")) else " (exegesis --help)"
    print(escaped(f"exegesis: {line}{tail}"), file=sys.stderr)
    return code
