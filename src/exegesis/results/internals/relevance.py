"""Relevance at every place of a network, for one number of one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError
from exegesis.core.escapes import escaped
from exegesis.core.place import WORD_VECTORS, Place
from exegesis.core.values import published
from exegesis.results.header import Accounted, require_finite, require_one_target

WORDS = WORD_VECTORS


@published
@dataclass(frozen=True, eq=False)
class Relevance(Accounted):
    """The relevance of each component of each vector by layer-wise relevance propagation, in units of the logit.

    ``dimensions[t, d]`` is the relevance of component d of the vector of piece t; its sums over d are the words' scores
    of ``explain(..., "lrp")``. ``states`` has the relevance of the values that the network computes in between, by
    place; a place can also be given by its name:

    - in a recurrent layer, in the order of the text: ``layer 1 forward`` [t, h] is the relevance that h_t received in
      all, ``layer 1 forward cells`` [t, h] the relevance that c_t received in all (LSTM), ``layer 1 forward from
      above`` [t, h] the part of h_t's relevance that came from the layer above or the readout, not from the next step;
      ``reverse`` likewise;
    - in a transformer, ``layer 1`` [t, h] is the relevance of what a block puts out, and ``attention 1 head 2`` [t, s]
      that of the head's output at piece t which comes from the value of piece s;
    - elsewhere, in the layout of the module, the outputs of each map and sum, numbered in the order in which they run:
      ``conv1d 1``, ``linear 1``, ``sum 1``.

    If biases and epsilon absorb nothing, the relevance of any cut through the network sums to ``explained``: for
    example ``from above`` over all positions and directions of a layer. In a layer that reads the words in order, the
    words up to t and h_t have equal sums (in an LSTM, c_t instead of h_t under the product rule ``all``).

    ``explained`` = the sum of ``dimensions`` + the sum of ``account`` + ``gap``, which is rounding.
    """

    dimensions: Float[np.ndarray, "t d"]
    states: Mapping[Place | str, np.ndarray]

    form: ClassVar[str] = "exegesis.relevance"
    noun: ClassVar[str] = "result of exegesis.relevance"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_target(self)
        if self.dimensions.ndim != 2 or len(self.dimensions) != len(self.text):
            raise UsageError(f"relevance of {len(self.text)} pieces needs as many rows, not {self.dimensions.shape}")
        states = {Place.parse(place): values for place, values in self.states.items()}
        for place, values in {WORDS: self.dimensions, **states}.items():
            require_finite(f"the relevance of {place}", values)
            values.setflags(write=False)
        object.__setattr__(self, "states", MappingProxyType(states))

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    @property
    def scores(self) -> Float[np.ndarray, " words"]:
        """The relevance of each word: the sum over the components of its pieces."""
        return np.array([float(self.dimensions[word.start : word.stop].sum()) for word in self.text.words])

    def _carried(self) -> Float[np.ndarray, " targets"]:
        return np.array([float(self.dimensions.sum())])

    def at_words(self) -> dict[Place | str, Float[np.ndarray, " words"]]:
        """The relevance of each word at every place that has a vector for each piece: the sum over the components.

        The word vectors come first, then the states in their order. The axis over the pieces is known for recurrent
        layers (the first), and for a state with exactly one axis as long as the text. Other states are left out, for
        example those of a convolution without padding.
        """
        scores: dict[Place | str, Float[np.ndarray, " words"]] = {WORDS: self.scores}
        for place, state in self.states.items():
            axis = self.axis(place)
            if axis is not None:
                pieces = state.sum(tuple(n for n in range(state.ndim) if n != axis))
                scores[place] = np.array([float(pieces[word.start : word.stop].sum()) for word in self.text.words])
        return scores

    def axis(self, place: Place | str) -> int | None:
        """The axis of a state that runs over the pieces of the text; None if it is not known."""
        return _axis(Place.parse(place), self.states[place].shape, len(self.text))

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: the words' scores, without dimensions and states."""
        return {**super().readable(), "scores": self.scores.tolist()}

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.dimensions.shape))
        return escaped(
            f"<Relevance of {self.target}={self.explained:.4g}: {shape} dimensions; {', '.join(map(str, self.states))}>"
        )


def _axis(place: Place, shape: tuple[int, ...], pieces: int) -> int | None:
    """The axis of a state that runs over the pieces of the text; None if it is not known."""
    if place.has_steps:
        return 0 if shape[:1] == (pieces,) else None
    fit = [axis for axis, size in enumerate(shape) if size == pieces]
    return fit[0] if len(fit) == 1 else None
