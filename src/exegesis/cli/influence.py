"""``exegesis influence``: the training texts that made the model say this; ``exegesis index`` keeps what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from exegesis.cli import options as opt
from exegesis.cli.explain import Output
from exegesis.cli.inputs import assigned, load, read_texts, read_training
from exegesis.cli.outputs import check_files, progress, stream
from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.show.wording import many


class Influence(opt.Command, Output, opt.Model, opt.Texts):
    """Find the training texts that made the model predict this, and those that speak against it.

    \b
    exegesis influence "A dull film." --model my-model --train sst2/
    exegesis influence --file wrong.tsv --train train.tsv -M nearest -p k=50
    exegesis influence "A dull film." --train train.tsv -p damping=0.01
    exegesis influence "A film." --train train.tsv -M nearest -p index=indexed
    """

    train: Path | None = opt.option("The training texts with labels: a file, or a folder with a train file.",
                                    "--train", metavar="FILE", rich_help_panel="Texts")  # fmt: skip
    train_column: str | None = opt.option("Column of the training texts.", metavar="COLUMN", rich_help_panel="Texts")
    train_pair: str | None = opt.option("Column of their second texts.", metavar="COLUMN", rich_help_panel="Texts")
    label: str | None = opt.option("Column of their labels.", metavar="COLUMN", rich_help_panel="Texts")
    train_encoding: str | None = opt.option("Of training texts that are not UTF-8, such as cp1252.", metavar="NAME",
                                            rich_help_panel="Texts")  # fmt: skip
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
        if self.word is None and self.saliency != "x-input":
            raise UsageError("--saliency belongs to --word; leave it out, or name the word")
        raws = read_texts(self)
        self.view()
        check_files(self.files(), [self.file, self.train])

        from exegesis import api
        from exegesis.core.parameters import hints
        from exegesis.questions.sources.method import METHODS

        api.influence_methods()
        cls = METHODS[self.method].cls
        own = assigned(self.param, {self.method: dict.fromkeys(hints(cls), cls)})[self.method]
        examples = read_training(
            str(self.train), self.train_column, self.label, self.train_pair, self.train_encoding
        ) or []  # fmt: skip
        options: dict[str, Any] = {
            "target": self.target, "top": self.top, "words": self.words, "word": self.word, "saliency": self.saliency,
            "progress": progress(self.quiet), **own,
        }  # fmt: skip
        results = api.influence(load(self), examples, cast(list[Any], raws), self.method, **options)
        with stream(self) as add:
            add([[result] for result in results])


class Index(opt.Command, opt.Model):
    """Keep what a model makes of its training texts, so that 'exegesis influence -p index=FOLDER' answers at once.

    The methods nearest and fast-influence use the representations, random-projections the gradients. An interrupted
    run goes on when the same command is given again.

    \b
    exegesis index sst2/ --model my-model --out indexed
    exegesis index train.tsv -m mine --layers "layer 1" --gradients 16 -o kept
    """

    train: Path = opt.argument("The training texts with labels: a file, or a folder with a train file.", "TRAIN")
    out: Path = opt.option("The folder to write.", "--out", "-o", metavar="FOLDER", default=..., **opt.OUTPUT)
    column: str | None = opt.option("Column of the texts.", metavar="COLUMN", rich_help_panel="Texts")
    pair_column: str | None = opt.option("Column of their second texts.", metavar="COLUMN", rich_help_panel="Texts")
    label: str | None = opt.option("Column of their labels.", metavar="COLUMN", rich_help_panel="Texts")
    encoding: str | None = opt.ENCODING(rich_help_panel="Texts")
    layers: str = opt.option("More layers, separated by commas: layer 1, pooled ...", metavar="NAMES", default="")
    gradients: int = opt.option("Numbers for each weight to which gradients are projected; 0: none.", metavar="N",
                                min=0, default=0)  # fmt: skip
    weights: str = opt.option("The weights whose gradients are kept; all by default.", metavar="NAMES", default="")
    seed: int = opt.option("Seed of the projection.", metavar="N", min=0, default=0)
    quiet: bool = opt.QUIET()

    def run(self) -> None:
        from exegesis import api

        if self.weights and not self.gradients:
            raise UsageError("--weights belongs to --gradients; leave it out, or say --gradients 16")
        examples = read_training(str(self.train), self.column, self.label, self.pair_column, self.encoding) or []
        names = [name.strip() for name in self.layers.split(",") if name.strip()]
        model = load(self)
        api.index(
            model, examples, self.out, layers=names, gradients=self.gradients, weights=self.weights, seed=self.seed,
            progress=progress(self.quiet),
        )  # fmt: skip
        if not self.quiet:
            size = sum(one.stat().st_size for one in self.out.iterdir())
            print(f"{escaped(self.out)}: {many(len(examples), 'training text')}, {size / 1e6:.1f} MB")
