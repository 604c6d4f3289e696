"""The attributes of a word that hidden states hold, for one word of one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.header import TextResult, require_finite

GAUSSIAN, SUBSTITUTION = READINGS = ("gaussian", "substitution")


@published
@dataclass(frozen=True, eq=False)
class Attributes(TextResult):
    """What each hidden state holds of a word beyond some concepts (Guan et al. 2019, Eqs. 8 and 9), in nats.

    ``word`` is the number of the word. ``alone[l]`` is A_i, the log-likelihood of the word given the state at
    ``layers[l]`` less the mean over random words; ``shared[l, c]`` is A_c, the same for the mean over the words of
    concept c; ``remaining`` is r_{i,c} = A_i − A_c: small where the state knows little more of the word than that it is
    of the concept. ``error`` is the standard error of r over the concept's words.

    By the ``reading`` the log-likelihood of other vectors x', up to a constant that cancels, is that of the fitted
    Gaussian noise, −‖x' − x_i‖² / (2σ_i²) (``gaussian``: then the ratio of two concepts is the same at all layers), or
    −‖Φ(x') − s‖² / (λσ_S²) with x' put in the word's place and run (``substitution``), which is the density that
    minimises Eq. 5. ``counts`` are the words of each concept that were used.
    """

    word: int
    layers: tuple[str, ...]
    concepts: tuple[str, ...]
    alone: Float[np.ndarray, " layers"]
    shared: Float[np.ndarray, "layers concepts"]
    error: Float[np.ndarray, "layers concepts"]
    counts: tuple[int, ...]
    reading: str
    rate: float
    width: int

    form: ClassVar[str] = "exegesis.attributes"
    noun: ClassVar[str] = "result of exegesis.attributes"

    def __post_init__(self) -> None:
        shape = (len(self.layers), len(self.concepts))
        if not 0 <= self.word < len(self.text.words):
            raise UsageError(f"word {self.word} is not one of the {len(self.text.words)} words of the text")
        if self.alone.shape != shape[:1] or self.shared.shape != shape or self.error.shape != shape:
            raise UsageError(f"{shape[0]} layers and {shape[1]} concepts need as many numbers")
        if len(self.counts) != shape[1]:
            raise UsageError(f"{shape[1]} concepts need as many counts")
        for name in ("alone", "shared", "error"):
            require_finite(name, getattr(self, name))
            getattr(self, name).setflags(write=False)

    @property
    def remaining(self) -> Float[np.ndarray, "layers concepts"]:
        """r_{i,c} = A_i − A_c, in nats."""
        rest: np.ndarray = self.alone[:, None] - self.shared
        return rest

    @property
    def described(self) -> str:
        """The word, as written."""
        return self.text.word_strings()[self.word]

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: what remains beyond each concept, layer by layer."""
        names = {"word": self.word, "layers": list(self.layers), "concepts": list(self.concepts)}
        return {**super().readable(), **names, "remaining": self.remaining.tolist()}

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shared.shape))
        return escaped(f"<Attributes of {self.described!r}: {shape} (layers x concepts), {self.reading} reading>")
