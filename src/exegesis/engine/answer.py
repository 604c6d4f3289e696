"""Answers: every question about texts runs through here, from texts to results, in batches that fit into memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import CapacityError, ModelError, out_of_memory
from exegesis.core.text import Span, Text
from exegesis.engine.cost import announce, passes_of
from exegesis.nn.alone import alone
from exegesis.protocols.batch import Batch, groups
from exegesis.protocols.budget import budget_for
from exegesis.protocols.model import Classifier
from exegesis.protocols.target import Ask, Target
from exegesis.results.header import Accounted, Origin, Prediction, Subject

MAX_LABELS, LIKELIEST = 100, 10  # a prediction names up to a hundred labels, else the ten likeliest
Result = TypeVar("Result")
Body = TypeVar("Body")
Answer = TypeVar("Answer", covariant=True)


@dataclass(frozen=True, eq=False)
class Task:
    """A batch with everything that a question needs: encoded texts, checked outputs, and the numbers to explain.

    ``raw[b, c]`` are the model's outputs, ``target`` chooses k numbers for each text.
    """

    model: Classifier
    batch: Batch
    texts: Sequence[Text]
    raw: Float[Tensor, "b c"]
    target: Target

    def row(self, number: int) -> Task:
        """The task of a single text of the batch, without padding."""
        rows, texts = torch.tensor([number]), self.texts[number : number + 1]
        return Task(self.model, self.batch.take(rows), texts, self.raw[number : number + 1], self.target.take(rows))


class Question(Protocol[Body, Answer]):
    """A question about texts: the parts of the answers for a batch, and a result from the parts for one text.

    ``name`` appears in results and in the error for lack of memory; ``parameters`` are code that rebuilds the method.
    """

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> str: ...
    def answer(self, task: Task) -> Sequence[Body]:
        """The body of each text's answer, in order."""
        ...

    def result(self, subject: Subject, origin: Origin, body: Body) -> Answer:
        """A result from its header and its body."""
        ...


class ByMethod:
    """The base of questions that a registered method answers: called as its card is, with the method's parameters."""

    method: Any
    card: Any

    @property
    def name(self) -> str:
        """The method's name."""
        return str(self.card.name)

    @property
    def parameters(self) -> str:
        """The method with its parameters, as code."""
        return repr(self.method)


def answer(
    model: Classifier, texts: Sequence[Text], question: Question[Body, Result], choice: Ask
) -> Iterator[tuple[int, Result]]:
    """Ask a question about texts; results come as they are ready, each with the number of its text.

    The seconds of a batch are shared by its texts. Work that takes long is announced in the log. Raises ModelError if
    the model's outputs, the explained numbers, or what accounts for them are not finite, CapacityError if a single text
    needs too much memory, UsageError if a text needs more passes of the model than are allowed (``engine.cost``).
    """
    counts = passes_of(question, texts, choice.count)

    def work(part: Sequence[Text]) -> list[Result]:
        nonlocal counts
        start = time.perf_counter()
        batch, raw = outputs(model, part)
        if counts is not None:  # the first batch tells for all
            announce(model, question.name, batch, texts, counts, (time.perf_counter() - start) / len(part))
            counts, start = None, time.perf_counter()
        task = Task(model, batch, part, raw, choice.of(raw, model.link))
        finite(task.target.of(raw), model, "explained numbers")
        bodies = question.answer(task)
        subjects = _subjects(task)
        seconds = (time.perf_counter() - start) / len(part)
        origins = [Origin(question.name, question.parameters, seconds, _read_in(model, text)) for text in part]
        results = [question.result(*each) for each in zip(subjects, origins, bodies, strict=True)]
        for result in results:
            if isinstance(result, Accounted) and not np.isfinite(result.gap).all():
                raise ModelError(
                    f"{question.name} on the model {model.name}: scores and account are too large to be summed "
                    "(infinity): scale the outputs down, or explain a probability"
                )
        return results

    yield from in_batches(texts, work, question.name, model)


def in_batches(
    texts: Sequence[Text], work: Callable[[Sequence[Text]], list[Result]], name: str, model: Classifier | None = None
) -> Iterator[tuple[int, Result]]:
    """Work on texts in batches of similar length; each result comes with the number of its text as soon as it is ready.

    The size of batches follows the memory of the ``model``'s device, by default that of the CPU. Batches that run out
    of memory are tried again in halves. While a batch runs, no other thread runs the model's module.

    Raises CapacityError, with the ``name`` of the work, if a single text needs too much memory.
    """
    budget = budget_for("texts", getattr(model, "device", None))
    queue = groups([len(text) for text in texts], budget.pieces, budget.rows)
    while queue:
        rows = queue.pop(0)
        try:
            with alone(getattr(model, "module", None)):
                results = work([texts[row] for row in rows])
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(rows) == 1:
                text = texts[rows[0]]
                raise CapacityError(
                    f"{name} needs more memory than there is for a text of {len(text.words)} words "
                    f"({text.raw[:30]!r}...): take a shorter text or another method"
                ) from error
            queue[:0] = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
            continue
        yield from zip(rows, results, strict=True)


def outputs(model: Classifier, texts: Sequence[Text]) -> tuple[Batch, Float[Tensor, "b c"]]:
    """The texts as one batch, and the model's outputs ``[b, c]`` for it. Raises ModelError if these are not finite."""
    batch = model.encode(texts)
    return batch, finite(model.outputs(batch), model, "outputs")


def predictions(model: Classifier, raw: Float[Tensor, "b c"], most: int = MAX_LABELS) -> list[Prediction]:
    """The prediction for each row of outputs, with all labels up to ``most``, else with the ten likeliest."""
    decided, labels = model.link.decide(raw).tolist(), model.labels
    results = []
    for probabilities, best in zip(array(model.link.probabilities(raw)), decided, strict=True):
        count = len(labels)
        named = range(count) if count <= most else np.argsort(-probabilities, kind="stable")[:LIKELIEST].tolist()
        by_label = {labels[number]: float(probabilities[number]) for number in named}
        results.append(Prediction(labels[best], float(probabilities[best]), by_label, count))
    return results


def one_per_text(numbered: Iterator[tuple[int, Result]]) -> list[Result]:
    """Results in the order of their texts."""
    results = dict(numbered)
    return [results[number] for number in range(len(results))]


def finite(values: Tensor, model: Classifier, name: str) -> Tensor:
    """The values unchanged. Raises ModelError, which names them, if one is NaN or infinite."""
    if not bool(torch.isfinite(values).all()):
        raise ModelError(
            f"the {name} of model {model.name} are not finite (NaN or infinity): check its weights and its input"
        )
    return values


def array(values: Tensor) -> np.ndarray:
    """A tensor as an array of doubles on the CPU."""
    return values.detach().to("cpu", torch.float64).numpy()


def _read_in(model: Classifier, text: Text) -> dict[str, Any]:
    """The windows, as ranges of words, that a model has read of a text; nothing if it has read all of it at once."""
    windows: Callable[[Text], Sequence[Span]] | None = getattr(model, "windows", None)
    found = windows(text) if windows is not None else ()
    ranges = [[n for n, word in enumerate(text.words) if window.covers(word)] for window in found]
    return {"windows": [[inside[0], inside[-1] + 1] for inside in ranges]} if found else {}


def _subjects(task: Task) -> list[Subject]:
    model = task.model
    explained = array(task.target.of(task.raw)).tolist()
    return [
        Subject(text, model.name, prediction, task.target.names(row, model.labels), tuple(explained[row]))
        for row, (text, prediction) in enumerate(zip(task.texts, predictions(model, task.raw), strict=True))
    ]
