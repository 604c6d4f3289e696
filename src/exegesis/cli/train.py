"""``exegesis train``: train a text classifier and save it as a model folder."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from exegesis.core.errors import ExegesisError, FileError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from exegesis.data.examples import Example
    from exegesis.models.trained.network import Cell
    from exegesis.models.trained.training import Epoch, TrainResult


class Arch(StrEnum):
    """Cell and direction."""

    lstm = "lstm"
    gru = "gru"
    rnn = "rnn"
    bilstm = "bilstm"
    bigru = "bigru"
    birnn = "birnn"
    lstm_nondecreasing = "lstm-nondecreasing"
    lstm_markov = "lstm-markov"
    lstm_no_gates = "lstm-no-gates"
    bilstm_nondecreasing = "bilstm-nondecreasing"
    bilstm_markov = "bilstm-markov"
    bilstm_no_gates = "bilstm-no-gates"


class Pooling(StrEnum):
    """How the states become one vector."""

    last = "last"
    mean = "mean"
    max = "max"
    attention = "attention"


_DATA, _SHAPE, _RUN = "Data", "Model", "Training"


def train(
    data: Annotated[str, typer.Argument(help="A folder with train, dev and test files, a file, or a dataset's name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model folder to write.")],
    dev: Annotated[str | None, typer.Option(help="Development texts.", rich_help_panel=_DATA)] = None,
    test: Annotated[str | None, typer.Option(help="Test texts.", rich_help_panel=_DATA)] = None,
    extra: Annotated[
        list[str] | None, typer.Option(help="More training texts, such as phrases; repeatable.", rich_help_panel=_DATA)
    ] = None,
    text: Annotated[str | None, typer.Option(help="Column of the text: name or number.", rich_help_panel=_DATA)] = None,
    label: Annotated[str | None, typer.Option(help="Column of the label.", rich_help_panel=_DATA)] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether row 1 names columns.", rich_help_panel=_DATA)
    ] = None,
    names: Annotated[
        str | None, typer.Option(help="New names of the sorted labels: negative,positive.", rich_help_panel=_DATA)
    ] = None,
    neutral: Annotated[
        str | None, typer.Option(help="Label of texts that speak for no class.", rich_help_panel=_DATA)
    ] = None,
    arch: Annotated[Arch, typer.Option(help="Cell; bi- reads both ways.", rich_help_panel=_SHAPE)] = Arch.gru,
    layers: Annotated[int, typer.Option(min=1, rich_help_panel=_SHAPE)] = 1,
    embedding: Annotated[int, typer.Option(min=1, help="Width of the embeddings.", rich_help_panel=_SHAPE)] = 100,
    hidden: Annotated[int, typer.Option(min=1, help="Width of one direction.", rich_help_panel=_SHAPE)] = 150,
    readout: Annotated[Pooling, typer.Option(rich_help_panel=_SHAPE)] = Pooling.last,
    vectors: Annotated[
        Path | None, typer.Option(help="Word vectors, GloVe's or word2vec's text format.", rich_help_panel=_SHAPE)
    ] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Do not tune embeddings.", rich_help_panel=_SHAPE)] = False,
    min_count: Annotated[int, typer.Option(min=1, help="Rarer words are unknown.", rich_help_panel=_SHAPE)] = 1,
    cased: Annotated[bool, typer.Option("--cased", help="Keep capitals apart.", rich_help_panel=_SHAPE)] = False,
    about: Annotated[
        Path | None, typer.Option(help="Markdown to set into the model card.", rich_help_panel=_SHAPE)
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Save in float16.", rich_help_panel=_SHAPE)] = False,
    dropout: Annotated[float, typer.Option(help="On the readout.", rich_help_panel=_RUN)] = 0.5,
    embedding_dropout: Annotated[float, typer.Option(help="On features of embeddings.", rich_help_panel=_RUN)] = 0.0,
    word_dropout: Annotated[float, typer.Option(help="Words made unknown.", rich_help_panel=_RUN)] = 0.0,
    epochs: Annotated[int, typer.Option(min=1, help="At most.", rich_help_panel=_RUN)] = 20,
    lr: Annotated[float, typer.Option(help="Adam's step size.", rich_help_panel=_RUN)] = 1e-3,
    batch: Annotated[int, typer.Option(min=1, help="Texts in a batch.", rich_help_panel=_RUN)] = 64,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without a gain.", rich_help_panel=_RUN)] = 3,
    clip: Annotated[float, typer.Option(help="Bound on the gradient's norm.", rich_help_panel=_RUN)] = 1.0,
    weight_decay: Annotated[float, typer.Option(help="L2 penalty.", rich_help_panel=_RUN)] = 0.0,
    label_smoothing: Annotated[float, typer.Option(rich_help_panel=_RUN)] = 0.0,
    average: Annotated[float, typer.Option(help="Decay of a mean of the weights.", rich_help_panel=_RUN)] = 0.0,
    seed: Annotated[int, typer.Option(min=0, rich_help_panel=_RUN)] = 0,
    device: Annotated[str, typer.Option(help="cpu, or cuda.", rich_help_panel=_RUN)] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing model folder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Train a text classifier: embedding, LSTM / GRU / tanh-RNN, readout, linear.

    lstm-nondecreasing, lstm-markov and lstm-no-gates are the LSTMs made for relevance propagation by Arras et al.
    (2019, Sec. 11.4).

    The state is kept beside OUT after every epoch; --resume goes on from there.

    Example: exegesis train sst2/ --arch bigru --out my-model
    """
    from rich.console import Console

    from exegesis.core.files import read_text
    from exegesis.models.trained.card import card_text
    from exegesis.models.trained.folder import make_parent, refuse_existing, save_folder, try_parent
    from exegesis.models.trained.network import RecurrentConfig
    from exegesis.models.trained.options import TrainOptions
    from exegesis.models.trained.training import train as run

    refuse_existing(out, overwrite=overwrite)
    try_parent(out)
    own_words = read_text(about) if about is not None else ""
    config = RecurrentConfig(
        cell=cast("Cell", arch.value.removeprefix("bi")),
        bidirectional=arch.value.startswith("bi"),
        layers=layers,
        embedding=embedding,
        hidden=hidden,
        dropout=dropout,
        embedding_dropout=embedding_dropout,
        readout=readout.value,
    )
    options = TrainOptions(
        epochs=epochs,
        batch=batch,
        lr=lr,
        patience=patience,
        clip=clip,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        word_dropout=word_dropout,
        average=average,
        neutral=neutral,
        minimum_count=min_count,
        lowercase=not cased,
        vectors=vectors,
        freeze=freeze,
        seed=seed,
        device=device,
    )
    parts, origins = _read(data, dev, test, extra or [], text, label, header)
    if names is not None:
        parts = _rename(parts, names, neutral)
    make_parent(out)
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    if checkpoint.exists() and not (resume or overwrite):
        raise FileError(f"{checkpoint} is an interrupted run: go on with it (--resume) or start again (--overwrite)")
    console = Console(stderr=True)
    if resume and not checkpoint.exists():
        said = f"nothing to resume: there is no {checkpoint}; training starts from the beginning"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    with _Progress(console, epochs, quiet=quiet) as watcher:
        try:
            result = run(
                parts["train"],
                parts.get("dev"),
                parts.get("test"),
                config=config,
                options=options,
                checkpoint=checkpoint,
                resume=resume,
                watcher=watcher,
            )
        except KeyboardInterrupt:
            raise ExegesisError("interrupted; give the same command with --resume to go on") from None
    command = shlex.join(["exegesis", *sys.argv[1:]])
    card = card_text(out.name, result, command=command, data=origins, seed=seed, about=own_words)
    save_folder(out, result.model, card, overwrite=overwrite, half=half)
    checkpoint.unlink(missing_ok=True)
    if not quiet:
        _report(Console(), result, out)


def _read(
    data: str,
    dev: str | None,
    test: str | None,
    extra: list[str],
    text: str | None,
    label: str | None,
    header: bool | None,
) -> tuple[dict[str, list[Example]], dict[str, str]]:
    """The examples of each split, and where they came from."""
    from exegesis.data.examples import find_split, is_dataset_name, read_examples

    def read(source: str, split: str | None) -> list[Example]:
        return read_examples(source, text, label, split=split, header=header)

    path = Path(data)
    bundle = path.is_dir() or is_dataset_name(data)
    sources: dict[str, tuple[str, str | None]] = {"train": (data, "train" if bundle else None)}
    for split, given in (("dev", dev), ("test", test)):
        if given is not None:
            sources[split] = (given, split if Path(given).is_dir() or is_dataset_name(given) else None)
        elif bundle and (not path.is_dir() or find_split(path, split)):
            sources[split] = (data, split)
    parts, origins = {}, {}
    for split, (source, which) in sources.items():
        try:
            parts[split] = read(source, which)
        except UsageError:
            if split == "train" or source != data or path.is_dir():
                raise
            continue
        origins[split] = source if which is None else f"{source} ({which})"
    for source in extra:
        parts["train"] += read(source, None)
        origins["train"] += f" and {source}"
    if "dev" not in parts:
        origins["dev"] = "a seeded tenth of the training texts"
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


class _Progress:
    """A progress bar on a terminal, one line an epoch anywhere, nothing when quiet."""

    def __init__(self, console: Console, epochs: int, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._task = self._bar.add_task("", total=None, epoch=f"1/{epochs}")
        self._console, self._epochs, self._quiet = console, epochs, quiet

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, epoch: int, done: int, total: int, loss: float) -> None:
        self._bar.update(self._task, completed=done, total=total, epoch=f"{epoch}/{self._epochs}")

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        if not self._quiet:
            self._console.print(
                f"epoch {epoch.number}: loss {epoch.loss:.4f}, development accuracy {epoch.dev_accuracy:.2%}"
                f"{' (best so far)' if best else ''}, {epoch.seconds:.1f} s",
                highlight=False,
            )


def _report(console: Console, result: TrainResult, out: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from exegesis.models.trained.card import describe

    console.print(f"{out}: {describe(result)}", markup=False, highlight=False)
    console.print(f"development accuracy {result.dev.accuracy:.2%} (epoch {result.best_epoch})", highlight=False)
    if result.test is None:
        return
    console.print(f"test accuracy {result.test.accuracy:.2%} of {result.test.total} texts", highlight=False)
    table = Table("gold \\ predicted", *map(escape, result.test.labels))
    for name, row in zip(result.test.labels, result.test.confusion, strict=True):
        table.add_row(escape(name), *map(str, row))
    console.print(table)
