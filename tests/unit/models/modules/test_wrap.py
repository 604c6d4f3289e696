"""``wrap`` over a zoo of users' modules: found out how to call, seen through or refused by name, left untouched."""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import tests.support.text_cnns as text_cnns
from exegesis.api import explain, methods
from exegesis.core.errors import ModelError, TextError, UnsupportedError, UsageError
from exegesis.models.modules.abilities import is_our_own
from exegesis.models.modules.wrap import wrap
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.protocols.target import Link
from tests.support.second_device import NAME, OTHERS
from tests.support.shape_checks import unchecked
from tests.support.torch_toys import WORDS, Shape, net, texts
from tests.support.user_modules import ZOO, Base, Case, NoLengths, PackedUnsorted, Single

ALL = {"gradient", "gradient-x-input", "input-reduction", "integrated-gradients", "leave-one-out", "lime", "smoothgrad"}
ABLE = {
    "gated": ALL | {"reat", "naive-reat"},
    "recurrent": ALL | {"naive-reat"},
    "gradients": ALL,
    "words": {"leave-one-out", "lime", "input-reduction"},
}
LENGTHS = [3, 1, 6, 3, 2, 6]
FEW = [3, 1, 4]
STATES = ("naive-reat", "reat")
SLOPES = ("gradient", "gradient-x-input", "integrated-gradients", "smoothgrad")
REMOVALS = ("input-reduction", "leave-one-out", "lime")
QUICK = {"lime": {"samples": 12}, "smoothgrad": {"samples": 2}, "integrated-gradients": {"points": 4, "limit": 8}}


def made(case: Case, dtype=torch.float64) -> nn.Module:
    torch.manual_seed(1)
    module = case.make()
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape) * 0.7
    return module.to(dtype).train()


def wrapped(module: nn.Module, case: Case):
    return wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=list(case.labels), **case.options)


@lru_cache(1)
def served(name: str):
    """A module of the zoo that was never touched before, its state then, and its wrapping; for the tests of one."""
    module = made(ZOO[name])
    before = state(module)
    return module, before, wrapped(module, ZOO[name])


def state(module: nn.Module) -> dict:
    """Everything about a module that a careless reader could change."""
    return {
        "weights": {name: value.clone() for name, value in module.state_dict().items()},
        "flags": [part.training for part in module.modules()],
        "grads": [(weight.requires_grad, weight.grad) for weight in module.parameters()],
        "hooks": [(len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks))
                  for part in module.modules()],
        "attributes": [{k: id(v) for k, v in vars(part).items()} for part in module.modules()],
        "buffers": [{k: id(v) for k, v in part._buffers.items()} for part in module.modules()],
        "dropout": [getattr(part, "p", None) or getattr(part, "dropout", None) for part in module.modules()],
        "random": torch.random.get_rng_state().tolist(),
        "threads": (torch.is_grad_enabled(), torch.backends.cudnn.enabled),
    }  # fmt: skip


def same(before: dict, after: dict) -> None:
    weights = [before["weights"], after["weights"]]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert {**before, "weights": None} == {**after, "weights": None}


def own_call(module: nn.Module, ids: list[int]) -> torch.Tensor:
    """The user's own call, one text, in evaluation mode."""
    module = copy.deepcopy(module).eval()
    text = torch.tensor([ids])
    name = type(module).__name__
    text = text.t() if name.startswith(("TimeFirst", "AllStepsTimeFirst")) else text
    kinds = {"lengths": torch.tensor([len(ids)]), "ones": torch.ones_like(text)}
    with torch.no_grad():
        argument = {
            "TimeFirstPacked": "lengths", "PackedSorted": "lengths", "PackedUnsorted": "lengths",
            "SortsBefore": "lengths", "SortsBehind": "lengths", "Gathers": "lengths", "TwoEmbeddings": "lengths",
            "Both": "lengths", "Attended": "lengths", "HiddenAttention": "lengths", "AttentionPart": "lengths",
            "Nested": "lengths", "BoolMask": "bool", "IntMask": "int", "FloatMask": "float", "PaddingMask": "not",
            "MisnamedMask": "int", "MeanOfVectors": "int",
        }.get(name)  # fmt: skip
        ones = kinds["ones"]
        rest = {
            None: (), "lengths": (kinds["lengths"],), "bool": (ones.bool(),), "not": (~ones.bool(),), "int": (ones,),
            "float": (ones.to(module.emb.weight.dtype if hasattr(module, "emb") else torch.float64),),
        }[argument]  # fmt: skip
        answer = module(text, *rest)
    if isinstance(answer, dict):
        answer = answer.get("logits", answer.get("pred"))
    answer = answer[0] if isinstance(answer, tuple) else answer
    return answer.reshape(-1)


@pytest.fixture(params=ZOO, scope="module")
def name(request) -> str:
    """Both tests of one module of the zoo run before those of the next, and share its wrapping."""
    return request.param


def test_outputs_are_the_users_own(name):
    case = ZOO[name]
    module, before, seen = served(name)
    read = [seen.read(text) for text in texts(LENGTHS)]
    found = seen.outputs(seen.encode(read))
    same(before, state(module))
    assert seen.plan.pads == case.pads
    for text, raw in zip(read, found, strict=True):
        expected = own_call(module, list(text.ids))
        if seen.link is Link.PROBABILITY and len(expected) == 1:
            expected = torch.cat([1 - expected, expected])
        np.testing.assert_allclose(raw, expected, rtol=0, atol=1e-9)


ABILITIES = Counter(case.able for case in ZOO.values())


def chosen(name: str) -> list[str]:
    """What recurrent states are read by, and one method each of gradients and of removed words, in turn over the zoo.

    Where few modules have an ability they take all methods.
    """
    able = ZOO[name].able
    if ABILITIES[able] < len(SLOPES):
        return sorted(ABLE[able])
    turn = [other for other, case in ZOO.items() if case.able == able].index(name)
    wanted = [SLOPES[turn % len(SLOPES)], REMOVALS[turn % len(REMOVALS)], *STATES]
    return [method for method in wanted if method in ABLE[able]]


def test_it_serves_what_it_can_and_says_what_not(name):
    case = ZOO[name]
    module, before, seen = served(name)
    assert {card.name for card in methods(seen)} >= ABLE[case.able]
    raw = texts(LENGTHS, 2)
    for method in sorted((ALL | set(STATES)) - ABLE[case.able]):
        with pytest.raises(UnsupportedError) as refused:
            explain(seen, raw, method)
        message = str(refused.value)
        assert "\n" not in message
        if method == "reat":
            assert case.reason in message, message
    for turn, method in enumerate(chosen(name)):
        options = QUICK.get(method, {})
        together = explain(seen, raw, method, **options)
        row = (0, 1, 4)[turn % 3]
        alone = explain(seen, raw[row], method, **options)
        np.testing.assert_allclose(together[row].scores, alone.scores, rtol=0, atol=1e-9, err_msg=method)
        if method in STATES:
            np.testing.assert_allclose([result.gap for result in together], 0, atol=1e-9)
    same(before, state(module))


def test_every_method_meets_every_ability():
    met = {(case.able, method) for name, case in ZOO.items() for method in chosen(name)}
    assert met == {(able, method) for able, every in ABLE.items() for method in every}


def test_rows_of_one_length_keep_their_order():
    """The library's sort permutes ties of many rows; a module that sorts its rows must not mix up texts."""
    for name in ("sorts its rows before the embedding", "sorts its rows behind the embedding", "packed, sorted inside"):
        module = made(ZOO[name])
        seen = wrapped(module, ZOO[name])
        raw = texts([3] * 30 + [2] * 30, 5)
        for method, options in (
            ("gradient", {}), ("reat", {}), ("leave-one-out", {"how": "zero"}), ("integrated-gradients", {"points": 2})
        ):  # fmt: skip
            together = explain(seen, raw, method, "all", **options)
            for text, result in list(zip(raw, together, strict=True))[::9]:
                alone = explain(seen, text, method, "all", **options)
                np.testing.assert_allclose(result.scores, alone.scores, atol=1e-9, err_msg=f"{name} {method}")


def test_all_embeddings_of_a_word_are_its_vector():
    """A word's vector of zeros is zero in both embeddings, side by side."""
    name = "two embeddings side by side"
    module = made(ZOO[name])
    seen = wrapped(module, ZOO[name])
    assert seen.embed(seen.encode([seen.read("w1 w2")])).shape == (1, 2, 10)
    zeros = copy.deepcopy(module)
    zeros.emb.weight.data[:] = zeros.fixed.weight.data[:] = 0.0
    result = explain(seen, "w1 w2 w3", "integrated-gradients", "all", tolerance=1e-8)
    np.testing.assert_allclose(result.account["value at the baseline"], own_call(zeros, [4, 5, 6]), atol=1e-12)
    np.testing.assert_allclose(result.gap, 0, atol=1e-7)


@pytest.mark.parametrize(
    "name",
    ["packed, sorted demanded", "max with the zeros of padding", "turns the vectors inside", "mean of packed states"],
)
def test_batches_come_in_any_order(name):
    seen = wrapped(made(ZOO[name]), ZOO[name])
    read = [seen.read(text) for text in texts([2, 6, 1, 3, 6])]
    batch = seen.encode(read)
    given = seen.outputs_from(seen.embed(batch), batch)
    unrolled = seen.unroll(batch)
    for row, text in enumerate(read):
        alone = seen.encode([text])
        expected = seen.outputs(alone)[0]
        for found in (seen.outputs(batch)[row], given[row], unrolled.outputs[row]):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        for one, other in zip(unrolled.layers[-1], seen.unroll(alone).layers[-1], strict=True):
            assert one.lengths[row] == len(text)
            for field in ("inputs", "hidden"):
                torch.testing.assert_close(getattr(one, field)[row, : len(text)], getattr(other, field)[0])
    unequal = seen.encode(read[:2])
    empty = type(unequal)(unequal.ids, unequal.mask & (torch.arange(2) > 0)[:, None], unequal.segments)
    with pytest.raises(UnsupportedError, match="without any piece"):
        seen.outputs(empty)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "name",
    ["mean, max and last side by side", "one output, squeezed", "packed, sorted inside", "packed, sorted demanded"],
)
def test_other_precisions(name, dtype):
    case = ZOO[name]
    module = made(case, dtype)
    try:
        own_call(module, [4, 5])
    except RuntimeError:
        pytest.skip("this build has no kernels for it")
    seen = wrapped(module, case)
    exact = wrapped(made(case), case)
    tolerance = {torch.float32: 2e-5}.get(dtype, 0.3)
    for method in ("reat", "gradient-x-input", "leave-one-out", "lime", "integrated-gradients"):
        options = QUICK.get(method, {}) | ({"limit": 4} if method == "integrated-gradients" else {})
        for one, other in zip(*(explain(m, texts([2, 4]), method, 0, **options) for m in (seen, exact)), strict=True):
            np.testing.assert_allclose(one.scores, other.scores, atol=tolerance)


def test_frozen_parameters_and_gradients_stay():
    module = made(ZOO["packed, sorted inside"])
    module.emb.weight.requires_grad_(False)
    module.fc(torch.ones(1, 4, dtype=torch.float64)).sum().backward()
    held = module.fc.weight.grad
    before = state(module)
    seen = wrapped(module, ZOO["packed, sorted inside"])
    for method in ("integrated-gradients", "reat", "leave-one-out"):
        explain(seen, texts(LENGTHS), method)
    same(before, state(module))
    assert module.fc.weight.grad is held


@pytest.mark.parametrize("method", sorted(ALL | {"reat", "naive-reat"}))
def test_a_module_that_raises_midway_is_put_back(method):
    module = made(ZOO["packed, sorted inside"])
    seen = wrapped(module, ZOO["packed, sorted inside"])
    before = state(module)
    calls = Counter()

    def fail(*_):
        calls["out"] += 1
        if calls["out"] > 1:
            raise RuntimeError("the disk is on fire")

    handle = module.fc.register_forward_hook(fail)
    with pytest.raises(ModelError, match=r"^the module PackedUnsorted raised RuntimeError: the disk is on fire[^\n]*$"):
        explain(seen, texts(LENGTHS), method)
    handle.remove()
    same(before, state(module))


# refusals of wrap itself ----------------------------------------------------------------------------------------


def refuse(error, message, module=None, **options):
    options = {"vocabulary": WORDS, "tokenizer": str.split, "labels": ["a", "b", "c"]} | options
    module = module if module is not None else made(ZOO["packed, sorted inside"])
    with pytest.raises(error, match=message) as refused:
        unchecked(wrap)(module, **options)
    assert "\n" not in str(refused.value)


def test_wrong_arguments_are_refused():
    refuse(UsageError, "not function; for a function use blackbox", module=lambda ids: ids)
    refuse(UsageError, "wrap needs vocabulary", vocabulary=None, tokenizer=None)
    refuse(UsageError, "wrap needs vocabulary", vocabulary=None)
    refuse(UsageError, "2 labels are given, but the module has 3 outputs", labels=["a", "b"])
    refuse(UsageError, "differ", labels=["a", "b", "a"])
    refuse(UsageError, "list of names", labels="abc")
    refuse(UsageError, "must be 'logits'", outputs="odds")
    refuse(UsageError, "embedding only 20 rows", vocabulary=[*WORDS, "more"])
    refuse(UsageError, "function from a text to tokens", tokenizer=3)
    refuse(UsageError, "one output: give labels", module=made(ZOO["a regression"]), labels=None)


def test_what_looks_like_probabilities_is_refused():
    for name, labels in (("softmax, said", ["a", "b", "c"]), ("one probability", ["no", "yes"])):
        module = made(ZOO[name])
        refuse(
            UsageError, "ends in a s[a-z]+: let it return logits, or say outputs='probabilities'", module, labels=labels
        )
        refuse(UsageError, "ends in a s[a-z]+: let it", module, labels=labels, outputs="logits")
    refuse(UsageError, "do not lie between 0 and 1", outputs="probabilities")
    small = made(ZOO["one output, squeezed"])
    small.fc.weight.data *= 0.01
    small.fc.bias.data[:] = 0.5  # logits that happen to lie between 0 and 1 are no probabilities
    assert wrap(small, vocabulary=WORDS, tokenizer=str.split, labels=["no", "yes"]).link is Link.BINARY


def test_modules_that_cannot_be_run():
    module = made(ZOO["packed, sorted inside"])
    module.rnn.weight_hh_l0.data[0, 0] = float("nan")
    refuse(ModelError, r"outputs are not finite \(NaN or infinity\): check its weights", module)

    class Broken(NoLengths):
        def forward(self, x):
            raise ValueError("no such\nthing")

    class Unknown(NoLengths):
        def forward(self, x, temperature):
            return super().forward(x) / temperature

    class Random(NoLengths):
        def forward(self, x):
            return super().forward(x) + torch.rand(())

    class OverRows(NoLengths):
        def forward(self, x):
            z = super().forward(x)
            return z - z.mean(0) * (len(z) > 1)

    class NoLogits(NoLengths):
        def forward(self, x):
            return "positive"

    refuse(ModelError, r"could not be run on a batch of ids \(ValueError: no such\); give call=", Broken())
    refuse(UsageError, "what forward's argument 'temperature' wants", Unknown())
    refuse(ModelError, "other outputs each time", Random())
    refuse(ModelError, r"depend on its batch \(is batch_first right", OverRows())
    refuse(ModelError, "returns str; it must return logits", NoLogits())

    def at_two(module, batch):
        return module(batch.ids, 2.0)

    seen = wrap(Unknown().double(), vocabulary=WORDS, tokenizer=str.split, call=at_two)
    np.testing.assert_allclose(explain(seen, "w1 w2", "reat").gap if "reat" in names(seen) else 0, 0, atol=1e-9)


def names(model):
    return {card.name for card in methods(model)}


def test_nan_that_comes_later_is_named():
    module = made(ZOO["packed, sorted inside"])
    seen = wrapped(module, ZOO["packed, sorted inside"])
    module.fc.weight.data[0, 0] = float("nan")
    with pytest.raises(ModelError, match="outputs of model PackedUnsorted are not finite"):
        explain(seen, "w1 w2", "reat", 0)


# words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vocabulary",
    [
        WORDS,
        {word: number for number, word in enumerate(WORDS)},
        OrderedDict(enumerate(WORDS)),
        SimpleNamespace(itos=WORDS),
        SimpleNamespace(stoi={word: number for number, word in enumerate(WORDS)}),
        SimpleNamespace(get_itos=lambda: WORDS),
    ],
    ids=["list", "dict", "ids to words", "itos", "stoi", "get_itos"],
)
def test_vocabularies_as_users_have_them(vocabulary):
    module = made(ZOO["packed, sorted inside"])
    seen = wrap(module, vocabulary=vocabulary)
    text = seen.read("w3 w7, unheard w3")
    assert text.word_strings() == ("w3", "w7", ",", "unheard", "w3")
    assert [text.ids[0], text.ids[1], text.ids[3]] == [WORDS.index("w3"), WORDS.index("w7"), 1]
    assert seen.tokens == {"pad": 0, "unknown": 1, "mask": 2}


def test_an_unlisted_word_without_an_unknown_token():
    seen = wrap(made(ZOO["packed, sorted inside"]), vocabulary=["<pad>", *WORDS[3:]])
    assert explain(seen, "w1 w2", "reat").words == ("w1", "w2")
    with pytest.raises(TextError, match="lists no 'unheard' and has no unknown token"):
        explain(seen, "w1 unheard", "reat")


def test_tokenizers_that_change_the_characters():
    module = made(ZOO["packed, sorted inside"])

    def tokenize(text):
        return [word.lower().strip("!,.") for word in text.split()]

    result = explain(wrap(module, vocabulary=WORDS, tokenizer=tokenize), "  W3, w7!  W3", "reat")
    assert result.words == ("W3", "w7", "W3")
    assert result.offsets == ((2, 4), (6, 8), (11, 13))
    stems = wrap(module, vocabulary=WORDS, tokenizer=lambda text: ["walk"])
    with pytest.raises(ModelError, match="token 'walk' is not in the text"):
        explain(stems, "she went", "reat")
    empty = wrap(module, vocabulary=WORDS, tokenizer=lambda text: [])
    with pytest.raises(TextError, match="empty or blank"):
        explain(empty, "w3", "reat")


def test_a_hugging_face_tokenizer_before_a_users_lstm():
    hf_toys = pytest.importorskip("tests.support.hf_toys")
    tokenizer = hf_toys.wordpiece()
    module = Base(nn.LSTM, batch_first=True)
    module.emb = nn.Embedding(len(tokenizer), 5)
    module.forward = NoLengths.forward.__get__(module)
    seen = wrap(module.double(), tokenizer=tokenizer)
    result = explain(seen, "a fine film, unbelievable!", "reat", 0)
    assert result.words == ("a", "fine", "film", ",", "unbelievable", "!")
    np.testing.assert_allclose(result.gap, 0, atol=1e-9)
    assert "special tokens" in result.account


def test_an_empty_text_where_the_module_drops_pads_itself():
    """Removing every word leaves a pad token; where the module cannot take that, the unknown token stands for it."""
    name = "lengths from the ids inside, packed"
    module = made(ZOO[name])
    seen = wrapped(module, ZOO[name])
    result = explain(seen, "w4", "leave-one-out", "all")
    expected = own_call(module, [WORDS.index("w4")]) - own_call(module, [1])
    np.testing.assert_allclose(result.scores[:, 0], expected, atol=1e-10)
    explain(seen, "w4 w5", "lime", samples=20)
    without = wrap(module, vocabulary=["<pad>", *WORDS[3:]], tokenizer=str.split)
    with pytest.raises(ModelError, match=r"LengthsInside raised RuntimeError: .* on texts of 1 pieces"):
        explain(without, "w4", "leave-one-out")


# text CNNs --------------------------------------------------------------------------------------------------------

CNNS = {
    "one dimension": (lambda: text_cnns.TextCnn(), 5, False),
    "two dimensions": (lambda: text_cnns.FlatCnn(), 5, False),
    "a mask": (lambda: text_cnns.MaskedCnn(), 5, True),
    "padded inside": (lambda: text_cnns.PaddedCnn(), 1, False),
    "a wide kernel": (lambda: text_cnns.TextCnn(widths=(20, 2)), 20, False),
}


@pytest.mark.parametrize("name", CNNS)
def test_text_cnns(name):
    """Texts shorter than the widest kernel are filled up with pad tokens, which are no part of the text."""
    make, least, pads = CNNS[name]
    module = text_cnns.made(make())
    before = state(module)
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["a", "b", "c"])
    assert (seen.plan.least, seen.plan.pads) == (least, pads)
    assert {card.name for card in methods(seen)} >= ALL | {"lrp"}
    raw = texts(LENGTHS, 3)
    read = [seen.read(text) for text in raw]
    found = seen.outputs(seen.encode(read))
    for text, one in zip(read, found, strict=True):
        full = [*text.ids, *[0] * (least - len(text))]
        mask = (torch.arange(len(full)) < len(text))[None]
        with torch.no_grad():
            arguments = (torch.tensor([full]), mask) if pads else (torch.tensor([full]),)
            expected = copy.deepcopy(module).eval()(*arguments)[0]
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-12)
    for method in sorted(ALL | {"lrp"}):
        options = QUICK.get(method, {})
        target = "predicted" if method == "input-reduction" else "all"
        together = explain(seen, raw, method, target, **options)
        for row in (0, 1):
            alone = explain(seen, raw[row], method, target, **options)
            np.testing.assert_allclose(together[row].scores, alone.scores, rtol=0, atol=1e-9, err_msg=method)
            assert together[row].scores.shape[-1] == len(read[row])
    one = explain(seen, raw[1], "leave-one-out", 0)  # a text of one word, without it pad tokens alone
    empty = seen.outputs(seen.encode([seen.read("w1")]).__class__(
        torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.long)
    ))  # fmt: skip
    np.testing.assert_allclose(one.scores, found[1, 0] - empty[0, 0], atol=1e-12)
    same(before, state(module))


# another device ----------------------------------------------------------------------------------------------------


ASKED = [
    (cell, method, training)
    for cell in ("lstm", "gru", "rnn")
    for method in sorted(ALL | {"reat", "naive-reat"})
    for training in (False, True)
    if (cell, method) != ("rnn", "reat")  # a plain RNN has no gate
]


def in_turn(cases: list, step: int) -> list[tuple]:
    """Cases with the device: all on a GPU, one of so many on the simulated device."""
    return [(case, device) for device in OTHERS for case in (cases[::step] if device == NAME else cases)]


@pytest.mark.parametrize(("case", "device"), in_turn(ASKED, 11))
def test_another_device_gives_what_the_cpu_gives(case, device):
    """cuDNN refuses the backward pass of a layer that ran in evaluation mode; nothing global is switched for it."""
    cell, method, training = case
    module = net(Shape(cell, 2, True)).train(training)
    options = QUICK.get(method, {})
    here = explain(wrap(module, vocabulary=WORDS, tokenizer=str.split), texts(FEW), method, **options)
    there = copy.deepcopy(module).to(device)
    before = state(there)
    found = explain(wrap(there, vocabulary=WORDS, tokenizer=str.split), texts(FEW), method, **options)
    same(before, state(there))
    for one, other in zip(here, found, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-8)


@pytest.mark.parametrize(("name", "device"), in_turn([name for name in ZOO if ZOO[name].able == "gated"], 13))
def test_the_zoo_on_another_device(name, device):
    module = made(ZOO[name]).eval()
    if name == "keeps its state on self" or "masks" in name:
        pytest.skip("it makes its tensors on the CPU")
    results = []
    for where in ("cpu", device):
        seen = wrapped(copy.deepcopy(module).to(where), ZOO[name])
        results.append([explain(seen, texts(FEW), method) for method in ("reat", "gradient-x-input")])
    for one, other in zip(*results, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a.scores, b.scores, atol=1e-8)


def test_the_modules_of_this_file_are_as_said():
    assert isinstance(ZOO["a regression"].make(), Single)
    assert isinstance(ZOO["packed, sorted inside"].make(), PackedUnsorted)


def test_a_vocabulary_of_another_module_is_said(caplog):
    module = net(Shape("gru", hidden=2, size=2, outputs=2))
    wrap(module, vocabulary=WORDS[:10], labels=["a", "b"])
    assert "rows" not in caplog.text
    wrap(module, vocabulary=WORDS[:9], labels=["a", "b"])
    assert "the vocabulary has 9 ids and the embedding 20 rows" in caplog.text


class _Muddled(nn.Embedding):
    """Rows that depend on the other texts of a call."""

    def forward(self, ids):
        found = super().forward(ids)
        return found + 0.5 * found.mean(0, keepdim=True)


def test_a_network_of_ours_with_a_strange_part_is_tried_out():
    module = RecurrentClassifier(
        RecurrentConfig(embedding=2, hidden=2, vocabulary=len(WORDS), labels=("a", "b"))
    ).eval()
    runs, forward = [], RecurrentClassifier._read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecurrentClassifier, "_read", lambda *given: runs.append(1) or forward(*given))
        assert is_our_own(module)
        assert wrap(module, vocabulary=WORDS, labels=["a", "b"]).plan.rows == 0
        assert len(runs) < 20  # it is read, and not tried out as a stranger is
        module.embedding = _Muddled.from_pretrained(module.embedding.weight.detach())
        assert not is_our_own(module)
        assert wrap(module, vocabulary=WORDS, labels=["a", "b"]).plan.rows == 1
        assert len(runs) > 40
