"""Functions as people have them: of one text, of no list, unable to read nothing, and of plain numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exegesis
from exegesis.core.errors import ModelError, UsageError
from exegesis.models.blackbox import BlackBox
from exegesis.protocols.target import Link
from tests.support.one_line import said_in_one_line
from tests.support.shape_checks import unchecked

LABELS = ["no", "yes"]
TEXT = "a good , long film"


def chance(text: str) -> float:
    """The probability of yes: 0.5, and more for good and for long texts, less for blank ones."""
    return 0.5 + 0.2 * ("good" in text) + 0.01 * len(text.split()) - 0.4 * (not text.strip())


def row(text: str) -> list[float]:
    return [1 - chance(text), chance(text)]


def fails(read: Callable[[str], bool]) -> Callable[[list[str]], Any]:
    """A service that raises an exception if there is a text that it cannot read."""

    def service(texts: list[str]) -> list[list[float]]:
        for text in texts:
            if not read(text):
                raise ValueError(f"cannot read\n{text!r}")
        return [row(text) for text in texts]

    return service


def scores(function: Callable[..., Any], method: str = "leave-one-out", **options: Any) -> np.ndarray:
    return np.asarray(exegesis.explain(exegesis.blackbox(function, LABELS, **options), TEXT, method, "yes").scores)


EXPECTED = [chance(TEXT) - chance(TEXT.replace(f"{word} ", "").removesuffix(f" {word}")) for word in TEXT.split()]


def lowered(text: str) -> list[float]:
    return row(text.lower())


@pytest.mark.parametrize(
    "function",
    [
        lowered,
        lambda text: chance(text.lower()),
        lambda text: np.array(lowered(text)),
        lambda text: [lowered(text)],
        lambda text: {"yes": chance(text.strip())}["yes"],
    ],
)
def test_a_function_of_one_text_that_fails_for_lists_is_served(function: Callable[[str], Any]) -> None:
    np.testing.assert_allclose(scores(function), EXPECTED, atol=1e-9)
    np.testing.assert_allclose(scores(function, batch=1), EXPECTED, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 2, 256])
@pytest.mark.parametrize(
    "function",
    [
        lambda text: [0.3, 0.7] if "good" in text else [0.6, 0.4],  # "good" in ["a good film"] is false
        lambda text: [[0.3, 0.7]] if "good" in text else [[0.6, 0.4]],
        lambda text: 0.7 if "good" in text else 0.4,
    ],
)
def test_a_function_of_one_text_that_takes_a_list_for_a_text_is_refused(function: Any, batch: int) -> None:
    for texts in (TEXT, [TEXT, "dull"], [TEXT, "dull", "long"]):
        model = exegesis.blackbox(function, LABELS, batch=batch)
        with pytest.raises(
            ModelError, match=r"^[^\n]*(\[function\(text\) for text in texts\]|numbers of shape)[^\n]*$"
        ):
            exegesis.predict(model, texts)


@pytest.mark.parametrize(
    "form", [lambda rows: rows, lambda rows: [p for _, p in rows], lambda rows: np.array(rows)[:, 1:]]
)
@pytest.mark.parametrize("batch", [1, 2, 3, 256])
def test_functions_of_lists_are_taken_as_they_are(form: Callable[[list[Any]], Any], batch: int) -> None:
    sizes = []

    def listed(texts: list[str]) -> Any:
        sizes.append(len(texts) if isinstance(texts, list) else 0)
        return form([row(text) for text in texts])

    np.testing.assert_allclose(scores(listed, batch=batch), EXPECTED, atol=1e-9)
    assert max(sizes) <= max(batch, 3)
    asked: list[list[str]] = []
    box = exegesis.blackbox(lambda texts: asked.append(texts) or form([row(text) for text in texts]), LABELS)
    exegesis.predict(box, ["bb", "a", "ccc"])
    assert asked == [["bb", "a", "ccc"], ["a"], ["ccc"], ["bb"]]  # tried: each extreme again, alone
    exegesis.predict(box, "a")
    exegesis.predict(box, ["a", "bb"])
    assert asked[4:] == [["a"], ["a", "bb"]]  # and no call more


METHODS = ("leave-one-out", "lime", "shapley", "input-reduction")
SERVICES: dict[str, tuple[Callable[[str], bool], str]] = {
    "blank": (lambda text: bool(text.strip()), "."),
    "words": (lambda text: any(c.isalnum() for c in text), ""),
}


@pytest.mark.parametrize("method", METHODS)
def test_the_word_for_nothing_is_what_the_user_says(method: str) -> None:
    """Where nothing can be read, scores are those of a function to which that word is nothing."""
    for read, _ in SERVICES.values():
        told = scores(fails(read), method, empty="thing")
        replaced = scores(lambda texts: [row(text if read(text) else "thing") for text in texts], method)  # noqa: B023
        np.testing.assert_allclose(told, replaced, atol=1e-9)


def test_the_word_for_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    read = SERVICES["blank"][0]
    for options, word in (({}, "."), ({"mask": "[MASK]"}, "[MASK]"), ({"mask": "[MASK]", "unknown": "x"}, "x")):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "exegesis"):
            found = scores(fails(read), "shapley", **options)
        (said,) = [record.getMessage() for record in caplog.records]
        assert f"in the place of an empty text it gets {word!r}" in said
        assert "\n" not in said
        assert found.sum() == pytest.approx(chance(TEXT) - chance(word))
    assert scores(lambda texts: [row(text) for text in texts], "shapley").sum() == pytest.approx(chance(TEXT) - 0.1)


def test_nan_for_nothing_and_a_service_that_fails_once() -> None:
    with_gap = scores(lambda texts: [row(t) if t.strip() else [np.nan, np.nan] for t in texts], "shapley")
    assert with_gap.sum() == pytest.approx(chance(TEXT) - chance("."))
    failed: list[str] = []

    def shaky(texts: list[str]) -> list[list[float]]:
        if "" in texts and not failed:
            failed.append("once")
            raise TimeoutError
        return [row(text) for text in texts]

    assert scores(shaky, "shapley").sum() == pytest.approx(chance(TEXT) - chance(""))


def test_nothing_at_all_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"^[^\n]*cannot read an empty text, nor '\.' in its place: [^\n]*empty=TEXT$"):
        scores(fails(SERVICES["words"][0]), "shapley")


def test_a_users_own_text_is_never_replaced() -> None:
    model = exegesis.blackbox(fails(SERVICES["words"][0]), LABELS, empty="thing")
    for _ in range(2):
        for texts in ("!!!", ["good", "!!!"]):
            with pytest.raises(ModelError, match="cannot read"):
                exegesis.predict(model, texts)
        exegesis.explain(model, "good !", "leave-one-out")  # now a text without words counts as empty
    assert exegesis.predict(model, "good")["yes"] == pytest.approx(chance("good"))


@pytest.mark.parametrize(
    "form", [lambda v: v, lambda v: [[n] for n in v], lambda v: np.array(v)[:, None], lambda v: [int(n) for n in v]]
)
def test_a_regression(form: Callable[[list[float]], Any]) -> None:
    model = exegesis.blackbox(lambda texts: form([10 * chance(text) for text in texts]), ["stars"])
    assert model.link is Link.IDENTITY
    assert exegesis.predict(model, TEXT)["stars"] == pytest.approx(np.ravel(form([10 * chance(TEXT)]))[0])
    result = exegesis.explain(model, TEXT, "leave-one-out")
    assert result.target == "output:stars"


def test_a_regression_of_several_numbers() -> None:
    model = exegesis.blackbox(lambda texts: [[len(t), -chance(t)] for t in texts], ["long", "dull"], regression=True)
    assert exegesis.predict(model, TEXT) == {"long": len(TEXT), "dull": -chance(TEXT)}
    result = exegesis.explain(model, TEXT, "leave-one-out")
    assert result.targets == ("output:long", "output:dull")
    np.testing.assert_allclose(result.for_target("dull").scores, [-score for score in EXPECTED])
    with pytest.raises(UsageError, match=r"^[^\n]*one number[^\n]*$"):
        exegesis.hierarchy(model, TEXT)


ANSWERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(np.zeros((1, 2))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=30)
@given(ANSWERS, st.sampled_from([{}, {"multilabel": True}, {"regression": True}]))
def test_whatever_a_function_answers(answer: Any, options: dict[str, bool]) -> None:
    """Any answer is used, or refused in one line."""
    model = exegesis.blackbox(lambda texts: answer, LABELS, **options)
    with said_in_one_line():
        exegesis.predict(model, [TEXT, "dull"])


@pytest.mark.parametrize(
    "options",
    [{"batch": "3"}, {"batch": None}, {"batch": 0}, {"mask": 3}, {"empty": b""}, {"unknown": ["a"]}],
)
def test_options_that_do_not_fit(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]{,200}$"):
        unchecked(BlackBox.__init__)(object.__new__(BlackBox), len, LABELS, **options)
    assert exegesis.blackbox(len, LABELS, batch=np.int64(3))


def test_a_function_that_draws_its_answers_is_refused() -> None:
    """Asked for one text first, it is asked for it twice in one call."""
    draws = np.random.default_rng(0)

    def drawn(texts: list[str]) -> np.ndarray:
        shares = draws.random(len(texts))
        return np.stack([1 - shares, shares], 1)

    with pytest.raises(ModelError, match=r"^the function [^\n]* gives the same text two answers[^\n]*$"):
        exegesis.explain(exegesis.blackbox(drawn, ["no", "yes"]), "a good film", "leave-one-out")


def beside(rows: Callable[[np.ndarray], np.ndarray]) -> Callable[[list[str]], np.ndarray]:
    """A function whose chances of single texts are moved by those of the other texts of the call."""
    return lambda texts: rows(np.array([chance(text) for text in texts]))


DEPENDENT = [
    beside(lambda chances: chances / (1 + np.ptp(chances))),
    beside(lambda chances: np.clip(chances, None, np.sort(chances)[-2:].min())),  # the highest alone is touched
    beside(lambda chances: 1 / (1 + np.exp(chances.mean() - chances))),
    beside(lambda chances: chances * (1 - 0.01 * (len(chances) > 1))),  # so is a list of equal texts
    beside(lambda chances: np.where(np.arange(len(chances)) > 0, 0.9 * chances, chances)),  # by place in the list
]


@pytest.mark.parametrize("function", DEPENDENT)
def test_a_function_whose_rows_depend_on_each_other_gets_one_text_a_call(
    function: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Scores are those of one text a call, whether the first call has one text or several."""
    with caplog.at_level(logging.WARNING, "exegesis"):
        np.testing.assert_array_equal(scores(function), scores(lambda texts: [function([text])[0] for text in texts]))
        texts = ["a film", "good film good", "dull", "a long , long , good film"]
        caplog.clear()
        together = exegesis.predict(exegesis.blackbox(function, LABELS), texts)
    assert caplog.text.count("depend on the texts beside it") == 1
    assert together == [exegesis.predict(exegesis.blackbox(function, LABELS), text) for text in texts]


def test_a_function_that_draws_its_answers_to_lists_is_refused() -> None:
    """It is no function that depends on its neighbours: alone it has no one answer either."""
    draws = np.random.default_rng(0)
    box = exegesis.blackbox(lambda texts: draws.random(len(texts)), LABELS)
    with pytest.raises(ModelError, match=r"^the function [^\n]* gives the same text two answers[^\n]*$"):
        exegesis.predict(box, ["a good film", "dull"])
