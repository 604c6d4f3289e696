"""``exegesis run`` and ``exegesis corpus``: a corpus explained into a store, and what a store says."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from exegesis.cli import options as opt
from exegesis.cli.inputs import listed, parameters_of, read_training
from exegesis.cli.options import Command, argument, choice, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output
from exegesis.cli.studies.texts import LabelledCorpus
from exegesis.core.errors import UsageError

EVERY = 60.0  # seconds between two lines about progress where there is no bar


class Run(Command, LabelledCorpus, opt.Model):
    """Explain a corpus into a store of parquet files; the same command goes on where it stopped.

    \b
    exegesis run reviews.tsv --store explained -M lrp -M reat --processes 4
    exegesis run reviews.parquet --store explained --level all --estimate
    exegesis run reviews.tsv --store explained --measures usual
    exegesis run reviews.tsv --store explained --influence nearest --train t.tsv
    """

    store: Path = option("The folder of the results.", "--store", "-o", metavar="FOLDER", default=..., **opt.OUTPUT)
    method: list[str] | None = option(
        "See 'exegesis methods'; by default integrated-gradients, or none beside --influence alone.",
        "--method", "-M", metavar="METHOD",
    )  # fmt: skip
    param: list[str] | None = opt.PARAM()
    measures: list[str] | None = option(
        "Measures of each method's explanations: usual, or names such as deletion:how=pad.", metavar="A,B"
    )
    influence: list[str] | None = option(
        "Methods that score the training texts, such as nearest:k=50.", metavar="METHOD"
    )
    train: str | None = option("The training texts of --influence, with labels.", metavar="DATA")
    top: int | None = option("Training texts kept that help, and that hurt: 5.", metavar="N", min=1)
    target: str | None = opt.TARGET()
    level: str = option(
        "word, phrase, clause, text or all of them; or a tree of phrases: acd, soc, scd, hedge, parse, owen.",
        "--level", "-l", metavar="LEVEL", default="word",
    )  # fmt: skip
    most: int | None = option("The passes of the model that a text may take.", "--most", metavar="PASSES")
    processes: int = option("Processes, each with the model.", metavar="N", min=1, default=1)
    engine: str = choice(
        "Where processes run; ray takes the cluster that RAY_ADDRESS names.", ("local", "ray"), "local"
    )
    gpus: float = option("GPUs of each process on a Ray cluster.", metavar="N", min=0, default=0.0)
    unit: int = option("Texts explained and written together.", metavar="N", min=1, default=256)
    retry: bool = option("Explain again what failed.", "--retry", default=False)
    estimate: bool = option("Say what the run takes, and end.", "--estimate", default=False)
    quiet: bool = opt.QUIET()

    def run(self) -> None:
        if self.top is not None and not self.influence:
            raise UsageError("--top belongs to --influence; leave it out, or say --influence METHOD")
        examples = self.read()["data"]
        trained = read_training(self.train, self.column, self.label, self.pair_column)

        from exegesis.api import each_method
        from exegesis.core.progress import heard
        from exegesis.jobs.inquiry import TOP
        from exegesis.jobs.runs import run

        measures = listed(*self.measures or [])
        alone = self.influence and not self.method and not measures
        names = [] if alone else each_method(self.method or ["integrated-gradients"])
        loaded = {"device": self.device, "truncate": self.truncate, "windows": self.windows, "task": self.task}
        bar = progress(self.quiet)
        with heard(_told(self.quiet or bar)):
            ran = run(
                self.model, examples, self.store, parameters_of(self.param, names), self.target, level=self.level,
                processes=self.processes, unit=self.unit, retry=self.retry, only_estimate=self.estimate, options=loaded,
                said=lambda found: None if self.quiet else print(found, file=sys.stderr, flush=True), progress=bar,
                measures=measures, influence=self.influence, train=trained, top=TOP if self.top is None else self.top,
                most=self.most, engine=self.engine, gpus=self.gpus,  # type: ignore[arg-type]
            )  # fmt: skip
        if not self.quiet:
            print(ran)


class Corpus(Command, Output):
    """Summarise a store of exegesis run: strongest words, slices, failures, agreement, measures, training texts, and
    the drift to another store.

    \b
    exegesis corpus explained
    exegesis corpus explained --by label --level phrase --html corpus.html
    exegesis corpus this-week --against last-week
    """

    store: str = argument("The folder of the store.", "STORE")
    by: str = option("The column whose values make the slices.", metavar="COLUMN", default="target")
    level: str = option("word, phrase, clause or text.", "--level", "-l", metavar="LEVEL", default="word")
    methods: str | None = opt.methods("Only these methods.")
    asked: str | None = option("Only these questions, by the start of their hash.", metavar="A,B")
    words: str | None = option("Only these words.", metavar="A,B")
    against: Path | None = option("Another store to compare with.", metavar="STORE")
    most: int = option("Words named of each slice.", metavar="N", min=1, default=12)
    minimum: int = option("Uses that a word needs.", metavar="N", min=1, default=5)

    def run(self) -> None:
        self.check()

        from exegesis.jobs.summary import corpus

        self.put(
            corpus(
                self.store, by=self.by, level=self.level, methods=listed(self.methods), asked=listed(self.asked),
                words=listed(self.words), against=self.against, most=self.most, minimum=self.minimum,
            )
        )  # fmt: skip


def _told(silent: bool) -> Callable[[str, int, int], None]:
    """Says on standard error, now and then, how far a run is, how fast it goes and how long it takes yet."""
    start = last = time.monotonic()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        if silent or not done or time.monotonic() - last < EVERY:
            return
        from exegesis.engine.cost import spoken

        last = time.monotonic()
        rate = done / (last - start)
        left = spoken((total - done) / rate)
        print(f"{what}: {done:,} of {total:,}, {rate:,.1f} a second, {left} left", file=sys.stderr, flush=True)

    return tell
