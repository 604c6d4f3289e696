"""``exegesis methods`` and ``exegesis predict``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from exegesis.cli.inputs import load, read_texts
from exegesis.cli.options import LINES, Command, Model, Texts, option
from exegesis.core.escapes import escaped

if TYPE_CHECKING:
    from exegesis.engine.methods import Card

WIDE = 110  # columns from which the methods fit a table


class Methods(Command):
    """List the methods: the question that each answers, what it needs of a model, its paper.

    \b
    exegesis methods
    exegesis methods --for my-model --json
    """

    model: str | None = option("Only what this model can serve.", "--for", metavar="MODEL")
    lines: bool = LINES()

    def run(self) -> None:
        from exegesis import api

        cards = api.methods(api.load(self.model) if self.model is not None else None)
        if not self.lines:
            _show(cards)
            return
        for card in cards:
            values = {name: getattr(card, name) for name in ("name", "question", "summary", "paper", "year")}
            parameters = {field.name: field.default for field in dataclasses.fields(card.cls)}
            print(json.dumps({**values, "needs": " and ".join(card.abilities), "parameters": parameters}))


class Predict(Command, Model, Texts):
    """Show the probability of each label, the predicted label first; of a regression its numbers.

    \b
    exegesis predict "A fine film."
    exegesis predict --file reviews.tsv --model my-model --json
    """

    lines: bool = LINES()

    def run(self) -> None:
        raws = read_texts(self)

        from exegesis import api
        from exegesis.protocols.target import Link

        model = load(self)
        regression = model.link is Link.IDENTITY
        for text, numbers in zip(raws, api.predict(model, raws), strict=True):
            ranked = list(numbers.items()) if regression else sorted(numbers.items(), key=lambda item: -item[1])
            if self.lines:
                label, value = ranked[0]
                row: dict[str, Any] = {"text": text, "label": label, "probability": value, "probabilities": numbers}
                if regression:
                    row |= {"label": label if len(ranked) == 1 else None, "probability": None, "probabilities": None}
                    row["numbers"] = numbers
                print(json.dumps(row, allow_nan=False))
                continue
            words = " ".join((text if isinstance(text, str) else " | ".join(text)).split())
            visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words[:100])
            line = "  ".join(f"{escaped(label)} {value:{'.4g' if regression else '.1%'}}" for label, value in ranked)
            print(f"{line}  {visible}")


def _show(cards: Sequence[Card]) -> None:
    """Print a table, or on a narrow terminal two lines per method."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    for name in ("question", "needs", "year", "what a score is"):
        table.add_column(name, overflow="fold")
    for card in cards:
        table.add_row(card.name, card.question, card.wanted, str(card.year), card.summary)
        if console.width < WIDE:
            head = Text.assemble((card.name, "bold"), f"  {card.question}  ({card.wanted}, {card.year})")
            console.print(head, Padding(Text(card.summary), (0, 0, 0, 4)))
    if console.width >= WIDE:
        console.print(table)
