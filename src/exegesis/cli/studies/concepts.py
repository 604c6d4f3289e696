"""``exegesis study concepts``: do the outputs of a model follow a concept?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exegesis.cli.inputs import assigned, load
from exegesis.cli.options import PARAM, TARGET, Command, Model, option
from exegesis.cli.outputs import progress
from exegesis.cli.studies.output import Output
from exegesis.cli.studies.texts import Corpus
from exegesis.core.errors import UsageError


class Concepts(Corpus, Command, Output, Model):
    """Test whether a number follows concepts in hidden states: directions of word or sentence sets, beside random sets.

    A file of --concepts has a word a line (with --sentences a text a line) and the name of its concept.

    \b
    exegesis study concepts reviews.tsv --concepts good.txt --concepts food.txt
    exegesis study concepts test.tsv --concepts lists/ --within --layers "layer 1"
    """

    concepts: list[Path] | None = option("A file, or a folder of them; repeatable.", "--concepts", metavar="FILE")
    compared: Path | None = option("Examples of no concept, one a line; by default words of DATA, or its texts.",
                                   metavar="FILE")  # fmt: skip
    sentences: bool = option("The lines of --concepts are whole texts.", "--sentences", default=False)
    within: bool = option("Examples are texts of DATA that hold a word of the concept.", "--within", default=False)
    layers: str = option("all, or names such as 'layer 1,pooled'.", metavar="NAMES", default="all")
    target: str | None = TARGET()
    param: list[str] | None = PARAM()

    def run(self) -> None:
        if not self.concepts:
            raise UsageError("name the examples of the concepts: --concepts FILE")
        self.check(self.data, self.compared, *self.concepts)
        if self.within and self.sentences:
            raise UsageError("--within and --sentences are two kinds of examples; leave one of them out")
        texts = self.read()["data"]

        from exegesis.core.parameters import hints
        from exegesis.data.concepts import read_concepts
        from exegesis.study.insides.concepts import Trials, concepts

        own: dict[str, Any] = assigned(self.param, {"concepts": dict.fromkeys(hints(Trials), Trials)})["concepts"]
        compared = None
        if self.compared is not None:
            compared = next(iter(read_concepts(self.compared, whole=True).values()))
        study = concepts(
            load(self), texts, self.concepts, self.layers, self.target, sentences=self.sentences, within=self.within,
            compared=None if compared is None else list(compared), progress=progress(self.quiet), **own,
        )  # fmt: skip
        self.put(study)
