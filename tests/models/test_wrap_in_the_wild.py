"""``wrap`` over the kinds of text classifiers that people publish: called, seen through or refused as they stand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import UnsupportedError
from exegesis.models.wrapping import wrap
from models.test_wrap import same, state
from shape_checks import unchecked
from torch_toys import WORDS, texts
from wild_modules import WILD, Wild

RECURRENT = ("reat", "naive-reat", "contextual-decomposition")
SUMMING = (*RECURRENT, "lrp", "deeplift")
NO_RULE = {"texts as rows, padded inside": "deeplift"}  # pad_sequence


def made(make) -> nn.Module:
    """With normal weights of double precision, statistics of batch norms that do something, in training mode."""
    torch.manual_seed(1)
    module = make()
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape) * 0.7
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean, part.running_var = torch.randn(len(part.running_mean)) * 0.3, torch.rand(
                len(part.running_var)
            ) + 0.5  # fmt: skip
    return module.double().train()


def wrapped(module: nn.Module, **options):
    options = {"vocabulary": WORDS, "tokenizer": str.split, "labels": ["a", "b", "c"]} | options
    return unchecked(wrap)(module, **options)


def by_hand(module: nn.Module, case: Wild, ids: list[int]) -> torch.Tensor:
    """The author's own call on one text: evaluation mode, no padding, what the module holds at rest."""
    module = copy.deepcopy(getattr(module, "_orig_mod", module)).eval()
    with torch.no_grad():
        return case.pick(case.call(module, torch.tensor([ids]))).reshape(-1)


@pytest.mark.parametrize("name", WILD)
def test_it_is_served_as_it_stands(name):
    case = WILD[name]
    module = made(case.make)
    before = state(module)
    seen = wrapped(module, labels=list(case.labels), **case.options)
    raw = texts([3, 1, 6, 3, 2, 6], 2)
    read = [seen.read(text) for text in raw]
    found = seen.outputs(seen.encode(read))
    for text, outputs in zip(read, found, strict=True):
        torch.testing.assert_close(outputs, by_hand(module, case, list(text.ids)), rtol=0, atol=1e-10)
    names = {card.name for card in exegesis.methods(seen)}
    expected = {"gated": "reat", "gradients": "integrated-gradients", "words": "leave-one-out"}[case.able]
    assert expected in names
    assert ("reat" in names) == (case.able == "gated")
    for method in SUMMING:
        if method not in names or NO_RULE.get(name) == method:
            continue
        together = exegesis.explain(seen, raw, method, "predicted")
        alone = exegesis.explain(seen, raw[2], method, "predicted")
        np.testing.assert_allclose(together[2].scores, alone.scores, rtol=0, atol=1e-9, err_msg=method)
        np.testing.assert_allclose([one.gap for one in together], 0, atol=1e-9, err_msg=method)
    if "integrated-gradients" in names:
        for one in exegesis.explain(seen, raw[:3], "integrated-gradients", 0, tolerance=1e-6):
            assert abs(one.gap) <= 1e-4 * max(1, abs(one.explained))  # a path has kinks
    if "reat" not in names:
        with pytest.raises(UnsupportedError) as refused:
            exegesis.explain(seen, raw, "reat")
        assert case.reason in str(refused.value)
        assert "\n" not in str(refused.value)
    same(before, state(module))


@pytest.mark.parametrize("name", WILD)
def test_leave_one_out_is_the_authors_own_run_without_the_word(name):
    case = WILD[name]
    module = made(case.make)
    seen = wrapped(module, labels=list(case.labels), **case.options)
    for text in texts([4, 6], 3):
        ids = list(seen.read(text).ids)
        whole = by_hand(module, case, ids)
        without = torch.stack([by_hand(module, case, ids[:at] + ids[at + 1 :]) for at in range(len(ids))])
        drops = whole - without
        number = -1 if len(whole) == 1 else 0
        result = exegesis.explain(seen, text, "leave-one-out", "yes" if len(whole) == 1 else 0)
        np.testing.assert_allclose(result.scores, drops[:, number], rtol=0, atol=1e-9)
