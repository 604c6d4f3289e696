"""States at sites: they are the module's own, whatever its layout, and each row's depend on that row alone."""

from __future__ import annotations

import pytest
import torch

from exegesis.core.errors import UsageError
from exegesis.protocols.insides import site_of
from tests.support.every_model import MODELS

RAW = "w1 w2 w3 w4 w5 w6"
LAYERS = {
    "two bilstms max": ["layer 1", "layer 2", "pooled"],
    "time first": ["layer 1", "pooled"],
    "sorts its rows": ["layer 1", "pooled"],
    "cells in a loop": ["pooled"],
    "text cnn": ["width 3", "width 4", "width 5", "pooled"],
    "embedding bag": ["pooled"],
    "transformer": ["layer 1", "layer 2", "pooled"],
}


@pytest.mark.parametrize("name", LAYERS)
def test_states_of_a_row_are_its_own_and_make_the_outputs(name):
    model = MODELS[name][1]()
    batch = model.encode([model.read(RAW)] * 6)
    found = model.sites(batch)
    sites = [site for site in found.values() if site.layered]
    assert [str(site.place) for site in sites] == ["word vectors", *LAYERS[name]]
    embeds = model.embed(batch)
    moved = embeds.clone()
    moved[2] += torch.linspace(-0.1, 0.2, moved[2].numel()).to(moved).view_as(moved[2])
    before, after = model.states_from(embeds, batch, sites), model.states_from(moved, batch, sites)
    for site, old, new in zip(sites, before, after, strict=True):
        changed = [row for row in range(6) if not torch.allclose(old[row], new[row], atol=1e-9)]
        assert changed == [2], site.place
    alone = model.states_from(moved[2:3], batch.take(torch.tensor([2])), sites)
    for together, single in zip(after, alone, strict=True):
        torch.testing.assert_close(together[2:3], single)
    weight = [part for part in model.module.modules() if isinstance(part, torch.nn.Linear)][-1]
    outputs = weight(after[-1][:, 0].to(weight.weight.dtype))
    torch.testing.assert_close(outputs.to(embeds), model.outputs_from(moved, batch).to(embeds))


def test_layers_inside_a_recurrence_are_torchs_own():
    model = MODELS["two bilstms max"][1]()
    rnn = next(part for part in model.module.modules() if isinstance(part, torch.nn.LSTM))
    batch = model.encode([model.read(RAW)])
    embeds, found = model.embed(batch), model.sites(batch)
    lower = torch.nn.LSTM(rnn.input_size, rnn.hidden_size, bidirectional=True, batch_first=True).to(embeds)
    lower.load_state_dict({name: value for name, value in rnn.state_dict().items() if "_l0" in name})
    wanted = ["layer 1", "layer 1 reverse", "layer 1 step 2", "layer 1 last step"]
    states, reverse, second, last = model.states_from(embeds, batch, [site_of(name, found) for name in wanted])
    expected = lower(embeds)[0]
    torch.testing.assert_close(states, expected)
    torch.testing.assert_close(reverse, expected.chunk(2, -1)[1])
    torch.testing.assert_close(second, expected[:, 1:2])
    torch.testing.assert_close(last, expected[:, -1:])


def test_an_unknown_site_names_those_that_exist():
    model = MODELS["text cnn"][1]()
    found = model.sites(model.encode([model.read(RAW)]))
    with pytest.raises(
        UsageError, match="no site 'layer 9'; it has word vectors, width 3, width 4, width 5, pooled; by"
    ):
        site_of("layer 9", found)
    with pytest.raises(UsageError, match="single vector"):
        site_of("pooled step 1", found)


def test_the_run_ends_at_the_last_site_and_leaves_the_module_as_it_was():
    model = MODELS["transformer"][1]()
    batch = model.encode([model.read(RAW)])
    found, ran = model.sites(batch), []
    handle = model.module.bert.encoder.layer[1].register_forward_pre_hook(lambda *_: ran.append(1))
    (state,) = model.states_from(model.embed(batch), batch, [site_of("layer 1", found)])
    assert state.requires_grad
    assert not ran
    handle.remove()
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.module.modules())
    assert model.module.training == MODELS["transformer"][1]().module.training


def test_halves_of_an_encoder_decoder_have_names():
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    from exegesis.models.huggingface.wrap import wrap_huggingface

    model = wrap_huggingface(hf_toys.bart(), hf_toys.wordpiece(inputs=hf_toys.UNTYPED), name="bart")
    batch = model.encode([model.read("a good film")])
    names = [str(place) for place, site in model.sites(batch).items() if site.layered]
    assert "encoder layer 1" in names
    assert "decoder layer 1" in names
