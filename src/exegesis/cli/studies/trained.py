"""Studies of training texts: repairs, wrong labels, amendments, and confidence held against the nearest texts."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from exegesis.cli import options as opt
from exegesis.cli.inputs import listed, load, read_training
from exegesis.cli.options import Command, argument, option
from exegesis.cli.outputs import Files, progress, say
from exegesis.cli.studies.output import Output
from exegesis.cli.training.options import Shape, Training, network_config, train_options
from exegesis.core.errors import UsageError

NUMBER = partial(option, metavar="N")
TEXTS: Any = {"rich_help_panel": "Texts"}
SWAPS: Any = {"rich_help_panel": "Swaps"}


class Repair(Command, Output, Training, Shape):
    """Make training texts against a fault, and measure what retraining with them changes there and on the test texts.

    \b
    exegesis study repair sst2/ --swap terribly=very --html repair.html
    exegesis study repair train.tsv --swap dumb=silly --new more.tsv
    """

    data: str = argument("Training texts with labels; of a folder also its other parts.", "TRAIN")
    test: str | None = option("Test texts; without them nothing is trained.", metavar="DATA", **TEXTS)
    dev: str | None = option("Development texts.", metavar="DATA", **TEXTS)
    column: str | None = opt.COLUMN(**TEXTS)
    label: str | None = opt.LABEL(**TEXTS)
    encoding: str | None = opt.ENCODING(**TEXTS)
    swap: list[str] = option(
        "Words that may replace a word; repeatable.", "--swap", metavar="WORD=WORD,...", default=..., **SWAPS
    )
    most: int = NUMBER("At most N new texts in each direction.", min=1, default=200, **SWAPS)
    seeds: int = NUMBER(
        "Trainings of each kind; a single one proves nothing.", min=1, default=5, rich_help_panel="Training"
    )
    new: Path | None = option("The new texts as .tsv.", "--new", metavar="FILE", **opt.OUTPUT)

    def files(self) -> Files:
        return {**super().files(), "--new": (self.new, (".tsv",))}

    def run(self) -> None:
        folder = Path(self.data)
        parts = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        self.check(self.data, self.test, self.dev, self.vectors, *parts)

        from exegesis.core.disk.files import write_whole
        from exegesis.core.progress import heard
        from exegesis.data.splits import read_splits

        others = {"test": self.test, "dev": self.dev}
        splits = read_splits(self.data, others, self.column, self.label, encoding=self.encoding)
        texts = {name: part.examples for name, part in splits.items()}

        from exegesis import study
        from exegesis.study.failing.repairs import TRAININGS

        def announce(what: str, done: int, total: int) -> None:
            """Print a line before the first training, also if standard error is not a terminal."""
            if what.startswith(TRAININGS) and not self.quiet:
                print(f"{total} {what} (without the new texts, with their originals again, with them; "
                      f"seeds: {self.seeds})", file=sys.stderr, flush=True)  # fmt: skip

        with heard(announce):
            result = study.repair(
                texts["train"], self.swaps(), texts.get("test"), dev=texts.get("dev"), seeds=range(self.seeds),
                most=self.most, config=network_config(self), options=train_options(self),
                progress=progress(self.quiet),
            )  # fmt: skip
        if self.new is not None:
            lines = (f"{' '.join(example.text.split())}\t{example.label}\n" for example in result.added)
            write_whole(self.new, "".join(lines))
            say(self.new, self.quiet)
        self.put(result)

    def swaps(self) -> dict[str, list[str]]:
        """The replacements of each word. Raises UsageError for a swap in another form."""
        words: dict[str, list[str]] = {}
        for text in self.swap:
            word, sign, others = text.partition("=")
            if not sign or not word.strip() or not listed(others):
                raise UsageError(f"--swap {text}: write WORD=WORD,WORD, such as terribly=extremely,very")
            words.setdefault(word.strip(), []).extend(listed(others))
        return words


class Mislabels(Command, Output, Training, Shape):
    """Find training texts that may have a wrong label, and try the signs on labels that are made wrong.

    \b
    exegesis study mislabels train.tsv --report labels.html
    exegesis study mislabels sst2/ --model my-model --seeds 0
    """

    data: str = argument("Training texts with labels; of a folder its train file.", "TRAIN")
    model: str | None = option("The model that was trained on them; by default one is trained.", "--model", "-m",
                               metavar="MODEL")  # fmt: skip
    test: str | None = option("Test texts, to train without the suspects.", metavar="DATA", **TEXTS)
    column: str | None = opt.COLUMN(**TEXTS)
    label: str | None = opt.LABEL(**TEXTS)
    encoding: str | None = opt.ENCODING(**TEXTS)
    planted: float = NUMBER("Share of the labels that are made wrong.", default=0.1)
    seeds: int = NUMBER("Trainings with wrong labels; 0 for none.", min=0, default=3, rich_help_panel="Training")
    most: int = NUMBER("Texts listed.", min=1, default=20)

    def run(self) -> None:
        self.check(self.data, self.test, self.vectors)

        from exegesis import study

        examples = read_training(self.data, self.column, self.label, None, self.encoding) or []
        tests = read_training(self.test, self.column, self.label, None, self.encoding)
        result = study.mislabels(
            examples, self.model, tests, planted=self.planted, seeds=range(self.seeds), most=self.most,
            config=network_config(self), options=train_options(self), progress=progress(self.quiet),
        )  # fmt: skip
        self.put(result)


class Amend(Command, Output, Training, Shape):
    """Put wrong predictions right by leaving out training texts that hurt, or adding texts that help.

    \b
    exegesis study amend train.tsv --test test.tsv --report amended.html
    exegesis study amend sst2/ --test films.tsv --pool new-domain.tsv -M nearest
    """

    data: str = argument("Training texts with labels; of a folder its train file.", "TRAIN")
    test: str = option("Test texts with labels.", metavar="DATA", default=..., **TEXTS)
    pool: str | None = option("Labelled texts to add from; by default copies of training texts.", metavar="DATA",
                              **TEXTS)  # fmt: skip
    dev: str | None = option("Development texts.", metavar="DATA", **TEXTS)
    column: str | None = opt.COLUMN(**TEXTS)
    label: str | None = opt.LABEL(**TEXTS)
    encoding: str | None = opt.ENCODING(**TEXTS)
    method: str = option("Scores the training texts.", "--method", "-M", metavar="METHOD",
                         default="influence-functions")  # fmt: skip
    param: list[str] | None = opt.PARAM()
    count: int = NUMBER("Texts that are left out or added.", min=1, default=50)
    queries: int = NUMBER("Wrong predictions that are asked about.", min=1, default=30)
    seeds: int = NUMBER("Trainings of each kind.", min=1, default=3, rich_help_panel="Training")

    def run(self) -> None:
        self.check(self.data, self.test, self.pool, self.dev, self.vectors)

        from exegesis import api, study
        from exegesis.cli.inputs import assigned
        from exegesis.core.parameters import hints
        from exegesis.questions.sources.method import METHODS

        api.influence_methods()
        cls = METHODS[self.method].cls
        own = assigned(self.param, {self.method: dict.fromkeys(hints(cls), cls)})[self.method]
        read = {name: read_training(getattr(self, name), self.column, self.label, None, self.encoding)
                for name in ("data", "test", "pool", "dev")}  # fmt: skip
        result = study.amend(
            read["data"] or [], read["test"] or [], pool=read["pool"], dev=read["dev"], method=self.method,
            parameters=own, count=self.count, queries=self.queries, config=network_config(self),
            options=train_options(self), seeds=range(self.seeds), progress=progress(self.quiet),
        )  # fmt: skip
        self.put(result)


class Calibrate(Command, Output, opt.Model):
    """Hold a model's confidence, and that of its nearest training texts, against how often it is right.

    \b
    exegesis study calibrate train.tsv --test test.tsv --held dev.tsv -m my-model
    """

    data: str = argument("The training texts with labels; of a folder its train file.", "TRAIN")
    test: str = option("Test texts with labels.", metavar="DATA", default=..., **TEXTS)
    held: str = option("Held-out texts with labels, to fit on.", metavar="DATA", default=..., **TEXTS)
    column: str | None = opt.COLUMN(**TEXTS)
    label: str | None = opt.LABEL(**TEXTS)
    encoding: str | None = opt.ENCODING(**TEXTS)
    neighbours: int = NUMBER("Nearest training texts that are counted.", min=1, default=50)
    layers: str = option("The layers in which they are near; by default what the last one reads.", metavar="NAMES",
                         default="")  # fmt: skip
    index: str = option("A folder of exegesis index.", metavar="FOLDER", default="")
    seed: int = opt.SEED("Seed of the bootstrap.")

    def run(self) -> None:
        self.check(self.data, self.test, self.held)

        from exegesis import study

        read = [read_training(part, self.column, self.label, None, self.encoding) or []
                for part in (self.data, self.test, self.held)]  # fmt: skip
        self.put(study.calibrate(load(self), *read, k=self.neighbours, layers=self.layers, index=self.index,
                                 seed=self.seed, progress=progress(self.quiet)))  # fmt: skip
