"""Training texts: which of them made the model say this."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast, overload

from exegesis.api.bars import Advance, bar
from exegesis.api.inputs import Column, answered, in_order
from exegesis.api.models import as_model
from exegesis.core.containers import shown
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.parameters import at_least, fitting
from exegesis.core.text import Text
from exegesis.data.examples import Example, read_examples
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw, missing
from exegesis.protocols.target import Wish
from exegesis.protocols.trained import Trained
from exegesis.results.influence import Influence

Training = str | os.PathLike[str] | Sequence[Example] | Sequence[tuple[str, str]]


@overload
def influence(
    model: Classifier | str, train: Training, text: Raw, method: object = "influence-functions", **options: Any
) -> Influence: ...
@overload
def influence(
    model: Classifier | str,
    train: Training,
    text: list[Raw] | list[str] | Column,
    method: object = "influence-functions",
    **options: Any,
) -> list[Influence]: ...


@entry
def influence(
    model: Classifier | str,
    train: Training,
    text: Raw | list[Raw] | list[str] | Column,
    method: object = "influence-functions",
    target: Wish = None,
    *,
    top: int = 5,
    words: bool = False,
    word: int | str | None = None,
    saliency: str = "x-input",
    pool: Training | None = None,
    progress: bool = False,
    **parameters: Any,
) -> Influence | list[Influence]:
    """Which training texts made the model say this about this text, and which speak against it.

    One text gives one result, a list gives a list, whose texts share the work on the training data. ``train`` holds the
    texts that the model was trained on with their labels: examples, (text, label) tuples, or what ``read_examples``
    reads. ``method`` is a name (see ``influence_methods``), with its ``parameters`` as further arguments, or a method
    value. Every training text gets a score, above zero if it **helps** (it makes the number explained larger) and below
    if it **hurts**, whatever the method; ``top`` of each kind are named in the result.

    ``words`` scores the words of the training texts named: the part of the text's score that goes when the word is left
    out. ``word`` asks which training texts make the model look at a word of the text (by its number from 0, its
    characters, or ``"top"``, the most salient one): the number explained is then the word's saliency for the target
    (by default the logit),
    ``saliency`` one of ``x-input``, ``l2`` and ``integrated`` (survey of Sun et al. 2021, Sec. 5, Eqs. 28 to 31). Both
    need a method whose scores are products of gradients.

    ``pool`` are labelled texts that the model was not trained on: they are scored in the place of the training texts,
    by what training on them would do; the curvature of the loss stays that of ``train``. It needs such a method too.

    ``target`` is one number: by default the log-probability of each text's predicted label; a label means its
    log-probability; ``logit:LABEL``, ``probability:LABEL`` and ``margin:A,B`` are as for ``explain``.

    Raises UsageError for wrong arguments, for training texts without labels or with labels that the model does not
    know, UnsupportedError if the model cannot serve the method, and the errors of ``explain``.
    """
    from exegesis.questions.sources.method import METHODS
    from exegesis.questions.sources.method import Training as Read
    from exegesis.questions.sources.number import asked
    from exegesis.questions.sources.run import influences
    from exegesis.questions.sources.words import Word

    import_methods()
    classifier = as_model(model)
    chosen = METHODS.make(method, parameters)
    choice = asked(target, classifier.labels, classifier.link, plain=word is not None)
    count = fitting("top", Annotated[int, at_least(1)], top)
    training = Read.of(classifier, examples_of(train), later=bool(getattr(chosen, "index", "")))

    others = None if pool is None else Read.of(classifier, examples_of(pool))
    salient = None if word is None else Word(cast(Any, word), cast(Any, saliency))

    def work(read: Sequence[Text], advance: Advance) -> list[Influence]:
        found = influences(classifier, training, read, chosen, choice, count, salient, words, others)
        return in_order(found, advance)

    return answered(classifier, text, work, "influence", progress)


@entry
def index(
    model: Classifier | str,
    train: Training,
    folder: str | os.PathLike[str],
    *,
    layers: Sequence[str] = (),
    gradients: int = 0,
    weights: str = "",
    seed: int = 0,
    progress: bool = False,
) -> Path:
    """Write what a model makes of its training texts into a folder, once, for ``influence(..., index=folder)``.

    The folder gets the representation of each text (the vector that the last linear layer reads, and those at
    ``layers``, named as for ``exegesis.information``) for ``nearest`` and ``fast-influence``, and, with ``gradients``,
    the gradient of its log odds projected to about so many numbers for each weight (of ``weights``, by ``seed``) for
    ``random-projections``. Texts are read and written in blocks, so memory does not grow with them; a run that was
    killed goes on with the same call. The folder belongs to the model as it is (its fingerprint) and to these texts in
    this order: it is refused for others. Returns the folder.

    Raises the errors of ``influence``, and FileError for a folder that holds something else.
    """
    from exegesis.questions.sources.store import Store, Wanted

    classifier = as_model(model)
    reasons = missing(classifier, Trained)
    if reasons:
        raise UnsupportedError(f"an index needs a model whose weights can be seen: {next(iter(reasons.values()))}")
    examples = examples_of(train)
    wanted = Wanted(tuple(layers), gradients, weights, seed)
    with bar(progress, len(examples), "texts") as advance:

        def told(count: int) -> None:
            for _ in range(count):
                advance()

        return Store.build(folder, cast(Trained, classifier), examples, wanted, told).folder


def influence_methods() -> tuple[Any, ...]:
    """The cards of all methods that score training texts, by name: what a score is, its unit, its paper."""
    from exegesis.questions.sources.method import METHODS

    import_methods()
    return tuple(METHODS)


def import_methods() -> None:
    """Register the methods; only questions about training texts load them."""
    import exegesis.questions.sources  # noqa: F401


def examples_of(train: object) -> list[Example]:
    """Training texts as examples. Raises UsageError for anything that is not, FileError for a file that is none."""
    if isinstance(train, str | os.PathLike):
        source = os.fspath(train)
        return read_examples(source, split="train" if os.path.isdir(source) else None)
    if not isinstance(train, Sequence):
        raise UsageError(f"training texts are a file, examples or (text, label) tuples, not {shown(train)}")
    found = []
    for number, given in enumerate(train, 1):
        if isinstance(given, Example):
            found.append(given)
        elif isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str | tuple):
            found.append(Example.of(given[0], str(given[1])))
        else:
            raise UsageError(f"training text {number} is no example and no (text, label) tuple: {shown(given)}")
    return found
