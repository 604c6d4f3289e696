"""Relevance of single components, layers and steps: ``lrp`` where the sum over a word is not enough."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.text import Text
from exegesis.engine.methods import require
from exegesis.engine.run import array, finite, prediction_of
from exegesis.mech.lrp.recurrent import Recorder, relevance, turned
from exegesis.mech.lrp.state import place_name
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Classifier, Differentiable
from exegesis.protocols.recurrent import Unrolled
from exegesis.protocols.target import Ask
from exegesis.questions.words.lrp import Lrp, stands_on_vectors
from exegesis.results.relevance import Relevance


def relevance_at(model: Classifier, text: Text, method: Lrp, asked: Ask) -> Relevance:
    """See ``core.relevance.Relevance``. Raises UsageError where more than one number is asked for."""
    require(model, method)
    start = time.perf_counter()
    seen = cast(Differentiable, model)
    batch = seen.encode([text])
    raw = finite(seen.outputs(batch), seen, "outputs")
    target = asked.of(raw, seen.link)
    if target.count != 1:
        raise UsageError("relevance is of one number: take one label as the target, not all")
    matrix = target.linear(raw.shape[1]).to(raw)
    values, account, states = _found(seen, batch, matrix, method)
    finite(values, seen, "relevance")
    probabilities, decided = array(seen.link.probabilities(raw))[0], int(seen.link.decide(raw)[0])
    return Relevance(
        text=text,
        dimensions=_array(values[0, 0, : len(text)]),
        states={name: _array(value) for name, value in states.items()},
        target=target.names(0, seen.labels)[0],
        method=repr(method),
        explained=float(target.of(raw)[0, 0]),
        account={name: float(part[0, 0]) for name, part in account.items() if name != "initial states" or part.any()},
        prediction=prediction_of(seen, probabilities, decided),
        seconds=time.perf_counter() - start,
        model=seen.name,
    )


Found = tuple[Float[Tensor, "b k t d"], Mapping[str, Float[Tensor, "b k"]], Mapping[str, Tensor]]


def _found(model: Differentiable, batch: Batch, matrix: Float[Tensor, "b k c"], method: Lrp) -> Found:
    """By the path that ``lrp`` takes."""
    seen = method.laid_open(model, batch)
    if seen is not None and stands_on_vectors(seen, model, batch):
        return _unrolled(seen, matrix, method)
    try:
        return _propagated(model, batch, matrix, method)
    except UnsupportedError:
        if seen is None:
            raise
        return _unrolled(seen, matrix, method)


def _unrolled(seen: Unrolled, matrix: Float[Tensor, "b k c"], method: Lrp) -> Found:
    states = {}
    recorder = Recorder(states={})
    with torch.no_grad():
        values, account = relevance(seen, matrix.to(seen.outputs), method.options, recorder)
    for number, layer in enumerate(seen.layers):
        for way, direction in enumerate(layer):
            for stream, value in (recorder.states or {})[number, way].items():
                states[place_name(way=(number, way), stream=stream)] = turned(value, direction)[0, 0]
    return values, account, states


def _propagated(model: Differentiable, batch: Batch, matrix: Float[Tensor, "b k c"], method: Lrp) -> Found:
    values, account, nodes = method.propagated(model, batch, matrix, nodes=True)
    single = "recurrent 2 layer 1 forward" not in nodes
    states = {}
    for name, value in reversed(nodes.items()):
        axis = next((axis for axis in (0, 1) if value.ndim > axis and value.shape[axis] == 1), None)
        states[name.removeprefix("recurrent 1 ") if single else name] = value if axis is None else value.squeeze(axis)
    return values, account, states


def _array(value: Tensor) -> np.ndarray:
    found: np.ndarray = value.detach().to("cpu", torch.float64).numpy().copy()
    return found
