"""``exegesis study written``: how good the explanations are that a model writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from exegesis.cli.inputs import load, read_given, read_texts
from exegesis.cli.options import LIMIT, SEED, Command, Model, Texts, argument, option
from exegesis.cli.outputs import stream
from exegesis.cli.studies.output import Output
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.cli.explain import Explain

OWN = ("model", "device", "json", "csv", "html", "figure", "numbers", "quiet", "palette", "color")  # of explain


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


class Bridge(Command, Output, Model, Texts):
    """Explain in words: from the words on which a decision rests, over a resource's facts, to a sentence.

    The resource is a file with lines of a word, a relation and phrases, tabs between them, or a .json of that.

    \b
    exegesis study bridge "A fine film." --resource w.tsv -M lime --share 0.4
    exegesis study bridge "A fine film." --resource f.json --writer my-explainer
    """

    resource: Path = option("The facts.", "--resource", metavar="FILE", default=...)
    method: str | None = option("What scores the words; by default the model's own selector.", "--method", "-M",
                                metavar="METHOD")  # fmt: skip
    share: float = option("With -M: the share of the words.", default=0.2)
    most: int = option("Facts for each word.", metavar="N", min=1, default=3)
    writer: Path | None = option("The folder of an explainer that writes the sentence.", metavar="FOLDER")

    def run(self) -> None:
        texts = read_texts(self)
        self.check(self.file, self.resource)
        if self.method is None and self.share != 0.2:
            raise UsageError("--share belongs to --method; leave it out")

        from exegesis.study.reasons.said import bridge

        self.put(bridge(load(self), texts, self.resource, self.method, share=self.share, most=self.most,
                        writer=self.writer, device=self.device))  # fmt: skip


def say_why(asked: Explain) -> None:
    """Show what an explainer writes of each text: ``exegesis explain`` with such a model.

    Raises UsageError for an option that belongs to explanations by scores.
    """
    known = {*OWN, *(field.name for field in dataclasses.fields(Texts))}
    for field in dataclasses.fields(asked):
        if field.name not in known and getattr(asked, field.name) != field.default:
            name = field.name.replace("_", "-")
            raise UsageError(f"--{name} does not go with {asked.model}, which writes its explanations; leave it out")

    from exegesis.models.explainers.explainer import load_explainer
    from exegesis.study.reasons.said import said

    examples = read_given(asked)
    explainer = load_explainer(asked.model, asked.device)
    with stream(asked, len(examples)) as add:
        for one in examples:
            add([[said(explainer, one.text)]])
