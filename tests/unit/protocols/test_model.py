"""Abilities are a set: models with any combination of independent abilities, methods that need none, one or both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pytest
import torch

import exegesis
from exegesis.cli import listing
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.engine import methods
from exegesis.engine.methods import Scores
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import (
    Classifier,
    Differentiable,
    Gated,
    Recurrent,
    members,
    missing,
    offers,
    parts_of,
)
from exegesis.protocols.target import Target
from tests.support.plain_models import Plain
from tests.support.text_cnns import TextCnn


class Layered(Classifier, Protocol):
    """A made-up ability: a number for each piece from inside."""

    def layer(self, batch: Batch) -> torch.Tensor: ...


class Attentive(Classifier, Protocol):
    """A second one, which has nothing to do with the first."""

    heads: int

    def attention(self, batch: Batch) -> torch.Tensor: ...


class Inspected(Layered, Attentive, Protocol):
    """Both at once; it adds no member of its own."""


class Bare(Plain):
    """A user's own class without ``lacks``."""


class WithLayers(Bare):
    def layer(self, batch: Batch) -> torch.Tensor:
        return batch.mask.double()


class WithAttention(Bare):
    heads = 2

    def attention(self, batch: Batch) -> torch.Tensor:
        return 2.0 * batch.mask.double()


class WithBoth(WithLayers, WithAttention):
    """Has the members of both; an object may deny some of them."""

    lacks: dict[str, str]

    def __init__(self, *args: Any, denied: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.lacks = {name: f"its {name.lower()} parts are sealed" for name in denied}


SETS = [(), ("Layered",), ("Attentive",), ("Layered", "Attentive")]
CLASSES = {(): Bare, ("Layered",): WithLayers, ("Attentive",): WithAttention, ("Layered", "Attentive"): WithBoth}


def by_class(have: tuple[str, ...]) -> Any:
    """A model with the members of some abilities."""
    return CLASSES[have](TextCnn(), alone=True)


def by_reason(have: tuple[str, ...]) -> Any:
    """A model with the members of both abilities that denies the others."""
    return WithBoth(TextCnn(), alone=True, denied=tuple(name for name in ("Layered", "Attentive") if name not in have))


@pytest.fixture
def needy() -> Iterator[None]:
    """Methods that need neither, one, the other, both."""
    info = {"question": "which words?", "summary": "made up", "paper": "none", "year": 2026}

    def scores(values: torch.Tensor) -> Scores:
        return Scores(values[:, None])

    @methods.method("needs-none", **info)
    @dataclass(frozen=True)
    class NeedsNone:
        def __call__(self, model: Classifier, batch: Batch, target: Target) -> Scores:
            return scores(batch.mask.double())

    @methods.method("needs-layered", **info)
    @dataclass(frozen=True)
    class NeedsLayers:
        def __call__(self, model: Layered, batch: Batch, target: Target) -> Scores:
            return scores(model.layer(batch))

    @methods.method("needs-attentive", **info)
    @dataclass(frozen=True)
    class NeedsAttention:
        def __call__(self, model: Attentive, batch: Batch, target: Target) -> Scores:
            return scores(model.attention(batch))

    @methods.method("needs-both", **info)
    @dataclass(frozen=True)
    class NeedsBoth:
        def __call__(self, model: Inspected, batch: Batch, target: Target) -> Scores:
            return scores(model.layer(batch) + model.attention(batch))

    yield
    for name in able(()):
        methods.METHODS.remove(name)


def able(have: tuple[str, ...]) -> dict[str, bool]:
    return {
        "needs-none": True,
        "needs-layered": "Layered" in have,
        "needs-attentive": "Attentive" in have,
        "needs-both": len(have) == 2,
    }


@pytest.mark.usefixtures("needy")
@pytest.mark.parametrize("make", [by_class, by_reason])
@pytest.mark.parametrize("have", SETS, ids=lambda have: " ".join(have) or "neither")
def test_each_combination_serves_what_needs_no_more(have, make):
    model = make(have)
    served = {card.name for card in exegesis.methods(model)}
    expected = able(have)
    assert {name: name in served for name in expected} == expected
    for name, fits in expected.items():
        if fits:
            assert len(exegesis.explain(model, "w1 w2", name).scores) == 2
            continue
        with pytest.raises(UnsupportedError) as refused:
            exegesis.explain(model, "w1 w2", name)
        told = str(refused.value).split("; this model can serve:")[0]
        for ability in ("Layered", "Attentive"):
            needed = name in ("needs-both", f"needs-{ability.lower()}")
            sealed, absent = f"its {ability.lower()} parts are sealed", f"it offers no {OFFERED[ability]}"
            reason = sealed if make is by_reason else absent
            assert (reason in told) == (needed and ability not in have)


OFFERED = {"Layered": "layer", "Attentive": "attention, heads"}


@pytest.mark.usefixtures("needy")
def test_a_refusal_names_every_ability_that_is_lacking():
    with pytest.raises(UnsupportedError) as refused:
        exegesis.explain(by_reason(()), "w1 w2", "needs-both")
    assert str(refused.value).startswith(
        "needs-both needs a layered and attentive model: this one is not layered, because its layered parts are "
        "sealed; this one is not attentive, because its attentive parts are sealed; this model can serve: "
    )
    with pytest.raises(
        UnsupportedError, match="needs-attentive needs an attentive model: it offers no attention, heads;"
    ):
        exegesis.explain(by_class(("Layered",)), "w1 w2", "needs-attentive")


@pytest.mark.usefixtures("needy")
def test_methods_for_a_model_on_the_command_line(capsys, monkeypatch):
    monkeypatch.setattr(exegesis.api, "load", lambda name: by_class(("Attentive",)))
    listing.Methods(model="mine", lines=True).run()
    rows = {row["name"]: row["needs"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name for name in rows if name.startswith("needs-")} == {"needs-none", "needs-attentive"}
    listing.Methods(lines=True).run()
    rows = {row["name"]: row["needs"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["needs-both"] == "Layered and Attentive"
    assert (rows["needs-layered"], rows["reat"]) == ("Layered", "Gated")
    listing.Methods().run()
    assert "layered and attentive" in " ".join(capsys.readouterr().out.split())


def test_needs_must_be_an_ability_of_a_classifier():
    @dataclass(frozen=True)
    class Vague:
        def __call__(self, model: Any, batch: Batch, target: Target) -> Scores: ...

    with pytest.raises(UsageError, match="annotate model with Classifier"):
        methods.method("vague", question="?", summary="", paper="", year=2026)(Vague)
    assert "vague" not in {card.name for card in methods.cards()}


def test_a_protocol_without_members_of_its_own_combines():
    assert parts_of(Inspected) == (Layered, Attentive)
    assert parts_of(Layered) == (Layered,)
    assert parts_of(Gated) == (Gated,)
    assert parts_of(Classifier) == (Classifier,)
    assert members(Inspected) == members(Classifier) | {"layer", "attention", "heads"}

    class Redundant(Recurrent, Differentiable, Protocol):
        """Asks for an ability, and for one that it extends."""

    assert parts_of(Redundant) == (Recurrent,)


def test_denying_an_ability_denies_those_that_extend_it():
    class Whole(Plain):
        lacks: ClassVar = {"Differentiable": "its vectors are sealed"}

        def unroll(self, batch: Batch) -> None: ...

        forgetting = "f"

    model = Whole(TextCnn(), alone=True)
    assert [offers(model, ability) for ability in (Classifier, Differentiable, Recurrent, Gated)] == [
        True,
        *[False] * 3,
    ]
    assert missing(model, Gated) == {"Gated": "its vectors are sealed"}
    Whole.lacks = {"Recurrent": "its states are sealed"}
    assert [offers(model, ability) for ability in (Differentiable, Recurrent, Gated)] == [True, False, False]
    Whole.lacks = {}
    assert offers(model, Gated)


def test_members_are_looked_up_on_the_type():
    class Answering(Plain):
        def __getattr__(self, name: str) -> Any:  # as nn.Module does
            return lambda *given: None

    model = Answering(TextCnn(), alone=True)
    assert model.unroll is not None
    assert missing(model, Recurrent) == {"Recurrent": "it offers no unroll"}
    assert offers(model, Differentiable)  # its ``lacks`` is not a mapping, and is not asked


def test_a_combination_may_be_denied_as_a_whole():
    model = by_class(("Layered", "Attentive"))
    model.lacks = {"Inspected": "not both in one run"}
    assert offers(model, Layered)
    assert offers(model, Attentive)
    assert missing(model, Inspected) == {"Inspected": "not both in one run"}
