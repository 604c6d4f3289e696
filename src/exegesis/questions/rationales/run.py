"""The question which words a decision rests on, answered by a model's own selector or by the scores of a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import above, at_most, fitting
from exegesis.core.text import Span, Text
from exegesis.core.ties import ranked, slack_of, top_count
from exegesis.engine.answer import Task, answer, finite
from exegesis.engine.methods import Method, require
from exegesis.engine.run import Words
from exegesis.mech.removal.coalitions import Game
from exegesis.models.rationale_models.discrete import best_window
from exegesis.protocols.model import Classifier, missing
from exegesis.protocols.selective import Selective
from exegesis.protocols.target import Ask, Link
from exegesis.questions.attributions.rationale import OwnRationale
from exegesis.results.header import Origin, Subject
from exegesis.results.rationale import Rationale

NOTHING = "The selector kept no word, so the answer is that of a text of no words: a degenerate rationale."
EVERYTHING = "The selector kept every word, so the rationale says nothing of which words matter."
WEIGHED = "The selector kept every word, and the classifier reads them weighed by gates from {:.2f} to {:.2f}."


class _Kept(NamedTuple):
    """What is kept of one text, and the explained number of all words, of these alone, and of the rest."""

    kept: Bool[np.ndarray, " words"]
    scores: Float[np.ndarray, " words"]
    whole: float
    alone: float
    rest: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Own:
    """The rationale of a model's own selector."""

    name: str = "rationale"

    @property
    def parameters(self) -> str:
        """The question, as code."""
        return repr(OwnRationale())

    def passes(self, text: Text, numbers: int) -> int:
        """The selection, and the classifier on all words and on the rest."""
        return 3

    def answer(self, task: Task) -> list[_Kept]:
        """What the selector keeps of each text of a batch."""
        model, batch = cast(Selective, task.model), task.batch
        selection, target = model.select(batch), task.target
        if selection.labelled:
            labels = target.index[:, 0].tolist()
            rows = [selection.labelled[label] for label in labels]
            chance = torch.stack([part.chance[row] for row, part in enumerate(rows)])
            kept = torch.stack([part.kept[row] for row, part in enumerate(rows)])
        else:
            chance, kept = selection.chance, selection.kept
        gone = batch.mask & ~kept
        whole, rest = (target.of(model.outputs_of(batch, part))[:, 0] for part in (batch.mask, gone))
        alone = target.of(task.raw)[:, 0]
        for numbers in (whole, rest):
            finite(numbers, model, "numbers of a rationale")
        bodies = []
        for row, text in enumerate(task.texts):
            words = _over_words(kept[row], text) > 0
            notes = _notes(words, None if selection.labelled else selection.gate, row, batch.mask)
            chances = _over_words(chance[row], text, most=True)
            bodies.append(_Kept(words, chances, float(whole[row]), float(alone[row]), float(rest[row]), notes))
        return bodies

    def result(self, subject: Subject, origin: Origin, body: _Kept) -> Rationale:
        """The rationale of one text."""
        return _rationale(subject, origin, body, probable=True)


BY_LOGIT = "The method decomposes the label's logit: the words are scored by it, the numbers are probabilities."


@dataclass(frozen=True, eq=False)
class Extracted:
    """The rationale that a method's scores make: the top ``share`` of the words, at least one, or the ``contiguous``
    run of as many words with the largest sum (Jain et al. 2020, Sec. 4.1); of equal ones the first (``core.ties``)."""

    words: Words
    share: float
    contiguous: bool

    @property
    def name(self) -> str:
        """The method's name."""
        return self.words.name

    @property
    def parameters(self) -> str:
        """The method with its parameters, as code."""
        return self.words.parameters

    def passes(self, text: Text, numbers: int) -> int | None:
        """The passes of the method, and one for the rationale and for the rest each."""
        stated = self.words.passes(text, numbers)
        return None if stated is None else stated + 2

    def answer(self, task: Task) -> list[_Kept]:
        """The rationale of each text of a batch."""
        scored, by_logit = self._scored(task)
        game = Game(task.model, task.batch, "drop")
        kept = [self._kept(torch.from_numpy(body.values[0, : len(text.words)].copy()))
                for body, text in zip(scored, task.texts, strict=True)]  # fmt: skip
        bits = [sum(1 << n for n in np.flatnonzero(words).tolist()) for words in kept]
        every = [(1 << len(text.words)) - 1 for text in task.texts]
        raw = game.raw([[own, full & ~own] for own, full in zip(bits, every, strict=True)])
        whole = task.target.of(task.raw)[:, 0]
        bodies = []
        for row, (body, words) in enumerate(zip(scored, kept, strict=True)):
            target = task.target.take(torch.tensor([row])).to(torch.device("cpu"))
            alone, rest = (float(target.of(part[None])[0, 0]) for part in raw[row])
            values = body.values[0, : len(words)]
            notes = ("Every word is in the rationale.",) if words.all() and len(words) > 1 else ()
            bodies.append(_Kept(words, values, float(whole[row]), alone, rest, (*notes, *([BY_LOGIT] * by_logit))))
        return bodies

    def _scored(self, task: Task) -> tuple[Sequence[Any], bool]:
        """The method's scores of the words, and whether they are of the label's logit: a method that decomposes raw
        outputs has none of a probability."""
        try:
            return self.words.answer(task), False
        except UnsupportedError:
            if task.target.kind != "probability":
                raise
            return self.words.answer(replace(task, target=replace(task.target, kind="logit"))), True

    def _kept(self, scores: Float[Tensor, " words"]) -> Bool[np.ndarray, " words"]:
        values, count = scores.tolist(), top_count(self.share, len(scores))
        if self.contiguous:
            real = torch.ones(1, len(scores), dtype=torch.bool)
            return best_window(scores[None], real, torch.tensor([count]))[0].numpy()
        kept = np.zeros(len(scores), dtype=bool)
        kept[ranked(values, slack_of(values), count)] = True
        return kept

    def result(self, subject: Subject, origin: Origin, body: _Kept) -> Rationale:
        """The rationale of one text."""
        details = {"share": self.share, "contiguous": self.contiguous}
        return _rationale(subject, replace(origin, details=details), body, probable=False)


def rationales(
    model: Classifier, texts: Sequence[Text], choice: Ask, method: Method | None, share: float, contiguous: bool
) -> Iterator[tuple[int, Rationale]]:
    """The rationales of texts as they are ready, each with the number of its text; by the model's own selector if there
    is no ``method``.

    Raises UnsupportedError for a model that does not select its words, or that cannot serve the method; UsageError for
    several numbers at once.
    """
    choice = probability_of(choice, model.link)
    share = fitting("share", Annotated[float, above(0), at_most(1)], share)
    own = method is None or isinstance(method, OwnRationale)
    chosen = OwnRationale() if method is None else method
    if own and missing(model, Selective):
        raise UnsupportedError(
            f"the model {model.name} does not select its words: name a method, whose top words are the rationale "
            "(-M integrated-gradients), or give a model of exegesis train --arch rationale"
        )
    card = require(model, chosen)
    question: Own | Extracted = Own() if own else Extracted(Words(chosen, card), share, contiguous)
    yield from answer(model, texts, question, choice)


def _notes(
    kept: Bool[np.ndarray, " words"], gate: Float[Tensor, "b t"] | None, row: int, mask: Bool[Tensor, "b t"]
) -> tuple[str, ...]:
    """What is to be said where a selector keeps nothing, or all."""
    if not kept.any():
        return (NOTHING,)
    if not kept.all() or len(kept) == 1:
        return ()
    gates = torch.ones(1) if gate is None else gate[row][mask[row]]
    low, high = float(gates.min()), float(gates.max())
    return (EVERYTHING,) if low == high else (WEIGHED.format(low, high),)


def probability_of(choice: Ask, link: Link) -> Ask:
    """The number of a rationale: the probability of one label; of a regression its output."""
    if len(choice.labels) > 1:
        raise UsageError("a rationale explains the probability of one label: take one as the target")
    return choice if link is Link.IDENTITY else replace(choice, kind="probability")


def _rationale(subject: Subject, origin: Origin, body: _Kept, probable: bool) -> Rationale:
    spans = runs_of(body.kept, subject.text)
    return Rationale(
        subject, origin, spans, np.array(body.scores, dtype=np.float64), body.whole, body.alone, body.rest, probable,
        body.notes,
    )  # fmt: skip


def runs_of(kept: Bool[np.ndarray, " words"], text: Text) -> tuple[Span, ...]:
    """The unbroken runs of words, as spans of pieces; the border of a pair breaks a run."""
    runs: list[Span] = []
    for n, word in enumerate(text.words):
        if not kept[n]:
            continue
        if n and kept[n - 1] and text.words[n - 1].stop == word.start and runs:
            runs[-1] = Span(runs[-1].start, word.stop)
        else:
            runs.append(Span(word.start, word.stop))
    return tuple(runs)


def _over_words(values: Tensor, text: Text, most: bool = False) -> np.ndarray:
    """The numbers of words from those of pieces: their sum, or the largest."""
    pieces = values.double().cpu().numpy()
    parts = [pieces[word.start : word.stop] for word in text.words]
    return np.array([part.max() if most else part.sum() for part in parts])
