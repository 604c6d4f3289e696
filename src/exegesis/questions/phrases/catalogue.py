"""The registry of searches, and the trees that some of them follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from exegesis.core.containers import is_pair, nested
from exegesis.core.errors import SpanError, UsageError
from exegesis.core.nested import Nest, nest
from exegesis.core.parameters import Condition, Opener, hints
from exegesis.core.registry import Registry
from exegesis.core.text import Span, Text
from exegesis.engine.methods import METHODS, Method, cards, lacking, make, require
from exegesis.models.tagger import Tagger
from exegesis.protocols.model import Classifier
from exegesis.questions.phrases.levels import levels_of
from exegesis.questions.phrases.search import Search, Trees

PHRASE_METHODS = ("contextual-decomposition", "leave-one-out")  # they score phrases directly

Scorer = Annotated[
    Any,
    Opener(make),
    Condition(
        lambda value: any(type(value) is card.cls for card in METHODS), noun="a method or its name", outside=(3, [])
    ),
]


@dataclass(frozen=True)
class SearchCard:
    """The public facts about a search.

    ``scorers`` are the names of the methods that may score its phrases; the default is the first that the model can
    serve. A search without scorers has its own score. ``free``: a user may choose any other method. A search with
    scorers has a parameter ``scorer``, the method.
    """

    name: str
    paper: str
    scorers: tuple[str, ...]
    free: bool
    cls: type


SEARCHES: Registry[SearchCard] = Registry("search")
T = TypeVar("T", bound=type)


def search(name: str, *, paper: str, scorers: tuple[str, ...] = (), free: bool = False) -> Callable[[T], T]:
    """Register a frozen dataclass as a search; its parameters are checked by their annotations from then on.

    The arguments are those of ``SearchCard``. A class may be registered under several names, which differ in their
    scorers. Raises UsageError if the name is taken or the class is not a frozen dataclass.
    """

    def register(cls: T) -> T:
        SEARCHES.add(SearchCard(name, paper, scorers, free, cls))
        return cls

    return register


def make_search(
    name: str, model: Classifier, method: str | Method | None = None, parameters: Mapping[str, Any] | None = None
) -> Search:
    """Build a search from its name, the method that scores its phrases, and the parameters of both.

    Raises UsageError for an unknown name or parameter and for a value that does not fit, UnsupportedError if the model
    cannot serve the method.
    """
    card, values = SEARCHES[name], dict(parameters or {})
    if method is not None and not card.free:
        able = ", ".join(search.name for search in SEARCHES if search.free)
        raise UsageError(f"the search {name} has a score of its own; leave the method out, or take {able}")
    if not card.scorers:
        return cast(Search, SEARCHES.make(name, values))
    names = set(hints(card.cls)) - {"scorer"}
    scorer = make(method or _scorer(card, model), {key: value for key, value in values.items() if key not in names})
    require(model, scorer)
    rest = {key: value for key, value in values.items() if key in names}
    return cast(Search, SEARCHES.make(name, {"scorer": scorer, **rest}))


def _scorer(card: SearchCard, model: Classifier) -> str:
    """The name of the first of a search's scorers that the model can serve; the last if it can serve none."""
    methods = {method.name: method for method in cards()}
    able = [name for name in card.scorers if name in methods and lacking(model, methods[name]) is None]
    return able[0] if able else card.scorers[-1]


def owners_of(name: str, method: str | None) -> dict[str, type]:
    """The parameters of a search and of the methods that may score its phrases, each with the class that has it."""
    card = SEARCHES[name]
    scorers = [method] if method else card.scorers
    classes = [card.cls, *(METHODS[scorer].cls for scorer in scorers if scorer in METHODS)]
    return {key: cls for cls in reversed(classes) for key in hints(cls) if key != "scorer"}


def trees_for(texts: Sequence[Text], tree: object, tagger: Callable[[], Tagger]) -> Trees:
    """A function from a text to its phrases, for searches that follow a tree.

    The phrases are those that a user passes (spans of word numbers for one text, or a list of such lists for several),
    by default the phrases and clauses that ``levels_of`` finds. Raises UsageError if ``tree`` has another form,
    SpanError if spans cross or lie outside a text.
    """
    if tree is None:
        return lambda text: _nest(text, tagger())
    whole = nested(tree, "trees")
    lists = [whole] if len(texts) == 1 and _spans(whole) else whole
    if not isinstance(lists, list) or len(lists) != len(texts) or not all(map(_spans, lists)):
        raise UsageError(
            "tree is a list of spans of word numbers, as [(0, 2), (0, 5)], and for several texts a list of such lists"
        )
    nests: dict[int, Nest] = {}
    for number, (text, spans) in enumerate(zip(texts, lists, strict=True)):
        try:
            nests[id(text)] = nest([Span(*span) for span in spans], len(text.words))
        except SpanError as error:
            where = f"text {number + 1} of {len(texts)}: " if len(texts) > 1 else ""
            raise SpanError(f"{where}{error}") from error
    return lambda text: nests[id(text)]


def _nest(text: Text, tagger: Tagger) -> Nest:
    parts = levels_of(text, tagger)
    return nest([span for name in ("phrase", "clause") for span in parts[name]], len(text.words))


def _spans(tree: object) -> bool:
    return isinstance(tree, list) and all(map(is_pair, tree))
