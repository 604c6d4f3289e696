"""The shape of a classifier through concepts: everything that is needed to build it again."""

from __future__ import annotations

from dataclasses import dataclass

from exegesis.core.errors import UsageError, unknown
from exegesis.models.trained.architectures.config import NetworkConfig

EDUCE, CONRAT = FORMS = ("educe", "conrat")


@dataclass(frozen=True)
class ConceptConfig(NetworkConfig):
    """A classifier through concepts.

    ``form`` is educe (Bouchacourt and Denoyer 2019) or conrat (Antognini and Faltings 2021), ``concepts`` their number.
    An excerpt of educe has at most ``longest`` words, one of conrat about ``share`` of the words. ``consistency``
    weighs the concept classifier of educe, or the penalties of conrat that keep concepts apart. ``hidden`` is the width
    of one direction of the encoder and of what is read of an excerpt; ``dropout`` acts on word vectors in training.
    """

    family = "concepts"
    whole = ("embedding", "hidden", "concepts", "longest", "vocabulary")

    form: str = EDUCE
    concepts: int = 6
    longest: int = 3
    share: float = 0.1
    consistency: float = 1.0
    hidden: int = 100
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise unknown("form of concepts", self.form, FORMS)
        super().__post_init__()
        if not 0 < self.share < 1:
            raise UsageError(f"share is {self.share!r}; give a number between 0 and 1")
        if not 0 <= self.consistency < float("inf"):
            raise UsageError(f"consistency is {self.consistency!r}; give a number from 0")
        if self.embedding_dropout:
            raise UsageError("classifiers through concepts drop word vectors by dropout; leave embedding_dropout at 0")

    @property
    def width(self) -> int:
        return self.concepts

    def _inside(self) -> dict[str, tuple[int, ...]]:
        each = 2 if self.form == EDUCE else 1
        return {
            "encoder.weight_hh_l0": (3 * self.hidden, self.hidden),
            "generator.weight": (self.concepts * each, 2 * self.hidden),
        }

    def describe(self) -> str:
        """The shape in one phrase, without the words."""
        words = (
            f"excerpts of at most {self.longest} words" if self.form == EDUCE else f"{self.share:.0%} of the words each"
        )
        return f"{self.form} of {self.concepts} concepts, {words}, hidden size {self.hidden},"
