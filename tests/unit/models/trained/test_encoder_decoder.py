"""The encoder-decoder: its steps and its forward pass against plain ones, trained by the command, its attention, gates
and states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

import exegesis
from exegesis.cli.options import unfolded
from exegesis.cli.training.train import Train
from exegesis.core.errors import UsageError
from exegesis.data.examples import Example
from exegesis.data.steps import steps_of
from exegesis.models.trained.architectures.config import RecurrentConfig
from tests.reference import encoder_decoder as plain

APP = Typer()
APP.command()(unfolded(Train))
PAIR = ("a b c c", "> c c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a model that the command line trained for an epoch on texts and the texts to write."""
    where = tmp_path_factory.mktemp("writer")
    texts = ["a b", "b a c", "c a", "a c b", "b c", "c b a", "a a b", "b b"]
    (where / "turned.tsv").write_text("".join(f"{text}\t{text[::-1]}\n" for text in texts))
    sizes = "--layers 2 --embedding 5 --hidden 4 --epochs 1"
    arguments = f"{where}/turned.tsv --arch encoder-decoder {sizes} -q --out {where}/m"
    assert CliRunner().invoke(APP, arguments.split()).exit_code == 0
    return where / "m"


@pytest.fixture(scope="module")
def model(folder):
    """The model in float64, its weights large enough to be told from rounding."""
    loaded = exegesis.load(str(folder))
    loaded.module.double()
    draws = torch.Generator().manual_seed(0)
    for weight in loaded.module.parameters():
        weight.data += torch.randn(weight.shape, generator=draws, dtype=torch.float64) * 0.5
    return exegesis.wrap(loaded.module, vocabulary=loaded.reader.vocabulary, labels=list(loaded.labels))


def test_a_text_to_write_is_one_step_for_each_word() -> None:
    steps = steps_of([Example.of("a b", "b  a")])
    assert [(one.text, one.label) for one in steps] == [
        (("a b", ">"), "b"), (("a b", "> b"), "a"), (("a b", "> b a"), "<end>")
    ]  # fmt: skip
    with pytest.raises(UsageError, match="says not what to write"):
        steps_of([Example.of("a b", " ")])
    with pytest.raises(UsageError, match="the examples are pairs"):
        steps_of([Example.of(("a", "b"), "c")])


def test_a_text_is_set_aside_with_all_its_steps(folder) -> None:
    card = (folder / "README.md").read_text()
    assert "turned.tsv, 25 texts" in card
    assert "dev: a seeded tenth of the training texts, 3 texts" in card
    assert "attention of a decoder, the next word" in card


def test_forward_is_the_plain_one_and_padding_reaches_nothing(model) -> None:
    pairs = [PAIR, ("b", ">"), ("c a b a c a", "> a")]
    batch = model.encode([model.read(pair) for pair in pairs])
    with torch.no_grad():
        together = model.module.eval()(batch.ids, batch.lengths)
    for row, text in enumerate(batch.texts):
        sides = [torch.tensor(text.ids[part.start : part.stop]) for part in text.segments]
        with torch.no_grad():
            torch.testing.assert_close(together[row], plain.logits(model.module, *sides)[0], rtol=1e-9, atol=1e-12)
    assert model.labels == ("<end>", "a", "b", "c")


def test_attention_runs_from_the_words_written_to_those_read(model) -> None:
    (one,) = exegesis.attention(model, PAIR).maps
    text = model.read(PAIR)
    with torch.no_grad():
        sides = (torch.tensor(text.ids[part.start : part.stop]) for part in text.segments)
        expected = plain.logits(model.module, *sides)[1]
    np.testing.assert_allclose(one.values, expected.numpy(), rtol=1e-9)
    (slopes,) = exegesis.attention(model, PAIR, "attention-saliency", form="signed").maps
    assert np.abs(slopes.values[:-1]).max() == 0.0 < np.abs(slopes.values[-1]).max()  # one step is the last one
    assert abs(slopes.values.sum()) < 1e-12


def test_gates_and_states_of_both_lstms(model) -> None:
    curves = exegesis.gates(model, PAIR).curves
    assert [(one.recurrent, one.layer, len(one.pieces)) for one in curves] == [
        (1, 1, 4),
        (1, 2, 4),
        (2, 1, 3),
        (2, 2, 3),
    ]
    found = exegesis.information(model, PAIR, "pooled", reference=[PAIR, ("b c", "> c")],
                                 samples=8, pairs=8, most=8)  # fmt: skip
    assert found.words == ("a", "b", "c", "c", ">", "c", "c")


def test_what_it_cannot_have_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="LSTM that reads one way"):
        RecurrentConfig("gru", readout="decoder")
    asked = ["x.tsv", "--arch", "encoder-decoder", "--readout", "max", "--out", str(tmp_path / "m")]
    assert "--readout does not belong to --arch encoder-decoder" in str(CliRunner().invoke(APP, asked).exception)
