"""Results of any kind for the terminal, and as plain text. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exegesis.results.result import Result
from exegesis.show import BLOCKS, part
from exegesis.show.palette import Palette
from exegesis.show.terminal.look import Line, look_for, printed

Results = Result | Sequence[Result]


def render(
    results: Results,
    *,
    color: bool | None = None,
    palette: str | Palette = "green-red",
    width: int | None = None,
    numbers: bool = False,
    dark: bool | None = None,
    **options: Any,
) -> str:
    """Results as lines for a terminal, ending in a line feed; ``numbers=True`` adds a table of every number.

    Without ``color=`` colours are used where standard output is a terminal of at least 256 colours and ``NO_COLOR`` is
    not set. Characters that would act on the terminal are shown, never sent. ``width`` and ``dark`` are read from the
    terminal unless given (dark where it does not say). Of words and relevance ``scale`` is an option too.
    """
    look = look_for(color, palette, width, dark)
    lines: list[Line] = []
    for block in part(BLOCKS, results)(results, look, numbers, **options):
        lines += [[], [], *block] if lines else block
    return printed(lines, look.color)


def txt(results: Results) -> str:
    """As in a terminal without colour, 100 columns wide, with every score."""
    return render(results, color=False, width=100, numbers=True)
