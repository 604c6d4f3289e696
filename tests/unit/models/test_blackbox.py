"""A function of texts as a model: what it gets, what it may answer, what it cannot serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exegesis.core.errors import ModelError, TextError, UsageError
from exegesis.models.blackbox import BlackBox
from exegesis.protocols.batch import Batch, compact
from exegesis.protocols.model import Classifier, Differentiable, Recurrent, offers
from exegesis.protocols.target import Link

LABELS = ["no", "yes"]


def lengths(texts: list[str]) -> np.ndarray:
    """Not linear in the words, and the same for every call."""
    yes = np.array([1 / (1 + np.exp(3 - len(text) / 4 - text.count("good"))) for text in texts])
    return np.stack([1 - yes, yes], 1)


def box(function: Callable[[list[str]], Any] = lengths, labels: list[str] = LABELS, **options: Any) -> BlackBox:
    return BlackBox(function, labels, **options)


@given(st.text(max_size=40))
def test_the_function_gets_the_text_to_the_character(raw: str) -> None:
    model = box()
    if not raw.strip():
        with pytest.raises(TextError):
            model.read(raw)
        return
    text = model.read(raw)
    assert "".join(text.pieces) == raw
    assert model.write(model.encode([text])) == [raw]
    covered = [raw[start:stop] for start, stop in text.offsets]
    assert "".join("".join(covered).split()) == "".join(raw.split())
    assert all(word == word.strip() for word in covered)


def test_a_lone_surrogate_is_passed_on() -> None:
    model = box()
    assert model.write(model.encode([model.read("x\ud800 y")])) == ["x\ud800 y"]


def test_words_and_pieces() -> None:
    text = box().read("  Don't go,  good\nfilm ")
    assert text.word_strings() == ("Do", "n't", "go", ",", "good", "film")
    assert text.pieces == ("  Do", "n't", " go", ",", "  good", "\nfilm ")


def test_what_is_left_keeps_its_blanks() -> None:
    """A comma or a clitic has no blank before it: without it, its neighbours must not run together."""
    model = box()
    text = model.read("It isn't bad, really")
    batch = model.encode([text] * len(text))
    keep = ~torch.eye(len(text), dtype=torch.bool)
    assert model.write(compact(batch, keep, 0)) == [
        "isn't bad, really",
        "Itn't bad, really",
        "It is bad, really",
        "It isn't, really",
        "It isn't bad really",
        "It isn't bad,",
    ]


def test_removing_and_replacing_words() -> None:
    model = box(mask="[MASK]", unknown="<unk>")
    text = model.read("a good, long film")
    batch = model.encode([text, text, text])
    keep = torch.ones_like(batch.mask)
    keep[0, 1] = keep[1, 2] = keep[2, :] = False
    assert model.write(compact(batch, keep, model.tokens["pad"])) == ["a, long film", "a good long film", ""]
    ids = batch.ids.clone()
    ids[0, 1], ids[1, 1], ids[2, 1] = (model.tokens[role] for role in ("pad", "mask", "unknown"))
    swapped = Batch(ids, batch.mask, batch.segments)
    assert model.write(swapped) == ["a, long film", "a [MASK], long film", "a <unk>, long film"]
    assert set(box().tokens) == {"pad"}


def test_batched_is_alone_and_equal_texts_are_asked_once() -> None:
    asked: list[list[str]] = []

    def note(texts: list[str]) -> np.ndarray:
        asked.append(texts)
        return lengths(texts)

    model = box(note, batch=2)
    raws = ["a good film", "dull", "a good film", "good good good", "long , long film"]
    outputs = model.outputs(model.encode([model.read(raw) for raw in raws]))
    assert outputs.dtype == torch.float64
    alone = [["dull"], ["a good film"]]  # the first list is tried: no row depends on the other
    assert asked == [["a good film", "dull"], *alone, ["good good good", "long , long film"]]
    np.testing.assert_array_equal(outputs.numpy(), np.concatenate([lengths([raw]) for raw in raws]))
    assert model.outputs(model.encode([])).shape == (0, 2)


def test_a_text_read_elsewhere() -> None:
    """Ids are the same in every process, and a text carries the pieces that they stand for."""
    text = box().read("a good film")
    other = box()
    assert other.write(other.encode([text])) == ["a good film"]


@pytest.mark.parametrize(
    "form",
    [
        lambda p: p,
        lambda p: p.tolist(),
        lambda p: torch.tensor(p, requires_grad=True),
        lambda p: torch.tensor(p).float(),
        lambda p: p[:, 1],
        lambda p: p[:, 1].tolist(),
        lambda p: p[:, 1:],
        lambda p: np.asfortranarray(p.astype(np.float32)),
    ],
)
def test_forms_of_an_answer(form: Callable[[np.ndarray], Any]) -> None:
    model = box(lambda texts: form(lengths(texts)))
    raws = ["a good film", "dull"]
    outputs = model.outputs(model.encode([model.read(raw) for raw in raws]))
    np.testing.assert_allclose(outputs.numpy(), lengths(raws), atol=1e-6)
    assert not outputs.requires_grad


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.5, 0.5]], r"numbers of shape \[1, 2\] for 2 texts"),
        ([[0.2, 0.3, 0.5]] * 2, r"shape \[2, 3\]"),
        ([[np.nan, 1.0], [0.5, 0.5]], "NaN"),
        ([[-0.5, 1.5], [0.5, 0.5]], "-0.5 to 1.5"),
        ([[-0.5, 0.5], [0.5, 0.5]], "-0.5 to 0.5"),
        ([[2.0, -3.0], [0.5, 0.5]], "logits"),
        ([[0.5, 0.4], [0.5, 0.5]], "sums to 0.9"),
        ([0.5, 1.5], r"\b0\.5 to 1\.5"),
        ("yes", "class labels"),
        (None, "NaN"),
        ([{"label": "yes"}] * 2, "not a table of numbers"),
        ([[0.5, 0.5], [0.5]], "not a table of numbers"),
    ],
)
def test_answers_that_are_refused(answer: object, message: str) -> None:
    model = box(lambda texts: answer, name="mine")
    batch = model.encode([model.read("good"), model.read("bad")])
    with pytest.raises(ModelError, match=rf"^(?=the function mine gave [^\n]*({message}))[^\n]*$"):
        model.outputs(batch)


def test_multilabel() -> None:
    model = box(lambda texts: [[0.9, 0.8, 0.1]] * len(texts), ["a", "b", "c"], multilabel=True)
    batch = model.encode([model.read("good")])
    assert model.outputs(batch).tolist() == [[0.9, 0.8, 0.1]]
    single = box(lambda texts: [[0.9]] * len(texts), ["a"], multilabel=True)
    assert single.outputs(single.encode([single.read("x")])).tolist() == [[0.9]]


def test_an_error_inside_the_function() -> None:
    def fails(texts: list[str]) -> None:
        raise KeyError("two\nlines")

    model = box(fails)
    with pytest.raises(ModelError, match=r"^the function [^\n]*fails raised KeyError: [^\n]*$") as caught:
        model.outputs(model.encode([model.read("good")]))
    assert isinstance(caught.value.__cause__, KeyError)

    def full(texts: list[str]) -> None:
        raise MemoryError

    model = box(full)
    with pytest.raises(MemoryError):  # the caller tries again with fewer texts
        model.outputs(model.encode([model.read("good")]))


def test_what_is_no_black_box() -> None:
    for function, labels, options in [
        (lengths, [], {}),
        (lengths, LABELS, {"batch": 2.5}),
        (lengths, LABELS, {"multilabel": True, "regression": True}),
        (lengths, ["a", "a"], {}),
        (lengths, "ab", {}),
        (lengths, LABELS, {"batch": 0}),
    ]:
        with pytest.raises(UsageError, match=r"^[^\n]+$"):
            BlackBox(function, labels, **options)
    with pytest.raises(TextError, match="takes one text"):
        box().read(("a", "b"))


def test_what_it_offers() -> None:
    model = box()
    assert offers(model, Classifier)
    assert not offers(model, Differentiable)
    assert not offers(model, Recurrent)
    assert "no word vectors" in model.lacks["Differentiable"]
    assert model.link is Link.PROBABILITY
    assert model.name == "lengths"
    assert box(name="mine").name == "mine"
    assert repr(model) == "BlackBox(lengths, labels=['no', 'yes'])"
