"""The searches by name, and the trees that some of them follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from exegesis.core.errors import SpanError, UsageError, unknown
from exegesis.core.nested import Nest, nest
from exegesis.core.text import Span, Text
from exegesis.engine.methods import Method, cards, fitted, lacking, make, require
from exegesis.models.tagger import Tagger
from exegesis.protocols.model import Classifier
from exegesis.questions.phrases.agglomerative import Agglomerative
from exegesis.questions.phrases.hedge import Hedge
from exegesis.questions.phrases.levels import levels_of
from exegesis.questions.phrases.search import Search, Trees
from exegesis.questions.phrases.trees import Owen, Parse


class Entry(NamedTuple):
    """A search by name: its class, the methods that may score its phrases (the first that the model can serve is
    taken; none for a search that has its own score), whether another may be given, and its paper."""

    cls: type
    scorers: tuple[str, ...]
    free: bool
    paper: str


PHRASES = ("contextual-decomposition", "leave-one-out")
SEARCHES = {
    "acd": Entry(Agglomerative, PHRASES, True, "Singh, Murdoch and Yu 2019"),
    "soc": Entry(Agglomerative, ("soc",), False, "Jin et al. 2020"),
    "scd": Entry(Agglomerative, ("scd",), False, "Jin et al. 2020"),
    "hedge": Entry(Hedge, (), False, "Chen, Zheng and Ji 2020"),
    "parse": Entry(Parse, PHRASES, True, "Murdoch, Liu and Yu 2018, Fig. 1"),
    "owen": Entry(Owen, (), False, "Owen 1977, Winter 1989"),
}
FOLLOW = ("parse", "owen")  # searches that follow a tree


def make_search(
    name: str, model: Classifier, method: str | Method | None = None, parameters: Mapping[str, Any] | None = None
) -> Search:
    """A search by its name, with the method that scores its phrases, and the parameters of both.

    Raises UsageError for what it does not know, UnsupportedError where the model cannot serve the method.
    """
    if name not in SEARCHES:
        raise unknown("search", name, SEARCHES)
    entry, given = SEARCHES[name], dict(parameters or {})
    own = [field.name for field in dataclasses.fields(entry.cls) if field.name != "scorer"]
    if method is not None and not entry.free:
        able = ", ".join(key for key, one in SEARCHES.items() if one.free)
        raise UsageError(f"the search {name} has a score of its own; leave the method out, or take {able}")
    if not entry.scorers:
        return cast(Search, entry.cls(**fitted(entry.cls, name, given)))
    scorer = make(method or _scorer(entry, model), {key: value for key, value in given.items() if key not in own})
    require(model, scorer)
    mine = fitted(entry.cls, name, {key: value for key, value in given.items() if key in own})
    return cast(Search, entry.cls(scorer=scorer, **mine))


def _scorer(entry: Entry, model: Classifier) -> str:
    known = {card.name: card for card in cards()}
    able = [name for name in entry.scorers if name in known and lacking(model, known[name]) is None]
    return able[0] if able else entry.scorers[-1]


def parameters_of(name: str, method: str | None) -> list[str]:
    """The names of the parameters that a search takes, those of its method among them."""
    if name not in SEARCHES:
        raise unknown("search", name, SEARCHES)
    entry, known = SEARCHES[name], {card.name: card for card in cards()}
    scorers = [method] if method else list(entry.scorers)
    classes = [entry.cls, *(known[one].cls for one in scorers if one in known)]
    return list(dict.fromkeys(f.name for cls in classes for f in dataclasses.fields(cls) if f.name != "scorer"))


def trees_for(texts: Sequence[Text], given: object, tagger: Callable[[], Tagger]) -> Trees:
    """The phrases of each text: those given (spans of word numbers, for one text or a list for each), else the phrases
    and clauses that ``levels_of`` finds.

    Raises UsageError for what is no tree of spans, SpanError where spans cross or lie outside a text.
    """
    if given is None:
        return lambda text: _found(text, tagger())
    every = [given] if len(texts) == 1 and _spans(given) else given
    if not isinstance(every, Sequence) or len(every) != len(texts) or not all(_spans(one) for one in every):
        raise UsageError(
            "tree is a list of spans of word numbers, as [(0, 2), (0, 5)], and for several texts a list of such lists"
        )
    nests: dict[int, Nest] = {}
    for number, (text, spans) in enumerate(zip(texts, every, strict=True)):
        try:
            nests[id(text)] = nest([Span(*span) for span in spans], len(text.words))
        except SpanError as error:
            where = f"text {number + 1} of {len(texts)}: " if len(texts) > 1 else ""
            raise SpanError(f"{where}{error}") from error
    return lambda text: nests[id(text)]


def _found(text: Text, tagger: Tagger) -> Nest:
    parts = levels_of(text, tagger)
    return nest([span for name in ("phrase", "clause") for span in parts[name]], len(text.words))


def _spans(given: object) -> bool:
    return isinstance(given, Sequence) and all(
        isinstance(one, Sequence)
        and not isinstance(one, str)
        and len(one) == 2
        and all(isinstance(edge, int) and not isinstance(edge, bool) for edge in one)
        for one in given
    )
