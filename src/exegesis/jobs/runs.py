"""Runs: the explanations of a corpus, written to a store; what is there already is not done again."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

from exegesis.api import Bar
from exegesis.api.models import as_model
from exegesis.api.training_texts import Training
from exegesis.core.containers import items, shown
from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.parameters import at_least, fitting
from exegesis.core.progress import tell
from exegesis.data.examples import Example, read_examples
from exegesis.engine.cost import allowed
from exegesis.engine.methods import Method
from exegesis.jobs.estimate import Estimate, estimate
from exegesis.jobs.inquiry import TOP, Inquiry
from exegesis.jobs.local import Done, Recipe, Workers, explain_unit
from exegesis.jobs.plan import Question, Task, unique, units
from exegesis.jobs.store import SHORT, Store
from exegesis.nn.context import entry
from exegesis.protocols.labels import number_of
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Wish
from exegesis.questions.trust.measure import Measure

UNIT = 256  # texts that are explained and written together
_log = logging.getLogger("exegesis.jobs")


@dataclass(frozen=True)
class Ran:
    """What a run did: ``texts`` of ``given`` are different; ``present`` texts times methods were in the store before,
    ``done`` were explained now, ``failed`` of them for a reason that their rows name. ``damaged`` shards were found and
    done again. ``seconds`` is how long the work took, without the estimate."""

    store: str
    given: int
    texts: int
    present: int
    done: int
    failed: int
    damaged: int
    seconds: float
    estimate: Estimate

    def __str__(self) -> str:
        rate = f", {self.done / self.seconds:,.1f} a second" if self.done and self.seconds > 0 else ""
        broken = f", {self.damaged} damaged shards replaced" if self.damaged else ""
        return (
            f"{escaped(self.store)}: {self.present:,} of {self.present + self.done:,} texts x methods were there, "
            f"{self.done:,} are new ({self.failed:,} failed{rate}){broken}"
        )


@entry
def run(
    model: Classifier | str | os.PathLike[str],
    data: Any,
    store: str | os.PathLike[str],
    methods: str | Method | Sequence[str | Method] | Mapping[str, Mapping[str, Any]] | None = None,
    target: Wish = None,
    *,
    level: str = "word",
    measures: str | Measure | Sequence[str | Measure] | None = None,
    influence: str | Sequence[Any] | Mapping[str, Mapping[str, Any]] | None = None,
    train: Training | None = None,
    top: int = TOP,
    processes: int = 1,
    unit: int = UNIT,
    retry: bool = False,
    only_estimate: bool = False,
    fingerprint: str | None = None,
    options: Mapping[str, Any] | None = None,
    said: Callable[[Estimate], object] | None = None,
    progress: bool = False,
    most: int | None = None,
    engine: Literal["local", "ray"] = "local",
    gpus: float = 0.0,
) -> Ran:
    """Explain every text of a corpus, and keep the explanations in a store, a folder of parquet files.

    ``data`` is a list of texts or examples, or what ``read_examples`` reads: a file, parquet, the name of a dataset.
    ``methods`` are names or method values, or names with their parameters (by default integrated-gradients, or none
    beside ``influence`` alone); ``target`` and ``level`` are those of ``explain``; as a ``level`` the name of a search
    of ``hierarchy`` (``acd``, ``soc``, ...) gives each text a tree, whose phrases the methods score.

    ``measures``, named as for ``evaluate``, or ``"usual"``, add what they say of each method's explanation of each
    text, and of the controls (random scores, leave-one-out, greedy removal), which are measured once for all methods.
    ``influence`` names methods of ``influence``, which score the training texts ``train`` for each text; the ``top``
    that help, and as many that hurt, are kept.

    A row belongs to one text, question and target (``exegesis.jobs.rows`` has the columns); equal texts have one. Its
    key is a hash of the text, the kind of question, the method with its parameters, the measures or training texts,
    the level, the target, the model's ``fingerprint`` (a hash of its weights, code, labels and reading;
    ``fingerprint=`` names what is out of sight, such as the version of a black box) and the version of this package.
    What the store holds under these keys is not done again, so the same call goes on after a kill, and does what is new
    after texts, methods or weights have changed.

    Texts are explained in units of ``unit`` texts in their order, and the rows of a unit are those of ``explain``,
    ``evaluate`` (of the method alone) and ``influence`` for its texts, bit for bit. A unit's shard is written whole or
    not at all: a kill loses the units in work. Shards that are not what was written are set aside and done again. A
    text that cannot be explained has a row with the reason; ``retry`` explains the units that hold such rows again.

    First the run is measured on a sample: ``said`` is called with the ``Estimate``, and ``only_estimate`` ends there.
    Several ``processes`` load the model, given as a name or folder, with ``options`` of ``load``, once (each its own
    where the system cannot copy a process, or the model starts threads, as on a GPU), and each computes in an equal
    share of the cores. ``most`` is that of ``explain``.

    ``engine="ray"`` lets the processes be workers of a Ray cluster: that which ``RAY_ADDRESS`` names, else one that is
    started on this machine for the run. Each takes ``gpus`` GPUs, and loads the model where it runs; shards come back
    and are written here. The rows are the same to the bit where the processors and the threads are.

    Raises the errors of ``explain``, ``evaluate`` and ``influence`` that concern the whole run, or all texts of the
    sample; FileError if the store cannot be written, is no store, or another run writes to it, MissingExtraError
    without pyarrow.
    """
    for name, count in (("processes", processes), ("unit", unit)):
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UsageError(f"{name} must be a whole number of at least 1, not {shown(count)}")
    if (processes > 1 or engine == "ray") and not isinstance(model, str | os.PathLike):
        raise UsageError(
            "several processes, and those of a cluster, load the model themselves: give its name or folder, or take "
            "processes=1 here"
        )
    if engine not in ("local", "ray"):
        raise unknown("engine", engine, ("local", "ray"))
    if not isinstance(gpus, int | float) or isinstance(gpus, bool) or gpus < 0:
        raise UsageError(f"gpus must be a number of at least 0, not {shown(gpus)}")
    if gpus and engine == "local":
        raise UsageError("gpus belongs to engine='ray'; leave it out")
    inquiry = Inquiry.of(
        methods, measures, influence, train, target=target, level=level, top=fitting("top", Annotated[int, at_least(1)],
        top), fingerprint=fingerprint,
    )  # fmt: skip
    examples = _examples(data)
    named = os.fspath(model) if isinstance(model, str | os.PathLike) else ""
    if named:
        from exegesis.api import load

        classifier = load(named, **(options or {}))
    else:
        classifier = as_model(model)
    asked = inquiry.questions(classifier)
    place = Store.open(store, new=True)
    with place.held(), allowed(most):
        damaged = _without_damage(place, retry)
        texts = unique([_labelled(one, classifier.labels) for one in examples])
        missing = [_missing(place, question, texts) for question in asked]
        _warn_of_others(place, asked)
        todo = {n: [texts[name] for name in texts if name in left] for n, left in enumerate(missing)}
        threads = max(1, (os.cpu_count() or 1) // processes)
        recipe = Recipe(named, dict(options or {}), inquiry, [one.asked.id for one in asked], threads)
        several = engine == "local" and processes > 1 and any(missing) and not only_estimate
        with Workers(recipe, place, processes) if several else nullcontext() as workers:  # they load while it estimates
            expected = estimate(asked, todo, unit, processes)
            if said is not None:
                said(expected)
            present = len(texts) * len(asked) - expected.rows
            ran = partial(
                Ran, str(place.folder), len(examples), len(texts), present, damaged=damaged, estimate=expected
            )
            if only_estimate or not expected.rows:
                return ran(done=0, failed=0, seconds=0.0)
            start = time.monotonic()
            tasks = _tasks(texts, missing, unit)
            found: Iterator[Done]
            if engine == "ray":
                from exegesis.jobs.cluster import on_cluster

                found = on_cluster(recipe, place, tasks, processes, gpus)
            elif workers is not None:
                found = workers.explain(tasks)
            else:
                found = (explain_unit(asked, place, task) for task in tasks)
            done = _counted(found, expected.rows, ", ".join(question.name for question in asked), progress)
            return ran(done=done.texts, failed=done.failed, seconds=time.monotonic() - start)


def _examples(data: Any) -> list[Example]:
    """A user's texts as examples. Raises UsageError if there are none."""
    if isinstance(data, str | os.PathLike):
        return read_examples(os.fspath(data))
    listed = items(data, "texts")
    if not listed:
        raise UsageError(f"a run takes a list of texts or examples, or a file, not {shown(data)}")
    return [one if isinstance(one, Example) else Example.of(one) for one in listed]


def _labelled(example: Example, labels: Sequence[str]) -> Example:
    """An example whose label, if it is one of the model's, is called as the model calls it."""
    with suppress(UsageError):
        return example if example.label is None else replace(example, label=labels[number_of(example.label, labels)])
    return example


def _without_damage(place: Store, retry: bool) -> int:
    """Set aside the shards that are not what was written, and with ``retry`` those with failures; count the former."""
    damaged = 0
    for shard in place.shards():
        if not shard.whole:
            _log.warning("%s is damaged and set aside", shard.path)
            place.set_aside(shard, "damaged")
            damaged += 1
        elif retry and (errors := shard.read(["error"])["error"]).null_count < len(errors):
            place.set_aside(shard, "retried")
    return damaged


def _missing(place: Store, question: Question, texts: Mapping[str, Example]) -> set[str]:
    """The texts, by their hashes, without a row of a question."""
    left = set(texts)
    for shard in place.shards(question.asked.id):
        table = shard.read(["asked", "text_id"])
        if table.num_rows and table["asked"][0].as_py() == question.asked.id:
            left.difference_update(table["text_id"].to_pylist())
    return left


def _warn_of_others(place: Store, asked: Sequence[Question]) -> None:
    """Say if the store holds rows of these methods from another model, level, target or version."""
    known, names = {question.asked.id[:SHORT] for question in asked}, {question.asked.method for question in asked}
    others = {shard.asked for shard in place.shards() if shard.method in names} - known
    if others:
        _log.warning(
            "%s also holds rows of %d other questions by these methods (another model, level, target or version): they "
            "stay beside the new ones, and the columns asked and fingerprint tell them apart",
            place.folder,
            len(others),
        )


def _tasks(texts: Mapping[str, Example], missing: Sequence[set[str]], size: int) -> Iterator[Task]:
    """The units, and of units that are there in part the texts that are missing."""
    for name, unit in units(texts, size):
        for number, left in enumerate(missing):
            part = {key: one for key, one in unit.items() if key in left}
            if part:
                own = name if len(part) == len(unit) else next(units(part, size))[0]
                yield Task(number, own, tuple(part.values()))


def _counted(found: Iterator[Done], rows: int, what: str, progress: bool) -> Done:
    """Go through finished units with a progress bar, and add them up."""
    texts = failed = size = 0
    with Bar(progress, rows, what).running() as advance:
        for done in found:
            texts, failed, size = texts + done.texts, failed + done.failed, size + done.bytes
            for _ in range(done.texts):
                advance()
            if not progress:
                tell(what, texts, rows)
    return Done(texts, failed, size)
