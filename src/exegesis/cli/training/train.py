"""``exegesis train``: train a text classifier and save it as a model folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exegesis.cli.complaints import Interrupted
from exegesis.cli.options import ENCODING, Command, Group, argument, choice, option
from exegesis.cli.outputs import progress
from exegesis.cli.training.deciding import Deciding, deciding_config
from exegesis.cli.training.selecting import Selecting, fit_selecting, selecting_config
from exegesis.cli.training.writing import EXPLAINER, Writing, fit_explainer
from exegesis.core.errors import FileError, UsageError
from exegesis.core.escapes import escaped
from exegesis.core.progress import tell

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.models.trained.architectures.config import NetworkConfig
    from exegesis.models.trained.options import TrainOptions
    from exegesis.models.trained.scores import Epoch
    from exegesis.models.trained.training import TrainResult


_VARIANTS = ("lstm-nondecreasing", "lstm-markov", "lstm-no-gates")
SHAPES = (
    "hidden",
    "layers",
    "readout",
    "hops",
    "span",
    "heads",
    "feedforward",
    "kernels",
    "kernel",
    "landmarks",
    "turn_over",
)  # not of every network
HEARD = 16  # texts of the study of what layers hold
HF = "hf:"
RECURRENT = ("lstm", "gru", "rnn", "bilstm", "bigru", "birnn", *_VARIANTS, *(f"bi{name}" for name in _VARIANTS))
RATIONALE, CONCEPTS = "rationale", "concepts"
ARCHS = ("esim", RATIONALE, CONCEPTS, "landmarks", "transformer", "cnn", *RECURRENT)
ATTENTIONS = ("attention", "attention-dot", "attention-general", "attention-concat", "structured", "spans", "aspect")
READOUTS = ("last", "first", "mean", "max", *ATTENTIONS)


class Data(Group, panel="Data"):
    """The texts to train on and to score."""

    data: str = argument("A folder with train, dev and test files, a file, or the name of a dataset.", None)
    dev: str | None = option("Development texts.")
    test: str | None = option("Test texts.")
    extra: list[str] | None = option("More training texts, such as phrases; repeatable.")
    text: str | None = option("Column of the text: its name, or its number from 1.", "--column", "--text")
    pair: str | None = option("Column of the second text of a pair, or the aspect.", "--pair-column", "--pair")
    label: str | None = option("Column of the label.")
    header: bool | None = option("Say whether row 1 names the columns.", "--header/--no-header")
    encoding: str | None = ENCODING()
    names: str | None = option("New names of the sorted labels, such as negative,positive.")
    neutral: str | None = option("Label of texts that speak for no class.")


class Shape(Group, panel="Model"):
    """The kind of a classifier and its widths; None is the default of the kind."""

    arch: str = choice("Cell (bi- reads both ways), or a whole network; esim is made for pairs; rationale selects "
                       "words; concepts decides through them; hf:FOLDER fine-tunes; "
                       "explainer:FOLDER writes why.", ARCHS, "gru", (HF, EXPLAINER))  # fmt: skip
    embedding: int | None = option("Width of the embeddings: 100, of transformer 256.", min=1, default=None)
    hidden: int | None = option("Width of one direction, or filters of each width: 150.", min=1, default=None)


class Layers(Group, panel="Model"):
    """The rest of the shape of a classifier."""

    layers: int | None = option("Number of layers: 1, of transformer 3.", min=1, default=None)
    readout: str | None = choice("How the states become one vector: last, of transformer first.", READOUTS, None)
    hops: int | None = option("Rows of weights of the readout structured: 4.", min=1, default=None)
    span: int | None = option("Most words of a span of the readout spans: 10.", min=1, default=None)
    heads: int | None = option("Heads of a layer of transformer: 4.", min=1, default=None)
    feedforward: int | None = option("Width inside a layer of transformer: 1024.", min=1, default=None)
    kernels: str | None = option(
        "Widths of the convolutions of cnn, odd numbers: 1,3,5,7.", metavar="A,B", default=None
    )
    dropout: float | None = option("Dropout of the readout: 0.5, of transformer 0.1.", default=None)
    embedding_dropout: float = option("Dropout of features of the embeddings.", default=0.0)
    landmarks: int | None = option("Training texts that --arch landmarks compares with: 200.", min=1, default=None)
    kernel: str | None = choice("How landmarks compares: overlap (words), or rbf (vectors).", ("overlap", "rbf"), None)
    turn_over: bool = option("Instead of dropout, train on each text with a half of the units that is its own, for "
                             "influence -M turn-over-dropout.", "--turn-over", default=False)  # fmt: skip


class Training(Group, panel="Training"):
    """The main options of training."""

    vectors: Path | None = option("Word vectors to start from, in the text format of GloVe or word2vec.")
    epochs: int = option("At most so many.", min=1, default=20)
    lr: float | None = option("Step size of Adam; by default 0.001, of hf:FOLDER 5e-5.")
    device: str = option("cpu, or cuda.", default="cpu")


class Regularisation(Group, panel="Training"):
    """The finer options of training; their names are those of ``TrainOptions``."""

    freeze: bool = option("Keep the word vectors as they are.", "--freeze", default=False)
    minimum_count: int = option("Rarer words are unknown.", "--min-count", min=1, default=1)
    cased: bool = option("Keep capitals apart.", "--cased", default=False)
    word_dropout: float = option("Share of words made unknown.", default=0.0)
    batch: int = option("Texts in a batch.", min=1, default=64)
    patience: int = option("Stop after so many epochs without a gain.", min=1, default=3)
    clip: float = option("Bound on the norm of the gradient.", default=1.0)
    weight_decay: float = option("L2 penalty.", default=0.0)
    attention_penalty: float = option(
        "Weight of what keeps rows of the readout structured apart, or lets few of spans decide.", default=1.0
    )
    adversarial: float = option("Move word vectors so far to where the loss grows, and train on that loss too; 5, say.",
                                default=0.0)  # fmt: skip
    adversary: str = choice("To any side, or towards other words only.", ("any", "words"), "any")
    label_smoothing: float = option("Share of the label spread over all labels.", default=0.0)
    average: float = option("Decay of a moving average of the weights.", default=0.0)
    seed: int = option("Seed of the first weights and of the order of texts.", min=0, default=0)


def network_config(shape: Shape) -> NetworkConfig:
    """The shape of the classifier that the options ask for. Raises UsageError for an option that it does not have."""
    from exegesis.models.trained.architectures.config import (
        ConvolutionalConfig,
        LandmarkConfig,
        RecurrentConfig,
        TransformerConfig,
    )

    if shape.arch in (RATIONALE, CONCEPTS) or shape.arch.startswith((HF, EXPLAINER)):
        raise UsageError(f"--arch {shape.arch} is trained by 'exegesis train' alone; take another --arch here")
    kind: type[NetworkConfig] = {
        "transformer": TransformerConfig, "cnn": ConvolutionalConfig, "landmarks": LandmarkConfig,
    }.get(shape.arch, RecurrentConfig)  # fmt: skip
    asked = {name: getattr(shape, name, None) for name in SHAPES}
    for name, value in asked.items():
        if value not in (None, False) and name not in {field.name for field in fields(kind)}:
            raise UsageError(f"--{name.replace('_', '-')} does not belong to --arch {shape.arch}; leave it out")
    own = _common(kind, shape)
    if asked["kernels"] is not None:
        own["kernels"] = _widths(str(asked["kernels"]))
    if shape.arch == "esim":
        return RecurrentConfig(**{**own, "cell": "lstm", "bidirectional": True, "readout": "esim"})
    if kind is RecurrentConfig:
        return RecurrentConfig(cast(Any, shape.arch.removeprefix("bi")), shape.arch.startswith("bi"), **own)
    return kind(**own)


def _widths(text: str) -> tuple[int, ...]:
    """The whole numbers of a list. Raises UsageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"--kernels is {text!r}; give widths such as 1,3,5,7")
    return tuple(map(int, parts))


def train_options(training: Training, **more: Any) -> TrainOptions:
    """The options of training that the options of the command line are; ``more`` has others."""
    from exegesis.models.trained.options import TrainOptions

    return TrainOptions(**_common(TrainOptions, training), **more)


def _common(kind: type, group: Group) -> dict[str, Any]:
    values = {field.name: getattr(group, field.name, None) for field in fields(kind)}
    if values.get("turn_over") and "dropout" in values:
        values |= {"dropout": 0.0, "embedding_dropout": 0.0}
    return {name: value for name, value in values.items() if value is not None}


class Train(Command, Regularisation, Training, Selecting, Deciding, Writing, Layers, Shape, Data):
    """Train a text classifier and save it as a model folder.

    The classifier has embeddings, one or more recurrent layers, a readout of their states, and a linear layer.
    transformer is an encoder (Vaswani et al. 2017), cnn has convolutions of several widths (Kim 2014).
    lstm-nondecreasing, lstm-markov and lstm-no-gates are the LSTMs made for relevance propagation by Arras et al.
    (2019, Sec. 11.4). esim is the model of pairs of Chen et al. (2017), for natural language inference; every other
    network reads the two texts of a pair (--pair) one after the other. rationale reads
    only the words that its --selector keeps; 'exegesis explain' shows them first. concepts adds up what its --concepts
    say, each of an excerpt of its own; 'exegesis rename' names them. landmarks compares a text with some of the
    training texts (Croce et al. 2017); 'exegesis influence -M landmarks' names them. The state is saved beside OUT
    after every epoch, and --resume goes on from there.

    \b
    exegesis train sst2/ --arch bigru --out my-model
    exegesis train sst2/ --arch transformer --layers 2 --lr 2e-4 --out my-model
    exegesis train sst2/ --arch rationale --selector hardkuma:share=0.2 -o mine
    exegesis train sst2/ --arch concepts --concepts 8 --lr 0.01 --out my-model
    exegesis train sst2/ --arch hf:my-encoder --epochs 3 --out my-model
    exegesis train esnli/ --arch explainer:my-t5 --order predict-explain -o mine
    exegesis train wnut17/ --arch hf:my-encoder --tags --out my-tagger
    """

    tags: bool = option("With hf:FOLDER: DATA has a word and its tag in each line.", "--tags", default=False)
    out: Path = option("The model folder to write.", "--out", "-o", default=...)
    about: Path | None = option("Markdown to put into the model card.")
    half: bool = option("Save in float16.", "--half", default=False)
    keep: Path | None = option("A folder for the weights after every epoch, for influence -M tracin.", metavar="FOLDER")
    information: Path | None = option(
        "A study of what the layers hold after every epoch, of 16 development texts: .json, .html, .svg ...",
        metavar="FILE",
    )
    resume: bool = option("Go on with an interrupted run.", "--resume", default=False)
    overwrite: bool = option("Replace an existing model folder.", "--overwrite", default=False)
    quiet: bool = option("No progress, no tables.", "--quiet", "-q", default=False)

    def run(self) -> None:
        from exegesis.api import bar
        from exegesis.core.disk.files import read_text
        from exegesis.core.disk.folders import recover
        from exegesis.models.trained.card import card_text
        from exegesis.models.trained.folder import is_spent, make_parent, refuse_existing, save_folder, try_parent
        from exegesis.models.trained.training import train as fit

        recover(self.out)
        if not self.resume and is_spent(self.state, self.out):  # the folder was made of it
            self.state.unlink(missing_ok=True)
        refuse_existing(self.out, overwrite=self.overwrite)
        self.check_arch()
        try_parent(self.out)
        about = read_text(self.about) if self.about is not None else ""
        if self.arch.startswith(HF):
            self.finetune(about)
            return
        if self.arch.startswith(EXPLAINER):
            fit_explainer(self, about)
            return
        if self.tags:
            raise UsageError("--tags belongs to --arch hf:FOLDER; leave it out")
        selects = self.arch == RATIONALE
        through = self.arch == CONCEPTS
        config = selecting_config(self) if selects else deciding_config(self) if through else network_config(self)
        options = train_options(self, lowercase=not self.cased)
        parts, origins = _read(self)
        if not (selects or through) and isinstance(parts["train"][0].text, tuple) and not config.pairs:
            config = replace(config, paired=True)
        make_parent(self.out)
        self.check_state()
        each = None
        if self.information is not None:
            from exegesis.study.insides.information import Epochs

            each = Epochs([one.text for one in (parts.get("dev") or parts["train"])[:HEARD]])
        with bar(progress(self.quiet), self.epochs, "epochs") as advance:
            try:
                fitted = fit_selecting(self, parts) if selects else partial(fit, each=each)
                result = fitted(
                    parts["train"], parts.get("dev"), parts.get("test"), config=config, options=options,
                    checkpoint=self.state, resume=self.resume, keep=self.keep, watcher=_Watcher(advance, self.quiet),
                )  # fmt: skip
            except KeyboardInterrupt:
                raise Interrupted("interrupted; give the same command with --resume to go on") from None
        command = shlex.join(["exegesis", *sys.argv[1:]])
        card = card_text(self.out.name, result, command=command, data=origins, seed=self.seed, about=about)
        if each is not None:
            each.study.save(str(self.information))
        save_folder(self.out, result.model, card, overwrite=self.overwrite, half=self.half, spent=self.state)
        if through:
            _name(result, parts["train"], self.out)
        if not self.quiet:
            _report(result, self.out)

    def finetune(self, about: str) -> None:
        """Fine-tune an encoder (see ``models.huggingface.finetuning``)."""
        from exegesis.api import bar
        from exegesis.data.tagged import read_tagged_splits, tags_of
        from exegesis.models.huggingface import finetuning
        from exegesis.models.trained.corpus import find_labels
        from exegesis.models.trained.folder import make_parent

        if self.tags:
            tagged = read_tagged_splits(self.data, {"dev": self.dev, "test": self.test}, self.encoding)
            parts: dict[str, Any] = dict(tagged)
            origins, labels = dict.fromkeys(parts, self.data), tags_of(tagged["train"])
        else:
            parts, origins = _read(self)
            labels = find_labels(parts["train"])
        make_parent(self.out)
        self.check_state()
        options = finetuning.FineTuning(**_common(finetuning.FineTuning, self))
        command = shlex.join(["exegesis", *sys.argv[1:]])

        def card(result: finetuning.FineTuned) -> str:
            return finetuning.card_text(
                self.out.name, result, command=command, origins=origins, seed=self.seed, about=about
            )

        with bar(progress(self.quiet), self.epochs, "epochs") as advance:
            try:
                result = finetuning.finetune(
                    self.arch.removeprefix(HF), parts, labels, self.out, options, state=self.state, resume=self.resume,
                    card=card, told=lambda _: advance(),
                )  # fmt: skip
            except KeyboardInterrupt:
                raise Interrupted("interrupted; give the same command with --resume to go on") from None
        if not self.quiet:
            told = ", ".join(f"{split} accuracy {share:.2%}" for split, share in result.accuracy.items())
            print(f"{escaped(self.out)}: {escaped(result.base)} fine-tuned in {result.epochs} epochs, {told}")

    def check_arch(self) -> None:
        """Raises UsageError for an option of networks of another kind than --arch."""
        kind = next((name for name in (HF, EXPLAINER) if self.arch.startswith(name)), self.arch)
        groups = ((Selecting, RATIONALE, RATIONALE), (Deciding, CONCEPTS, CONCEPTS),
                  (Writing, EXPLAINER, f"{EXPLAINER}FOLDER"))  # fmt: skip
        for group, own, shown in groups:
            for one in fields(group) if kind != own else ():
                if getattr(self, one.name) != one.default:
                    name = one.name.replace("_", "-")
                    raise UsageError(f"--{name} belongs to --arch {shown}; leave it out, or say --arch {shown}")
        alone = {"adversary": self.adversary != "any" and not self.adversarial and "adversarial 5",
                 "hops": self.hops is not None and self.readout != "structured" and "readout structured",
                 "span": self.span is not None and self.readout != "spans" and "readout spans",
                 "longest": self.longest != 3 and self.form != "educe" and "form educe"}  # fmt: skip
        for name, without in alone.items():
            if without:
                raise UsageError(f"--{name} does nothing without --{without}; leave it out, or say so")
        for name in ("embedding", "dropout", *SHAPES) if kind in (HF, EXPLAINER) else ():
            if getattr(self, name) not in (None, False):
                raise UsageError(f"--{name.replace('_', '-')} does not belong to --arch {kind}FOLDER; leave it out")

    @property
    def state(self) -> Path:
        """The file of the state of training."""
        return self.out.with_name(f"{self.out.name}.checkpoint")

    def check_state(self) -> None:
        """Raises FileError if there is a state of training and the user does not say what to do with it."""
        if self.state.exists() and not (self.resume or self.overwrite):
            raise FileError(
                f"{self.state} is an interrupted run: go on with it (--resume) or start again (--overwrite)"
            )
        if self.resume and not self.state.exists():
            missing = escaped(self.state)
            print(f"nothing to resume: there is no {missing}; training starts from the beginning", file=sys.stderr)


def _read(data: Data) -> tuple[dict[str, list[Example]], dict[str, str]]:
    """The examples of each split, and where they came from."""
    from exegesis.data.examples import read_examples
    from exegesis.data.splits import read_splits
    from exegesis.models.trained.corpus import find_labels, renamed

    others = {"dev": data.dev, "test": data.test}
    how: dict[str, Any] = {"header": data.header, "encoding": data.encoding}
    splits = read_splits(data.data, others, data.text, data.label, pair=data.pair, datasets=True, **how)
    parts = {split: part.examples for split, part in splits.items()}
    origins = {"train": "", "dev": "a seeded tenth of the training texts"}
    origins |= {split: part.origin for split, part in splits.items()}
    for source in data.extra or []:
        parts["train"] += read_examples(
            source, data.text, data.label, data.pair, header=data.header, encoding=data.encoding
        )
        origins["train"] += f" and {source}"
    if data.names is not None:
        labels, new = find_labels(parts["train"], data.neutral), [name.strip() for name in data.names.split(",")]
        if len(new) != len(labels) or len(set(new)) < len(new) or not all(new):
            raise UsageError(f"--names gives {data.names!r} for the labels {', '.join(labels)}; give a name for each")
        names = dict(zip(labels, new, strict=True))
        parts = {split: renamed(examples, names) for split, examples in parts.items()}
    return parts, origins


class _Watcher:
    """Tells the progress bar of each step, and prints one line per epoch."""

    def __init__(self, advance: Callable[[], object], quiet: bool) -> None:
        self._advance, self._quiet = advance, quiet

    def step(self, epoch: int, done: int, total: int, loss: float) -> None:
        tell(f"batches of epoch {epoch}", done, total)

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        self._advance()
        if not self._quiet:
            print(
                f"epoch {epoch.number}: loss {epoch.loss:.4f}, development accuracy {epoch.dev_accuracy:.2%}"
                f"{' (best so far)' if best else ''}, {epoch.seconds:.1f} s{_shares(epoch)}",
                file=sys.stderr,
            )


def _shares(epoch: Epoch) -> str:
    """What an epoch of a classifier that selects its words keeps of the development texts."""
    shares = epoch.shares
    if shares is None:
        return ""
    kept = f", kept {shares.selected:.1%} of the words"
    said = f"{kept}, all of {shares.whole:.0%} and none of {shares.none:.0%} of the texts"
    return said + (f"; {shares.collapse}" if shares.collapse else "")


def _name(result: TrainResult, examples: list[Example], out: Path) -> None:
    """Propose names of a model's concepts from the training texts, and keep them with it."""
    from exegesis.models.concept_models.names import proposed, write_names

    names = proposed(result.model, examples)
    write_names(out, names, len(names))


def _report(result: TrainResult, out: Path) -> None:
    """Print the accuracies, and the table of true and predicted labels."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from exegesis.models.trained.card import describe

    print(f"{escaped(out)}: {describe(result)}")
    print(f"development accuracy {result.dev.accuracy:.2%} (epoch {result.best_epoch})")
    if result.test is not None:
        print(f"test accuracy {result.test.accuracy:.2%} of {result.test.total} texts")
        table = Table("gold \\ predicted", *(escape(escaped(label)) for label in result.test.labels))
        for name, row in zip(result.test.labels, result.test.confusion, strict=True):
            table.add_row(escape(escaped(name)), *map(str, row))
        Console().print(table)
