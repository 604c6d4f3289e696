"""A process that holds one model and answers requests; it can be stopped in its work, and killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from exegesis.core.errors import ExegesisError, UsageError
from exegesis.core.processes import end_with_parent

if TYPE_CHECKING:
    from exegesis.web.asks import Ask

EVERY = 0.1  # seconds between two reports of progress
STOPPED = (499, "the request was cancelled")  # the answer to a request whose work was stopped
Message = tuple[str, Any]  # ready, failed, progress or answers, and what belongs to it


class Stopped(BaseException):
    """Ends the work on requests that nobody waits for; no handler in a model's code stops it."""


@dataclass(frozen=True)
class Source:
    """Where a model comes from: the arguments of ``exegesis.load``, the training texts, and the limit of passes."""

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    train: str | None = None
    most: int | None = None
    threads: int = 0


class Worker:
    """A child process with a model. ``poll`` gives what it says; a dead one says ``dead``."""

    def __init__(self, source: Source) -> None:
        context = multiprocessing.get_context("spawn")
        self.source, self._stop = source, context.Event()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(source, theirs, self._stop), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, asks: Sequence[Ask]) -> None:
        """Have requests with one key answered; their answers come as one message."""
        self._stop.clear()
        with suppress(OSError, ValueError):  # it is dead, as the next message says
            self._pipe.send(list(asks))

    def poll(self, seconds: float) -> Message | None:
        """The next message, if one comes in so many seconds."""
        try:
            if self._pipe.poll(seconds):
                found: Message = self._pipe.recv()
                return found
        except (EOFError, OSError):
            self._process.join(5)
            return "dead", self._process.exitcode
        return None

    def stop(self) -> None:
        """Ask the process to leave its work at the next report of progress."""
        self._stop.set()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join(5)
        self._pipe.close()

    @property
    def memory(self) -> int:
        """The process's resident bytes; 0 where the system does not say."""
        try:
            with open(f"/proc/{self._process.pid}/statm") as told:
                return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return 0


def _work(source: Source, pipe: Connection, stop: Any) -> None:
    """Load the model, then answer until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    end_with_parent()
    try:
        import torch

        import exegesis
        from exegesis.web.answers import about

        if source.threads:
            torch.set_num_threads(source.threads)
        model = exegesis.load(source.model, **source.options)
        pipe.send(("ready", about(model, source.train is not None)))
    except Exception as error:
        pipe.send(("failed", said(error)))
        return
    while True:
        try:
            asks = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(("answers", _answered(source, model, asks, pipe, stop)))
        except Stopped:
            pipe.send(("answers", [STOPPED] * len(asks)))


def _answered(source: Source, model: Any, asks: list[Ask], pipe: Connection, stop: Any) -> list[Any]:
    """The results of each request as plain values, or the status and the sentence of its error."""
    from exegesis.core.progress import heard
    from exegesis.web.answers import answers

    last = 0.0

    def listen(what: str, done: int, total: int) -> None:
        nonlocal last
        if stop.is_set():
            raise Stopped
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            pipe.send(("progress", {"what": what, "done": done, "total": total}))

    with heard(listen):
        found = answers(model, asks, source.train, source.most)
    return [(status(one), said(one)) if isinstance(one, Exception) else one for one in found]


def status(error: Exception) -> int:
    """The status of HTTP that says whose fault an error is."""
    if isinstance(error, UsageError):
        return 422
    return 400 if isinstance(error, ExegesisError) else 500


def said(error: Exception) -> str:
    """An error as one line."""
    if isinstance(error, ExegesisError):
        return " ".join(str(error).split())
    return f"unexpected failure ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
