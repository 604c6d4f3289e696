"""Leave-one-out, LIME and input reduction against one plain call of the user's module a text."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from exegesis.api import explain
from exegesis.core.errors import UnsupportedError, UsageError
from exegesis.core.text import Span
from exegesis.mech.removal import perturbed as removal
from exegesis.mech.removal import prefixes
from exegesis.mech.removal.one_layer import PlainRunner
from exegesis.mech.removal.suffixes import Suffixes
from exegesis.models.modules.wrap import wrap
from exegesis.protocols.budget import limited
from exegesis.protocols.target import ask
from exegesis.questions.attributions.leave_one_out import LeaveOneOut
from exegesis.questions.attributions.lime import Lime, _ridge
from tests.reference import removal as slow
from tests.support.torch_toys import READOUTS, WORDS, Bag, Shape, model, net, texts

FILLERS = {"drop": None, "pad": "<pad>", "unknown": "<unk>", "mask": "<mask>"}
LENGTHS = [5, 1, 7, 2]


def fresh(module):
    """A number of a list of words: the user's own forward, one text a call, on a copy of the module."""
    copy = module.__class__(module.shape).double().eval().requires_grad_(False)
    copy.load_state_dict(module.state_dict())

    def raw(words, zeroed=range(0)):
        ids = torch.tensor([[WORDS.index(word) for word in words or ["<pad>"]]])

        def hook(_, __, vectors):
            vectors = vectors.clone()
            vectors[:, list(zeroed)] = 0.0
            return vectors

        handle = copy.embedding.register_forward_hook(hook)
        try:
            return copy(ids, torch.tensor([ids.shape[1]]))[0]
        finally:
            handle.remove()

    return raw


def expected_spans(raw, words, spans, how):
    if how == "zero":
        return torch.stack([raw(words) - raw(words, range(*span)) for span in spans], 1)
    return torch.stack([raw(words) - raw(slow.without(words, *span, FILLERS[how])) for span in spans], 1)


CELLS = [("lstm", True), ("gru", True), ("relu", True), ("lstm", False), ("gru", False), ("rnn", False)]
SHAPES = [
    Shape(cell, 1, both, readout, seed=number, starts=number % 2 == 0)
    for number, readout in enumerate(READOUTS)
    for cell, both in CELLS
    if both or readout not in ("summed", "averaged")
]


# every shape with one way to leave words out, in turn
WAYS = [(shape, removal.HOW[(shape.seed + CELLS.index((shape.cell, shape.both))) % 5]) for shape in SHAPES]


def test_every_filler_meets_every_cell_in_both_numbers_of_directions():
    met = {(shape.cell, shape.both, how) for shape, how in WAYS}
    assert met == {(*cell, how) for cell in CELLS for how in removal.HOW}
    assert {(shape.readout, how) for shape, how in WAYS if shape.readout in READOUTS[:7]} == {
        (readout, how) for readout in READOUTS[:7] for how in removal.HOW
    }


@pytest.mark.parametrize(
    ("shape", "how"),
    WAYS,
    ids=lambda value: value if isinstance(value, str) else f"{value.cell}-{value.both}-{value.readout}",
)
def test_leave_one_out_of_words_and_all_spans(shape, how):
    """Most of these take the path that continues from the states before a span; attention the plain one."""
    seen = model(shape)
    raw = fresh(seen.module)
    for result in explain(seen, texts(LENGTHS, shape.seed), "leave-one-out", "all", spans="all", how=how):
        words = list(result.words)
        scores = expected_spans(raw, words, result.spans, how)
        np.testing.assert_allclose(result.scores, scores, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [Shape("lstm", 2, True), Shape("gru", 1, False, bends=True), Shape("rnn", 3, False)])
@pytest.mark.parametrize("how", removal.HOW)
def test_leave_one_out_where_nothing_can_be_reused(shape, how):
    seen = model(shape)
    raw = fresh(seen.module)
    for result in explain(seen, texts(LENGTHS, 1), "leave-one-out", "all", spans="all", how=how):
        np.testing.assert_allclose(
            result.scores, expected_spans(raw, list(result.words), result.spans, how), rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("readout", ["last", "first", "mean", "sum", "max", "concat", "summed"])
def test_states_are_reused_where_they_can(readout):
    seen = model(Shape("lstm", 1, True, readout))
    batch = seen.encode([seen.read(text) for text in texts([4, 3])])
    for how in removal.HOW:
        assert Suffixes.of(seen, batch, how) is not None, how
    for shape in (Shape("lstm", 2), Shape("gru", bends=True), Shape("lstm", readout="attention")):
        assert Suffixes.of(model(shape), batch, "drop") is None


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.cell}-{s.both}-{s.readout}")
def test_steps_over_a_table_are_the_models_own(shape):
    """Perturbed texts, in any order and with zeroed vectors, run by shared steps; not by the model behind them."""
    seen = model(shape)
    batch = seen.encode([seen.read(text) for text in texts([3, 1, 6, 2], 1)])
    runner = PlainRunner.of(seen, batch)
    assert (runner is None) == (shape.readout == "attention")
    if runner is None:
        return
    gone = torch.zeros_like(batch.mask)
    gone[0, 1] = gone[2, 0] = gone[2, 5] = True
    vectors = seen.embed(batch)
    with torch.no_grad():
        torch.testing.assert_close(runner.outputs(batch), seen.outputs(batch), rtol=0, atol=1e-12)
        zeroed = seen.outputs_from(vectors.masked_fill(gone[..., None], 0.0), batch)
        torch.testing.assert_close(runner.outputs(batch, gone), zeroed, rtol=0, atol=1e-12)


@pytest.mark.parametrize("alike", [0.0, 0.8, 2.0])
@pytest.mark.parametrize("readout", ["last", "first", "mean", "sum", "max", "concat"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_rows_that_begin_alike_share_their_steps(cell, readout, alike, monkeypatch):
    """Never, as long as it pays, and always: the numbers are the model's own, whatever the lengths."""
    monkeypatch.setattr(prefixes, "ALIKE", alike)
    seen = model(Shape(cell, 1, True, readout, starts=True, seed=3))
    words = texts([6], 1)[0].split()
    rows = [" ".join(w if mask >> i & 1 else "<pad>" for i, w in enumerate(words)) for mask in range(0, 64, 3)]
    rows += [" ".join(words[:n]) for n in (1, 2, 5)] + [" ".join(["w3", *words[:2]])] * 2
    batch = seen.encode([seen.read(row) for row in rows])
    runner = PlainRunner.of(seen, batch)
    torch.testing.assert_close(runner.outputs(batch), seen.outputs(batch), rtol=0, atol=1e-12)


class PadsInside(nn.Module):
    """A module that takes its mask from the ids, so that a pad token inside a text is skipped."""

    def __init__(self, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.embedding = nn.Embedding(len(WORDS), 3)
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, ids):
        mask = (ids != 0)[..., None]
        states = self.rnn(self.embedding(ids))[0]
        if self.pool == "max":
            return self.out(states.masked_fill(~mask, -9.0).max(1).values)
        return self.out((states * mask).sum(1) / mask.sum(1))


@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("seed", range(3))
def test_pads_that_the_module_skips_itself(pool, seed):
    torch.manual_seed(seed)
    module = PadsInside(pool).double()
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split)

    @torch.no_grad()
    def raw(words):
        ids = [WORDS.index(word) for word in words]
        blank = [1] if pool == "mean" else [0]  # nothing is left: a mean over nothing is no number
        return module(torch.tensor([ids if any(ids) else blank]))[0]

    words = texts([2, 3, 5][seed : seed + 1], seed)[0].split()
    for how in ("drop", "pad", "unknown"):
        result = explain(seen, " ".join(words), "leave-one-out", "all", how=how, spans="all")
        expected = expected_spans(raw, words, result.spans, how)
        np.testing.assert_allclose(result.scores, expected, atol=1e-10, err_msg=how)
        method = Lime(samples=20, how=how, ridge=0.5)
        result = explain(seen, " ".join(words), method, 1)
        Z = method._draw(result.text).numpy().astype(float)
        kept = [[w if z[i] else FILLERS[how] for i, w in enumerate(words) if z[i] or FILLERS[how]] for z in Z]
        weight = np.array([slow.lime_weight(z, 25.0) for z in Z])
        b, _ = slow.ridge(Z, np.array([float(raw(one)[1]) for one in kept]), weight, 0.5)
        np.testing.assert_allclose(result.scores, b, atol=1e-10, err_msg=how)


class UnknownOutside(nn.Module):
    """A module that leaves unknown words out of its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 3)
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, ids):
        known = (ids != WORDS.index("<unk>"))[..., None]
        states = self.rnn(self.embedding(ids))[0]
        return self.out((states * known).sum(1) / known.sum(1).clamp_min(1))


def test_unknown_words_that_the_module_leaves_out():
    torch.manual_seed(0)
    module = UnknownOutside().double()
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split)

    @torch.no_grad()
    def raw(words):
        ids = [WORDS.index(word) if word in WORDS else WORDS.index("<unk>") for word in words]
        return module(torch.tensor([ids or [0]]))[0]

    rows = [*texts([6, 5, 5], 0), "zzz " + texts([2], 1)[0]]  # the short text alone holds an unknown word
    for how in ("drop", "unknown"):
        for text, result in zip(rows, explain(seen, rows, "leave-one-out", "all", how=how, spans="all"), strict=True):
            expected = expected_spans(raw, text.split(), result.spans, how)
            np.testing.assert_allclose(result.scores, expected, atol=1e-10, err_msg=f"{how}: {text}")
        for method in ("lime", "input-reduction"):
            for text, result in zip(rows, explain(seen, rows, method, how=how), strict=True):
                alone = explain(seen, text, method, how=how)
                np.testing.assert_allclose(result.scores, alone.scores, atol=1e-10, err_msg=f"{method} {how}: {text}")


@pytest.mark.parametrize("readout", ["max", "mean", "attention"])
def test_short_texts_do_not_hide_the_readout(readout):
    """On two words the last state is often the maximum: what is removed from it must still be a maximum."""
    for seed in range(6):
        seen = model(Shape("gru", 1, False, readout, hidden=1, seed=seed))
        raw = fresh(seen.module)
        for text in texts([2, 2, 3], seed):
            for how in ("drop", "mask"):
                result = explain(seen, text, "leave-one-out", "all", how=how, spans="all")
                expected = expected_spans(raw, list(result.words), result.spans, how)
                np.testing.assert_allclose(result.scores, expected, atol=1e-10)


class StartsFromText(nn.Module):
    """The initial state is made from the text, so that a removed word changes it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 4)
        self.rnn = nn.GRU(4, 4, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, ids):
        vectors = self.embedding(ids)
        return self.out(self.rnn(vectors, vectors.mean(1)[None])[0][:, -1])


def test_a_start_that_depends_on_the_text():
    torch.manual_seed(0)
    module = StartsFromText().double()
    seen = wrap(module, vocabulary=WORDS, tokenizer=str.split)

    @torch.no_grad()
    def raw(words):
        return module(torch.tensor([[WORDS.index(word) for word in words or ["<pad>"]]]))[0]

    for text in (["w1 w2 w3"], ["w1 w2 w3", "w1 w2 w3"], ["w1 w2 w3", "w4 w5"]):
        for how in ("drop", "unknown"):
            for result in explain(seen, text, "leave-one-out", "all", how=how):
                words = list(result.words)
                np.testing.assert_allclose(result.scores, expected_spans(raw, words, result.spans, how), atol=1e-10)
        for result in explain(seen, text, "integrated-gradients", "all", tolerance=1e-6):
            np.testing.assert_allclose(result.gap, 0, atol=1e-5)


@pytest.mark.parametrize("target", ["c1", "probability:c1", "margin:c0,c2", "predicted"])
def test_leave_one_out_of_each_number(target):
    seen = model(Shape("gru"))
    raw = fresh(seen.module)

    def number(words, label):
        z = raw(words)
        every = {"c1": z[1], "probability:c1": z.softmax(0)[1], "margin:c0,c2": z[0] - z[2], "predicted": z[label]}
        return float(every[target])

    for how in ("drop", "mask"):
        results = explain(seen, texts([*LENGTHS, 3, 4, 6, 2], 4), "leave-one-out", target, how=how)
        for result in results:
            number_of = partial(number, label=int(raw(list(result.words)).argmax()))
            expected = slow.leave_one_out(number_of, list(result.words), FILLERS[how])
            np.testing.assert_allclose(result.scores, expected, atol=1e-10)


def test_equal_texts_run_once(monkeypatch):
    seen = model(Shape("lstm", 2))
    rows = []
    run = type(seen).outputs
    monkeypatch.setattr(type(seen), "outputs", lambda self, batch: rows.append(len(batch)) or run(self, batch))
    explain(seen, ["w1 w1 w1 w1", "w1 w1 w1 w1"], "leave-one-out")
    assert sum(rows) <= 2 + 2 + 2 + 1  # for the prediction, the whole texts, a trial, and one text of three words


def test_what_the_vocabulary_lacks_is_refused():
    seen = wrap(net(), vocabulary=["<pad>", *WORDS[3:]], tokenizer=str.split)
    for how in ("unknown", "mask"):
        with pytest.raises(UnsupportedError, match=f"no {how} token"):
            explain(seen, "w1 w2", "leave-one-out", how=how)
    with pytest.raises(UsageError, match="did you mean 'drop'"):
        explain(seen, "w1 w2", "leave-one-out", how="dropp")


def test_memory_is_bounded(monkeypatch):
    """Calls hold no more padded pieces than the limit, and give what one call gives."""
    seen = model(Shape("lstm", 2))
    raw = texts([9, 3, 9, 6], 2)
    whole = [result.scores for result in explain(seen, raw, "leave-one-out", spans="all")]
    sizes = []
    run = type(seen).outputs

    def count(self, batch):
        if not batch.texts:  # perturbed ones
            sizes.append(batch.ids.numel())
        return run(self, batch)

    monkeypatch.setattr(type(seen), "outputs", count)
    for pool, limit in ((400, 20), (40, 1000)):
        sizes.clear()
        with limited("perturbed", pieces=limit), limited("masks", pieces=pool):
            cut = [result.scores for result in explain(seen, raw, "leave-one-out", spans="all")]
        for one, other in zip(whole, cut, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)
        assert len(sizes) > 5
        assert max(sizes) <= min(pool, limit)


# LIME ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "pad", "zero"])
def test_lime_is_the_regression_of_its_samples(how):
    seen = model(Shape("gru", 1, True, seed=2))
    raw = fresh(seen.module)
    method = Lime(samples=60, how=how, ridge=0.7, kernel=20.0, seed=3)
    for result in explain(seen, texts([4, 1, 6], 5), method, "all"):
        words = list(result.words)
        Z = method._draw(result.text).numpy().astype(float)
        assert Z[0].all()
        assert not Z[1:].all(1).any()
        numbers = []
        for z in Z:
            gone = [i for i, present in enumerate(z) if not present]
            if how == "zero":
                numbers.append(raw(words, gone))
            else:
                kept = [w if z[i] else FILLERS[how] for i, w in enumerate(words) if z[i] or FILLERS[how]]
                numbers.append(raw(kept))
        weight = np.array([slow.lime_weight(z, 20.0) for z in Z])
        for k in range(3):
            b, a = slow.ridge(Z, np.array([float(n[k]) for n in numbers]), weight, 0.7)
            np.testing.assert_allclose(result.scores[k], b, atol=1e-10)
            np.testing.assert_allclose(result.details["intercept"][k], a, atol=1e-10)


def test_lime_draws_as_the_paper():
    """The number of removed words is uniform from 1 to all, and so is the choice of words."""
    text = model().read(texts([5])[0])
    Z = Lime(samples=20001)._draw(text)[1:]
    counts = torch.bincount((~Z).sum(1), minlength=6).double()[1:] / 20000
    np.testing.assert_allclose(counts, 0.2, atol=0.015)
    np.testing.assert_allclose(Z.double().mean(0), 0.4, atol=0.015)


def test_ridge_is_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    draws = np.random.default_rng(0)
    Z, y, weight = draws.random((40, 6)) > 0.4, draws.normal(size=(40, 2)), draws.random(40)
    for penalty in (0.0, 1.0, 7.5):
        b, a = _ridge(torch.tensor(Z).double(), torch.tensor(y), torch.tensor(weight), penalty)
        for k in range(2):
            if penalty:
                theirs = linear_model.Ridge(alpha=penalty).fit(Z, y[:, k], sample_weight=weight)
            else:
                theirs = linear_model.LinearRegression().fit(Z, y[:, k], sample_weight=weight)
            np.testing.assert_allclose(b[k], theirs.coef_, atol=1e-10)
            np.testing.assert_allclose(a[k], theirs.intercept_, atol=1e-10)
            slow_b, slow_a = slow.ridge(Z.astype(float), y[:, k], weight, penalty)
            np.testing.assert_allclose([*slow_b, slow_a], [*b[k], a[k]], atol=1e-9)


@pytest.mark.parametrize("penalty", [0.5, 0.0])
def test_ridge_with_fewer_samples_than_words(penalty):
    """The normal equations of all words have the same solution; without a penalty, the shortest one."""
    draws = np.random.default_rng(1)
    Z, y, weight = draws.random((6, 30)) > 0.4, draws.normal(size=(6, 2)), draws.random(6)
    b, a = _ridge(torch.tensor(Z).double(), torch.tensor(y), torch.tensor(weight), penalty)
    middle, level = weight @ Z / weight.sum(), weight @ y / weight.sum()
    x = Z - middle
    matrix = (x.T * weight) @ x + penalty * np.eye(30)
    right = (x.T * weight) @ (y - level)
    expected = (
        np.linalg.solve(matrix, right) if penalty else np.linalg.pinv(matrix, hermitian=True, rcond=1e-10) @ right
    )
    np.testing.assert_allclose(b.T, expected, atol=1e-10)
    np.testing.assert_allclose(a, level - middle @ expected, atol=1e-10)


def test_fewer_features_score_the_rest_zero():
    seen = model(Shape("gru"))
    result = explain(seen, texts([7])[0], "lime", features=3, samples=200)
    assert (result.scores != 0).sum() == 3
    everything = explain(seen, texts([7])[0], "lime", samples=200)
    assert set(np.flatnonzero(result.scores)) == set(np.argsort(-np.abs(everything.scores))[:3])


def test_lime_is_near_the_lime_package():
    """Equal on average: the same text, number, kernel and penalty; draws differ."""
    text = pytest.importorskip("lime.lime_text")
    seen = model(Shape("gru", outputs=2, seed=4))
    raw = "w1 w5 w9 w2 w7"

    def predict(rows):
        found = []
        for row in rows:
            batch = seen.encode([seen.read(row)]) if row.split() else seen.encode([seen.read("<pad>")])
            found.append(seen.outputs(batch).softmax(1)[0].numpy())
        return np.array(found)

    explainer = text.LimeTextExplainer(split_expression=r"\s+", random_state=0)
    theirs = explainer.explain_instance(raw, predict, labels=(1,), num_samples=1500, num_features=5)
    weights = dict(theirs.as_list(1))
    ours = explain(seen, raw, "lime", "probability:c1", samples=3000)
    np.testing.assert_allclose(ours.scores, [weights[word] for word in raw.split()], atol=0.025)


# input reduction ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize(
    "shape", [Shape("gru", outputs=2, seed=1), Shape("lstm", 2, True, seed=2), Shape("rnn", seed=7)]
)
def test_input_reduction_is_the_plain_beam_search(shape, beam):
    seen = model(shape)
    raw = fresh(seen.module)
    for result in explain(seen, texts([6, 1, 4, 7], 8), "input-reduction", beam=beam):
        words = list(result.words)
        label = int(raw(words).argmax())

        def number(words, label=label):
            return float(raw(words)[label]), int(raw(words).argmax())

        left, gone = slow.input_reduction(number, words, beam)
        assert result.details["left"] == left
        assert result.details["order"] == gone
        assert result.details["reduced"] == [words[i] for i in left]
        for i in range(len(words)):
            expected = 1.0 if i in left else gone.index(i) / len(words)
            assert result.scores[i] == pytest.approx(expected)
        assert int(raw([words[i] for i in left]).argmax()) == label


def test_input_reduction_keeps_the_predicted_label_only():
    seen = model(Shape("gru", outputs=2))
    other = 1 - int(seen.outputs(seen.encode([seen.read("w1 w2")])).argmax())
    with pytest.raises(UsageError, match="ask for the target 'predicted'"):
        explain(seen, "w1 w2", "input-reduction", other)
    with pytest.raises(UsageError, match="ask for the target 'predicted'"):
        explain(seen, "w1 w2", "input-reduction", "all")


def test_special_pieces_are_never_removed():
    """A text whose first piece is special: removal, LIME and reduction leave it in."""
    seen = wrap(Bag(), vocabulary=WORDS, tokenizer=str.split)
    text = seen.read("w1 w2 w3")
    text = text.__class__(**{**text.__dict__, "special": (True, False, False), "words": text.words[1:]})
    batch = seen.encode([text])
    with_special = removal.outputs_keeping(seen, batch, torch.tensor([0]), torch.zeros(1, 3, dtype=torch.bool), "drop")
    np.testing.assert_allclose(with_special, seen.outputs(seen.encode([seen.read("w1")])), atol=1e-12)
    target = ask("all", seen.labels, seen.link)
    target = target.of(seen.outputs(batch), seen.link)
    (found,) = LeaveOneOut().spans(seen, batch, target, [[Span(1, 3)]])
    expected = seen.outputs(batch) - seen.outputs(seen.encode([seen.read("w1")]))
    np.testing.assert_allclose(found[:, 0], expected[0], atol=1e-12)
