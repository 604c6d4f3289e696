"""What hidden states hold: the information of each word, and the attributes of one, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import Column, answered, in_order, read_texts, several
from exegesis.api.models import as_model
from exegesis.core.errors import unknown
from exegesis.core.parameters import fitted
from exegesis.core.text import Text
from exegesis.data.concepts import read_concepts
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish, ask
from exegesis.questions.inside.attributes import attributes as described
from exegesis.questions.inside.information import Layers, Measure
from exegesis.questions.inside.information import information as informed
from exegesis.results.internals.attributes import SUBSTITUTION, Attributes
from exegesis.results.internals.information import Information


@overload
def information(model: Classifier | str, text: Raw, layers: Layers = "all", **options: Any) -> Information: ...
@overload
def information(
    model: Classifier | str, text: list[Raw] | list[str] | Column, layers: Layers = "all", **options: Any
) -> list[Information]: ...


@entry
def information(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    layers: Layers = "all",
    target: Wish = None,
    *,
    reference: list[Raw] | list[str] | Column | None = None,
    progress: bool = False,
    **parameters: Any,
) -> Information | list[Information]:
    """How much of each word every layer still holds: the noise that each word's vector bears (Guan et al. 2019).

    One text gives one result, a list gives a list. ``layers`` are sites by name: ``all`` layers, or some of
    ``layer 1``, ``layer 2 step 3``, ``layer 2 last step``, ``pooled``, ``width 3`` of a convolution, ``word vectors``,
    or the path of any submodule; a name that does not exist raises an error that lists those that do. ``reference``
    are the texts whose words normalise the states, by default the texts themselves: give the same ones wherever
    results are compared.

    ``parameters`` are those of ``exegesis.questions.inside.information.Measure`` (rate, samples, pairs, most, probes,
    steps, tolerance, seed, rows). ``target`` only names a number in the header.

    Raises the errors of ``explain``; UnsupportedError for a model whose states are out of sight.
    """
    classifier, measure = as_model(model), Measure(**fitted(Measure, "information", parameters))
    choice = ask(target, classifier.labels, classifier.link)
    listed = several(reference) if reference is not None else None
    drawn = None if reference is None else read_texts(classifier, listed if listed is not None else [reference])

    def work(read: Sequence[Text], advance: Advance) -> list[Information]:
        return in_order(informed(classifier, read, measure, choice, layers, drawn), advance)

    return answered(classifier, text, work, "information", progress)


@entry
def attributes(
    model: Classifier | str,
    text: str,
    word: str | int,
    concepts: object,
    layers: Layers = "all",
    target: Wish = None,
    *,
    reading: str = SUBSTITUTION,
    random: Sequence[str] | None = None,
    reference: list[Raw] | list[str] | Column | None = None,
    **parameters: Any,
) -> Attributes:
    """What every layer holds of a word beyond what it shares with the words of a concept (Guan et al. 2019, Eqs. 8, 9).

    ``word`` is a word of the text, at its first place, or its number from 0. ``concepts`` are words by the name of
    each concept, or files or a folder of word lists (see ``exegesis.data.concepts.read_concepts``). ``reading`` says
    what the likelihood of other words is: ``substitution`` puts them in and runs the model, ``gaussian`` takes the
    fitted noise (``Attributes`` has the formulas). ``random`` are the words of the expectation over all words, by
    default those of all concepts. ``reference`` are texts for the normaliser, by default the text and the concepts'
    words; ``layers``, ``target`` and ``parameters`` are those of ``information``.

    Raises the errors of ``information``, TextError for a concept none of whose words can stand in the word's place.
    """
    classifier, measure = as_model(model), Measure(**fitted(Measure, "attributes", parameters))
    choice, sets = ask(target, classifier.labels, classifier.link), read_concepts(concepts)
    (read,) = read_texts(classifier, [text])
    number = word if isinstance(word, int) else _place(read, word)
    own: list[Any] = [text, *(one for words in sets.values() for one in words)] if reference is None else []
    drawn = read_texts(classifier, own if reference is None else several(reference) or [reference])
    found = described(classifier, read, number, sets, measure, choice, layers, reading, drawn, random)
    return next(result for _, result in found)


def _place(text: Text, word: str) -> int:
    """The number of the first place of a word. Raises UsageError if the text does not hold it."""
    words = text.word_strings()
    if word not in words:
        raise unknown("word of the text", word, tuple(dict.fromkeys(words)))
    return words.index(word)
