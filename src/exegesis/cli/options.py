"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

IN, OUT = "Texts", "Output"

Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT...", help="The texts; '-' or none: a text a line of standard input."),
]
File = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="Texts from .txt, .jsonl, .tsv or .csv.", rich_help_panel=IN),
]
Column = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column of the text: a name, or a number from 1.", rich_help_panel=IN),
]
Pair = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Second text, for a model of pairs.", rich_help_panel=IN)
]
PairColumn = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column of the second text.", rich_help_panel=IN)
]
SkipBlank = Annotated[
    bool, typer.Option("--skip-blank", metavar="", help="Leave blank texts out, and say which.", rich_help_panel=IN)
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first texts.", rich_help_panel=IN)]
Model = Annotated[
    str, typer.Option("--model", "-m", metavar="MODEL", help="'bundled', a folder, or a Hugging Face name or folder.")
]
Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="cpu, cuda, ...")]
Truncate = Annotated[
    bool, typer.Option("--truncate", metavar="", help="Cut texts that are too long for a Hugging Face model.")
]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", "-M", metavar="METHOD", help="See 'exegesis methods'; by default reat, if it can."),
]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Of a method, such as samples=500; repeatable."),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="TARGET",
        help="LABEL, all, probability:LABEL, margin:A,B. By default the predicted label.",
    ),
]
Level = Annotated[
    str, typer.Option("--level", "-l", metavar="LEVEL", help="word, phrase, clause, text, or all of them.")
]
Search = Annotated[
    str | None,
    typer.Option(
        "--hierarchy",
        metavar="SEARCH",
        help="A tree of phrases: acd, soc, scd, hedge, parse or owen. -M then names the method that scores them.",
    ),
]
Interactions = Annotated[
    str | None,
    typer.Option(
        "--interactions",
        metavar="KIND",
        help="What every two words do together: shapley, removal or alone, in place of scores.",
    ),
]
Relevance = Annotated[
    bool,
    typer.Option("--relevance", metavar="", help="What lrp hands to every layer of the network, in place of scores."),
]
Recommendation = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="For -M best: what 'exegesis recommend' wrote for this model."),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        metavar="",
        help="With a line each: what its top words do, beside random words; do other methods agree?",
    ),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Results as .json or .jsonl; - prints lines.", rich_help_panel=OUT),
]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="A self-contained page.", rich_help_panel=OUT)]
Figure = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A .svg, .png or .pdf figure, or .tex.", rich_help_panel=OUT)
]
Numbers = Annotated[
    bool, typer.Option("--numbers", "-n", metavar="", help="Every score as a number.", rich_help_panel=OUT)
]
Palette = Annotated[
    str | None, typer.Option(metavar="NAME", help="Colours: green-red or blue-orange.", rich_help_panel=OUT)
]
Color = Annotated[
    bool | None,
    typer.Option("--color/--no-color", metavar="", help="By default on a terminal.", rich_help_panel=OUT),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No view, no progress.", rich_help_panel=OUT)]
JsonLines = Annotated[bool, typer.Option("--json", metavar="", help="As JSON lines.", rich_help_panel=OUT)]
