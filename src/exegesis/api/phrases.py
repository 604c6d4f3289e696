"""Hierarchies of phrases, and interactions of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, overload

from exegesis.api.each import Advance, answered, in_order
from exegesis.api.inputs import Column, bundled_tagger
from exegesis.api.models import as_model
from exegesis.api.recommended import Place, chosen
from exegesis.core.text import Text
from exegesis.engine.methods import Method
from exegesis.engine.run import in_batches
from exegesis.models.tagger import Tagger
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Ask, ask
from exegesis.questions.phrases.catalogue import make_search, trees_for
from exegesis.questions.phrases.interactions import KINDS, Pairwise
from exegesis.questions.phrases.search import Search, grow, one_number
from exegesis.results.hierarchy import Hierarchy
from exegesis.results.interactions import Interactions


@overload
def hierarchy(model: Classifier | str, text: Raw, search: str = "acd", **options: Any) -> Hierarchy: ...
@overload
def hierarchy(
    model: Classifier | str, text: list[Raw] | list[str] | Column, search: str = "acd", **options: Any
) -> list[Hierarchy]: ...


def hierarchy(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    search: str = "acd",
    target: str | int | None = None,
    *,
    method: str | Method | None = None,
    tree: object = None,
    tagger: Tagger | None = None,
    recommendation: Place = None,
    progress: bool = False,
    **parameters: Any,
) -> Hierarchy | list[Hierarchy]:
    """Which phrases, and how do they act together? A tree of nested phrases with a score each, of one text or several.

    ``search``: ``acd`` joins words from below, with the score of any ``method`` that scores phrases (contextual
    decomposition where the model can serve it, else leave-one-out); ``soc`` and ``scd`` do so with the scores of those
    names; ``hedge`` cuts from above where parts interact least, and scores leads of the label over the strongest other;
    ``parse`` follows a tree with the scores of any method; ``owen`` gives Owen values on a tree. ``tree`` are the
    phrases to follow, as spans of word numbers (a list of such lists for several texts); without it they are the
    phrases and clauses that ``tagger`` finds, as for ``explain``.
    ``method="best"`` is the method of a saved ``recommendation``, as for ``explain``.

    ``target`` is one number, as for ``explain``; ``parameters`` are those of the search and of its method. Raises as
    ``explain``, and SpanError where phrases cross.
    """
    classifier = as_model(model)
    method, parameters = chosen(classifier, method, parameters, recommendation, model)
    plan = Growth.of(classifier, search, method, parameters, target, tree, tagger)
    return answered(classifier, text, plan.explain, search, progress)


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

    def explain(self, texts: Sequence[Text], advance: Advance = lambda: None) -> list[Hierarchy]:
        """The hierarchies of texts that the model has read, in order; ``advance`` is called after each."""
        trees = trees_for(texts, self.tree, lambda: self.tagger or bundled_tagger())
        return in_order(grow(self.model, texts, self.name, self.search, self.asked, trees), advance)


@overload
def interactions(model: Classifier | str, text: Raw, kind: str = "shapley", **options: Any) -> Interactions: ...
@overload
def interactions(
    model: Classifier | str, text: list[Raw] | list[str] | Column, kind: str = "shapley", **options: Any
) -> list[Interactions]: ...


def interactions(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    kind: str = "shapley",
    target: str | int | None = None,
    *,
    progress: bool = False,
    **parameters: Any,
) -> Interactions | list[Interactions]:
    """What every two words do to the number together, beyond what each does: of one text or several.

    ``kind``: ``shapley`` (the Shapley interaction index), ``removal`` (in the whole text) or ``alone`` (without all
    other words); ``hierarchy.interactions.Pairwise`` has the formulas and the ``parameters`` (how, samples, exact,
    seed, most). ``target`` is one number, as for ``explain``. Raises as ``explain``, and UsageError, before any text is
    run, for a text of too many pairs (for ``removal`` from 501 words on, for ``shapley`` from 72).
    """
    classifier = as_model(model)
    asked = one_number(ask(target, classifier.labels, classifier.link))
    pairwise = KINDS.make(kind, parameters)
    return answered(classifier, text, partial(joint_effects, classifier, pairwise, asked), "interactions", progress)


def joint_effects(
    model: Classifier,
    pairwise: Pairwise,
    asked: Ask,
    texts: Sequence[Text],
    advance: Advance = lambda: None,
) -> list[Interactions]:
    """The interactions of texts that the model has read, in order; ``advance`` is called after each."""
    for number, text in enumerate(texts, 1):
        pairwise.affordable(text, f"text {number} of {len(texts)}: " if len(texts) > 1 else "")
    return in_order(in_batches(texts, lambda some: pairwise(model, some, asked), "interactions"), advance)
