"""Attention followed through layers: rollout and flow (Abnar and Zuidema 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

UNIT = 1 << 26  # capacities as whole numbers: one is so many
Square = Float[np.ndarray, "t t"]


def mixed(weights: Float[np.ndarray, "h t t"], residual: bool) -> Square:
    """The mean over heads, half of it replaced by the residual connection: (A + I) / 2."""
    mean: Square = weights.mean(0)
    return (mean + np.eye(len(mean))) / 2 if residual else mean


def rollout(layers: Sequence[Square]) -> list[Square]:
    """The products of the layers' matrices from the first layer up to each: the upper one from the left."""
    found: list[Square] = []
    for layer in layers:
        found.append(layer @ found[-1] if found else layer)
    return found


def flow(layers: Sequence[Square], rows: Sequence[int]) -> Float[np.ndarray, "r t"]:
    """The maximal flow from each of some top positions to every input position.

    An edge from position i of layer l + 1 to position j of layer l has the capacity ``layers[l][i, j]``. Capacities are
    rounded to 1 / 2^26, so a flow is exact to the number of layers times that. A flow of the size of its upper bound,
    what leaves the source or reaches the sink, is found without a solver where the paths of a rollout fill it.
    """
    size = len(layers[0])
    whole = [np.rint(layer * UNIT).astype(np.int64) for layer in layers]
    found = np.zeros((len(rows), size))
    for at, row in enumerate(rows):
        for column in range(size):
            found[at, column] = _flow(whole, row, column) / UNIT
    return found


def _flow(layers: Sequence[Int[np.ndarray, "t t"]], source: int, sink: int) -> int:
    """The maximal flow of one pair, in units. Only the edges that a path from the source to the sink may take count."""
    if len(layers) == 1:
        return int(layers[0][source, sink])
    size, top = len(layers[0]), len(layers)
    # nodes: the source, positions of the layers between, the sink
    starts: list[np.ndarray] = []
    stops: list[np.ndarray] = []
    sizes: list[np.ndarray] = []
    last = 1 + size * (top - 1)
    places = np.arange(size)
    for layer in range(top - 1, -1, -1):
        matrix = layers[layer]
        below = 1 + size * (top - 1 - layer)  # the first node of the level beneath this layer
        if layer == top - 1:
            starts.append(np.zeros(size, dtype=np.int32))
            stops.append(below + places)
            sizes.append(matrix[source])
        elif layer == 0:
            starts.append(below - size + places)
            stops.append(np.full(size, last))
            sizes.append(matrix[:, sink])
        else:
            starts.append(np.repeat(below - size + places, size))
            stops.append(np.tile(below + places, size))
            sizes.append(matrix.ravel())
    from scipy.sparse import csr_array  # take long to load
    from scipy.sparse.csgraph import maximum_flow

    graph = csr_array(
        (np.concatenate(sizes).astype(np.int32), (np.concatenate(starts), np.concatenate(stops))),
        shape=(last + 1, last + 1),
    )
    graph.eliminate_zeros()
    return int(maximum_flow(graph, 0, last, method="dinic").flow_value)


def plain_share(found: Float[np.ndarray, "r t"], first: Square) -> float:
    """The share of flows that are min(1, column sum of the first layer), so that they say nothing of the layers
    above."""
    bound = np.minimum(1.0, first.sum(0))
    return float((np.abs(found - bound) < 1e-6).mean())
