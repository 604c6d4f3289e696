"""Hugging Face modules that keep a state, or mix the texts of a call: every text has the numbers that it has alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError
from tests.support.hf_toys import bert, wordpiece

TEXTS = ["a fine film, really!", "good", "don't you like the café?", "a dull plot", "dull"]
Step = Callable[[Any, Any], Any]


def counted(module: Any, logits: Any) -> Any:
    module.calls.add_(1)
    return logits + 0.3 * module.calls.sin()


def listed(module: Any, logits: Any) -> Any:
    before = sum(module.bert.seen)
    module.bert.seen.append(logits.detach().mean())
    return logits - before


def remembered_by_shape(module: Any, logits: Any) -> Any:
    """What the first call of a shape gave stays in every later one."""
    return (logits + module.bert.memo.setdefault(tuple(logits.shape), logits)) / 2


def of_the_last_batch(module: Any, logits: Any) -> Any:
    before, module.last = getattr(module, "last", None), logits.detach()
    return logits if before is None or before.shape != logits.shape else logits + before


def by_the_largest(module: Any, logits: Any) -> Any:
    return logits / logits.abs().max()


CASES: dict[str, Step] = {
    step.__name__: step for step in (counted, listed, remembered_by_shape, of_the_last_batch, by_the_largest)
}


def keeping(step: Step) -> nn.Module:
    """A BERT of two labels whose logits go through a step that may look at what the module keeps."""
    module: Any = bert(2)
    module.register_buffer("calls", torch.zeros((), dtype=torch.float64))
    module.bert.seen, module.bert.memo, plain = [], {}, type(module)

    class Keeping(plain):  # type: ignore[misc, valid-type]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            answer = super().forward(*args, **kwargs)
            answer.logits = step(self, answer.logits)
            return answer

    module.__class__ = Keeping
    result: nn.Module = module.eval()
    return result


@pytest.mark.parametrize("name", CASES)
def test_a_text_has_beside_others_what_it_has_alone(name: str) -> None:
    """By value: the numbers of a fresh copy of the module, whatever ran before, also in the user's own hands."""
    module, tokenizer = keeping(CASES[name]), wordpiece()
    fresh = copy.deepcopy(module)
    model = exegesis.wrap(module, tokenizer=tokenizer, labels=["no", "yes"])
    with torch.no_grad():
        module(**tokenizer(["a dull plot", "a fine film"], return_tensors="pt", padding=True))
    for method in ("leave-one-out", "gradient-x-input"):
        together = exegesis.explain(model, TEXTS, method, target="logit:yes")
        for text, one in zip(TEXTS, together, strict=True):
            plain = copy.deepcopy(fresh)(**tokenizer(text, return_tensors="pt")).logits[0, 1].detach()
            assert one.explained == pytest.approx(float(plain), abs=1e-12)
            alone = exegesis.explain(model, text, method, target="logit:yes")
            np.testing.assert_allclose(one.scores, alone.scores, rtol=0, atol=1e-12)
    for (place, value), (_, before) in zip(
        module.state_dict().items(), fresh.state_dict().items(), strict=True
    ):  # but for the user's own call
        assert torch.equal(value, before + (place == "calls" and name == "counted")), place
    assert len(module.bert.seen) == (name == "listed")  # type: ignore[arg-type, union-attr]


def test_only_a_module_that_mixes_texts_runs_them_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    assert exegesis.wrap(bert(2), tokenizer=wordpiece()).profile.shared
    assert not caplog.records
    mixing = exegesis.wrap(keeping(by_the_largest), tokenizer=wordpiece())
    assert not mixing.profile.shared
    assert "one text a call" in caplog.text


@pytest.mark.parametrize("size", [1e-4, 1.0])
def test_random_answers_are_refused(size: float) -> None:
    """Also where they are small: a word's score would be noise."""
    draws = torch.Generator().manual_seed(0)

    def random(module: Any, logits: Any) -> Any:
        return logits + size * torch.randn(logits.shape, generator=draws).to(logits)

    with pytest.raises(UnsupportedError, match=r"^model [^\n]* answers otherwise each time it is asked[^\n]*$"):
        exegesis.wrap(keeping(random), tokenizer=wordpiece())
