"""The shape of a classifier through concepts: everything that is needed to build it again."""

from __future__ import annotations

from dataclasses import dataclass

from exegesis.core.errors import UsageError, unknown

EDUCE, CONRAT = KINDS = ("educe", "conrat")


@dataclass(frozen=True)
class ConceptConfig:
    """A classifier through concepts.

    ``kind`` is educe (Bouchacourt and Denoyer 2019) or conrat (Antognini and Faltings 2021), ``concepts`` their number.
    An excerpt of educe has at most ``longest`` words, one of conrat about ``share`` of the words. ``consistency`` weighs
    the concept classifier of educe, or the penalties of conrat that keep concepts apart. ``embedding`` and ``hidden``
    are widths (``hidden`` of one direction); ``dropout`` acts on word vectors, while training only.
    """

    kind: str = EDUCE
    concepts: int = 6
    longest: int = 5
    share: float = 0.1
    consistency: float = 1.0
    embedding: int = 100
    hidden: int = 100
    dropout: float = 0.2
    vocabulary: int = 2
    labels: tuple[str, ...] = ("negative", "positive")

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of concepts", self.kind, KINDS)
        for name in ("concepts", "longest", "embedding", "hidden", "vocabulary"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}; give a whole number from 1")
        if not 0 < self.share <= 1:
            raise UsageError(f"share is {self.share!r}; give a number above 0, at most 1")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout is {self.dropout!r}; give a number from 0 to below 1")
        if not 0 <= self.consistency < float("inf"):
            raise UsageError(f"consistency is {self.consistency!r}; give a number from 0")
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise UsageError(f"labels are {', '.join(self.labels) or 'missing'}; give two or more different ones")

    @property
    def pairs(self) -> bool:
        """False: these classifiers read single texts."""
        return False

    def outline(self) -> dict[str, tuple[int, ...]]:
        """The shapes that bound all others."""
        return {
            "embedding.weight": (self.vocabulary, self.embedding),
            "encoder.weight_hh_l0": (3 * self.hidden, self.hidden),
            "generator.weight": (self.concepts * (2 if self.kind == EDUCE else 1), 2 * self.hidden),
            "output.weight": (len(self.labels), self.concepts * (1 if self.kind == EDUCE else self.hidden)),
        }

    def describe(self) -> str:
        """The shape of the model in one phrase."""
        what = f"excerpts of at most {self.longest} words" if self.kind == EDUCE else f"{self.share:.0%} of the words each"
        return (
            f"{self.kind}, {self.concepts} concepts, {what}, {self.embedding} wide embeddings of {self.vocabulary:,} "
            f"words, hidden size {self.hidden}"
        )
