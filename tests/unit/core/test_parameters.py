"""Parameters by annotations: what is converted, what is refused in which words, and the grammar of text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from exegesis.core.errors import UsageError
from exegesis.core.parameters import (
    Argument,
    Call,
    Condition,
    Opener,
    above,
    at_least,
    at_most,
    below,
    between,
    checked,
    even,
    filled,
    fitted,
    hints,
    parsed,
    wording,
)


@checked
@dataclass(frozen=True)
class Drawn:
    path: Annotated[str, filled]
    samples: Annotated[int, at_least(4), even] = 100
    share: Annotated[float, above(0), at_most(1)] = 0.5
    limit: Annotated[int, at_least(1)] | None = None
    norm: Literal["l2", "squared"] = "l2"
    exact: bool = False
    noise: Annotated[float, between(0, 1), below(1)] = 0.0
    other: Any = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit > self.samples:
            raise UsageError("limit must not exceed samples")


def test_values_are_converted():
    made = Drawn("a", np.int64(8), 1, np.int32(3), exact=np.bool_(True), noise=np.float32(0.5))
    assert repr(made) == (
        "Drawn(path='a', samples=8, share=1.0, limit=3, norm='l2', exact=True, noise=0.5, other=None)"
    )
    assert made == replace(made, share=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": 3}, "Drawn: samples must be an even number of at least 4, not 3"),
        ({"samples": 5}, "Drawn: samples must be an even number of at least 4, not 5"),
        ({"samples": "8"}, "Drawn: samples must be an even number of at least 4, not '8'"),
        ({"samples": 8.0}, "Drawn: samples must be an even number of at least 4, not 8.0"),
        ({"samples": True}, "Drawn: samples must be an even number of at least 4, not True"),
        ({"share": 0}, "Drawn: share must be a number above 0 and of at most 1, not 0"),
        ({"share": float("nan")}, "Drawn: share must be a number above 0 and of at most 1, not nan"),
        ({"share": True}, "Drawn: share must be a number above 0 and of at most 1, not True"),
        ({"share": 10**400}, "Drawn: share must be a number above 0 and of at most 1, not 1" + "0" * 59 + "..."),
        ({"limit": 0}, "Drawn: limit must be a whole number of at least 1, or none, not 0"),
        ({"norm": "sqared"}, "Drawn: norm must be l2 or squared, not 'sqared'; did you mean 'squared'?"),
        ({"norm": 2}, "Drawn: norm must be l2 or squared, not 2"),
        ({"exact": 1}, "Drawn: exact must be true or false, not 1"),
        ({"path": " "}, "Drawn: path must be text that is not blank, not ' '"),
        ({"path": 3}, "Drawn: path must be text that is not blank, not 3"),
        ({"noise": np.zeros((9, 9))}, "Drawn: noise must be a number from 0 to 1 and below 1, not array([[0., 0., "),
        ({"limit": 8, "samples": 4}, "limit must not exceed samples"),
    ],
)
def test_what_does_not_fit(values, message):
    with pytest.raises(UsageError) as caught:
        Drawn(**{"path": "a", **values})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_numbers_are_finite():
    @checked
    @dataclass(frozen=True)
    class Free:
        size: float = 0.0

    for value in (float("nan"), float("inf"), np.float64("-inf")):
        with pytest.raises(UsageError, match=r"^Free: size must be a number, not "):
            Free(value)
    with pytest.raises(UsageError, match=r"^it: size must be a number, not '1e999'$"):
        fitted(Free, "it", {"size": Argument("1e999")})


def test_what_is_missing_or_unknown():
    with pytest.raises(UsageError, match=r"^Drawn needs path; give path$"):
        Drawn()
    with pytest.raises(TypeError, match="sample"):
        Drawn("a", sample=3)
    with pytest.raises(UsageError, match="unknown parameter of it 'sample'; did you mean 'samples'"):
        fitted(Drawn, "it", {"sample": 3})


def test_text_is_read_by_its_type():
    texts = {"samples": "8", "share": ".5", "limit": "none", "norm": "'l2'", "exact": "true", "path": "5", "noise": "0"}
    values = fitted(Drawn, "it", {name: Argument(text) for name, text in texts.items()})
    assert values == {
        "samples": 8, "share": 0.5, "limit": None, "norm": "l2", "exact": True, "path": "5", "noise": 0.0,
    }  # fmt: skip
    assert all(type(value) is not Argument for value in values.values())
    assert fitted(Drawn, "it", {"path": Argument('"a b"')}) == {"path": "a b"}
    for name, text in {"samples": "8.0", "share": "inf", "limit": "", "exact": "yes", "norm": "l3"}.items():
        with pytest.raises(UsageError, match=f"^it: {name} must be .*, not '{text}'"):
            fitted(Drawn, "it", {name: Argument(text)})


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("deletion", "deletion", {}),
        ("deletion:words=5:how=pad", "deletion", {"words": "5", "how": "pad"}),
        ("ig:baseline=text:a film: dull", "ig", {"baseline": "text:a film: dull"}),
        ("lists:positive=C:\\a.txt:label=x", "lists", {"positive": "C:\\a.txt", "label": "x"}),
        ("Lrp()", "Lrp", {}),
        ("Lrp(epsilon=0.001, rule='gamma', bias=None)", "Lrp", {"epsilon": 0.001, "rule": "gamma", "bias": None}),
        ("lime(samples=-5, how=pad, on=true)", "lime", {"samples": -5, "how": "pad", "on": True}),
        ("leave-one-out(how='pad')", "leave-one-out", {"how": "pad"}),
        ("A(scorer=B(how='a(b)'), by='x')", "A", {"scorer": Call("B", {"how": "a(b)"}), "by": "x"}),
    ],
)
def test_names_with_parameters(text, name, parameters):
    assert parsed(text) == Call(name, parameters)


@pytest.mark.parametrize(
    "text",
    ["deletion:pad", "deletion:", "Lrp(0.1)", "Lrp(**{})", "Lrp(a=__import__('os').getcwd())", "Lrp(a=1)+f(b=2)",
     "Lrp(a=1if)", "Lrp(a=[x for x in y])", "Lrp(a=1", "Lrp(a=f(2))", "f(" * 3000 + ")" * 3000, "Lrp(a=lambda: 1)"],
)  # fmt: skip
def test_text_that_is_refused(text):
    if text == "Lrp(a=1":  # a name as it stands, which no registry has
        assert parsed(text) == Call(text, {})
        return
    with pytest.raises(UsageError, match=r"^[^\n]+: write [^\n]+$"):
        parsed(text)


def test_an_opener_resolves_names():
    @checked
    @dataclass(frozen=True)
    class Opening:
        word: Annotated[Any, Opener(str.upper), Condition(lambda value: value != 3, noun="a word")] = "A"

    assert Opening("b").word == "B"
    assert fitted(Opening, "it", {"word": Argument("c")}) == {"word": "C"}
    with pytest.raises(UsageError, match="word must be a word, not 3"):
        Opening(3)


def test_a_default_that_does_not_fit_is_refused_at_once():
    @dataclass(frozen=True)
    class Wrong:
        samples: Annotated[int, at_least(4)] = 3

    with pytest.raises(UsageError, match=r"^Wrong: samples must be a whole number of at least 4, not 3$"):
        checked(Wrong)


def test_checking_twice_is_checking_once():
    init = Drawn.__init__
    assert checked(Drawn) is Drawn
    assert Drawn.__init__ is init
    assert list(hints(Drawn)) == ["path", "samples", "share", "limit", "norm", "exact", "noise", "other"]
    assert wording(Literal["a", "b"] | None) == "a or b, or none"
