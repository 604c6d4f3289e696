"""Explanations in words: what an explainer writes of a text, and the bridge from a rationale to a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exegesis.api import as_model
from exegesis.api.rationales import rationale
from exegesis.core.errors import UsageError
from exegesis.data.written import Written
from exegesis.models.explainers.explainer import Explainer, load_explainer
from exegesis.models.explainers.orders import PREDICT, SPECIFIC, read
from exegesis.nn.context import entry
from exegesis.protocols.model import Classifier
from exegesis.results.behaviour.said import Fact, Said, SaidText
from exegesis.results.behaviour.study import Asked
from exegesis.results.rationale import Rationale
from exegesis.study.reasons.resources import Resource, Told, resource_of

Raw = str | tuple[str, str]
Facts = Resource | str | Path | Mapping[str, Told] | Callable[[str], Told]
BRIDGE = "bridge"


@entry
def said(
    model: Explainer | str | os.PathLike[str],
    texts: Raw | Sequence[Raw],
    choices: Sequence[str] | None = None,
    *,
    device: str | None = None,
) -> Said:
    """The label and the written explanation of each text, by a model of ``exegesis train --arch explainer:FOLDER``.

    ``choices`` are the labels that it may tell, by default those that its training texts had in common. Of
    label-specific explanations those of the other labels stand beside. Raises FileError for a folder that is no
    explainer, UsageError without choices where the model's training texts had labels of their own.
    """
    explainer = model if isinstance(model, Explainer) else load_explainer(os.fspath(model), device)
    labels = tuple(choices or explainer.choices)
    if len(labels) < 2:
        raise UsageError(f"{explainer.name} does not know which labels it may tell: give two or more (choices=)")
    rows = [Written(text, labels[0], labels, ()) for text in _listed(texts)]
    told = explainer.explain(rows)
    chances = explainer.decide(rows, told)
    found = [labels[int(chance.argmax())] for chance in chances]
    written = explainer.afterwards(rows, found, told)
    out = []
    for one, label, chance, text, own in zip(rows, found, chances, written, told, strict=True):
        others = [(other, own[other]) for other in labels if other != label] if explainer.order == SPECIFIC else []
        out.append(SaidText(read(one), label, float(chance.max()), text, others=tuple(others)))
    return Said(_asked(explainer.name, explainer.order, out), explainer.order, tuple(out))


@entry
def bridge(
    model: Classifier | str,
    texts: Raw | Sequence[Raw],
    resource: Facts,
    method: object = None,
    *,
    share: float = 0.2,
    most: int = 3,
    writer: Explainer | str | os.PathLike[str] | None = None,
    device: str | None = None,
) -> Said:
    """From the words on which a decision rests, over what a resource says of them, to a sentence.

    The three steps are those of Majumder et al. 2022 (RExC; survey, Sec. 4.3.1, "bridged via commonsense knowledge"):
    the rationale of ``model``, its own or by a ``method`` (see ``exegesis.rationale``, also for ``share``); at most
    ``most`` facts for every run of its words that the ``resource`` knows (a file of ``read_resource``, a mapping, or
    any function of a word); and a sentence of ``writer``, an explainer that was trained on such sources (see
    ``bridged``), for the predicted label. Without a writer the sentence is words and facts in a fixed form. It deviates
    from the paper in these: the steps are not trained together, and facts are looked up rather than generated.

    Raises FileError for a resource or an explainer that cannot be read, UsageError for a writer that tells no label
    first, and the errors of ``exegesis.rationale``.
    """
    classifier, facts = as_model(model), resource_of(resource)
    explainer = writer if writer is None or isinstance(writer, Explainer) else load_explainer(os.fspath(writer), device)
    if explainer is not None and explainer.order != PREDICT:
        raise UsageError(f"the writer's order is {explainer.order}; train one with {PREDICT}, which takes any label")
    found = _rationales(classifier, _listed(texts), method, share)
    known = [facts.facts(one.words, most) for one in found]
    labels = [one.prediction.label for one in found]
    if explainer is None:
        sentences = [sentence(*parts) for parts in zip(labels, (one.words for one in found), known, strict=True)]
    else:
        sources = [source(one.text.raw, one.words, own) for one, own in zip(found, known, strict=True)]
        rows = [Written(text, label, (label,), ()) for text, label in zip(sources, labels, strict=True)]
        sentences = explainer.afterwards(rows, labels, [{}] * len(rows))
    out = [
        SaidText(one.text.raw, label, one.prediction.probability, said, tuple(one.words), own)
        for one, label, said, own in zip(found, labels, sentences, known, strict=True)
    ]
    return Said(_asked(classifier.name, BRIDGE, out), BRIDGE, tuple(out))


@entry
def bridged(
    model: Classifier | str,
    rows: Sequence[Written],
    resource: Facts,
    method: object = None,
    *,
    share: float = 0.2,
    most: int = 3,
) -> list[Written]:
    """Texts with explanations by people, as a writer of ``bridge`` reads them: with their rationales' words and facts.

    Train one on them by ``train_explainer`` in the order predict-explain. The arguments are those of ``bridge``.
    """
    classifier, facts = as_model(model), resource_of(resource)
    found = _rationales(classifier, [one.text for one in rows], method, share)
    return [replace(row, text=source(one.text.raw, one.words, facts.facts(one.words, most)))
            for row, one in zip(rows, found, strict=True)]  # fmt: skip


def source(text: str, words: Sequence[str], facts: Sequence[Fact]) -> str:
    """What a writer reads: the text, the words on which the decision rests, and the facts."""
    told = "; ".join(f"{fact.word} {fact.relation} {fact.phrase}" for fact in facts)
    return f"{' '.join(text.split())} words: {', '.join(words) or 'none'} facts: {told or 'none'}"


def sentence(label: str, words: Sequence[str], facts: Sequence[Fact]) -> str:
    """Words and facts in a fixed form."""
    if not words:
        return f"{label}, without any word."
    named = ", ".join(f'"{word}"' for word in words)
    told = "; ".join(f"{fact.word} {fact.relation} {fact.phrase}" for fact in facts)
    return f"{label} because of {named}{f': {told}' if told else ''}."


def _rationales(model: Classifier, texts: Sequence[Raw], method: object, share: float) -> list[Rationale]:
    more: dict[str, Any] = {} if method is None else {"share": share}
    return list(rationale(model, list(texts), method, **more))  # type: ignore[call-overload]


def _listed(texts: Raw | Sequence[Raw]) -> list[Raw]:
    """The texts. Raises UsageError if there are none."""
    found = [texts] if isinstance(texts, str | tuple) else list(texts)
    if not found:
        raise UsageError("there are no texts; give at least one")
    return found


def _asked(model: str, order: str, texts: Sequence[SaidText]) -> Asked:
    """The subject of such a study."""
    words = sum(len(one.text.split()) for one in texts)
    return Asked(model, f"Said({order!r})", "said", "label:each text", len(texts), words, False)
