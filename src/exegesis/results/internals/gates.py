"""Gates of recurrent layers on one text: how open they are at each step, and what the number explained owes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.place import DIRECTIONS, Place
from exegesis.core.text import Span
from exegesis.core.values import ByValue, published
from exegesis.results.header import TextResult, require_finite, require_one_target


@dataclass(frozen=True, eq=False)
class GateCurves(ByValue):
    """The curves of one direction of one layer, over the pieces that it reads, in the order of the text.

    ``signals`` has for each gate and state the norm of its values at a step, ``saliency`` the norm of the derivative of
    the explained number by them. The names are input, forget, output, candidate, cell and hidden of an LSTM; reset,
    update, candidate and hidden of a GRU. ``recurrent`` numbers the calls of recurrent layers, from 1.

    Raises UsageError if the curves have other lengths or names than each other, or are not finite.
    """

    recurrent: int
    layer: int
    direction: str
    cell: str
    pieces: tuple[Span, ...]
    signals: Mapping[str, Float[np.ndarray, " t"]]
    saliency: Mapping[str, Float[np.ndarray, " t"]]

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise unknown("direction", self.direction, DIRECTIONS)
        if not self.signals or list(self.signals) != list(self.saliency):
            raise UsageError("gates have a signal and a saliency each")
        for name in ("signals", "saliency"):
            curves = {gate: np.array(curve, dtype=np.float64) for gate, curve in getattr(self, name).items()}
            for gate, curve in curves.items():
                if curve.shape != (len(self.pieces),):
                    raise UsageError(f"{len(self.pieces)} pieces need as many numbers of the {gate}, not {curve.shape}")
                require_finite(f"the {name} of the {gate}", curve)
                curve.setflags(write=False)
            object.__setattr__(self, name, MappingProxyType(curves))

    @property
    def place(self) -> Place:
        """The place of the layer's direction: ``recurrent 1 layer 1 forward``."""
        return Place("states", self.layer, direction=self.direction, part=f"recurrent {self.recurrent}")

    def normalised(self, name: str) -> dict[str, Float[np.ndarray, " t"]]:
        """The ``signals`` or the ``saliency``, each curve divided by its largest number, as in the paper's Figure 3."""
        curves: Mapping[str, np.ndarray] = getattr(self, name)
        return {gate: curve / (curve.max() or 1.0) for gate, curve in curves.items()}


@published
@dataclass(frozen=True, eq=False)
class Gates(TextResult):
    """The gates of every recurrent layer and direction of a model on one text (Ghaeini et al. 2018, Sec. 3.2).

    ``curves`` are in the order in which layers run. A pair that is read as two texts has curves for each of them.
    """

    curves: tuple[GateCurves, ...]

    form: ClassVar[str] = "exegesis.gates"
    noun: ClassVar[str] = "result of exegesis.gates"

    def __post_init__(self) -> None:
        require_one_target(self)
        places = [one.place for one in self.curves]
        if not places or len(set(places)) < len(places):
            raise UsageError("gates need at least one place, and the curves of each once")
        if any(not 0 <= span.start < span.stop <= len(self.text) for one in self.curves for span in one.pieces):
            raise UsageError(f"the pieces of gates lie in the text of {len(self.text)} pieces")

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    def __getitem__(self, place: Place | str) -> GateCurves:
        """The curves of a place, by its name. Raises UsageError for one that the result does not have."""
        for one in self.curves:
            if one.place == place:
                return one
        raise unknown("place", str(place), [str(one.place) for one in self.curves])

    def names(self, one: GateCurves) -> tuple[str, ...]:
        """The pieces that a direction reads, as written."""
        return tuple(self.text.surface(span) or self.text.pieces[span.start] for span in one.pieces)

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: the places with their pieces."""
        places = [{"place": str(one.place), "cell": one.cell, "pieces": self.names(one)} for one in self.curves]
        return {**super().readable(), "gates": places}

    def __repr__(self) -> str:
        places = ", ".join(str(one.place) for one in self.curves)
        return escaped(f"<Gates of {self.target}={self.explained:.4g}: {places}>")
