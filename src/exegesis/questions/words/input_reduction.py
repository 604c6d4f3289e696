"""Input reduction: the smallest set of words that keeps the prediction (Feng et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import at_least
from exegesis.core.text import Text
from exegesis.engine.methods import Scores, method
from exegesis.mech.removal.perturbed import How, check, outputs_keeping
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Target


@dataclass(frozen=True)
class _Path:
    """A way of reducing a text: the rest of its words, the removed words in order, and the explained number."""

    rest: frozenset[int]
    removed: tuple[int, ...]
    number: float


@method(
    "input-reduction",
    question="which words suffice?",
    summary="the order in which words can go while the prediction stays; what is left at the end",
    paper="Feng et al., Pathologies of Neural Models Make Interpretations Difficult",
    year=2018,
    signed=False,
)
@dataclass(frozen=True)
class InputReduction:
    """The order in which words can be removed one by one while the prediction stays; a beam follows several orders.

    Scores, between 0 and 1: 1 for the words that remain (``details["reduced"]``); for a removed word its place in the
    order of removal, from 0, divided by the number of words. Each step tries every single removal from every text of
    the beam and keeps the ``beam`` texts with the largest explained number among those whose predicted label is
    unchanged. It deviates in one point: the paper ranks removals by a gradient approximation, here all of them are run.
    The result is the shortest text reached, and among these the one with the largest number. At least one word stays.
    ``how`` says what replaces removed words, as for leave-one-out.

    Raises UsageError for any target other than the predicted label, UnsupportedError for several plain numbers.
    """

    beam: Annotated[int, at_least(1)] = 5
    how: How = "drop"

    def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
        check(model, self.how)
        if model.link is Link.IDENTITY and len(model.labels) > 1:
            raise UnsupportedError("a regression of several numbers predicts no label that input-reduction could keep")
        decided = model.link.decide(model.outputs(batch))
        if target.count != 1 or bool((target.index[:, 0] != decided).any()):
            raise UsageError("input-reduction keeps the predicted label: ask for the target 'predicted'")
        everything = [frozenset(range(len(text.words))) for text in batch.texts]
        beams = {row: [_Path(words, (), 0.0)] for row, words in enumerate(everything)}
        ended: dict[int, _Path] = {}
        while beams:
            longer = self._step(model, batch, target, decided, beams)
            for row, paths in list(beams.items()):
                if not longer.get(row):
                    ended[row] = paths[0]
            beams = {row: paths for row, paths in longer.items() if paths}
        values = torch.zeros(len(batch), 1, batch.ids.shape[1], dtype=torch.float64)
        details = []
        for row, text in enumerate(batch.texts):
            path, count = ended[row], len(text.words)
            for number, word in enumerate(text.words):
                values[row, 0, word.start] = 1.0 if number in path.rest else path.removed.index(number) / count
            rest = sorted(path.rest)
            words_left = [text.surface(text.words[number]) for number in rest]
            details.append({"reduced": words_left, "left": rest, "order": list(path.removed)})
        return Scores(values, details=details)

    def _step(
        self, model: Classifier, batch: Batch, target: Target, decided: Tensor, beams: dict[int, list[_Path]]
    ) -> dict[int, list[_Path]]:
        """The best paths of each text after another removal that keeps the label; all removals run in one pool."""
        tries: list[tuple[int, _Path, int]] = []
        tried: set[tuple[int, frozenset[int]]] = set()
        for row, paths in beams.items():
            for path in paths:
                for word in sorted(path.rest) if len(path.rest) > 1 else ():
                    rest = path.rest - {word}
                    if (row, rest) not in tried:
                        tried.add((row, rest))
                        tries.append((row, path, word))
        if not tries:
            return {}
        owner = torch.tensor([row for row, _, _ in tries])
        keep = _keep(batch.texts, tries, batch.ids.shape[1])
        raw = outputs_keeping(model, batch, owner, keep, self.how)
        numbers = target.take(owner).of(raw)[:, 0].tolist()
        same = (model.link.decide(raw) == decided[owner.to(decided.device)]).tolist()
        longer: dict[int, list[_Path]] = {}
        for (row, path, word), number, stays in zip(tries, numbers, same, strict=True):
            if stays:
                longer.setdefault(row, []).append(_Path(path.rest - {word}, (*path.removed, word), number))
        return {row: sorted(paths, key=lambda p: -p.number)[: self.beam] for row, paths in longer.items()}


def _keep(texts: tuple[Text, ...], tries: list[tuple[int, _Path, int]], width: int) -> Bool[Tensor, "n t"]:
    """A flag for each piece that a try keeps, ``[n, t]``."""
    keep = torch.ones(len(tries), width, dtype=torch.bool)
    for number, (row, path, word) in enumerate(tries):
        for index in (*path.removed, word):
            span = texts[row].words[index]
            keep[number, span.start : span.stop] = False
    return keep
