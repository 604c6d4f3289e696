"""The texts of a study: the options that name them, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli import options as opt
from exegesis.cli.inputs import read_training
from exegesis.cli.options import Group, argument, option
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example


class Rows(Group, panel="Texts"):
    """The columns and rows to read from a table, a folder or a dataset."""

    column: str | None = opt.COLUMN()
    pair_column: str | None = opt.PAIR_COLUMN()
    split: str | None = option("train, dev or test part of a folder.", metavar="NAME")
    limit: int | None = opt.LIMIT()
    encoding: str | None = opt.ENCODING()

    def rows(self, data: str, label: str | None = None) -> list[Example]:
        """The examples of a file, a folder or a dataset."""
        from exegesis.data.examples import read_examples

        if self.split is not None and Path(data).is_file():
            raise UsageError(f"--split belongs to a folder or a data set, and {data} is a file; leave it out")
        examples = read_examples(data, self.column, label, self.pair_column, self.split, encoding=self.encoding)
        return examples[: self.limit]


class Corpus(Rows, panel="Texts"):
    """The texts of a study."""

    data: str = argument("A .txt, .tsv, .csv or .jsonl file, a folder with a --split, or a dataset.", "DATA")

    def read(self) -> dict[str, Any]:
        """The texts, as arguments of the study."""
        return {"data": self.rows(self.data, getattr(self, "label", None))}


class LabelledCorpus(Corpus, panel="Texts"):
    """The texts of a study, and their labels."""

    label: str | None = opt.LABEL()


class TrainedCorpus(LabelledCorpus, panel="Texts"):
    """The texts of a study with their labels, and the texts that the model was trained on."""

    train: str | None = option("The training texts, with labels.", metavar="DATA")

    def read(self) -> dict[str, Any]:
        trained = read_training(self.train, self.column, self.label, self.pair_column, self.encoding)
        return {**super().read(), "train": trained}


class OtherTexts(Rows, panel="Swaps"):
    """Texts to try the swaps of a word on."""

    data: str | None = option("Other texts to try the swaps on.", metavar="DATA")
    label: str | None = opt.LABEL()

    def read(self) -> dict[str, Any]:
        """The texts, as arguments of the study. Raises UsageError for options of texts if there are none."""
        for name in ("column", "label", "pair_column", "split", "limit", "encoding") if self.data is None else ():
            if getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} belongs to --data, the other texts to try the swaps on")
        return {"data": None if self.data is None else self.rows(self.data, self.label)}
