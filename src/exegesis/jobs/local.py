"""Processes of one machine that explain units of texts: each holds the model, writes its own shards, and ends with the
process that started it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from exegesis.api import load
from exegesis.core.errors import CapacityError, ModelError
from exegesis.core.processes import end_with_parent
from exegesis.jobs.inquiry import Inquiry
from exegesis.jobs.plan import Advance, Question, Task
from exegesis.jobs.rows import table_of
from exegesis.jobs.store import Store

AHEAD = 2  # units that wait for each process


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


def in_processes(recipe: Recipe, store: Store, tasks: Iterator[Task], processes: int) -> Iterator[Done]:
    """Explain units side by side; each comes as it is written.

    Raises the error of a unit, CapacityError if a process dies, as one does that takes too much memory. Units that are
    written stay.
    """
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (recipe, store))
    waiting: set[Future[Done]] = set()
    try:
        while True:
            while len(waiting) < processes * AHEAD and (task := next(tasks, None)) is not None:
                waiting.add(pool.submit(_work, task))
            if not waiting:
                return
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in ready:
                yield one.result()
    except BrokenProcessPool as error:
        raise CapacityError(
            "a process of the run died, perhaps for lack of memory: the same command goes on; take fewer processes, or "
            "smaller units"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_state: dict[str, Any] = {}  # of a process: its questions and its store


def _begin(recipe: Recipe, store: Store) -> None:
    end_with_parent()
    torch.set_num_threads(recipe.threads)
    _state.update(questions=recipe.questions(), store=store)


def _work(task: Task) -> Done:
    return explain_unit(_state["questions"], _state["store"], task)
