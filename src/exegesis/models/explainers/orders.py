"""The orders in which a label and an explanation are written, as pairs of a source and a target."""

from __future__ import annotations

from collections.abc import Mapping

from exegesis.core.errors import unknown
from exegesis.data.written import Written

PREDICT, EXPLAIN, ANSWER, SPECIFIC = ORDERS = ("predict-explain", "explain-predict", "explain-answer", "label-specific")
BECAUSE = " because "
Pair = tuple[str, str]


def checked_order(name: str) -> str:
    """The name of an order. Raises UsageError for another."""
    if name not in ORDERS:
        raise unknown("order", name, ORDERS)
    return name


def asked(order: str, one: Written, label: str = "") -> str:
    """The source from which an explanation is written; of label-specific ones for a ``label``."""
    choices = f" choices: {', '.join(one.choices)}" if order == ANSWER else ""
    what = f"explain {label}" if order == SPECIFIC else "explain"
    return f"{what}: {read(one)}{choices}"


def decided(order: str, one: Written, told: Mapping[str, str]) -> str:
    """The source from which the label is told.

    ``told`` are the explanations that it may read: one under the empty name, or one under each label. Of
    explain-predict it reads nothing but the explanation (Camburu et al. 2018); of explain-answer also the question and
    its choices (Rajani et al. 2019); of label-specific the text and all explanations (Kumar and Talukdar 2020).
    """
    if order == PREDICT:
        return asked(order, one)
    if order == EXPLAIN:
        return f"decide: {told['']}"
    if order == ANSWER:
        return f"decide: {read(one)} choices: {', '.join(one.choices)} explanation: {told['']}"
    every = " ".join(f"{label}: {told[label]}" for label in one.choices)
    return f"decide: {read(one)} {every}"


def lessons(order: str, one: Written) -> list[Pair]:
    """What is learned from a text before anything is written: sources and targets."""
    pairs = list[Pair]()
    for said in one.explanations:
        if order == PREDICT:
            pairs.append((asked(order, one), f"{one.label}{BECAUSE}{said}"))
            continue
        pairs.append((asked(order, one, one.label), said))
        if order != SPECIFIC:
            pairs.append((decided(order, one, {"": said}), one.label))
    return pairs


def read(one: Written) -> str:
    """The text as it stands in a source."""
    if isinstance(one.text, str):
        return one.text
    return f"premise: {one.text[0]} hypothesis: {one.text[1]}"
