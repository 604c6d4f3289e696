"""Scores of words and spans, predictions, relevance inside a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, cast, overload

from exegesis.api.each import Advance, answered, in_order
from exegesis.api.inputs import Column, read_text, read_texts, several, spans_of, without_blanks
from exegesis.api.models import as_model, preferred
from exegesis.api.recommended import Place, chosen
from exegesis.api.spans import of_each, spans_each
from exegesis.core.text import Text
from exegesis.data.examples import is_blank
from exegesis.engine.methods import Method, card_of, make, require
from exegesis.engine.run import Spans, run
from exegesis.models.tagger import Tagger
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Ask, ask
from exegesis.results.attribution import Attribution
from exegesis.results.relevance import Relevance


@overload
def explain(
    model: Classifier | str,
    text: Raw,
    method: str | Method | None = None,
    target: str | int | None = None,
    **options: Any,
) -> Attribution: ...
@overload
def explain(
    model: Classifier | str,
    text: list[Raw] | list[str] | Column,
    method: str | Method | None = None,
    target: str | int | None = None,
    **options: Any,
) -> list[Attribution]: ...


def explain(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    method: str | Method | None = None,
    target: str | int | None = None,
    *,
    level: str = "word",
    spans: object = None,
    tagger: Tagger | None = None,
    trust: bool = False,
    recommendation: Place = None,
    skip_blank: bool = False,
    progress: bool = False,
    **parameters: Any,
) -> Attribution | list[Attribution]:
    """Why did the model say this about this text? One text gives one result, a list gives a list.

    ``text`` is a string, or a pair (a tuple of two strings) for a model of pairs; an array or a column of a table
    counts as a list. ``method`` is a name (see ``methods``), with its ``parameters`` as further arguments, or a method
    value; by default the first of reat, integrated-gradients and leave-one-out that the model can serve. ``"best"`` is
    the method that ``recommend`` found for this model, with its parameters: saved in the file ``recommendation``, else
    in the one that the environment variable ``EXEGESIS_RECOMMENDATION`` names, else beside a model that is given as a
    folder (``recommendation.json``).

    ``target``: by default the logit of each text's predicted class; a label or its number; ``"all"`` for every class
    at once; ``"probability:LABEL"``; ``"margin:A,B"`` (see ``core.target.ask``).

    ``level``: ``word``, or also ``phrase``, ``clause``, ``text``, or ``all`` of them (REAT paper, Sec. 3.3), found by
    ``tagger``, by default the bundled one. ``spans``: further spans of word numbers (start, stop): one list
    for all texts, a list of such lists with one for each text, or ``"all"``.
    Methods that score spans directly (leave-one-out) do; for others a span is the sum of its words.

    ``trust`` puts a trust line into each result's ``details["trust"]``: what its top words do to the prediction beside
    random words, how other methods rank the words, and what it leaves unexplained (see ``evaluate.line.with_trust``).

    ``skip_blank`` leaves blank and missing texts of a list out of the results, with their own lists of ``spans``, and
    the log names them; without it they are an error.

    Raises UsageError for wrong arguments, TextError for a text that cannot be explained (named by its number in a
    list), UnsupportedError where the model cannot serve the method, ModelError where it misbehaves.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    each = of_each(spans)
    plan = Plan.of(classifier, method, parameters, target, level, None if each else spans, tagger, trust)
    many = several(text)
    given = text if many is None else without_blanks(many, skip_blank)
    if each is not None and many is not None and skip_blank and len(each) == len(many):
        each = [one for one, raw in zip(each, many, strict=True) if not is_blank(raw)]

    def work(read: Sequence[Text], advance: Advance) -> list[Attribution]:
        if each is None:
            return plan.explain(read, advance)
        own = [replace(one) for one in read]  # told apart by identity, also where one stands twice
        return replace(plan, spans=spans_each(level, each, tagger, own)).explain(own, advance)

    return answered(classifier, given, work, plan.name, progress)


@dataclass(frozen=True, eq=False)
class Plan:
    """One call of ``explain``, its arguments checked before any text is read: a method on a model, for a target."""

    model: Classifier
    method: Method
    asked: Ask
    spans: Spans | None
    trust: bool = False

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
        trust: bool = False,
    ) -> Self:
        """The plan of the arguments of ``explain``, and its errors."""
        chosen = make(method or preferred(model), parameters)
        require(model, chosen)
        return cls(model, chosen, ask(target, model.labels, model.link), spans_of(level, spans, tagger), trust)

    @property
    def name(self) -> str:
        return card_of(self.method).name

    def explain(self, texts: Sequence[Text], advance: Advance = lambda: None) -> list[Attribution]:
        """The results of texts that the model has read, in order; ``advance`` is called after each."""
        explained = in_order(run(self.model, texts, self.method, self.asked, self.spans), advance)
        if not self.trust:
            return explained
        from exegesis.questions.trust.line import with_trust

        return with_trust(self.model, explained)


@overload
def predict(model: Classifier | str, texts: Raw) -> dict[str, float]: ...
@overload
def predict(model: Classifier | str, texts: list[Raw] | list[str] | Column) -> list[dict[str, float]]: ...


def predict(
    model: Classifier | str, texts: Raw | list[Raw] | list[str] | Column
) -> dict[str, float] | list[dict[str, float]]:
    """Each label's probability: of one text, or of each text of a list."""
    many = several(texts)
    if many is None:
        return predict(model, [cast(Raw, texts)])[0]
    from exegesis.engine.run import PIECES, ROWS, finite
    from exegesis.protocols.batch import groups

    classifier = as_model(model)
    read = read_texts(classifier, many)
    found: list[dict[str, float]] = [{} for _ in read]
    for rows in groups([len(text) for text in read], PIECES, ROWS):
        raw = finite(classifier.outputs(classifier.encode([read[row] for row in rows])), classifier, "outputs")
        for row, each in zip(rows, classifier.link.probabilities(raw.cpu().double()).tolist(), strict=True):
            found[row] = dict(zip(classifier.labels, each, strict=True))
    return found


def relevance(model: Classifier | str, text: Raw, target: str | int | None = None, **parameters: Any) -> Relevance:
    """What ``lrp`` hands to every component of every word vector and state of a network, for one number of one text.

    ``parameters`` are those of ``lrp``, ``target`` is as in ``explain``, of one number. The result tells what its
    ``states`` are called (see ``Relevance``). Errors are those of ``explain``.
    """
    from exegesis.questions.inside.relevance import relevance_at
    from exegesis.questions.words.lrp import Lrp

    classifier, method = as_model(model), make("lrp", parameters)
    asked = ask(target, classifier.labels, classifier.link)
    return relevance_at(classifier, read_text(classifier, text), cast(Lrp, method), asked)
