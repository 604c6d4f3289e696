"""Tables of backward runs: one for each method, functions taken apart once, refusals by name; the ledger."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from exegesis.core.errors import UnsupportedError
from exegesis.core.place import Place
from exegesis.mech.backward.attention import ATTENTION
from exegesis.mech.backward.compound import COMPOUND, NORMS, shifted
from exegesis.mech.backward.ledger import Ledger
from exegesis.mech.backward.mode import Mode, Shadow
from exegesis.mech.backward.structural import STRUCTURAL
from exegesis.mech.deeplift.differences import TABLE
from exegesis.mech.lrp.shares import LrpOptions
from exegesis.mech.lrp.state import State, place_in_layer
from exegesis.mech.lrp.table import table


def unchanged(call):
    """A rule that leaves a function its own slopes. Which text an element belongs to is not asked for here."""
    return call.mode.note(call.native(), Shadow(torch.zeros((), dtype=torch.int32)))


PARTS = ["matmul", "bmm", "softmax", "linear", "square", "sqrt", "rsqrt", "clamp_min", "sigmoid", "mul", "div"]
EVERYTHING = {**STRUCTURAL, **COMPOUND, **NORMS, **ATTENTION, **dict.fromkeys(PARTS, unchanged)}
ATTEND = nn.MultiheadAttention(4, 2, batch_first=True).double()
CLOSED = torch.tensor([[False, False, True], [False, False, False]])
APART = {
    "addmm": lambda x: torch.addmm(x[0], x[0] @ x[0].mT, x[1], beta=0.5, alpha=2.0),
    "baddbmm": lambda x: torch.baddbmm(x, x @ x.mT, x, beta=0.5, alpha=2.0),
    "addcmul": lambda x: torch.addcmul(x, x, x, value=3.0),
    "lerp": lambda x: torch.lerp(x, x.square(), x.sigmoid()),
    "lerp, shifted": lambda x: torch.lerp(x, x.square(), x.sigmoid()),
    "glu": lambda x: F.glu(x),
    "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "rms_norm": lambda x: F.rms_norm(x, (4,)),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "norm": lambda x: x.norm(dim=-1),
    "cosine": lambda x: F.cosine_similarity(x[:, 0], x[:, 1]),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "masked attention": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=~CLOSED[:, None].expand(2, 3, 3)),
    "heads": lambda x: ATTEND(x, x, x, key_padding_mask=CLOSED)[0],
}


@pytest.mark.parametrize("name", APART)
def test_functions_taken_apart_are_the_functions(name):
    """The same values; and the same slopes, if every part keeps its own."""
    rows = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    leaf, other = rows.clone().requires_grad_(True), rows.clone().requires_grad_(True)
    expected, mode = APART[name](leaf), Mode({**EVERYTHING, **({"lerp": shifted} if "shifted" in name else {})})
    with mode:
        result = APART[name](mode.start(other))
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)
    slopes = [torch.autograd.grad(values.sin().sum(), at)[0] for values, at in ((result, other), (expected, leaf))]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-11)


def test_a_function_without_a_line_in_the_table_is_refused():
    rows = torch.ones(2, 3, 4, requires_grad=True)
    for names, call in ((NORMS, APART["layer_norm"]), (ATTENTION, APART["attention"])):
        mode = Mode({name: rule for name, rule in EVERYTHING.items() if name not in names})
        with torch.enable_grad(), pytest.raises(UnsupportedError, match="has no rule"), mode:
            call(mode.start(rows))


def test_both_methods_take_the_same_functions_apart():
    own = table(State(LrpOptions(0.001, "all", 0.001), Ledger(1), torch.zeros(1)))
    for name, rule in COMPOUND.items():
        assert own[name] is rule or name == "addmm"  # a linear layer to relevance propagation
        assert TABLE[name] is (shifted if name == "lerp" else rule)
    for name, rule in {**NORMS, **ATTENTION}.items():
        assert TABLE[name] is rule
        assert own[name] is not rule or name == "multi_head_attention_forward"  # what divides is constant to it


def test_a_ledger_adds_by_name_and_text():
    ledger = Ledger(2)
    ledger.book("biases", torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0, 1], [1, 1]]))
    ledger.book("biases", torch.tensor([5.0, 0.0]), torch.tensor([0, -1]))
    ledger.add("absorbed", torch.tensor([1.0, 1.0]))
    ledger.add("absorbed", torch.tensor([1.0, 2.0]))
    assert {name: part.tolist() for name, part in ledger.parts.items()} == {"biases": [6, 9], "absorbed": [2, 3]}
    with pytest.raises(UnsupportedError, match="explain one text at a time"):
        ledger.book("biases", torch.tensor([1.0]), torch.tensor([-1]))
    ledger.note(Place("sum", 1), torch.ones(1))
    assert ledger.states is None
    ledger = Ledger(1, states={})
    ledger.note(Place("sum", 1), torch.ones(1))
    assert list(ledger.states) == ["sum 1"]
    ledger.clear()
    assert ledger.states == ledger.parts == {}


def test_places_have_names():
    state = State(LrpOptions(0.001, "all", 0.001), Ledger(1), torch.zeros(1))
    assert [state.place(kind) for kind in ("conv1d", "sum", "conv1d")] == ["conv1d 1", "sum 1", "conv1d 2"]
    assert place_in_layer((1, 1), "c") == "layer 2 reverse cells"
    assert place_in_layer((0, 0), "h", "recurrent 1") == "recurrent 1 layer 1 forward"
