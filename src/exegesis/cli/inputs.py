"""What a user names on the command line, read: texts, examples, methods and their parameters."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exegesis.core.errors import UsageError, unknown

if TYPE_CHECKING:
    from exegesis.cli.options import Model, Recommended, Texts
    from exegesis.data.examples import Example
    from exegesis.protocols.model import Classifier

Raw = str | tuple[str, str]
BEST = "best"


def read_texts(options: Texts) -> list[Raw]:
    """The texts of ``read_given``."""
    return [example.text for example in read_given(options)]


def read_given(options: Texts, label: str | None = None) -> list[Example]:
    """The texts of the arguments, of a file (with the labels of a column), or of standard input.

    Raises UsageError if the options contradict.
    """
    from exegesis.data.examples import Example, is_blank, say_skipped

    texts, file, columns = options.texts or [], options.file, (options.column, options.pair_column)
    if file is not None and str(file) == "-":
        if texts or columns != (None, None):
            raise UsageError("--file - reads one text per line from standard input: leave other texts and columns out")
        file, texts = None, ["-"]
    if file is not None:
        if texts:
            raise UsageError("give texts as arguments or --file, not both")
        if options.pair is not None:
            raise UsageError("--pair belongs to a text argument; for a file name the --pair-column")
        return _in_file(file, options, label)
    owned = {"--column": columns[0], "--pair-column": columns[1], "--label": label, "--delimiter": options.delimiter}
    for name, value in owned.items():
        if value is not None:
            raise UsageError(f"{name} belongs to --file")
    if not texts or texts == ["-"]:
        texts = _lines(options.encoding)
    elif options.encoding is not None:
        raise UsageError("--encoding belongs to --file and to standard input; leave it out")
    elif "-" in texts:
        raise UsageError("'-' is standard input and goes alone, not with other texts")
    elif len(texts) == 1 and _names_file(texts[0]):
        raise UsageError(f"{texts[0]} is a file, not a text; did you mean --file {texts[0]}?")
    if options.skip_blank:
        say_skipped([number for number, text in enumerate(texts, 1) if is_blank(text)], len(texts), "number")
        texts = [text for text in texts if not is_blank(text)]
    if options.pair is not None and len(texts) != 1:
        raise UsageError(f"--pair goes with one text, not {len(texts)}; for more give a --file with a --pair-column")
    given = [(text, options.pair) if options.pair is not None else text for text in texts[: options.limit]]
    return [Example.of(text) for text in given]


def _names_file(text: str) -> bool:
    with suppress(OSError, ValueError):  # a text that no file can be called
        return Path(text).is_file()
    return False


def _in_file(file: Path, options: Texts, label: str | None) -> list[Example]:
    from exegesis.data.examples import read_examples

    if file.is_dir():
        raise UsageError(f"{file} is a folder; give a .txt, .tsv, .csv or .jsonl file")
    examples = read_examples(
        file, options.column, label, options.pair_column, skip_blank=options.skip_blank, encoding=options.encoding,
        separator=separator(options.delimiter),
    )  # fmt: skip
    return examples[: options.limit]


def separator(delimiter: str | None) -> str | None:
    """What stands between cells, of which a tab may be written ``tab`` or ``\\t``."""
    return "\t" if delimiter in ("tab", "\\t") else delimiter


def _lines(encoding: str | None) -> list[str]:
    """The lines of standard input that are not blank, decoded like those of a file."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError('no text given: exegesis explain "A fine film.", or --file, or pipe lines into it')
    from exegesis.data.encodings import decoded
    from exegesis.data.tables import filled

    name = "standard input"
    lines = [line for _, line in filled(decoded(sys.stdin.buffer.read(), name, encoding), name)]
    if not lines:
        raise UsageError("standard input holds no text; give one text per line, or texts as arguments")
    return lines


def noted(example: Example, result: Any, labels: Sequence[str]) -> Any:
    """A result with the number, id and gold label of its text, if it comes from a file; the label as the model's."""
    from exegesis.protocols.labels import number_of

    if example.number is None:
        return result
    gold = example.label
    with suppress(UsageError):
        gold = None if gold is None else labels[number_of(gold, labels)]
    told = {"number": example.number, "id": example.name, "gold": gold}
    kept = {name: value for name, value in told.items() if value is not None}
    return result.replace(details={**result.details, "example": kept})


def read_training(
    data: str | None,
    column: str | None = None,
    label: str | None = None,
    pair: str | None = None,
    encoding: str | None = None,
) -> list[Example] | None:
    """The training texts of a file, a dataset, or a folder; None if none are named."""
    from exegesis.data.examples import read_examples

    if data is None:
        return None
    return read_examples(data, column, label, pair, "train" if Path(data).is_dir() else None, encoding=encoding)


def load(options: Model) -> Classifier:
    """The model that the options name."""
    from exegesis import api

    return api.load(
        options.model, device=options.device, truncate=options.truncate, windows=options.windows, task=options.task
    )


def chosen(model: Classifier, names: Sequence[str], options: Recommended) -> dict[str, dict[str, Any]]:
    """Methods by name with their parameters, in order: ``best`` is replaced by the recommended method, whose saved
    parameters those of ``--param`` override."""
    from exegesis.api import each_chosen

    if options.recommendation is not None and BEST not in names:
        raise UsageError("--recommendation belongs to explanations by the best method; add -M best")
    found, saved = each_chosen(model, names, {}, options.recommendation, options.model)
    named = [name for name in found if isinstance(name, str)]
    own = parameters_of(options.param, named)
    return {name: {**saved.get(name, {}), **own[name]} for name in named}


def parameters_of(param: list[str] | None, methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``NAME=VALUE`` for each of the methods that has a parameter of that name."""
    from exegesis.core.parameters import hints
    from exegesis.engine.methods import METHODS

    classes = {name: METHODS[name].cls for name in methods}
    return assigned(param, {name: dict.fromkeys(hints(cls), cls) for name, cls in classes.items()})


def assigned(param: list[str] | None, owners: Mapping[str, Mapping[str, type]]) -> dict[str, dict[str, Any]]:
    """``NAME=VALUE`` for each name in ``owners`` that has such a parameter, read by the class that declares it.

    Raises UsageError for a parameter that none of them has and for a value that does not fit.
    """
    from exegesis.core.parameters import Argument, fitted

    known = sorted({parameter for classes in owners.values() for parameter in classes})
    values: dict[str, dict[str, Any]] = {name: {} for name in owners}
    for text in param or []:
        key, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--param {text}: write NAME=VALUE, such as samples=500")
        if not known:
            raise UsageError(f"--param {text}: no parameters belong to {' or '.join(owners)}; leave it out")
        if key not in known:
            raise unknown(f"parameter of {' or '.join(owners)}", key, known)
        for name, classes in owners.items():
            if key in classes:
                values[name].update(fitted(classes[key], name, {key: Argument(value)}))
    return values


def listed(*values: str | None) -> list[str]:
    """The parts between the commas of an option's values."""
    return [part.strip() for value in values if value for part in value.split(",") if part.strip()]
