"""Results: the abilities that all answers share. They are equal by value, saved by their fields, and drawn by views."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, ClassVar, Self, TypeVar

from exegesis.core.disk.files import write_whole
from exegesis.core.errors import FileError, UsageError
from exegesis.core.plain import from_plain, to_plain
from exegesis.core.shown import Shown, View, drawn
from exegesis.core.values import ByValue, published
from exegesis.results.version_1 import upgraded

VERSION = 2  # the version of the form in which results are saved
Some = TypeVar("Some", bound="Result")
FORMS: dict[str, type[Saved]] = {}  # every kind of value that is saved, by the name of its form in files


class Saved(ByValue):
    """A value that is equal by value and saved by its fields.

    ``form`` names its kind in files, ``noun`` in sentences. If ``apart``, the fields are saved under ``result``, so
    that the top level has the values that other programs read. Otherwise the fields are saved on the top level, and
    ``aside`` names the values beside them.
    """

    form: ClassVar[str]
    noun: ClassVar[str]
    apart: ClassVar[bool] = False
    aside: ClassVar[tuple[str, ...]] = ()
    damage: ClassVar[str] = "damaged explanation ({}); save it again"

    def __init_subclass__(cls) -> None:
        if "form" in vars(cls):
            FORMS[cls.form] = cls

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, from which ``exegesis.read`` restores the result with every number exact."""
        fields = to_plain(self)
        body = {"result": fields} if self.apart else fields
        return {"format": self.form, "version": VERSION, **self.readable(), **body}

    def readable(self) -> dict[str, Any]:
        """Plain values for other programs, which ``exegesis.read`` ignores."""
        return {}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The result in values that ``to_dict`` wrote. Raises FileError if they are damaged or of another kind."""
        result = restored(values)
        if not isinstance(result, cls):
            article = "an" if cls.noun[0] in "aeiou" else "a"
            raise FileError(f"this is a saved {result.noun}, not {article} {cls.noun}; read it with exegesis.read")
        return result

    @classmethod
    def kind_of(cls, values: Mapping[str, Any]) -> type[Saved]:
        """The class whose fields the values of this form are. Raises LookupError or UsageError if there is none."""
        return cls


def restored(values: Any) -> Saved:
    """The result in values that ``to_dict`` wrote.

    Raises FileError if they are damaged, of an unknown kind or of a newer version.
    """
    _load_every_kind()
    form = values.get("format") if isinstance(values, Mapping) else None
    if not isinstance(form, str) or form not in FORMS:
        forms = ", ".join(map(repr, FORMS))
        raise FileError(f"this is not a saved explanation (no format of {forms}); give what save() wrote")
    version = values.get("version")
    if type(version) is int and version > VERSION:
        raise FileError(f"this explanation was saved in version {version}, newer than {VERSION}: upgrade exegesis")
    kind = FORMS[form]
    try:
        if type(version) is not int or version < 1:
            raise ValueError(f"its version is {version!r:.40}")
        values = upgraded(values) if version == 1 else values
        kind = kind.kind_of(values)
        beside = ("format", "version", *kind.aside)
        fields = values["result"] if kind.apart else {name: part for name, part in values.items() if name not in beside}
        result: Saved = from_plain(kind, fields)
        return result
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise FileError(kind.damage.format(reason)) from error


@cache
def _load_every_kind() -> None:
    """Import every file of this folder, so that every kind of result can be read, whatever was imported before."""
    home = import_module("exegesis.results")
    for found in walk_packages(home.__path__, "exegesis.results."):
        import_module(found.name)


class Result(Saved, Shown):
    """A value that is equal by value, saved and drawn."""

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the result to a file, completely or not at all; the ending chooses the format.

        ``.json`` and ``.jsonl`` can be read again with ``exegesis.read``; ``.html``, ``.svg``, ``.png``, ``.pdf``,
        ``.tex``, ``.txt`` and ``.csv`` are views, which take ``options`` (``palette="blue-orange"``). Raises FileError
        for another ending or if the file cannot be written, UsageError for an option that the view does not have.
        """
        return save([self], path, **options)


class Results(list[Some], Shown):
    """Results of several texts: a list that shows itself, and is saved, as a single result."""

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the results to one file (see ``Result.save``)."""
        return save(self, path, **options)

    def drawn_parts(self) -> Sequence[Any]:
        return self

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return Results(found) if isinstance(at, slice) else found


def each(results: Shown | Sequence[Any]) -> list[Any]:
    """A list of results, from one result or a sequence."""
    if isinstance(results, Shown):
        return list(results.drawn_parts())
    return list(results)


def to_json(results: Sequence[Saved]) -> str:
    """JSON of results, indented and in ASCII: a single result as an object, several as a list."""
    values = [result.to_dict() for result in results]
    return json.dumps(values[0] if len(values) == 1 else values, indent=1, allow_nan=False) + "\n"


def to_jsonl(results: Sequence[Saved]) -> str:
    """JSON lines of results, one per line."""
    return "".join(json.dumps(result.to_dict(), allow_nan=False) + "\n" for result in results)


@published
def save(results: Sequence[Result], path: str | os.PathLike[str], **options: Any) -> Path:
    """Write results to one file, completely or not at all; the ending chooses the format (see ``Result.save``).

    Raises UsageError without results.
    """
    if not results:
        raise UsageError("there is no result to save; give at least one")
    return write_whole(path, rendered(results, Path(path).suffix, **options))


def rendered(results: Sequence[Result], ending: str, **options: Any) -> str | bytes:
    """The content that ``save`` writes to a file with this ending.

    Raises UsageError if a view is asked to draw results of two kinds, and for an option that the view does not have.
    """
    plain: dict[str, View] = {".json": to_json, ".jsonl": to_jsonl}
    if ending.lower() not in plain:
        return drawn(results, ending.lower(), **options)
    if options:
        raise UsageError(f"a {ending} file has no option {min(options)!r}; leave it out")
    return plain[ending.lower()](results)
