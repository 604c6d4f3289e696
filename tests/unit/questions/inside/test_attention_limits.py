"""Maps of attention at their limits: values of zero, half precision, an empty side, a text that is too long."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import ExegesisError, TextError, UsageError
from tests.support import hf_toys

TEXT = "a fine film"


def model(dtype: torch.dtype = torch.float64, *, still: bool = False):
    """A small BERT; with ``still`` its values are all zero."""
    torch.manual_seed(0)
    module = hf_toys.bert().eval()
    if still:
        for layer in module.bert.encoder.layer:
            layer.attention.self.value.weight.data.zero_()
            layer.attention.self.value.bias.data.zero_()
    return exegesis.wrap(module.to(dtype), tokenizer=hf_toys.wordpiece())


def test_zeroing_values_that_are_zero_is_nothing() -> None:
    for one in exegesis.attention(model(still=True), TEXT, "value-zeroing").maps:
        np.testing.assert_array_equal(one.values, 0.0)
    for one in exegesis.attention(model(), TEXT, "value-zeroing").maps:
        np.testing.assert_allclose(one.values.sum(1), 1.0, rtol=1e-9)


def test_half_precision_shows_the_same_weights() -> None:
    exact = exegesis.attention(model(), TEXT)
    for dtype in (torch.float16, torch.bfloat16):
        half = model(dtype)
        found, slopes = exegesis.attention(half, TEXT), exegesis.attention(half, TEXT, "attention-saliency")
        for one, other, slope in zip(found.maps, exact.maps, slopes.maps, strict=True):
            np.testing.assert_allclose(one.values, other.values, atol=0.06)
            np.testing.assert_allclose(one.values.sum(1), 1.0, atol=0.02)
            assert np.isfinite(slope.values).all()
        assert found.prediction.label == exact.prediction.label


def test_an_empty_side_and_a_text_beyond_the_limit_are_refused() -> None:
    for given in ((TEXT, ""), ("", TEXT), (TEXT, " ")):
        with pytest.raises((UsageError, TextError), match=r"empty|needs a word in each"):
            exegesis.attention(model(), given)
    with pytest.raises(ExegesisError, match=r"longer than|at most|too long"):
        exegesis.attention(model(), " ".join(["film"] * 600))
