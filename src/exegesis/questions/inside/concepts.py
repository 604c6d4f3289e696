"""The concepts of a decision: what each reads of the text, and what it adds to the number explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch

from exegesis.core.errors import UnsupportedError
from exegesis.core.text import Text
from exegesis.engine.answer import Task, answer, array
from exegesis.protocols.conceptual import Conceptual
from exegesis.protocols.model import Classifier, missing
from exegesis.protocols.target import Ask
from exegesis.results.header import Account, Origin, Subject
from exegesis.results.internals.decision import ConceptDecision

BIAS = "output bias"


class _Body(NamedTuple):
    words: tuple[tuple[int, ...], ...]
    chance: np.ndarray
    present: tuple[bool, ...]
    parts: np.ndarray
    bias: tuple[float, ...]


def decisions(model: Classifier, texts: Sequence[Text], choice: Ask) -> Iterator[tuple[int, ConceptDecision]]:
    """The decisions of a model through its concepts (see ``ConceptDecision``), each with the number of its text.

    Raises UnsupportedError for a model that does not decide through concepts, and for a probability, which no sum of
    concepts gives.
    """
    if missing(model, Conceptual):
        raise UnsupportedError(
            f"the model {model.name} does not decide through concepts: give one of exegesis train --arch concepts"
        )
    yield from answer(model, texts, Deciding(cast(Conceptual, model).concepts), choice)


@dataclass(frozen=True)
class Deciding:
    """The question of the concepts of a decision; ``names`` are those of the concepts."""

    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the question."""
        return "concepts"

    @property
    def parameters(self) -> str:
        """The question as code."""
        return "Concepts()"

    def answer(self, task: Task) -> list[_Body]:
        """The concepts of each text."""
        decision = cast(Conceptual, task.model).decide(task.batch)
        chosen = task.target.linear(task.raw.shape[1]).double()
        parts = torch.einsum("bkc,btc->bkt", decision.parts, chosen.to(decision.parts))
        bias = torch.einsum("c,btc->bt", decision.bias, chosen.to(decision.bias))
        bodies = []
        for row, text in enumerate(task.texts):
            kept = decision.excerpt[row].cpu()
            words = tuple(
                tuple(n for n, word in enumerate(text.words) if bool(one[word.start : word.stop].any())) for one in kept
            )
            present = tuple(bool(flag) for flag in decision.present[row].tolist())
            bodies.append(
                _Body(words, array(decision.chance[row]), present, array(parts[row]), tuple(array(bias[row]).tolist()))
            )
        return bodies

    def result(self, subject: Subject, origin: Origin, body: _Body) -> ConceptDecision:
        """The decision on one text."""
        return ConceptDecision(
            subject, origin, self.names, body.words, body.chance, body.present, body.parts,
            Account({BIAS: body.bias}, complete=True),
        )  # fmt: skip
