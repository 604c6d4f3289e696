"""``exegesis study excerpts``: the concepts through which a model decides."""

from __future__ import annotations

from exegesis.cli.inputs import load
from exegesis.cli.options import SEED, Command, Model, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output
from exegesis.cli.studies.texts import LabelledCorpus


class Excerpts(LabelledCorpus, Command, Output, Model):
    """Show the concepts through which a model decides: their excerpts, their weights, and how far apart they are.

    For models of exegesis train --arch concepts; 'exegesis rename' names the concepts.

    \b
    exegesis study excerpts dev.tsv --model my-concepts --html concepts.html
    """

    most: int = option("Excerpts listed of each concept.", metavar="N", min=1, default=8)
    seed: int = SEED("Seed of the halves of the fresh classifier.")

    def run(self) -> None:
        self.check(self.data)
        texts = self.read()["data"]

        from exegesis.study.reasons.excerpts import excerpts

        self.put(excerpts(load(self), texts, most=self.most, seed=self.seed, progress=progress(self.quiet)))
