"""``exegesis methods`` and ``exegesis predict``."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exegesis.cli import options as given
from exegesis.cli.inputs import texts_given

if TYPE_CHECKING:
    from rich.console import Console

    from exegesis.engine.methods import Card

WIDE = 110  # columns from which the methods fit a table


def methods(
    model: Annotated[str | None, typer.Option("--for", metavar="MODEL", help="Only what this model can serve.")] = None,
    as_json: given.JsonLines = False,
) -> None:
    """The methods: the question each answers, what it needs of a model, its paper.

    \b
    exegesis methods
    exegesis methods --for my-model --json
    """
    from exegesis.api import load, methods

    found = methods(load(model) if model is not None else None)
    if as_json:
        for card in found:
            print(json.dumps(_row(card)))
        return
    from rich.console import Console

    _show(found, Console())


def _show(found: Sequence[Card], console: Console) -> None:
    """A table, or on a narrow terminal two lines a method."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if console.width < WIDE:
        for card in found:
            head = Text.assemble((card.name, "bold"), f"  {card.question}  ({card.wanted}, {card.year})")
            console.print(head, Padding(Text(card.summary), (0, 0, 0, 4)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    for name in ("question", "needs", "year", "what a score is"):
        table.add_column(name, overflow="fold")
    for card in found:
        table.add_row(card.name, card.question, card.wanted, str(card.year), card.summary)
    console.print(table)


def _row(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "question": card.question,
        "summary": card.summary,
        "paper": card.paper,
        "year": card.year,
        "needs": " and ".join(card.abilities),
        "parameters": {field.name: field.default for field in dataclasses.fields(card.cls)},
    }


def predict(
    texts: given.Texts = None,
    file: given.File = None,
    column: given.Column = None,
    pair: given.Pair = None,
    pair_column: given.PairColumn = None,
    limit: given.Limit = None,
    skip_blank: given.SkipBlank = False,
    model: given.Model = "bundled",
    device: given.Device = None,
    truncate: given.Truncate = False,
    as_json: given.JsonLines = False,
) -> None:
    """Each label's probability, the predicted one first.

    \b
    exegesis predict "A fine film."
    exegesis predict --file reviews.tsv --model my-model --json
    """
    raws = texts_given(texts, file, column, pair, pair_column, skip_blank)[:limit]

    from exegesis.api import load, predict

    for text, each in zip(raws, predict(load(model, device=device, truncate=truncate), raws), strict=True):
        ranked = sorted(each.items(), key=lambda item: -item[1])
        if as_json:
            known = {label: value if math.isfinite(value) else None for label, value in each.items()}
            label = ranked[0][0]
            row = {"text": text, "label": label, "probability": known[label], "probabilities": known}
            print(json.dumps(row, allow_nan=False))
            continue
        shown = " ".join((text if isinstance(text, str) else " | ".join(text)).split())
        visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown[:100])
        line = "  ".join(f"{label} {value:.1%}" if math.isfinite(value) else label for label, value in ranked)
        sys.stdout.write(f"{line}  {visible}\n")
