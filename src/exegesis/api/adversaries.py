"""What a text's words are pulled to where a prediction is to fall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import Column, answered, in_order
from exegesis.api.models import as_model
from exegesis.core.parameters import fitted
from exegesis.core.text import Text
from exegesis.models.lexicon import lexicon_of
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish, ask
from exegesis.questions.inside.adversary import Moving, adversaries, require_movable
from exegesis.results.internals.adversary import Adversary


@overload
def adversarial(model: Classifier | str, text: Raw, target: Wish = None, **options: Any) -> Adversary: ...
@overload
def adversarial(
    model: Classifier | str, text: list[Raw] | list[str] | Column, target: Wish = None, **options: Any
) -> list[Adversary]: ...


@entry
def adversarial(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    target: Wish = None,
    *,
    words: Sequence[str] | None = None,
    progress: bool = False,
    **parameters: Any,
) -> Adversary | list[Adversary]:
    """Which words each word is pulled to where a prediction is to fall: an interpretable adversary (Sato et al. 2018).

    One text gives one result, a list gives a list. The label of ``target`` (by default the predicted one) is to become
    less likely; word vectors move towards other words only: those of ``words``, by default of the model's vocabulary,
    that are one piece each. ``parameters`` are ``budget``, ``neighbours`` and ``steps`` (see
    ``exegesis.questions.inside.adversary.Moving``); see ``Adversary`` for what comes of it, a real sentence with words
    replaced among it.

    Raises the errors of ``explain``; UnsupportedError for a model whose word vectors, probabilities or vocabulary are
    out of sight.
    """
    classifier, moving = as_model(model), Moving(**fitted(Moving, "adversarial", parameters))
    choice = ask(target, classifier.labels, classifier.link)
    require_movable(classifier, choice)
    lexicon = lexicon_of(classifier, words)

    def work(read: Sequence[Text], advance: Advance) -> list[Adversary]:
        return in_order(adversaries(classifier, read, moving, choice, lexicon), advance)

    return answered(classifier, text, work, "adversarial", progress)
