"""Resources of commonsense facts about words: WordNet-type tables and JSON, or any function of a word."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exegesis.core.disk.files import read_text
from exegesis.core.errors import FileError, UsageError
from exegesis.results.behaviour.said import Fact

Told = Iterable[tuple[str, str]]  # relations and phrases


@dataclass(frozen=True)
class Resource:
    """Facts by word, in lower case: pairs of a relation (``is a``, ``antonym``) and a phrase.

    ``about`` may be any function from a word, or several with blanks between, to such pairs.
    """

    about: Callable[[str], Told]
    longest: int = 1  # words of an entry

    def facts(self, words: Sequence[str], most: int = 3) -> tuple[Fact, ...]:
        """At most so many facts of every run of words that the resource knows; the longest run first, none twice."""
        found, at = list[Fact](), 0
        lower = [word.lower() for word in words]
        while at < len(lower):
            for width in range(min(self.longest, len(lower) - at), 0, -1):
                entry = " ".join(lower[at : at + width])
                told = [Fact(entry, relation, phrase) for relation, phrase in self.about(entry)][:most]
                if told:
                    found += [fact for fact in told if fact not in found]
                    at += width - 1
                    break
            at += 1
        return tuple(found)


def read_resource(path: str | Path) -> Resource:
    """The facts of a file.

    A ``.json`` file is an object of words, each an object of relations with lists of phrases,
    ``{"film": {"is a": ["movie"]}}``; any other file has lines of a word, a relation and phrases between commas, with
    tabs between them. Raises FileError for a file in another form or without any fact.
    """
    place = Path(path)
    text = read_text(place)
    facts = dict[str, list[tuple[str, str]]]()
    for word, relation, phrases in _json(place, text) if place.suffix == ".json" else _lines(place, text):
        own = facts.setdefault(" ".join(word.lower().split()), [])
        own += [(relation, phrase) for phrase in phrases if (relation, phrase) not in own]
    if not any(facts.values()):
        raise FileError(f"{place} holds no fact: lines of a word, a relation and phrases are expected")
    return Resource(lambda word: facts.get(word, ()), max(len(word.split()) for word in facts))


def resource_of(given: Resource | str | Path | Mapping[str, Told] | Callable[[str], Told]) -> Resource:
    """The resource that a user means. Raises UsageError for what is none."""
    if isinstance(given, Resource):
        return given
    if isinstance(given, str | Path):
        return read_resource(given)
    if isinstance(given, Mapping):
        facts = {word.lower(): tuple(told) for word, told in given.items()}
        return Resource(lambda word: facts.get(word, ()), max((len(word.split()) for word in facts), default=1))
    if callable(given):
        return Resource(given)
    raise UsageError(f"a resource is a file, a mapping from words or a function, not a {type(given).__name__}")


def _lines(path: Path, text: str) -> Iterable[tuple[str, str, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        phrases = [phrase.strip() for phrase in cells[-1].split(",") if phrase.strip()]
        if len(cells) != 3 or not all(cells) or not phrases:
            raise FileError(f"{path}, line {number}: a word, a relation and phrases are expected, with tabs between")
        yield cells[0], cells[1], phrases


def _json(path: Path, text: str) -> Iterable[tuple[str, str, list[str]]]:
    try:
        for word, relations in json.loads(text).items():
            for relation, phrases in relations.items():
                if not (isinstance(phrases, list) and all(isinstance(phrase, str) for phrase in phrases)):
                    raise TypeError(f"the phrases of {word!r:.40} are no list of strings")
                yield word, relation, phrases
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise FileError(f"{path} is no resource ({' '.join(str(error).split())[:100]}): "
                        '{"word": {"relation": ["phrase"]}} is expected') from None  # fmt: skip
