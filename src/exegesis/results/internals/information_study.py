"""What the layers of some models hold of the words of a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from exegesis.core.errors import UsageError, unknown
from exegesis.results.behaviour.study import Asked, Study


class LayerHeld(NamedTuple):
    """What a layer of a model holds over a corpus: means over texts with 95 % bootstrap intervals over texts.

    ``discarded`` is H(X|S) of Eq. 2 in nats, over the ``texts`` in which every word has one; ``more`` is how much more
    is discarded than at the layer before in the same texts (NaN at the first): the mutual information of text and layer
    falls by as much. ``kept`` are the nats of each dimension of a word's vector that the layer holds, of ``content``
    words (nouns, verbs, adjectives, adverbs) and of ``other`` ones; ``gap`` is the first less the second, text by text.
    ``settled`` is the share of words with a certified minimum or discarded, ``none`` the share without a minimum.
    """

    model: str
    layer: str
    texts: int
    discarded: float
    discarded_low: float
    discarded_high: float
    more: float
    more_low: float
    more_high: float
    kept: float
    content: float
    other: float
    gap: float
    gap_low: float
    gap_high: float
    settled: float
    none: float


class Survivor(NamedTuple):
    """A word that the last layer of a model holds: in how many of its ``texts`` it is among the words held most."""

    model: str
    word: str
    held: int
    texts: int


@dataclass(frozen=True, eq=False)
class InformationStudy(Study):
    """Information in hidden states over a corpus, model by model (Guan et al. 2019, Eqs. 1 and 2, Figures 6 and 9).

    ``rows`` are the layers of all models, in order. ``survivors`` are, for each model, the words most often among the
    fifth of a text's words that the last layer holds most. ``rate`` is K λ, the same for all models; the words of the
    corpus normalise all states.
    """

    asked: Asked
    rate: float
    rows: tuple[LayerHeld, ...]
    survivors: tuple[Survivor, ...]

    kind: ClassVar[str] = "information"
    filled: ClassVar[tuple[str, ...]] = ("rows",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate > 0:
            raise UsageError(f"the rate must be above 0, not {self.rate}")

    def of(self, model: str, layer: str) -> LayerHeld:
        """The row of a layer. Raises UsageError for one that is not in the study."""
        for row in self.rows:
            if (row.model, row.layer) == (model, layer):
                return row
        raise unknown("layer of this study", f"{model} {layer}", [f"{row.model} {row.layer}" for row in self.rows])
