"""The shapes of the classifiers that Exegesis trains: everything that is needed to build one again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, cast, get_args

from exegesis.core.errors import UsageError, unknown
from exegesis.nn.lstm_variants import GATES, Kind

Cell = Literal["lstm", "gru", "rnn", "lstm-nondecreasing", "lstm-markov", "lstm-no-gates"]
Readout = Literal[
    "last",
    "mean",
    "max",
    "attention",
    "attention-dot",
    "attention-general",
    "attention-concat",
    "structured",
    "spans",
    "esim",
    "aspect",
    "decoder",
]
PAIRED = ("esim", "aspect", "decoder")  # readouts that read pairs of texts
Pooling = Literal["first", "mean", "max"]
Kernel = Literal["overlap", "rbf"]
LIBRARY = ("lstm", "gru", "rnn")  # cells that torch has


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What the shapes of all classifiers have in common.

    ``embedding`` is the width of the word vectors, ``vocabulary`` their number. ``dropout`` acts inside and on the
    vector that the output layer reads, ``embedding_dropout`` on whole features of a text's embeddings, both while
    training only. With ``turn_over`` each training text trains a half of the units instead, its own (``nn.halves``),
    and nothing else is dropped. A ``paired`` network reads pairs of texts, one after the other with the number of
    ``<pair>`` between them.
    """

    family: ClassVar[str]
    later: ClassVar[frozenset[str]] = frozenset(
        {"paired", "turn_over"}
    )  # entries that a folder has only where they are not the default
    whole: ClassVar[tuple[str, ...]] = ("embedding", "vocabulary")

    embedding: int = 100
    dropout: float = 0.5
    embedding_dropout: float = 0.0
    vocabulary: int = 2
    labels: tuple[str, ...] = ("negative", "positive")
    turn_over: bool = False
    paired: bool = False

    def __post_init__(self) -> None:
        if self.turn_over and (self.dropout or self.embedding_dropout):
            raise UsageError("turn_over takes the place of dropout: give dropout=0 and embedding_dropout=0")
        for name in self.whole:
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}; give a whole number from 1")
        for name in ("dropout", "embedding_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}; give a number from 0 to below 1")
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise UsageError(f"labels are {', '.join(self.labels) or 'missing'}; give two or more different ones")

    @property
    def width(self) -> int:
        """The width of the vector that the output layer reads."""
        raise NotImplementedError

    @property
    def pairs(self) -> bool:
        """True for a classifier of pairs of texts."""
        return self.paired

    @property
    def halves(self) -> bool:
        """True if each training text trains a half of the units, its own (``nn.halves``)."""
        return self.turn_over

    def entries(self) -> dict[str, Any]:
        """The fields by name, without those of ``later`` that are as usual: earlier versions do not know them."""
        usual = {field.name: field.default for field in fields(self) if field.name in self.later}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}

    def outline(self) -> dict[str, tuple[int, ...]]:
        """The shapes of weights that bound those of all others, by name."""
        outer = {"output.weight": (len(self.labels), self.width)}
        return {"embedding.weight": (self.vocabulary, self.embedding), **self._inside(), **outer}

    def _inside(self) -> dict[str, tuple[int, ...]]:
        """Those between the embedding and the output layer."""
        raise NotImplementedError


@dataclass(frozen=True)
class RecurrentConfig(NetworkConfig):
    """The shape of a recurrent classifier.

    ``hidden`` is the width of one direction. A ``cell`` lstm-KIND is a variant of Arras et al. 2019, Sec. 11.4
    (``nn.variants``). ``dropout`` acts between layers and on the readout. The readouts esim, aspect and decoder are
    networks of their own, of pairs (``esim.Esim``, ``aspects.AspectClassifier``, ``encoder_decoder.EncoderDecoder``);
    ``hops`` is the number of rows of weights of the readout structured, ``span`` the most words of one of the readout
    spans.
    """

    family = "recurrent"
    later = frozenset({"hops", "paired", "span", "turn_over"})
    whole = ("layers", "embedding", "hidden", "vocabulary", "hops", "span")

    cell: Cell = "gru"
    bidirectional: bool = False
    layers: int = 1
    hidden: int = 150
    readout: Readout = "last"
    hops: int = 4
    span: int = 10

    def __post_init__(self) -> None:
        if self.cell not in get_args(Cell):
            raise unknown("cell", self.cell, get_args(Cell))
        if self.readout not in get_args(Readout):
            raise unknown("readout", self.readout, get_args(Readout))
        super().__post_init__()
        if self.readout == "aspect" and self.variant is not None:
            raise UsageError(f"the readout aspect needs a cell of the library ({', '.join(LIBRARY)}), not {self.cell}")
        if self.readout == "esim" and (self.cell, self.bidirectional, self.layers) != ("lstm", True, 1):
            raise UsageError("the readout esim needs one bidirectional layer of an LSTM (--arch esim)")
        if self.readout == "decoder" and (self.cell, self.bidirectional, self.turn_over) != ("lstm", False, False):
            raise UsageError("the readout decoder needs an LSTM that reads one way, without turn_over")

    @property
    def states(self) -> int:
        """The width of the states of both directions."""
        return self.hidden * (2 if self.bidirectional else 1)

    @property
    def width(self) -> int:
        return self.states * (self.hops if self.readout == "structured" else 1)

    @property
    def pairs(self) -> bool:
        return self.paired or self.readout in PAIRED

    @property
    def variant(self) -> Kind | None:
        """The kind of LSTM (``nn.variants``); None for a cell of the library."""
        return None if self.cell in LIBRARY else cast(Kind, self.cell.removeprefix("lstm-"))

    @property
    def gates(self) -> str:
        """The cell's gates by letter, its input or new state among them, in the order of its weights."""
        if self.variant is not None:
            return "z" + GATES[self.variant]
        return {"lstm": "ifgo", "gru": "rzn", "rnn": "n"}[self.cell]

    def _inside(self) -> dict[str, tuple[int, ...]]:
        if self.variant is None:
            name, shape = f"weight_hh_l{self.layers - 1}", (len(self.gates) * self.hidden, self.hidden)
        else:
            last = self.layers * (2 if self.bidirectional else 1) - 1
            read = self.embedding if self.layers == 1 else self.states
            name, shape = f"cells.{last}.weight_z", (self.hidden, read)
        return {f"recurrent.{name}": shape}


@dataclass(frozen=True)
class TransformerConfig(NetworkConfig):
    """The shape of a Transformer encoder (Vaswani et al. 2017); the defaults are those of Guan et al. 2019, Sec. 4.3.

    The states are as wide as the word vectors, which ``heads`` must divide; ``feedforward`` is the width inside a
    layer. ``readout`` is the state of the first word, or the mean or maximum of all.
    """

    family = "transformer"
    whole = ("layers", "heads", "embedding", "feedforward", "vocabulary")

    layers: int = 3
    heads: int = 4
    feedforward: int = 1024
    embedding: int = 256
    dropout: float = 0.1
    readout: Pooling = "first"

    def __post_init__(self) -> None:
        if self.readout not in get_args(Pooling):
            raise unknown("readout", self.readout, get_args(Pooling))
        super().__post_init__()
        if self.embedding % self.heads or self.embedding % 2:
            raise UsageError(
                f"embedding is {self.embedding} and heads is {self.heads}; give an even width that the heads divide"
            )

    @property
    def width(self) -> int:
        return self.embedding

    def _inside(self) -> dict[str, tuple[int, ...]]:
        last = f"layers.{self.layers - 1}.linear1.weight"
        return {last: (self.feedforward, self.embedding)}


@dataclass(frozen=True)
class ConvolutionalConfig(NetworkConfig):
    """The shape of a convolutional classifier (Kim 2014); the widths are those of Guan et al. 2019, Sec. 5.

    ``kernels`` are widths of convolutions side by side, odd and different, each with ``hidden`` filters.
    """

    family = "convolutional"
    whole = ("embedding", "hidden", "vocabulary")

    kernels: tuple[int, ...] = (1, 3, 5, 7)
    hidden: int = 150

    def __post_init__(self) -> None:
        super().__post_init__()
        odd = all(type(width) is int and width > 0 and width % 2 for width in self.kernels)
        if not self.kernels or not odd or len(set(self.kernels)) < len(self.kernels):
            told = ", ".join(map(str, self.kernels)) or "missing"
            raise UsageError(f"kernels are {told}; give different odd widths, such as 1,3,5,7")

    @property
    def width(self) -> int:
        return self.hidden * len(self.kernels)

    def _inside(self) -> dict[str, tuple[int, ...]]:
        widest = max(range(len(self.kernels)), key=lambda number: self.kernels[number])
        shape = (self.hidden, self.embedding, self.kernels[widest])
        return {f"convolutions.{widest}.weight": shape}


@dataclass(frozen=True)
class LandmarkConfig(NetworkConfig):
    """The shape of a classifier by landmarks (``landmarks.LandmarkClassifier``).

    ``kernel`` compares a text with each of ``landmarks`` training texts; ``layers`` ReLU layers of ``hidden`` units
    read the Nyström features. ``embedding`` is the width of the word vectors of the kernel rbf.
    """

    family = "landmark"
    whole = ("landmarks", "hidden", "layers", "embedding", "vocabulary")

    kernel: Kernel = "overlap"
    landmarks: int = 200
    hidden: int = 100
    layers: int = 2
    embedding: int = 100
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.kernel not in get_args(Kernel):
            raise unknown("kernel", self.kernel, get_args(Kernel))
        super().__post_init__()
        if self.paired:
            raise UsageError("a classifier by landmarks compares single texts, not pairs")
        if self.embedding_dropout:
            raise UsageError("a classifier by landmarks trains no word vectors: give embedding_dropout=0")

    @property
    def width(self) -> int:
        return self.hidden

    def _inside(self) -> dict[str, tuple[int, ...]]:
        return {"nystrom.weight": (self.landmarks, self.landmarks), "layers.0.weight": (self.hidden, self.landmarks)}
