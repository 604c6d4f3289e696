"""Gates of recurrent layers: slopes against a plain cell with a nudged gate, the identities at the cell, all layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import exegesis
from exegesis.core.errors import UnsupportedError
from exegesis.mech.gates import gate_slopes
from tests.support.torch_toys import Bag, Shape, model, texts


def plain(module, ids, nudge):
    """The first output of a one-layer model that reads its last states; ``nudge`` is (gate, step, way, unit, size)."""
    lasts = []
    for way in range(2):
        end = "_reverse" if way else ""
        w_x, w_h, b_x, b_h = (
            getattr(module.rnn, f"{name}_l0{end}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = torch.zeros(module.rnn.hidden_size, dtype=torch.float64)
        for t in list(range(len(ids)))[:: -1 if way else 1]:

            def at(name, value, t=t, way=way):
                if nudge[:3] == (name, t, way):
                    value = value.clone()
                    value[nudge[3]] += nudge[4]
                return value

            a, b = w_x @ module.embedding(ids[t]) + b_x, w_h @ h + b_h
            if isinstance(module.rnn, torch.nn.LSTM):
                i, f, g, o = (a + b).chunk(4)
                c = at("c", at("f", f.sigmoid()) * c + at("i", i.sigmoid()) * at("g", g.tanh()))
                h = at("h", at("o", o.sigmoid()) * c.tanh())
            else:
                (x_r, x_z, x_n), (h_r, h_z, h_n) = a.chunk(3), b.chunk(3)
                r, z = at("r", (x_r + h_r).sigmoid()), at("z", (x_z + h_z).sigmoid())
                h = at("h", (1 - z) * at("n", (x_n + r * h_n).tanh()) + z * h)
        lasts.append(h)
    return float(module.out(torch.cat(lasts))[0])


@pytest.mark.quick
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@torch.no_grad()
def test_slopes_are_differences(cell: str) -> None:
    seen = model(Shape(cell, both=True, scale=0.7))
    batch = seen.encode([seen.read(texts([5])[0])])
    readings = [reading for reading, _ in gate_slopes(seen, batch, lambda raw: raw[:, 0])]
    assert [(one.layer, one.reverse, one.steps) for one in readings] == [(0, False, 5), (0, True, 5)]
    module = seen.module.eval()
    for way, reading in enumerate(readings):
        for letter, slopes in reading.slopes.items():
            for t, unit in ((0, 1), (3, 2), (4, 0)):
                ends = [plain(module, batch.ids[0], (letter, t, way, unit, step)) for step in (1e-5, -1e-5)]
                assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float(slopes[t, unit]), rel=1e-6, abs=1e-9)


def test_shares_at_the_cell() -> None:
    """i dS/di + f dS/df = c dS/dc (a candidate's share is the input gate's), and o dS/do = h dS/dh."""
    seen = model(Shape("lstm", layers=2, both=True, readout="attention"))
    batch = seen.encode([seen.read(texts([6])[0])])
    found = [reading for reading, _ in gate_slopes(seen, batch, lambda raw: raw[:, 1])]
    assert [(one.layer, one.reverse) for one in found] == [(0, False), (0, True), (1, False), (1, True)]
    for one in found:
        share = {letter: one.value(letter) * slopes for letter, slopes in one.slopes.items()}
        torch.testing.assert_close(share["i"], share["g"], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(share["i"] + share["f"], share["c"], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(share["o"], share["h"], rtol=1e-9, atol=1e-12)


def test_curves_are_norms(tmp_path) -> None:
    seen = model(Shape("gru"))
    text = texts([4])[0]
    result = exegesis.gates(seen, text, "c2")
    batch = seen.encode([seen.read(text)])
    ((reading, _),) = gate_slopes(seen, batch, lambda raw: raw[:, 2])
    curves = result["recurrent 1 layer 1 forward"]
    for letter, name in (("r", "reset"), ("z", "update"), ("n", "candidate"), ("h", "hidden")):
        np.testing.assert_allclose(curves.signals[name], reading.value(letter).norm(dim=-1), rtol=1e-12)
        np.testing.assert_allclose(curves.saliency[name], reading.slopes[letter].norm(dim=-1), rtol=1e-12)
    assert max(curves.normalised("saliency")["update"]) == 1.0
    assert exegesis.read(result.save(tmp_path / "gates.json")) == result
    both = exegesis.gates(seen, [text, texts([6], 1)[0]], "c2")
    assert both[0].timeless() == result.timeless()


def test_refusals() -> None:
    bag = exegesis.wrap(Bag().double(), vocabulary=[f"w{i}" for i in range(20)], labels=["a", "b", "c"])
    with pytest.raises(UnsupportedError, match="shows no gates"):
        exegesis.gates(bag, "w1 w2")
    with pytest.raises(UnsupportedError, match="gates need a model with gradients"):
        exegesis.gates(exegesis.blackbox(lambda texts: [[0.5, 0.5]] * len(texts), labels=["a", "b"]), "a b")
