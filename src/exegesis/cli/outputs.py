"""Where results go: standard output, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from exegesis.core.errors import FileError, UsageError
from exegesis.core.files import try_writing

if TYPE_CHECKING:
    from exegesis.core.files import Put
    from exegesis.results.result import Result

JSON, PAGES, PICTURES = (".json", ".jsonl"), (".html", ".htm"), (".svg", ".png", ".pdf")


class Output:
    """Takes the results part by part. Lines of JSON and the view go out at once; other files need all results, are
    drawn at the end and then written. After an error no file is left."""

    def __init__(
        self,
        to_json: str | None,
        html: Path | None,
        figure: Path | None,
        view: dict[str, Any] | None,
        quiet: bool,
    ) -> None:
        """``view`` is None for no view. Raises UsageError for a wrong ending, FileError for a place that cannot be
        written."""
        self.lines = to_json if to_json is not None and _ending(to_json) != ".json" else None
        whole = [to_json if self.lines is None else None, html, figure]
        self.whole = [Path(path) for path in whole if path is not None]
        self.view = None if quiet or to_json == "-" else view
        self.options, self.quiet = view or {}, quiet
        self._stack, self._put, self._kept, self._shown = ExitStack(), None, [], 0
        if to_json != "-":
            check_file("--json", to_json, JSON)
        check_file("--html", html, PAGES)
        check_file("--figure", figure, (*PICTURES, ".tex"))

    _put: Put | None
    _kept: list[Result]

    def __enter__(self) -> Self:
        from exegesis.core.files import writing

        if self.lines is not None:
            self._put = _print if self.lines == "-" else self._stack.enter_context(writing(self.lines))
        return self

    def __exit__(self, *error: Any) -> bool | None:
        if error[0] is None:
            self._write()
        done = self._stack.__exit__(*error)
        if error[0] is None and not self.quiet:
            for path in [*([self.lines] if self.lines not in (None, "-") else []), *self.whole]:
                print(f"wrote {path}", file=sys.stderr)
        return done

    def add(self, by_text: Sequence[Sequence[Result]]) -> None:
        """The results of some texts, those of one text together."""
        flat = [result for results in by_text for result in results]
        if self._put is not None:
            for result in flat:
                self._put(json.dumps(result.to_dict(), allow_nan=False) + "\n")
        if self.view is not None:
            from exegesis.show.terminal.page import render

            for results in by_text:
                _print(("\n" if self._shown else "") + render(results, **self.view).rstrip("\n") + "\n")
                self._shown += 1
        if self.whole:
            self._kept += flat

    def _write(self) -> None:
        from exegesis.core.files import write_whole
        from exegesis.results.result import rendered

        drawn = [(path, rendered(self._kept, path.suffix, **self._options(path))) for path in self.whole]
        for path, content in drawn:
            write_whole(path, content)

    def _options(self, path: Path) -> dict[str, Any]:
        """The options of the view that this kind of file has too."""
        known = {".json": (), **dict.fromkeys(PICTURES, ("palette", "numbers"))}.get(_ending(path), ("palette",))
        return {name: value for name, value in self.options.items() if name in known}


def _print(line: str | bytes) -> None:
    sys.stdout.write(str(line))


def _ending(path: str | Path) -> str:
    return Path(path).suffix.lower()


def check_apart(outputs: Sequence[str | Path | None], inputs: Sequence[str | Path | None]) -> None:
    """Raises UsageError where a file to be written is one that is read: what the user gave would be lost."""
    for out in outputs:
        if any(_same(out, source) for source in inputs):
            raise UsageError(f"{out} is read here and would be written over; choose another name")


def _same(out: str | Path | None, source: str | Path | None) -> bool:
    if out is None or source is None:
        return False
    with suppress(OSError, ValueError):  # one of them is not there, or can be none
        return Path(out).is_file() and os.path.samefile(out, source)
    return False


def check_file(option: str, given: str | Path | None, endings: tuple[str, ...]) -> None:
    if given is None:
        return
    if _ending(given) not in endings:
        standard = ", or be - for standard output" if endings == JSON else ""
        raise UsageError(f"{option} {given}: the name must end in {' or '.join(endings)}{standard}")
    path = Path(given)
    try:
        parent = path.resolve().parent
        if path.is_dir() or not parent.is_dir():
            reason = "it is a folder" if path.is_dir() else "no such folder"
        else:
            try_writing(path)
            return
    except FileError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # a name that is too long or holds a NUL
        reason = getattr(error, "strerror", None) or str(error)
    raise FileError(f"cannot write {path} ({reason}); choose another place")
