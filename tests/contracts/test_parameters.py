"""Every constraint of every method, search, kind of interaction and measure is kept, for Python values and for text.

The values that must be refused, and those at the edges that must be accepted, are made from the annotations.
"""

from __future__ import annotations

import math
import re

import pytest

import exegesis.api
import exegesis.questions.trust.measuring  # noqa: F401 - registers the measures
from exegesis.core.errors import UsageError
from exegesis.core.parameters import Argument, examples, fits, fitted, hints
from exegesis.engine.methods import METHODS
from exegesis.questions.phrases.catalogue import SEARCHES
from exegesis.questions.phrases.interactions import KINDS
from exegesis.questions.trust.measure import MEASURES

REGISTRIES = {registry.kind: registry for registry in (METHODS, SEARCHES, KINDS, MEASURES)}
CLASSES = {card.cls: (kind, card.name) for kind, registry in REGISTRIES.items() for card in registry}
PARAMETERS = [(cls, parameter) for cls in CLASSES for parameter in hints(cls)]
NEEDED = {  # parameters without a default
    "Agglomerative": {"scorer": "leave-one-out"},
    "Parse": {"scorer": "leave-one-out"},
    "Interpretability": {"positive": "a", "negative": "b", "label": "c"},
}
BESIDE = {("Lrp", "beta"): {"alpha": 1.0}, ("IntegratedGradients", "limit"): {"points": 1}}  # what two fields share


def written(value: object) -> str:
    """A value as a user would type it."""
    return {"None": "none", "True": "true", "False": "false"}.get(repr(value)) or str(value)


def one_line(caught: pytest.ExceptionInfo[UsageError], name: str, parameter: str) -> None:
    assert re.fullmatch(rf"{name}: {parameter} must be [^\n]+, not [^\n]+", str(caught.value)), caught.value


def named(pair: tuple[type, str]) -> str:
    return f"{pair[0].__name__}.{pair[1]}"


@pytest.mark.parametrize("pair", PARAMETERS, ids=named)
def test_what_does_not_fit_is_refused_in_one_line(pair: tuple[type, str]) -> None:
    cls, parameter = pair
    kind, name = CLASSES[cls]
    hint, registry = hints(cls)[parameter], REGISTRIES[kind]
    needed = {key: value for key, value in NEEDED.get(cls.__name__, {}).items() if key != parameter}
    _, refused = examples(hint)
    assert refused
    for value in refused:
        if isinstance(value, str) and "scorer" in parameter:
            continue  # a name, which the registry of methods refuses
        with pytest.raises(UsageError) as caught:
            cls(**needed, **{parameter: value})
        one_line(caught, cls.__name__, parameter)
        with pytest.raises(UsageError) as caught:
            registry.make(name, {**needed, parameter: value})
        one_line(caught, name, parameter)
    for text in {written(value) for value in refused} | {"abc", "2.5", "true", "none", "nan", ""}:
        if "scorer" in parameter or fits(hint, Argument(text)):
            continue
        with pytest.raises(UsageError) as caught:
            fitted(cls, name, {parameter: Argument(text)})
        one_line(caught, name, parameter)
        rest = "".join(f":{key}={value}" for key, value in needed.items())
        with pytest.raises(UsageError) as caught:
            registry.make(f"{name}{rest}:{parameter}={text}")
        one_line(caught, name, parameter)


@pytest.mark.parametrize("pair", PARAMETERS, ids=named)
def test_what_just_fits_is_accepted(pair: tuple[type, str]) -> None:
    cls, parameter = pair
    kind, name = CLASSES[cls]
    more = {**NEEDED.get(cls.__name__, {}), **BESIDE.get((cls.__name__, parameter), {})}
    fitting, _ = examples(hints(cls)[parameter])
    for value in fitting:
        made = cls(**{**more, parameter: value})
        assert getattr(made, parameter) == value
        again = REGISTRIES[kind].make(name, {**more, **fitted(cls, name, {parameter: Argument(written(value))})})
        assert getattr(again, parameter) == value
        assert type(getattr(again, parameter)) is type(getattr(made, parameter))


def test_every_constraint_has_values_on_both_sides() -> None:
    """A condition without examples would go untested."""
    for cls, parameter in PARAMETERS:
        fitting, refused = examples(hints(cls)[parameter])
        assert len(refused) >= 3, (cls, parameter)
        if "Literal" in str(hints(cls)[parameter]):
            assert len(fitting) > 1


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_repr_rebuilds_the_value(cls: type) -> None:
    kind, name = CLASSES[cls]
    made = REGISTRIES[kind].make(name, NEEDED.get(cls.__name__))
    assert REGISTRIES[kind].make(repr(made)) == made
    assert REGISTRIES[kind].make(made) is made


def test_numbers_of_two_fields_are_compared() -> None:
    for text, message in (("lrp:alpha=3", "alpha - beta must be 1"), ("integrated-gradients:points=2000", "limit")):
        with pytest.raises(UsageError, match=message):
            METHODS.make(text)
    assert math.isclose(METHODS.make("lrp:alpha=3:beta=2").alpha, 3)
