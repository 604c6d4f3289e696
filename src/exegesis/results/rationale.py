"""Rationales: the words on which a decision rests, and what the decision is with them alone and without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.text import Span
from exegesis.core.values import published
from exegesis.results.header import TextResult, require_finite, require_one_target


class Compactness(NamedTuple):
    """How short a rationale is: its share of the words, 0 to 1, and the number of unbroken runs that it is made of."""

    share: float
    runs: int


@published
@dataclass(frozen=True, eq=False)
class Rationale(TextResult):
    """A rationale of one text: words, and the number explained with them, without them, and with all words.

    ``spans`` are the unbroken runs of the rationale's words, as spans of pieces. ``scores`` has a number for each word:
    the probability with which the model's own selector keeps it (``probable``), or a method's score. The number
    explained is the probability of a label, by default the predicted one (of a regression its output): ``whole`` is
    that of all words, ``alone`` that of the rationale, ``rest`` that of all other words. Of a model that selects its
    words, these three are its classifier's, whatever the selector would choose of such texts, and ``explained`` is what
    the model says, which is ``alone``; of any other model ``explained`` is ``whole``.
    """

    spans: tuple[Span, ...]
    scores: Float[np.ndarray, " words"]
    whole: float
    alone: float
    rest: float
    probable: bool = False
    notes: tuple[str, ...] = ()

    form: ClassVar[str] = "exegesis.rationale"
    noun: ClassVar[str] = "rationale"

    def __post_init__(self) -> None:
        require_one_target(self)
        require_finite("numbers of a rationale", self.whole, self.alone, self.rest, self.scores)
        if self.scores.shape != (len(self.text.words),):
            raise UsageError(f"{len(self.text.words)} words need as many scores, not {self.scores.shape}")
        if self.probable and not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise UsageError("probabilities of words lie between 0 and 1")
        words = {word.start for word in self.text.words}, {word.stop for word in self.text.words}
        stop = -1
        for span in self.spans:
            if span.start not in words[0] or span.stop not in words[1] or not stop <= span.start < span.stop:
                raise UsageError(f"{tuple(span)} is no run of words behind the one before it")
            stop = span.stop
        self.scores.setflags(write=False)

    @property
    def kept(self) -> tuple[int, ...]:
        """The numbers of the rationale's words."""
        inside = {piece for span in self.spans for piece in range(span.start, span.stop)}
        return tuple(n for n, word in enumerate(self.text.words) if word.start in inside)

    @property
    def words(self) -> tuple[str, ...]:
        """The rationale's words, as written."""
        strings = self.text.word_strings()
        return tuple(strings[n] for n in self.kept)

    @property
    def sufficiency(self) -> float:
        """The number of all words less that of the rationale alone; low is good (DeYoung et al. 2020, Eq. 2)."""
        return self.whole - self.alone

    @property
    def comprehensiveness(self) -> float:
        """The number of all words less that without the rationale; high is good (DeYoung et al. 2020, Eq. 1)."""
        return self.whole - self.rest

    @property
    def compactness(self) -> Compactness:
        """The share of words in the rationale, and its number of runs."""
        return Compactness(len(self.kept) / len(self.text.words), len(self.spans))

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: runs by their characters, scores parallel to ``words``."""
        runs = [{"text": self.text.surface(span), "offset": list(self.text.characters(span))} for span in self.spans]
        return {
            **super().readable(),
            "method": self.name,
            "rationale": runs,
            "kept": list(self.kept),
            "scores": self.scores.tolist(),
            "sufficiency": self.sufficiency,
            "comprehensiveness": self.comprehensiveness,
            "compactness": self.compactness._asdict(),
        }

    def __repr__(self) -> str:
        read = " … ".join(self.text.surface(span) for span in self.spans) or "no word"
        return escaped(f"<Rationale of {self.target}={self.explained:.4g} by {self.name}: {read:.80}>")
