"""``exegesis train``: train a text classifier and save it as a model folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.cli.complaints import Interrupted
from exegesis.cli.options import Command, option
from exegesis.cli.outputs import progress
from exegesis.cli.training.deciding import Deciding, deciding_config
from exegesis.cli.training.options import (
    CONCEPTS,
    HF,
    RATIONALE,
    SHAPES,
    WRITES,
    Data,
    Layers,
    Regularisation,
    Shape,
    Training,
    common,
    network_config,
    train_options,
)
from exegesis.cli.training.selecting import RATE, Selecting, fit_selecting, selecting_config
from exegesis.cli.training.writing import EXPLAINER, Writing, fit_explainer
from exegesis.core.errors import FileError, UsageError
from exegesis.core.escapes import escaped
from exegesis.core.progress import tell

if TYPE_CHECKING:
    from exegesis.data.examples import Example
    from exegesis.models.trained.options import TrainOptions
    from exegesis.models.trained.scores import Epoch
    from exegesis.models.trained.training import TrainResult


TENTH = "a seeded tenth of the training texts"  # the development texts without --dev
HEARD = 16  # texts of the study of what layers hold


class Train(Command, Regularisation, Training, Selecting, Deciding, Writing, Layers, Shape, Data):
    """Train a text classifier and save it as a model folder.

    The classifier has embeddings, one or more recurrent layers, a readout of their states, and a linear layer.
    transformer is an encoder (Vaswani et al. 2017), cnn has convolutions of several widths (Kim 2014).
    lstm-nondecreasing, lstm-markov and lstm-no-gates are the LSTMs made for relevance propagation by Arras et al.
    (2019, Sec. 11.4). esim is the model of pairs of Chen et al. (2017), for natural language inference; every other
    network reads the two texts of a pair (--pair) one after the other. encoder-decoder learns to write the text in the
    column of labels, word by word, with attention to the text that it reads. rationale reads only
    the words that its --selector keeps; 'exegesis explain' shows them first. concepts adds up what its --concepts
    say, each of an excerpt of its own; 'exegesis rename' names them. landmarks compares a text with some of the
    training texts (Croce et al. 2017); 'exegesis influence -M landmarks' names them. The state is saved beside OUT
    after every epoch, and --resume goes on from there.

    \b
    exegesis train sst2/ --arch bigru --out my-model
    exegesis train sst2/ --arch transformer --layers 2 --lr 2e-4 --out my-model
    exegesis train sst2/ --arch rationale --selector hardkuma:share=0.2 -o mine
    exegesis train sst2/ --arch rationale --encoder hf:my-encoder --out mine
    exegesis train sst2/ --arch concepts --concepts 8 --lr 0.01 --out my-model
    exegesis train sst2/ --arch hf:my-encoder --epochs 3 --out my-model
    exegesis train esnli/ --arch explainer:my-t5 --order predict-explain -o mine
    exegesis train reversed.tsv --arch encoder-decoder --out my-writer
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
        if selects and self.lr is None and self.encoder.startswith(HF):
            options = replace(options, lr=RATE)
        parts, origins = _read(self)
        if self.arch == WRITES:
            parts = _steps(parts, options)
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
            others = {"dev": self.dev, "test": self.test}
            tagged = read_tagged_splits(self.data, others, self.encoding)
            parts: dict[str, Any] = dict(tagged)
            origins = {"train": self.data, "dev": TENTH} | {split: others.get(split) or self.data for split in parts}
            labels = tags_of(tagged["train"])
        else:
            parts, origins = _read(self)
            labels = find_labels(parts["train"])
        make_parent(self.out)
        self.check_state()
        options = finetuning.FineTuning(**common(finetuning.FineTuning, self))
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
            told = ", ".join(f"{split} accuracy {score.accuracy:.2%}" for split, score in result.scores.items())
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
    origins = {"train": "", "dev": TENTH}
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


def _steps(parts: dict[str, list[Example]], options: TrainOptions) -> dict[str, list[Example]]:
    """Texts to write as the steps of writing them; a text set aside for development is set aside with all its steps."""
    from exegesis.data.steps import steps_of
    from exegesis.models.trained.corpus import split_off

    if "dev" not in parts:
        train, dev = split_off(parts["train"], options.development, options.seed)
        parts = {**parts, "train": train, "dev": dev}
    return {split: steps_of(examples) for split, examples in parts.items()}


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
