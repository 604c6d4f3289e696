"""``exegesis train``: train a text classifier and save it as a model folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli.complaints import Interrupted
from exegesis.cli.inputs import sources
from exegesis.cli.options import Group, argument, choice, option, unfolded
from exegesis.cli.outputs import progress
from exegesis.core.errors import FileError, UsageError
from exegesis.core.progress import tell

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.models.trained.network import RecurrentConfig
    from exegesis.models.trained.options import TrainOptions
    from exegesis.models.trained.scores import Epoch
    from exegesis.models.trained.training import TrainResult


_VARIANTS = ("lstm-nondecreasing", "lstm-markov", "lstm-no-gates")
ARCHS = ("lstm", "gru", "rnn", "bilstm", "bigru", "birnn", *_VARIANTS, *(f"bi{name}" for name in _VARIANTS))
READOUTS = ("last", "mean", "max", "attention")


class Data(Group, panel="Data"):
    """The texts to train on and to score."""

    data: str = argument("A folder with train, dev and test files, a file, or the name of a dataset.", None)
    dev: str | None = option("Development texts.")
    test: str | None = option("Test texts.")
    extra: list[str] | None = option("More training texts, such as phrases; repeatable.")
    text: str | None = option("Column of the text: its name, or its number from 1.")
    label: str | None = option("Column of the label.")
    header: bool | None = option("Say whether row 1 names the columns.", "--header/--no-header")
    names: str | None = option("New names of the sorted labels, such as negative,positive.")
    neutral: str | None = option("Label of texts that speak for no class.")


class Shape(Group, panel="Model"):
    """The cell of a classifier and its widths."""

    arch: str = choice("Cell; bi- reads both ways.", ARCHS, "gru")
    embedding: int = option("Width of the embeddings.", min=1, default=100)
    hidden: int = option("Width of one direction.", min=1, default=150)


class Layers(Group, panel="Model"):
    """The rest of the shape of a classifier."""

    layers: int = option("Number of recurrent layers.", min=1, default=1)
    readout: str = choice("How the states become one vector.", READOUTS, "last")
    dropout: float = option("Dropout of the readout.", default=0.5)
    embedding_dropout: float = option("Dropout of features of the embeddings.", default=0.0)


class Training(Group, panel="Training"):
    """The main options of training."""

    vectors: Path | None = option("Word vectors to start from, in the text format of GloVe or word2vec.")
    epochs: int = option("At most so many.", min=1, default=20)
    lr: float = option("Step size of Adam.", default=1e-3)
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
    label_smoothing: float = option("Share of the label spread over all labels.", default=0.0)
    average: float = option("Decay of a moving average of the weights.", default=0.0)
    seed: int = option("Seed of the first weights and of the order of texts.", min=0, default=0)


class Run(Group):
    """The folder to write, and how to go on."""

    out: Path = option("The model folder to write.", "--out", "-o", default=...)
    about: Path | None = option("Markdown to put into the model card.")
    half: bool = option("Save in float16.", "--half", default=False)
    resume: bool = option("Go on with an interrupted run.", "--resume", default=False)
    overwrite: bool = option("Replace an existing model folder.", "--overwrite", default=False)
    quiet: bool = option("No progress, no tables.", "--quiet", "-q", default=False)


def network_config(shape: Shape, *groups: Group) -> RecurrentConfig:
    """The shape of the classifier; ``groups`` hold options with the names of its fields."""
    from exegesis.models.trained.network import RecurrentConfig

    cell: Any = shape.arch.removeprefix("bi")
    return RecurrentConfig(cell, shape.arch.startswith("bi"), **_common(RecurrentConfig, shape, *groups))


def train_options(*groups: Group, **more: Any) -> TrainOptions:
    """The options of training; ``groups`` hold options with the names of its fields, ``more`` has the others."""
    from exegesis.models.trained.options import TrainOptions

    return TrainOptions(**_common(TrainOptions, *groups), **more)


def _common(kind: type, *groups: Group) -> dict[str, Any]:
    names = [field.name for field in fields(kind)]
    return {name: getattr(group, name) for group in groups for name in names if hasattr(group, name)}


@unfolded
def train(data: Data, shape: Shape, layers: Layers, training: Training, finer: Regularisation, run: Run) -> None:
    """Train a text classifier: embedding, LSTM / GRU / tanh-RNN, readout, linear.

    lstm-nondecreasing, lstm-markov and lstm-no-gates are the LSTMs made for relevance propagation by Arras et al.
    (2019, Sec. 11.4).

    The state is saved beside OUT after every epoch; --resume goes on from there.

    Example: exegesis train sst2/ --arch bigru --out my-model
    """
    from exegesis.api import bar
    from exegesis.core.files import read_text
    from exegesis.core.folders import recover
    from exegesis.models.trained.card import card_text
    from exegesis.models.trained.folder import make_parent, refuse_existing, save_folder, try_parent
    from exegesis.models.trained.training import train as fit

    recover(run.out)
    _forget(run)
    refuse_existing(run.out, overwrite=run.overwrite)
    try_parent(run.out)
    about = read_text(run.about) if run.about is not None else ""
    config = network_config(shape, layers)
    options = train_options(training, finer, neutral=data.neutral, lowercase=not finer.cased)
    parts, origins = _read(data)
    make_parent(run.out)
    checkpoint = _checkpoint(run)
    with bar(progress(run.quiet), training.epochs, "epochs") as advance:
        try:
            result = fit(
                parts["train"], parts.get("dev"), parts.get("test"), config=config, options=options,
                checkpoint=checkpoint, resume=run.resume, watcher=_Watcher(advance, run.quiet),
            )  # fmt: skip
        except KeyboardInterrupt:
            raise Interrupted("interrupted; give the same command with --resume to go on") from None
    command = shlex.join(["exegesis", *sys.argv[1:]])
    card = card_text(run.out.name, result, command=command, data=origins, seed=finer.seed, about=about)
    save_folder(run.out, result.model, card, overwrite=run.overwrite, half=run.half, spent=checkpoint)
    if not run.quiet:
        _report(result, run.out)


def _state(run: Run) -> Path:
    """The file of the state of training."""
    return run.out.with_name(f"{run.out.name}.checkpoint")


def _forget(run: Run) -> None:
    """Remove a checkpoint of which the folder was made, unless the run is to go on from it."""
    from exegesis.models.trained.folder import is_spent

    if not run.resume and is_spent(_state(run), run.out):
        _state(run).unlink(missing_ok=True)


def _checkpoint(run: Run) -> Path:
    """The file of the state of training. Raises FileError if it is there and the user does not say what to do."""
    checkpoint = _state(run)
    if checkpoint.exists() and not (run.resume or run.overwrite):
        raise FileError(f"{checkpoint} is an interrupted run: go on with it (--resume) or start again (--overwrite)")
    if run.resume and not checkpoint.exists():
        print(f"nothing to resume: there is no {checkpoint}; training starts from the beginning", file=sys.stderr)
    return checkpoint


def _read(data: Data) -> tuple[dict[str, list[Example]], dict[str, str]]:
    """The examples of each split, and where they came from."""
    from exegesis.data.examples import read_examples

    parts, origins = {}, {}
    for split, (source, which) in sources(data.data, {"dev": data.dev, "test": data.test}, datasets=True).items():
        try:
            parts[split] = read_examples(source, data.text, data.label, split=which, header=data.header)
        except UsageError:
            if split == "train" or source != data.data or Path(source).is_dir():
                raise
            continue  # a dataset without this split
        origins[split] = source if which is None else f"{source} ({which})"
    for source in data.extra or []:
        parts["train"] += read_examples(source, data.text, data.label, header=data.header)
        origins["train"] += f" and {source}"
    if "dev" not in parts:
        origins["dev"] = "a seeded tenth of the training texts"
    if data.names is not None:
        parts = _rename(parts, data.names, data.neutral)
    return parts, {split: origins[split] for split in ("train", "dev", "test") if split in origins}


def _rename(parts: dict[str, list[Example]], names: str, neutral: str | None) -> dict[str, list[Example]]:
    from exegesis.data.examples import Example
    from exegesis.models.trained.corpus import find_labels

    labels, new = find_labels(parts["train"], neutral), [name.strip() for name in names.split(",")]
    if len(new) != len(labels) or len(set(new)) < len(new) or not all(new):
        raise UsageError(f"--names gives {names!r} for the labels {', '.join(labels)}; give a name for each")
    renamed = dict(zip(labels, new, strict=True))
    return {
        split: [Example.of(e.text, renamed.get(e.label or "", e.label)) for e in examples]
        for split, examples in parts.items()
    }


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
                f"{' (best so far)' if best else ''}, {epoch.seconds:.1f} s",
                file=sys.stderr,
            )


def _report(result: TrainResult, out: Path) -> None:
    """Print the accuracies, and the table of true and predicted labels."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from exegesis.models.trained.card import describe

    print(f"{out}: {describe(result)}")
    print(f"development accuracy {result.dev.accuracy:.2%} (epoch {result.best_epoch})")
    if result.test is not None:
        print(f"test accuracy {result.test.accuracy:.2%} of {result.test.total} texts")
        table = Table("gold \\ predicted", *map(escape, result.test.labels))
        for name, row in zip(result.test.labels, result.test.confusion, strict=True):
            table.add_row(escape(name), *map(str, row))
        Console().print(table)
