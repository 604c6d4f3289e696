"""The public functions: load or wrap a model, explain texts, read saved results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, cast, overload

from torch import nn

import exegesis.attribute  # noqa: F401 - registers the methods
from exegesis.core.data import Example, read_examples
from exegesis.core.device import usable_device
from exegesis.core.errors import TextError, UsageError, unknown
from exegesis.core.evaluation import Evaluation
from exegesis.core.explain import Spans, in_batches, run
from exegesis.core.explanation import LEVELS, Attribution
from exegesis.core.hierarchy import Hierarchy
from exegesis.core.language import LanguageModel, register_opener
from exegesis.core.method import Card, Method, card_of, cards, fitted, lacking, make, require
from exegesis.core.model import Classifier, Raw, offers
from exegesis.core.pairs import Interactions
from exegesis.core.relevance import Relevance
from exegesis.core.target import Ask, Labels, ask
from exegesis.core.text import Span, Text
from exegesis.evaluate.measure import Measure
from exegesis.hierarchy.interactions import Pairwise
from exegesis.hierarchy.levels import levels as word_levels
from exegesis.hierarchy.plan import make_search, trees_for
from exegesis.hierarchy.search import Search, grow, one_number
from exegesis.hierarchy.tagging import Tagger, default_tagger
from exegesis.models.blackbox import BlackBox
from exegesis.models.wrapping import wrap

__all__ = [
    "blackbox",
    "evaluate",
    "explain",
    "hierarchy",
    "interactions",
    "language",
    "load",
    "methods",
    "predict",
    "relevance",
    "wrap",
]

BUNDLED = "bundled"
PREFERRED = ("reat", "integrated-gradients", "leave-one-out")


def load(model: str | os.PathLike[str] = BUNDLED, *, device: str | None = None, truncate: bool = False) -> Classifier:
    """A model to explain: ``"bundled"``, a folder that ``exegesis train`` wrote, or a Hugging Face name or folder.

    A Hugging Face model needs a sequence classification head and safetensors weights; ``truncate`` lets it cut texts
    that are longer than its positions. Nothing is ever unpickled. Raises FileError for what is missing or damaged.
    """
    from exegesis.models.folder import is_model_folder, load_folder

    path = bundled_folder() if str(model) == BUNDLED else Path(model)
    if is_model_folder(path) or _is_trained(path):
        trained = load_folder(path)
        module = trained.module.to(usable_device(device))
        name = BUNDLED if str(model) == BUNDLED else path.name
        return wrap(module, vocabulary=trained.vocabulary, labels=trained.labels, name=name)
    from exegesis.models.huggingface import load_huggingface

    return load_huggingface(os.fspath(model), device=device, truncate=truncate)


def bundled_folder() -> Path:
    """Where the bundled sentiment model lies."""
    return Path(__file__).parent / "models" / "bundled" / "sentiment"


def _is_trained(path: Path) -> bool:
    """Whether a folder without a readable configuration was meant to be one of ours."""
    return path.is_dir() and (path / "vocabulary.json").exists()


def blackbox(function: Callable[[list[str]], Any], labels: Labels, **options: Any) -> BlackBox:
    """Any function from a list of texts to an array of probabilities as a model (see ``BlackBox``)."""
    return BlackBox(function, labels, **options)


def methods(model: Classifier | str | None = None) -> tuple[Card, ...]:
    """The cards of all methods, or of those that a model can serve."""
    known = None if model is None else as_model(model)
    return tuple(card for card in cards() if known is None or lacking(known, card) is None)


@overload
def explain(model: Classifier | str, text: Raw, method: str | Method | None = None, **options: Any) -> Attribution: ...
@overload
def explain(
    model: Classifier | str, text: list[Raw] | list[str], method: str | Method | None = None, **options: Any
) -> list[Attribution]: ...


def explain(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str],
    method: str | Method | None = None,
    target: str | int | None = None,
    *,
    level: str = "word",
    spans: object = None,
    tagger: Tagger | None = None,
    progress: bool = False,
    **parameters: Any,
) -> Attribution | list[Attribution]:
    """Why did the model say this about this text? One text gives one result, a list gives a list.

    ``text`` is a string, or a pair (a tuple of two strings) for a model of pairs. ``method`` is a name (see
    ``methods``), with its ``parameters`` as further arguments, or a method value; by default the first of reat,
    integrated-gradients and leave-one-out that the model can serve.

    ``target``: by default the logit of each text's predicted class; a label or its number; ``"all"`` for every class
    at once; ``"probability:LABEL"``; ``"margin:A,B"`` (see ``core.target.ask``).

    ``level``: ``word``, or also ``phrase``, ``clause``, ``text``, or ``all`` of them (REAT paper, Sec. 3.3), found by
    ``tagger``, by default the bundled one. ``spans``: further spans of word numbers (start, stop), or ``"all"``.
    Methods that score spans directly (leave-one-out) do; for others a span is the sum of its words.

    Raises UsageError for wrong arguments, TextError for a text that cannot be explained, UnsupportedError where the
    model cannot serve the method, ModelError where it misbehaves.
    """
    classifier = as_model(model)
    plan = Plan.of(classifier, method, parameters, target, level, spans, tagger)
    several = text if isinstance(text, list) else [text]
    read = [read_text(classifier, raw, number, len(several)) for number, raw in enumerate(several)]
    with bar(progress, len(read), plan.name) as advance:
        results = plan.explain(read, advance)
    return results if isinstance(text, list) else results[0]


def evaluate(
    model: Classifier | str,
    data: str | os.PathLike[str] | Sequence[Raw | Example],
    methods: Sequence[str | Method] | None = None,
    measures: Sequence[str | Measure] | None = None,
    *,
    progress: bool = False,
    **options: Any,
) -> Evaluation:
    """How far can explanations be trusted? Methods and controls on the same texts, by several measures.

    ``data`` is a list of texts (pairs, examples), or a file of them. ``methods`` are names or method values, by default
    the one that ``explain`` takes (none where ``explanations`` are given). ``measures`` are names
    (``exegesis.evaluate.measure.measures()``), also with parameters (``deletion:how=pad``), or measure values. Further
    ``options``, all by keyword:

    ``how``: ways of taking words away, all measured (``drop``, ``zero``, ``pad``, ``unknown``, ``mask``, ``resample``);
    ``explanations``: other explanations of the same texts, as results, or a file of JSON lines (see
    ``evaluate.given.read_explanations``); ``target`` as for ``explain``; ``marks``: for each text what people marked
    (truth values of words, or ranges of characters), or a file; ``parameters`` of methods by their names; ``controls``:
    random scores, leave-one-out and greedy removal (by default true); ``seed`` and ``samples`` of the bootstrap.

    Raises UsageError for empty data, for explanations of another text or model, for marks that do not fit a text.
    """
    from exegesis.evaluate.call import evaluate as run_evaluation

    classifier = as_model(model)
    given = read_examples(os.fspath(data)) if isinstance(data, str | os.PathLike) else list(data)
    raws = [one.text if isinstance(one, Example) else one for one in given]
    texts = [read_text(classifier, raw, number, len(raws)) for number, raw in enumerate(raws)]
    names = methods if methods is not None else [] if options.get("explanations") else [preferred(classifier)]
    with bar(progress, len(texts) * (len(names) + 1), "evaluate") as advance:
        return run_evaluation(classifier, texts, names, measures, advance=advance, **options)


def relevance(model: Classifier | str, text: Raw, target: str | int | None = None, **parameters: Any) -> Relevance:
    """What ``lrp`` hands to every component of every word vector and state of a network, for one number of one text.

    ``parameters`` are those of ``lrp``, ``target`` is as in ``explain``, of one number. The result tells what its
    ``states`` are called (see ``Relevance``). Errors are those of ``explain``.
    """
    from exegesis.attribute.lrp import Lrp
    from exegesis.attribute.places import relevance_at

    classifier, method = as_model(model), make("lrp", parameters)
    asked = ask(target, classifier.labels, classifier.link)
    return relevance_at(classifier, read_text(classifier, text), cast(Lrp, method), asked)


@dataclass(frozen=True, eq=False)
class Plan:
    """One call of ``explain``, its arguments checked before any text is read: a method on a model, for a target."""

    model: Classifier
    method: Method
    asked: Ask
    spans: Spans | None

    @classmethod
    def of(
        cls,
        model: Classifier,
        method: str | Method | None = None,
        parameters: Mapping[str, Any] | None = None,
        target: str | int | None = None,
        level: str = "word",
        spans: object = None,
        tagger: Tagger | None = None,
    ) -> Self:
        """The plan of the arguments of ``explain``, and its errors."""
        chosen = make(method or preferred(model), parameters)
        require(model, chosen)
        return cls(model, chosen, ask(target, model.labels, model.link), _spans(level, spans, tagger))

    @property
    def name(self) -> str:
        return card_of(self.method).name

    def explain(self, texts: Sequence[Text], advance: Callable[[], object] = lambda: None) -> list[Attribution]:
        """The results of texts that the model has read, in order; ``advance`` is called after each."""
        found: list[Attribution | None] = [None] * len(texts)
        for number, result in run(self.model, texts, self.method, self.asked, self.spans):
            found[number] = result
            advance()
        return cast(list[Attribution], found)


def as_model(model: Classifier | str | os.PathLike[str]) -> Classifier:
    """A model from whatever a user gives. Raises UsageError, saying what to do, where it is none."""
    if isinstance(model, str | os.PathLike):
        return load(model)
    if isinstance(model, nn.Module):
        raise UsageError(
            f"a bare {type(model).__name__} reads no text: explain exegesis.wrap(module, vocabulary=..., labels=[...])"
        )
    if not offers(model, Classifier):
        if callable(model):
            raise UsageError("a function is explained through exegesis.blackbox(function, labels=[...])")
        raise UsageError(f"{type(model).__name__} is no model: use exegesis.load, exegesis.wrap or exegesis.blackbox")
    return model


def preferred(model: Classifier) -> str:
    """The method taken by default: the first of ``PREFERRED`` that the model can serve."""
    able = {card.name for card in methods(model)}
    return next(name for name in PREFERRED if name in able)


@overload
def predict(model: Classifier | str, texts: Raw) -> dict[str, float]: ...
@overload
def predict(model: Classifier | str, texts: list[Raw] | list[str]) -> list[dict[str, float]]: ...


def predict(model: Classifier | str, texts: Raw | list[Raw] | list[str]) -> dict[str, float] | list[dict[str, float]]:
    """Each label's probability: of one text, or of each text of a list."""
    if not isinstance(texts, list):
        return predict(model, [texts])[0]
    from exegesis.core.batch import groups
    from exegesis.core.explain import PIECES, ROWS, finite

    classifier = as_model(model)
    read = [read_text(classifier, raw, number, len(texts)) for number, raw in enumerate(texts)]
    found: list[dict[str, float]] = [{} for _ in read]
    for rows in groups([len(text) for text in read], PIECES, ROWS):
        raw = finite(classifier.outputs(classifier.encode([read[row] for row in rows])), classifier, "outputs")
        for row, each in zip(rows, classifier.link.probabilities(raw.double()).tolist(), strict=True):
            found[row] = dict(zip(classifier.labels, each, strict=True))
    return found


def read_text(model: Classifier, raw: object, number: int = 0, count: int = 1) -> Text:
    """A text as the model reads it. Errors name the text by its number where there are several."""
    where = f"text {number + 1} of {count}: " if count > 1 else ""
    pair = isinstance(raw, tuple) and len(raw) == 2 and all(isinstance(part, str) for part in raw)
    if not isinstance(raw, str) and not pair:
        raise UsageError(f"{where}a text is a string, or a tuple of two for a pair, not {type(raw).__name__}")
    try:
        text = model.read(cast(Raw, raw))
    except (TextError, UsageError) as error:
        raise type(error)(f"{where}{error}") from error
    if not text.words:
        raise TextError(f"{where}the text holds no word that the model reads")
    return text


@overload
def hierarchy(model: Classifier | str, text: Raw, search: str = "acd", **options: Any) -> Hierarchy: ...
@overload
def hierarchy(
    model: Classifier | str, text: list[Raw] | list[str], search: str = "acd", **options: Any
) -> list[Hierarchy]: ...


def hierarchy(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str],
    search: str = "acd",
    target: str | int | None = None,
    *,
    method: str | Method | None = None,
    tree: object = None,
    tagger: Tagger | None = None,
    progress: bool = False,
    **parameters: Any,
) -> Hierarchy | list[Hierarchy]:
    """Which phrases, and how do they act together? A tree of nested phrases with a score each, of one text or several.

    ``search``: ``acd`` joins words from below, with the score of any ``method`` that scores phrases (contextual
    decomposition where the model can serve it, else leave-one-out); ``soc`` and ``scd`` do so with the scores of those
    names; ``hedge`` cuts from above where parts interact least; ``parse`` follows a tree with the scores of any method;
    ``owen`` gives Owen values on a tree. ``tree`` are the phrases to follow, as spans of word numbers (a list of such
    lists for several texts); without it they are the phrases and clauses that ``tagger`` finds, as for ``explain``.

    ``target`` is one number, as for ``explain``; ``parameters`` are those of the search and of its method. Raises as
    ``explain``, and SpanError where phrases cross.
    """
    plan = Growth.of(as_model(model), search, method, parameters, target, tree, tagger)
    several = text if isinstance(text, list) else [text]
    read = [read_text(plan.model, raw, number, len(several)) for number, raw in enumerate(several)]
    with bar(progress, len(read), search) as advance:
        results = plan.explain(read, advance)
    return results if isinstance(text, list) else results[0]


@dataclass(frozen=True, eq=False)
class Growth:
    """One call of ``hierarchy``, its arguments checked before any text is read: a search on a model, for a target."""

    model: Classifier
    name: str
    search: Search
    asked: Ask
    tree: object = None
    tagger: Tagger | None = None

    @classmethod
    def of(
        cls,
        model: Classifier,
        search: str,
        method: str | Method | None = None,
        parameters: Mapping[str, Any] | None = None,
        target: str | int | None = None,
        tree: object = None,
        tagger: Tagger | None = None,
    ) -> Self:
        """The plan of the arguments of ``hierarchy``, and its errors."""
        chosen = make_search(search, model, method, parameters)
        return cls(model, search, chosen, one_number(ask(target, model.labels, model.link)), tree, tagger)

    def explain(self, texts: Sequence[Text], advance: Callable[[], object] = lambda: None) -> list[Hierarchy]:
        """The hierarchies of texts that the model has read, in order; ``advance`` is called after each."""
        trees = trees_for(texts, self.tree, lambda: self.tagger or _tagger())
        found: list[Hierarchy | None] = [None] * len(texts)
        for number, result in grow(self.model, texts, self.name, self.search, self.asked, trees):
            found[number] = result
            advance()
        return cast(list[Hierarchy], found)


@overload
def interactions(model: Classifier | str, text: Raw, kind: str = "shapley", **options: Any) -> Interactions: ...
@overload
def interactions(
    model: Classifier | str, text: list[Raw] | list[str], kind: str = "shapley", **options: Any
) -> list[Interactions]: ...


def interactions(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str],
    kind: str = "shapley",
    target: str | int | None = None,
    **parameters: Any,
) -> Interactions | list[Interactions]:
    """What every two words do to the number together, beyond what each does: of one text or several.

    ``kind``: ``shapley`` (the Shapley interaction index), ``removal`` (in the whole text) or ``alone`` (without all
    other words); ``hierarchy.interactions.Pairwise`` has the formulas and the ``parameters`` (how, samples, exact,
    seed). ``target`` is one number, as for ``explain``. Raises as ``explain``.
    """
    classifier = as_model(model)
    asked = one_number(ask(target, classifier.labels, classifier.link))
    pairwise = Pairwise(**fitted(Pairwise, "interactions", {"kind": kind, **parameters}))
    several = text if isinstance(text, list) else [text]
    read = [read_text(classifier, raw, number, len(several)) for number, raw in enumerate(several)]
    found: list[Interactions | None] = [None] * len(read)
    for number, one in in_batches(read, lambda some: pairwise(classifier, some, asked), "interactions"):
        found[number] = one
    results = cast(list[Interactions], found)
    return results if isinstance(text, list) else results[0]


def language(name: str = "bundled") -> LanguageModel:
    """A language model that draws words: ``bundled``, a folder, or a masked Hugging Face model (name or folder).

    Any object with a ``name`` and a ``sample`` as ``core.language.LanguageModel`` says is one too. Raises FileError for
    what is missing or damaged.
    """
    from exegesis.models.masked import open_language

    found: LanguageModel = open_language(name)
    return found


register_opener(language)  # methods that draw words know them by name


def _spans(level: str, spans: object, tagger: Tagger | None) -> Spans | None:
    if level not in (*LEVELS, "all"):
        raise unknown("level", level, (*LEVELS, "all"))
    if isinstance(spans, str) and spans != "all":
        raise unknown("choice of spans", spans, ("all",))
    pairs = [] if spans is None or isinstance(spans, str) else _pairs(spans)
    names = LEVELS[1:] if level == "all" else () if level == "word" else (level,)
    if not names and spans is None:
        return None

    def find(text: Text) -> list[tuple[str, Span]]:
        found: list[tuple[str, Span]] = []
        if names:
            parts = word_levels(text.word_strings(), tagger or _tagger())
            found += [(name, text.over(span)) for name in names for span in parts[name]]
        count = len(text.words)
        if spans == "all":
            found += [("span", text.over(Span(q, r))) for q in range(count) for r in range(q + 1, count + 1)]
        return found + [("span", text.over(span)) for span in pairs]

    return find


def _pairs(spans: object) -> list[Span]:
    """The user's spans of word numbers. Raises UsageError for anything else."""
    whole = isinstance(spans, Sequence) and all(
        isinstance(one, Sequence) and len(one) == 2 and all(isinstance(edge, int) for edge in one) for one in spans
    )
    if not whole:
        raise UsageError(f"spans are pairs of word numbers (start, stop), as [(0, 2), (3, 4)], or 'all', not {spans!r}")
    return [Span(*one) for one in cast(Sequence[tuple[int, int]], spans)]


@lru_cache(1)
def _tagger() -> Tagger:
    return default_tagger()


@contextmanager
def bar(shown: bool, total: int, what: str, done: int = 0) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error that is gone at the end."""
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda: progress.advance(task)


def each_method(given: Iterable[str]) -> list[str]:
    """Method names as a user lists them, commas allowed, doubles dropped."""
    return list(dict.fromkeys(name.strip() for one in given for name in one.split(",") if name.strip()))
