"""What hidden states hold: the information of each word, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import Column, answered, in_order, read_texts, several
from exegesis.api.models import as_model
from exegesis.core.parameters import fitted
from exegesis.core.text import Text
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish, ask
from exegesis.questions.inside.information import Layers, Measure
from exegesis.questions.inside.information import information as informed
from exegesis.results.information import Information


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
    steps, tolerance, seed). ``target`` only names a number in the header.

    Raises the errors of ``explain``; UnsupportedError for a model whose states are out of sight.
    """
    classifier, measure = as_model(model), Measure(**fitted(Measure, "information", parameters))
    choice = ask(target, classifier.labels, classifier.link)
    listed = several(reference) if reference is not None else None
    drawn = None if reference is None else read_texts(classifier, listed if listed is not None else [reference])

    def work(read: Sequence[Text], advance: Advance) -> list[Information]:
        return in_order(informed(classifier, read, measure, choice, layers, drawn), advance)

    return answered(classifier, text, work, "information", progress)
