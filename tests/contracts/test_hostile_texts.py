"""Any text, any model, any method: a result that stands, or a TextError; and every view of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exegesis import Attribution, explain, methods, predict
from exegesis.core.errors import TextError
from exegesis.results.result import rendered, restored
from exegesis.show import render
from tests.support.hostile import BLANK, FIXED, model, texts
from tests.support.profiles import profile

KINDS = ["bundled", "wrapped", "function"]
QUICK = {
    "lime": {"samples": 20},
    "smoothgrad": {"samples": 2},
    "integrated-gradients": {"limit": 16, "tolerance": 0.1},
    "input-reduction": {"beam": 1},
    "shapley": {"exact": 6, "samples": 4},
    "soc": {"samples": 1, "neighbours": 1},
    "scd": {"samples": 1, "neighbours": 1},
}
EXACT = {"bundled": 1e-3, "wrapped": 1e-10}  # float32, float64
SERVED = [(kind, card.name) for kind in KINDS for card in methods(model(kind))]


def stands(result: Attribution, raw: str) -> None:
    """The words tile what is not blank, in order; every number is finite; parts add up where it is promised."""
    assert result.text.raw == raw
    end = 0
    for (start, stop), word in zip(result.offsets, result.words, strict=True):
        assert end <= start < stop <= len(raw)
        assert raw[end:start].strip() == ""
        assert raw[start:stop] == word
        end = stop
    assert raw[end:].strip() == ""
    assert len(result.at("word").spans) == len(result.words)
    assert np.isfinite(result.scores).all()
    assert np.isfinite(np.asarray(result.explained)).all()
    words = np.asarray(result.at("word").scores.sum(-1))
    assert np.allclose(np.asarray(result.explained) - words, result.residual, atol=1e-9)


def tried(raw: str, kind: str, method: str | None = None, **options: object) -> Attribution | None:
    """The result, or None for a text without a word: no other error is let through."""
    try:
        result = explain(model(kind), raw, method, **options)
    except TextError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        assert not raw.strip()
        return None
    stands(result, raw)
    return result


@pytest.mark.parametrize(("kind", "method"), SERVED)
@given(raw=texts)
@profile
def test_every_method_takes_every_text(kind: str, method: str, raw: str) -> None:
    result = tried(raw, kind, method, **QUICK.get(method, {}))
    if result is not None and method in ("reat", "naive-reat"):
        gap = result.explained - result.scores.sum() - result.account["output bias"]
        assert abs(gap) <= EXACT[kind] * max(1, np.abs(result.scores).sum())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", FIXED, ids=range(len(FIXED)))
def test_hard_texts(kind: str, raw: str) -> None:
    result = tried(raw, kind, level="all", target="all" if kind != "function" else None)
    assert result is not None
    (each,) = predict(model(kind), [raw])
    assert each == pytest.approx(result.prediction.probabilities, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", BLANK)
def test_blank_texts(kind: str, raw: str) -> None:
    for call in (lambda: explain(model(kind), raw), lambda: predict(model(kind), raw)):
        with pytest.raises(TextError, match="give a text"):
            call()


@given(raws=st.lists(texts.filter(str.strip), min_size=2, max_size=4), kind=st.sampled_from(KINDS))
@profile
def test_batched_is_alone(raws: list[str], kind: str) -> None:
    for raw, together in zip(raws, explain(model(kind), raws), strict=True):
        alone = explain(model(kind), raw)
        assert together.words == alone.words
        assert np.allclose(together.scores, alone.scores, atol=EXACT.get(kind, 1e-9))


@given(raw=texts, kind=st.sampled_from(KINDS), level=st.sampled_from(["word", "all"]), several=st.booleans())
@profile
def test_saved_and_read_to_the_last_bit(raw: str, kind: str, level: str, several: bool) -> None:
    result = tried(raw, kind, level=level, target="all" if several else None)
    if result is None:
        return
    line = rendered([result], ".jsonl")
    assert line.isascii()
    assert line.count("\n") == 1
    back = restored(json.loads(line))
    assert back.text == result.text
    assert back.spans == result.spans
    assert back.levels == result.levels
    assert back.scores.tobytes() == result.scores.tobytes()
    assert np.asarray(back.explained).tobytes() == np.asarray(result.explained).tobytes()
    assert back.to_dict() == result.to_dict()


@given(raw=texts, kind=st.sampled_from(KINDS), several=st.booleans())
@profile
def test_every_view_can_be_made(raw: str, kind: str, several: bool) -> None:
    result = tried(raw, kind, level="all", target="all" if several else None)
    if result is None:
        return
    for ending in (".html", ".svg", ".tex", ".txt", ".csv", ".png"):
        content = rendered([result], ending)
        assert content
        if isinstance(content, str):
            content.encode("utf-8", "backslashreplace")
    for options in ({}, {"color": True, "numbers": True, "width": 30}):
        shown = render([result], **options)
        assert not set("\x00\x07\x08\r\x7f\x9b") & set(shown)
    result._repr_html_()
    repr(result)
