"""The contract of a method: the promises that hold for every registered method on every model that it can serve."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from exegesis.api import explain
from exegesis.core.errors import ExegesisError, ModelError, UsageError
from exegesis.engine.methods import Card, Method, card_of, make
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw, members
from exegesis.protocols.target import Target
from exegesis.results.attribution import Attribution
from exegesis.results.result import save
from exegesis.results.saved import read
from exegesis.testing.toys import TEXTS, recurrent_model
from exegesis.testing.traces import Midway, Traces, failing


@dataclass(frozen=True, eq=False)
class Trial:
    """A method on a model and a few texts; the results are computed once for all checks."""

    method: Method
    model: Classifier
    texts: tuple[Raw, ...]
    target: str
    tolerance: float
    gap: float
    before: Traces  # the model's traces before any call

    @cached_property
    def card(self) -> Card:
        """The method's card."""
        return card_of(self.method)

    @cached_property
    def results(self) -> list[Attribution]:
        """The method's results for all texts, explained together."""
        return self.explained(self.texts)

    def explained(self, texts: Sequence[Raw], target: str | None = None) -> list[Attribution]:
        """The results of the method for texts that are explained together."""
        return explain(self.model, list(texts), self.method, target or self.target)

    def demand(self, holds: bool, complaint: str) -> None:
        """Raise AssertionError, which begins with the method's name, unless a condition holds."""
        if not holds:
            raise AssertionError(f"{self.card.name}: {complaint}")


@entry
def check_method(
    method: str | Method,
    model: Classifier | None = None,
    texts: Sequence[Raw] = TEXTS,
    *,
    target: str = "all",
    tolerance: float = 1e-9,
    gap: float | None = None,
    **parameters: Any,
) -> None:
    """Hold a method to the contract of all methods, on a model and a few texts.

    ``method`` is a name or a value, with ``parameters`` as for ``explain``. ``model`` is by default a random
    bidirectional LSTM in float64; for models in float32 give a ``tolerance`` of about 1e-5. ``target`` is
    ``predicted`` for a method that explains nothing else. ``gap`` bounds what a method that promises completeness may
    leave unexplained (by default ``tolerance``); give its own tolerance if it works by approximation.

    Raises AssertionError for the first promise that is broken, in this order: the card is true; ``repr`` and the
    parameters rebuild the method; there is one finite score per word; the account adds up; neighbours in a batch,
    order and repetition change nothing; one text may be asked another label than its neighbours; the model is left as
    it was, also after an error; results are saved and read to the last bit. Raises UsageError if the method is not
    registered, UnsupportedError if the model cannot serve it.
    """
    bound = tolerance if gap is None else gap
    model = model or recurrent_model()
    trial = Trial(make(method, parameters), model, tuple(texts), target, tolerance, bound, Traces.of(model))
    for check in CHECKS:
        check(trial)


def true_card(trial: Trial) -> None:
    """The card says what the class is: documented, dated, with needs that include those of every model."""
    card = trial.card
    trial.demand(bool(card.cls.__doc__), "its class has no docstring")
    trial.demand(members(card.needs) >= members(Classifier), "model is not annotated with a protocol of models")
    trial.demand(bool(card.summary) and "\n" not in card.summary, "its summary must be one line")
    trial.demand(bool(card.question) and bool(card.paper), "it names no question or no paper")
    trial.demand(1900 < card.year < 2100, f"its year {card.year} is not the year of a paper")
    try:
        make(card.name, {"no_such_parameter": 1})
    except UsageError:
        return
    trial.demand(False, "it accepts a parameter that it does not have")


def rebuilt(trial: Trial) -> None:
    """A method is a value: equal parameters make equal methods, with equal hashes, and ``repr`` shows them all."""
    values = {field.name: getattr(trial.method, field.name) for field in dataclasses.fields(cast(Any, trial.method))}
    twin = trial.card.cls(**values)
    trial.demand(twin == trial.method, "the same parameters make another method")
    trial.demand(hash(twin) == hash(trial.method), "equal methods have different hashes")
    shown = repr(trial.method)
    trial.demand(all(f"{name}=" in shown for name in values), f"its repr hides a parameter: {shown}")
    trial.demand(trial.results[0].method == shown, "the result does not name the method with its parameters")


def one_score_per_word(trial: Trial) -> None:
    """Every word has a finite score, for every number that is explained."""
    for raw, result in zip(trial.texts, trial.results, strict=True):
        count = len(result.text.words)
        trial.demand(result.scores.shape[-1] == len(result.spans) == count, f"{raw!r}: not one score per word")
        trial.demand(bool(np.isfinite(result.scores).all()), f"{raw!r}: a score is not finite")


def account_adds_up(trial: Trial) -> None:
    """Scores, account and gap make the number; the gap is nothing if the method promises completeness."""
    for raw, result in zip(trial.texts, trial.results, strict=True):
        batch = trial.model.encode([result.text])
        link = trial.model.link
        probabilities = link.probabilities(trial.model.outputs(batch)).cpu().double().numpy()[0]
        shown = list(result.prediction.probabilities.values())
        close = len(shown) == 0 or np.allclose(shown, probabilities, rtol=0, atol=trial.tolerance, equal_nan=True)
        trial.demand(close, f"{raw!r}: the result shows probabilities that are not the model's")
        rest = np.asarray(result.explained) - result.scores.sum(-1) - np.asarray(result.residual)
        trial.demand(bool(np.abs(rest).max() <= 1e-12 * max(1.0, np.abs(result.scores).max())), f"{raw!r}: residual")
        trial.demand(result.complete == trial.card.complete, f"{raw!r}: the result promises what the card does not")
        largest = float(np.abs(result.gap).max())
        trial.demand(
            not result.complete or largest <= trial.gap,
            f"{raw!r}: it promises that scores and account make the number, but {largest:.3g} is left over",
        )


def neighbours_change_nothing(trial: Trial) -> None:
    """The first, the shortest and the longest text alone get the scores that they get in the batch."""
    lengths = [len(result.text) for result in trial.results]
    for row in sorted({0, lengths.index(min(lengths)), lengths.index(max(lengths))}):
        raw, together = trial.texts[row], trial.results[row]
        (alone,) = trial.explained([raw])
        trial.demand(alone.targets == together.targets, f"{raw!r}: other targets alone than in a batch")
        trial.demand(
            _close(alone.scores, together.scores, trial.tolerance),
            f"{raw!r}: scores depend on the other texts in the batch (they differ from the text alone by "
            f"{np.abs(alone.scores - together.scores).max():.3g})",
        )


def order_changes_nothing(trial: Trial) -> None:
    """Texts in reverse order get the same scores, each its own."""
    back = trial.explained(trial.texts[::-1])[::-1]
    for raw, result, turned in zip(trial.texts, trial.results, back, strict=True):
        trial.demand(_close(result.scores, turned.scores, trial.tolerance), f"{raw!r}: scores depend on the order")


def repetition_changes_nothing(trial: Trial) -> None:
    """A second call gives the same bits; a text that occurs twice in a batch gets equal scores."""
    again = trial.explained(trial.texts)
    for raw, result, second in zip(trial.texts, trial.results, again, strict=True):
        same = np.array_equal(result.scores, second.scores) and result.details == second.details
        trial.demand(same, f"{raw!r}: a second call gives other scores; draw from a seed and the text")
    first: dict[Raw, Attribution] = {}
    for raw, result in zip(trial.texts, trial.results, strict=True):
        twin = first.setdefault(raw, result)
        same = _close(result.scores, twin.scores, trial.tolerance)
        trial.demand(same, f"{raw!r}: the same text twice in a batch gets two answers; draw from a seed and the text")


def own_targets(trial: Trial) -> None:
    """In one batch, texts are asked for different labels; each gets what it gets if all are asked for its label."""
    model, count = trial.model, len(trial.model.labels)
    if trial.target != "all" or count < 2:
        return
    batch = model.encode([model.read(raw) for raw in trial.texts])
    kind = "probability" if model.link.hidden else "logit"

    def scores(labels: list[int]) -> torch.Tensor:
        index = torch.tensor(labels, device=batch.device)[:, None]
        return trial.method(model, batch, Target(kind, index, None, model.link)).values[:, 0]

    labels = [row % count for row in range(len(batch))]
    mixed = scores(labels)
    for label in set(labels):
        alike = scores([label] * len(batch))
        rows = [row for row, name in enumerate(labels) if name == label]
        trial.demand(
            bool(torch.allclose(mixed[rows], alike[rows], rtol=0, atol=10 * trial.tolerance)),
            "a text gets other scores if its neighbours are asked for another label",
        )


def model_left_alone(trial: Trial) -> None:
    """Weights, flags, gradients, hooks, attributes and random states are as before a call."""
    trial.explained(trial.texts[:2])
    changed = trial.before.differences(Traces.of(trial.model))
    trial.demand(not changed, f"it changes the model's {', '.join(changed)}")


def model_left_alone_by_errors(trial: Trial) -> None:
    """All of that is as before after a call that the module breaks off, and the error comes through."""
    module = getattr(trial.model, "module", None)
    if not isinstance(module, torch.nn.Module):
        return
    with failing(module) as calls:
        try:
            trial.explained(trial.texts)
        except (ModelError, Midway) as error:
            passed = "midway" in str(error)
        else:
            passed = len(calls) < 2
    trial.demand(passed, "an error of the model does not reach the caller")
    changed = trial.before.differences(Traces.of(trial.model))
    trial.demand(not changed, f"after an error of the model it leaves the model's {', '.join(changed)} changed")


def saved_and_read(trial: Trial) -> None:
    """Results are read back equal, to the last bit."""
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".json", ".jsonl"):
            try:
                back = cast(list[Attribution], read(save(trial.results, Path(folder) / f"results{ending}")))
            except ExegesisError as error:
                raise AssertionError(f"{trial.card.name}: a result cannot be saved and read: {error}") from error
            for raw, result, copy in zip(trial.texts, trial.results, back, strict=True):
                trial.demand(result == copy, f"{raw!r}: the result that was read is not the one that was saved")


def _close(first: np.ndarray, second: np.ndarray, tolerance: float) -> bool:
    return first.shape == second.shape and bool(np.allclose(first, second, rtol=0, atol=tolerance))


CHECKS: tuple[Callable[[Trial], None], ...] = (
    true_card,
    rebuilt,
    one_score_per_word,
    account_adds_up,
    neighbours_change_nothing,
    order_changes_nothing,
    repetition_changes_nothing,
    own_targets,
    model_left_alone,
    model_left_alone_by_errors,
    saved_and_read,
)
