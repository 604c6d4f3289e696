"""``wrap`` over the kinds of text classifiers that people publish: called, seen through or refused as they stand."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import exegesis
from exegesis.core.errors import ModelError, TextError, UnsupportedError, UsageError
from exegesis.models.modules.arguments import arguments_of
from exegesis.models.modules.wrap import wrap
from exegesis.protocols.model import Recurrent, offers
from tests.support.shape_checks import unchecked
from tests.support.torch_toys import WORDS, texts
from tests.support.wild_modules import WILD, C, D, GivenState, H, Lengths, V, Wild, Words
from tests.unit.models.modules.test_wrap import same, state

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
    raw = texts([4, 1, 6, 4], 2)
    read = [seen.read(text) for text in raw]
    found = seen.outputs(seen.encode(read))
    for text, outputs in zip(read, found, strict=True):
        torch.testing.assert_close(outputs, by_hand(module, case, list(text.ids)), rtol=0, atol=1e-10)
    names = {card.name for card in exegesis.methods(seen)}
    expected = {"gated": "reat", "gradients": "integrated-gradients", "words": "leave-one-out"}[case.able]
    assert expected in names
    assert ("reat" in names) == (case.able == "gated")
    for method in SUMMING:
        if method in names and NO_RULE.get(name) != method:
            together = exegesis.explain(seen, raw, method, "predicted")
            alone = exegesis.explain(seen, raw[2], method, "predicted")
            np.testing.assert_allclose(together[2].scores, alone.scores, rtol=0, atol=1e-9, err_msg=method)
            np.testing.assert_allclose([one.gap for one in together], 0, atol=1e-9, err_msg=method)
    if "integrated-gradients" in names:
        result = exegesis.explain(seen, raw[0], "integrated-gradients", 0, tolerance=1e-4)
        assert abs(result.gap) <= 1e-3 * max(1, abs(result.explained))  # a path has kinks
    if "reat" not in names:
        with pytest.raises(UnsupportedError) as refused:
            exegesis.explain(seen, raw, "reat")
        assert case.reason in str(refused.value)
        assert "\n" not in str(refused.value)
    leave_one_out(seen, module, case, raw[0])
    same(before, state(module))


def leave_one_out(seen, module: nn.Module, case: Wild, text: str) -> None:
    """It is the author's own run without the word."""
    ids = list(seen.read(text).ids)
    whole = by_hand(module, case, ids)
    drops = [whole - by_hand(module, case, ids[:at] + ids[at + 1 :]) for at in range(len(ids))]
    result = exegesis.explain(seen, text, "leave-one-out", "yes" if len(whole) == 1 else 0)
    number = -1 if len(whole) == 1 else 0
    np.testing.assert_allclose(result.scores, torch.stack(drops)[:, number], rtol=0, atol=1e-9)


# numbers that were once wrong without a word -------------------------------------------------------------------------


class TimeFirst(Words):
    def forward(self, x):
        return self.fc(torch.tanh(self.rnn(self.embedding(x))[1][0][-1]))


class TurnsInside(TimeFirst):
    def forward(self, x):
        return super().forward(x.t())


@pytest.mark.parametrize("kind", [TimeFirst, TurnsInside])
def test_ids_that_read_the_same_across_and_down(kind):
    """Three points on a path of a text of three equal words: as many texts as words, all ids alike."""
    module = made(kind)
    path = {"points": 3, "limit": 3}
    for text in ("w1 w1 w1", "w1 w2 w1"):
        result = exegesis.explain(wrapped(module), text, "integrated-gradients", 0, **path)
        ids = torch.tensor([[WORDS.index(word) for word in text.split()]])
        places, weights = np.polynomial.legendre.leggauss(3)
        vectors = module.embedding.weight.detach()[ids]
        total = torch.zeros_like(vectors)
        plain = copy.deepcopy(module).eval()
        for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
            point = (place * vectors).requires_grad_(True)
            number = plain.fc(torch.tanh(plain.rnn(point.transpose(0, 1))[1][0][-1]))[0, 0]
            total += weight * torch.autograd.grad(number, point)[0]
        np.testing.assert_allclose(result.scores, (total * vectors).sum(-1)[0], rtol=0, atol=1e-12)
        assert np.abs(result.scores).max() > 1e-3


class Carries(Words):
    """Goes on from the state that the last call left, as a careless training loop has it."""

    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)
        self.state = torch.full((1, 1, H), 0.3, dtype=torch.float64)

    def forward(self, x):
        output, self.state = self.rnn(self.embedding(x), self.state)
        return self.fc(output[:, -1])


def test_a_state_left_on_the_module_does_not_go_from_text_to_text():
    module = made(Carries)
    seen = wrapped(module)
    raw = texts([3, 5, 3], 1)
    for method in ("reat", "gradient-x-input", "leave-one-out", "deeplift"):
        together = exegesis.explain(seen, raw, method, "all")
        for text, one in zip(raw, together, strict=True):
            alone = exegesis.explain(seen, text, method, "all")
            np.testing.assert_array_equal(one.prediction.probabilities, alone.prediction.probabilities)
            np.testing.assert_allclose(one.scores, alone.scores, rtol=0, atol=1e-12)
    assert bool((module.state == 0.3).all())


class AttentionFirst(Words):
    def __init__(self):
        super().__init__(nn.GRU, batch_first=True)
        self.score = nn.Linear(H, 1)

    def forward(self, x):
        output = self.rnn(self.embedding(x))[0]
        weights = torch.softmax(self.score(output).squeeze(-1), 1)
        return weights, self.fc((weights.unsqueeze(-1) * output).sum(1))


@pytest.mark.parametrize("labels", [["a", "b", "c"], None])
def test_weights_of_three_words_are_no_logits_of_three_classes(labels):
    module = made(AttentionFirst)
    seen = wrapped(module, labels=labels)
    for length in (2, 3, 4):
        text = texts([length])[0]
        ids = torch.tensor([list(seen.read(text).ids)])
        torch.testing.assert_close(seen.outputs(seen.encode([seen.read(text)])), copy.deepcopy(module).eval()(ids)[1])
    assert "reat" in {card.name for card in exegesis.methods(seen)}


@pytest.mark.parametrize("labels", [["a", "b", "c"], None])
def test_a_penalty_is_no_logit(labels):
    module = made(lambda: Last(lambda m, x, z: ((z**2).sum(), z)))
    seen = wrapped(module, labels=labels)
    assert seen.plan.part == 1
    assert len(seen.labels) == C


def test_tied_weights_are_put_back():
    """The same weight under two names is one weight, whose gradients are switched once."""

    class Tied(Words):
        def __init__(self):
            super().__init__(nn.LSTM, batch_first=True)
            self.second_name = self.fc.weight

        def forward(self, x):
            return self.fc(self.rnn(self.embedding(x))[0][:, -1])

    module = made(Tied)
    before = state(module)
    result = exegesis.explain(wrapped(module), "w1 w2 w3", "deeplift", 0)
    np.testing.assert_allclose(result.gap, 0, atol=1e-10)
    same(before, state(module))


@pytest.mark.parametrize(
    "name",
    ["two linear layers in a row", "linear, batch norm, linear", "self-attention of several hops, two linear layers"],
)
def test_lrp_goes_through_layers_one_by_one(name):
    """REAT may read several linear layers as one; the epsilon rule may not."""
    seen = wrapped(made(WILD[name].make))
    plain = replace(seen, profile=replace(seen.profile, lacks={"Recurrent": "hidden from this test"}))
    assert offers(seen, Recurrent)
    assert not offers(plain, Recurrent)
    for text in texts([2, 5], 4):
        one, other = (exegesis.explain(model, text, "lrp", "all") for model in (seen, plain))
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-12)


# what is refused, and how --------------------------------------------------------------------------------------------


class Last(Words):
    def __init__(self, end=lambda module, x, z: z):
        super().__init__(nn.LSTM, batch_first=True)
        self.end = end

    def forward(self, x):
        return self.end(self, x, self.fc(self.rnn(self.embedding(x))[0][:, -1]))


def refused(error, module, match, **options):
    with pytest.raises(error, match=match) as found:
        wrapped(module, **options)
    assert "\n" not in str(found.value)


def test_modules_that_give_no_function_of_a_text():
    class Mixing(Words):
        def __init__(self):
            super().__init__(nn.LSTM, 2 * H, bidirectional=True, batch_first=True)

        def forward(self, x):
            return self.fc(self.rnn(self.embedding(x))[1][0].view(-1, 2 * H))

    class Lazy(Words):
        def __init__(self):
            super().__init__(nn.LSTM, batch_first=True)
            self.fc = nn.LazyLinear(C)

        def forward(self, x):
            return self.fc(self.rnn(self.embedding(x))[0][:, -1])

    always = "other outputs each time: .*F.dropout needs training=self.training"
    refused(ModelError, Last(lambda m, x, z: torch.nn.functional.dropout(z)), always)
    refused(ModelError, Last(lambda m, x, z: nn.Dropout()(z)), always)
    refused(ModelError, Last(lambda m, x, z: z + torch.randn(C)), always)
    refused(ModelError, Mixing(), "depend on its batch .*does every view or reshape keep the texts apart")
    refused(ModelError, Last(lambda m, x, z: m.fc(m.rnn(m.embedding(x))[0])), r"returns shape \[1, 23, 3\] for 1 texts")
    refused(ModelError, Last(lambda m, x, z: z.argmax(1)), "returns a tensor of torch.int64; it must return logits")
    refused(UsageError, Lazy(), "lazy layers without weights: run it once, or load its trained weights")
    two = Last(lambda m, x, z: {"one": z, "other": z})
    refused(
        ModelError, two, r"returns parts 'one', 'other', of which 2 may be logits of 3 classes: name the one with call"
    )
    refused(ModelError, two, "of which none may be logits of 1 or 2 classes", labels=["no", "yes"])
    module = Lazy()
    module(torch.ones(1, 2, dtype=torch.long))
    assert "reat" in {card.name for card in exegesis.methods(wrapped(module))}


def test_vectors_that_stand_outside():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(D, H, batch_first=True), nn.Linear(H, C)

        def forward(self, vectors):
            return self.fc(self.rnn(vectors)[0][:, -1])

    inner, table = made(Inner), nn.Embedding(V, D).double()
    refused(ModelError, inner, r"it has no nn.Embedding, so put that in front, by nn.Sequential\(embedding, module\)")
    looked_up = wrapped(inner, call=lambda module, batch: module(table(batch.ids)))
    with pytest.raises(UnsupportedError, match=r"put the one that stands outside in front, by nn.Sequential"):
        exegesis.explain(looked_up, "w1 w2", "gradient")
    seen = wrapped(nn.Sequential(table, inner))
    for method in ("reat", "gradient", "lrp"):
        exegesis.explain(seen, "w1 w2", method)
    one, other = (exegesis.explain(model, "w1 w2", "leave-one-out").scores for model in (seen, looked_up))
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_modules_without_gradients():
    def without(module, x, _):
        with torch.no_grad():
            output = module.rnn(module.embedding(x))[0]
        return module.fc(output[:, -1])

    quantised = made(Last).float().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(quantised, {nn.LSTM, nn.Linear}, dtype=torch.qint8)
    detached = made(lambda: Last(lambda m, x, _: m.fc(m.rnn(m.embedding(x).detach())[0][:, -1])))
    for module in (quantised, detached, made(lambda: Last(without))):
        seen = wrapped(module)
        text = seen.encode([seen.read("w1 w2")])
        torch.testing.assert_close(seen.outputs(text), copy.deepcopy(module).eval()(torch.tensor([[4, 5]])).detach())
        for method in ("gradient", "integrated-gradients", "reat", "deeplift"):
            with pytest.raises(UnsupportedError, match=r"no gradient reaches its word vectors: quantised layers"):
                exegesis.explain(seen, "w1 w2", method)
        exegesis.explain(seen, "w1 w2", "leave-one-out")


def test_what_is_written_over_has_no_gradient():
    def over(module, x, _):
        last = torch.tanh(module.rnn(module.embedding(x))[0][:, -1])
        last.mul_(2.0)
        return module.fc(last)

    seen = wrapped(made(lambda: Last(over)))
    for method in ("gradient", "integrated-gradients"):
        with pytest.raises(
            UnsupportedError, match=r"writes over numbers that its gradient needs .*take deeplift or lrp"
        ):
            exegesis.explain(seen, "w1 w2", method)
    np.testing.assert_allclose(exegesis.explain(seen, "w1 w2", "deeplift").gap, 0, atol=1e-10)


@pytest.mark.parametrize("compiling", ["script", "trace"])
def test_scripted_and_traced_modules_are_black_boxes(compiling):
    class Plain(Words):
        def __init__(self):
            super().__init__(nn.LSTM, batch_first=True)

        def forward(self, x):
            return self.fc(self.dropout(self.rnn(self.embedding(x))[0][:, -1]))

    module = made(Plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = (
            torch.jit.script(module)
            if compiling == "script"
            else torch.jit.trace(module.eval(), torch.ones(1, 5, dtype=torch.long))
        )
    seen = wrapped(scripted)
    assert scripted.training == (compiling == "script")
    raw = texts([3, 5, 3])
    with pytest.raises(UnsupportedError, match=r"scripted or traced code.*hand it the module that was scripted"):
        exegesis.explain(seen, raw, "reat")
    for one, other in zip(*(exegesis.explain(m, raw, "leave-one-out") for m in (seen, wrapped(module))), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-12)


def test_a_text_longer_than_the_module_takes():
    seen = wrapped(made(WILD["a fixed length, all states flattened"].make))
    assert (seen.plan.least, seen.plan.most) == (10, 10)
    exegesis.explain(seen, texts([10]), "integrated-gradients")
    with pytest.raises(ModelError, match="takes texts of 10 pieces and no more, and one has 11: let tokenizer= cut"):
        exegesis.explain(seen, texts([11]), "leave-one-out")
    cut = wrapped(seen.module, tokenizer=lambda text: text.split()[:10])
    assert len(exegesis.explain(cut, texts([30])[0], "gradient").words) == 10


def test_one_text_a_call():
    """A module that takes one text alone is run text by text, and one that takes many is not."""
    assert wrapped(made(WILD["one sentence, an unbatched layer"].make)).plan.form == "one"
    assert wrapped(made(WILD["one sentence as a row of ids"].make)).plan.rows == 1
    assert wrapped(made(WILD["the state of one text a call kept on self"].make)).plan.rows == 1
    assert wrapped(made(WILD["ids and lengths in a tuple"].make)).plan.form == "pair"
    bags = wrapped(made(WILD["bags with offsets"].make)).plan
    assert (bags.form, bags.pads) == ("flat", True)
    seen = wrapped(made(Lengths))
    assert (seen.plan.form, seen.plan.rows, seen.plan.pads) == ("rows", 0, True)


def test_one_text_a_call_without_gradients():
    def single(module, x, _):
        assert len(x) == 1
        return module.fc(module.rnn(module.embedding(x).detach())[0][:, -1])

    seen = wrapped(made(lambda: Last(single)))
    assert seen.plan.rows == 1
    together = exegesis.explain(seen, texts([3, 3]), "leave-one-out")
    np.testing.assert_array_equal(together[1].scores, exegesis.explain(seen, texts([3, 3])[1], "leave-one-out").scores)


# names of arguments --------------------------------------------------------------------------------------------------


def _forward(signature: str) -> nn.Module:
    scope: dict = {"nn": nn}
    exec(f"class Named(nn.Module):\n    def forward(self, {signature}): ...", scope)
    return scope["Named"]()


@pytest.mark.parametrize(
    ("signature", "ids", "others"),
    [
        ("x", "", {}),
        ("text, text_lengths", "", {"text_lengths": "lengths"}),
        ("x, x_len, h0", "", {"x_len": "lengths", "h0": "state"}),
        ("seq_lens, tokens", "tokens", {"seq_lens": "lengths"}),
        ("text, offsets", "", {"offsets": "offsets"}),
        ("sentences, batch_size=None", "", {"batch_size": "rows"}),
        ("x, hidden=None, max_len=None, labels=None", "", {}),
        ("*, input_ids, attention_mask", "input_ids", {"attention_mask": "mask"}),
        ("x, prev_state, pad_mask=None", "", {"prev_state": "state", "pad_mask": "padding"}),
        ("*args, **kwargs", "", {}),
    ],
)
def test_what_arguments_want(signature, ids, others):
    found = arguments_of(_forward(signature))
    assert (found.ids, dict(found.others)) == (ids, others)


@pytest.mark.parametrize("signature", ["premise, hypothesis", "x, temperature", "x, lengths, topic"])
def test_arguments_that_no_rule_knows(signature):
    with pytest.raises(UsageError, match=r"cannot tell what forward's argument '\w+' wants: give call="):
        arguments_of(_forward(signature))


def test_the_modules_own_first_state():
    """Drawn from what the module says, not from zeros."""

    class Starts(GivenState):
        def __init__(self):
            super().__init__(lambda z: z)

        def init_hidden(self, batch_size, device="nowhere"):
            assert device == torch.device("cpu")
            return tuple(start + 0.5 for start in super().init_hidden(batch_size))

    module = made(Starts)
    seen = wrapped(module, labels=["no", "yes"])
    ids = torch.tensor([list(seen.read("w3 w1 w4").ids)])
    start = module.init_hidden(1, torch.device("cpu"))
    expected = copy.deepcopy(module).eval()(ids, start)[0]
    torch.testing.assert_close(seen.outputs(seen.encode([seen.read("w3 w1 w4")]))[:, 0], expected)
    result = exegesis.explain(seen, "w3 w1 w4", "reat")
    np.testing.assert_allclose(result.gap, 0, atol=1e-10)
    assert "initial states" in result.account
    module.init_hidden = lambda rows, mood: None
    with pytest.raises(ModelError, match=r"cannot tell what .* argument 'rows' wants: give call="):
        wrapped(module, labels=["no", "yes"])


def test_what_is_no_module_and_no_vocabulary():
    module = made(Lengths)
    refused(UsageError, module.state_dict(), "weights alone are to be loaded into their module")
    refused(
        UsageError, module, "a Counter counts words; give words in the order of their numbers", vocabulary=Counter("ab")
    )
    seen = wrapped(module, vocabulary={word: number + 1 for number, word in enumerate(WORDS[3:])}, tokenizer=None)
    with pytest.raises(TextError, match=r"has no unknown token; give it one \(<unk>\)"):
        exegesis.explain(seen, "w1 unheard")
