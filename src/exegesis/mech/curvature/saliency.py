"""The saliency of words as a number that depends on the weights: its gradient to them, by differentiating twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.core.text import Span
from exegesis.mech.curvature.passes import Passes
from exegesis.protocols.batch import Batch

Kind = Literal["x-input", "l2", "integrated"]


def saliencies(
    passes: Passes,
    batch: Batch,
    number: Callable[[Float[Tensor, "b c"]], Float[Tensor, " b"]],
    spans: Sequence[Span],
    kind: Kind,
    steps: int,
) -> Float[Tensor, " w"]:
    """The saliency of each span of pieces of one text for a number of its outputs (see ``gradients``)."""
    return torch.stack([values.detach() for values, _ in _parts(passes, batch, number, spans, kind, steps)]).mean(0)


def gradients(
    passes: Passes,
    batch: Batch,
    number: Callable[[Float[Tensor, "b c"]], Float[Tensor, " b"]],
    spans: Sequence[Span],
    kind: Kind,
    steps: int,
) -> Float[Tensor, "w p"]:
    """The gradient to the weights of the saliency of each span of pieces of one text.

    ``x-input``: Σ x_t · ∂f/∂x_t over the span's pieces; ``l2``: Σ |∂f/∂x_t|; ``integrated``: Σ x_t · the mean of ∂f/∂x
    at ``steps`` midpoints of the way from vectors of zeros. Raises UnsupportedError for a model whose table of word
    vectors is out of sight.
    """
    total = None
    for values, live in _parts(passes, batch, number, spans, kind, steps):
        rows = [_flat(passes, value, live) for value in values]
        made = torch.stack(rows) / (steps if kind == "integrated" else 1)
        total = made if total is None else total + made
    assert total is not None
    return total


def _parts(
    passes: Passes,
    batch: Batch,
    number: Callable[[Float[Tensor, "b c"]], Float[Tensor, " b"]],
    spans: Sequence[Span],
    kind: Kind,
    steps: int,
) -> list[tuple[Float[Tensor, " w"], dict[str, Tensor]]]:
    """The saliencies, with a gradient to live weights, of one pass or of each point of a path."""
    points = [(n + 0.5) / steps for n in range(steps)] if kind == "integrated" else [1.0]
    found = []
    for point in points:
        outputs, watch = passes.run(batch, twice=True, words=batch.ids, shrink=point)
        if not watch.vectors:
            raise UnsupportedError(
                f"the word vectors of model {passes.model.name} are not rows of a table that its ids choose, so the "
                "saliency of a word has no gradient to its weights"
            )
        slopes = torch.autograd.grad(number(outputs)[0], watch.vectors, create_graph=True)
        pairs = [
            (vectors.reshape(-1, vectors.shape[-1]) / point, slope.reshape(-1, slope.shape[-1]))
            for vectors, slope in zip(watch.vectors, slopes, strict=True)
        ]
        if kind == "l2":
            pieces = sum(slope.square().sum(1) for _, slope in pairs)
            assert isinstance(pieces, Tensor)
            pieces = pieces.sqrt()
        else:
            products = [(vectors * slope).sum(1) for vectors, slope in pairs]
            pieces = torch.stack(products).sum(0)
        found.append((torch.stack([pieces[span.start : span.stop].sum() for span in spans]), dict(watch.live)))
    return found


def _flat(passes: Passes, value: Float[Tensor, ""], live: dict[str, Tensor]) -> Float[Tensor, " p"]:
    names = list(passes.layout.shapes)
    found = torch.autograd.grad(
        value, [live[name] for name in names], retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient.reshape(-1) for gradient in found])
