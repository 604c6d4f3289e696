"""The logits in whatever a user's module returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from exegesis.core.errors import ModelError

Part = int | str | None  # the key of a part of an answer: None for all of it
UNORDERED = "call=lambda module, batch: module(batch.ids)[...]"


def logits(answer: Any, rows: int, part: Part = None) -> Float[Tensor, "b c"]:
    """The raw outputs for ``rows`` texts in the part of an answer that ``choose`` found.

    It may be a tensor [b, c], [b], or have one more dimension of size one. Raises ModelError, with its shape or type,
    for anything else.
    """
    return _shaped(_parts(answer).get(part), rows)


def choose(answers: Sequence[Any], widths: Collection[int]) -> Part:
    """Choose the part of a module's answers that holds its logits, from answers to single texts of several lengths.

    All of a tensor, ``.logits`` or a mapping's ``logits``; of a tuple the first part, of a mapping its only one, that
    has as many outputs for texts of any length, and one of the ``widths`` that the user's labels allow (any without
    labels). Raises ModelError if there is no such part, or several that nothing tells apart.
    """
    divided = [_parts(answer) for answer in answers]
    keys = [key for key in divided[0] if all(key in parts for parts in divided)]
    if keys == [None]:
        return None
    fitting = [key for key in keys if _fits([parts[key] for parts in divided], widths)]
    if fitting and (len(fitting) == 1 or (fitting[0] == 0 and isinstance(fitting[0], int))):
        return fitting[0]
    if not fitting and keys and keys[0] == 0:  # the reader of the first part raises the error
        return keys[0]
    expected = " or ".join(str(width) for width in sorted(widths)) or "some number of"
    raise ModelError(
        f"the module returns parts {', '.join(repr(key) for key in keys)[:80]}, of which {len(fitting) or 'none'} may "
        f"be logits of {expected} classes: name the one with {UNORDERED}"
    )


def readable(answer: Any) -> bool:
    """True if some part of the answer to one text may be logits."""
    return any(_width(part) for part in _parts(answer).values())


def _parts(answer: Any) -> Mapping[Part, Any]:
    if hasattr(answer, "logits"):
        return {None: answer.logits}
    if isinstance(answer, Mapping):
        return {None: answer["logits"]} if "logits" in answer else {str(key): answer[key] for key in answer}
    return dict(enumerate(answer)) if isinstance(answer, tuple | list) and answer else {None: answer}


def _fits(parts: Sequence[Any], widths: Collection[int]) -> bool:
    """True if parts of answers to single texts may be logits. A single number is, if one output is expected."""
    sizes = {_width(part) for part in parts}
    single = any(isinstance(part, Tensor) and part.ndim == 0 for part in parts)
    return len(sizes) == 1 and 0 not in sizes and (not single or 1 in widths) and (not widths or sizes <= set(widths))


def _width(part: Any) -> int:
    """The number of outputs for one text; 0 if the part cannot be logits."""
    try:
        return _shaped(part, 1).shape[1]
    except ModelError:
        return 0


def _shaped(part: Any, rows: int) -> Float[Tensor, "b c"]:
    if not isinstance(part, Tensor) or not part.is_floating_point():
        kind = f"a tensor of {part.dtype}" if isinstance(part, Tensor) else type(part).__name__
        raise ModelError(f"the module returns {kind}; it must return logits of shape [batch, classes]")
    raw: Tensor = part
    shape = list(raw.shape)
    if raw.ndim == 3 and 1 in shape[:2] and rows in shape[:2]:
        raw = raw.squeeze(1 - shape[:2].index(rows))
    if raw.ndim == 1 and len(raw) == rows:
        return raw[:, None]
    if rows == 1 and raw.ndim < 2:
        return raw.reshape(1, -1)
    if raw.ndim != 2 or len(raw) != rows:
        raise ModelError(f"the module returns shape {shape} for {rows} texts; it must return logits [batch, classes]")
    return raw
