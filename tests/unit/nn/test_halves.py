"""Halves of networks: they never overlap, belong to the text, and training one moves nothing of the other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from exegesis.core.errors import UsageError
from exegesis.models.text.vocabulary import PAIR_NUMBER
from exegesis.models.trained.architectures.config import ConvolutionalConfig, RecurrentConfig, TransformerConfig
from exegesis.models.trained.architectures.kinds import network
from exegesis.nn.halves import half, halved, in_place_of_dropout, kept_units

TEXTS = [(3, 5, 4, 6), (6, 3), (4, 4, 5)]
KINDS = [
    {"cell": "lstm"},
    {"cell": "lstm", "bidirectional": True, "layers": 2, "readout": "attention"},
    {"cell": "gru", "bidirectional": True, "readout": "max"},
    {"cell": "rnn", "readout": "mean"},
    {"cell": "lstm-nondecreasing", "bidirectional": True, "readout": "mean"},
    {"cell": "lstm-no-gates", "layers": 2},
    {"cell": "lstm", "bidirectional": True, "readout": "esim"},
    {"cell": "gru", "bidirectional": True, "readout": "structured"},
    {"kernels": (1, 3)},
]
TRANSFORMER = {"heads": 2, "layers": 1, "feedforward": 6}


def made(kind):
    torch.manual_seed(3)
    sizes = {"embedding": 6, "dropout": 0.0, "vocabulary": 9, "labels": ("a", "b"), "turn_over": True}
    if "heads" in kind:
        config = TransformerConfig(**kind, **sizes)
    else:
        config = (ConvolutionalConfig if "kernels" in kind else RecurrentConfig)(**kind, **sizes, hidden=4)
    module = network(config).double()
    with torch.no_grad():
        module.embedding.weight *= 10
    return module


def batch(kind, texts):
    if kind.get("readout") == "esim":
        texts = [(*text[:1], PAIR_NUMBER, *text[1:]) for text in texts]
    width = max(map(len, texts))
    return torch.tensor([[*text, *[0] * (width - len(text))] for text in texts]), torch.tensor([*map(len, texts)])


def test_halves_of_units():
    for width in (2, 5, 64):
        one, other = kept_units(TEXTS[0], "states", width), kept_units(TEXTS[1], "states", width)
        assert one.sum() == width // 2
        assert width < 64 or (one != other).any()
        assert width < 64 or (one != kept_units(TEXTS[0], "features", width)).any()
    values = torch.ones(2, 3, 5, dtype=torch.float64)
    with halved(TEXTS[:2]):
        mine = half(values, "states")
    with halved(TEXTS[:2], other=True):
        rest = half(values, "states")
    assert not bool((mine * rest).any())  # no unit in both
    assert bool((mine + rest).all())  # every unit in one
    torch.testing.assert_close(mine.mean(2), values.mean(2))  # the mean is kept, in an odd width too
    torch.testing.assert_close(rest.mean(2), values.mean(2))
    assert half(values, "states") is values
    with pytest.raises(UsageError, match="1 unit, which has no halves"):
        kept_units(TEXTS[0], "states", 1)
    with halved(TEXTS[:2]), pytest.raises(UsageError, match="2 texts have halves here, but 3 rows run"):
        half(torch.ones(3, 4), "states")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_a_step_on_a_text_moves_nothing_of_its_other_half(kind):
    """But for the output bias, which no unit owns; the half of the text itself does move."""
    module = made(kind).train()
    ids, lengths = batch(kind, [TEXTS[0]])
    asked, sizes = batch(kind, [TEXTS[2]])

    def say(other):
        with torch.no_grad(), halved([TEXTS[0]], other=other):
            return module(asked, sizes) - module.output.bias

    before = say(True), say(False)
    with halved([TEXTS[0]]):
        nn.functional.cross_entropy(module(ids, lengths), torch.tensor([1])).backward()
    with torch.no_grad():
        for weight in module.parameters():
            if weight.grad is not None:
                weight -= weight.grad
    torch.testing.assert_close(say(True), before[0], rtol=0, atol=1e-14)
    assert not torch.allclose(say(False), before[1], atol=1e-6)


@pytest.mark.parametrize("kind", [*KINDS, TRANSFORMER], ids=lambda kind: "-".join(map(str, kind.values())))
def test_rows_run_through_their_own_halves(kind):
    """In a batch as alone, padded as unpadded; and where nothing is left out, as torch's own kernels."""
    module = made(kind).eval()
    ids, lengths = batch(kind, TEXTS)
    with torch.no_grad(), halved(TEXTS):
        together = module(ids, lengths)
    with torch.no_grad(), halved(TEXTS, other=True):
        assert not torch.allclose(module(ids, lengths), together, atol=1e-4)
    for row, text in enumerate(TEXTS):
        alone = batch(kind, [text])
        with torch.no_grad(), halved([text]):
            torch.testing.assert_close(module(*alone)[0], together[row], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS[:4] + KINDS[6:8], ids=lambda kind: "-".join(map(str, kind.values())))
def test_written_out_as_the_kernels(kind, monkeypatch):
    module = made(kind).eval()
    ids, lengths = batch(kind, TEXTS)
    whole = module(ids, lengths)
    monkeypatch.setattr("exegesis.nn.halves.factors", lambda site, width, like: like.new_ones(len(like), width))
    with halved(TEXTS):
        torch.testing.assert_close(module(ids, lengths), whole, rtol=1e-9, atol=1e-12)


def test_in_place_of_dropout():
    module = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.9), nn.Linear(6, 2)).double().train()
    inputs = torch.randn(2, 4, dtype=torch.float64)
    with in_place_of_dropout(module):
        assert torch.equal(module(inputs), module(inputs))  # drops nothing by chance
        with halved(TEXTS[:2]):
            mine = module(inputs)
    kept = torch.tensor([kept_units(text, "1", 6).tolist() for text in TEXTS[:2]]).to(inputs)
    torch.testing.assert_close(mine, module[2](module[0](inputs) * kept * 2))
    assert module[1].p == 0.9
    assert not module[1]._forward_hooks
