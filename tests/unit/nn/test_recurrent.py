"""Gates and states that the package sees in a recurrent layer are those of the cells' own formulas, in every layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from exegesis.nn import kernels
from exegesis.nn.kernels import tanh_
from exegesis.nn.recurrent import cells, gates, reading_order
from tests.reference import cells as slow
from tests.support.torch_toys import Shape, model, texts


@pytest.mark.parametrize("starts", [False, True])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_gates_and_states_of_all_layers(cell, both, starts):
    for layers in (1, 2, 3):
        shape = Shape(cell, layers, both, "mean", starts=starts, seed=layers)
        seen = model(shape)
        batch = seen.encode([seen.read(text) for text in texts([2, 9, 1, 5])])
        unrolled = seen.unroll(batch)
        torch.testing.assert_close(unrolled.outputs, seen.outputs(batch))
        assert len(unrolled.layers) == layers
        for row, text in enumerate(batch.texts):
            words = slow.plain(seen.module.embedding.weight)[list(text.ids)]
            for number, layer in enumerate(unrolled.layers):
                lower = seen.module.rnn.__class__(3, 4, number + 1, batch_first=True, bidirectional=both).double()
                lower.load_state_dict(
                    {k: v for k, v in seen.module.rnn.state_dict().items() if k in lower.state_dict()}
                )
                ways = len(layer)
                start = None
                if starts:
                    start = tuple(slow.plain(part)[: (number + 1) * ways, 0] for part in seen.module.start)
                for direction, steps in zip(layer, slow.stack(lower, words, start), strict=True):
                    close = {"rtol": 0, "atol": 1e-11}
                    np.testing.assert_allclose(direction.hidden[row, : len(text)], steps.h[1:], **close)
                    np.testing.assert_allclose(direction.h0[row], steps.h[0], **close)
                    if cell == "lstm":
                        np.testing.assert_allclose(cells(direction)[row, : len(text)], steps.c[1:], **close)
                        i, f, g, o = (value[row, : len(text)] for value in gates(direction, "ifgo"))
                        np.testing.assert_allclose(f, steps.f[1:], **close)
                        np.testing.assert_allclose(o, steps.o[1:], **close)
                        c = np.array(steps.c)
                        np.testing.assert_allclose(i * g, c[1:] - f.numpy() * c[:-1], **close)
                        torch.testing.assert_close(gates(direction, "of")[0][row, : len(text)], o)
                    elif cell == "gru":
                        r, z, n = (value[row, : len(text)] for value in gates(direction, "rzn"))
                        np.testing.assert_allclose(z, steps.u[1:], **close)
                        h = np.array(steps.h)
                        np.testing.assert_allclose((1 - z) * n, h[1:] - z.numpy() * h[:-1], **close)
                        torch.testing.assert_close(gates(direction, "n")[0][row, : len(text)], n)
                        assert ((r > 0) & (r < 1)).all()
                    else:
                        (n,) = gates(direction, "n")
                        np.testing.assert_allclose(n[row, : len(text)], steps.h[1:], **close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [(3,), (2, 5), (0,)])
def test_the_fast_product_is_the_ordinary_one(dtype, rows, monkeypatch):
    """For whatever size the fast kernel is taken."""
    monkeypatch.setattr(kernels, "LEAST_PRODUCT", 1)
    linear = kernels.linear
    draws = torch.Generator().manual_seed(0)
    x, w, b = (torch.randn(*size, generator=draws, dtype=dtype) for size in ((*rows, 6), (8, 6), (8,)))
    for bias in (b, None):
        plain = torch.nn.functional.linear(x, w, bias)
        torch.testing.assert_close(linear(x, w, bias), plain, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(linear(x, w, bias, sigmoid=True), plain.sigmoid(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(linear(x, w.t().contiguous().t(), bias), plain, rtol=1e-5, atol=1e-5)
    leaf = x.clone().requires_grad_(True)
    linear(leaf, w, b).sum().backward()
    torch.testing.assert_close(leaf.grad, w.sum(0).expand_as(x))


def test_reading_order_turns_texts_and_leaves_padding():
    values = torch.tensor([[[1], [2], [3], [0]], [[4], [0], [0], [0]], [[5], [6], [7], [8]]])
    lengths = torch.tensor([3, 1, 4])
    turned = reading_order(values, lengths, True)
    assert turned[..., 0].tolist() == [[3, 2, 1, 0], [4, 0, 0, 0], [8, 7, 6, 5]]
    assert torch.equal(reading_order(turned, lengths, True), values)
    assert reading_order(values, lengths, False) is values


@pytest.mark.parametrize(("dtype", "tight"), [(torch.float32, 2e-7), (torch.float64, 1e-15)])
def test_the_fast_tanh_is_tanh(dtype, tight):
    values = torch.cat([torch.linspace(-30, 30, 4001), torch.tensor([1e-8, -1e-8, 0.0, 1e30, -1e30])]).to(dtype)
    expected = values.tanh()
    given = values.clone()
    assert tanh_(given) is given
    assert float((given - expected).abs().max()) <= tight
