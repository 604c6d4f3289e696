"""Errors of the parser of the command line, in the words of Exegesis."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

from exegesis.core.errors import ExegesisError, UsageError

_SPOKEN = (  # what the functions of Python call an option, and what the command line calls it
    (r"\b(truncate|skip_blank)=True\b", lambda found: f"--{found[1].replace('_', '-')}"),
    (r"\bwindows=(\d+)", lambda found: f"--windows {found[1]}"),
    (r"^(most|budget|share) must be", lambda found: f"--{found[0]}"),
    (r"\bmost=(\d*)", lambda found: f"--most {found[1]}".rstrip()),
    (r"^influence=METHOD and train=DATA\b", lambda found: "--influence METHOD and --train DATA"),
    (r"(?<=texts, and )windows (?=reads)", lambda found: "--windows "),
    (r": leave (lines|properties|windows) out$", lambda found: f": leave --{found[1]} out"),
    (r"^gpus belongs to engine='ray'", lambda found: "--gpus belongs to --engine ray"),
    (r"\bgive more as compared=$", lambda found: "give more as --compared FILE"),
    (r"^tracin needs checkpoints; give checkpoints$", lambda found: f"{found[0]}: -p checkpoints=FOLDER"),
    (r"\bencoding='([\w-]+)'", lambda found: f"--encoding {found[1]}"),
    (r"\b(baseline|how)='(\w+)'", lambda found: f"--param {found[1]}={found[2]}"),
    (r"recommendation=FILE, (?=--rec)", lambda found: ""),
)
_INSTEAD = {  # commands that people look for
    "page": "a page is written by --html FILE, or served: exegesis serve",
    "loo": "did you mean exegesis explain -M leave-one-out?",
    "version": "it is an option, exegesis --version",
    "help": "it is an option, exegesis --help",
}
_NUMBERS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


class Interrupted(ExegesisError):
    """The user ended the work; the message says how to go on."""


def spoken(message: str) -> str:
    """An error in the words of the command line, whose options stand for arguments of functions."""
    for pattern, said in _SPOKEN:
        message = re.sub(pattern, said, message)
    return message


def complaint(error: Any) -> str:
    """An error of the parser as one line: the option, the value, and what would be right; else the parser's words."""
    option = next(iter(getattr(getattr(error, "param", None), "opts", None) or ()), "")
    errors = getattr(getattr(error, "__cause__", None), "errors", None)  # the check of a value by its type
    if option and callable(errors):
        detail = dict(errors()[0])
        bounds, number = detail.get("ctx") or {}, _NUMBERS.get(str(detail["type"]).partition("_")[0])
        wanted = f"a number of {bounds['ge']} or more" if "ge" in bounds else number
        wanted = f"a number of at most {bounds['le']}" if "le" in bounds else wanted
        if wanted is not None:
            return f"{option} {detail['input']}: give {wanted}"
    message = str(error.format_message())
    named = re.search(r"[Nn]o such command '([^']*)'", message)
    hint = _INSTEAD.get(named[1]) if named else None
    return f"{message.rstrip('.')}: {hint}" if hint else message


class OnceEach(TyperCommand):
    """A command of the parser that refuses an option given twice where it has one value: the first would be lost."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = [word.partition("=")[0] for word in (args[: args.index("--")] if "--" in args else args)]
        for parameter in self.params:
            twice = [word for word in given if word in parameter.opts and word.startswith("-")]
            single = getattr(parameter, "nargs", 1) == 1 and not getattr(parameter, "multiple", False)
            if single and not getattr(parameter, "is_flag", False) and len(twice) > 1:
                names = list(dict.fromkeys(twice))
                told = " and ".join(names) + (" are one option, it" if len(names) > 1 else " is given twice and")
                raise UsageError(f"{told} takes one value: give it once")
        return super().parse_args(ctx, args)
