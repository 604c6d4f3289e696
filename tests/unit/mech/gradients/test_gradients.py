"""Gradient methods against finite differences and plain loops, for every target, alone and in a batch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from exegesis.api import explain
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.mech.gradients import gradient
from exegesis.mech.gradients.path import Paths, RecurrentPaths, paths
from exegesis.models.modules.wrap import wrap
from exegesis.protocols.budget import limited
from exegesis.protocols.draws import generator
from exegesis.protocols.target import ask
from tests.reference import gradients as slow
from tests.support.torch_toys import WORDS, Bag, Shape, model, net, texts

SHAPES = [
    Shape("lstm", readout="last"),
    Shape("gru", 2, True, "attention", seed=1),
    Shape("rnn", 1, True, "max", seed=2),
    Shape("lstm", 1, True, "mean", bends=True, outputs=2, seed=3),
]
TARGETS = ["c1", "probability:c0", "margin:c1,c0", "predicted", "all"]
LENGTHS = [3, 1, 5]


def numbers_of(seen, text, target):
    """One function a number: from the vectors of this text alone, through a fresh run of the user's module."""
    module = seen.module.__class__(seen.module.shape).double().eval().requires_grad_(False)
    module.load_state_dict(seen.module.state_dict())
    ids = torch.tensor([text.ids])
    vectors = module.embedding(ids)[0].detach()

    def outputs(x):
        handle = module.embedding.register_forward_hook(lambda *_: x[None])
        try:
            return module(ids, torch.tensor([len(text)]))
        finally:
            handle.remove()

    def number(kind, a, b=None):
        def f(x):
            raw = outputs(x)[0]
            if kind == "probability":
                return raw.softmax(0)[a]
            return raw[a] - raw[b] if kind == "margin" else raw[a]

        return f

    decided = int(outputs(vectors)[0].argmax())
    functions = {
        "c1": [number("logit", 1)],
        "probability:c0": [number("probability", 0)],
        "margin:c1,c0": [number("margin", 1, 0)],
        "predicted": [number("logit", decided)],
        "all": [number("logit", i) for i in range(seen.module.shape.outputs)],
    }
    return vectors, functions[target]


def plain_scores(result):
    return np.atleast_2d(result.scores)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.cell}-{s.readout}")
def test_gradients_are_finite_differences(shape, target):
    seen = model(shape)
    raw = texts(LENGTHS, 1)
    found = {name: explain(seen, raw, "gradient", target, norm=name) for name in ("l2", "squared", "mean-absolute")}
    found["x"] = explain(seen, raw, "gradient-x-input", target)
    for row in range(len(raw)):
        vectors, functions = numbers_of(seen, found["x"][row].text, target)
        for k, f in enumerate(functions):
            g = slow.finite_differences(f, vectors)
            expected = {
                "l2": [np.sqrt(sum(v * v for v in word)) for word in g],
                "squared": [sum(v * v for v in word) for word in g],
                "mean-absolute": [sum(abs(v) for v in word) / len(word) for word in g],
                "x": [sum(a * b for a, b in zip(*pair, strict=True)) for pair in zip(g, vectors.tolist(), strict=True)],
            }
            for name, values in expected.items():
                np.testing.assert_allclose(plain_scores(found[name][row])[k], values, rtol=1e-5, atol=1e-7)
            exact = slow.gradient(f, vectors)
            np.testing.assert_allclose(
                plain_scores(found["x"][row])[k],
                (exact * vectors).sum(-1),
                rtol=0,
                atol=1e-12 * (1 + exact.abs().max()),
            )


BASELINES = {"zero": None, "pad": [0] * 9, "unknown": [1] * 9, "text:w3 w9": [6, 12] + [0] * 9}
TURNS = [
    (shape, target, (number + turn) % 2) for number, shape in enumerate(SHAPES) for turn, target in enumerate(TARGETS)
]


@pytest.mark.parametrize(("shape", "target", "turn"), TURNS)
def test_integrated_gradients_are_the_path_integral(shape, target, turn):
    """One panel is Gauss's sum over its points, by a loop; the account closes up to the gap that the result states.

    Each shape and each target meets every baseline, two a time.
    """
    seen = model(shape)
    raw = texts(LENGTHS, 2)
    for baseline, ids in list(BASELINES.items())[turn::2]:
        options = {"baseline": baseline, "points": 5, "limit": 5, "tolerance": 1e-9}
        for result in explain(seen, raw, "integrated-gradients", target, **options):
            vectors, functions = numbers_of(seen, result.text, target)
            start = 0 * vectors if ids is None else seen.module.embedding.weight.detach()[ids[: len(vectors)]]
            assert result.details["points"] == 5
            for k, f in enumerate(functions):
                scores = plain_scores(result)[k]
                expected = slow.gauss(f, vectors, start, 5)
                np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-10 * (1 + abs(scores).max()))
                first, last = float(f(start)), float(f(vectors))
                account = np.atleast_1d(result.account["value at the baseline"])[k]
                np.testing.assert_allclose(account, first, atol=1e-10)
                np.testing.assert_allclose(np.atleast_1d(result.gap)[k], last - first - scores.sum(), atol=1e-10)


@pytest.mark.parametrize("shape", [Shape("gru", 1, True), Shape("lstm", 2), Shape("rnn", readout="max")], ids=str)
def test_refined_panels_are_the_exact_integral(shape):
    """Against 60 points of Gauss on the whole path, and a Riemann sum."""
    seen = model(replace(shape, scale=0.6))
    result = explain(seen, texts([4])[0], "integrated-gradients", "c1", tolerance=1e-9, limit=4096)
    vectors, (f,) = numbers_of(seen, result.text, "c1")
    if shape.readout != "max":  # whose gradient jumps, so that no rule is exact to many digits
        np.testing.assert_allclose(result.scores, slow.gauss(f, vectors, 0 * vectors, 60), atol=1e-8)
    np.testing.assert_allclose(result.scores, slow.riemann(f, vectors, 0 * vectors, 400), atol=3e-3)
    assert abs(result.gap) <= 1e-9 * max(1, abs(result.explained - result.account["value at the baseline"]))
    assert result.details["converged"]


@pytest.mark.parametrize("target", ["all", "probability:c1"])
def test_points_grow_only_for_the_texts_that_need_them(target):
    seen = model(Shape("lstm", 1, True, scale=2.0))
    raw = texts([1, 2, 6, 9, 12], 4)
    loose = explain(seen, raw, "integrated-gradients", target, tolerance=0.5, points=2)
    tight = explain(seen, raw, "integrated-gradients", target, tolerance=1e-5, points=4, limit=512)
    points = [result.details["points"] for result in tight]
    assert len(set(points)) > 1
    assert max(points) <= 512
    assert sum(points) > sum(result.details["points"] for result in loose)
    assert any(result.details["converged"] for result in tight)
    for result in tight:
        moved = np.abs(np.asarray(result.explained) - np.asarray(result.account["value at the baseline"])).max()
        if result.details["converged"]:
            assert np.abs(result.gap).max() <= 1e-5 * max(1, moved)
        else:
            assert result.details["points"] > 256 / 2
    (short,) = explain(seen, raw[-1:], "integrated-gradients", "c0", tolerance=1e-12, points=2, limit=5)
    assert short.details["points"] <= 5
    assert not short.details["converged"]


PATHS = [
    Shape(cell, 1, both, readout, seed=number, starts=number % 2 == 0)
    for number, readout in enumerate(("last", "first", "mean", "sum", "concat", "summed", "averaged", "max"))
    for turn, (cell, both) in enumerate(
        (("lstm", True), ("gru", False), ("rnn", True), ("lstm", False), ("gru", True), ("relu", False))
    )
    if (number // 2 + turn) % 2 == 0 and (both or readout not in ("summed", "averaged"))
]  # each readout over half of the cells, each cell under half of the readouts: they are separate steps


@pytest.mark.parametrize("shape", PATHS, ids=lambda s: f"{s.cell}-{s.both}-{s.readout}")
def test_steps_by_hand_are_the_models_own(shape):
    """Numbers and shares of slopes along paths: the cells stepped by hand against the model and its gradient."""
    seen = model(shape)
    batch = seen.encode([seen.read(text) for text in texts([6, 1, 4, 2], 3)])
    stop = seen.embed(batch)
    start = stop.roll(1, 1) * batch.mask[..., None] - 0.3
    rows = torch.tensor([1, 0, 2, 2, 3, 0])
    at = torch.linspace(0, 1, 6, dtype=torch.float64)
    for wanted in ("all", "probability:c1", "margin:c0,c2"):
        target = ask(wanted, seen.labels, seen.link).of(seen.outputs(batch), seen.link)
        quick = paths(seen, batch, target, start, stop)
        plain = Paths(seen, batch, target, start, stop)
        assert isinstance(quick, RecurrentPaths) == (shape.readout not in ("max", "concat"))
        torch.testing.assert_close(quick.numbers(rows, at), plain.numbers(rows, at), rtol=0, atol=1e-12)
        torch.testing.assert_close(quick.shares(rows, at), plain.shares(rows, at), rtol=1e-11, atol=1e-12)


def test_only_one_plain_layer_is_stepped_by_hand():
    for shape in (Shape("lstm", 2), Shape("gru", bends=True), Shape("lstm", readout="attention")):
        seen = model(shape)
        batch = seen.encode([seen.read("w1 w2 w3")])
        target = ask("all", seen.labels, seen.link).of(seen.outputs(batch), seen.link)
        found = paths(seen, batch, target, 0 * seen.embed(batch), seen.embed(batch))
        assert not isinstance(found, RecurrentPaths)


def test_integrated_gradients_refuse_what_the_vocabulary_lacks():
    seen = wrap(net(), vocabulary=["<pad>", *WORDS[3:]], tokenizer=str.split)
    for baseline in ("unknown", "mask"):
        with pytest.raises(UnsupportedError, match=f"no {baseline} token"):
            explain(seen, "w1", "integrated-gradients", baseline=baseline)
    with pytest.raises(UsageError, match=r"baseline must be zero, .*, not 'nil'"):
        explain(seen, "w1", "integrated-gradients", baseline="nil")


@pytest.mark.parametrize("reduce", ["l2", "squared", "mean-absolute", "x-input"])
def test_smoothgrad_is_the_mean_over_noisy_copies(reduce):
    seen = model(SHAPES[1])
    results = explain(seen, texts(LENGTHS, 3), "smoothgrad", "all", samples=6, noise=0.3, reduce=reduce, seed=5)
    for result in results:
        vectors, functions = numbers_of(seen, result.text, "all")
        source = generator(result.text, 5)
        draws = [torch.randn(tuple(vectors.shape), generator=source, dtype=torch.float64) for _ in range(6)]
        for k, f in enumerate(functions):
            g = slow.smoothgrad(f, vectors, draws, 0.3)
            expected = {
                "l2": g.norm(dim=1),
                "squared": (g * g).sum(1),
                "mean-absolute": g.abs().mean(1),
                "x-input": (g * vectors).sum(1),
            }[reduce]
            np.testing.assert_allclose(result.scores[k], expected, atol=1e-10)


def test_smoothgrad_without_noise_is_the_gradient():
    seen = model(SHAPES[0])
    for raw in texts([1, 5]):
        quiet = explain(seen, raw, "smoothgrad", noise=0.0, samples=2)
        np.testing.assert_allclose(quiet.scores, explain(seen, raw, "gradient").scores, atol=1e-13)


def test_a_seed_is_another_draw():
    seen = model(SHAPES[0])
    one, other = (explain(seen, "w1 w2 w3", "smoothgrad", seed=seed).scores for seed in (0, 1))
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    ("outputs", "labels", "said", "targets"),
    [
        (1, ["no", "yes"], None, ["yes", "no", "probability:no", "margin:yes,no", "all"]),
        (1, ["stars"], None, ["stars"]),
        (3, ["a", "b", "c"], "multi-label", ["b", "probability:a", "margin:a,c", "all"]),
    ],
)
def test_links(outputs, labels, said, targets):
    """One output for two labels, a regression, labels that do not exclude each other."""
    seen = model(Shape("gru", outputs=outputs), labels, outputs=said)

    def number(raw, target):
        kind, _, rest = target.rpartition(":")
        logit = {label: raw[i] for i, label in enumerate(labels)} if outputs > 1 or len(labels) == 1 else {
            "yes": raw[0], "no": -raw[0]}  # fmt: skip
        if kind == "margin":
            one, other = rest.split(",")
            return logit[one] if outputs == 1 else logit[one] - logit[other]
        return torch.sigmoid(logit[rest]) if kind == "probability" else logit[rest]

    for target in targets:
        result = explain(seen, "w3 w1 w4", "gradient-x-input", target)
        vectors, raw_of = numbers_of_raw(seen, result.text)
        for k, name in enumerate(labels if target == "all" else [target]):
            f = partial(lambda x, raw_of, name: number(raw_of(x), name), raw_of=raw_of, name=name)
            g = slow.gradient(f, vectors)
            np.testing.assert_allclose(plain_scores(result)[k], (g * vectors).sum(1), atol=1e-12)
            np.testing.assert_allclose(np.atleast_1d(result.explained)[k], float(f(vectors).detach()), atol=1e-12)


def numbers_of_raw(seen, text):
    module = seen.module.__class__(seen.module.shape).double().eval().requires_grad_(False)
    module.load_state_dict(seen.module.state_dict())
    ids = torch.tensor([text.ids])

    def raw(x):
        handle = module.embedding.register_forward_hook(lambda *_: x[None])
        try:
            return module(ids, torch.tensor([len(text)]))[0]
        finally:
            handle.remove()

    return module.embedding(ids)[0].detach(), raw


def test_the_whole_field_agrees_on_a_linear_model():
    """w.x for every word: gradient x input, integrated gradients, smoothgrad x input, leave-one-out, LIME's limit."""
    module = Bag()
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["a", "b", "c"])
    raw = texts([1, 4, 7], 6)
    methods = {
        "gradient-x-input": {},
        "integrated-gradients": {"points": 1},
        "smoothgrad": {"reduce": "x-input", "samples": 3},
        "leave-one-out": {"how": "zero"},
    }
    for target in ("all", "margin:a,c"):
        for name, options in methods.items():
            for result in explain(seen, raw, name, target, **options):
                w = module.out.weight.detach() @ module.embedding.weight.detach()[list(result.text.ids)].T
                expected = w if target == "all" else w[0] - w[2]
                np.testing.assert_allclose(result.scores, expected, atol=1e-10, err_msg=name)
    for result in explain(seen, raw, "leave-one-out", "all"):
        if len(result.text) > 1:  # of one word, dropping leaves a pad token
            w = module.out.weight.detach() @ module.embedding.weight.detach()[list(result.text.ids)].T
            np.testing.assert_allclose(result.scores, w, atol=1e-10)
    for result in explain(seen, raw, "lime", "all", how="zero", ridge=0.0, samples=300):
        w = module.out.weight.detach() @ module.embedding.weight.detach()[list(result.text.ids)].T
        np.testing.assert_allclose(result.scores, w, atol=1e-8)
        np.testing.assert_allclose(result.details["r2"], 1.0, atol=1e-8)


def test_targets_name_the_numbers():
    seen = model(Shape(outputs=2))
    batch = seen.encode([seen.read("w1 w2")])
    raw = seen.outputs(batch)
    for target, expected in (
        (1, raw[0, 1]),
        ("c0", raw[0, 0]),
        ("probability:c1", raw.softmax(1)[0, 1]),
        ("margin:c1,c0", raw[0, 1] - raw[0, 0]),
        (None, raw.max()),
        ("probability:predicted", raw.softmax(1).max()),
    ):
        number = ask(target, seen.labels, seen.link).of(raw, seen.link).of(raw)
        np.testing.assert_allclose(number, [[expected]], atol=1e-14)


@pytest.mark.parametrize("method", ["gradient", "gradient-x-input", "smoothgrad", "integrated-gradients"])
def test_many_numbers_share_backward_passes(method, monkeypatch):
    """As rows of their own, in parts of the budget, numbers have the gradients that they have one after the other."""
    seen, raw = model(Shape("gru", 2, True, outputs=5, seed=3)), texts([4, 1, 6], 3)
    options = {"samples": 3} if method == "smoothgrad" else {}
    each = explain(seen, raw, method, "all", **options)
    runs, run = [], type(seen).outputs_from

    def count(self, embeds, batch):
        runs.append(len(embeds))
        return run(self, embeds, batch)

    monkeypatch.setattr(type(seen), "outputs_from", count)
    monkeypatch.setattr(gradient, "MANY", 4)
    with limited("gradients", pieces=24, numbers=200):
        together = explain(seen, raw, method, "all", **options)
    assert max(runs) <= 4 or method == "integrated-gradients"
    for one, other in zip(each, together, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-12)
