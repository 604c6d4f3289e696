"""The options of a training: its texts, the network, and how it learns."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exegesis.cli.options import ENCODING, Group, argument, choice, option
from exegesis.cli.training.writing import EXPLAINER
from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.models.trained.architectures.config import NetworkConfig
    from exegesis.models.trained.options import TrainOptions

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
HF = "hf:"
RECURRENT = ("lstm", "gru", "rnn", "bilstm", "bigru", "birnn", *_VARIANTS, *(f"bi{name}" for name in _VARIANTS))
RATIONALE, CONCEPTS, WRITES = "rationale", "concepts", "encoder-decoder"
ARCHS = ("esim", WRITES, RATIONALE, CONCEPTS, "landmarks", "transformer", "cnn", *RECURRENT)
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

    arch: str = choice("Cell (bi- reads both ways), or a whole network; esim is made for pairs; encoder-decoder "
                       "writes; rationale selects words; concepts decides through them; hf:FOLDER fine-tunes; "
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
    own = common(kind, shape)
    if asked["kernels"] is not None:
        own["kernels"] = _widths(str(asked["kernels"]))
    if shape.arch in ("esim", WRITES):
        if asked["readout"] is not None:
            raise UsageError(f"--readout does not belong to --arch {shape.arch}, which has its own; leave it out")
        esim = shape.arch == "esim"
        return RecurrentConfig("lstm", esim, **{**own, "readout": "esim" if esim else "decoder"})
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

    return TrainOptions(**common(TrainOptions, training), **more)


def common(kind: type, group: Group) -> dict[str, Any]:
    """The options of a group that are fields of a kind of options, by name, where they are given."""
    values = {field.name: getattr(group, field.name, None) for field in fields(kind)}
    if values.get("turn_over") and "dropout" in values:
        values |= {"dropout": 0.0, "embedding_dropout": 0.0}
    return {name: value for name, value in values.items() if value is not None}
