"""Values that show themselves: in a terminal, in a notebook's cell, in files.

``show``, which stands above, registers the function that draws them in a medium (a file's ending, or another name).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, ClassVar, TypeVar

View = Callable[..., str | bytes]  # takes values, a medium and options
MOST = 20  # values of a list that a notebook's cell shows
_draw: list[View] = []
Card = TypeVar("Card")


class Shown:
    """A value that shows itself; ``view`` names its document in ``show.documents`` if its class does not."""

    view: ClassVar[str] = ""

    def drawn_parts(self) -> Sequence[Any]:
        """What is drawn: the value itself, or those that it holds."""
        return [self]

    def show(self, **options: Any) -> None:
        """Print the value as a terminal's view, or show it as a notebook's if a notebook's cell runs.

        ``options`` are those of the view (``numbers=True``, ``palette="blue-orange"``).
        """
        if in_notebook() and not options:
            display = import_module("IPython.display").display

            display(self)
        else:
            print(str(drawn(self.drawn_parts(), "terminal", **options)).rstrip("\n"))

    def _repr_html_(self) -> str | None:
        parts = list(self.drawn_parts())
        if not parts:
            return None
        more = (
            f"<p>{len(parts) - MOST} more are not shown here: save them all as .html, or show a part of the list.</p>"
        )
        return str(drawn(parts[:MOST], "notebook")) + more * (len(parts) > MOST)


class Catalogue(tuple[Card, ...], Shown):
    """Cards of what can be chosen (methods, measures): a tuple that shows itself as a table."""

    view = "catalogue"


def in_notebook() -> bool:
    """True if a notebook's cell runs."""
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None


def register_views(draw: View) -> None:
    """Register the function that draws values in a medium."""
    _draw[:] = [draw]


def drawn(values: Sequence[Any], medium: str, **options: Any) -> str | bytes:
    """Draw values in a medium. Raises FileError for an unknown ending."""
    return _draw[0](values, medium, **options)
