"""LRP on the LSTM variants of Arras et al. 2019, Sec. 11.4, against the printed equations step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from exegesis.api import explain, methods, wrap
from exegesis.attribute.lrp import Lrp
from exegesis.models.rnn import RecurrentClassifier, RecurrentConfig
from slow import lrp, variants
from torch_toys import WORDS, texts

KINDS = ("nondecreasing", "markov", "no-gates")
PRODUCTS = ("all", "prop", "abs", "half")
SHAPES = [(1, False, "last"), (1, True, "last"), (2, False, "mean"), (2, True, "max"), (1, True, "attention")]
LENGTHS = [4, 1, 5]


def classifier(kind: str, layers: int, both: bool, readout: str, seed: int) -> RecurrentClassifier:
    config = RecurrentConfig(
        cell=f"lstm-{kind}", layers=layers, bidirectional=both, readout=readout, embedding=3, hidden=4,
        vocabulary=len(WORDS), labels=("c0", "c1", "c2"),
    )  # fmt: skip
    module = RecurrentClassifier(config).double().eval()
    draws = torch.Generator().manual_seed(seed)
    for name, weight in module.named_parameters():
        weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)
        if "bias_" in name:
            weight.data = -weight.data.abs() - 0.1
    for cell in module.recurrent.cells:
        cell.scales.copy_(torch.tensor([2.0, 3.0]))
    return module


def plainly(module: RecurrentClassifier, ids: list[int], rule: lrp.Lrp, number: int) -> np.ndarray:
    """Relevance of each word, and the account filled into ``rule``."""
    config = module.config
    values = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    ways = 2 if config.bidirectional else 1
    cells = [variants.Weights.of(cell) for cell in module.recurrent.cells]
    layers = [cells[k : k + ways] for k in range(0, len(cells), ways)]
    kind, x = config.cell.removeprefix("lstm-"), values["embedding.weight"][ids]
    _, states = variants.stack(kind, layers, x)
    T, n, both = len(ids), config.hidden, np.concatenate(states, 1)
    if config.readout == "attention":
        score = np.tanh(both @ values["attention.hidden.weight"].T + values["attention.hidden.bias"])
        score = np.exp(score @ values["attention.score.weight"][0])
    W, b = values["output.weight"][number], values["output.bias"][number]
    blocks = []
    for way in range(ways):
        weights = {
            "last": lambda way: np.eye(T)[0 if way else T - 1][:, None],
            "mean": lambda way: np.full((T, 1), 1 / T),
            "max": lambda way: 1.0 * (np.arange(T)[:, None] == states[way].argmax(0)),
            "attention": lambda way: (score / score.sum())[:, None],
        }[config.readout](way)
        blocks.append((way, W[way * n : (way + 1) * n], np.broadcast_to(weights, (T, n))))
    raw = b + sum(part @ (weights * states[way]).sum(0) for way, part, weights in blocks)
    R = rule.readout(blocks, states, b, raw)
    return variants.all_words(rule, kind, layers, x, R).sum(1)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_printed_rules(kind, product):
    for seed, (layers, both, readout) in enumerate(SHAPES):
        module = classifier(kind, layers, both, readout, seed)
        seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
        for result in explain(seen, texts(LENGTHS, seed), Lrp(product=product), "all"):
            for number in range(3):
                rule = lrp.Lrp(0.001, product, 0.2 if product == "prop" else 0.001)
                expected = plainly(module, list(result.text.ids), rule, number)
                atol = 1e-10 * rule.largest
                np.testing.assert_allclose(result.scores[number], expected, rtol=0, atol=atol)
                for part in ("biases", "absorbed by epsilon"):
                    found = np.zeros(3) if part not in result.account else result.account[part]
                    np.testing.assert_allclose(found[number], rule.account[part], rtol=0, atol=atol, err_msg=part)
                assert rule.account["initial states"] == 0.0
                np.testing.assert_allclose(result.gap[number], 0, rtol=0, atol=max(1e-9, atol))


@pytest.mark.parametrize("kind", KINDS)
def test_relevance_is_conserved(kind):
    """Words, biases and what epsilon absorbed are the logit to 1e-9, also in long texts and with saturated gates."""
    module = classifier(kind, 1, True, "last", 9)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "weight_" in name:
                weight *= 3.0
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    assert "lrp" in {card.name for card in methods(seen)}
    for product in ("all", "abs"):
        for result in explain(seen, texts([1, 60]), Lrp(product=product), "c1"):
            size = max(1.0, float(np.abs(result.scores).max()))
            np.testing.assert_allclose(result.gap, 0, rtol=0, atol=1e-9 * size)


def test_without_gates_shares_are_contributions_to_the_cell():
    """Eqs. 11.16-11.18 at epsilon 0: word t receives of each unit's relevance the share z_t / c_T (less its bias)."""
    module = classifier("no-gates", 1, False, "last", 3)
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    result = explain(seen, texts([6])[0], Lrp(0.0), "c1")
    values = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    x = values["embedding.weight"][list(result.text.ids)]
    a = x @ values["recurrent.cells.0.weight_z"].T
    b = values["recurrent.cells.0.bias_z"]
    z = 2.0 * variants.sigma(a + b)
    y = 3.0 * np.tanh(z.sum(0))
    share = values["output.weight"][1] * y * z / z.sum(0) * a / (a + b)
    np.testing.assert_allclose(result.scores, share.sum(1), rtol=0, atol=1e-12)
