"""Rationales: the words on which a decision rests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import Column, answered, in_order
from exegesis.api.models import as_model
from exegesis.api.recommended import Place, chosen
from exegesis.core.text import Text
from exegesis.engine.cost import allowed
from exegesis.engine.methods import Method, make
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish, ask
from exegesis.questions.rationales.run import rationales
from exegesis.results.rationale import Rationale


@overload
def rationale(
    model: Classifier | str, text: Raw, method: str | Method | None = None, target: Wish = None, **options: Any
) -> Rationale: ...
@overload
def rationale(
    model: Classifier | str,
    text: list[Raw] | list[str] | Column,
    method: str | Method | None = None,
    target: Wish = None,
    **options: Any,
) -> list[Rationale]: ...


@entry
def rationale(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    method: str | Method | None = None,
    target: Wish = None,
    *,
    share: float = 0.2,
    contiguous: bool = False,
    recommendation: Place = None,
    progress: bool = False,
    most: int | None = None,
    **parameters: Any,
) -> Rationale | list[Rationale]:
    """The words on which a decision rests, and what the model says of them alone, without them, and of all words.

    One text gives one result, a list gives a list. By default the rationale is that of the model's own selector, for a
    model of ``exegesis train --arch rationale``: its prediction is made of these words alone. With a ``method`` (with
    its ``parameters``, as for ``explain``) the rationale is made of its scores, for any model: the top ``share`` of the
    words (their number rounded as in ``evaluate``, a half to the even number, at least one), or the ``contiguous`` run
    of as many words with the largest sum (Jain et al. 2020).

    The number explained is the probability of the predicted label, or of the label ``target``; of a regression its
    output. A method that decomposes raw outputs (lrp, reat) scores the words by the label's logit, and the result says
    so. Words are removed. ``most`` limits the passes of the model for a text, as for ``explain``. Raises the errors
    of ``explain``, and UnsupportedError without a method for a model that does not select its words.
    """
    classifier = as_model(model)
    if method is not None:
        method, parameters = chosen(classifier, method, parameters, recommendation, model)
    built = None if method is None else make(method, parameters)
    choice = ask(target, classifier.labels, classifier.link)

    def work(read: Sequence[Text], advance: Advance) -> list[Rationale]:
        return in_order(rationales(classifier, read, choice, built, share, contiguous), advance)

    with allowed(most):
        return answered(classifier, text, work, "rationale", progress)
