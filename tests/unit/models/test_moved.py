"""Outputs of moved states: their slopes are those of differences, at every kind of site, and nothing else moves."""

from __future__ import annotations

import pytest
import torch

from exegesis.core.errors import UsageError
from exegesis.protocols.insides import site_of
from tests.support.every_model import MODELS

TEXTS = ["w1 w2 w3 w4 w5", "w6 w5 w4 w4 w2"]
SITES = {
    "two bilstms max": ["word vectors", "layer 1", "layer 1 reverse", "layer 2", "layer 2 step 2", "pooled"],
    "lstm": ["layer 1", "layer 1 last step", "rnn"],
    "bigru attention": ["layer 1 forward", "pooled"],
    "cells in a loop": ["pooled"],
    "text cnn": ["width 3", "pooled"],
    "transformer": ["layer 1", "layer 2 step 1", "pooled", "bert.encoder.layer.0.attention"],
}


@pytest.mark.parametrize("name", SITES)
def test_slopes_are_those_of_differences_and_zero_changes_nothing(name):
    model = MODELS[name][1]()
    batch = model.encode([model.read(text) for text in TEXTS])
    found, vectors, plain = model.sites(batch), model.embed(batch).detach(), model.outputs(batch)
    sites = [site_of(each, found) for each in SITES[name]]
    widths = [state.shape[-1] for state in model.states_from(vectors, batch, sites)]
    shifts = [torch.zeros(2, width).to(vectors).requires_grad_() for width in widths]
    outputs = model.outputs_moved(vectors, batch, sites, shifts)
    torch.testing.assert_close(outputs.detach(), plain, atol=1e-9, rtol=0)
    slopes = torch.autograd.grad(outputs[:, 0].sum(), shifts)
    draws = torch.Generator().manual_seed(1)
    for site, width, slope in zip(sites, widths, slopes, strict=True):
        way = torch.randn(2, width, generator=draws, dtype=torch.float64).to(vectors)
        ends = [model.outputs_moved(vectors, batch, [site], [sign * 1e-5 * way]) for sign in (1, -1)]
        expected = (ends[0] - ends[1])[:, 0].detach() / 2e-5
        assert float(expected.abs().max()) > 1e-6, site.place  # the move is seen
        torch.testing.assert_close((slope * way).sum(1), expected, atol=1e-6, rtol=1e-4, msg=str(site.place))
        one = torch.stack([way[0], torch.zeros_like(way[0])])
        other = model.outputs_moved(vectors, batch, [site], [one]).detach()
        torch.testing.assert_close(other[1], plain[1], atol=1e-9, rtol=0)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.module.modules())
    torch.testing.assert_close(model.outputs(batch), plain, atol=0, rtol=0)


def test_what_moves_is_what_is_read_above():
    """A move of the vector before the last layer is that layer's move; all sites add up there, for it is linear."""
    model = MODELS["two bilstms max"][1]()
    batch = model.encode([model.read(text) for text in TEXTS])
    (site,) = [site_of("pooled", model.sites(batch))]
    last = [part for part in model.module.modules() if isinstance(part, torch.nn.Linear)][-1]
    way = torch.linspace(-1, 1, 2 * last.in_features, dtype=torch.float64).view(2, -1)
    moved = model.outputs_moved(model.embed(batch), batch, [site, site], [way, 2 * way]).detach()
    torch.testing.assert_close(moved - model.outputs(batch), 3 * way @ last.weight.t(), atol=1e-9, rtol=0)


def test_a_direction_is_its_half_of_the_layer():
    model = MODELS["two bilstms max"][1]()
    batch = model.encode([model.read(text) for text in TEXTS])
    vectors, found = model.embed(batch), model.sites(batch)
    (state,) = model.states_from(vectors, batch, [site_of("layer 1 forward", found)])
    way = torch.linspace(-1, 1, 2 * state.shape[-1], dtype=torch.float64).view(2, -1)
    for name, halves in (("forward", [way, 0 * way]), ("reverse", [0 * way, way])):
        whole = model.outputs_moved(vectors, batch, [site_of("layer 1", found)], [torch.cat(halves, 1)])
        half = model.outputs_moved(vectors, batch, [site_of(f"layer 1 {name}", found)], [way])
        torch.testing.assert_close(half, whole, atol=1e-12, rtol=0)


def test_a_step_that_is_not_there_is_named():
    model = MODELS["lstm"][1]()
    batch = model.encode([model.read("w1 w2")])
    site = site_of("word vectors step 3", model.sites(batch))
    with pytest.raises(UsageError, match="there is no word vectors step 3: the text has 2 steps there"):
        model.outputs_moved(model.embed(batch), batch, [site], [torch.zeros(1, 3)])
