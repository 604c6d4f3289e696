"""Where results go: standard output, and files that are written completely or not at all."""

from __future__ import annotations

import codecs
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.core.disk.files import try_writing
from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped

if TYPE_CHECKING:
    from exegesis.cli.explain import Output
    from exegesis.cli.resume import Run
    from exegesis.results.result import Result

Files = Mapping[str, tuple[Path | str | None, Sequence[str]]]  # by option, with the endings that are allowed
MANY = 20  # texts, from which on a terminal shows no views beside files
JSON, PAGES, PICTURES = (".json", ".jsonl"), (".html", ".htm"), (".svg", ".png", ".pdf")
ASCII = {
    **dict.fromkeys("┌┐└┘├┤", "+"), **dict.fromkeys("─━", "-"), **dict.fromkeys("│┃", "|"), "┊": ":",
    **dict.fromkeys("█▉▊▋▌", "#"), **dict.fromkeys("▍▎▏", " "), "░": ".",
    "\N{MINUS SIGN}": "-", "·": "-", "±": "~", "…": "~", **dict.fromkeys("“”", '"'), **dict.fromkeys("‘’", "'"),
    **{chr(0x2800 + dots): "|/-\\"[dots % 4] for dots in range(256)},  # those of a progress bar turn
    "\N{UPWARDS ARROW}": "^", "\N{DOWNWARDS ARROW}": "v",
}  # fmt: skip


def show_all() -> None:
    """Let standard output and standard error take every character: ASCII of the same width for lines and signs that
    the encoding lacks, escapes such as ``\\u2400`` for others."""

    def replaced(error: UnicodeError) -> tuple[str | bytes, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        lacking = error.object[error.start : error.end]
        return "".join(ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking), error.end

    codecs.register_error("exegesis-ascii", replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="exegesis-ascii")


def progress(quiet: bool) -> bool:
    """True if standard error is a terminal that may show progress."""
    return not quiet and sys.stderr.isatty()


def width() -> int:
    """Columns for a table."""
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def save(results: Sequence[Result], files: Files, *, quiet: bool) -> None:
    """Write results to each of the files that the user named, and say so."""
    from exegesis.results.result import save

    for path in (path for path, _ in files.values() if path is not None):
        save(results, path)
        say(path, quiet)


def say(path: str | Path, quiet: bool) -> None:
    """Name a file that was written."""
    if not quiet:
        print(f"wrote {escaped(path)}", file=sys.stderr)


@contextmanager
def stream(
    output: Output, texts: int = 1, run: Run | None = None
) -> Iterator[Callable[[Sequence[Sequence[Result]]], None]]:
    """Take explanations of ``texts`` part by part, grouped by text: JSON lines and the view go out at once; other files
    need all results, are drawn at the end and then written. After an error no file is left, but for the JSON lines of
    a ``run``, which goes on with what it has."""
    from exegesis.core.disk.files import growing, write_whole, writing
    from exegesis.results.result import rendered, restored

    view, shown = output.view(), count()
    lines = output.json if output.json is not None and _ending(output.json) != ".json" else None
    named = (None if lines else output.json, output.csv, output.html, output.figure)
    paths = [Path(path) for path in named if path is not None]
    silent = output.quiet or lines == "-" or (bool(lines or paths) and texts > MANY)
    results: list[Any] = [restored(row) for row in run.rows] if run is not None and paths else []
    with ExitStack() as stack:
        if lines in (None, "-"):
            put: Any = _print if lines else None
        else:
            put = stack.enter_context((writing if run is None else growing)(str(lines)))
        if run is not None:
            stack.enter_context(run.kept())

        def add(by_text: Sequence[Sequence[Result]]) -> None:
            flat = [result for results in by_text for result in results]
            if put is not None:
                mark = {} if run is None else {"run": run.name}
                put("".join(json.dumps({**result.to_dict(), **mark}, allow_nan=False) + "\n" for result in flat))
            if run is not None:
                run.done += len(by_text)
            if not silent:
                from exegesis.show import render

                for group in by_text:
                    _print("\n" * (next(shown) > 0) + render(group, **view).rstrip("\n") + "\n")
            results.extend(flat if paths else ())

        yield add
        drawn = [(path, rendered(results, path.suffix, **_fitting(path, view))) for path in paths]
        for path, content in drawn:
            write_whole(path, content)
    for name in (lines, *paths):
        if name is not None and name != "-":
            say(name, output.quiet)


def _fitting(path: Path, view: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the view that this kind of file has too."""
    known = {".json": (), ".csv": (), **dict.fromkeys(PICTURES, ("palette", "numbers", "lines"))}.get(
        _ending(path), ("palette", "lines")
    )
    return {name: value for name, value in view.items() if name in known}


def _print(line: str | bytes) -> None:
    sys.stdout.write(str(line))


def _ending(path: str | Path) -> str:
    return Path(path).suffix.lower()


def check_files(outputs: Files, inputs: Sequence[str | Path | None] = ()) -> None:
    """Check the files to write before the work begins.

    Raises UsageError for a wrong ending and for a file that is one of the ``inputs``, FileError for a place that cannot
    be written.
    """
    for out, _ in outputs.values():
        if out is not None and any(_same(out, source) for source in inputs if source is not None):
            raise UsageError(f"{out} is read here and would be written over; choose another name")
    for option, (out, endings) in outputs.items():
        if out is not None and _ending(out) not in endings:
            standard = ", or be - for standard output" if endings == JSON else ""
            raise UsageError(f"{option} {out}: the name must end in {' or '.join(endings)}{standard}")
    for out, _ in outputs.values():
        if out is not None:
            try_writing(out)


def _same(out: str | Path, source: str | Path) -> bool:
    with suppress(OSError, ValueError):  # a name that is missing, too long or holds a NUL
        return Path(out).is_file() and os.path.samefile(out, source)
    return False
