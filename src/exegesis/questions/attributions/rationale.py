"""The rationale of a model that selects its words: the probability with which each word is kept."""

from __future__ import annotations

from dataclasses import dataclass

from exegesis.engine.methods import Scores, method
from exegesis.protocols.batch import Batch
from exegesis.protocols.selective import Selective
from exegesis.protocols.target import Target


@method(
    "rationale",
    question="which words did the model read?",
    summary="the probability with which the model's own selector keeps the word",
    paper="Lei et al., Rationalizing Neural Predictions",
    year=2016,
    signed=False,
)
@dataclass(frozen=True)
class OwnRationale:
    """The probability of each word to be kept by the model's own selector, 0 to 1, whatever number is explained.

    A model that selects its words is trained by ``exegesis train --arch rationale``; its prediction is made of the kept
    words alone, which ``details["kept"]`` lists by their numbers. A word of several pieces has the sum of theirs. The
    numbers do not add up to anything. With a rationale for each label, it is that of the label explained.
    """

    def __call__(self, model: Selective, batch: Batch, target: Target) -> Scores:
        selection = model.select(batch)
        count = target.count
        if selection.labelled:
            index = target.index.to(selection.chance.device)
            every = [part.chance for part in selection.labelled]
            rows = range(len(batch))
            values = selection.chance.new_zeros(len(batch), count, batch.ids.shape[1])
            for row in rows:
                for k, label in enumerate(index[row].tolist()):
                    values[row, k] = every[label][row]
        else:
            values = selection.chance[:, None].expand(-1, count, -1)
        kept = selection.kept.cpu()
        details = [
            {"kept": [n for n, word in enumerate(text.words) if bool(kept[row, word.start : word.stop].any())]}
            for row, text in enumerate(batch.texts)
        ]
        return Scores(values, details=details)

    def passes(self, words: int, numbers: int) -> int:
        """One pass."""
        return 1
