"""Gradient methods against finite differences and plain loops, for every target, alone and in a batch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from exegesis.api import explain
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.seed import generator
from exegesis.core.target import ask
from exegesis.models.wrapping import wrap
from slow import gradients as slow
from torch_toys import WORDS, Bag, Shape, model, net, texts

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


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.cell}-{s.readout}")
def test_integrated_gradients_are_the_path_integral(shape, target):
    """The same points by a loop, and completeness within the stated tolerance."""
    seen = model(shape)
    raw = texts(LENGTHS, 2)
    for baseline, ids in (("zero", None), ("pad", [0] * 9), ("unknown", [1] * 9), ("text:w3 w9", [6, 12] + [0] * 9)):
        results = explain(
            seen, raw, "integrated-gradients", target, baseline=baseline, points=4, limit=32, tolerance=1e-2
        )
        for result in results:
            vectors, functions = numbers_of(seen, result.text, target)
            start = 0 * vectors if ids is None else seen.module.embedding.weight.detach()[ids[: len(vectors)]]
            for k, f in enumerate(functions):
                scores = plain_scores(result)[k]
                points = result.details["points"]
                expected = slow.gauss(f, vectors, start, points)
                np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-10 * (1 + abs(scores).max()))
                first, last = float(f(start)), float(f(vectors))
                if result.details["converged"]:
                    assert abs(last - first - scores.sum()) <= 1e-2 * max(1, abs(last - first)) + 1e-12
                account = np.atleast_1d(result.account["value at the baseline"])[k]
                np.testing.assert_allclose(account, first, atol=1e-10)
                np.testing.assert_allclose(np.atleast_1d(result.gap)[k], last - first - scores.sum(), atol=1e-10)


def test_integrated_gradients_are_a_riemann_sum():
    seen = model(Shape("gru", 1, True, scale=0.7))
    result = explain(seen, texts([5])[0], "integrated-gradients", "c1", tolerance=1e-8)
    vectors, (f,) = numbers_of(seen, result.text, "c1")
    np.testing.assert_allclose(result.scores, slow.riemann(f, vectors, 0 * vectors, 400), atol=1e-5)
    assert abs(result.gap) <= 1e-8 * max(1, abs(result.explained - result.account["value at the baseline"]))
    assert result.details["converged"]


def test_points_grow_only_for_the_texts_that_need_them():
    seen = model(Shape("lstm", 1, True, scale=2.0))
    raw = texts([1, 2, 6, 9, 12], 4)
    loose = explain(seen, raw, "integrated-gradients", "c0", tolerance=0.5, points=2)
    tight = explain(seen, raw, "integrated-gradients", "c0", tolerance=1e-6, points=2, limit=512)
    points = [result.details["points"] for result in tight]
    assert len(set(points)) > 1
    assert sum(points) > sum(result.details["points"] for result in loose)
    for result in tight:
        bound = 1e-6 * max(1, abs(result.explained - result.account["value at the baseline"]))
        assert result.details["converged"] == (abs(result.gap) <= bound)
    (short,) = explain(seen, raw[-1:], "integrated-gradients", "c0", tolerance=1e-12, points=2, limit=4)
    assert short.details == {"points": 4, "converged": False}


def test_integrated_gradients_refuse_what_the_vocabulary_lacks():
    seen = wrap(net(), vocabulary=["<pad>", *WORDS[3:]], tokenizer=str.split)
    for baseline in ("unknown", "mask"):
        with pytest.raises(UnsupportedError, match=f"no {baseline} token"):
            explain(seen, "w1", "integrated-gradients", baseline=baseline)
    with pytest.raises(UsageError, match="unknown baseline"):
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
