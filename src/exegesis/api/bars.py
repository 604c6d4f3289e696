"""Progress bars on standard error, or in a notebook's cell; the time left follows from the work that is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from exegesis.core.progress import heard
from exegesis.core.shown import in_notebook

Advance = Callable[..., object]  # called after each text, with its number if that is known
EVERY = 0.3  # seconds between two lines in a notebook


class Bar:
    """Progress over ``total`` units of work called ``what``, whose ``weights`` say how much work each is.

    Short texts come first, so the number of texts done would promise too much: the time left is that of the work done,
    scaled. One bar may run several times, for parts of the work; ``first`` is the number of a part's first unit. If
    units are worked on several times (by several methods), ``total`` is a multiple of their number.
    """

    def __init__(self, shown: bool, total: int, what: str, weights: Sequence[float] = ()) -> None:
        self.shown, self.total, self.what, self.weights = shown, total, what, weights
        self.count, self.first, self._work, self._spent = 0, 0, 0.0, 0.0
        self._times = total // len(weights) if weights else 1
        self._whole = self._times * sum(weights) or float(total)
        self._since = self._told = time.monotonic()

    def passed(self, number: int | None = None) -> None:
        """Count a unit as done."""
        known = number is not None and self.weights
        self._work += self.weights[self.first + number] if known else self._whole / max(1, self.total)  # type: ignore[operator]
        self.count += 1
        self._told = time.monotonic()

    def skip(self, units: int) -> None:
        """Leave out the first units, which were done before."""
        self.count, self._whole = units * self._times, self._whole - self._times * sum(self.weights[:units])

    @property
    def left(self) -> float | None:
        """Seconds until the end, as far as the work done tells; None before any is."""
        if not self._work:
            return None
        spent = self._spent + self._told - self._since
        return max(0.0, spent * (self._whole - self._work) / self._work - (time.monotonic() - self._told))

    def times(self) -> str:
        """``0:12, about 1:30 left``"""
        left = self.left
        spent = _clock(self._spent + time.monotonic() - self._since)
        return spent if left is None else f"{spent}, about {_clock(left)} left"

    @contextmanager
    def running(self) -> Iterator[Advance]:
        """Show the bar, and give the function that counts a unit as done."""
        self._since = self._told = time.monotonic()
        try:
            if not self.shown:
                yield self.passed
            elif in_notebook():
                yield from self._in_cell()
            else:
                yield from self._in_terminal()
        finally:
            self._spent += time.monotonic() - self._since

    def _in_cell(self) -> Iterator[Advance]:
        display = import_module("IPython.display").display

        def line(end: str) -> Any:
            return {"text/plain": f"{self.what} {self.count}/{self.total}, {end}"}

        cell, last = display(line(""), raw=True, display_id=True), [0.0]

        def advance(number: int | None = None) -> None:
            self.passed(number)
            if time.monotonic() - last[0] > EVERY:
                last[0] = time.monotonic()
                cell.update(line(self.times()), raw=True)

        yield advance
        cell.update(line(_clock(time.monotonic() - self._since)), raw=True)

    def _in_terminal(self) -> Iterator[Advance]:
        """A bar that disappears at the end, with a second one for long work on a text."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

        times = TextColumn("{task.fields[times]}")
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), times)
        inner: dict[str, TaskID] = {}
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
            task = progress.add_task(self.what, total=self.total, completed=self.count, times="")

            def advance(number: int | None = None) -> None:
                self.passed(number)
                progress.update(task, completed=self.count, times=self.times())

            def listen(counted: str, over: int, whole: int) -> None:
                progress.update(task, times=self.times())
                if over >= whole:
                    if counted in inner:
                        progress.remove_task(inner.pop(counted))
                elif counted in inner:
                    progress.update(inner[counted], completed=over, total=whole)
                else:
                    inner[counted] = progress.add_task(f"  {counted}", total=whole, completed=over, times="")

            with heard(listen):
                yield advance


@contextmanager
def bar(shown: bool, total: int, what: str, weights: Sequence[float] = ()) -> Iterator[Advance]:
    """A progress bar over work that runs once (see ``Bar``)."""
    with Bar(shown, total, what, weights).running() as advance:
        yield advance


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
