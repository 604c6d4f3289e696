"""What every result can do: equal another by value, be saved, be drawn. Imports no torch.

Views live in a folder above this one, which fills the table here: a view belongs to a kind of result and to a file's
ending.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from exegesis.core.errors import FileError, UsageError
from exegesis.core.files import write_whole
from exegesis.core.same import ByValue

View = Callable[..., str | bytes]  # takes results, and options
Some = TypeVar("Some", bound="Result")
_views: dict[tuple[str, str], Callable[[], View]] = {}


class Result(ByValue):
    """A value that is equal by value, saved and drawn; ``views`` is its kind, by which its views are found, and
    ``noun`` what it is called."""

    views: ClassVar[str]
    noun: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``exegesis.read`` gives the result back, every number to the last bit."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The result that ``to_dict`` wrote. Raises FileError where it is damaged or a result of another kind."""
        from exegesis.results.saved import from_dict  # which knows every class of results

        found = from_dict(values)
        if not isinstance(found, cls):
            other = getattr(found, "noun", "recommendation")
            own = f"{'an' if cls.noun[0] in 'aeiou' else 'a'} {cls.noun}"
            raise FileError(f"this is a saved {other}, not {own}; read it with exegesis.read")
        return found

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the result whole or not at all; the ending says how.

        ``.json`` and ``.jsonl`` can be read again with ``exegesis.read``; ``.html``, ``.svg``, ``.png``, ``.pdf``,
        ``.tex``, ``.txt`` and ``.csv`` are views, which take ``options`` (``palette="blue-orange"``). Evaluations have
        ``.html`` and ``.txt`` of them, studies all but ``.tex`` and ``.csv``. Raises FileError for another ending, or
        where the place cannot be written, UsageError for an option that the view does not have.
        """
        return save([self], path, **options)

    def _repr_html_(self) -> str:
        return str(view_of(self.views, ".repr_html")([self]))


def each(results: Some | Sequence[Some]) -> list[Some]:
    """One result or several as a list."""
    return [results] if isinstance(results, Result) else list(results)


def kind_of(results: Result | Sequence[Result]) -> str:
    """The kind of the first; of none at all, that of explanations of words."""
    return next((result.views for result in each(results)), "words")


def register_view(kind: str, ending: str, load: Callable[[], View]) -> None:
    """Make ``save`` know a file ending of one kind of result; ``load`` imports the view only when it is asked for."""
    _views[kind, ending] = load


def view_of(kind: str, ending: str) -> View:
    """What draws results of a kind for a file's ending. Raises FileError for an ending that is not known."""
    if (kind, ending) not in _views:
        drawn = sorted(known for of, known in _views if of == kind and known != ".repr_html")
        known = ", ".join([".json", ".jsonl", *drawn])
        raise FileError(f"no way to save as {ending or 'a file without an ending'!r}; known endings: {known}")
    return _views[kind, ending]()


def save(results: Sequence[Result], path: str | os.PathLike[str], **options: Any) -> Path:
    """Write results to one file, whole or not at all; the ending says how (see ``Result.save``).

    Raises UsageError for no results.
    """
    if not results:
        raise UsageError("there is no result to save; give at least one")
    return write_whole(path, rendered(results, Path(path).suffix, **options))


def rendered(results: Sequence[Result], ending: str, **options: Any) -> str | bytes:
    """What ``save`` writes to a file of that ending. Raises UsageError where results of two kinds are to be drawn."""
    from exegesis.results.saved import to_json, to_jsonl  # which knows every class of results

    plain: dict[str, View] = {".json": to_json, ".jsonl": to_jsonl}
    if ending.lower() not in plain and len({result.views for result in results}) > 1:
        raise UsageError(
            "explanations of words, hierarchies and other results are drawn in files of their own; save each kind apart"
        )
    view = plain.get(ending.lower()) or view_of(kind_of(results), ending.lower())
    try:
        return view(results, **options)
    except TypeError as error:
        _, unexpected, name = str(error).partition("unexpected keyword argument ")
        if not unexpected:
            raise
        raise UsageError(f"a {ending} file has no option {name.split()[0]}; leave it out") from error
