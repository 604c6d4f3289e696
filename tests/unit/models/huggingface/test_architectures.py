"""Every architecture that the installed transformers classifies texts with: outputs, removal, gradients."""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

import exegesis
from exegesis.core.errors import ExegesisError, ModelError
from exegesis.models.huggingface.adapter import HuggingFaceClassifier
from exegesis.models.huggingface.wrap import wrap_huggingface
from exegesis.protocols.batch import Batch
from exegesis.protocols.model import Differentiable, offers
from tests.support.doc_pages import ROOT
from tests.support.hf_architectures import CLASSES, UNBUILT, small
from tests.support.hf_toys import UNTYPED, wordpiece

TEXTS = ["good", "a fine film, isn't it?", "unbelievable acting 🙂 and it's a dull plot, really!"]
PAIR = ("a fine film", "it's good")
KINDS = sorted(set(CLASSES) - set(UNBUILT))
FLOAT32 = {"canine"}  # which gives NaN in float64
MARKING = {"big_bird", "bigbird_pegasus", "funnel"}  # change themselves when they are called
# Those whose words' vectors cannot be replaced, with a word of the reason.
HIDDEN = {"canine": "hashes", "reformer": "no gradient", "yoso": "not the slope"}
# In float32, with experts that change along the way: where a slope is measured lies beside a jump in some runs.
JUMPING = {"minimax": "not the slope"}


@pytest.fixture(params=KINDS, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    """All tests of one architecture run before those of the next, and share its model."""
    return str(request.param)


@functools.lru_cache(1)
def wrapped(kind: str) -> tuple[HuggingFaceClassifier, dict[str, Any], float]:
    """A model in float64 where the architecture runs in it, with its state before and its rounding."""
    tokenizer = transformers.CanineTokenizer() if kind == "canine" else wordpiece(inputs=UNTYPED)
    try:
        module = small(kind)
    except ExegesisError:
        raise
    except Exception as error:  # of a version with another configuration
        pytest.skip(f"transformers {transformers.__version__} makes no small {kind}: {error}")
    if kind in FLOAT32:
        return _wrapped(module, tokenizer, kind, 1e-4)
    try:
        return _wrapped(module.double(), tokenizer, kind, 1e-6)  # parts of some compute in float32 all the same
    except ModelError as error:
        if "take it in float32" not in str(error):  # mixtures of experts, whose matrices are grouped
            raise
        return _wrapped(module.float(), tokenizer, kind, 1e-4)


def _wrapped(
    module: Any, tokenizer: Any, kind: str, near: float
) -> tuple[HuggingFaceClassifier, dict[str, Any], float]:
    before = state(module)
    return wrap_huggingface(module, tokenizer, name=kind), before, near


def state(module: torch.nn.Module) -> dict[str, Any]:
    return {
        "training": [part.training for part in module.modules()],
        "attributes": [sorted(vars(part)) for part in module.modules()],
        "trained": [weight.requires_grad and weight.grad is None for weight in module.parameters()],
        "hooks": sum(len(part._forward_hooks) for part in module.modules()),
        "weights": [float(value.double().sum()) for value in module.state_dict().values()],
        "config": repr(module.config.to_dict()),
    }


def by_hand(model: HuggingFaceClassifier, ids: list[int]) -> Tensor:
    """The module's own answer to one row."""
    row = torch.tensor([ids])
    module = copy.deepcopy(model.module) if model.name in MARKING else model.module
    more = {} if model.name == "fnet" else {"attention_mask": torch.ones_like(row)}
    with torch.no_grad():
        return module(row, **more).logits


def test_outputs_are_the_modules_own(kind: str) -> None:
    """One text at a time, in a batch, from its vectors; and the vectors of other words give what these words give."""
    model, before, near = wrapped(kind)
    texts = [model.read(raw) for raw in (*TEXTS, PAIR)]
    batch = model.encode(texts)
    alone = torch.cat([by_hand(model, list(text.ids)) for text in texts])
    near *= max(1.0, float(alone.abs().max()))
    torch.testing.assert_close(model.outputs(batch), alone, rtol=0, atol=near)
    if kind not in JUMPING:
        assert offers(model, Differentiable) == (kind not in HIDDEN)
    if not offers(model, Differentiable):
        assert (HIDDEN | JUMPING)[kind] in model.lacks["Differentiable"]
        return
    torch.testing.assert_close(model.outputs_from(model.embed(batch), batch), alone, rtol=0, atol=near)
    ids = batch.ids.clone()
    free = batch.mask & (ids > 4) & (ids < 0xE000)  # no special pieces, none unknown (padding to MPNet)
    ids[free] = ids[free].flip(0)
    others = Batch(ids, batch.mask, batch.segments)
    expected = model.outputs(others)
    assert float((expected - alone).abs().max()) > 1e-4
    torch.testing.assert_close(model.outputs_from(model.embed(others), batch), expected, rtol=0, atol=near)
    assert state(model.module) == before


def test_leave_one_out_runs_the_text_without_the_word(kind: str) -> None:
    model, before, near = wrapped(kind)
    result = exegesis.explain(model, TEXTS[1], "leave-one-out", target=0)
    text = result.text
    kept = [[id_ for i, id_ in enumerate(text.ids) if not word.start <= i < word.stop] for word in text.words]
    whole = float(by_hand(model, list(text.ids))[0, 0])
    expected = [whole - float(by_hand(model, ids)[0, 0]) for ids in kept]
    np.testing.assert_allclose(result.scores, expected, rtol=0, atol=3 * near * max(1.0, abs(whole)))
    assert np.isfinite(exegesis.explain(model, TEXTS[0], "leave-one-out").scores).all()  # nothing but special pieces
    assert state(model.module) == before


@pytest.mark.parametrize("kind", ["big_bird", "bigbird_pegasus", "longformer", "reformer", "nystromformer"])
def test_long_texts_beside_short_ones(kind: str) -> None:
    """What attends to parts of a long text alone reads a short one, padded beside it, as it does alone."""
    model, _, near = wrapped(kind)
    texts = [model.read(raw) for raw in ("good", "a film " * 25, "a fine film")]
    alone = torch.cat([by_hand(model, list(text.ids)) for text in texts])
    torch.testing.assert_close(model.outputs(model.encode(texts)), alone, rtol=0, atol=near)


def test_gradients(kind: str) -> None:
    """Gradient times input is the slope along the vectors; integrated gradients account for the whole number."""
    if kind in HIDDEN:
        return
    model, before, _ = wrapped(kind)
    if kind in JUMPING and not offers(model, Differentiable):
        return
    assert offers(model, Differentiable)
    result = exegesis.explain(model, TEXTS[1], "gradient-x-input", target=0)
    batch = model.encode([result.text])
    vectors = model.embed(batch)
    step = 1e-3
    up, down = (model.outputs_from(vectors * (1 + s * step), batch)[0, 0] for s in (1, -1))
    slope = float((up - down) / (2 * step))
    found = float(result.scores.sum()) + result.account["special tokens"]
    assert found == pytest.approx(slope, rel=0.01, abs=0.01)
    experts = "expert" in repr(model.module.config.to_dict())  # chosen among: the path jumps, and no integral is exact
    whole = exegesis.explain(model, TEXTS[0], "integrated-gradients", target=0, limit=32 if experts else 1024)
    difference = whole.explained - whole.account["value at the baseline"]
    assert whole.details["converged"] or experts
    assert abs(whole.gap) <= 1e-3 * max(1.0, abs(difference)) or not whole.details["converged"]
    assert state(model.module) == before


def test_the_page_lists_what_is_tried() -> None:
    """docs/huggingface.md names the architectures of the version that it speaks of."""
    page = (ROOT / "docs" / "huggingface.md").read_text("utf-8")
    (version,) = re.findall(r"transformers (\d+\.\d+)\)", page)
    (listed,) = re.findall(r"<!-- architectures -->\n(.*)<!-- /architectures -->", page, re.DOTALL)
    names = re.findall(r"`([^`]+)`", listed)
    assert names == sorted(set(names))
    if not transformers.__version__.startswith(f"{version}."):
        pytest.skip(f"the page speaks of transformers {version}")
    assert names == KINDS
