"""The moves of a text's word vectors towards other words that change a prediction most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.header import TextResult, require_finite


class Pull(NamedTuple):
    """A word that a word of the text is pulled to: by the weight of its direction, below zero away from it; ``gap`` is
    the distance of the two vectors."""

    word: str
    weight: float
    gap: float


class Rewrite(NamedTuple):
    """The text with some words replaced by those that they are pulled to most, in the order of the pulls.

    ``words`` are pairs of the number of a word and what takes its place, ``label`` is what the model then predicts,
    ``loss`` what its label of the original then costs.
    """

    raw: str
    words: tuple[tuple[int, str], ...]
    label: str
    loss: float


@published
@dataclass(frozen=True, eq=False)
class Adversary(TextResult):
    """An interpretable adversary (Sato et al. 2018): small moves of word vectors towards other words of the vocabulary.

    The vector of word t moves by r_t = Σ_k α_tk d_tk, with d_tk unit vectors to the words nearest to it (cosine) and
    ‖α‖ over the whole text at most ``budget``, in units of the vectors, so that ``loss``, −log p of ``label``, grows
    most. ``pulls[t]`` names these words with their weights, the largest first; empty for a word of several pieces, or
    one that is not moved. ``sizes[t]`` is ‖r_t‖. ``moved`` is the loss with the moved vectors: never below ``loss``.

    ``flip`` is a real sentence: the words with the largest pulls, one after the other, are replaced by what they are
    pulled to, until the prediction is another one. If it never is, it is the sentence with the largest loss. None where
    no word has a pull that can be read as one piece there.
    """

    label: str
    budget: float
    loss: float
    moved: float
    sizes: Float[np.ndarray, " words"]
    pulls: tuple[tuple[Pull, ...], ...]
    flip: Rewrite | None

    form: ClassVar[str] = "exegesis.adversary"
    noun: ClassVar[str] = "result of exegesis.adversarial"

    def __post_init__(self) -> None:
        count = len(self.text.words)
        if self.sizes.shape != (count,) or len(self.pulls) != count:
            raise UsageError(f"{count} words need as many sizes and lists of pulls")
        for name in ("budget", "loss", "moved", "sizes"):
            require_finite(name, getattr(self, name))
        for pulls in self.pulls:
            for pull in pulls:
                require_finite("pulls", (pull.weight, pull.gap))
        if self.flip is not None:
            require_finite("loss", self.flip.loss)
        self.sizes.setflags(write=False)

    @property
    def flips(self) -> bool:
        """True if the rewritten sentence has another prediction."""
        return self.flip is not None and self.flip.label != self.prediction.label

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: each word with the words it is pulled to."""
        words = [
            {"word": word, "size": float(size), "pulls": {pull.word: pull.weight for pull in pulls}}
            for word, size, pulls in zip(self.text.word_strings(), self.sizes, self.pulls, strict=True)
        ]
        flip = None if self.flip is None else {"text": self.flip.raw, "label": self.flip.label}
        return {**super().readable(), "loss": self.loss, "moved": self.moved, "words": words, "flip": flip}

    def __repr__(self) -> str:
        loss = f"loss {self.loss:.3g} to {self.moved:.3g}"
        return escaped(f"<Adversary of {self.label!r}: {loss}, {'flipped' if self.flips else 'not flipped'} by words>")
