"""``exegesis study written``: how good the explanations are that a model writes."""

from __future__ import annotations

from pathlib import Path

from exegesis.cli.options import LIMIT, SEED, Command, argument, option
from exegesis.cli.studies.output import Output


class Written(Command, Output):
    """Score the labels and explanations that a model writes, and test whether its labels follow its explanations.

    For models of exegesis train --arch explainer:FOLDER.

    \b
    exegesis study written esnli/ --split test --model my-explainer
    """

    data: Path = argument("A folder of e-SNLI or CoS-E, or a table with explanations.", "DATA")
    model: Path = option("The explainer's folder.", "--model", "-m", metavar="FOLDER", default=...)
    split: str = option("Part of a folder.", metavar="NAME", default="test")
    limit: int | None = LIMIT()
    column: str = option("Column of the text.", metavar="COLUMN", default="text")
    pair_column: str | None = option("Column of the second text.", metavar="COLUMN")
    label: str = option("Column of the label.", metavar="COLUMN", default="label")
    explanation: str = option("Column of what people wrote.", metavar="COLUMN", default="explanation")
    most: int = option("Texts shown.", metavar="N", min=1, default=8)
    device: str | None = option("cpu, cuda, ...", metavar="DEVICE")
    seed: int = SEED("Seed of the halves of simulators.")

    def run(self) -> None:
        self.check(self.data)

        from exegesis.data.written import read_written
        from exegesis.study.reasons.written import written

        rows = read_written(
            self.data, self.split, text=self.column, pair=self.pair_column, label=self.label,
            explanation=self.explanation,
        )  # fmt: skip
        self.put(written(self.model, rows, limit=self.limit, most=self.most, seed=self.seed, device=self.device))
