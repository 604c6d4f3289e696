"""``exegesis study``: what has the model learned, over a corpus?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exegesis.cli import options as opt
from exegesis.cli.inputs import chosen, listed, load, read_training, sources
from exegesis.cli.options import Group, argument, option, unfolded
from exegesis.cli.outputs import PICTURES, Files, check_files, progress, say
from exegesis.cli.train import Shape, Training, network_config, train_options
from exegesis.core.errors import ExegesisError, UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.results.study import Study

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Study what the model has learned, over a corpus: word classes, words, failures, substitutions, repair.",
)


class Rows(Group, panel="Texts"):
    """The columns and rows to read from a table, a folder or a dataset."""

    column: str | None = opt.COLUMN()
    pair_column: str | None = opt.PAIR_COLUMN()
    split: str | None = option("train, dev or test part of a folder.", metavar="NAME")
    limit: int | None = opt.LIMIT()

    def examples(self, data: str, label: str | None = None) -> list[Example]:
        """The examples of a file, a folder or a dataset."""
        from exegesis.data.examples import read_examples

        if self.split is not None and Path(data).is_file():
            raise UsageError(f"--split belongs to a folder or a data set, and {data} is a file; leave it out")
        return read_examples(data, self.column, label, self.pair_column, self.split)[: self.limit]


class Corpus(Rows):
    """The texts of a study."""

    data: str = argument("A .txt, .tsv, .csv or .jsonl file, a folder with a --split, or a dataset.", "DATA")


class LabelledCorpus(Corpus):
    """The texts of a study, and their labels."""

    label: str | None = opt.LABEL()


class TrainedCorpus(LabelledCorpus):
    """The texts of a study with their labels, and the texts that the model was trained on."""

    train: str | None = option("The training texts, with labels.", metavar="DATA")

    def both(self) -> tuple[list[Example], list[Example] | None]:
        """The examples to study, and the training examples if they are named."""
        trained = read_training(self.train, self.column, self.label, self.pair_column)
        return self.examples(self.data, self.label), trained


class Method(opt.Recommended):
    """A model and the method that explains it."""

    method: str | None = option("See 'exegesis methods'; by default reat.", "--method", "-M", metavar="METHOD")


class SeededMethod(Method):
    """A model and the method that explains it, and a seed."""

    seed: int = option("Seed of the bootstrap and of language models.", metavar="N", min=0, default=0)


class Scored(SeededMethod):
    """A model and the method that explains one of its numbers, and a seed."""

    target: str | None = opt.TARGET()


class Swap(Rows, panel="Swaps"):
    """A text, the word to replace, and sources of other words."""

    text: str = argument("The text.", "TEXT")
    word: str | None = argument("The word to replace; by default the one with the highest score.", "WORD", None)
    data: str | None = option("Other texts to try the swaps on.", metavar="DATA")
    label: str | None = opt.LABEL()
    synonyms: Path | None = option("Lines of a word, a colon, and its synonyms with commas.", metavar="FILE")
    neighbours: int = option("Words of the nearest vectors, among those of --data.", metavar="N", min=0, default=0)
    vectors: Path | None = option("Word vectors; by default the model's own.", metavar="FILE")
    language: str | None = option("A language model: 'bundled', or a masked Hugging Face model.", metavar="NAME")
    gold: str | None = option("The true label of the text.", metavar="LABEL")

    def others(self) -> list[Example] | None:
        """The other texts. Raises UsageError for options that belong to other texts, if there are none."""
        if self.data is not None:
            return self.examples(self.data, self.label)
        for name in ("column", "label", "pair_column", "split", "limit"):
            if getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} belongs to --data, the other texts to try the swaps on")
        return None


class Parts(Group, panel="Texts"):
    """The training texts with a fault, and the texts to measure a repair on."""

    data: str = argument("Training texts with labels; of a folder also its other parts.", "TRAIN")
    test: str | None = option("Test texts; without them nothing is trained.", metavar="DATA")
    dev: str | None = option("Development texts.", metavar="DATA")
    column: str | None = opt.COLUMN()
    label: str | None = opt.LABEL()

    def read(self) -> dict[str, list[Example]]:
        """The examples of each part."""
        from exegesis.data.examples import read_examples

        places = sources(self.data, {"test": self.test, "dev": self.dev}, datasets=False)
        return {name: read_examples(data, self.column, self.label, split=part) for name, (data, part) in places.items()}


class Faulty(Parts, panel="Swaps"):
    """Training texts with a fault, and the swaps of words against it."""

    swap: list[str] = option(
        "Words that may replace a word; repeatable.", "--swap", metavar="WORD=WORD,...", default=...
    )
    most: int = option("At most N new texts in each direction.", metavar="N", min=1, default=200)

    def swaps(self) -> dict[str, list[str]]:
        """The replacements of each word. Raises UsageError for a swap in another form."""
        words: dict[str, list[str]] = {}
        for text in self.swap:
            word, sign, others = text.partition("=")
            if not sign or not word.strip() or not listed(others):
                raise UsageError(f"--swap {text}: write WORD=WORD,WORD, such as terribly=extremely,very")
            words.setdefault(word.strip(), []).extend(listed(others))
        return words


class Retraining(Shape, Training, panel="Training"):
    """Classifiers that are trained with and without the new texts."""

    seeds: int = option("Trainings of each kind; a single one proves nothing.", metavar="N", min=1, default=5)


class Output(opt.Look, opt.Report):
    """The files of a study, and the view in the terminal."""

    figure: Path | None = option("A figure: .svg, .png or .pdf.", metavar="FILE")
    quiet: bool = opt.QUIET()

    def files(self) -> Files:
        return {**super().files(), "--figure": (self.figure, PICTURES)}

    def check(self, *inputs: str | Path | None) -> None:
        """Check the options before the work begins. Raises as ``check_files``."""
        self.view()
        check_files(self.files(), inputs)

    def put(self, study: Study) -> None:
        """Write the files, then show the result. Raises ExegesisError at the end for a file that cannot show it."""
        refused, palette = None, self.view()["palette"]
        for path in filter(None, (self.json, self.report, self.figure)):
            try:
                study.save(path, **({} if path == self.json else {"palette": palette}))
            except UsageError as error:  # the result has no picture: known only now, and the rest is worth having
                refused = f"{path}: {error}"
            else:
                say(path, self.quiet)
        if not self.quiet:
            from exegesis.show import render

            sys.stdout.write(render(study, **self.view()))
        if refused is not None:
            raise ExegesisError(refused)


class RepairOutput(Output):
    """The files of a repair, the new texts among them."""

    new: Path | None = option("The new texts as .tsv.", "--new", metavar="FILE")

    def files(self) -> Files:
        return {**super().files(), "--new": (self.new, (".tsv",))}


def _run(name: str, method: Method, output: Output, *data: Any, **options: Any) -> None:
    """Run the study of that name with the model and method that the user chose, and show it."""
    from exegesis import study
    from exegesis.api import preferred

    model = load(method)
    parameters = chosen(model, [method.method or preferred(model)], method)
    (used,) = parameters
    shown = progress(output.quiet)
    output.put(getattr(study, name)(model, *data, method=used, progress=shown, **options, **parameters[used]))


Tags = Annotated[str, typer.Option(metavar="TAGS", help="merged, penn or universal.")]
Words = Annotated[list[str], typer.Argument(metavar="WORD...", help="The word, or several to compare.")]
Contexts = Annotated[int, typer.Option(min=0, metavar="N", help="Contexts shown from each end.")]
Strongest = Annotated[int, typer.Option(min=1, metavar="N", help="Words of each label.")]
Uses = Annotated[int, typer.Option(min=1, metavar="N", help="Uses that a word needs.")]
Causes = Annotated[int, typer.Option(min=1, metavar="N", help="Causes to look into.")]
Shown = Annotated[int, typer.Option(min=0, metavar="N", help="Texts shown of each cause.")]


@app.command()
@unfolded
def words(corpus: Corpus, method: Scored, output: Output, tags: Tags = "merged") -> None:
    """Score kinds of words: which parts of speech does the model go by?

    \b
    exegesis study words reviews.tsv --figure classes.svg
    exegesis study words sst2/ --split test -M lrp --report classes.html
    """
    output.check(method.recommendation)
    texts = corpus.examples(corpus.data)
    _run("words", method, output, texts, target=method.target, tags=tags, seed=method.seed)


@app.command()
@unfolded
def word(corpus: LabelledCorpus, words: Words, method: Scored, output: Output, contexts: Contexts = 3) -> None:
    """Show how a word acts in all its contexts; several words side by side.

    \b
    exegesis study word reviews.tsv terrible terribly
    exegesis study word sst2/ good not --split test --figure words.svg
    """
    output.check(method.recommendation)
    texts = corpus.examples(corpus.data, corpus.label)
    _run("word", method, output, texts, words, target=method.target, contexts=contexts, seed=method.seed)


@app.command()
@unfolded
def summary(
    corpus: TrainedCorpus, method: SeededMethod, output: Output, most: Strongest = 12, minimum: Uses = 5
) -> None:
    """Sum up: the strongest words of each label, explanations that are not reasons, words that act unlike training.

    \b
    exegesis study summary test.tsv --train train.tsv --report summary.html
    """
    output.check(method.recommendation)
    texts, train = corpus.both()
    _run("summary", method, output, texts, train=train, most=most, minimum=minimum, seed=method.seed)


@app.command()
@unfolded
def failures(corpus: TrainedCorpus, method: Method, output: Output, most: Causes = 20, examples: Shown = 2) -> None:
    """Sort wrong predictions by the words that caused them, and check the training data.

    \b
    exegesis study failures test.tsv --train train.tsv --report failures.html
    exegesis study failures sst2/ --split test --train sst2/ --model my-model
    """
    output.check(method.recommendation)
    texts, train = corpus.both()
    _run("failures", method, output, texts, train=train, most=most, examples=examples)


@app.command()
@unfolded
def substitute(swap: Swap, method: SeededMethod, output: Output) -> None:
    """Put other words in a word's place: which flip the prediction, and do they in other texts?

    \b
    exegesis study substitute "A smart, dumb and funny movie." --language bundled
    exegesis study substitute "Terribly charismatic." terribly --synonyms mine.txt
    """
    output.check(method.recommendation)
    names = ("gold", "synonyms", "vectors", "neighbours", "language")
    options = {name: getattr(swap, name) for name in names}
    _run("substitute", method, output, swap.text, swap.word, data=swap.others(), seed=method.seed, **options)


@app.command()
@unfolded
def repair(data: Faulty, training: Retraining, output: RepairOutput) -> None:
    """Make training texts against a fault, and measure what retraining with them changes there and on the test texts.

    \b
    exegesis study repair sst2/ --swap terribly=very --report repair.html
    exegesis study repair train.tsv --swap dumb=silly --new more.tsv
    """
    folder = Path(data.data)
    parts = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    output.check(data.data, data.test, data.dev, training.vectors, *parts)
    texts = data.read()

    from exegesis import study
    from exegesis.core.files import write_whole
    from exegesis.core.progress import heard
    from exegesis.study.repairs import TRAININGS

    def announce(what: str, done: int, total: int) -> None:
        """Print a line before the first training, also if standard error is not a terminal."""
        if what.startswith(TRAININGS) and not output.quiet:
            print(f"{total} {what} (without the new texts, with their originals again, with them; "
                  f"seeds: {training.seeds})", file=sys.stderr, flush=True)  # fmt: skip

    with heard(announce):
        result = study.repair(
            texts["train"], data.swaps(), texts.get("test"), dev=texts.get("dev"), seeds=range(training.seeds),
            most=data.most, config=network_config(training), options=train_options(training),
            progress=progress(output.quiet),
        )  # fmt: skip
    if output.new is not None:
        lines = (f"{' '.join(example.text.split())}\t{example.label}\n" for example in result.added)
        write_whole(output.new, "".join(lines))
        say(output.new, output.quiet)
    output.put(result)
