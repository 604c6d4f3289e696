"""Methods of attention: each is a frozen dataclass that gives maps of one text, registered with a card."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.registry import Registry
from exegesis.core.text import Span
from exegesis.mech.attending.blocks import carried, through_norms, zeroed
from exegesis.mech.attending.layout import NONE, Read, read, refuse_unless_square
from exegesis.mech.attending.paths import flow, mixed, plain_share, rollout
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Differentiable, members, missing
from exegesis.protocols.target import Target

Form = Literal["absolute", "signed", "normalised"]
MOST = 128  # pieces of a text between all of which flows are computed
NEAR = 1e-5


class Found(NamedTuple):
    """A map over pieces: its layer and head from 1 (head 0: all together), what rows and columns run over (rows None:
    the text is pooled), the numbers."""

    layer: int
    head: int
    down: Span | None
    across: Span
    values: Float[np.ndarray, "q k"]


@dataclass(frozen=True)
class Card:
    """The public facts about a method of attention.

    ``weights``: rows sum to 1; the rows of a word's pieces are averaged, else summed. ``signed`` and ``needs`` as of a
    method of words.
    """

    name: str
    summary: str
    paper: str
    year: int
    weights: bool
    signed: bool
    needs: type
    cls: type


MAPS: Registry[Card] = Registry("method of attention")
T = TypeVar("T", bound=type)


def maps(
    name: str, *, summary: str, paper: str, year: int, weights: bool = False, signed: bool = False
) -> Callable[[T], T]:
    """Register a method of attention; its need is read off the annotation of ``model`` in ``__call__``."""

    def register(cls: T) -> T:
        needs = typing.get_type_hints(cls.__call__).get("model")
        if not isinstance(needs, type) or not members(needs) >= members(Classifier):
            raise UsageError(f"method {name!r}: annotate model with Classifier or Differentiable")
        MAPS.add(Card(name, summary, paper, year, weights, signed, needs, cls))
        return cls

    return register


def require(model: object, method: object) -> Card:
    """The card of a method that a model can serve. Raises UnsupportedError, with the reason, if it cannot."""
    card = MAPS.of(method)
    reasons = missing(model, card.needs)
    if reasons:
        raise UnsupportedError(f"{card.name} needs a model with gradients: {next(iter(reasons.values()))}")
    return card


def _each(found: Read, batch: Batch, values: Sequence[Any]) -> list[Found]:
    """The maps of all heads, from ``[h, q, k]`` of each attention."""
    text, listed = batch.texts[0], []
    for number, heads in enumerate(values):
        axes = found.layout.axes(number)
        down = None if axes.rows == NONE else axes.span(axes.down, text)
        across = axes.span(axes.across, text)
        array = heads.detach().to("cpu", torch.float64).numpy()
        several = len(array) > 1
        for head, one in enumerate(array):
            listed.append(Found(number + 1, head + 1 if several else 0, down, across, one))
    return listed


def _squares(name: str, model: Classifier, batch: Batch) -> list[Float[np.ndarray, "h t t"]]:
    """The weights of every layer, from all pieces to all pieces. Raises UnsupportedError for others."""
    found = read(model, batch)
    refuse_unless_square(name, model, found.layout)
    return [weights.to("cpu", torch.float64).numpy() for weights in found.weights]


def _whole(batch: Batch, layers: Sequence[np.ndarray], first: int = 1) -> list[Found]:
    """One map for each layer, of all heads together."""
    text = Span(0, len(batch.texts[0]))
    return [Found(number, 0, text, text, values) for number, values in enumerate(layers, first)]


def _shaped(values: Float[torch.Tensor, "h q k"], form: Form) -> Float[torch.Tensor, "h q k"]:
    """Numbers as they are, their sizes, or their sizes as shares of the largest of the map."""
    if form == "signed":
        return values
    sizes = values.abs()
    if form == "absolute":
        return sizes
    largest = sizes.amax((-2, -1), keepdim=True)
    return torch.where(largest > 0, sizes / largest, sizes)


class _OnePass:
    """A method that reads what a single run of the model shows."""

    def passes(self, words: int, numbers: int) -> int:
        return 1


@dataclass(frozen=True)
class _OfSlopes:
    """A method of derivatives by attention, given as they are or by their sizes."""

    form: Form = "absolute"

    @property
    def signed(self) -> bool:
        """True for numbers that keep their signs."""
        return self.form == "signed"

    def passes(self, words: int, numbers: int) -> int:
        return 3


@maps(
    "attention",
    summary="the weights of attention, each row of which sums to 1",
    paper="Bahdanau et al. 2015; Vaswani et al. 2017",
    year=2015,
    weights=True,
)
@dataclass(frozen=True)
class Attention(_OnePass):
    """The weights themselves: how much row i takes of column j. They do not depend on the number that is explained.

    Weights of kernels that keep them (SDPA) are computed beside, so that the outputs keep every bit.
    """

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> list[Found]:
        found = read(model, batch)
        return _each(found, batch, found.weights)


@maps(
    "attention-saliency",
    summary="the derivative of the explained number by each score that goes into the softmax of attention",
    paper="Ghaeini et al. 2018, Sec. 3.1.1",
    year=2018,
)
@dataclass(frozen=True)
class AttentionSaliency(_OfSlopes):
    """The saliency of the score e_ij before the softmax: ``absolute`` |dS/de_ij|, the ``signed`` derivative, or the
    absolute one ``normalised`` to the largest of its map, as in the paper's figures.

    The signed derivatives of each row sum to zero, since a softmax does not see what is added to all its scores. Where
    two softmaxes read the same scores, once by rows and once by columns (ESIM), both maps show the whole derivative,
    which sums to zero over the map. Maps of different texts are comparable in size only if not normalised.
    """

    form: Form = "absolute"

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> list[Found]:
        found = read(model, batch, target.of)
        slopes = list(found.by_scores)
        for first, second in _shared_scores(found):
            whole = slopes[first] + slopes[second].transpose(1, 2)
            slopes[first], slopes[second] = whole, whole.transpose(1, 2)
        return _each(found, batch, [_shaped(values, self.form) for values in slopes])


def _shared_scores(found: Read) -> list[tuple[int, int]]:
    """Pairs of attentions whose softmaxes read the same scores, turned."""
    scores = []
    for number, seen in enumerate(found.seen):
        axes = found.layout.axes(number)
        scores.append(
            None if seen.scores is None else axes.turned(seen.scores.detach().reshape(seen.weights.shape), 1)[0]
        )
    pairs = []
    for first, one in enumerate(scores):
        for second in range(first + 1, len(scores)):
            other = scores[second]
            if one is None or other is None or one.shape != other.transpose(1, 2).shape or one.shape[1] == 1:
                continue
            ends, turned = found.layout.axes(first), found.layout.axes(second)
            swapped = ends.down == turned.across and ends.across == turned.down and ends.down != ends.across
            if swapped and torch.equal(one, other.transpose(1, 2)):
                pairs.append((first, second))
    return pairs


@maps(
    "attention-x-gradient",
    summary="each weight of attention times the derivative of the explained number by it",
    paper="Serrano and Smith 2019; Barkan et al. 2021",
    year=2019,
    signed=True,
)
@dataclass(frozen=True)
class AttentionTimesGradient(_OfSlopes):
    """A_ij dS/dA_ij, ``signed``, ``absolute`` or ``normalised``. Its sum over a head is the derivative of the number by
    a gate on that head (Michel et al. 2019)."""

    form: Form = "signed"

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> list[Found]:
        found = read(model, batch, target.of)
        products = [weights * slopes for weights, slopes in zip(found.weights, found.by_weights, strict=True)]
        return _each(found, batch, [_shaped(values, self.form) for values in products])


@maps(
    "rollout",
    summary="attention multiplied through the layers, from each position to the input positions",
    paper="Abnar and Zuidema 2020, Sec. 3.1",
    year=2020,
    weights=True,
)
@dataclass(frozen=True)
class Rollout(_OnePass):
    """The product of the layers' matrices up to each layer, each (mean over heads + I) / 2 (with ``residual``), or the
    mean alone. Each row sums to 1."""

    residual: bool = True

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> list[Found]:
        layers = [mixed(weights, self.residual) for weights in _squares("rollout", model, batch)]
        return _whole(batch, rollout(layers))


@maps(
    "flow",
    summary="the largest flow from each top position to each input position, with attention as capacities",
    paper="Abnar and Zuidema 2020, Sec. 3.2",
    year=2020,
)
@dataclass(frozen=True)
class Flow(_OnePass):
    """The maximal flow from a position of the last layer to one of the input, in a graph whose edges have the
    capacities (mean over heads + I) / 2, or the mean alone without ``residual``; ``source`` takes all positions or the
    first alone.

    A flow is at most min(1, column sum of the first layer), and for dense attention it mostly *is* that bound, which
    says nothing of the layers above: ``details["at_bound"]`` is the share of pairs for which it is. Capacities are
    rounded to 1 / 2^26. Raises UsageError for all pairs of more than 128 pieces.
    """

    residual: bool = True
    source: Literal["all", "first"] = "all"

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> list[Found]:
        layers = [mixed(weights, self.residual) for weights in _squares("flow", model, batch)]
        size = len(layers[0])
        if self.source == "all" and size > MOST:
            raise UsageError(f"flows between all of {size} pieces take too long (at most {MOST}): take source='first'")
        rows = range(size) if self.source == "all" else range(1)
        across = Span(0, size)
        return [Found(len(layers), 0, Span(0, len(rows)), across, flow(layers, rows))]

    def details(self, model: Classifier, batch: Batch, found: Sequence[Found]) -> dict[str, Any]:
        """The share of flows at their bound."""
        first = mixed(_squares("flow", model, batch)[0], self.residual)
        return {"at_bound": plain_share(found[0].values, first)}


@maps(
    "value-zeroing",
    summary="how far the vector of each piece behind a block turns if another piece's value is zero",
    paper="Mohebbi et al. 2023, Eq. 5-6",
    year=2023,
    weights=True,
)
@dataclass(frozen=True)
class ValueZeroing:
    """1 - cos(x_i, x_i without v_j) for the vectors behind each block, each row divided by its sum; ``rolled``
    multiplies the layers up to each (without adding I, since the residual connection is in them).

    The weights stay as they are; the block runs again on its own input, once for each piece. A row that nothing moves
    stays zero.
    """

    rolled: bool = False

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> list[Found]:
        layers = [_by_row(values.cpu().numpy()) for values in zeroed(model, batch)]
        return _whole(batch, rollout(layers) if self.rolled else layers)

    def passes(self, words: int, numbers: int) -> int:
        return 1 + words


@maps(
    "norm-weighted",
    summary="the size of the vector that attention brings from each piece, weight and value together",
    paper="Kobayashi et al. 2020, Eq. 4-5",
    year=2020,
)
@dataclass(frozen=True)
class NormWeighted(_OnePass):
    """||A_ij v_j W_O|| of each head, or of the sum over heads if not ``by_head``. The vectors (not their sizes) add up
    to what attention gives, but for the projection's bias, which is checked in every run."""

    by_head: bool = False

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> list[Found]:
        layers, _, _ = carried(model, batch, "norm-weighted")
        if not self.by_head:
            return _whole(batch, [layer.by_head.sum(0).norm(dim=-1).cpu().numpy() for layer in layers])
        text = Span(0, len(batch.texts[0]))
        return [
            Found(number, head, text, text, values)
            for number, layer in enumerate(layers, 1)
            for head, values in enumerate(layer.by_head.norm(dim=-1).cpu().numpy(), 1)
        ]


@maps(
    "globenc",
    summary="the size of what each piece brings through attention, residual connections and norms of the layers",
    paper="Modarressi et al. 2022, Eq. 9-12",
    year=2022,
    weights=True,
)
@dataclass(frozen=True)
class GlobEnc(_OnePass):
    """Norms of the vectors from piece j to piece i behind both norms of a block, each row divided by its sum;
    ``rolled`` multiplies the layers up to each. For blocks with their norms behind the sums (BERT); what the
    feed-forward part adds is left out, as in the paper, but for the scale of the second norm."""

    rolled: bool = True

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> list[Found]:
        layers = [_by_row(one.norm(dim=-1).cpu().numpy()) for one in through_norms(model, batch, "globenc")]
        return _whole(batch, rollout(layers) if self.rolled else layers)


def _by_row(values: Float[np.ndarray, "t t"]) -> Float[np.ndarray, "t t"]:
    """Each row divided by its sum; a row of zeros as it is."""
    sums = values.sum(-1, keepdims=True)
    divided: np.ndarray = np.divide(values, sums, out=np.zeros_like(values), where=sums > 0)
    return divided
