"""What goes on inside a model on its way to an answer: attention and gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from exegesis.api.bars import Advance
from exegesis.api.inputs import Column, answered, in_order
from exegesis.api.models import as_model
from exegesis.core.text import Text
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier, Raw
from exegesis.protocols.target import Wish, ask
from exegesis.questions.inside.attention import attention_maps
from exegesis.questions.inside.gates import gate_curves
from exegesis.questions.inside.maps import MAPS
from exegesis.results.internals.attention import AttentionMaps
from exegesis.results.internals.gates import Gates


@overload
def attention(
    model: Classifier | str, text: Raw, method: str | object = "attention", target: Wish = None, **options: Any
) -> AttentionMaps: ...
@overload
def attention(
    model: Classifier | str,
    text: list[Raw] | list[str] | Column,
    method: str | object = "attention",
    target: Wish = None,
    **options: Any,
) -> list[AttentionMaps]: ...


@entry
def attention(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    method: str | object = "attention",
    target: Wish = None,
    *,
    layer: int | None = None,
    head: int | None = None,
    pieces: bool = False,
    progress: bool = False,
    **parameters: Any,
) -> AttentionMaps | list[AttentionMaps]:
    """Maps of what each part of a text takes of each other part: attention and what is made of it, by layer and head.

    One text gives one result, a list gives a list. ``method``: ``attention``; ``attention-saliency``, the derivative of
    the explained number by the score before the softmax, and ``attention-x-gradient`` (with ``form``: absolute, signed
    or normalised); ``rollout`` and ``flow`` (with ``residual``); ``value-zeroing``, ``norm-weighted`` and ``globenc``.
    See ``exegesis.questions.inside.maps`` for the formulas and ``parameters``. ``target`` is one number, as for
    ``explain``.

    The model is a Hugging Face model with eager or SDPA attention, whose outputs keep every bit, or any ``wrap``ped
    module with torch's attention or a softmax over its pieces. Words are put together from their pieces (columns are
    summed, rows of weights averaged), unless ``pieces`` is set; special pieces stay. ``layer`` and ``head``, from 1,
    choose maps.

    Raises the errors of ``explain``; UnsupportedError also for a model whose attention is out of sight.
    """
    classifier, made = as_model(model), MAPS.make(method, parameters)
    choice = ask(target, classifier.labels, classifier.link)

    def work(read: Sequence[Text], advance: Advance) -> list[AttentionMaps]:
        return in_order(attention_maps(classifier, read, made, choice, layer, head, pieces), advance)

    return answered(classifier, text, work, "attention", progress)


@overload
def gates(model: Classifier | str, text: Raw, target: Wish = None, *, progress: bool = False) -> Gates: ...
@overload
def gates(
    model: Classifier | str, text: list[Raw] | list[str] | Column, target: Wish = None, *, progress: bool = False
) -> list[Gates]: ...


@entry
def gates(
    model: Classifier | str,
    text: Raw | list[Raw] | list[str] | Column,
    target: Wish = None,
    *,
    progress: bool = False,
) -> Gates | list[Gates]:
    """The gates of every LSTM and GRU of a model at each word: their norms, and what the explained number owes them.

    One text gives one result, a list gives a list. ``target`` is one number, as for ``explain``. The model is any that
    runs torch's LSTM or GRU over the pieces of a text, or of each part of a pair. See ``Gates``; the norms follow
    Ghaeini et al. 2018, Sec. 3.2. Raises the errors of ``explain``; UnsupportedError also for a model without gates
    that can be seen.
    """
    classifier = as_model(model)
    choice = ask(target, classifier.labels, classifier.link)

    def work(read: Sequence[Text], advance: Advance) -> list[Gates]:
        return in_order(gate_curves(classifier, read, choice), advance)

    return answered(classifier, text, work, "gates", progress)
