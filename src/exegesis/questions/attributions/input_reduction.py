"""Input reduction: the smallest set of words that keeps the prediction (Feng et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import at_least
from exegesis.core.progress import Tally
from exegesis.core.ties import ranked
from exegesis.engine.methods import Scores, method
from exegesis.mech.removal.coalitions import owner_of
from exegesis.mech.removal.perturbed import How, Remover, check
from exegesis.nn.rounding import tie
from exegesis.protocols.batch import Batch
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Link, Target


class _Removal(NamedTuple):
    """A removed word, and the removals before it."""

    word: int
    before: _Removal | None


class _Path(NamedTuple):
    """A way of reducing a text: a flag for each word that is left, the last removal, and the explained number."""

    left: Bool[np.ndarray, " w"]
    removed: _Removal | None
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
    Numbers that are equal but for rounding (``nn.rounding.tie``) go in reading order, and the removals of a text run
    apart from those of other texts, so that its neighbours decide nothing.
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
        ended: list[_Path] = []
        tally = Tally("words removed", sum(len(text.words) - 1 for text in batch.texts))
        for row, text in enumerate(batch.texts):
            at = torch.tensor([row])
            remover, own = Remover.of(model, batch.take(at), self.how), target.take(at)
            beam = [_Path(np.ones(len(text.words), dtype=bool), None, 0.0)]
            while longer := self._step(remover, own, decided[at.to(decided.device)], beam):
                beam = longer
                tally.add(1)
            ended.append(beam[0])
        tally.add(tally.total - tally.done)
        values = torch.zeros(len(batch), 1, batch.ids.shape[1], dtype=torch.float64)
        details = []
        for row, text in enumerate(batch.texts):
            rest, order = np.flatnonzero(ended[row].left).tolist(), _order(ended[row].removed)
            starts = [word.start for word in text.words]
            values[row, 0, [starts[word] for word in rest]] = 1.0
            values[row, 0, [starts[word] for word in order]] = torch.arange(len(order)).double() / len(starts)
            words_left = [text.surface(text.words[number]) for number in rest]
            details.append({"reduced": words_left, "left": rest, "order": order})
        return Scores(values, details=details)

    def passes(self, words: int, numbers: int) -> int:
        """At most a removal of each word that is left, for each text of the beam, at every step."""
        return 1 + self.beam * words * (words + 1) // 2

    def _step(self, remover: Remover, target: Target, decided: Tensor, beam: list[_Path]) -> list[_Path]:
        """The best paths of a text after another removal that keeps the label, apart from those of other texts.

        A removal is remembered as a path and a word; texts are written out a part at a time.
        """
        tries = list(_removals(beam))
        rows_at_once = budget_for("masks", remover.batch.device).rows_of(remover.batch.ids.shape[1])
        numbers, same, slack = [], [], 0.0
        for at in range(0, len(tries), rows_at_once):
            part = [(0, path, word) for path, word in tries[at : at + rows_at_once]]
            owner = torch.zeros(len(part), dtype=torch.long)
            raw = remover.keeping(owner, _keep(remover.batch, part))
            numbers += target.take(owner).of(raw)[:, 0].tolist()
            same += (remover.model.link.decide(raw) == decided).tolist()
            slack = max(slack, float(tie(raw).max()))
        places = [place for place, stays in enumerate(same) if stays]
        longer: list[_Path] = []
        for best in ranked([numbers[place] for place in places], slack, self.beam):
            path, word = tries[places[best]]
            left = path.left.copy()
            left[word] = False
            longer.append(_Path(left, _Removal(word, path.removed), numbers[places[best]]))
        return longer


def _removals(paths: Sequence[_Path]) -> Iterator[tuple[_Path, int]]:
    """Each removal of a word from a path that leaves a text which no earlier one leaves.

    Two paths with the same number of words can reach the same text by one removal each only if they differ in one word.
    """
    for number, path in enumerate(paths):
        words = np.flatnonzero(path.left)
        if len(words) < 2:
            continue
        apart = [np.flatnonzero(path.left & ~earlier.left) for earlier in paths[:number]]
        known = {int(words[0]) for words in apart if len(words) == 1}
        yield from ((path, word) for word in words.tolist() if word not in known)


def _order(removed: _Removal | None) -> list[int]:
    """The removed words, the first one first."""
    order = []
    while removed is not None:
        order.append(removed.word)
        removed = removed.before
    return order[::-1]


def _keep(batch: Batch, tries: Sequence[tuple[int, _Path, int]]) -> Bool[Tensor, "n t"]:
    """A flag for each piece that a try keeps, ``[n, t]``."""
    keep = np.ones((len(tries), batch.ids.shape[1]), dtype=bool)
    owners = {row: owner_of(batch.texts[row]) for row, _, _ in tries}
    for number, (row, path, word) in enumerate(tries):
        left = np.append(path.left, True)
        left[word] = False
        keep[number, : len(owners[row])] = left[owners[row]]
    return torch.from_numpy(keep)
