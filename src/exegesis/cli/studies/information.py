"""``exegesis study information``: what do the layers of models hold of a corpus's words?"""

from __future__ import annotations

from dataclasses import replace

from exegesis.cli.inputs import assigned, load
from exegesis.cli.options import PARAM, Command, Model, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output
from exegesis.cli.studies.texts import Corpus


class Information(Corpus, Command, Output, Model):
    """Compare what the layers of models hold of the words of a corpus: what each discards, and which words survive.

    \b
    exegesis study information reviews.tsv --limit 100
    exegesis study information reviews.tsv --model my-lstm --beside my-transformer
    """

    beside: list[str] | None = option("A further model; repeatable.", "--beside", metavar="MODEL")
    layers: str = option("all, or names such as 'layer 1,pooled'.", metavar="NAMES", default="all")
    param: list[str] | None = PARAM()

    def run(self) -> None:
        self.check(self.data)
        texts = self.read()["data"]

        from exegesis.core.parameters import hints
        from exegesis.questions.inside.information import Measure
        from exegesis.study.insides.information import information

        own = assigned(self.param, {"information": dict.fromkeys(hints(Measure), Measure)})["information"]
        models = [load(self), *(load(replace(self, model=name)) for name in self.beside or [])]
        self.put(information(models, texts, self.layers, progress=progress(self.quiet), **own))
