"""The relevance of components, layers and steps, by ``lrp``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.place import Place
from exegesis.core.text import Text
from exegesis.engine.answer import Task, answer, finite
from exegesis.engine.methods import require
from exegesis.mech.lrp.recurrent import Recorder, relevance, turned
from exegesis.mech.lrp.state import place_in_layer
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Differentiable
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Ask
from exegesis.questions.attributions.lrp import Lrp, reads_vectors
from exegesis.results.header import Account, Origin, Subject
from exegesis.results.internals.relevance import Relevance

Propagated = tuple[Float[Tensor, "b k t d"], Mapping[str, Float[Tensor, "b k"]], Mapping[Place, Tensor]]


class _Places(NamedTuple):
    """The relevance of one text: of the components of its vectors, of the states by place; the account has the rest."""

    dimensions: np.ndarray
    states: dict[Place | str, np.ndarray]
    account: dict[str, tuple[float, ...]]


def relevances(model: Classifier, texts: Sequence[Text], method: Lrp, choice: Ask) -> Iterator[tuple[int, Relevance]]:
    """The relevance of texts (see ``Relevance``) as it is ready, each with the number of its text.

    Raises UnsupportedError if the model cannot serve ``lrp``, UsageError for several numbers at once, ModelError if
    outputs or relevance are not finite, CapacityError if a single text needs too much memory.
    """
    require(model, method)
    if len(choice.labels) > 1 and choice.kind != "margin":
        raise UsageError("relevance explains one number: take one label as the target, not all")
    yield from answer(model, texts, Inside(method), choice)


@dataclass(frozen=True, eq=False)
class Inside:
    """The question of the relevance at every place of a network, answered by ``lrp``."""

    method: Lrp

    @property
    def name(self) -> str:
        """The name of the question."""
        return "relevance"

    @property
    def parameters(self) -> str:
        """The method with its parameters, as code."""
        return repr(self.method)

    def answer(self, task: Task) -> list[_Places]:
        """The relevance of each text, one text after the other, because a state has no axis of texts."""
        return [self._one(task.row(number)) for number in range(len(task.batch))]

    def _one(self, task: Task) -> _Places:
        model, (text,) = cast(Differentiable, task.model), task.texts
        matrix = task.target.linear(task.raw.shape[1]).to(task.raw)
        values, account, states = _propagate(model, task.batch, matrix, self.method)
        finite(values, model, "relevance")
        return _Places(
            _array(values[0, 0, : len(text)]),
            {place: _array(value) for place, value in states.items()},
            {name: (float(part[0, 0]),) for name, part in account.items() if name != "initial states" or part.any()},
        )

    def result(self, subject: Subject, origin: Origin, body: _Places) -> Relevance:
        """The relevance of one text."""
        return Relevance(subject, origin, body.dimensions, body.states, remainder=Account(body.account))


def _propagate(model: Differentiable, batch: Batch, matrix: Float[Tensor, "b k c"], method: Lrp) -> Propagated:
    """Values, account and states by the same path as ``lrp``."""
    unrolled = method.unrolled(model, batch)
    if unrolled is not None and reads_vectors(unrolled, model, batch):
        return _unrolled(unrolled, matrix, method)
    try:
        return _propagated(model, batch, matrix, method)
    except UnsupportedError:
        if unrolled is None:
            raise
        return _unrolled(unrolled, matrix, method)


def _unrolled(unrolled: Unrolled, matrix: Float[Tensor, "b k c"], method: Lrp) -> Propagated:
    states = {}
    recorder = Recorder(states={})
    with torch.no_grad():
        values, account = relevance(unrolled, matrix.to(unrolled.outputs), method.options, recorder)
    for number, layer in enumerate(unrolled.layers):
        for way, direction in enumerate(layer):
            for stream, value in (recorder.states or {})[number, way].items():
                states[place_in_layer((number, way), stream)] = turned(value, direction)[0, 0]
    return values, account, states


def _propagated(model: Differentiable, batch: Batch, matrix: Float[Tensor, "b k c"], method: Lrp) -> Propagated:
    values, account, nodes = method.propagated(model, batch, matrix, nodes=True)
    single = not any(place.part == "recurrent 2" for place in nodes)
    states = {}
    for place, value in reversed(nodes.items()):
        axis = next((axis for axis in (0, 1) if value.ndim > axis and value.shape[axis] == 1), None)
        named = replace(place, part="") if single and place.part == "recurrent 1" else place
        states[named] = value if axis is None else value.squeeze(axis)
    return values, account, states


def _array(value: Tensor) -> np.ndarray:
    values: np.ndarray = value.detach().to("cpu", torch.float64).numpy().copy()
    return values
