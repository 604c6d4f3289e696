"""LRP on the LSTM variants of Arras et al. 2019, Sec. 11.4, against the printed equations step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from exegesis.api import explain, methods, wrap
from exegesis.core.errors import UnsupportedError
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.questions.attributions.lrp import Lrp
from tests.reference import lrp, variants
from tests.support.torch_toys import WORDS, texts

KINDS = ("nondecreasing", "markov", "no-gates")
PRODUCTS = ("all", "prop", "abs", "half")
SHAPES = [(1, True, "last"), (2, True, "mean"), (1, False, "attention"), (2, False, "max")]
CASES = [(kind, product) for kind in KINDS for product in PRODUCTS if kind != "no-gates" or product == "all"]
LENGTHS = [4, 1]


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


@pytest.mark.parametrize("bias", ["keep", "spread"])
@pytest.mark.parametrize(("kind", "product"), CASES)
def test_the_printed_rules(kind, product, bias):
    shapes = SHAPES[:1] if bias == "spread" else SHAPES if (kind, product) == ("nondecreasing", "abs") else SHAPES[:2]
    for seed, (layers, both, readout) in enumerate(shapes):
        module = classifier(kind, layers, both, readout, seed)
        seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
        for result in explain(seen, texts(LENGTHS, seed), Lrp(product=product, bias=bias), "all"):
            for number in range(3):
                rule = lrp.Lrp(0.001, product, 0.2 if product == "prop" else 0.001, bias == "spread")
                expected = plainly(module, list(result.text.ids), rule, number)
                atol = 1e-10 * rule.largest
                np.testing.assert_allclose(result.scores[number], expected, rtol=0, atol=atol)
                names = {"initial states": "fixed parts"}
                for part, amount in rule.account.items():
                    found = result.account.get(names.get(part, part), np.zeros(3))[number]
                    np.testing.assert_allclose(found, amount, rtol=0, atol=atol, err_msg=part)
                assert bias == "spread" or rule.account["initial states"] == 0.0
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
        for result in explain(seen, texts([1, 40]), Lrp(product=product), "c1"):
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


class Relu(nn.Module):
    """Word vectors through a linear layer, ReLU, another and a sum with what it read; a mean; an output."""

    def __init__(self, outputs: int = 3, mask: float = 1.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 4)
        self.one, self.two, self.out = nn.Linear(4, 5), nn.Linear(5, 4), nn.Linear(4, outputs)
        self.mask = mask
        draws = torch.Generator().manual_seed(0)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)
        self.embedding.weight.data[3] = 0.0  # a word of which nothing is seen

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.embedding(ids)
        y = self.two(torch.relu(self.one(x)) * self.mask) - x
        return self.out((y * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def test_biases_are_shared_out_by_any_module_of_linear_parts():
    """A plain version of every map; inputs and activations that are exactly zero receive their parts too."""
    module, eps = Relu(), 0.001
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    values = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    for result in explain(seen, texts([1, 4, 9], 2), Lrp(bias="spread"), "all"):
        for number in range(3):
            rule = lrp.Lrp(eps, "all", eps, spread=True)
            x = values["embedding.weight"][list(result.text.ids)]
            a = x @ values["one.weight"].T + values["one.bias"]
            r = np.maximum(a, 0)
            b = r @ values["two.weight"].T + values["two.bias"]
            mean = (b - x).mean(0)
            W, c = values["out.weight"][number], values["out.bias"][number]
            R_mean = rule.linear(mean, W[None], [c], [W @ mean + c])
            expected = []
            for t in range(len(x)):
                R_b, R_x = rule.accumulate(b[t], -x[t], (b[t] - x[t]) / len(x) / mean * R_mean)
                R_a = rule.linear(r[t], values["two.weight"], values["two.bias"], R_b)
                expected.append((R_x + rule.linear(x[t], values["one.weight"], values["one.bias"], R_a)).sum())
            np.testing.assert_allclose(result.scores[number], expected, rtol=0, atol=1e-10 * rule.largest)
            np.testing.assert_allclose(result.gap[number], 0, atol=1e-9)


class Multiplied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 5, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_biases_that_cannot_be_shared_out_are_refused():
    lost = wrap(Relu(mask=0.0), vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    with pytest.raises(UnsupportedError, match=r"^bias='spread' reaches parts that the module multiplies by zero"):
        explain(lost, "w1 w2", Lrp(bias="spread"))
    seen = wrap(Relu(), vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    with pytest.raises(UnsupportedError, match=r"^bias='spread' belongs to rule='epsilon', not to 'gamma'"):
        explain(seen, "w1 w2", Lrp(bias="spread", rule="gamma"))
    module = Relu()
    module.one = Multiplied()
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])
    assert np.isfinite(explain(seen, "w1 w2", Lrp()).scores).all()
    with pytest.raises(UnsupportedError, match=r"^bias='spread' is defined for [^\n]* computes with [^\n]*matmul"):
        explain(seen, "w1 w2", Lrp(bias="spread"))
