"""How much of each word every hidden state still holds, for one text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from exegesis.core.errors import UsageError, unknown
from exegesis.core.escapes import escaped
from exegesis.core.values import published
from exegesis.results.header import TextResult, require_finite

MINIMUM, DISCARDED, NONE, UNSETTLED = STATES = ("minimum", "discarded", "none", "unsettled")


@published
@dataclass(frozen=True, eq=False)
class Information(TextResult):
    """The noise of each word's vector that each hidden state bears (Guan et al. 2019, Eqs. 5 to 7), layers by words.

    ``sigma[l, i]`` is the standard deviation of the Gaussian noise on the vectors of word i at which Eq. 7 has its
    minimum for the state at ``layers[l]``, in units of the word vectors: large where the state has discarded the word.
    ``linear`` is its closed form for a state that is linear in the noise, ``error`` the Monte Carlo standard error of
    log σ.

    ``certificate`` is 1 at a minimum: σ_i times the derivative of E‖Φ(x + σε) − Φ(x)‖² by σ_i over K λ σ_S² times the
    word's pieces, on draws that the search for the minimum has not seen; ``certificate_error`` is its standard error.
    ``states`` says what was found for each word: a ``minimum``; ``discarded``, where even a linear state would bear the
    largest noise, ``cap``; ``none``, where Eq. 7 has no minimum below the cap at this λ, though a linear state would
    have one; ``unsettled``, where the certificate is not 1 or ``error`` is too large. Words that are discarded, and
    those without a minimum, stand at the cap.

    ``rate`` is Kλ, so λ is ``rate`` over ``width``, the dimensions K of a word vector. ``variance`` is σ_S² at each
    layer: the total variance of its state, of ``dimensions`` numbers, when the words are drawn anew (``reference``
    says from where); its standard error is ``variance_error`` (empty in files of before), and moves every log σ of a
    layer alike, by half of it relative to σ_S². Layers and models can be compared at one ``rate`` only.
    """

    layers: tuple[str, ...]
    sigma: Float[np.ndarray, "layers words"]
    linear: Float[np.ndarray, "layers words"]
    error: Float[np.ndarray, "layers words"]
    certificate: Float[np.ndarray, "layers words"]
    certificate_error: Float[np.ndarray, "layers words"]
    states: tuple[tuple[str, ...], ...]
    variance: tuple[float, ...]
    dimensions: tuple[int, ...]
    rate: float
    width: int
    cap: float
    reference: str
    variance_error: tuple[float, ...] = ()

    form: ClassVar[str] = "exegesis.information"
    noun: ClassVar[str] = "result of exegesis.information"

    def __post_init__(self) -> None:
        shape = (len(self.layers), len(self.text.words))
        for name in ("sigma", "linear", "error", "certificate", "certificate_error"):
            values = getattr(self, name)
            if values.shape != shape:
                raise UsageError(f"{name} of {shape[0]} layers and {shape[1]} words, not {values.shape}")
            require_finite(name, values)
            values.setflags(write=False)
        if [len(row) for row in self.states] != [shape[1]] * shape[0]:
            raise UsageError("states need one word for each layer and word")
        for state in {state for row in self.states for state in row} - set(STATES):
            raise unknown("state", state, STATES)
        if not (len(self.variance) == len(self.dimensions) == shape[0]):
            raise UsageError(f"{shape[0]} layers need as many variances and dimensions")
        if len(self.variance_error) not in (0, shape[0]):
            raise UsageError(f"{shape[0]} layers need as many errors of variances, or none")
        require_finite("variance, rate and cap", *self.variance, *self.variance_error, self.rate, self.cap)
        if min(self.sigma.min(initial=1.0), self.cap, self.rate, self.width) <= 0:
            raise UsageError("sigma, cap, rate and width must be above 0")

    @property
    def words(self) -> tuple[str, ...]:
        """The user's words, as written."""
        return self.text.word_strings()

    @property
    def lam(self) -> float:
        """The λ of Eqs. 5 and 7."""
        return self.rate / self.width

    @property
    def converged(self) -> bool:
        """True if every word has a minimum with its certificate, or is discarded."""
        return all(state in (MINIMUM, DISCARDED) for row in self.states for state in row)

    @property
    def agreement(self) -> Float[np.ndarray, " layers"]:
        """The correlation of log σ over the words of each layer to expect between two seeds, from its standard errors.

        1 - mean square error / variance, over words with a minimum; NaN for less than two, or words that are all alike.
        """
        found = []
        for at in range(len(self.layers)):
            certified = self._is(MINIMUM)[at]
            spread = float(np.log(self.sigma[at, certified]).var()) if certified.sum() > 1 else 0.0
            noise = float(np.square(self.error[at, certified]).mean()) if certified.any() else 0.0
            found.append(1 - noise / spread if spread > 0 else math.nan)
        return np.array(found)

    @property
    def entropy(self) -> Float[np.ndarray, "layers words"]:
        """H(X_i|s) of Eq. 6 in nats, K/2 log(2πe) + K log σ_i for each piece of the word; NaN where there is none."""
        pieces = np.array([word.stop - word.start for word in self.text.words], dtype=np.float64)
        nats = pieces * self.width * (0.5 * math.log(2 * math.pi * math.e) + np.log(self.sigma))
        return np.where(self._is(NONE), np.nan, nats)

    @property
    def discarded(self) -> Float[np.ndarray, " layers"]:
        """H(X|s) in nats, what each state discards of the whole text: the sum over its words; NaN if one has none.

        Less is discarded where more is held: the mutual information of text and state is a constant less this.
        """
        total: np.ndarray = self.entropy.sum(1)
        return total

    @property
    def kept(self) -> Float[np.ndarray, "layers words"]:
        """Nats that a state holds of each dimension of a word's vectors beyond noise at the cap, log(cap / σ_i).

        It is 0 for a word that is discarded or has no minimum.
        """
        held: np.ndarray = np.log(self.cap / self.sigma)
        held[held < 0] = 0.0
        return held

    def _is(self, state: str) -> np.ndarray:
        return np.array([[one == state for one in row] for row in self.states], dtype=bool).reshape(self.sigma.shape)

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs: what is kept of each word, layer by layer."""
        return {**super().readable(), "layers": list(self.layers), "kept": self.kept.tolist()}

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.sigma.shape))
        state = "converged" if self.converged else "not converged"
        return escaped(
            f"<Information: {shape} (layers x words) at rate {self.rate:g}, {state}; {', '.join(self.layers)}>"
        )
