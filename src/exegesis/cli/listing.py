"""``exegesis methods`` and ``exegesis predict``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from exegesis.cli.explain import _texts


def methods(
    model: Annotated[str | None, typer.Option("--for", help="Only what this model can serve.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """The methods: the question each answers, what it needs of a model, its paper."""
    import dataclasses

    from exegesis.api import load, methods

    found = methods(load(model) if model else None)
    if as_json:
        for card in found:
            parameters = {f.name: f.default for f in dataclasses.fields(card.cls)}
            row = {"name": card.name, "question": card.question, "summary": card.summary, "paper": card.paper}
            print(json.dumps({**row, "year": card.year, "needs": card.needs.__name__, "parameters": parameters}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("method", "question", "needs", "year", "what a score is"):
        table.add_column(name, overflow="fold")
    for card in found:
        table.add_row(card.name, card.question, card.needs.__name__.lower(), str(card.year), card.summary)
    Console().print(table)


def predict(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT...", help="The texts; none: standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Texts from a file.")] = None,
    column: Annotated[str | None, typer.Option(help="Column of the text in the file.")] = None,
    pair: Annotated[str | None, typer.Option(help="Second text, for a model of pairs.")] = None,
    pair_column: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="'bundled', a folder, or a Hugging Face name.")
    ] = "bundled",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """Each label's probability, the predicted one first."""
    given = _texts(texts, file, column, pair, pair_column)

    from exegesis.api import load, predict

    for text, each in zip(given, predict(load(model), given), strict=True):
        ranked = sorted(each.items(), key=lambda item: -item[1])
        if as_json:
            row = {"text": text, "label": ranked[0][0], "probability": ranked[0][1], "probabilities": each}
            print(json.dumps(row))
            continue
        shown = " ".join((text if isinstance(text, str) else " | ".join(text)).split())
        visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown[:100])
        line = "  ".join(f"{label} {value:.1%}" for label, value in ranked)
        sys.stdout.write(f"{line}  {visible}\n")
