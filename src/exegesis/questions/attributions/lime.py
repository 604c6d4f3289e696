"""LIME for text: a weighted linear model of the number over the presence of words (Ribeiro et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.parameters import above, at_least
from exegesis.core.text import Text
from exegesis.core.ties import ranked, slack_of
from exegesis.engine.methods import Scores, method
from exegesis.mech.removal.perturbed import How, check, outputs_keeping
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.draws import generator
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Target


@method(
    "lime",
    question="which words?",
    summary="weights of a local linear model over which words are present",
    paper="Ribeiro et al., Why Should I Trust You?",
    year=2016,
)
@dataclass(frozen=True)
class Lime:
    """The weight of a word in a ridge regression of the number on the presence of words, in units of the number.

    As in the authors' text explainer, each of ``samples`` - 1 perturbed texts loses a uniformly drawn number (1 to all)
    of uniformly drawn words; the first sample is the text itself; a sample's weight is ``sqrt(exp(-(100 d)² /
    kernel²))`` with d the cosine distance between its presence vector and the text's; the regression has an intercept
    and penalty ``ridge``. ``features`` keeps the words of largest weight (times presence) and fits again on them alone,
    the rest score zero (Sec. 3.4's sparsity); None keeps all.

    It deviates in three points: every occurrence of a word is a separate feature (the authors join equal words); the
    number is the requested target (theirs is always a probability); ``features`` are chosen by the same regression
    (their package chooses with a penalty of 0.01, and adds six or fewer one by one). ``how`` says what replaces removed
    words. The account has the regression's intercept, so the gap is its error at the whole text; ``details`` hold the
    intercept too, and the weighted R² of the fit for each target. Draws depend on the text and ``seed``.
    """

    samples: Annotated[int, at_least(2)] = 1000
    kernel: Annotated[float, above(0)] = 25.0
    ridge: Annotated[float, at_least(0)] = 1.0
    features: Annotated[int, at_least(1)] | None = None
    how: How = "drop"
    seed: int = 0

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        check(model, self.how)
        presence = [self._draw(text) for text in batch.texts]
        owner = torch.repeat_interleave(torch.arange(len(batch)), self.samples)
        keep = torch.ones(len(owner), batch.ids.shape[1], dtype=torch.bool)
        for row, (text, present) in enumerate(zip(batch.texts, presence, strict=True)):
            block = keep[row * self.samples : (row + 1) * self.samples]
            for number, word in enumerate(text.words):
                block[:, word.start : word.stop] = present[:, number : number + 1]
        raw = outputs_keeping(model, batch, owner, keep, self.how)
        numbers = target.take(owner).of(raw).cpu().double().reshape(len(batch), self.samples, target.count)
        values = torch.zeros(len(batch), target.count, batch.ids.shape[1], dtype=torch.float64)
        intercepts = torch.zeros(len(batch), target.count, dtype=torch.float64)
        details = []
        for row, (text, present) in enumerate(zip(batch.texts, presence, strict=True)):
            weights, intercept, fit = self._fit(present.double(), numbers[row])
            values[row, :, [word.start for word in text.words]] = weights
            intercepts[row] = intercept
            details.append({"intercept": intercept.tolist(), "r2": fit.tolist()})
        return Scores(values, {"intercept": intercepts}, details)

    def passes(self, words: int, numbers: int) -> int:
        """One for each sample."""
        return self.samples

    def _draw(self, text: Text) -> Bool[Tensor, "s w"]:
        """A flag for each word that is present in each sample, ``[samples, words]``."""
        words = len(text.words)
        draws = generator(text, self.seed)
        removed = torch.randint(1, words + 1, (self.samples - 1, 1), generator=draws)
        places = torch.rand(self.samples - 1, words, generator=draws, dtype=torch.float32)
        at_once = budget_for("masks").rows_of(words)
        parts = zip(torch.split(places, at_once), torch.split(removed, at_once), strict=True)
        kept = [part.argsort(1).argsort(1) >= gone for part, gone in parts]
        return torch.cat([torch.ones(1, words, dtype=torch.bool), *kept])

    def _fit(
        self, present: Float[Tensor, "s w"], numbers: Float[Tensor, "s k"]
    ) -> tuple[Float[Tensor, "k w"], Float[Tensor, " k"], Float[Tensor, " k"]]:
        """The weights ``[k, words]``, the intercepts and the weighted R² of the fit for each target."""
        words = present.shape[1]
        cosine = (present.sum(1) / words).sqrt()  # of the angle to the all-present vector
        weight = (-((100 * (1 - cosine)) ** 2) / (2 * self.kernel**2)).exp()
        coefficients, intercept = _ridge(present, numbers, weight, self.ridge)
        if self.features is not None and self.features < words:
            chosen = torch.zeros_like(coefficients)
            for k in range(numbers.shape[1]):
                sizes = coefficients[k].abs().tolist()
                best = torch.tensor(ranked(sizes, slack_of(sizes), self.features))
                part, level = _ridge(present[:, best], numbers[:, k : k + 1], weight, self.ridge)
                chosen[k, best], intercept[k] = part[0], level[0]
            coefficients = chosen
        error = numbers - present @ coefficients.t() - intercept
        centred = numbers - (weight[:, None] * numbers).sum(0) / weight.sum()
        spread = (weight[:, None] * centred**2).sum(0)
        fit = 1 - (weight[:, None] * error**2).sum(0) / spread.clamp_min(torch.finfo(spread.dtype).tiny)
        return coefficients, intercept, fit


def _ridge(
    features: Float[Tensor, "s w"], numbers: Float[Tensor, "s k"], weight: Float[Tensor, " s"], penalty: float
) -> tuple[Float[Tensor, "k w"], Float[Tensor, " k"]]:
    """Weighted least squares with a penalty on the coefficients, none on the intercept."""
    total = weight.sum()
    middle = (weight[:, None] * features).sum(0) / total
    level = (weight[:, None] * numbers).sum(0) / total
    root = weight.sqrt()[:, None]
    x, y = root * (features - middle), root * (numbers - level)
    wide = x.shape[1] > x.shape[0]  # with fewer samples than words, the same solution by a matrix of samples
    matrix = x @ x.t() if wide else x.t() @ x
    matrix.diagonal().add_(penalty)
    right = y if wide else x.t() @ y
    solved = torch.linalg.solve(matrix, right) if penalty > 0 else torch.linalg.pinv(matrix, hermitian=True) @ right
    coefficients = x.t() @ solved if wide else solved
    return coefficients.t().contiguous(), level - middle @ coefficients
