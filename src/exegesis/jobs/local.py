"""Processes of one machine that explain units of texts, write their shards, and end with the process that started them.

A keeper loads the model once, and the workers are copies of it (fork), which share its memory: a worker takes what it
writes itself. A process that has other threads cannot be copied safely; there, and where the system copies none, each
worker loads the model.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import torch

from exegesis.api import load
from exegesis.core.errors import CapacityError, ExegesisError, ModelError
from exegesis.core.processes import end_with_parent
from exegesis.jobs.inquiry import Inquiry
from exegesis.jobs.plan import Advance, Question, Task, reason
from exegesis.jobs.rows import table_of
from exegesis.jobs.store import Store

AHEAD = 2  # units that wait for each process
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
              "TOKENIZERS_PARALLELISM": "false"}  # so that a keeper starts no threads  # fmt: skip
THREADS = Path("/proc/self/task")  # of Linux: a file for each thread of this process


class Done(NamedTuple):
    """A unit that is written: its texts, those that failed, the size of its shard."""

    texts: int
    failed: int
    bytes: int


@dataclass(frozen=True)
class Recipe:
    """What a process needs to ask the same questions as the one that started it."""

    model: str
    options: Mapping[str, Any]
    inquiry: Inquiry
    ids: Sequence[str]
    threads: int

    def questions(self) -> list[Question]:
        """The questions, on a model loaded here. Raises ModelError if the model is another by now."""
        found = self.inquiry.questions(load(self.model, **self.options))
        if [question.asked.id for question in found] != list(self.ids):
            raise ModelError(f"the model {self.model} changed while the run began: start again")
        return found


def explain_unit(asked: Sequence[Question], store: Store, task: Task, advance: Advance = lambda _: None) -> Done:
    """Explain the texts of a unit and write its shard."""
    question = asked[task.question]
    rows, failed = question.rows(task.texts, advance)
    shard = store.add(question.asked.method, question.asked.id, task.name, table_of(rows))
    return Done(len(task.texts), failed, shard.path.stat().st_size)


class Workers:
    """Workers on this machine, for the length of a block; they begin to load the model at its start.

    ``shared``, once they explain, says whether they share the memory of one model.
    """

    shared = False

    def __init__(self, recipe: Recipe, store: Store, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.processes = processes
        self._connection, self._other = context.Pipe()
        self._keeper = context.Process(target=_keep, args=(self._other, recipe, store, processes))

    def __enter__(self) -> Workers:
        with _environment(ONE_THREAD):
            self._keeper.start()
        self._other.close()  # so that the end of the keeper is seen
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        if error is not None:
            self._keeper.kill()  # its workers end with it
        self._keeper.join()

    def explain(self, tasks: Iterator[Task]) -> Iterator[Done]:
        """Explain units side by side; each comes as it is written.

        Raises the error of a unit, CapacityError if a process dies, as one does that takes too much memory. Units that
        are written stay.
        """
        try:
            self.shared = self._answer()
            waiting = 0
            for task in islice(tasks, self.processes * AHEAD):
                self._connection.send(task)
                waiting += 1
            while waiting:
                done = self._answer()
                if (following := next(tasks, None)) is None:
                    waiting -= 1
                else:
                    self._connection.send(following)
                yield done
        except (EOFError, ConnectionError, BrokenProcessPool) as error:
            raise CapacityError(
                "a process of the run died, perhaps for lack of memory: the same command goes on; take fewer "
                "processes, or smaller units"
            ) from error

    def _answer(self) -> Any:
        answer = self._connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer


_state: dict[str, Any] = {}  # of a process: its questions, its store, whether it shares the model


def _keep(connection: Connection, recipe: Recipe, store: Store, processes: int) -> None:
    """Be the keeper: load the model, copy this process, say whether that went, hand out units until the other end is
    closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    with suppress(EOFError, ConnectionError):  # the other end is closed, or gone
        try:
            torch.set_num_threads(1)
            pool = _pool(recipe, store, processes)
        except Exception as error:
            connection.send(error if isinstance(error, ExegesisError) else ModelError(reason(error)))
            return

        def answer(done: Future[Any]) -> None:
            with suppress(OSError):
                connection.send(done.exception() or done.result())

        with pool:  # which ends its workers, whatever ends this
            started = pool.submit(_shared)
            with suppress(BrokenProcessPool):
                started.result()  # all copies are made by now, before this process has threads
            end_with_parent()
            answer(started)
            while True:
                pool.submit(_work, connection.recv()).add_done_callback(answer)


def _pool(recipe: Recipe, store: Store, processes: int) -> ProcessPoolExecutor:
    """Workers that share the model which is loaded here, or that load their own. Raises what loading it raises."""
    _state.update(questions=recipe.questions(), store=store, shared=True)
    if THREADS.is_dir() and len(list(THREADS.iterdir())) == 1:
        gc.collect()
        gc.freeze()  # a search for garbage writes to all objects, which would copy them
        return ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _settle, (recipe.threads,))
    _state.clear()
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (recipe, store))


def _settle(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    torch.set_num_threads(threads)


def _begin(recipe: Recipe, store: Store) -> None:
    _settle(recipe.threads)
    _state.update(questions=recipe.questions(), store=store, shared=False)


def _shared() -> bool:
    return bool(_state["shared"])


def _work(task: Task) -> Done:
    return explain_unit(_state["questions"], _state["store"], task)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment for processes that start in a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
