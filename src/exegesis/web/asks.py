"""What can be asked over HTTP: bodies of requests, checked and bounded before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

View = Literal["words", "phrases", "pairs", "attention", "gates", "layers", "information", "training"]
Form = Literal["results", "view", "html", "svg"]
TEXTS = 64  # of a batch
Characters = Annotated[str, Field(max_length=1_000_000)]  # the server's own limit is smaller and is said in words
Name = Annotated[str, Field(max_length=200)]
Parameter = bool | int | float | Name


@dataclass(frozen=True, kw_only=True)
class Options:
    """How texts are explained.

    ``view`` is the question: ``words`` (a score for each), ``phrases`` (a tree), ``pairs`` (interactions of words),
    ``attention``, ``gates``, ``layers`` (relevance in every layer), ``information`` (of words in every layer) or
    ``training`` (the training texts behind the prediction). ``methods`` answer it, by default the one that fits;
    ``phrases`` takes a ``search`` and at most one method. ``layer`` and ``head`` choose maps of ``attention``,
    ``sites`` the layers of ``information``. ``target``, ``level``, ``trust`` and ``parameters`` are those of the
    functions of Python. ``models`` are names of ``/api/models``; several are asked side by side. ``form`` is
    what comes back: ``results`` as JSON that ``exegesis.read`` reads, ``view`` with fragments for a page, or the file
    that ``save`` would write (``html``, ``svg``).
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")  # a misspelt field would be answered by its default

    models: Annotated[tuple[Name, ...], Field(max_length=4)] = ()
    view: View = "words"
    methods: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    search: Name = "acd"
    target: Name | None = None
    level: Name = "word"
    trust: bool = False
    layer: Annotated[int, Field(ge=1)] | None = None
    head: Annotated[int, Field(ge=1)] | None = None
    sites: Annotated[tuple[Name, ...], Field(max_length=40)] = ()
    parameters: Annotated[Mapping[str, Parameter], Field(max_length=20)] = field(default_factory=dict)
    palette: Name = "green-red"
    form: Form = "results"


@dataclass(frozen=True, kw_only=True)
class Ask(Options):
    """A text to explain; ``pair`` is the second text of a pair.

    ``changes`` puts other words in the place of some, by their numbers from 0, before the model reads the text: an
    empty string takes a word away.
    """

    text: Characters
    pair: Characters | None = None
    changes: Annotated[Mapping[str, Name], Field(max_length=500)] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """The characters of the text, or of both texts."""
        return len(self.text) + len(self.pair or "")

    def key(self, model: str) -> tuple[Any, ...]:
        """What requests must have in common to be answered by one call."""
        parameters = tuple(sorted(self.parameters.items()))
        chosen = (self.methods, self.search, self.layer, self.head, self.sites, self.target, self.level, self.trust)
        return (model, self.view, chosen, repr(parameters))


@dataclass(frozen=True, kw_only=True)
class Batch(Options):
    """Several texts that are explained alike."""

    texts: Annotated[tuple[Characters, ...], Field(min_length=1, max_length=TEXTS)]

    def asks(self) -> list[Ask]:
        """The request of each text."""
        options = {name: getattr(self, name) for name in (one.name for one in fields(Options))}
        return [replace(Ask(text=text, **options), form="results") for text in self.texts]
