"""Workers of a Ray cluster that explain units of texts: each holds the model; shards come back and are written here.

Nothing is scheduled here: Ray places the workers, starts a lost one again and does its unit anew, and its pool hands
out a unit when a worker is free, so that few wait. What is done, the store's keys say, not Ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from exegesis.core.errors import CapacityError, ExegesisError, MissingExtraError
from exegesis.jobs.local import AHEAD, Done, Recipe
from exegesis.jobs.plan import Task
from exegesis.jobs.rows import table_of
from exegesis.jobs.store import Store, written

LIVES = 10  # times that a lost worker is started again


class Worker:
    """A worker: the questions of a recipe, on a model that is loaded where the worker runs."""

    def __init__(self, recipe: Recipe) -> None:
        import torch

        torch.set_num_threads(recipe.threads)
        self.questions = recipe.questions()

    def explain(self, number: int, task: Task) -> tuple[int, str, str, bytes, int]:
        """The number of a unit, its method and question, the bytes of its shard, and how many of its texts failed."""
        question = self.questions[task.question]
        rows, failed = question.rows(task.texts)
        return number, question.asked.method, question.asked.id, written(table_of(rows)), failed


def on_cluster(recipe: Recipe, store: Store, tasks: Iterator[Task], workers: int, gpus: float) -> Iterator[Done]:
    """Explain units on the cluster that ``RAY_ADDRESS`` names, on one that is started here without it; each comes as it
    is written.

    A worker takes ``recipe.threads`` cores and ``gpus`` GPUs. Raises the error of a unit, CapacityError if workers die
    again and again, MissingExtraError without ray.
    """
    ray = package()
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    options = {"num_cpus": recipe.threads, "num_gpus": gpus, "max_restarts": LIVES, "max_task_retries": LIVES}
    actors = [ray.remote(Worker).options(**options).remote(recipe) for _ in range(workers)]
    try:
        pool = ray.util.ActorPool(actors)
        waiting: dict[int, Task] = {}
        at = 0
        while True:
            for task in islice(tasks, max(0, workers * AHEAD - len(waiting))):
                waiting[at] = task
                pool.submit(_asked, (at, task))
                at += 1
            if not waiting:
                return
            number, method, asked, data, failed = pool.get_next_unordered()
            task = waiting.pop(number)
            shard = store.put(method, asked, task.name, data)
            yield Done(len(task.texts), failed, shard.path.stat().st_size)
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, ExegesisError) else error from None
    except ray.exceptions.RayActorError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, ExegesisError):
            raise cause from None
        raise CapacityError(
            "workers of the cluster died again and again, perhaps for lack of memory: the same command goes on; take "
            "fewer on each machine, or smaller units"
        ) from error
    finally:
        for actor in actors:
            ray.kill(actor)
        if started:
            ray.shutdown()


def package() -> Any:
    """The package ray. Raises MissingExtraError without it."""
    try:
        import ray
        import ray.util
    except ImportError:
        raise MissingExtraError("ray", "ray", "a run on a cluster") from None
    return ray


def _asked(actor: Any, numbered: tuple[int, Task]) -> Any:
    return actor.explain.remote(*numbered)
