"""What stands around the words of a panel: its header, its scale, and what its numbers are. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from exegesis.show.documents.attribution import Block, Panel
from exegesis.show.documents.evaluation import trust_line
from exegesis.show.wording import account_line, account_short, common, facts, number, signed, visible


class Scales(NamedTuple):
    """The ends of the colour scale in words, ``-1.62`` and ``+1.62``; which kinds of score a panel holds.

    Where rows differ in their maximum, ``low`` and ``high`` say so in place of numbers.
    """

    low: str
    high: str
    zero: str
    signs: bool
    sizes: bool
    note: str


def header(panel: Panel, minus: str = "-") -> dict[str, str]:
    """What all blocks share: prediction, target and number explained, method, model, time, by these names."""
    every = [facts(block.result, minus) for block in panel.blocks]
    shared = {name: common([known.get(name, "") for known in every]) for name in every[0]}
    return {name: value for name, value in shared.items() if value}


def scales(panel: Panel, minus: str = "-") -> Scales | None:
    """The scale of a panel; None where every score is zero."""
    blocks = [block for block in panel.blocks if block.limit]
    if not blocks:
        return None
    signs, sizes = any(block.signed for block in blocks), any(not block.signed for block in blocks)
    limits = {block.limit for block in blocks}
    if len(limits) > 1:
        return Scales(f"{minus}max", "+max" if signs else "max", "0", signs, sizes, "each row to its own maximum")
    limit = limits.pop()
    low, high = signed(-limit, limit, minus=minus), signed(limit, limit, minus=minus, sign=signs)
    return Scales(low, high, "0", signs, sizes, "one scale for all rows" if len(panel.blocks) > 1 else "")


def notes(panel: Panel, minus: str = "-") -> list[tuple[str, str]]:
    """Lines under a panel as (whose, what): a whole sentence for one block, an equation each for several."""
    if len(panel.blocks) == 1:
        block = panel.blocks[0]
        return [
            ("", line)
            for line in (
                account_line(block.result, minus),
                *_remarks(block),
                *_asides(panel, block, minus),
                *_unknown(block),
            )
        ]
    every = []
    for block in panel.blocks:
        scale = "" if panel.shared or not block.limit else f"; max {number(block.limit)}"
        every.append((block.label, account_short(block.result, minus) + scale))
        every += [(block.label, line) for line in _asides(panel, block, minus)]
    every += [("", line) for block in panel.blocks for line in _remarks(block)]
    unknown = [_unknown(block) for block in panel.blocks]
    if all(one == unknown[0] for one in unknown):
        return every + [("", line) for line in unknown[0]]
    return every + [(block.label, line) for block, one in zip(panel.blocks, unknown, strict=True) for line in one]


def _asides(panel: Panel, block: Block, minus: str) -> list[str]:
    """How far a block can be trusted, where that was asked, and what it could not draw in its rows."""
    trust = trust_line(block.result, minus)
    lines = [trust] if trust else []
    error = block.result.details.get("standard_error")
    if error is not None and np.size(error):
        lines.append(f"Estimated from drawn orders: standard errors up to {number(float(np.max(error)), minus)}.")
    for row in block.rows:
        if row.hidden:
            lines.append(f"{row.hidden} weaker overlapping spans ({row.level}) are not drawn; a .csv file has them.")
        if row.outside:
            parts = ", ".join(f"{name} {signed(score, block.limit, minus=minus)}" for name, score in row.outside)
            lines.append(f"Outside the text: {parts}.")
    return lines


def _remarks(block: Block) -> Sequence[str]:
    """What a view says of all blocks of its own accord; a result that was read from a file holds lists, no tuples."""
    found = block.result.details.get("remarks")
    return found if isinstance(found, tuple) else ()


def _unknown(block: Block) -> list[str]:
    """The words that the model does not know, each once."""
    words = block.result.words
    named = list(dict.fromkeys(words[word] for word in block.result.details.get("unknown", ()) if word < len(words)))
    more = f" and {len(named) - 6} more" if len(named) > 6 else ""
    quoted = ", ".join(f"“{visible(word)[:40]}”" for word in named[:6])
    return [f"Unknown to the model: {quoted}{more}."] if named else []


def spoken(panel: Panel, block: Block, level: str) -> str:
    """A row's name: the block where there are several, the level where it has several, the part of a pair."""
    parts = [block.label] if len(panel.blocks) > 1 else []
    return " · ".join([*parts, level] if len(block.rows) > 1 or not parts else parts)
