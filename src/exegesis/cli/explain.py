"""``exegesis explain``: texts in, views and files out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exegesis.core.errors import FileError, UsageError

if TYPE_CHECKING:
    from exegesis.core.explanation import Attribution

_IN, _OUT = "Texts", "Output"


def explain(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="The texts; '-' or none: a text a line of standard input."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Texts from a .txt, .jsonl, .tsv or .csv file.", rich_help_panel=_IN),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the text in the file.", rich_help_panel=_IN)] = None,
    pair: Annotated[str | None, typer.Option(help="Second text, for a model of pairs.", rich_help_panel=_IN)] = None,
    pair_column: Annotated[str | None, typer.Option(help="Column of the second text.", rich_help_panel=_IN)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first texts.", rich_help_panel=_IN)] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="'bundled', a folder, or a Hugging Face name or folder.")
    ] = "bundled",
    method: Annotated[
        list[str] | None, typer.Option("--method", "-M", help="Repeatable; see 'exegesis methods'.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE of a method, such as samples=500; repeatable.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", "-t", help="LABEL, all, probability:LABEL, margin:A,B. By default the predicted label."
        ),
    ] = None,
    level: Annotated[str, typer.Option("--level", "-l", help="word, phrase, clause, text, or all of them.")] = "word",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...")] = None,
    truncate: Annotated[bool, typer.Option(help="Cut texts that are too long for a Hugging Face model.")] = False,
    to_json: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE|-", help="Results as JSON; - prints them.", rich_help_panel=_OUT),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="A self-contained page.", rich_help_panel=_OUT)] = None,
    figure: Annotated[
        Path | None, typer.Option(help="A .svg, .png or .pdf figure, or .tex.", rich_help_panel=_OUT)
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", "-n", help="Scores as numbers and bars.", rich_help_panel=_OUT)
    ] = False,
    palette: Annotated[str | None, typer.Option(help="Colours of the view.", rich_help_panel=_OUT)] = None,
    color: Annotated[bool | None, typer.Option("--color/--no-color", rich_help_panel=_OUT)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No view, no progress.", rich_help_panel=_OUT)] = False,
) -> None:
    """Which words and phrases made the model say what it said.

    \b
    exegesis explain "The fight scenes are fun but it grows tedious"
    exegesis explain "A fine film." --level all --method reat --method leave-one-out --figure why.svg
    exegesis explain --file reviews.tsv --model my-model --json results.jsonl
    exegesis explain "Two dogs run." --pair "Animals move." --model path/to/nli-model --target entailment
    """
    given = _texts(texts, file, column, pair, pair_column)[:limit]
    outputs = _outputs(to_json, html, figure)

    import exegesis
    from exegesis.api import each_method, explain_each, load, preferred

    known = load(model, device=device, truncate=truncate)
    names = each_method(method or []) or [preferred(known)]
    parameters = _parameters(param or [], names)
    busy = not quiet and sys.stderr.isatty() and len(given) > 1
    runs = [explain_each(known, given, name, target, level, None, None, busy, parameters[name]) for name in names]
    by_text = [list(results) for results in zip(*runs, strict=True)]
    flat = [result for results in by_text for result in results]
    for path in outputs:
        exegesis.save(flat, path)
    if to_json == "-":
        for result in flat:
            print(json.dumps(result.to_dict(), allow_nan=False))
    elif not quiet:
        _show(by_text, color, palette, numbers)
    for path in outputs if not quiet else []:
        print(f"wrote {path}", file=sys.stderr)


def _texts(
    texts: list[str] | None, file: Path | None, column: str | None, pair: str | None, pair_column: str | None
) -> list[Any]:
    """The texts of the arguments, of the file, or of standard input."""
    if file is not None and texts:
        raise UsageError("give texts as arguments or --file, not both")
    if file is None and (column or pair_column):
        raise UsageError("--column and --pair-column belong to --file")
    if file is not None:
        from exegesis.core.data import read_examples

        if pair is not None:
            raise UsageError("--pair belongs to a text argument; for a file name the --pair-column")
        if file.suffix.lower() == ".txt":
            return (
                _lines(file.read_text(encoding="utf-8-sig", errors="surrogateescape"), str(file))
                if _there(file)
                else []
            )
        return [example.text for example in read_examples(file, text=column, pair=pair_column)]
    if not texts or texts == ["-"]:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError('no text given: exegesis explain "A fine film.", or --file, or pipe lines into it')
        texts = _lines(sys.stdin.buffer.read().decode("utf-8", "surrogateescape"), "standard input")
    if pair is None:
        return list(texts)
    if len(texts) != 1:
        raise UsageError("--pair goes with one text")
    return [(texts[0], pair)]


def _lines(content: str, where: str) -> list[str]:
    found = [line.rstrip("\r") for line in content.split("\n")]
    found = [line for line in found if line.strip()]
    if not found:
        raise UsageError(f"{where} holds no text")
    return found


def _there(file: Path) -> bool:
    if not file.is_file():
        raise FileError(f"{file}: no such file")
    return True


def _outputs(to_json: str | None, html: Path | None, figure: Path | None) -> list[Path]:
    """The files to write, looked at before any work is done."""
    paths = [Path(path) for path in (None if to_json == "-" else to_json, html, figure) if path is not None]
    kinds = [(html, (".html", ".htm"), "--html"), (figure, (".svg", ".png", ".pdf", ".tex"), "--figure")]
    for path, endings, option in kinds:
        if path is not None and path.suffix.lower() not in endings:
            raise UsageError(f"{option} {path}: the name must end in {' or '.join(endings)}")
    if to_json not in (None, "-") and Path(str(to_json)).suffix.lower() not in (".json", ".jsonl"):
        raise UsageError(f"--json {to_json}: the name must end in .json or .jsonl, or be - for standard output")
    for path in paths:
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise FileError(f"cannot write {path}: " + ("it is a folder" if path.is_dir() else "no such folder"))
    return paths


def _parameters(given: list[str], names: list[str]) -> dict[str, dict[str, Any]]:
    """``NAME=VALUE`` for the methods that have a parameter of that name."""
    import dataclasses

    from exegesis.core.errors import unknown
    from exegesis.core.method import cards

    fields = {card.name: [f.name for f in dataclasses.fields(card.cls)] for card in cards()}
    for name in names:
        if name not in fields:
            raise unknown("method", name, fields)
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for one in given:
        key, sign, value = one.partition("=")
        owners = [name for name in names if key in fields[name]]
        if not sign or not owners:
            raise unknown("parameter", one if not sign else key, sorted({f for n in names for f in fields[n]}))
        for name in owners:
            found[name][key] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"none": None, "None": None}.get(text, text)


def _show(by_text: list[list[Attribution]], color: bool | None, palette: str | None, numbers: bool) -> None:
    from exegesis.show.terminal import render

    options: dict[str, Any] = {"color": color, "numbers": numbers}
    if palette is not None:
        options["palette"] = palette
    for number, results in enumerate(by_text):
        view = render(results, **options)
        separator = "\n" if number else ""
        sys.stdout.write(separator + view.rstrip("\n") + "\n")
