"""``exegesis influence``: the training texts that made the model say this."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from exegesis.cli import options as opt
from exegesis.cli.explain import Output
from exegesis.cli.inputs import assigned, load, read_texts, read_training
from exegesis.cli.outputs import check_files, progress, stream
from exegesis.core.errors import UsageError


class Influence(opt.Command, Output, opt.Model, opt.Texts):
    """Find the training texts that made the model predict this, and those that speak against it.

    \b
    exegesis influence "A dull film." --model my-model --train sst2/
    exegesis influence --file wrong.tsv --train train.tsv -M nearest -p k=50
    exegesis influence "A dull film." --train train.tsv -p damping=0.01
    """

    train: Path | None = opt.option("The training texts with labels: a file, or a folder with a train file.",
                                    "--train", metavar="FILE", rich_help_panel="Texts")  # fmt: skip
    train_column: str | None = opt.option("Column of the training texts.", metavar="COLUMN", rich_help_panel="Texts")
    train_pair: str | None = opt.option("Column of their second texts.", metavar="COLUMN", rich_help_panel="Texts")
    label: str | None = opt.option("Column of their labels.", metavar="COLUMN", rich_help_panel="Texts")
    method: str = opt.option("influence-functions, gradient-similarity, nearest, ...", "--method", "-M",
                             metavar="METHOD", default="influence-functions")  # fmt: skip
    target: str | None = opt.option(
        "LABEL, log-probability:LABEL, logit:LABEL, probability:LABEL, margin:A,B; by default the predicted label.",
        "--target", "-t", metavar="TARGET",
    )  # fmt: skip
    top: int = opt.option("How many texts that help, and that hurt, are named.", metavar="N", min=1, default=5)
    words: bool = opt.option("Mark the words of the training texts.", "--words", default=False)
    word: str | None = opt.option("Explain why the model looks at this word: the word, or top.", metavar="WORD")
    saliency: str = opt.choice("How far it looks at it.", ("x-input", "l2", "integrated"), "x-input")
    param: list[str] | None = opt.PARAM()

    def run(self) -> None:
        if self.train is None:
            raise UsageError("name the training texts: --train FILE")
        raws = read_texts(self)
        self.view()
        check_files(self.files(), [self.file, self.train])

        from exegesis import api
        from exegesis.core.parameters import hints
        from exegesis.questions.sources.method import METHODS

        api.influence_methods()
        cls = METHODS[self.method].cls
        own = assigned(self.param, {self.method: dict.fromkeys(hints(cls), cls)})[self.method]
        examples = read_training(str(self.train), self.train_column, self.label, self.train_pair) or []
        options: dict[str, Any] = {
            "target": self.target, "top": self.top, "words": self.words, "word": self.word, "saliency": self.saliency,
            "progress": progress(self.quiet), **own,
        }  # fmt: skip
        results = api.influence(load(self), examples, cast(list[Any], raws), self.method, **options)
        with stream(self) as add:
            add([[result] for result in results])
