"""DeepLIFT with the rescale rule (Shrikumar, Greenside & Kundaje 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from exegesis.engine.methods import BACKWARD, Scores, method
from exegesis.mech.baseline import Baseline, with_numbers
from exegesis.mech.deeplift.differences import differences
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable
from exegesis.protocols.target import Target


@method(
    "deeplift",
    question="which words?",
    summary="the difference from a baseline, propagated back in proportion to the differences on the way",
    paper="Shrikumar et al., Learning Important Features Through Propagating Activation Differences (DeepLIFT)",
    year=2017,
    complete=True,
)
@dataclass(frozen=True)
class DeepLift:
    """A word's share of the difference between the number at the text and at a baseline, in units of the number.

    Identity (summation to delta, Eq. 1 of the paper): words + value at the baseline = the number, to rounding. On a
    linear model a share is gradient times difference, as integrated gradients' is.

    The paper's rules: linear maps propagate by their weights (Sec. 3.5.1), an elementwise y = f(x) the multiplier Δy /
    Δx, and its slope where Δx vanishes (rescale, Sec. 3.5.2). Multipliers chain (Eq. 3). The following rules are ours,
    for functions without a rule in the paper, and all sum exactly:

    - A *product* of two values that both depend on the words (a gate and its signal, attention weights and states)
      gives each factor the mean of the other over text and baseline: Δ(a b) = Δa mean(b) + mean(a) Δb. Other tools use
      the gradient at the text (which does not sum), or treat gates as constants.
    - *softmax* is exp(s - log Σ exp s): the exponential has as multiplier the logarithmic mean L of the two weights,
      and Δ log Σ exp s = Σ L_j Δs_j / Σ L_j exactly, so a shift that all scores share has no effect.
    - A *maximum* over positions gives all of Δy to the place of the larger of the two maxima (the text's or the
      baseline's), a minimum likewise; the multiplier then lies between 0 and 1.
    - *Recurrent layers* consist of these: a backward pass through their steps, all layers and directions. Layer norm,
      division by a live tensor and attention (scaled dot product, many heads) are taken apart in the same way.

    ``baseline``: as in integrated-gradients: ``zero`` vectors, the vectors of ``pad``, ``unknown`` or ``mask`` tokens,
    or ``text:...``, any text at the same positions. Special pieces and padding are the same in the baseline.
    Words that are the same in text and baseline score zero. Where the model gives no number at vectors of zeros the
    baseline is the unknown word, and ``details["baseline"]`` says so. The target may be a probability too: it is one
    more part.

    If a module computes in float32 on the way, as norms of language models do whatever their weights are, the sum is
    exact to the rounding of float32 times the multipliers, which are large if an RMS norm reads vectors of zeros.

    A norm that reads vectors of zeros divides by next to nothing, which it does for no text: in a Transformer without
    positions the scores at the ``zero`` baseline are hundreds of times the number and cancel, exactly as the identity
    wants. The account under the scores says so; ``baseline="unknown"`` or a text is the remedy.

    Raises UnsupportedError for a function without a rule (by name), for values that are overwritten while others use
    them, for a module that computes differently at the baseline (one that takes vectors of zeros for padding), and if
    multipliers are not finite or so large that rounding destroys the sum.
    """

    baseline: Baseline = "zero"

    def __call__(self, model: Differentiable, batch: Batch, target: Target) -> Scores:
        def begun(base: Tensor) -> Tensor:
            with torch.no_grad():
                return target.of(model.outputs_from(base.detach(), batch))

        base, first, noted = with_numbers(model, batch, model.embed(batch), self.baseline, begun)
        values = differences(model, batch, target, base, first)
        return Scores(values, {"value at the baseline": first}, noted)

    def passes(self, words: int, numbers: int) -> int:
        """The text and its baseline, and a backward pass for each number."""
        return 2 + BACKWARD * numbers
