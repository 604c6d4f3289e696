"""einsum of one or two operands under relevance propagation: a pooling, a linear map, or a product of live tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from exegesis.core.errors import UnsupportedError
from exegesis.mech.backward.mode import Call, Shadow
from exegesis.mech.backward.structural import merged, reduced

if TYPE_CHECKING:
    from exegesis.mech.lrp.propagate import Propagation


def einsum(used: Propagation, call: Call) -> Tensor:
    """A constant operand that shares a kept label with the live one weighs its elements; one that shares only summed
    labels is a matrix of the module, which follows the epsilon rule.
    """
    equation, *operands = call.args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    left, arrow, kept = equation.replace(" ", "").partition("->")
    labels = left.split(",")
    if not arrow or "." in equation or len(operands) > 2 or any(len(set(one)) < len(one) for one in labels):
        raise UnsupportedError(
            f"the module computes torch.einsum({equation!r}), which has no rule: write one or two operands, each label "
            "once in each, and what is kept behind an arrow"
        )
    found = torch.einsum(equation, *operands)
    live = [number for number, one in enumerate(operands) if call.live(one)]
    with torch.no_grad():
        rows = merged(
            found.shape, [_aligned(call.shadow(operands[number]).rows, labels[number], kept) for number in live]
        )
    if len(live) == 2:
        one, two = operands
        return call.mode.note(
            used.by_gate(
                one,
                two,
                call.shadow(one),
                call.shadow(two),
                lambda first, second: torch.einsum(equation, first, second),
            ),
            Shadow(rows),
        )
    if len(operands) == 2 and not set(labels[0]) & set(labels[1]) & set(kept):
        found = used.stabilized(found, None, rows, used.name("linear"))
    return call.mode.note(found, Shadow(rows))


def _aligned(rows: Int[Tensor, "*shape"], labels: str, kept: str) -> Int[Tensor, "*out"]:
    """Rows of an operand in the order of the result's labels, one wide where it lacks a label."""
    gone = [place for place, label in enumerate(labels) if label not in kept]
    rows = reduced(rows, gone, keep=False)
    left = [label for label in labels if label in kept]
    rows = rows.permute([left.index(label) for label in kept if label in left])
    for place, label in enumerate(kept):
        if label not in left:
            rows = rows.unsqueeze(place)
    return rows
