"""The network: words that are not kept are gone to the last bit, alone and in batches; training resumes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import exegesis
from exegesis.core.errors import UsageError
from exegesis.models.rationale_models.encoders import KINDS, encoder
from exegesis.models.rationale_models.shape import RationaleConfig
from exegesis.models.trained.card import card_text
from exegesis.models.trained.folder import load_folder, save_folder
from exegesis.models.trained.options import TrainOptions
from exegesis.models.trained.scores import Epoch
from exegesis.models.trained.taught import Shares
from exegesis.models.trained.training import train
from tests.support import rationale_toys as toys

LENGTHS = torch.tensor([7, 1, 4, 6])
SELECTORS = ("hardkuma", "lei", "lei:kind=sequential", "bottleneck:share=0.4", "fresh:share=0.4:contiguous=true",
             "introspective", "class-wise", "distribution-matching")  # fmt: skip


def ids(seed: int = 0) -> torch.Tensor:
    return torch.randint(2, 30, (4, 7), generator=torch.Generator().manual_seed(seed))


@pytest.mark.quick
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [False, True])
@torch.no_grad()
def test_no_bit_depends_on_a_word_that_is_gone(kind: str, fraction: bool) -> None:
    """With one gate, other words at its zeros, and other padding, leave every bit; those that are there move it."""
    network = toys.network(encoder=kind)
    gate = torch.tensor([[0, 1, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1, 0]])
    gates = gate.double() * (0.5 if fraction else 1.0)
    one, other = ids(0), ids(1)
    mixed = torch.where(gate == 0, other, one)
    first, second = network.logits_of(one, gates, LENGTHS), network.logits_of(mixed, gates, LENGTHS)
    assert torch.equal(first, second)
    moved = network.logits_of(torch.where(gate == 1, other, one), gates, LENGTHS)
    assert not bool((moved == first).all(1)[[0, 1, 3]].any())
    assert torch.equal(moved[2], first[2])  # nothing is left of it


@pytest.mark.quick
@torch.no_grad()
def test_nothing_says_the_shares_of_the_labels() -> None:
    """A softmax of the logits of one classifier; the sigmoid of each of class-wise, whose labels have their own."""
    for selector, chances in (("lei", lambda logits: logits.softmax(1)), ("class-wise", torch.sigmoid)):
        network = toys.network(selector)
        network.begin([], [0, 1, 1, 1])
        said = chances(network.logits_of(ids(), torch.zeros(4, 7, dtype=torch.float64), LENGTHS))
        torch.testing.assert_close(said, torch.tensor([[0.25, 0.75]] * 4, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selector", SELECTORS)
@torch.no_grad()
def test_a_text_in_a_batch_is_the_text_alone(kind: str, selector: str) -> None:
    network = toys.network(selector, kind)
    batch, logits = network.select(ids(), LENGTHS), network(ids(), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = network.select(ids()[row : row + 1, :length], LENGTHS[row : row + 1])
        assert torch.equal(alone.kept[0], batch.kept[row, :length])
        torch.testing.assert_close(alone.chance[0], batch.chance[row, :length])
        torch.testing.assert_close(network(ids()[row : row + 1, :length], LENGTHS[row : row + 1])[0], logits[row])
    assert not bool((batch.kept & (torch.arange(7) >= LENGTHS[:, None])).any())
    assert bool((batch.chance[torch.arange(7) >= LENGTHS[:, None]] == 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_gated_steps_are_removal_and_have_the_gradient_of_a_word_that_comes_in(kind: str) -> None:
    """The same numbers as a shorter text; the slope by a gate between 0 and 1 is that of finite differences."""
    torch.manual_seed(0)
    reader = encoder(kind, 4, 3).double()
    vectors, lengths = torch.randn(2, 5, 4, dtype=torch.float64), torch.tensor([5, 4])
    gate = torch.tensor([[1.0, 0, 0, 1, 1], [0, 1, 0, 1, 0]], dtype=torch.float64)
    hard, live = reader.read(vectors, gate, lengths), gate.clone().requires_grad_()
    soft = reader.read(vectors, live, lengths)
    torch.testing.assert_close(soft, hard)
    if kind != "cnn":
        rest = vectors[:1, [0, 3, 4]]
        torch.testing.assert_close(
            hard[:1], reader.read(rest, torch.ones(1, 3, dtype=torch.float64), torch.tensor([3]))
        )
    (slope,) = torch.autograd.grad(soft.sum(), live)
    step = torch.zeros_like(gate)
    step[0, 1] = 1e-6
    change = (reader.read(vectors, (gate + step), lengths).sum() - hard.sum()) / 1e-6
    assert float(slope[0, 1]) == pytest.approx(float(change.detach()), rel=1e-4, abs=1e-7)


def test_training_resumes_to_the_same_numbers_and_is_saved_and_loaded(tmp_path: Path) -> None:
    """All that a run carries is in its checkpoint: multipliers and moving averages too; marks are part of its data."""
    data, dev = toys.examples(60), toys.examples(20, 1)
    config = RationaleConfig(
        selector="hardkuma:share=0.3:changes=0.5", encoder="gru", embedding=6, hidden=6, dropout=0.1
    )
    options = TrainOptions(epochs=4, batch=16, lr=0.02, patience=9)
    marks = [one if n % 2 else None for n, one in enumerate(toys.marks(data))]
    whole = train(data, dev, config=config, options=options, marks=marks)
    place = tmp_path / "state"
    for epochs in (1, 3, 4):
        part = TrainOptions(epochs=epochs, batch=16, lr=0.02, patience=9)
        resumed = train(data, dev, config=config, options=part, marks=marks, checkpoint=place, resume=True)
    first, second = (result.model.module.state_dict() for result in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [epoch.shares for epoch in whole.history] == [epoch.shares for epoch in resumed.history]
    assert float(first["chooser.few.multiplier"]) != pytest.approx(0.01)
    with pytest.raises(UsageError, match="cannot resume: training texts"):
        train(data, dev, config=config, options=options, checkpoint=place, resume=True)
    save_folder(tmp_path / "model", whole.model, "# A card")
    loaded = load_folder(tmp_path / "model")
    assert loaded.module.config == whole.model.module.config
    model = exegesis.load(tmp_path / "model")
    assert model.selector == "HardKuma(share=0.3, changes=0.5, rate=0.05)"
    assert exegesis.explain(model, "w1 good w2").name == "rationale"


def test_the_best_epoch_is_one_whose_selection_has_not_collapsed() -> None:
    assert Shares(1.0, 0.95, 0.0).collapse == "the selection has collapsed: 95% of the texts are kept whole"
    assert Shares(0.1, 0.0, 0.6).collapse == "the selection has collapsed: nothing is kept of 60% of the texts"
    early, late = Epoch(1, 0.5, 0.99, 0.1, 1.0, fits=False), Epoch(2, 0.5, 0.7, 0.4, 1.0)
    assert late.rank > early.rank
    silent, told = (Epoch(3, 0.5, 0.7, 0.4, 1.0, Shares(0.1, 0.0, none)) for none in (0.5, 0.1))
    assert told.rank > silent.rank
    chooser = toys.network("hardkuma:share=0.2").chooser
    assert chooser.fits(Shares(0.25, 0.1, 0.1))
    assert not chooser.fits(Shares(0.4, 0.1, 0.1))
    data, dev = toys.examples(60), toys.examples(20, 1)
    result = train(
        data,
        dev,
        config=toys.shape("hardkuma:share=0.2", 6, 0.2),
        options=TrainOptions(epochs=3, batch=16),
    )
    shares = result.history[result.best_epoch - 1].shares
    assert shares is not None
    card = card_text("m", result, command="exegesis train", data={}, seed=0)
    assert f"- Keeps {shares.selected:.1%} of the words" in card
    assert ("Beware: the selection has collapsed" in card) == bool(shares.collapse)
    ranks = [epoch.rank for epoch in result.history]
    assert ranks[result.best_epoch - 1] == max(ranks)


def test_wrong_shapes_and_parameters_are_named() -> None:
    with pytest.raises(UsageError, match="unknown selector 'hardkum'"):
        RationaleConfig(selector="hardkum")
    with pytest.raises(UsageError, match="share"):
        RationaleConfig(selector="hardkuma:share=0")
    with pytest.raises(UsageError, match="unknown encoder"):
        RationaleConfig(encoder="rnn")
    with pytest.raises(UsageError, match="one entry for each training text"):
        train(toys.examples(4), toys.examples(4), config=RationaleConfig(), marks=[None])
    with pytest.raises(UsageError, match="example 1: 1 marks of a text of"):
        train(toys.examples(4), toys.examples(4), config=RationaleConfig(), marks=[[True], None, None, None])
    with pytest.raises(UsageError, match="unknown label 'new'"):
        train(toys.examples(4), [exegesis.Example.of("w1 good", "new")], config=RationaleConfig())
    with pytest.raises(UsageError, match="fresh learns from marked words"):
        train(toys.examples(4), toys.examples(4), config=RationaleConfig(selector="fresh"))
