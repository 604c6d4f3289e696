"""``exegesis study``: what has the model learned, over a corpus?"""

from __future__ import annotations

import inspect
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli import options as opt
from exegesis.cli.inputs import chosen, listed, load, read_training
from exegesis.cli.options import Command, Group, argument, option
from exegesis.cli.outputs import PICTURES, Files, check_files, progress, say
from exegesis.cli.training.train import Shape, Training, network_config, train_options
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.results.behaviour.study import Study


class Rows(Group, panel="Texts"):
    """The columns and rows to read from a table, a folder or a dataset."""

    column: str | None = opt.COLUMN()
    pair_column: str | None = opt.PAIR_COLUMN()
    split: str | None = option("train, dev or test part of a folder.", metavar="NAME")
    limit: int | None = opt.LIMIT()

    def rows(self, data: str, label: str | None = None) -> list[Example]:
        """The examples of a file, a folder or a dataset."""
        from exegesis.data.examples import read_examples

        if self.split is not None and Path(data).is_file():
            raise UsageError(f"--split belongs to a folder or a data set, and {data} is a file; leave it out")
        return read_examples(data, self.column, label, self.pair_column, self.split)[: self.limit]


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
        trained = read_training(self.train, self.column, self.label, self.pair_column)
        return {**super().read(), "train": trained}


class OtherTexts(Rows, panel="Swaps"):
    """Texts to try the swaps of a word on."""

    data: str | None = option("Other texts to try the swaps on.", metavar="DATA")
    label: str | None = opt.LABEL()

    def read(self) -> dict[str, Any]:
        """The texts, as arguments of the study. Raises UsageError for options of texts if there are none."""
        for name in ("column", "label", "pair_column", "split", "limit") if self.data is None else ():
            if getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} belongs to --data, the other texts to try the swaps on")
        return {"data": None if self.data is None else self.rows(self.data, self.label)}


class Output(opt.Look, opt.Report):
    """The files of a study, and the view in the terminal."""

    figure: Path | None = option("A figure: .svg, .png or .pdf.", metavar="FILE", **opt.OUTPUT)
    quiet: bool = opt.QUIET()

    def files(self) -> Files:
        return {**super().files(), "--figure": (self.figure, PICTURES)}

    def check(self, *inputs: str | Path | None) -> None:
        """Check the options before the work begins. Raises as ``check_files``."""
        self.view()
        check_files(self.files(), inputs)

    def put(self, study: Study) -> None:
        """Write the files, then show the result."""
        view = self.view()
        for path in filter(None, (self.json, self.report, self.figure)):
            study.save(path, **({} if path == self.json else {"palette": view["palette"]}))
            say(path, self.quiet)
        if not self.quiet:
            from exegesis.show import render

            sys.stdout.write(render(study, **view))


class ModelStudy(Command, Output, opt.Recommended, Rows):
    """A study of a model by one method: the function in ``exegesis.study`` that has the command's name, and whose
    arguments are the texts, the method, and the fields of the command's own class."""

    method: str | None = option(
        "See 'exegesis methods'; by default integrated-gradients.", "--method", "-M", metavar="METHOD"
    )

    def read(self) -> dict[str, Any]:
        """The texts, as arguments of the study."""
        raise NotImplementedError

    def run(self) -> None:
        self.check(self.recommendation)
        arguments = self.read() | {name: getattr(self, name) for name in inspect.get_annotations(type(self))}

        from exegesis import study
        from exegesis.api import preferred

        model = load(self)
        parameters = chosen(model, [self.method or preferred(model)], self)
        ((name, own),) = parameters.items()
        ask, shown = getattr(study, type(self).__name__.lower()), progress(self.quiet)
        self.put(ask(model, method=name, progress=shown, **arguments, **own))


SEED = partial(opt.SEED, "Seed of the bootstrap and of language models.")
NUMBER = partial(option, metavar="N")
TEXTS: Any = {"rich_help_panel": "Texts"}
SWAPS: Any = {"rich_help_panel": "Swaps"}


class Words(Corpus, ModelStudy):
    """Show how words of each part of speech score: which kinds of words does the model go by?

    \b
    exegesis study words reviews.tsv --figure classes.svg
    exegesis study words sst2/ --split test -M lrp --html classes.html
    """

    target: str | None = opt.TARGET()
    tags: str = option("merged, penn or universal.", metavar="TAGS", default="merged")
    seed: int = SEED()


class Word(LabelledCorpus, ModelStudy):
    """Show how one word scores in all its contexts, or compare several words.

    \b
    exegesis study word reviews.tsv terrible terribly
    exegesis study word sst2/ good not --split test --figure words.svg
    """

    words: list[str] = argument("The word, or several to compare.", "WORD...")
    target: str | None = opt.TARGET()
    contexts: int = NUMBER("Contexts shown from each end.", min=0, default=3)
    seed: int = SEED()


class Summary(TrainedCorpus, ModelStudy):
    """Show the strongest words of each label, doubtful explanations, and words that contradict the training texts.

    \b
    exegesis study summary test.tsv --train train.tsv --html summary.html
    """

    most: int = NUMBER("Words of each label.", min=1, default=12)
    minimum: int = NUMBER("Uses that a word needs.", min=1, default=5)
    seed: int = SEED()


class Failures(TrainedCorpus, ModelStudy):
    """Sort wrong predictions by the words that caused them, and check the training data.

    \b
    exegesis study failures test.tsv --train train.tsv --html failures.html
    exegesis study failures sst2/ --split test --train sst2/ --model my-model
    """

    most: int = NUMBER("Causes to look into.", min=1, default=20)
    examples: int = NUMBER("Texts shown of each cause.", min=0, default=2)
    sources: int = NUMBER("Training texts named behind each cause.", min=0, default=0)


class Substitute(OtherTexts, ModelStudy, panel="Swaps"):
    """Replace a word by others: which of them flip the prediction, and do they flip it in other texts too?

    \b
    exegesis study substitute "A smart, dumb and funny movie." --language bundled
    exegesis study substitute "Terribly charismatic." terribly --synonyms mine.txt
    """

    text: str = argument("The text.", "TEXT")
    word: str | None = argument("The word to replace; by default the one with the highest score.", "WORD", None)
    gold: str | None = option("The true label of the text.", metavar="LABEL")
    synonyms: Path | None = option("Lines of a word, a colon, and its synonyms with commas.", metavar="FILE")
    neighbours: int = NUMBER("Words of the nearest vectors, among those of --data.", min=0, default=0)
    vectors: Path | None = option("Word vectors; by default the model's own.", metavar="FILE")
    language: str | None = option("A language model: 'bundled', or a masked Hugging Face model.", metavar="NAME")
    seed: int = SEED(rich_help_panel=None)


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
        texts = {name: part.examples for name, part in read_splits(self.data, others, self.column, self.label).items()}

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
    planted: float = NUMBER("Share of the labels that are made wrong.", default=0.1)
    seeds: int = NUMBER("Trainings with wrong labels; 0 for none.", min=0, default=3, rich_help_panel="Training")
    most: int = NUMBER("Texts listed.", min=1, default=20)

    def run(self) -> None:
        self.check(self.data, self.test, self.vectors)

        from exegesis import study

        examples = read_training(self.data, self.column, self.label) or []
        tests = read_training(self.test, self.column, self.label)
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
        read = {name: read_training(getattr(self, name), self.column, self.label)
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
    neighbours: int = NUMBER("Nearest training texts that are counted.", min=1, default=50)
    layers: str = option("The layers in which they are near; by default what the last one reads.", metavar="NAMES",
                         default="")  # fmt: skip
    index: str = option("A folder of exegesis index.", metavar="FOLDER", default="")
    seed: int = opt.SEED("Seed of the bootstrap.")

    def run(self) -> None:
        self.check(self.data, self.test, self.held)

        from exegesis import study

        read = [read_training(part, self.column, self.label) or [] for part in (self.data, self.test, self.held)]
        self.put(study.calibrate(load(self), *read, k=self.neighbours, layers=self.layers, index=self.index,
                                 seed=self.seed, progress=progress(self.quiet)))  # fmt: skip


class Heads(Command, Output, opt.Model):
    """Show what each attention head of an encoder finds in a treebank, beside fixed offsets, and what it is worth.

    \b
    exegesis study heads en_ewt-ud-dev.conllu -m my-encoder --html heads.html
    """

    data: str = argument("Sentences with dependencies, in CoNLL-U.", "TREEBANK")
    limit: int | None = opt.LIMIT()
    minimum: int = NUMBER("Leave out relations of fewer words.", min=1, default=20)
    tried: int = NUMBER("Sentences on which heads are left out.", min=0, default=20)
    seed: int = opt.SEED("Seed of the bootstrap.")

    def run(self) -> None:
        self.check(self.data)

        from exegesis.study import heads

        shown = progress(self.quiet)
        self.put(heads(load(self), self.data, limit=self.limit, minimum=self.minimum, tried=self.tried, seed=self.seed,
                       progress=shown))  # fmt: skip


class Probe(Command, Output, opt.Model):
    """Read words' tags, relations and depths, sentences' lengths and tenses, and trees off a model's hidden states.

    \b
    exegesis study probe en_ewt-ud-dev.conllu -m my-encoder --limit 500
    """

    data: str = argument("Sentences with dependencies, in CoNLL-U.", "TREEBANK")
    limit: int | None = opt.LIMIT()
    properties: str = option("tag,relation,depth,length,tense,content, or all.", metavar="A,B", default="all")
    layers: str = option("all, or names such as 'layer 1,pooled'.", metavar="NAMES", default="all")
    probes: str = option("linear,mlp,structure, or all; attention, if named.", metavar="A,B", default="all")
    param: list[str] | None = opt.PARAM()
    seed: int = opt.SEED("Seed of the split, the control tasks and the probes.")

    def run(self) -> None:
        self.check(self.data)

        from exegesis.cli.inputs import assigned
        from exegesis.core.parameters import hints
        from exegesis.study import probe
        from exegesis.study.insides.probes import Probing

        own = assigned(self.param, {"probe": dict.fromkeys(hints(Probing), Probing)})["probe"]
        self.put(probe(load(self), self.data, self.properties, self.layers, probes=self.probes, limit=self.limit,
                       progress=progress(self.quiet), **{"seed": self.seed, **own}))  # fmt: skip
