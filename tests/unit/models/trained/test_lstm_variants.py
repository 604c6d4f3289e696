"""The LSTM variants of Arras et al. 2019, Sec. 11.4: their equations, their training, what they promise."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer import Typer
from typer.testing import CliRunner

import exegesis
from exegesis.api import explain, methods
from exegesis.cli.options import unfolded
from exegesis.cli.training.train import Train
from exegesis.core.errors import FileError, ModelError, UnsupportedError, UsageError
from exegesis.data.examples import Example
from exegesis.models.modules.wrap import wrap
from exegesis.models.text.vocabulary import Vocabulary
from exegesis.models.trained.architectures.config import RecurrentConfig
from exegesis.models.trained.architectures.recurrent import RecurrentClassifier
from exegesis.models.trained.assumptions import assumptions, check_assumptions
from exegesis.models.trained.card import describe
from exegesis.models.trained.folder import TrainedClassifier, load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.training import train
from exegesis.nn.lstm_variants import HIGHEST, Trace, VariantCell, VariantLSTM
from tests.reference import variants as slow
from tests.support.torch_toys import WORDS, texts

KINDS = ("nondecreasing", "markov", "no-gates")
PROMISES = {
    "nondecreasing": [f"A{number}" for number in range(1, 10)],
    "markov": ["A1", "A2", "A3", "A4", "A5", "A7", "A9"],
    "no-gates": ["A1", "A2", "A3", "A4", "A9"],
}


def classifier(kind: str, seed: int = 0, **options: object) -> RecurrentClassifier:
    """Random weights of deviation 1, biases as they start."""
    shape = {"embedding": 3, "hidden": 4, "vocabulary": len(WORDS), "labels": ("c0", "c1", "c2")} | options
    module = RecurrentClassifier(RecurrentConfig(cell=f"lstm-{kind}", **shape)).double()  # type: ignore[arg-type]
    draws = torch.Generator().manual_seed(seed)
    for name, weight in module.named_parameters():
        if "bias_" not in name:
            weight.data = torch.randn(weight.shape, generator=draws, dtype=torch.float64)
    return module.eval()


def wrapped(module: nn.Module):
    return wrap(module, vocabulary=WORDS, tokenizer=str.split, labels=["c0", "c1", "c2"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_printed_equations(kind):
    for seed, scales in enumerate([(2.0, 1.0), (3.0, 2.0), (4.0, 4.0)]):
        torch.manual_seed(seed)
        cell = VariantCell(kind, 3, 5, a_g=scales[0], a_h=scales[1]).double()
        for weight in cell.parameters():
            weight.data = torch.randn(weight.shape, dtype=torch.float64)
        x = torch.randn(6, 3, dtype=torch.float64)
        weights = slow.Weights.of(cell)
        assert (weights.a_g, weights.a_h) == scales
        trace, steps = cell.trace(x[None]), slow.forward(kind, x.numpy(), weights)
        np.testing.assert_allclose(trace.y[0].detach(), [y for _, _, y in steps], rtol=0, atol=1e-12)
        np.testing.assert_allclose(trace.c[0].detach(), [c for _, c, _ in steps], rtol=0, atol=1e-12)
        for letter, values in (("i", trace.i), ("o", trace.o)):
            assert (values is None) == (letter not in weights.U)
            if values is not None:
                np.testing.assert_allclose(values[0].detach(), [slow.sigma(a[letter]) for a, _, _ in steps], atol=1e-12)


@pytest.mark.parametrize("readout", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_neighbours_reach_nothing(kind, readout):
    for both, layers in ((False, 1), (True, 2)):
        module = classifier(kind, readout=readout, bidirectional=both, layers=layers)
        rows = [[3, 4, 5, 6, 7], [8], [9, 3, 3], [4, 5, 6, 7, 8]]
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.full((4, 7), 2)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
        alone = torch.cat([module(torch.tensor([row]), torch.tensor([len(row)])) for row in rows])
        torch.testing.assert_close(module(ids, lengths), alone, rtol=0, atol=1e-12)
        assert (alone[0] - alone[3]).abs().min() > 1e-6


def test_the_reverse_direction_is_the_cell_over_the_text_turned_round():
    layer = VariantLSTM("markov", 3, 4, bidirectional=True).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    both = layer(x, torch.tensor([5, 3]))
    torch.testing.assert_close(both[0, :, 4:], layer.cells[1](x[:1].flip(1))[0].flip(0))
    torch.testing.assert_close(both[1, :3, 4:], layer.cells[1](x[1:, :3].flip(1))[0].flip(0))
    torch.testing.assert_close(both[..., :4], layer.cells[0](x))


def sentences(count: int, seed: int = 0) -> list[Example]:
    """Good or bad, by one word anywhere in the text."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        words = draw.choices(["the", "film", "plot", "is", "a", "story"], k=draw.randint(1, 6))
        good = draw.random() < 0.5
        words.insert(draw.randint(0, len(words)), "good" if good else "bad")
        found.append(Example.of(" ".join(words), "positive" if good else "negative"))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_training_keeps_the_promises(kind, tmp_path):
    """Learned, saved, loaded, wrapped: the same numbers, and every assumption holds."""
    config = RecurrentConfig(cell=f"lstm-{kind}", bidirectional=True, embedding=8, hidden=8)
    options = TrainOptions(epochs=3, batch=8, lr=0.05, patience=9)
    result = train(sentences(200), sentences(40, 1), sentences(60, 2), config=config, options=options)
    assert result.test.accuracy > 0.95
    assert f"LSTM-{kind}".lower() in describe(result).lower()
    save_folder(tmp_path / "m", result.model, "card")
    assert json.loads((tmp_path / "m" / "config.json").read_text())["cell"] == f"lstm-{kind}"
    loaded = load_folder(tmp_path / "m")
    ids, lengths = torch.tensor([[2, 3, 4], [5, 6, 0]]), torch.tensor([3, 2])
    assert torch.equal(loaded.module(ids, lengths), result.model.module.eval()(ids, lengths))
    model = exegesis.load(tmp_path / "m")
    report = check_assumptions(model, [example.text for example in sentences(9, 3)])
    assert [one.name for one in sorted(report, key=lambda one: one.name)] == PROMISES[kind]
    assert all(one.holds and one.violation < 1e-5 for one in report)
    assert explain(model, "the good film", "leave-one-out", "positive").scores.argmax() == 1


def test_training_brings_biases_back():
    """A step that would make a bias positive leaves it below zero, the average of the weights too."""
    layer = VariantLSTM("nondecreasing", 2, 3, 2, bidirectional=True)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(0.5)
    layer.constrain()
    for name, weight in layer.named_parameters():
        assert bool((weight == (HIGHEST if "bias" in name else 0.5)).all())
    config = RecurrentConfig(cell="lstm-markov", embedding=4, hidden=4)
    options = TrainOptions(epochs=1, batch=2, lr=3.0, average=0.5)
    result = train(sentences(40), sentences(9, 1), config=config, options=options)
    biases = [weight.detach() for name, weight in result.model.module.named_parameters() if ".bias_" in name]
    assert len(biases) == 2
    assert max(float(bias.max()) for bias in biases) == pytest.approx(HIGHEST, abs=1e-3)


def test_the_command_trains_them(tmp_path):
    app = Typer()
    app.command()(unfolded(Train))
    rows = "\n".join(f"{example.text}\t{example.label}" for example in sentences(40))
    (tmp_path / "t.tsv").write_text(f"text\tlabel\n{rows}\n")
    options = ["--embedding", "4", "--hidden", "4", "--epochs", "1", "--layers", "2"]
    for arch in ("lstm-markov", "bilstm-no-gates"):
        out = tmp_path / arch
        done = CliRunner().invoke(app, [str(tmp_path / "t.tsv"), "--arch", arch, "--out", str(out), *options])
        assert done.exit_code == 0, done.output
        config = load_folder(out).module.config
        assert (config.cell, config.bidirectional) == (arch.removeprefix("bi"), arch.startswith("bi"))
        assert f"{arch.removeprefix('bi')} (Arras et al. 2019)" in (out / "README.md").read_text()


def test_a_folder_that_does_not_fit_is_refused(tmp_path):
    words = Vocabulary.from_texts(["a good film"])
    config = RecurrentConfig(cell="lstm-markov", layers=2, embedding=3, hidden=4, vocabulary=len(words))
    save_folder(tmp_path / "m", TrainedClassifier(RecurrentClassifier(config), words), "card")
    path = tmp_path / "m" / "config.json"
    good = json.loads(path.read_text())
    for change, message in (
        ({"cell": "lstm-nondecreasing"}, "'recurrent.cells.0.bias_o' is missing"),
        ({"cell": "lstm"}, "'recurrent.weight_hh_l1' is missing"),
        ({"hidden": 5}, "has the shape"),
        ({"cell": "lstm-peepholes"}, "unknown cell"),
    ):
        path.write_text(json.dumps(good | change))
        with pytest.raises(FileError, match=rf"^[^\n]*{message}[^\n]*$"):
            load_folder(tmp_path / "m")


class Forgets(VariantCell):
    def trace(self, inputs: Tensor) -> Trace:
        seen = super().trace(inputs)
        return Trace(seen.z, seen.i, seen.o, seen.c * 0.9, seen.y)


class Shifted(VariantCell):
    def trace(self, inputs: Tensor) -> Trace:
        seen = super().trace(inputs)
        return Trace(seen.z, seen.i, seen.o, seen.c, seen.y + 0.1)


class Signed(VariantCell):
    def trace(self, inputs: Tensor) -> Trace:
        seen = super().trace(inputs)
        return Trace(-seen.z, seen.i, seen.o, -seen.c, seen.y)


class Mixed(VariantCell):
    """Every value reads the whole text."""

    def trace(self, inputs: Tensor) -> Trace:
        return super().trace(inputs + inputs.mean(1, keepdim=True))


class Early(VariantCell):
    """The gates read the word of their own step."""

    def trace(self, inputs: Tensor) -> Trace:
        seen = super().trace(inputs)
        assert seen.i is not None
        assert seen.o is not None
        moved = inputs.sum(-1, keepdim=True)
        return Trace(seen.z, seen.i + 0 * moved + 0.1 * moved.tanh(), seen.o + 0.1 * moved.tanh(), seen.c, seen.y)


class Started(VariantCell):
    def trace(self, inputs: Tensor) -> Trace:
        seen = super().trace(inputs)
        return Trace(seen.z, seen.i, seen.o, seen.c + 0.5, seen.y)


@pytest.mark.parametrize(
    ("cell", "broken"),
    [(Forgets, "A1"), (Signed, "A2"), (Shifted, "A3"), (Mixed, "A4"), (Early, "A5"), (Early, "A6"), (Started, "A9")],
)
def test_a_cell_that_breaks_its_promise_is_named(cell, broken):
    module = classifier("nondecreasing", bidirectional=True)
    for part in module.recurrent.cells:
        part.__class__ = cell
    report = {one.name: one for one in assumptions(wrapped(module), texts([5, 1, 4]))}
    assert not report[broken].holds
    assert report[broken].violation > 1e-3
    first = min(name for name, one in report.items() if not one.holds)
    with pytest.raises(ModelError, match=rf"^assumption {first} does not hold \([^\n]+\): off by [^\n]+$"):
        check_assumptions(wrapped(module), texts([5, 1, 4]))


@pytest.mark.parametrize(("letter", "broken"), [("z", "A2"), ("i", "A7"), ("o", "A8")])
def test_a_bias_that_is_not_negative_is_named(letter, broken):
    for value in (0.0, 0.3):
        module = classifier("nondecreasing", layers=2)
        getattr(module.recurrent.cells[1], f"bias_{letter}").data[2] = value
        report = assumptions(wrapped(module), texts([3]))
        assert [one.name for one in report if not one.holds] == [broken]
        assert max(one.violation for one in report) == pytest.approx(value)


def test_who_may_be_asked():
    seen = wrapped(classifier("markov"))
    with pytest.raises(UsageError, match="there is no text to check"):
        assumptions(seen, [])
    with pytest.raises(UnsupportedError, match="runs no LSTM variant"):
        assumptions(wrapped(RecurrentClassifier(RecurrentConfig(vocabulary=20, labels=("a", "b", "c")))), ["w1"])
    with pytest.raises(UsageError, match="unknown kind of LSTM 'peepholes'"):
        VariantLSTM("peepholes", 2, 2)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="above 0"):
        VariantCell("markov", 2, 2, a_h=0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_methods_serve_them_and_reat_is_refused_by_name(kind):
    seen = wrapped(classifier(kind, layers=2, bidirectional=True, readout="mean"))
    able = {card.name for card in methods(seen)}
    assert able >= {"gradient", "gradient-x-input", "integrated-gradients", "leave-one-out", "lime"}
    assert not able & {"reat", "naive-reat"}
    for method in ("reat", "naive-reat"):
        with pytest.raises(UnsupportedError, match=rf"^{method} needs [^\n]* the LSTM variant '{kind}' [^\n]*$"):
            explain(seen, "w1 w2", method)
    for result in explain(seen, texts([4, 1, 6]), "integrated-gradients", "all"):
        np.testing.assert_allclose(result.gap, 0, atol=0.01)
    raw = texts([4, 1, 6])
    together = explain(seen, raw, "gradient-x-input", "all")
    for text, result in zip(raw, together, strict=True):
        np.testing.assert_allclose(result.scores, explain(seen, text, "gradient-x-input", "all").scores, atol=1e-12)


def test_the_kinds_differ_by_their_gates_alone():
    counts = {kind: sum(weight.numel() for weight in VariantCell(kind, 3, 4).parameters()) for kind in KINDS}
    assert counts == {"no-gates": 16, "markov": 36, "nondecreasing": 56}
