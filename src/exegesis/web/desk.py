"""A desk: the queue of one model, whose requests go to its process in batches, in order, within limits."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exegesis.web.limits import Limits
from exegesis.web.worker import STOPPED, Source, Worker

if TYPE_CHECKING:
    from exegesis.web.asks import Ask

TOGETHER = 16  # requests with one key that are answered by one call
TICK, GRACE = 0.05, 2.0  # seconds between two looks at the limits, and after which work that does not stop is killed
Event = dict[str, Any]
_log = logging.getLogger("exegesis.serve")
_numbers = itertools.count(1)


class Full(Exception):
    """No more requests are taken on for now."""


@dataclass(eq=False)
class Job:
    """A request on its way. ``tell`` is called, from another thread, with its events: ``started``, ``progress``, and
    at last ``done`` with the results or ``error`` with a status and a sentence."""

    ask: Ask
    key: object
    tell: Callable[[Event], object]
    cancelled: bool = False
    alone: bool = False
    id: int = field(default_factory=lambda: next(_numbers))

    def fail(self, status: int, sentence: str) -> None:
        """End with an error."""
        self.tell({"event": "error", "status": status, "error": sentence})


class Desk:
    """The queue of a model. It starts the model's process, and another one if that dies."""

    def __init__(self, name: str, source: Source, limits: Limits, start: Callable[[Source], Worker] = Worker) -> None:
        self.name, self.source, self.limits, self._start = name, source, limits, start
        self.state: str = "loading"  # then ready or failed
        self.about: dict[str, Any] = {}
        self.reason = ""
        self.restarts = 0
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._worker = start(source)
        self._thread = threading.Thread(target=self._serve, daemon=True, name=f"desk {name}")
        self._thread.start()

    def put(self, ask: Ask, tell: Callable[[Event], object]) -> Job:
        """Queue a request. Raises Full if too many wait."""
        job = Job(ask, ask.key(self.name), tell)
        with self._changed:
            if len(self._waiting) >= self.limits.waiting:
                raise Full
            before = len(self._waiting)
            self._waiting.append(job)
            self._changed.notify()
        tell({"event": "queued", "id": job.id, "before": before})
        return job

    def cancel(self, job: Job) -> None:
        """Take a request back; if its work has begun and nobody else waits for it, the work stops."""
        with self._changed:
            job.cancelled = True
            if job in self._waiting:
                self._waiting.remove(job)
                job.fail(499, "the request was cancelled")

    def close(self) -> None:
        """End the process and all requests."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(10)
        self._worker.kill()
        for job in self._waiting:
            job.fail(503, "the server is closing")

    @property
    def memory(self) -> int:
        """The resident bytes of the process."""
        return self._worker.memory

    def _serve(self) -> None:
        while not self._closed:
            if self.state == "loading":
                self._load()
            elif jobs := self._next():
                if self.state == "failed":
                    for job in jobs:
                        job.fail(503, f"the model {self.name} could not be loaded: {self.reason}")
                else:
                    self._answer(jobs)

    def _load(self) -> None:
        found = self._worker.poll(TICK)
        if found is None:
            return
        kind, value = found
        if kind == "ready":
            self.about, self.state = value, "ready"
        elif kind in ("failed", "dead"):
            self.reason = value if kind == "failed" else f"its process ended ({value})"
            self.state = "failed"
            _log.warning("the model %s could not be loaded: %s", self.name, self.reason)

    def _next(self) -> list[Job]:
        """The first request and those behind it that one call answers too; none if none comes soon."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(0.5)
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            jobs = [first]
            for job in list(self._waiting):
                if len(jobs) == TOGETHER or first.alone:
                    break
                if job.key == first.key and not job.alone:
                    jobs.append(job)
                    self._waiting.remove(job)
            return jobs

    def _answer(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.tell({"event": "started", "together": len(jobs)})
        self._worker.send([job.ask for job in jobs])
        end = time.monotonic() + self.limits.seconds
        stopped: float | None = None
        while True:
            found = self._worker.poll(TICK)
            if found is not None and found[0] == "progress":
                for job in jobs:
                    job.tell({"event": "progress", **found[1]})
            elif found is not None and found[0] == "answers":
                for job, answer in zip(jobs, found[1], strict=True):
                    if answer == STOPPED and not job.cancelled:
                        self._late(jobs, job)
                    else:
                        self._tell(job, answer)
                return
            elif found is not None:
                self._died(jobs, found[1])
                return
            now = time.monotonic()
            if stopped is None and (now > end or self._closed or all(job.cancelled for job in jobs)):
                stopped = now
                self._worker.stop()
            elif stopped is not None and now > stopped + GRACE:
                self._restart()
                for job in jobs:
                    if job.cancelled:
                        self._tell(job, STOPPED)
                    else:
                        self._late(jobs, job)
                return

    def _tell(self, job: Job, answer: Any) -> None:
        if isinstance(answer, list):
            job.tell({"event": "done", "results": answer})
        else:
            job.fail(*answer)

    def _late(self, jobs: list[Job], job: Job) -> None:
        """One of several requests may have taken the time of all, so each is tried again, alone."""
        if len(jobs) == 1 or self._closed:
            seconds = f"{self.limits.seconds:g} seconds"
            job.fail(504, f"the answer took longer than {seconds}: take a shorter text or another method")
        else:
            self._again(job)

    def _again(self, job: Job) -> None:
        job.alone = True
        with self._changed:
            self._waiting.appendleft(job)

    def _died(self, jobs: list[Job], code: Any) -> None:
        """One request ended the process: of several each is tried again, alone, so that only that one fails."""
        if len(jobs) == 1:
            jobs[0].fail(500, f"the explanation ended the model's process ({code}); other requests go on")
        else:
            for job in reversed(jobs):
                self._again(job)
        self._restart()

    def _restart(self) -> None:
        self._worker.kill()
        if self._closed:
            return
        self.restarts += 1
        self._worker = self._start(self.source)
        self.state = "loading"
