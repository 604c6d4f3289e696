"""Products with the curvature and its inverse against matrices written out, on an LSTM small enough for that."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import exegesis
from exegesis.core.errors import ModelError
from exegesis.mech.curvature.eigen import Eigen
from exegesis.mech.curvature.passes import Passes
from exegesis.mech.curvature.products import GaussNewton, Hessian, Losses
from exegesis.mech.curvature.solve import conjugate_gradients, lissa
from exegesis.protocols.budget import limited
from exegesis.protocols.loss import loss
from tests.support import torch_toys
from tests.support.torch_toys import Shape

TEXTS = torch_toys.texts([5, 3, 4, 2, 6, 3])
GOLD = torch.tensor([0.0, 1, 2, 1, 0, 0], dtype=torch.float64)


@pytest.fixture(scope="module")
def toy():
    """The passes, the texts, and the dense Gauss-Newton matrix, Hessian and gradients of a tiny LSTM."""
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=3))
    texts = [model.read(text) for text in TEXTS]
    passes = Passes(model, ["rnn", "out"])
    module = model.module.eval()
    weights = [dict(module.named_parameters())[name] for name in passes.layout.shapes]
    size, rows, newton, hessian = passes.layout.size, [], 0, torch.zeros(passes.layout.size, dtype=torch.float64)
    hessian = torch.zeros(size, size, dtype=torch.float64)
    for text, gold in zip(texts, GOLD, strict=True):
        batch = model.encode([text])
        raw = module(batch.ids, batch.lengths)
        jacobian = torch.stack([_flat(torch.autograd.grad(o, weights, retain_graph=True)) for o in raw[0]])
        p = raw[0].softmax(0).detach()
        newton = newton + jacobian.t() @ (p.diag() - p[:, None] * p) @ jacobian / len(texts)
        first = _flat(torch.autograd.grad(loss(raw, gold[None], model.link)[0], weights, create_graph=True))
        rows.append(first.detach())
        for number in range(size):
            hessian[number] += _flat(torch.autograd.grad(first[number], weights, retain_graph=True)) / len(texts)
    return passes, texts, newton, hessian, torch.stack(rows)


def _flat(parts):
    return torch.cat([part.reshape(-1) for part in parts])


def test_products_are_those_of_the_dense_matrices(toy):
    passes, texts, newton, hessian, rows = toy
    eye = torch.eye(passes.layout.size, dtype=torch.float64)
    mine = GaussNewton(passes, texts, GOLD)
    torch.testing.assert_close(mine.times(eye), newton)
    torch.testing.assert_close(Hessian(passes, texts, GOLD).times(eye), hessian)  # more vectors than go together
    whole = Hessian(Passes(passes.model), texts, GOLD)  # with weights that this readout leaves alone
    some = torch.randn(2, whole.passes.layout.size, dtype=torch.float64)
    torch.testing.assert_close(whole.times(some), torch.cat([whole.times(one[None]) for one in some]))
    assert mine.trace() == pytest.approx(float(newton.trace()), rel=1e-9)
    torch.testing.assert_close(Losses(passes, texts, GOLD).products(eye), rows.t())
    torch.testing.assert_close(mine.products(eye), rows.t())  # from what is kept
    with limited("factors", numbers=1), limited("examples", rows=2):  # in small batches, nothing kept
        apart = GaussNewton(passes, texts, GOLD)
        torch.testing.assert_close(apart.times(eye[:2]), newton[:2])
        assert not apart._kept


def test_solvers_agree_with_the_dense_inverse(toy):
    passes, texts, newton, _, rows = toy
    damping = 0.1
    exact = torch.linalg.solve(newton + damping * torch.eye(len(newton)), rows.t()).t()
    matrix = GaussNewton(passes, texts, GOLD)
    solved = conjugate_gradients(matrix.times, rows, damping, 60, 1e-11)
    torch.testing.assert_close(solved.solutions, exact, rtol=1e-7, atol=1e-9)
    assert float(solved.residual.max()) < 1e-9
    short = conjugate_gradients(matrix.times, rows, damping, 2, 1e-11)
    left = (short.solutions @ (newton + damping * torch.eye(len(newton))) - rows).norm(dim=1) / rows.norm(dim=1)
    torch.testing.assert_close(short.residual, left)
    strong = torch.linalg.solve(newton + 2.0 * torch.eye(len(newton)), rows[:1].t()).t()
    recursive = lissa(matrix, rows[:1], 2.0, depth=60, repeats=1, scale=None, seed=0)  # one batch: no noise
    torch.testing.assert_close(recursive.solutions, strong, rtol=1e-4, atol=1e-5)
    with limited("examples", rows=4):  # batches of four texts and of two: their mean is the whole matrix all the same
        parts = GaussNewton(passes, texts, GOLD)
        mean = torch.stack([parts.of_batch(number, rows) for number in range(parts.batches())]).mean(0)
        assert parts.batches() == 2
        torch.testing.assert_close(mean, rows @ newton)
        drawn = lissa(parts, rows[:1], 2.0, depth=400, repeats=8, scale=8.0, seed=0)
    torch.testing.assert_close(drawn.solutions, strong, rtol=0.05, atol=0.01 * float(strong.abs().max()))
    with pytest.raises(ModelError, match=r"lissa diverges with a scale of 0\.01: give a larger scale"):
        lissa(matrix, rows[:1], damping, depth=100, repeats=1, scale=0.01, seed=0)


def test_no_vector_no_direction():
    """A vector of zeros has the solution zero, and negative curvature ends the search."""
    zero = conjugate_gradients(lambda v: v, torch.zeros(1, 3), 0.0, 5, 1e-6)
    assert not zero.solutions.any()
    assert float(zero.residual) == 0.0
    down = conjugate_gradients(lambda v: -v, torch.ones(1, 3), 0.0, 5, 1e-6)
    assert not down.solutions.any()
    assert float(down.residual) == pytest.approx(1.0)
    assert down.negative
    both = torch.tensor([3.0, 1.0, 0.5, -0.3]).diag().double()  # the last step before negative curvature is too long
    some = torch.tensor([[1.0, 1.0, 1.0, 0.3]], dtype=torch.float64)
    short = conjugate_gradients(lambda v: v @ both, some, 0.0, 50, 1e-9)
    assert short.negative
    assert float(short.residual) < 0.39


def test_blocks_of_ek_fac(toy):
    """Eigenvalues are the diagonal of the Gauss-Newton matrix in the axes; the trace is kept; the inverse is theirs."""
    passes, texts, newton, _, rows = toy
    eigen = Eigen.of(GaussNewton(passes, texts, GOLD))
    assert eigen.trace() == pytest.approx(float(newton.trace()), rel=1e-9)
    inverse = torch.zeros_like(newton)
    slices = passes.layout.slices()
    for name, block in eigen.blocks.items():
        places = torch.arange(len(newton))[slices[name]]
        if block.bias is not None:  # it is the last column of the matrix
            last = torch.arange(len(newton))[slices[block.bias]]
            places = torch.cat([places.reshape(len(last), -1), last[:, None]], 1).reshape(-1)
        own = newton[places][:, places]
        axes = torch.eye(len(own), dtype=own.dtype)
        if block.kind == "linear":
            axes = torch.kron(block.outputs.contiguous(), block.inputs.contiguous())
        torch.testing.assert_close(block.values.reshape(-1), (axes.t() @ own @ axes).diagonal())
        made = axes @ (1 / (block.values.reshape(-1) + 0.1)).diag() @ axes.t()
        inverse[places[:, None], places] = made
    found = {name: (block.kind, block.bias) for name, block in eigen.blocks.items()}
    assert found["rnn.weight_hh_l0"] == ("linear", "rnn.bias_hh_l0")
    assert found["out.weight"] == ("linear", "out.bias")
    assert "rnn.bias_hh_l0" not in found
    same = dict.fromkeys(eigen.blocks, 0.1)
    torch.testing.assert_close(eigen.solved(rows, same), rows @ inverse)
    ((_, factors),) = list(Losses(passes, texts, GOLD).gradients())
    lengths = torch.einsum("np,pq,nq->n", factors.dense()[0], inverse, factors.dense()[0])
    torch.testing.assert_close(eigen.lengths(factors, same)[0], lengths)
    shares = eigen.dampings(0.5)
    diagonal = eigen.diagonal(shares)
    for name, block in eigen.blocks.items():  # half of the mean eigenvalue of each block
        own = torch.cat([newton.diagonal()[slices[one]] for one in (name, block.bias) if one])
        assert shares[name] == pytest.approx(0.5 * float(own.mean()))
        assert diagonal[slices[name]].eq(shares[name]).all()


def test_padding_turns_no_axes(toy):
    """The axes of EK-FAC are the same in batches of texts of one length and in one batch that is padded."""
    passes, texts, *_, rows = toy
    damping = dict.fromkeys(passes.layout.shapes, 0.1)
    together = Eigen.of(GaussNewton(passes, texts, GOLD)).solved(rows, damping)
    with limited("examples", rows=1):
        apart = Eigen.of(GaussNewton(passes, texts, GOLD)).solved(rows, damping)
    torch.testing.assert_close(together, apart)


def test_a_table_in_ek_fac():
    model = torch_toys.model(Shape("gru", hidden=2, size=2))
    texts = [model.read(text) for text in [*TEXTS, "w1 w1 w2 w1"]]
    gold = torch.tensor([0.0, 1, 2, 1, 0, 0, 1], dtype=torch.float64)
    matrix = GaussNewton(Passes(model, ["embedding"]), texts, gold)
    whole = matrix.times(torch.eye(matrix.passes.layout.size, dtype=torch.float64))
    block = Eigen.of(matrix).blocks["embedding.weight"]
    axes = torch.kron(torch.eye(len(block.values), dtype=torch.float64), block.outputs.contiguous())
    torch.testing.assert_close(block.values.reshape(-1), (axes.t() @ whole @ axes).diagonal())


class Attending(nn.Module):
    """Attention by torch's own layer, without weights of attention asked for."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.emb, self.out = nn.Embedding(len(torch_toys.WORDS), 4), nn.Linear(4, 2)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, ids):
        vectors = self.emb(ids)
        return self.out(self.attention(vectors, vectors, vectors, need_weights=False)[0].mean(1))


def test_attention_of_torch_has_a_second_derivative():
    module = Attending().double().eval()
    model = exegesis.wrap(module, vocabulary=torch_toys.WORDS, tokenizer=str.split)
    passes = Passes(model, ["attention"])
    texts, gold = [model.read("w1 w2 w3"), model.read("w4 w2")], torch.tensor([0.0, 1.0])
    weights, total = [dict(module.named_parameters())[name] for name in passes.layout.shapes], 0
    with sdpa_kernel(SDPBackend.MATH):  # which can be derived twice
        for text, one in zip(texts, gold, strict=True):
            total = total + loss(module(torch.tensor([text.ids])), one[None], model.link)[0] / 2
        first = _flat(torch.autograd.grad(total, weights, create_graph=True))
        hessian = torch.stack([_flat(torch.autograd.grad(one, weights, retain_graph=True)) for one in first])
    torch.testing.assert_close(Hessian(passes, texts, gold).times(torch.eye(len(first), dtype=torch.float64)), hessian)


def test_a_loss_without_curvature():
    """A model that is sure of every text has no curvature: no damping follows from it, and none is made up."""
    model = torch_toys.model(Shape("lstm", hidden=2, size=2, outputs=3))
    with torch.no_grad():
        model.module.out.weight.mul_(1e6)
    texts = [model.read(text) for text in TEXTS]
    matrix = GaussNewton(Passes(model, ["out"]), texts, GOLD)
    vectors = torch.ones(1, matrix.passes.layout.size, dtype=torch.float64)
    eigen = Eigen.of(matrix)
    none = "no curvature in the weights that count .* give a damping above 0"
    works = (matrix.mean_eigenvalue, lambda: eigen.dampings(0.1), lambda: lissa(matrix, vectors, 0.0, 3, 1, None, 0))
    for work in works:
        with pytest.raises(ModelError, match=none):
            work()
    with pytest.raises(ModelError, match=r"the curvature in out\.weight is zero along some direction"):
        eigen.even(0.0)
    by_blocks, by_steps = eigen.solved(vectors, eigen.even(0.5)), lissa(matrix, vectors, 0.5, 3, 1, None, 0).solutions
    for made in (by_blocks, by_steps, conjugate_gradients(matrix.times, vectors, 0.5, 5, 1e-9).solutions):
        torch.testing.assert_close(made, 2 * vectors)
