"""Concepts: how a model that decides through concepts came to its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import Column, answered, in_order
from exegesis.api.models import as_model
from exegesis.core.text import Text
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish, ask
from exegesis.questions.inside.concepts import decisions
from exegesis.results.internals.decision import ConceptDecision


@overload
def concepts(model: Classifier | str, text: Raw, target: Wish = None, *, progress: bool = False) -> ConceptDecision: ...
@overload
def concepts(
    model: Classifier | str, text: list[Raw] | list[str] | Column, target: Wish = None, *, progress: bool = False
) -> list[ConceptDecision]: ...


@entry
def concepts(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    target: Wish = None,
    *,
    progress: bool = False,
) -> ConceptDecision | list[ConceptDecision]:
    """The excerpt that each concept of a model reads, whether the concept is present, and what it adds.

    For models of ``exegesis train --arch concepts``. One text gives one result, a list gives a list. The numbers are
    those of ``target``: a logit (by default of the predicted label) or a margin; the concepts' parts and the output
    bias add up to them.

    Raises the errors of ``explain``; UnsupportedError for a model that does not decide through concepts
    (``exegesis.study.concepts`` tests concepts of any other) and for a probability, which no sum of concepts gives.
    """
    classifier = as_model(model)
    choice = ask(target, classifier.labels, classifier.link)

    def work(read: Sequence[Text], advance: Advance) -> list[ConceptDecision]:
        return in_order(decisions(classifier, read, choice), advance)

    return answered(classifier, text, work, "concepts", progress)
