"""What a user gives on the command line: texts, and parameters of methods."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.core.errors import UsageError

if TYPE_CHECKING:
    from exegesis.protocols.model import Classifier

Raw = str | tuple[str, str]
BEST = "best"


def texts_given(
    texts: list[str] | None, file: Path | None, column: str | None, pair: str | None, pair_column: str | None,
    skip_blank: bool = False,
) -> list[Raw]:  # fmt: skip
    """The texts of the arguments, of the file, or of standard input (a text a line)."""
    if file is not None and str(file) == "-":
        if texts or column is not None or pair_column is not None:
            raise UsageError("--file - is standard input, a text a line: leave other texts and columns out")
        file, texts = None, ["-"]
    if file is not None:
        if texts:
            raise UsageError("give texts as arguments or --file, not both")
        if pair is not None:
            raise UsageError("--pair belongs to a text argument; for a file name the --pair-column")
        return _in_file(file, column, pair_column, skip_blank)
    if column is not None or pair_column is not None:
        raise UsageError("--column and --pair-column belong to --file")
    if not texts or texts == ["-"]:
        texts = _lines()
    elif "-" in texts:
        raise UsageError("'-' is standard input and goes alone, not with other texts")
    if skip_blank:
        from exegesis.data.examples import is_blank, say_skipped

        say_skipped([number for number, one in enumerate(texts, 1) if is_blank(one)], len(texts), "number")
        texts = [one for one in texts if not is_blank(one)]
    if pair is None:
        return list(texts)
    if len(texts) != 1:
        raise UsageError(f"--pair goes with one text, not {len(texts)}; for more give a --file with a --pair-column")
    return [(texts[0], pair)]


def _in_file(file: Path, column: str | None, pair_column: str | None, skip_blank: bool) -> list[Raw]:
    from exegesis.data.examples import read_examples

    if file.is_dir():
        raise UsageError(f"{file} is a folder; give a .txt, .tsv, .csv or .jsonl file")
    return [example.text for example in read_examples(file, text=column, pair=pair_column, skip_blank=skip_blank)]


def _lines() -> list[str]:
    """The lines of standard input that are not blank, read as those of a file are."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError('no text given: exegesis explain "A fine film.", or --file, or pipe lines into it')
    from exegesis.data.tables import decoded, filled

    name = "standard input"
    found = [line for _, line in filled(decoded(sys.stdin.buffer.read(), name), name)]
    if not found:
        raise UsageError("standard input holds no text; give a text a line, or texts as arguments")
    return found


def parameters_given(given: list[str], names: list[str]) -> dict[str, dict[str, Any]]:
    """``NAME=VALUE`` for those of the methods that have a parameter of that name."""
    from exegesis.core.parameters import hints
    from exegesis.engine.methods import METHODS

    classes = {name: METHODS[name].cls for name in names}
    return assigned(given, {name: dict.fromkeys(hints(cls), cls) for name, cls in classes.items()})


def methods_given(
    model: Classifier, names: list[str], param: list[str], recommendation: Path | None = None, folder: str | None = None
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Names of methods, the recommended one in place of ``best``, and the parameters of each: the saved ones of that
    method, and those of ``--param``."""
    from exegesis.api import each_chosen

    if recommendation is not None and BEST not in names:
        raise UsageError("--recommendation belongs to explanations by the best method; add -M best")
    found, saved = each_chosen(model, names, {}, recommendation, folder)
    plain = [name for name in found if isinstance(name, str)]
    own = parameters_given(param, plain)
    return plain, {name: {**saved.get(name, {}), **own[name]} for name in plain}


def search_parameters(given: list[str], search: str, method: str | None) -> dict[str, Any]:
    """``NAME=VALUE`` for a search of a hierarchy, or for the method that scores its phrases."""
    from exegesis.questions.phrases.catalogue import owners_of

    return assigned(given, {search: owners_of(search, method)})[search]


def assigned(given: list[str], fields: dict[str, dict[str, type]]) -> dict[str, dict[str, Any]]:
    """``NAME=VALUE`` for each name in ``fields`` that has such a parameter, read by the class that declares it.

    Raises UsageError for a parameter that none of them has and for a value that does not fit.
    """
    from exegesis.core.errors import unknown
    from exegesis.core.parameters import Argument, fitted

    known = sorted({field for each in fields.values() for field in each})
    found: dict[str, dict[str, Any]] = {name: {} for name in fields}
    for one in given:
        key, sign, value = one.partition("=")
        if not sign:
            raise UsageError(f"--param {one}: write NAME=VALUE, such as samples=500")
        if not known:
            raise UsageError(f"--param {one}: no parameters belong to {' or '.join(fields)}; leave it out")
        owners = [name for name in fields if key in fields[name]]
        if not owners:
            raise unknown("parameter", key, known)
        for name in owners:
            found[name].update(fitted(fields[name][key], name, {key: Argument(value)}))
    return found


def listed(values: list[str | None] | list[str] | None) -> list[str]:
    """What stands between commas in the values of an option."""
    return [one.strip() for value in values or [] if value for one in value.split(",") if one.strip()]
