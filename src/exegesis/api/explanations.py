"""Explanations: scores of words, hierarchies of phrases, interactions, relevance inside a network; predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, cast, overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import (
    Column,
    answered,
    bundled_tagger,
    in_order,
    of_each,
    several,
    spans_each,
    spans_of,
    without_blanks,
)
from exegesis.api.models import as_model, preferred
from exegesis.api.recommended import Place, chosen
from exegesis.core.text import Text
from exegesis.data.examples import is_blank
from exegesis.engine.answer import in_batches, outputs
from exegesis.engine.cost import allowed, work_of
from exegesis.engine.methods import Method, card_of, make, require
from exegesis.engine.run import Spans, Words, run
from exegesis.models.tagger import Tagger
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Ask, Wish, ask
from exegesis.questions.phrases.catalogue import make_search, trees_for
from exegesis.questions.phrases.interactions import KINDS, Pairwise, interact
from exegesis.questions.phrases.search import Search, grow, one_number
from exegesis.results.attribution import Attribution
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.interactions import Interactions
from exegesis.results.internals.relevance import Relevance


@overload
def explain(
    model: Classifier | str,
    text: Raw,
    method: str | Method | None = None,
    target: Wish = None,
    **options: Any,
) -> Attribution: ...
@overload
def explain(
    model: Classifier | str,
    text: list[Raw] | list[str] | Column,
    method: str | Method | None = None,
    target: Wish = None,
    **options: Any,
) -> list[Attribution]: ...


@entry
def explain(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    method: str | Method | None = None,
    target: Wish = None,
    *,
    level: str = "word",
    spans: object = None,
    tagger: Tagger | None = None,
    trust: bool = False,
    recommendation: Place = None,
    skip_blank: bool = False,
    progress: bool = False,
    most: int | None = None,
    **parameters: Any,
) -> Attribution | list[Attribution]:
    """Explain why the model said this about this text: a score for each word.

    A text gives one result, a list of texts gives a list of results. ``text`` is a string, or a pair (a tuple of two
    strings) for a model of pairs; an array or a column of a table counts as a list. ``method`` is a name (see
    ``methods``), with its ``parameters`` as further arguments, or a method value; by default integrated-gradients, or
    leave-one-out for a model without gradients. ``"best"`` is the method that ``recommend`` chose
    for this model, with its parameters: it is read from the file ``recommendation``, else from the file that the
    environment variable ``EXEGESIS_RECOMMENDATION`` names, else from ``recommendation.json`` in the folder of the
    model.

    ``target``: by default the logit of each text's predicted class; a label or its number; ``"all"`` for every class
    at once; ``"probability:LABEL"``; ``"margin:A,B"`` (see ``exegesis.protocols.target.ask``).

    ``level``: ``word``, or also ``phrase``, ``clause``, ``text``, or ``all`` of them (REAT paper, Sec. 3.3), found by
    ``tagger``, by default the bundled one. ``spans``: further spans of word numbers (start, stop): one list for all
    texts, a list of such lists with one per text, or ``"all"``. Methods that score spans directly (leave-one-out) do
    so; for other methods the score of a span is the sum over its words.

    ``trust`` adds a trust line to each result's ``details["trust"]``: the effect of its top words on the prediction
    beside that of random words, the agreement with other methods, and the part of the number that the scores leave
    unexplained (see ``exegesis.questions.trust.line.with_trust``).

    ``most``: the passes of the model that a text may take, ten million unless it says otherwise. Work of more than half
    a minute is announced in the log, with the time that it takes.

    ``skip_blank`` leaves blank and missing texts of a list, and their lists of ``spans``, out of the results, and the
    log names them; without it they are an error.

    Raises UsageError for wrong arguments, TextError for a text that cannot be explained (named by its number in a
    list), UnsupportedError if the model cannot serve the method, ModelError if the model misbehaves, CapacityError for
    an answer that does not fit into memory.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    lists = of_each(spans)
    plan = Plan.of(classifier, method, parameters, target, level, None if lists else spans, tagger, trust)
    listed = several(text)
    texts = text if listed is None else without_blanks(listed, skip_blank)
    if lists is not None and listed is not None and skip_blank and len(lists) == len(listed):
        lists = [spans for spans, raw in zip(lists, listed, strict=True) if not is_blank(raw)]

    def work(read: Sequence[Text], advance: Advance) -> list[Attribution]:
        if lists is None:
            return plan.explain(read, advance)
        copies = [replace(text) for text in read]  # distinct objects, even if a text occurs twice
        return replace(plan, spans=spans_each(level, lists, tagger, copies)).explain(copies, advance)

    with allowed(most):
        return answered(classifier, texts, work, plan.name, progress, plan.work_of)


@dataclass(frozen=True, eq=False)
class Plan:
    """The checked arguments of ``explain``: a method on a model, for a target, before any text is read."""

    model: Classifier
    method: Method
    choice: Ask
    spans: Spans | None
    trust: bool = False

    @classmethod
    @entry
    def of(
        cls,
        model: Classifier,
        method: str | Method | None = None,
        parameters: Mapping[str, Any] | None = None,
        target: Wish = None,
        level: str = "word",
        spans: object = None,
        tagger: Tagger | None = None,
        trust: bool = False,
    ) -> Self:
        """The plan for the arguments of ``explain``; it raises the errors of ``explain`` for them."""
        chosen = make(preferred(model) if method is None else method, parameters)
        require(model, chosen)
        return cls(model, chosen, ask(target, model.labels, model.link), spans_of(level, spans, tagger), trust)

    @property
    def name(self) -> str:
        """The name of the method."""
        return card_of(self.method).name

    def work_of(self, texts: Sequence[Text]) -> list[float]:
        """How much work each text is, in pieces that the model reads."""
        return work_of(Words(self.method, card_of(self.method), self.spans), texts, self.choice.count)

    @entry
    def explain(self, texts: Sequence[Text], advance: Advance = lambda _: None) -> list[Attribution]:
        """The results of texts that the model has read, in order; ``advance`` is called after each."""
        explained = in_order(run(self.model, texts, self.method, self.choice, self.spans), advance)
        if not self.trust:
            return explained
        from exegesis.questions.trust.line import with_trust

        return with_trust(self.model, explained)


@overload
def predict(model: Classifier | str, texts: Raw) -> dict[str, float]: ...
@overload
def predict(model: Classifier | str, texts: list[Raw] | list[str] | Column) -> list[dict[str, float]]: ...


@entry
def predict(
    model: Classifier | str, texts: Raw | list[Raw] | list[str] | Column
) -> dict[str, float] | list[dict[str, float]]:
    """The probability of each label, for one text or for each text of a list; of a regression its plain numbers.

    Raises UsageError and TextError for a text that cannot be read, ModelError if the model's outputs are not finite.
    """
    classifier = as_model(model)

    def work(read: Sequence[Text], advance: Advance) -> list[dict[str, float]]:
        def numbers(part: Sequence[Text]) -> list[dict[str, float]]:
            _, raw = outputs(classifier, part)
            rows = classifier.link.numbers(raw.cpu().double()).tolist()
            return [dict(zip(classifier.labels, row, strict=True)) for row in rows]

        return in_order(in_batches(read, numbers, "predict", classifier), advance)

    return answered(classifier, texts, work, "predict", False)


@overload
def relevance(model: Classifier | str, text: Raw, target: Wish = None, **options: Any) -> Relevance: ...
@overload
def relevance(
    model: Classifier | str,
    text: list[Raw] | list[str] | Column,
    target: Wish = None,
    **options: Any,
) -> list[Relevance]: ...


@entry
def relevance(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    target: Wish = None,
    *,
    progress: bool = False,
    **parameters: Any,
) -> Relevance | list[Relevance]:
    """The relevance that ``lrp`` gives to every component of every word vector and state of a network.

    One text gives one result, a list gives a list. ``parameters`` are those of ``lrp``, ``target`` is one number, as
    for ``explain``. See ``Relevance`` for the names of its ``states``. Raises the errors of ``explain``.
    """
    from exegesis.questions.attributions.lrp import Lrp
    from exegesis.questions.inside.relevance import relevances

    classifier, method = as_model(model), cast(Lrp, make("lrp", parameters))
    choice = ask(target, classifier.labels, classifier.link)

    def work(read: Sequence[Text], advance: Advance) -> list[Relevance]:
        return in_order(relevances(classifier, read, method, choice), advance)

    return answered(classifier, text, work, "relevance", progress)


@overload
def hierarchy(model: Classifier | str, text: Raw, search: str = "acd", **options: Any) -> Hierarchy: ...
@overload
def hierarchy(
    model: Classifier | str, text: list[Raw] | list[str] | Column, search: str = "acd", **options: Any
) -> list[Hierarchy]: ...


@entry
def hierarchy(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    search: str = "acd",
    target: Wish = None,
    *,
    method: str | Method | None = None,
    tree: object = None,
    tagger: Tagger | None = None,
    recommendation: Place = None,
    progress: bool = False,
    most: int | None = None,
    **parameters: Any,
) -> Hierarchy | list[Hierarchy]:
    """Find the phrases of a text and their joint effects: a tree of nested phrases with a score for each.

    One text gives one result, a list gives a list. ``search``: ``acd`` joins words from below, scored by any ``method``
    that scores phrases (by default contextual decomposition if the model can serve it, else leave-one-out); ``soc`` and
    ``scd`` do so with the scores of the methods of these names; ``hedge`` cuts the text from above at the weakest
    interactions, and scores the lead of the label over the strongest other label; ``parse`` follows a tree with the
    scores of any method; ``owen`` gives Owen values on a tree. ``tree`` has the phrases to follow, as spans of word
    numbers (a list of such lists for several texts); by default they are the phrases and clauses that ``tagger`` finds,
    as for ``explain``. ``method="best"`` is the method of a saved ``recommendation``, as for ``explain``.

    ``target`` is one number and ``most`` a limit, as for ``explain``; ``parameters`` are those of the search and of its
    method. Raises the errors of ``explain``, and SpanError if phrases cross.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Growth.of(classifier, search, method, parameters, target, tree, tagger)
    with allowed(most):
        return answered(classifier, text, plan.explain, search, progress)


@dataclass(frozen=True, eq=False)
class Growth:
    """The checked arguments of ``hierarchy``: a search on a model, for a target, before any text is read."""

    model: Classifier
    name: str
    search: Search
    choice: Ask
    tree: object = None
    tagger: Tagger | None = None

    @classmethod
    @entry
    def of(
        cls,
        model: Classifier,
        search: str,
        method: str | Method | None = None,
        parameters: Mapping[str, Any] | None = None,
        target: Wish = None,
        tree: object = None,
        tagger: Tagger | None = None,
    ) -> Self:
        """The plan for the arguments of ``hierarchy``; it raises the errors of ``hierarchy`` for them."""
        chosen = make_search(search, model, method, parameters)
        return cls(model, search, chosen, one_number(ask(target, model.labels, model.link)), tree, tagger)

    @entry
    def explain(self, texts: Sequence[Text], advance: Advance = lambda _: None) -> list[Hierarchy]:
        """The hierarchies of texts that the model has read, in order; ``advance`` is called after each."""
        trees = trees_for(texts, self.tree, lambda: self.tagger or bundled_tagger())
        return in_order(grow(self.model, texts, self.name, self.search, self.choice, trees), advance)


@overload
def interactions(model: Classifier | str, text: Raw, kind: str = "shapley", **options: Any) -> Interactions: ...
@overload
def interactions(
    model: Classifier | str, text: list[Raw] | list[str] | Column, kind: str = "shapley", **options: Any
) -> list[Interactions]: ...


@entry
def interactions(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    kind: str = "shapley",
    target: Wish = None,
    *,
    progress: bool = False,
    **parameters: Any,
) -> Interactions | list[Interactions]:
    """The interaction of every two words: their joint effect on the number beyond the effect of each.

    One text gives one result, a list gives a list. ``kind``: ``shapley`` (the Shapley interaction index), ``removal``
    (in the whole text) or ``alone`` (without all other words); ``exegesis.questions.phrases.interactions.Pairwise`` has
    the formulas and the ``parameters`` (how, samples, exact, seed, most). ``target`` is one number, as for ``explain``.

    Raises the errors of ``explain``, and UsageError, before any text is run, for a text with too many pairs (from 501
    words for ``removal``, from 72 for ``shapley``).
    """
    classifier = as_model(model)
    choice = one_number(ask(target, classifier.labels, classifier.link))
    pairwise = KINDS.make(kind, parameters)
    return answered(classifier, text, partial(joint_effects, classifier, pairwise, choice), "interactions", progress)


@entry
def joint_effects(
    model: Classifier,
    pairwise: Pairwise,
    choice: Ask,
    texts: Sequence[Text],
    advance: Advance = lambda _: None,
) -> list[Interactions]:
    """The interactions of texts that the model has read, in order; ``advance`` is called after each."""
    return in_order(interact(model, texts, pairwise, choice), advance)
